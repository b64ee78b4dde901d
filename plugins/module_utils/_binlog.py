# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The source's binary log: reads how it is set up, and sets live what the plan says."""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace

from ._binlog_plan import READ, SETTINGS, BinlogState, DesiredBinlog, binlog_report, binlog_result, outcomes, plan_binlog, retention_seconds, validate
from ._errors import Refused, StatementError, Timeout
from ._model import MARIADB, Plan
from ._run import Capability, Context, Progress
from ._server import Server
from ._services import SERVICES, Service
from ._state import SOURCE_LOCK, lock

# Seconds to wait until transactions without a GTID have ended.
ANONYMOUS_PATIENCE = 60

_DENIED = (1045, 1227)
# Variables that only a managed server has, with the service that it then is.
_MARKS = {
    "azure_server_name": "mysql_flexible_server",
    "logical_server_name": "mysql_flexible_server",
    "redirect_server_host": "mysql_single_server",
}


def read_binlog(source: Server, desired: DesiredBinlog) -> BinlogState:
    """Read what the decision depends on: the variables; what the source is, and who is attached, only where that matters."""
    names = {setting.name for setting in SETTINGS} | set(READ)
    variables = {name: source.variables[name] for name in sorted(names) if name in source.variables}
    login = source.connection.login
    state = BinlogState(source.dialect, source.is_mariadb, variables, f"{login.host}:{login.port}")
    found = outcomes(state, desired)
    if retention_seconds(state) is None or any(outcome.change != "none" for outcome in found):
        state = replace(state, service=_own_service(source, desired.service))
    if any(outcome.name == "gtid_mode" and outcome.change == "live" for outcome in outcomes(state, desired)):
        state = replace(state, replicas=len(source.attached_replicas()))
    return state


def _own_service(source: Server, told: str | None) -> Service | None:
    """Return the managed service that the source itself is, or None for a server of one's own.

    :param told: what the inventory says
    """
    name = told or next((service for mark, service in _MARKS.items() if mark in source.variables), None)
    if name is None and not source.procedures.arity:
        return None
    if source.is_mariadb:
        return next(service for service in SERVICES.values() if service.flavour == MARIADB)
    # The procedures alone do not say which one: then it is the one that is still offered.
    return SERVICES[name or "mysql_flexible_server"]


def _wait_for_named(source: Server, progress: Progress) -> None:
    """Wait until no transaction without a GTID is open: gtid_mode=ON is not taken before."""
    deadline = time.monotonic() + ANONYMOUS_PATIENCE
    step = "wait for transactions without a GTID to end"
    while True:
        rows = source.connection.rows("SHOW GLOBAL STATUS LIKE 'Ongoing_anonymous_transaction_count'", step=step)
        count = int(rows[0]["Value"]) if rows else 0
        if not count:
            return
        if time.monotonic() >= deadline:
            raise Timeout(
                f"{count} transactions without a GTID are still open after {ANONYMOUS_PATIENCE} s",
                server=source.label,
                step=step,
                hint="end the sessions that hold them, then run again: the next run goes on from here",
            )
        progress(f"{count} transactions without a GTID are still open")
        time.sleep(0.5)


def apply_binlog(source: Server, state: BinlogState, plan: Plan, progress: Progress = lambda text: None) -> None:
    """Set what is set live, one statement each; repeating one does no harm.

    :raises StatementError: the login lacks the right
    """
    scope = "PERSIST" if state.persistent else "GLOBAL"
    for step in plan.steps:
        name, _sign, value = step.target.partition("=")
        if (name, value) == ("gtid_mode", "ON"):
            _wait_for_named(source, progress)
        try:
            # Names of variables come from the table above and cannot be bound.
            source.connection.execute(
                f"SET {scope} {name} = %s", (int(value) if value.isdigit() else value,), step=f"set {name}"
            )
        except StatementError as error:
            if error.code in _DENIED:
                error.hint = f"log in as an administrator that has {state.dialect.variables_right}"
            raise


def _decide(source: Server, desired: DesiredBinlog) -> tuple[BinlogState, Plan]:
    state = read_binlog(source, desired)
    plan = plan_binlog(state, desired)
    if plan.refusal:
        details = {"binlog": binlog_result(state, desired)}
        raise Refused(plan.refusal, server=source.label, step="set up the binary log", hint=plan.hint, details=details)
    return state, plan


def _run(context: Context) -> dict[str, t.Any]:
    options = context.parameters
    desired = DesiredBinlog(options["retention"], options["gtid"], options["server_id"], options["source_service"])
    validate(desired)
    source = context.source
    state, plan = _decide(source, desired)
    if plan.changed and not context.check_mode:
        with lock(source.connection, SOURCE_LOCK):
            source.forget()
            state, plan = _decide(source, desired)
            apply_binlog(source, state, plan, context.progress)
    context.warnings += [f"{source.label}: {finding.summary}" for finding in plan.findings]
    return binlog_report(state, desired, plan)


BINLOG_OPTIONS: dict[str, t.Any] = {
    "retention": {"type": "int", "default": 0},
    "gtid": {"type": "bool", "default": False},
    "server_id": {"type": "int"},
    "source_service": {"type": "str", "choices": list(SERVICES)},
}

CAPABILITY = Capability(name="binlog_config", options=BINLOG_OPTIONS, run=_run, side="source")
