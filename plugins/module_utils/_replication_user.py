# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The account on the source that a replica logs in with: exists, with the right hash and TLS demand, and one right.

What an attached replica needs to log in again is never changed under it: its session outlives such a change, and the
link would break days later, at the next reconnect.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field

from . import _password_hash
from ._connection import Login, Row
from ._dialect import Dialect
from ._errors import ConnectError, InputError, Refused, StatementError
from ._model import Finding, Plan, Step
from ._password_hash import CACHING_SHA2, NATIVE, verifies
from ._run import Capability, Context
from ._server import Server
from ._sql import quote_account
from ._state import SOURCE_LOCK, lock

# What CHANGE REPLICATION SOURCE takes; some versions accept more there, and then never log in.
LONGEST_PASSWORD = 32
AUTO = "auto"

_DENIED = (1044, 1142, 1143, 1227)
_NOT_AUTHORISED = 1045
_NO_SUCH_GRANT = 1141
_HASH_NOT_TAKEN = 1290
_NOT_YOURS_TO_GIVE = 1698


@dataclass(frozen=True)
class Desired:
    """What the account should be.

    :param plugin: ``auto`` keeps a plugin that a link can use
    :param require_tls: the account demands TLS, as a link with a CA offers it
    """

    user: str
    host: str
    password: str = field(repr=False, default="")
    require_tls: bool = False
    plugin: str = AUTO
    present: bool = True

    @property
    def label(self) -> str:
        return quote_account(self.user, self.host)


@dataclass(frozen=True)
class Grant:
    """One line of SHOW GRANTS.

    :param kind: ``privilege``, ``role``, ``proxy`` or ``default_role``
    :param names: privileges, or roles, as the server quotes them
    :param on: the object, as the server quotes it; for a proxy the other account
    :param grantable: WITH GRANT OPTION
    """

    kind: str
    names: tuple[str, ...]
    on: str = ""
    grantable: bool = False

    def __str__(self) -> str:
        names = self.names + (("GRANT OPTION",) if self.grantable else ())
        if self.kind == "default_role":
            return f"DEFAULT ROLE {names[0]}"
        text = ", ".join(names)
        return f"{text} ON {self.on}" if self.on else text


@dataclass(frozen=True)
class Account:
    """An account as the server has it.

    :param methods: (plugin, stored hash in hex) of every way to log in; MariaDB has several
    :param tls: ``none``, ``any`` or ``specific`` (a certificate is demanded)
    :param grants: None if a line was not understood
    :param proven: the password logged in, where the stored value is of no known form
    """

    user: str
    host: str
    methods: tuple[tuple[str, str], ...] = field(repr=False, default=())
    tls: str = "none"
    locked: bool = False
    expired: bool = False
    grants: tuple[Grant, ...] | None = ()
    proven: bool | None = None

    def matches(self, password: str, plugin: str | None = None) -> bool | None:
        """Tell whether the password opens the account, by the plugin or by any; None where that cannot be told."""
        answers = [verifies(password, name, stored) for name, stored in self.methods if plugin in (None, name)]
        if any(answers):
            return True
        return self.proven if None in answers else False


@dataclass(frozen=True)
class AccountState:
    """Everything the decision needs, read from the source.

    :param account: None if there is none with this host part
    :param hosts: host parts of other accounts of the same name
    :param attached: sessions of replicas under this name: address and seconds; all replicas count in ``replicas``
    :param all_seen: False if other people's sessions are hidden from us, None if nothing depends on it
    :param attached_tls: whether every one of them uses TLS; None is unknown, or of no matter
    :param native_active: mysql_native_password is to be had
    :param mandatory_roles: roles that every account has, and none can lose
    """

    dialect: Dialect
    mariadb: bool
    account: Account | None = None
    hosts: tuple[str, ...] = ()
    attached: tuple[Row, ...] = ()
    replicas: int = 0
    all_seen: bool | None = None
    attached_tls: bool | None = None
    native_active: bool = True
    mandatory_roles: tuple[str, ...] = ()


# Reading: what the server prints


_NAME = r"(?:`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'|[^\s`'\".,()@]+)"
_ACCOUNT = rf"{_NAME}(?:@{_NAME})?"
_PRIVILEGE = rf"[A-Za-z_][A-Za-z_ ]*?(?: \({_NAME}(?:, {_NAME})*\))?"
_OBJECT = rf"(?:(?:TABLE|FUNCTION|PROCEDURE|PACKAGE BODY|PACKAGE) )?{_NAME}\.{_NAME}"
_LINES = (
    (
        "proxy",
        re.compile(rf"GRANT (?P<names>PROXY) ON (?P<on>{_ACCOUNT}) TO (?P<to>{_ACCOUNT})(?P<tail>.*)", re.DOTALL),
    ),
    (
        "privilege",
        re.compile(
            rf"GRANT (?P<names>{_PRIVILEGE}(?:, ?{_PRIVILEGE})*) ON (?P<on>{_OBJECT}) TO (?P<to>{_ACCOUNT})(?P<tail>.*)",
            re.DOTALL,
        ),
    ),
    (
        "role",
        re.compile(rf"GRANT (?P<names>{_ACCOUNT}(?:, ?{_ACCOUNT})*) TO (?P<to>{_ACCOUNT})(?P<tail>.*)", re.DOTALL),
    ),
    (
        "default_role",
        re.compile(rf"SET DEFAULT ROLE (?P<names>{_ACCOUNT}) FOR (?P<to>{_ACCOUNT})(?P<tail>)", re.DOTALL),
    ),
)
_ITEMS = {"privilege": re.compile(_PRIVILEGE + r"(?=, ?|$)"), "role": re.compile(_ACCOUNT)}
_QUOTED = re.compile(r"`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'")


def parse_grant(line: str) -> Grant | None:
    """Return one line of SHOW GRANTS as a value; None for one that is not understood.

    A partial revoke takes away from what other lines give, and goes with them: it counts as nothing.
    """
    if line.startswith("REVOKE "):
        return Grant("privilege", ())
    for kind, pattern in _LINES:
        found = pattern.fullmatch(line)
        if not found:
            continue
        items = _ITEMS.get(kind)
        names = tuple(items.findall(found["names"])) if items else (found["names"],)
        if kind == "privilege":
            names = tuple(name.strip().upper() if "(" not in name else name.strip() for name in names)
        grantable = "WITH" in (tail := _QUOTED.sub("", found["tail"])) and (
            "GRANT OPTION" in tail or "ADMIN OPTION" in tail
        )
        return Grant(
            kind, tuple(name for name in names if name != "USAGE"), found.groupdict().get("on") or "", grantable
        )
    return None


def _account_mysql(row: Row) -> Account:
    """Read a row of mysql.user of any version; 5.6 keeps native hashes in a column of their own."""
    words = {key.lower(): value for key, value in row.items()}
    stored = words.get("stored_hex") or str(words.get("password") or "").encode("ascii", "replace").hex()
    tls = {"": "none", "ANY": "any"}.get(str(words.get("ssl_type") or ""), "specific")
    return Account(
        user=words["user"],
        host=words["host"],
        methods=((words.get("plugin") or NATIVE, stored),),
        tls=tls,
        locked=words.get("account_locked") == "Y",
        expired=words.get("password_expired") == "Y",
    )


def _account_mariadb(row: Row) -> Account:
    """Read a row of mysql.global_priv (MariaDB 10.4 and later)."""
    document = json.loads(row["document"])
    # In auth_or the empty element stands for what is written beside it.
    ways = [way or document for way in document.get("auth_or") or [document]]
    return Account(
        user=row["User"],
        host=row["Host"],
        methods=tuple(
            (
                way.get("plugin") or NATIVE,
                str(way.get("authentication_string") or "").encode("utf-8", "surrogatepass").hex(),
            )
            for way in ways
        ),
        tls={0: "none", 1: "any"}.get(document.get("ssl_type", 0), "specific"),
        locked=bool(document.get("account_locked")),
        expired=document.get("password_last_changed") == 0,
    )


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
    login = Login(
        side="source",
        host=ours.host,
        port=ours.port,
        user=desired.user,
        password=desired.password,
        tls=tls,
        ca=ours.ca,
        connect_timeout=ours.connect_timeout,
        read_timeout=ours.read_timeout,
        write_timeout=ours.write_timeout,
    )
    try:
        server = Server.open(login)
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
    parse = _account_mariadb if "document" in source.dialect.accounts else _account_mysql
    found = [parse(row) for row in _read_rows(source, desired.user)]
    # Roles of MariaDB are rows without a host part.
    account = next((item for item in found if item.host.lower() == desired.host.lower()), None)
    others = tuple(sorted(item.host for item in found if item.host and item.host.lower() != desired.host.lower()))
    sessions = source.attached_replicas()
    attached = tuple(session for session in sessions if session["user"] == desired.user)
    changes: dict[str, t.Any] = {}
    if account:
        changes = {"grants": _read_grants(source, account)}
        if desired.present and account.matches(desired.password) is None:
            changes["proven"] = _login_probe(source, desired)
        account = Account(**{**account.__dict__, **changes})
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
    if not account or not _login_changes(state, desired):
        return state
    return AccountState(
        **{
            **state.__dict__,
            "all_seen": bool(attached) or _all_sessions_seen(source),
            "attached_tls": _sessions_tls(source, attached) if attached and desired.require_tls else None,
        }
    )


# Deciding


def validate(desired: Desired) -> None:
    """Refuse what cannot be meant, before any server is asked.

    :raises InputError: an empty or too long password or an empty name
    """
    if not desired.user:
        raise InputError("the replication account has no name", hint="set datain_replication_user")
    if not desired.host:
        raise InputError(
            "the replication account has no host part", hint="set datain_replication_host, '%' for every address"
        )
    if not desired.present:
        return
    if not desired.password:
        raise InputError("the replication account has no password", hint="set datain_replication_password")
    length = len(desired.password.encode("utf-8"))
    if length > LONGEST_PASSWORD:
        raise InputError(
            f"the replication account's password has {length} bytes; a replica takes {LONGEST_PASSWORD} at most",
            hint=f"set datain_replication_password to one of at most {LONGEST_PASSWORD} characters",
        )


def plugin_for(state: AccountState, desired: Desired) -> str:
    """Return the plugin that the account should have.

    A link cannot ask for the source's public key, so without TLS caching_sha2_password does not let a replica in (2061).
    """
    if desired.plugin != AUTO:
        return desired.plugin
    tls = desired.require_tls or bool(state.attached)
    current = [name for name, _stored in state.account.methods] if state.account else []
    usable = {NATIVE: state.native_active, CACHING_SHA2: tls and not state.mariadb}
    if len(current) == 1 and (
        usable.get(current[0]) or (current[0] not in usable and state.account and state.account.proven)
    ):
        return current[0]
    return state.dialect.tls_plugin if desired.require_tls else NATIVE


def extras(state: AccountState) -> tuple[Grant, ...]:
    """Return what the account may do beyond what replication needs, in an order in which it can be taken away."""
    found: list[Grant] = []
    mandatory = {_plain_account(role) for role in state.mandatory_roles}
    for grant in (state.account.grants or ()) if state.account else ():
        needed = (state.dialect.replication_privilege,) if grant.kind == "privilege" and grant.on == "*.*" else ()
        names = tuple(
            name
            for name in grant.names
            if name not in needed and not (grant.kind == "role" and _plain_account(name) in mandatory)
        )
        # With a dynamic privilege of MySQL, told by its underscore, goes its grant option; naming both takes neither away.
        dynamic = not state.mariadb and grant.on == "*.*" and any("_" in name for name in names)
        grantable = grant.grantable and grant.kind == "privilege" and not dynamic
        if grantable and names[:1] and names[0].startswith("ALL"):
            # "ALL PRIVILEGES, GRANT OPTION" with an object is not a sentence of the grammar.
            found.append(Grant(grant.kind, (), grant.on, True))
            grantable = False
        if names or grantable:
            found.append(Grant(grant.kind, names, grant.on, grantable))
    order = ("default_role", "role", "privilege", "proxy")
    # After a REVOKE with GRANT OPTION, MySQL 8.0.33 does nothing at all when the session next revokes a dynamic privilege.
    return tuple(sorted(found, key=lambda grant: (order.index(grant.kind), grant.grantable)))


def _plain_account(text: str) -> str:
    name, _at, host = re.sub(r"[`'\"\s]", "", text).partition("@")
    return f"{name}@{host or '%'}"


def _has_privilege(state: AccountState) -> bool:
    grants = (state.account.grants or ()) if state.account else ()
    return any(
        grant.kind == "privilege" and grant.on == "*.*" and state.dialect.replication_privilege in grant.names
        for grant in grants
    )


def _login_changes(state: AccountState, desired: Desired) -> list[Step]:
    """Return what would have to change in how the account is logged in to."""
    account = state.account
    if account is None:
        return []
    if not desired.present:
        return [Step("drop_account", desired.label, "the account should be absent")]
    steps = []
    plugin = plugin_for(state, desired)
    current = [name for name, _stored in account.methods]
    if current != [plugin]:
        steps.append(Step("set_plugin", desired.label, f"logs in by {' or '.join(current)}, should by {plugin}"))
    elif account.matches(desired.password) is not True:
        known = account.matches(desired.password) is False
        steps.append(
            Step("set_password", desired.label, "the password differs" if known else "the password cannot be proven")
        )
    elif account.expired:
        steps.append(Step("set_password", desired.label, "the password has expired"))
    if desired.require_tls and account.tls == "none":
        steps.append(Step("require_tls", desired.label, "TLS should be demanded"))
    elif account.tls == "specific" or (account.tls != "none" and not desired.require_tls):
        wanted = "TLS" if desired.require_tls else "no TLS"
        steps.append(Step("relax_tls", desired.label, f"more is demanded than {wanted}"))
    if account.locked:
        steps.append(Step("unlock_account", desired.label, "the account is locked"))
    return steps


def _endangers(state: AccountState, desired: Desired, step: Step) -> str | None:
    """Tell why a replica that is attached now could not log in again after this step, or None."""
    account = state.account
    if account is None or step.action in ("relax_tls", "unlock_account"):
        return None
    if step.action == "drop_account":
        return "a replica is attached with it"
    if step.action == "require_tls":
        return None if state.attached_tls else "a replica is attached that is not known to use TLS"
    if account.matches(desired.password) is not True:
        return (
            "a replica is attached with another password"
            if account.matches(desired.password) is False
            else "a replica is attached with it"
        )
    if step.action == "set_plugin" and plugin_for(state, desired) != NATIVE and not state.attached_tls:
        return "a replica is attached that is not known to use TLS, which the new plugin needs"
    return None


_REFUSED_HINTS = {
    "drop_account": "unlink the replica first (datain_state: absent), then remove the account; the source sees a session that has gone"
    " only when it sends the next event, so after that wait for a write, or KILL it",
    "require_tls": "give the link a CA (datain_link_ca) and let it reconnect, or demand no TLS",
}
_OTHER_NAME = "use a second account (another datain_replication_user) for the new password, or stop the replica's link while this one is changed"


def _impossible(state: AccountState, desired: Desired) -> tuple[str, str] | None:
    """Tell what this server can never do, with the remedy."""
    dialect = state.dialect
    plugin = plugin_for(state, desired)
    if len(desired.user) > dialect.account_name:
        return (
            f"the name {desired.user} is longer than the {dialect.account_name} characters this server takes",
            "choose a shorter datain_replication_user",
        )
    if not desired.present:
        return None
    if state.mariadb and plugin == CACHING_SHA2:
        return "MariaDB has no caching_sha2_password that a replica could log in with", "leave the plugin to auto"
    if plugin == CACHING_SHA2 and dialect.tls_plugin != CACHING_SHA2:
        return "this version of MySQL has no caching_sha2_password", "leave the plugin to auto"
    if plugin == NATIVE and not state.native_active:
        return (
            "mysql_native_password is not active on this server, and without TLS a replica cannot log in by another plugin",
            "set datain_link_ca, so that the link uses TLS, or switch the plugin on (mysql_native_password=ON in the option file)",
        )
    if state.account and state.account.grants is None:
        return (
            "a line of SHOW GRANTS for the account was not understood",
            f"look at SHOW GRANTS FOR {desired.label} and revoke by hand what is more than needed",
        )
    return None


def account_result(state: AccountState, desired: Desired) -> dict[str, t.Any]:
    """Return the account in our own keys; every key is always there, null where there is no account."""
    account = state.account
    answer = account.matches(desired.password) if account and desired.password else None
    return {
        "user": desired.user,
        "host": desired.host,
        "present": account is not None,
        "plugin": " or ".join(name for name, _stored in account.methods) if account else None,
        "require_tls": account.tls != "none" if account else None,
        "grants": [str(grant) for grant in account.grants] if account and account.grants is not None else None,
        "password": {True: "matches", False: "differs", None: "unknown"}[answer] if account else None,
        "locked": account.locked if account else None,
        "attached": [str(session["host"]).rpartition(":")[0] or str(session["host"]) for session in state.attached],
    }


def _after(state: AccountState, desired: Desired, before: dict[str, t.Any], changed: bool) -> dict[str, t.Any]:
    if not desired.present:
        return {**before, **dict.fromkeys(("plugin", "require_tls", "grants", "password", "locked")), "present": False}
    if not changed:
        return before
    return {
        **before,
        "present": True,
        "plugin": plugin_for(state, desired),
        "require_tls": desired.require_tls,
        "grants": [f"{state.dialect.replication_privilege} ON *.*"],
        "password": "matches",
        "locked": False,
    }


def specificity(host: str) -> tuple[int, int]:
    """Order host parts as the server does: a name or address first, then by how far in the first wildcard stands."""
    places = [host.find(mark) for mark in "%_" if mark in host]
    return (1, min(places)) if places else (2, len(host))


def _finding(
    rule: str, summary: str, seen: str | None = None, remedy: str | None = None, objects: tuple[str, ...] = ()
) -> Finding:
    return Finding(
        rule,
        "source",
        "failed",
        "warning",
        summary,
        seen=seen,
        remedy=remedy,
        objects=objects,
        object_count=len(objects),
    )


def _findings(state: AccountState, desired: Desired, changed: bool) -> tuple[Finding, ...]:
    found = []
    mine = specificity(desired.host)
    shadows = tuple(quote_account(desired.user, host) for host in state.hosts if specificity(host) > mine)
    if shadows and desired.present:
        found.append(
            _finding(
                "account.shadowed",
                f"a replica whose address fits a more specific host part logs in to {', '.join(shadows)} and not to {desired.label}",
                remedy=f"DROP USER {shadows[0]}, or set datain_replication_host to its host part",
                objects=shadows,
            )
        )
    if changed and state.replicas:
        found.append(
            _finding(
                "account.replicated",
                "account statements reach the replicas that are attached: one that lacks the filter mysql.% gets the account too",
                seen=f"{state.replicas} attached",
            )
        )
    if changed and desired.present and not desired.require_tls and plugin_for(state, desired) == CACHING_SHA2:
        found.append(
            _finding(
                "account.needs_tls",
                "by caching_sha2_password a replica can log in over TLS only",
                remedy="set datain_link_ca",
            )
        )
    return tuple(found)


def plan_account(state: AccountState, desired: Desired) -> Plan:
    """Decide what to do about the account. Pure.

    A refusal covers the whole plan: an account is not left half changed.
    """
    before = account_result(state, desired)
    steps: list[Step] = []
    logins = _login_changes(state, desired)
    if state.account is None and desired.present:
        steps.append(Step("create_account", desired.label, f"it does not exist; {plugin_for(state, desired)}"))
    steps += logins
    if desired.present:
        if not _has_privilege(state):
            steps.append(Step("grant", desired.label, f"{state.dialect.replication_privilege} ON *.*"))
        steps += [Step("revoke", desired.label, str(grant)) for grant in extras(state)]
    after = _after(state, desired, before, bool(steps))
    refused = _refusal(state, desired, logins, bool(steps))
    if refused:
        return Plan((), before, before, refusal=refused[0], hint=refused[1], findings=_findings(state, desired, False))
    return Plan(tuple(steps), before, after, findings=_findings(state, desired, bool(steps)))


def _refusal(state: AccountState, desired: Desired, logins: t.Sequence[Step], changed: bool) -> tuple[str, str] | None:
    impossible = _impossible(state, desired)
    if impossible:
        return impossible
    if changed and not state.dialect.restrict_tls:
        return (
            "this version has no ALTER USER, so the account cannot be managed here",
            "make the account by hand, with REPLICATION SLAVE ON *.*",
        )
    if not state.attached and state.all_seen is not False:
        return None
    for step in logins:
        danger = _endangers(state, desired, step)
        if not danger:
            continue
        what = f"{step.action} of {desired.label}"
        if not state.attached:
            return (
                f"{what} could break a running link, and other accounts' sessions are hidden from the login",
                "GRANT PROCESS ON *.* to the login",
            )
        return f"{what} would break a running link at its next reconnect: {danger}", _REFUSED_HINTS.get(
            step.action, _OTHER_NAME
        )
    return None


# Doing


def _revoke(source: Server, desired: Desired, grant: Grant) -> None:
    step = "revoke what replication does not need"
    who = (desired.user, desired.host)
    begin, end = source.dialect.revoke
    run = source.connection.execute
    if grant.kind == "default_role":
        run("SET DEFAULT ROLE NONE FOR %s@%s", who, step=step)
        return
    # Names of privileges and objects are the server's own words, quoted by it, and cannot be bound.
    names = grant.names + (("GRANT OPTION",) if grant.grantable else ())
    subject = ", ".join(names).replace("%", "%%")
    place = f" ON {grant.on}".replace("%", "%%") if grant.on else ""
    try:
        run(f"{begin} {subject}{place} FROM %s@%s{end}", who, step=step)
    except StatementError as error:
        if error.code == _NOT_YOURS_TO_GIVE:
            who_may = (
                "may grant proxies, as root@localhost may"
                if grant.kind == "proxy"
                else "has the role WITH ADMIN OPTION"
            )
            error.hint = f"REVOKE {grant} FROM {desired.label}, as an administrator who {who_may}"
        raise


def apply_account(source: Server, state: AccountState, desired: Desired, plan: Plan) -> None:
    """Do what was planned: at most one CREATE or ALTER, one GRANT, and a REVOKE for each line too many.

    Each statement can be repeated, and does no harm on an attached replica that lacks the account.
    """
    actions = {step.action for step in plan.steps}
    who = (desired.user, desired.host)
    run = source.connection.execute
    if "drop_account" in actions:
        run("DROP USER IF EXISTS %s@%s", who, step="remove the replication account")
        return
    plugin = plugin_for(state, desired)
    tls = "REQUIRE SSL" if desired.require_tls else "REQUIRE NONE"
    try:
        if actions & {"create_account", "grant"} and plugin in (NATIVE, CACHING_SHA2):
            # Also where only the grant is missing: on a replica that lacks the account a bare GRANT would make one without a
            # password, or stop the applier.
            stored = _password_hash.stored_for(plugin, desired.password)
            identified = source.dialect.identified.format(plugin=plugin)
            run(
                f"CREATE USER IF NOT EXISTS %s@%s {identified} {tls}",
                (*who, stored),
                step="create the replication account",
            )
        clauses: list[str] = []
        values: list[str] = list(who)
        if actions & {"set_plugin", "set_password"}:
            clauses.append(source.dialect.identified.format(plugin=plugin))
            values.append(_password_hash.stored_for(plugin, desired.password))
        if actions & {"require_tls", "relax_tls"}:
            clauses.append(tls)
        if "unlock_account" in actions:
            clauses.append("ACCOUNT UNLOCK")
        if clauses:
            run(f"ALTER USER IF EXISTS %s@%s {' '.join(clauses)}", values, step="change the replication account")
    except StatementError as error:
        if error.code == _HASH_NOT_TAKEN and source.on("strict_password_validation"):
            error.hint = "the server refuses hashes it cannot judge: SET GLOBAL strict_password_validation=OFF while the account is made"
        raise
    if "grant" in actions:
        run(f"GRANT {source.dialect.replication_privilege} ON *.* TO %s@%s", who, step="grant what replication needs")
    for grant in extras(state):
        _revoke(source, desired, grant)


def log_warnings(source: Server) -> list[str]:
    """Tell which of the server's own logs record the statements of a run."""
    found = source.recording_logs
    words = "the statements about the account are recorded there; they hold hashes, never a password"
    return [f"{source.label}: {' and '.join(found)}: {words}"] if found else []


def refuse(source: Server, plan: Plan, step: str, details: dict[str, t.Any]) -> None:
    """Raise what a plan refuses."""
    if plan.refusal:
        raise Refused(plan.refusal, server=source.label, step=step, hint=plan.hint, details=details)


def _run(context: Context) -> dict[str, t.Any]:
    options = context.parameters
    desired = Desired(
        user=options["name"],
        host=options["host"],
        password=options["password"] or "",
        require_tls=options["require_tls"],
        plugin=options["plugin"],
        present=options["state"] == "present",
    )
    validate(desired)
    source = context.source
    state = read_account(source, desired)
    plan = plan_account(state, desired)
    refuse(source, plan, "manage the replication account", {"account": plan.before})
    if plan.changed and not context.check_mode:
        with lock(source.connection, SOURCE_LOCK):
            state = read_account(source, desired)
            plan = plan_account(state, desired)
            refuse(source, plan, "manage the replication account", {"account": plan.before})
            if plan.changed:
                apply_account(source, state, desired, plan)
    context.warnings += [f"{source.label}: {finding.summary}" for finding in plan.findings]
    if plan.changed:
        context.warnings += log_warnings(source)
    return account_report(plan)


def account_report(plan: Plan) -> dict[str, t.Any]:
    """Return what the module returns, from the plan alone. Who is attached moves by itself, so no diff shows it."""

    def still(value: dict[str, t.Any]) -> dict[str, t.Any]:
        return {key: item for key, item in value.items() if key != "attached"}

    return {
        "changed": plan.changed,
        "account": plan.after,
        "actions": plan.actions(),
        "findings": [finding.to_result() for finding in plan.findings],
        "diff": {"before": still(plan.before), "after": still(plan.after)},
    }


ACCOUNT_OPTIONS: dict[str, t.Any] = {
    "host": {"type": "str", "default": "%"},
    "require_tls": {"type": "bool", "default": False},
    "plugin": {"type": "str", "choices": [AUTO, NATIVE, CACHING_SHA2], "default": AUTO},
}

CAPABILITY = Capability(
    name="replication_user",
    options={
        "name": {"type": "str", "required": True},
        "password": {"type": "str", "no_log": True},
        **ACCOUNT_OPTIONS,
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    },
    run=_run,
    side="source",
    rules={"required_if": [("state", "present", ("password",))]},
)
