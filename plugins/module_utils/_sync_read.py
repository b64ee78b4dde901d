# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Reads every account of a server, with all that belongs to it, in as many statements as there are tables of them."""

from __future__ import annotations

import json
import typing as t
from collections import defaultdict
from dataclasses import replace

from ._connection import Row
from ._errors import StatementError
from ._server import Server
from ._sql import quote_account
from ._sync_values import GLOBAL, NO_HOST, ROLE_OPTIONS, SCHEMA, TABLE, Account, Key, Right, Scope, as_pattern

_DENIED = (1044, 1142, 1143)
_NATIVE = "mysql_native_password"

# What columns of the grant tables mean, where that is not the column's own name without its tail.
_COLUMNS = {
    "SHOW DB": "SHOW DATABASES",
    "REPL SLAVE": "REPLICATION SLAVE",
    "REPL CLIENT": "REPLICATION CLIENT",
    "CREATE TMP TABLE": "CREATE TEMPORARY TABLES",
    "GRANT": "GRANT OPTION",
    "DELETE VERSIONING ROWS": "DELETE HISTORY",
}
# The bits of MariaDB's ``access``, from the lowest. Until 10.5.2 the one of BINLOG MONITOR was REPLICATION CLIENT.
_BITS = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "SHUTDOWN", "PROCESS", "FILE", "GRANT OPTION"),
    *("REFERENCES", "INDEX", "ALTER", "SHOW DATABASES", "SUPER", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE"),
    *("REPLICATION SLAVE", "BINLOG MONITOR", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "CREATE USER"),
    *("EVENT", "TRIGGER", "CREATE TABLESPACE", "DELETE HISTORY", "SET USER", "FEDERATED ADMIN", "CONNECTION ADMIN"),
    *("READ_ONLY ADMIN", "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN", "BINLOG ADMIN", "BINLOG REPLAY"),
    *("SLAVE MONITOR", "SHOW CREATE ROUTINE"),
)
_SPLIT_SINCE = 100502
_LIMITS = {
    "max_questions": "MAX_QUERIES_PER_HOUR",
    "max_updates": "MAX_UPDATES_PER_HOUR",
    "max_connections": "MAX_CONNECTIONS_PER_HOUR",
    "max_user_connections": "MAX_USER_CONNECTIONS",
    "max_statement_time": "MAX_STATEMENT_TIME",
}
_TLS = {0: "", 1: "ANY", 2: "X509", 3: "SPECIFIED"}

_Found = defaultdict[Key, dict[Scope, set[Right]]]


def _key(row: Row, user: str = "User", host: str = "Host") -> Key:
    return str(row[user]), str(row[host]).lower()


def _role_key(name: t.Any) -> Key:
    """Return the key of a role of MariaDB."""
    return str(name), NO_HOST


def _right(words: str) -> str:
    words = words.upper()
    return _COLUMNS.get(words, words)


def _columns(row: Row) -> set[Right]:
    """Return the rights that a row of mysql.user or mysql.db gives, one column each."""
    return {Right(_right(name[: -len("_priv")].replace("_", " "))) for name, value in row.items() if name.endswith("_priv") and value == "Y"}


def _set(text: str | None) -> set[str]:
    """Return the members of a SET column."""
    return {_right(word) for word in (text or "").split(",") if word}


def _options(login: t.Any, tls: tuple[str, ...], limits: t.Mapping[str, t.Any], **others: t.Any) -> dict[str, t.Any]:
    """Return the parts of an account that are not the default."""
    found = {
        "login": tuple(login),
        "tls": tls if tls[0] else None,
        "limits": tuple((word, limits[name]) for name, word in _LIMITS.items() if float(limits.get(name) or 0)) or None,
        **others,
    }
    return {name: value for name, value in found.items() if value is not None and value is not False}


def _of_columns(row: Row) -> Account:
    """Read a row of mysql.user. Versions of old keep native hashes in a column of their own."""
    words = {name.lower(): value for name, value in row.items()}
    stored = words.get("stored_hex") or str(words.get("password") or "").encode("ascii", "replace").hex().upper()
    attributes = json.loads(words.get("user_attributes") or "{}")
    locking = attributes.get("Password_locking") or {}
    reuse = (words.get("password_reuse_history"), words.get("password_reuse_time"))
    metadata = attributes.get("metadata")
    options = _options(
        ((words.get("plugin") or _NATIVE, stored),),
        (words["ssl_type"] or "", *(str(words[name] or "") for name in ("ssl_cipher", "x509_issuer", "x509_subject"))),
        words,
        second=str(attributes.get("additional_password") or "").encode().hex().upper() or None,
        lifetime=words.get("password_lifetime"),
        reuse=reuse if reuse != (None, None) else None,
        current=words.get("password_require_current"),
        failures=(locking.get("failed_login_attempts", 0), locking.get("password_lock_time_days", 0)) if locking else None,
        attribute=json.dumps(metadata, sort_keys=True) if metadata else None,
        expired=words.get("password_expired") == "Y",
        locked=words.get("account_locked") == "Y",
    )
    role = not stored and bool(options.get("expired") and options.get("locked"))
    if role:
        options.update(ROLE_OPTIONS)
    default_role = words.get("default_role")
    return Account(
        words["user"],
        NO_HOST if words.get("is_role") == "Y" else words["host"],
        role or words.get("is_role") == "Y",
        {} if words.get("is_role") == "Y" else options,
        grants={GLOBAL: frozenset(_columns(row))},
        default_roles=frozenset([_role_key(default_role)] if default_role else ()),
        restrictions={item["Database"]: frozenset(map(_right, item["Privileges"])) for item in attributes.get("Restrictions") or ()},
        second_factor="multi_factor_authentication" in attributes,
    )


def _of_document(row: Row) -> Account:
    """Read a row of mysql.global_priv (MariaDB 10.4 and later)."""
    document = json.loads(row["document"])
    role = bool(document.get("is_role"))
    # In auth_or the empty element stands for what is written beside it.
    ways = [way or document for way in document.get("auth_or") or [document]]
    lifetime = document.get("password_lifetime", -1)
    options = _options(
        ((way.get("plugin") or _NATIVE, str(way.get("authentication_string") or "").encode("utf-8", "surrogatepass").hex().upper()) for way in ways),
        (_TLS[document.get("ssl_type", 0)], *(document.get(name, "") for name in ("ssl_cipher", "x509_issuer", "x509_subject"))),
        document,
        lifetime=lifetime if lifetime >= 0 else None,
        expired=document.get("password_last_changed") == 0,
        locked=bool(document.get("account_locked")),
    )
    access = int(document.get("access", 0))
    names = {name for bit, name in enumerate(_BITS) if access >> bit & 1}
    if "BINLOG MONITOR" in names and int(document.get("version_id", 0)) < _SPLIT_SINCE:
        names = names - {"BINLOG MONITOR"} | {"REPLICATION CLIENT"}
    default_role = document.get("default_role")
    return Account(
        row["User"],
        NO_HOST if role else row["Host"],
        role,
        {} if role else options,
        grants={GLOBAL: frozenset(map(Right, names))},
        default_roles=frozenset([_role_key(default_role)] if default_role else ()),
    )


def _rows(server: Server, table: str, statement: str) -> list[Row]:
    step = "read the accounts"
    try:
        return server.connection.rows(statement, step=step)
    except StatementError as error:
        if error.code not in _DENIED:
            raise
        raise StatementError(
            f"{server.connection.login.user} may not read {table}: {error.message}",
            server=server.label,
            step=step,
            code=error.code,
            hint=f"GRANT SELECT ON mysql.* TO {quote_account(server.connection.login.user, '%')}, with the host part that it has",
        ) from None


def read_accounts(server: Server) -> dict[Key, Account]:
    """Return every account of a server, by name.

    :raises StatementError: the login may not read the tables in which they are
    """
    tables = {name: _rows(server, name, statement) for name, statement in server.dialect.account_tables}
    parse = _of_document if "mysql.global_priv" in tables else _of_columns
    accounts = [parse(row) for row in tables.get("mysql.global_priv", tables.get("mysql.user", []))]
    grants: _Found = defaultdict(lambda: defaultdict(set))
    for account in accounts:
        grants[account.key][GLOBAL] |= account.rights(GLOBAL)
    names = {account.key for account in accounts}

    def of(row: Row) -> Key:
        """Return whom a row is about. What is granted to a role of MariaDB stands there with an empty host."""
        key = _key(row)
        return key if key in names or _role_key(key[0]) not in names else _role_key(key[0])

    literal = server.on("partial_revokes")
    for row in tables["mysql.db"]:
        # With partial revokes there are no wildcards in the names of schemas.
        schema = as_pattern(row["Db"]) if literal else row["Db"]
        grants[of(row)][Scope(SCHEMA, schema)] |= _columns(row)
    for row in tables["mysql.tables_priv"]:
        grants[of(row)][Scope(TABLE, row["Db"], row["Table_name"])] |= {Right(name) for name in _set(row["Table_priv"])}
    for row in tables["mysql.columns_priv"]:
        scope = Scope(TABLE, row["Db"], row["Table_name"])
        grants[of(row)][scope] |= {Right(name, row["Column_name"]) for name in _set(row["Column_priv"])}
    for row in tables["mysql.procs_priv"]:
        scope = Scope(row["Routine_type"], row["Db"], row["Routine_name"])
        grants[of(row)][scope] |= {Right(name) for name in _set(row["Proc_priv"])}
    for row in tables.get("mysql.global_grants", ()):
        right = Right(row["PRIV"].upper(), grantable=row["WITH_GRANT_OPTION"] == "Y")
        grants[_key(row, "USER", "HOST")][GLOBAL].add(right)
    roles: defaultdict[Key, dict[Key, bool]] = defaultdict(dict)
    for row in tables.get("mysql.role_edges", ()):
        roles[_key(row, "TO_USER", "TO_HOST")][_key(row, "FROM_USER", "FROM_HOST")] = row["WITH_ADMIN_OPTION"] == "Y"
    for row in tables.get("mysql.roles_mapping", ()):
        roles[of(row)][_role_key(row["Role"])] = row["Admin_option"] == "Y"
    defaults: defaultdict[Key, set[Key]] = defaultdict(set)
    for row in tables.get("mysql.default_roles", ()):
        defaults[_key(row, "USER", "HOST")].add(_key(row, "DEFAULT_ROLE_USER", "DEFAULT_ROLE_HOST"))
    proxies: defaultdict[Key, list[str]] = defaultdict(list)
    for row in tables["mysql.proxies_priv"]:
        proxies[_key(row)].append(quote_account(row["Proxied_user"], row["Proxied_host"]))
    return {
        account.key: replace(
            account,
            grants={scope: frozenset(rights) for scope, rights in grants[account.key].items() if rights},
            roles=dict(roles[account.key]),
            default_roles=account.default_roles | defaults[account.key],
            proxies=tuple(sorted(proxies[account.key])),
        )
        for account in accounts
    }


def read_missing(server: Server, wanted: t.Iterable[tuple[Scope, str]]) -> frozenset[tuple[Scope, str]]:
    """Return which of these tables, columns and routines the server does not have, in three statements at most.

    :param wanted: each a scope and a column of it; an empty one is the object itself
    """
    wanted = set(wanted)
    tables = {item for item in wanted if item[0].kind == TABLE}
    columns = {item for item in tables if item[1]}
    found: set[tuple[str, str, str, str]] = set()

    def look(items: t.Collection[tuple[Scope, str]], statement: str, named: bool) -> None:
        if not items:
            return
        schemas = sorted({scope.schema for scope, _column in items})
        names = sorted({scope.name for scope, _column in items}) if named else []
        text = statement.format(schemas=", ".join(["%s"] * len(schemas)), names=", ".join(["%s"] * len(names)))
        rows = server.connection.rows(text, (*schemas, *names), step="look for what the grants are about", patience=300)
        found.update(tuple(str(value).lower() for value in row.values()) for row in rows)

    look(
        tables,
        "SELECT 'table' AS kind, TABLE_SCHEMA AS place, TABLE_NAME AS name, '' AS part FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({schemas})",
        False,
    )
    look(
        columns,
        "SELECT 'table' AS kind, TABLE_SCHEMA AS place, TABLE_NAME AS name, COLUMN_NAME AS part FROM information_schema.COLUMNS"
        " WHERE TABLE_SCHEMA IN ({schemas}) AND TABLE_NAME IN ({names})",
        True,
    )
    look(
        wanted - tables,
        "SELECT ROUTINE_TYPE AS kind, ROUTINE_SCHEMA AS place, ROUTINE_NAME AS name, '' AS part FROM information_schema.ROUTINES"
        " WHERE ROUTINE_SCHEMA IN ({schemas})",
        False,
    )
    return frozenset((scope, column) for scope, column in wanted if (scope.kind.lower(), scope.schema.lower(), scope.name.lower(), column.lower()) not in found)
