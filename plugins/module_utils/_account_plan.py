# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What is to be done about the replication account. Pure.

What an attached replica needs to log in again is not changed under it, unless its link is to be made again in the same run: its
session outlives such a change, and the link would break days later, at the next reconnect.
"""

from __future__ import annotations

import re
import typing as t

from ._account import AUTO, AccountState, Desired, Grant
from ._errors import InputError
from ._model import Finding, Plan, Step
from ._password_hash import CACHING_SHA2, NATIVE
from ._sql import quote_account

# What CHANGE REPLICATION SOURCE takes; some versions accept more there, and then never log in.
LONGEST_PASSWORD = 32


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
    One that is attached without TLS proves that it can; one that is attached by TLS does not prove it for a link without.
    """
    if desired.plugin != AUTO:
        return desired.plugin
    tls = desired.require_tls or (bool(state.attached) and not state.attached_tls)
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


def login_changes(state: AccountState, desired: Desired) -> list[Step]:
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
    "require_tls": "run again with datain_relink=true, which makes every link again with its CA (datain_link_ca); or demand no TLS",
}
_OTHER_NAME = (
    "use a second account (another datain_replication_user) for the new password; or run again with datain_relink=true, which"
    " changes this one and makes every link of the inventory again"
)


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
    if dialect.plugin_fixed and state.account and [name for name, _stored in state.account.methods] != [plugin]:
        return (
            f"this version cannot change the plugin of an account, and a link cannot use that of {desired.label}",
            "choose another datain_replication_user, or drop the account",
        )
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
    if _dangers(state, desired) and desired.relink and changed:
        found.append(
            _finding(
                "account.relink",
                "attached replicas cannot log in again by what they have until their links are made again",
                seen=f"{len(state.attached)} attached",
                remedy="let this run go on to every replica; if it is cut off, run it again",
            )
        )
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
    if state.account and state.account.second and desired.present:
        found.append(
            _finding(
                "account.old_password",
                f"the password that {desired.label} had before still works",
                remedy=f"once no replica logs in with it: ALTER USER {desired.label} DISCARD OLD PASSWORD",
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
    logins = login_changes(state, desired)
    if state.account is None and desired.present:
        steps.append(Step("create_account", desired.label, f"it does not exist; {plugin_for(state, desired)}"))
    steps += logins
    if desired.present:
        if not _has_privilege(state):
            steps.append(Step("grant", desired.label, f"{state.dialect.replication_privilege} ON *.*"))
        steps += [Step("revoke", desired.label, str(grant)) for grant in extras(state)]
    after = _after(state, desired, before, bool(steps))
    refused = _refusal(state, desired)
    if refused:
        return Plan((), before, before, refusal=refused[0], hint=refused[1], findings=_findings(state, desired, False))
    return Plan(tuple(steps), before, after, findings=_findings(state, desired, bool(steps)))


def _dangers(state: AccountState, desired: Desired) -> list[tuple[str, str]]:
    """Return the steps after which a replica that is attached, or may be, could not log in again, each with the reason."""
    if not state.attached and state.all_seen is not False:
        return []
    found = [(step.action, _endangers(state, desired, step)) for step in login_changes(state, desired)]
    return [(action, danger) for action, danger in found if danger]


def _refusal(state: AccountState, desired: Desired) -> tuple[str, str] | None:
    impossible = _impossible(state, desired)
    if impossible:
        return impossible
    # An account that goes is no account that a link could be made with again.
    for action, danger in [] if desired.relink and desired.present else _dangers(state, desired):
        what = f"{action} of {desired.label}"
        if not state.attached:
            return (
                f"{what} could break a running link, and other accounts' sessions are hidden from the login",
                "GRANT PROCESS ON *.* to the login",
            )
        return f"{what} would break a running link at its next reconnect: {danger}", _REFUSED_HINTS.get(action, _OTHER_NAME)
    return None
