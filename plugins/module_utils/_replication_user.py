# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The account on the source that a replica logs in with: exists, with the right hash and TLS demand, and one right."""

from __future__ import annotations

import typing as t

from . import _password_hash
from ._account import AUTO, AccountState, Desired, Grant
from ._account_plan import extras, plan_account, plugin_for, validate
from ._account_read import read_account
from ._dialect import Dialect
from ._errors import Refused, StatementError
from ._model import Plan
from ._password_hash import CACHING_SHA2, NATIVE
from ._run import Capability, Context
from ._server import Server
from ._state import SOURCE_LOCK, lock

_HASH_NOT_TAKEN = 1290
_NOT_YOURS_TO_GIVE = 1698


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


def _statements(
    dialect: Dialect, plugin: str, desired: Desired, actions: set[str]
) -> t.Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield what makes or changes the account: statement, values, and what it is for."""
    who = (desired.user, desired.host)
    tls = "REQUIRE SSL" if desired.require_tls else "REQUIRE NONE"
    login = {"set_plugin", "set_password", "require_tls", "relax_tls", "unlock_account"}
    grant = f"GRANT {dialect.replication_privilege} ON *.* TO %s@%s"
    if dialect.grant_identified:
        if actions & {"create_account", "grant", *login}:
            whole = f"{grant} {dialect.grant_identified.format(plugin=plugin)} {tls}"
            yield whole, (*who, _password_hash.stored_for(plugin, desired.password)), "set up the replication account"
        return
    identified = dialect.identified.format(plugin=plugin)
    if actions & {"create_account", "grant"} and plugin in (NATIVE, CACHING_SHA2):
        # Also where only the grant is missing: on a replica that lacks the account a bare GRANT would make one without a
        # password, or stop the applier.
        stored = _password_hash.stored_for(plugin, desired.password)
        yield f"CREATE USER IF NOT EXISTS %s@%s {identified} {tls}", (*who, stored), "create the replication account"
    clauses: list[str] = []
    values = who
    if actions & {"set_plugin", "set_password"}:
        clauses.append(identified)
        values = (*who, _password_hash.stored_for(plugin, desired.password))
    if actions & {"require_tls", "relax_tls"}:
        clauses.append(tls)
    if "unlock_account" in actions:
        clauses.append("ACCOUNT UNLOCK")
    if clauses:
        yield f"ALTER USER IF EXISTS %s@%s {' '.join(clauses)}", values, "change the replication account"
    if "grant" in actions:
        yield grant, who, "grant what replication needs"


def apply_account(source: Server, state: AccountState, desired: Desired, plan: Plan) -> None:
    """Do what was planned: at most one CREATE or ALTER, one GRANT, and a REVOKE for each line too many.

    Each statement can be repeated, and does no harm on an attached replica that lacks the account.
    """
    actions = {step.action for step in plan.steps}
    who = (desired.user, desired.host)
    run = source.connection.execute
    if "drop_account" in actions:
        for statement in source.dialect.drop_account:
            run(statement, who, step="remove the replication account")
        return
    for statement, values, step in _statements(source.dialect, plugin_for(state, desired), desired, actions):
        try:
            run(statement, values, step=step)
        except StatementError as error:
            if error.code == _HASH_NOT_TAKEN and source.on("strict_password_validation"):
                error.hint = "the server refuses hashes it cannot judge: SET GLOBAL strict_password_validation=OFF while the account is made"
            raise
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
        relink=options["relink"],
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
    "relink": {"type": "bool", "default": False},
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
