# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Does the source log what a replica needs, for long enough; what can be set live, and what needs the option file.

A running value that is right is never questioned: the option file is on the source's host, and a converged run does not
go there. So where a live change does not last by itself, the file is written first and the value is set afterwards.
"""

from __future__ import annotations

import math
import time
import typing as t
import zlib
from dataclasses import dataclass

from ._dialect import Dialect
from ._errors import InputError, Refused, StatementError, Timeout
from ._model import MARIADB, MYSQL, Finding, Plan, Step
from ._run import Capability, Context, Progress
from ._server import Server
from ._state import SOURCE_LOCK, lock

DAY = 86400
DEFAULT_RETENTION = 7 * DAY
# The servers cut what is more to this, without an error.
MOST_DAYS = 99
GTID_STEPS = ("OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")
# Seconds to wait until transactions without a GTID have ended.
ANONYMOUS_PATIENCE = 60

_ON = ("ON", "1")
_DENIED = (1045, 1227)


@dataclass(frozen=True)
class DesiredBinlog:
    """What the log should be.

    :param retention: seconds that a file of the log must be kept at least; 0 means seven days
    :param gtid: MySQL only: transactions must carry GTIDs
    :param server_id: the id wanted; None takes any that is not zero
    """

    retention: int = 0
    gtid: bool = False
    server_id: int | None = None


@dataclass(frozen=True)
class BinlogState:
    """Everything the decision needs.

    :param variables: the global variables that matter, by name; a missing one does not exist on this server
    :param endpoint: host:port, for a server_id where nobody names one
    :param replicas: how many are attached; None if nothing depends on it
    """

    dialect: Dialect
    mariadb: bool
    variables: dict[str, str]
    endpoint: str = ""
    replicas: int | None = None

    def number(self, name: str) -> int:
        return int(float(self.variables.get(name) or 0))

    @property
    def retention_unit(self) -> int:
        """Seconds in one unit of the variable that bounds the life of a log file."""
        return self.dialect.retention[0][1]

    @property
    def persistent(self) -> bool:
        """A change made live survives a restart by itself."""
        return self.dialect.persistent and self.variables.get("persisted_globals_load", "ON").upper() in _ON


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings.

    :param name: the variable
    :param how: ``live`` or ``restart``
    :param right: tells whether the running value will do
    :param required: the value demanded; of a value that will do it may be that value
    :param applies: tells whether the row is about this server at all
    :param file_value: what the option file says instead
    """

    name: str
    how: str
    right: t.Callable[[BinlogState, DesiredBinlog], bool]
    required: t.Callable[[BinlogState, DesiredBinlog], str]
    applies: t.Callable[[BinlogState, DesiredBinlog], bool] = lambda state, desired: True
    file_value: str | None = None


def retention_wanted(state: BinlogState, desired: DesiredBinlog) -> int:
    """Return the seconds to keep the log, no more than the server's unit can say."""
    seconds = desired.retention or DEFAULT_RETENTION
    return min(seconds, MOST_DAYS * DAY) if state.retention_unit == DAY else seconds


def retention_seconds(state: BinlogState) -> int | None:
    """Return how long the log is kept; None means for ever."""
    if state.variables.get("binlog_expire_logs_auto_purge", "ON").upper() not in _ON:
        return None
    for name, unit in state.dialect.retention:
        if state.number(name):
            return state.number(name) * unit
    return None


def _kept_long_enough(state: BinlogState, desired: DesiredBinlog) -> bool:
    kept = retention_seconds(state)
    return kept is None or kept >= retention_wanted(state, desired)


def _retention_value(state: BinlogState, desired: DesiredBinlog) -> str:
    return str(math.ceil(retention_wanted(state, desired) / state.retention_unit))


def _server_id(state: BinlogState, desired: DesiredBinlog) -> str:
    """Return the id wanted or the one there is; for none, one made from the server's own address: the same in every run."""
    made = zlib.crc32((state.variables.get("server_uuid") or state.endpoint).encode("utf-8")) or 1
    return str(desired.server_id or state.number("server_id") or made)


def _mysql_gtid(state: BinlogState, desired: DesiredBinlog) -> bool:
    return desired.gtid and not state.mariadb


def _fixed(name: str, value: str, how: str = "live", **more: t.Any) -> Setting:
    """A row for a variable that has one right value."""
    return Setting(
        name,
        how,
        lambda state, desired: state.variables.get(name, "").upper() == value,
        lambda state, desired: value,
        **more,
    )


# In the order in which they are changed.
SETTINGS: tuple[Setting, ...] = (
    _fixed("log_bin", "ON", "restart", file_value="binlog"),
    Setting(
        "server_id",
        "live",
        lambda state, desired: state.variables.get("server_id") == _server_id(state, desired),
        _server_id,
    ),
    _fixed("binlog_format", "ROW"),
    _fixed("binlog_row_image", "FULL"),
    Setting(
        # MySQL 8 has both variables, and takes the newer one only while the older one is zero.
        "expire_logs_days",
        "live",
        lambda state, desired: _kept_long_enough(state, desired) or not state.number("expire_logs_days"),
        lambda state, desired: state.variables["expire_logs_days"] if _kept_long_enough(state, desired) else "0",
        applies=lambda state, desired: state.dialect.persistent and "expire_logs_days" in state.variables,
    ),
    *(
        Setting(
            name,
            "live",
            _kept_long_enough,
            _retention_value,
            applies=lambda state, desired, name=name: state.dialect.retention[0][0] == name,
        )
        for name in ("expire_logs_days", "binlog_expire_logs_seconds")
    ),
    _fixed("enforce_gtid_consistency", "ON", applies=_mysql_gtid),
    _fixed("gtid_mode", "ON", applies=_mysql_gtid),
)

# The default everywhere, and on MySQL 8 a name that only gives a warning.
_NEVER_BY_DAYS = ("expire_logs_days", "0")

# What is read, for the decision; the rest of the variables is none of our business.
_NAMES = (
    "persisted_globals_load",
    "server_uuid",
    "log_bin_basename",
    "binlog_expire_logs_auto_purge",
    "binlog_expire_logs_seconds",
    "expire_logs_days",
)


@dataclass(frozen=True)
class Outcome:
    """What a row of the table says about this server.

    :param change: ``none``, ``live`` or ``restart``
    :param file_value: what the option file would say; of a value that is right, that value
    :param durable: what is right now, or set now, is still right after a restart; for a value that is right already this
        is taken for granted
    """

    name: str
    current: str | None
    required: str
    change: str
    durable: bool
    file_value: str


def outcomes(state: BinlogState, desired: DesiredBinlog) -> tuple[Outcome, ...]:
    """Return what every setting is, must be, and how it gets there. Pure."""
    off = state.variables.get("log_bin", "").upper() not in _ON
    found = []
    for setting in SETTINGS:
        if not setting.applies(state, desired):
            continue
        required = setting.required(state, desired)
        # Where a restart is due anyway, nobody has to go through the steps of gtid_mode.
        how = "restart" if off and _mysql_gtid(state, desired) and "gtid" in setting.name else setting.how
        change = "none" if setting.right(state, desired) else how
        durable = change == "none" or (change == "live" and state.persistent)
        current = state.variables.get(setting.name)
        file_value = (current or "") if change == "none" else setting.file_value or required
        if setting.name == "log_bin" and not off:
            # Another name would begin another log.
            file_value = state.variables.get("log_bin_basename", "")
        found.append(Outcome(setting.name, current, required, change, durable, file_value))
    return tuple(found)


def option_file(found: t.Sequence[Outcome]) -> dict[str, str]:
    """Return what must stand in the option file, under [mysqld], for this plan to last; nothing where all of it lasts.

    It is the whole table, the values that are right as they are: whoever replaces an earlier block by this one must not
    lose what stood there.
    """
    if all(outcome.durable for outcome in found):
        return {}
    said = {outcome.name: outcome.file_value for outcome in found if outcome.file_value}
    return {name: value for name, value in said.items() if (name, value) != _NEVER_BY_DAYS}


def validate(desired: DesiredBinlog) -> None:
    """Refuse what cannot be meant, before any server is asked.

    :raises InputError: a negative retention, or a server_id that no server can have
    """
    if desired.retention < 0:
        raise InputError(
            f"a log cannot be kept for {desired.retention} s",
            hint="set datain_binlog_retention to seconds, or to 0 for the default",
        )
    if desired.server_id is not None and not 0 < desired.server_id < 2**32:
        raise InputError(f"{desired.server_id} is no server_id", hint="choose a number from 1 to 4294967295")


def read_binlog(source: Server, desired: DesiredBinlog) -> BinlogState:
    """Read what the decision depends on: the variables, and the attached replicas only where GTIDs would be switched on."""
    names = {setting.name for setting in SETTINGS} | set(_NAMES)
    variables = {name: source.variables[name] for name in sorted(names) if name in source.variables}
    login = source.connection.login
    state = BinlogState(source.dialect, source.is_mariadb, variables, f"{login.host}:{login.port}")
    if any(outcome.name == "gtid_mode" and outcome.change == "live" for outcome in outcomes(state, desired)):
        return BinlogState(
            source.dialect, source.is_mariadb, variables, state.endpoint, len(source.attached_replicas())
        )
    return state


def plan_binlog(state: BinlogState, desired: DesiredBinlog) -> Plan:
    """Decide what to set live. Pure. What needs a restart is in ``binlog_result``: it is not ours to do."""
    found = outcomes(state, desired)
    before = {outcome.name: outcome.current for outcome in found}
    if any(outcome.name == "gtid_mode" and outcome.change == "live" for outcome in found) and state.replicas:
        return Plan(
            before=before,
            after=before,
            refusal=f"gtid_mode would be switched on while {state.replicas} replicas are attached: one whose own gtid_mode is OFF would stop",
            hint="stop the replicas, or leave the link by position (datain_link_method: position)",
        )
    steps = []
    for outcome in found:
        if outcome.change != "live":
            continue
        values = [outcome.required]
        if outcome.name == "gtid_mode":
            values = list(GTID_STEPS[GTID_STEPS.index((outcome.current or "OFF").upper()) + 1 :])
        keep = "" if outcome.durable else "; lost at the next restart unless the option file says the same"
        steps += [Step("set_variable", f"{outcome.name}={value}", f"is {outcome.current}{keep}") for value in values]
    live = {outcome.name: outcome.required for outcome in found if outcome.change == "live"}
    return Plan(tuple(steps), before, {**before, **live}, findings=_findings(state, found))


def _findings(state: BinlogState, found: t.Sequence[Outcome]) -> tuple[Finding, ...]:
    changes = {outcome.name: outcome.change for outcome in found}
    texts = {
        "binlog_format": "binlog_format counts for sessions that begin from now on: those that are open log as before until they reconnect",
        "binlog_row_image": "binlog_row_image counts for sessions that begin from now on: those that are open log as before until they reconnect",
        "server_id": "server_id is how replicas tell servers apart: those that are attached see the new one when they reconnect",
        "enforce_gtid_consistency": "statements that cannot carry a GTID fail from now on",
    }
    return tuple(
        Finding(f"binlog.{name}", "source", "failed", "warning", text, seen=state.variables.get(name))
        for name, text in texts.items()
        if changes.get(name) == "live"
    )


def binlog_result(state: BinlogState, desired: DesiredBinlog) -> dict[str, t.Any]:
    """Return the settings in our own keys, as they were found; every key is always there."""
    found = outcomes(state, desired)
    file = option_file(found)
    return {
        "flavour": MARIADB if state.mariadb else MYSQL,
        "enabled": state.variables.get("log_bin", "").upper() in _ON,
        "retention_seconds": retention_seconds(state),
        "settings": [
            {
                "name": outcome.name,
                "current": outcome.current,
                "required": outcome.required,
                "change": outcome.change,
                "durable": outcome.durable,
            }
            for outcome in found
        ],
        "option_file": file,
        "option_file_required": bool(file),
        "restart_required": any(outcome.change == "restart" for outcome in found),
    }


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


def binlog_report(state: BinlogState, desired: DesiredBinlog, plan: Plan) -> dict[str, t.Any]:
    """Return what the module returns, from state and plan alone."""
    return {
        "changed": plan.changed,
        "binlog": binlog_result(state, desired),
        "actions": plan.actions(),
        "findings": [finding.to_result() for finding in plan.findings],
        "diff": {"before": plan.before, "after": plan.after},
    }


def _decide(source: Server, desired: DesiredBinlog) -> tuple[BinlogState, Plan]:
    state = read_binlog(source, desired)
    plan = plan_binlog(state, desired)
    if plan.refusal:
        details = {"binlog": binlog_result(state, desired)}
        raise Refused(plan.refusal, server=source.label, step="set up the binary log", hint=plan.hint, details=details)
    return state, plan


def _run(context: Context) -> dict[str, t.Any]:
    options = context.parameters
    desired = DesiredBinlog(options["retention"], options["gtid"], options["server_id"])
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
}

CAPABILITY = Capability(name="binlog_config", options=BINLOG_OPTIONS, run=_run, side="source")
