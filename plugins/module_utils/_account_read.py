# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Reads the replication account from the source: its hash, its rights, and who is attached with it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ._account import Account, AccountState, Desired, Grant, account_mariadb, account_mysql, parse_grant
from ._account_plan import login_changes
from ._connection import Row
from ._errors import ConnectError, StatementError
from ._password_hash import NATIVE
from ._server import Server
from ._sql import quote_account

_DENIED = (1044, 1142, 1143, 1227)
_NO_SUCH_GRANT = 1141


def known_accounts(source: Server, user: str) -> list[Account]:
    """Read every account of a name, without its grants.

    :raises StatementError: the login may not read the accounts
    """
    parse = account_mariadb if "document" in source.dialect.accounts else account_mysql
    return [parse(row) for row in _read_rows(source, user)]


def _read_rows(source: Server, user: str) -> list[Row]:
    try:
        return source.connection.rows(source.dialect.accounts, (user,), step="read the replication account")
    except StatementError as error:
        if error.code not in _DENIED:
            raise
        table = "mysql.global_priv" if "global_priv" in source.dialect.accounts else "mysql.user"
        raise StatementError(
            f"{source.connection.login.user} may not read {table}, where the stored hash is: {error.message}",
            server=source.label,
            step="read the replication account",
            code=error.code,
            hint=f"GRANT SELECT ON {table} TO {quote_account(source.connection.login.user, '%')}, with the host part that it has",
        ) from None


def _read_grants(source: Server, account: Account) -> tuple[Grant, ...] | None:
    step = "read the replication account's rights"
    try:
        rows = source.connection.rows("SHOW GRANTS FOR %s@%s", (account.user, account.host), step=step)
    except StatementError as error:
        if error.code == _NO_SUCH_GRANT:  # it went away between two reads
            return ()
        raise
    grants = [parse_grant(str(next(iter(row.values())))) for row in rows]
    if None in grants:
        return None
    found = [grant for grant in grants if grant and (grant.names or grant.grantable)]
    if not any(grant.on == "*.*" and grant.names[:1] in (("ALL PRIVILEGES",), ("ALL",)) for grant in found):
        return tuple(found)
    # All but one cannot be revoked as "all": the one would be gone for a moment, and a reconnect in it would fail.
    rows = source.connection.rows(
        "SELECT PRIVILEGE_TYPE AS name FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = %s",
        ("'" + account.user + "'@'" + account.host + "'",),
        step=step,
    )
    names = tuple(sorted(row["name"] for row in rows if row["name"] != "USAGE"))
    return tuple(
        Grant("privilege", names, "*.*", grant.grantable)
        if grant.on == "*.*" and grant.names[0].startswith("ALL")
        else grant
        for grant in found
    )


def _all_sessions_seen(source: Server) -> bool:
    """Tell whether other accounts' sessions are shown to us; this table asks for the same right, and says so."""
    try:
        source.connection.value(
            "SELECT COUNT(*) FROM information_schema.INNODB_TRX", step="see if all sessions are shown"
        )
    except StatementError as error:
        if error.code in _DENIED:
            return False
        raise
    return True


def _sessions_tls(source: Server, sessions: t.Sequence[Row]) -> bool | None:
    """Tell whether all of these sessions use TLS; None where the server does not say."""
    try:
        rows = source.connection.rows(
            "SELECT PROCESSLIST_ID AS id, CONNECTION_TYPE AS type FROM performance_schema.threads WHERE PROCESSLIST_COMMAND LIKE 'Binlog Dump%'",
            step="see which replicas use TLS",
        )
    except StatementError:
        return None
    types = {row["id"]: row["type"] for row in rows}
    known = [types.get(session["id"]) for session in sessions]
    return None if None in known else all(kind == "SSL/TLS" for kind in known)


def _native_active(source: Server) -> bool:
    status = source.connection.value(
        "SELECT PLUGIN_STATUS FROM information_schema.PLUGINS WHERE PLUGIN_NAME = %s",
        (NATIVE,),
        step="see which plugins are active",
    )
    return status == "ACTIVE"


def _login_probe(source: Server, desired: Desired) -> bool | None:
    """Log in as the account. Only success proves something: from here another account of the name may be the one that answers."""
    ours = source.connection.login
    tls = "required" if ours.tls == "preferred" and source.connection.tls else ours.tls
    try:
        server = Server.open(replace(ours, user=desired.user, password=desired.password, tls=tls))
    except ConnectError:
        return None
    try:
        who = server.connection.value("SELECT CURRENT_USER()", step="see who the login is")
    finally:
        server.close()
    return True if str(who).lower() == f"{desired.user}@{desired.host}".lower() else None


def read_account(source: Server, desired: Desired) -> AccountState:
    """Read the account, who uses it, and whatever else the decision depends on: three statements if all is well.

    :raises StatementError: the login may not read the accounts
    """
    found = known_accounts(source, desired.user)
    # Roles of MariaDB are rows without a host part.
    account = next((item for item in found if item.host.lower() == desired.host.lower()), None)
    others = tuple(sorted(item.host for item in found if item.host and item.host.lower() != desired.host.lower()))
    sessions = source.attached_replicas()
    attached = tuple(session for session in sessions if session["user"] == desired.user)
    if account:
        account = replace(account, grants=_read_grants(source, account))
        if desired.present and account.matches(desired.password) is None:
            account = replace(account, proven=_login_probe(source, desired))
    state = AccountState(
        dialect=source.dialect,
        mariadb=source.is_mariadb,
        account=account,
        hosts=others,
        attached=attached,
        replicas=len(sessions),
        native_active=_native_active(source) if source.dialect.native_optional else True,
        mandatory_roles=tuple(
            role.strip() for role in source.variables.get("mandatory_roles", "").split(",") if role.strip()
        ),
    )
    if not account or not login_changes(state, desired):
        return state
    return replace(
        state,
        all_seen=bool(attached) or _all_sessions_seen(source),
        attached_tls=_sessions_tls(source, attached) if attached else None,
    )
