# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The accounts that the replica should have, as they are on the source: by hash, never knowing a password."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ._errors import InputError, Refused, StatementError
from ._model import Finding
from ._run import SOURCE_OPTION, Capability, Context
from ._server import Server
from ._services import SERVICES, Service
from ._sql import Redactor
from ._state import LINK_LOCK, lock
from ._sync_plan import Accounts, Change, SyncPlan, plan_accounts
from ._sync_read import read_accounts, read_missing
from ._sync_statements import Statement, statements
from ._sync_translate import Target
from ._sync_values import GLOBAL, GRANT_OPTION, Account, Key

_NO_AUTO_CREATE = "NO_AUTO_CREATE_USER"
_MOST_OBJECTS = 10
_COUNTS = {"created": "create", "changed": "change", "removed": "remove"}
_HINTS = {
    1044: "log in as an administrator that may grant this, or leave the account out of datain_accounts",
    1045: "log in as an administrator that may grant this, or leave the account out of datain_accounts",
    1290: "the replica refuses hashes that it cannot judge: set its strict_password_validation to OFF meanwhile",
    1396: "the account came or went while this ran: run again",
    3879: (
        "our own login has this right with a restriction, and then this version lets it take it from nobody: DROP USER {account} on the"
        " replica makes the next run make it anew"
    ),
}

# By the rule of a note: severity, what is so, and what mends it.
_RULES = {
    "accounts.account": ("warning", "accounts that cannot be carried", "make them on the replica by hand, or leave them out of datain_accounts"),
    "accounts.login": ("warning", "ways to log in that are left out; others of the account are carried", None),
    "accounts.part": ("warning", "parts of accounts that the replica's version does not have", None),
    "accounts.privilege": ("warning", "privileges that the replica does not offer, and that are left out", None),
    "accounts.pattern": ("warning", "grants on a pattern of schemas that became grants on the schemas of today", "run again when there are more"),
    "accounts.object": ("warning", "grants on objects that the replica does not have", "run again when the data is there"),
    "accounts.role": ("warning", "roles that their members do not get", None),
    "accounts.extra": ("warning", "rights that accounts have on the replica only", "take them away as the administrator that gave them"),
    "accounts.open": ("warning", "accounts without a password", "give them one on the source, or leave them out of datain_accounts"),
}


@dataclass(frozen=True)
class Surroundings:
    """What decides whether accounts may be written on the replica, beside the accounts.

    :param linked: there is a link
    :param filtered: what the source does to accounts does not reach the replica; None is unknown
    :param strict: MariaDB's gtid_strict_mode, with a binary log
    :param gtid: MySQL's gtid_mode
    """

    linked: bool = False
    filtered: bool | None = None
    strict: bool = False
    gtid: bool = False


# Reading


def _filtered(replica: Server, ignored: str | None) -> bool | None:
    """Tell whether the schema mysql is filtered out, from the one of three places that this server shows it in."""
    if ignored is None:
        ignored = replica.variables.get("replicate_wild_ignore_table")
    if ignored is None and replica.dialect.filters:
        rows = replica.connection.rows("SELECT " + replica.dialect.filters, step="read the replication filters")
        ignored = ",".join(str(row["filter"]) for row in rows)
    if ignored is None:
        return None
    return any(part.strip().replace("\\", "").lower() in ("mysql.%", "mysql.%%") for part in ignored.split(","))


def read_surroundings(replica: Server) -> Surroundings:
    channels = replica.channels()
    return Surroundings(
        linked=bool(channels),
        filtered=_filtered(replica, (channels[0].ignored_tables or "") if channels else None),
        strict=replica.is_mariadb and replica.on("gtid_strict_mode") and replica.on("log_bin"),
        gtid=replica.on("gtid_mode") and replica.on("log_bin"),
    )


def _own(replica: Server, accounts: Accounts) -> Account:
    """Return our own account on the replica, with what its default roles give to it."""
    name = str(replica.connection.value("SELECT CURRENT_USER()", step="see who the login is"))
    user, _at, host = name.rpartition("@")
    own = accounts.get((user, host.lower()), Account(user, host))
    rights, ways, seen = set(own.rights(GLOBAL)), list(own.default_roles), set()
    while ways:
        role = ways.pop()
        if role in accounts and role not in seen:
            seen.add(role)
            rights |= accounts[role].rights(GLOBAL)
            ways += accounts[role].roles
    return replace(own, grants={GLOBAL: frozenset(rights)})


def read_target(source: Server, replica: Server, service: Service, accounts: Accounts, own: Account) -> Target:
    """Return what the replica takes from this login."""
    rows = replica.connection.rows(
        "SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE'",
        step="see which authentication plugins are active",
    )
    rights = own.rights(GLOBAL)
    passes = any(right.name == GRANT_OPTION for right in rights)
    literal = replica.on("partial_revokes")
    return Target(
        dialect=replica.dialect,
        service=service,
        plugins=frozenset(row["name"] for row in rows),
        rights=frozenset(right.name for right in rights if (right.grantable if right.dynamic else passes)),
        restrictions=own.restrictions,
        literal=literal,
        lower_case=replica.number("lower_case_table_names") > 0,
        schemas=_schemas(source) if literal and not source.on("partial_revokes") else (),
    )


def _schemas(source: Server) -> tuple[str, ...]:
    """Return the schemas of the source that a pattern can mean, the server's own among them."""
    rows = source.connection.rows("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA", step="list the schemas")
    return tuple(sorted(row["name"] for row in rows))


# Deciding


def refusal(surroundings: Surroundings, service: Service) -> tuple[str, str] | None:
    """Tell why nothing may be written now, and what mends that."""
    if surroundings.filtered is False:
        return (
            "the replica applies what the source does to accounts, so an account made here would stop the applier (1396)"
            " when the source's own statement arrives",
            _set(service, "replicate_wild_ignore_table", "mysql.%"),
        )
    if surroundings.linked and surroundings.strict:
        return (
            "gtid_strict_mode is on and the replica is linked: an account made here would stop the applier (1950)",
            _set(service, "gtid_strict_mode", "OFF"),
        )
    return None


def _set(service: Service, name: str, value: str) -> str:
    return service.set_parameter.format(group="GROUP", server="SERVER", name=name, value=value)


def findings(plan: SyncPlan, surroundings: Surroundings | None) -> tuple[Finding, ...]:
    """Return what a person should know; every note of one rule is one finding.

    :param surroundings: None where nothing is to be written
    """
    found: list[Finding] = []

    def add(rule: str, severity: str, summary: str, remedy: str | None, objects: t.Sequence[str] = ()) -> None:
        shown = tuple(objects[:_MOST_OBJECTS])
        found.append(Finding(rule, "replica", "failed", severity, summary, objects=shown, object_count=len(objects), remedy=remedy))

    for rule, (severity, summary, remedy) in _RULES.items():
        notes = [note for note in plan.notes if note.rule == rule]
        if notes:
            objects = [f"{note.to_result()['account']}: {note.what}: {note.why}" for note in notes]
            add(rule, severity, f"{len(notes)} × {summary}", remedy, objects)
    if plan.unmatched:
        summary = "patterns that mean no account of the source, or none that is not a server's own"
        add("accounts.unmatched", "warning", summary, "mend datain_accounts", plan.unmatched)
    if surroundings and surroundings.gtid:
        summary = "with GTIDs the accounts are transactions of the replica's own: harmless for this link, in the way of a reverse one"
        add("accounts.gtid", "warning", summary, None)
    if surroundings and surroundings.filtered is None:
        summary = "whether the replica filters the schema mysql out is not shown before it is linked"
        add("accounts.filter", "warning", summary, "see that replicate_wild_ignore_table holds mysql.%")
    return tuple(found)


# Doing


def _perform(replica: Server, one: Statement, change: Change) -> None:
    try:
        replica.connection.execute(one.text, one.values, step=one.step)
    except StatementError as error:
        error.message = Redactor(_secrets(change)).text(error.message)
        if error.code in _HINTS:
            error.hint = _HINTS[error.code].replace("{account}", change.account.label)
        raise


def _secrets(change: Change) -> list[str]:
    options = change.account.options
    stored = [one for _plugin, one in options.get("login", ())] + [options.get("second", "")]
    return [form for one in stored for form in (one, bytes.fromhex(one).decode("utf-8", "replace"))]


def apply_accounts(replica: Server, plan: SyncPlan, target: Target) -> list[tuple[Change, StatementError]]:
    """Do what was planned; return the accounts that could not be completed, with the reason.

    One that fails keeps nobody else from being done. A new one that fails stays locked where the version has locks.
    """
    if _NO_AUTO_CREATE not in target.dialect.removed_modes:
        # Else a GRANT to an account that has just gone would make one, without a password.
        replica.connection.execute(f"SET SESSION sql_mode = '{_NO_AUTO_CREATE}'", step="let no GRANT make an account")
    failed: dict[Key, tuple[Change, StatementError]] = {}
    phases = [(change, statements(change, target)) for change in plan.changes]
    for phase in (0, 1):
        for change, of_change in phases:
            if change.account.key in failed:
                continue
            for one in of_change[phase]:
                try:
                    _perform(replica, one, change)
                except StatementError as error:
                    failed.setdefault(change.account.key, (change, error))
                    if not one.takes:
                        break
    return list(failed.values())


def _fail(replica: Server, plan: SyncPlan, failed: t.Sequence[tuple[Change, StatementError]]) -> None:
    change, first = failed[0]
    raise StatementError(
        f"{len(failed)} of {len(plan.changes)} accounts could not be completed, the others are; {change.account.label}: {first.message}",
        server=replica.label,
        step=first.step,
        code=first.code,
        hint=f"{first.hint or 'mend the reason'}; then run again, which goes on from here",
        details={"failures": [{"account": change.account.label, "step": error.step, "code": error.code, "message": error.message} for change, error in failed]},
    )


# All of it


def _plan(context: Context, service: Service, source: Accounts, current: Accounts) -> tuple[SyncPlan, Target]:
    """Decide; what grants are about is looked up only for grants that are to be given.

    :param current: the accounts of the replica
    """
    replica, options = context.replica, context.parameters
    own = _own(replica, current)
    target = read_target(context.source, replica, service, current, own)
    # A managed source may have its own name behind the user's.
    login = options["source"]["login_user"]
    foreign = {own.user, login, login.partition("@")[0], options["replication_user"], *service.own_accounts}

    def decide(target: Target) -> SyncPlan:
        return plan_accounts(source, current, target, patterns=options["accounts"], foreign=foreign, remove=options["remove"])

    plan = decide(target)
    missing = read_missing(replica, plan.objects) if plan.objects else frozenset()
    if missing:
        target = replace(target, missing=missing)
        plan = decide(target)
    return plan, target


def _check(context: Context, service: Service) -> None:
    source, replica = context.source, context.replica
    step = "carry the accounts over"
    if not any(pattern and not pattern.startswith("!") for pattern in context.parameters["accounts"]):
        raise InputError("no pattern says which accounts are meant", step=step, hint="datain_accounts: ['*'] means all that are not a server's own")
    if source.flavour != replica.flavour or service.flavour != replica.flavour:
        message = f"accounts of {source.flavour} cannot be carried to {replica.flavour} ({service.name})"
        raise Refused(message, server=replica.label, step=step, hint="make them on the replica by hand")
    if replica.dialect.plugin_fixed:
        raise Refused("this version has no ALTER USER that could do this", server=replica.label, step=step, hint="make the accounts by hand")


def _refuse(context: Context, service: Service, surroundings: Surroundings, plan: SyncPlan) -> None:
    refused = refusal(surroundings, service)
    if refused:
        raise Refused(refused[0], server=context.replica.label, step="carry the accounts over", hint=refused[1], details={"actions": _actions(plan)})


def _actions(plan: SyncPlan) -> list[dict[str, t.Any]]:
    return [{"action": change.action, "target": change.account.label, "reason": change.reason} for change in plan.changes]


def _run(context: Context) -> dict[str, t.Any]:
    service = SERVICES[context.parameters["service"]]
    _check(context, service)
    source = read_accounts(context.source)
    replica = context.replica
    current = read_accounts(replica)
    plan, target = _plan(context, service, source, current)
    surroundings = read_surroundings(replica) if plan.changes else None
    if surroundings:
        _refuse(context, service, surroundings, plan)
    if plan.changes and not context.check_mode:
        with lock(replica.connection, LINK_LOCK):
            # Another run may have been at it before this one had the lock.
            now = read_accounts(replica)
            if now != current:
                plan, target = _plan(context, service, source, now)
            failed = apply_accounts(replica, plan, target)
        if failed:
            _fail(replica, plan, failed)
        if replica.recording_logs:
            context.warnings.append(f"{replica.label}: {' and '.join(replica.recording_logs)}: hashes of passwords may stand there, never a password")
    found = findings(plan, surroundings)
    context.warnings += [f"{finding.summary}: {'; '.join(finding.objects)}" if finding.objects else finding.summary for finding in found]
    actions = _actions(plan)
    return {
        "changed": bool(plan.changes),
        "accounts": {
            "selected": plan.selected,
            **{name: sum(action["action"] == verb for action in actions) for name, verb in _COUNTS.items()},
        },
        "actions": actions,
        "left_out": [note.to_result() for note in plan.notes],
        "findings": [finding.to_result() for finding in found],
        "diff": plan.diff(),
    }


CAPABILITY = Capability(
    name="account_sync",
    options={
        "source": SOURCE_OPTION,
        "service": {"type": "str", "choices": list(SERVICES), "required": True},
        "accounts": {"type": "list", "elements": "str", "required": True},
        "remove": {"type": "bool", "default": False},
        "replication_user": {"type": "str", "required": True},
    },
    run=_run,
)
