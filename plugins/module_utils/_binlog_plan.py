# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Does the source log what a replica needs, for long enough; what can be set live, and what needs the option file. Pure.

A running value that is right is never questioned: the option file is on the source's host, and a converged run does not
go there. So where a live change does not last by itself, the file is written first and the value is set afterwards.
"""

from __future__ import annotations

import math
import typing as t
import zlib
from dataclasses import dataclass

from ._dialect import Dialect
from ._errors import InputError
from ._model import MARIADB, MYSQL, Finding, Plan, Step
from ._services import Service

DAY = 86400
DEFAULT_RETENTION = 7 * DAY
# The servers cut what is more to this, without an error.
MOST_DAYS = 99
GTID_STEPS = ("OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")
_ON = ("ON", "1")


@dataclass(frozen=True)
class DesiredBinlog:
    """What the log should be.

    :param retention: seconds that a file of the log must be kept at least; 0 means seven days
    :param gtid: MySQL only: transactions must carry GTIDs
    :param server_id: the id wanted; None takes any that is not zero
    :param service: the managed service that the source itself is, where somebody says so
    """

    retention: int = 0
    gtid: bool = False
    server_id: int | None = None
    service: str | None = None


@dataclass(frozen=True)
class BinlogState:
    """Everything the decision needs.

    :param variables: the global variables that matter, by name; a missing one does not exist on this server
    :param endpoint: host:port, for a server_id where nobody names one
    :param replicas: how many are attached; None if nothing depends on it
    :param service: which managed service the source itself is; its variables are parameters of the control plane
    """

    dialect: Dialect
    mariadb: bool
    variables: dict[str, str]
    endpoint: str = ""
    replicas: int | None = None
    service: Service | None = None

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
    if kept is None:
        # On Azure zero means: purged as soon as nobody reads it.
        return state.service is None
    return kept >= retention_wanted(state, desired)


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
    _fixed("log_slave_updates", "ON", "restart", applies=lambda state, desired: _mysql_gtid(state, desired) and not state.dialect.gtid_live),
    _fixed("enforce_gtid_consistency", "ON", applies=_mysql_gtid),
    _fixed("gtid_mode", "ON", applies=_mysql_gtid),
)

# The default everywhere, and on MySQL 8 a name that only gives a warning.
_NEVER_BY_DAYS = ("expire_logs_days", "0")

# What is read, for the decision; the rest of the variables is none of our business.
READ = (
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

    :param change: ``none``, ``live``, ``restart`` or ``control_plane``
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
        change = "none" if setting.right(state, desired) else _how(setting, state, off)
        durable = change in ("none", "control_plane") or (change == "live" and state.persistent)
        current = state.variables.get(setting.name)
        file_value = (current or "") if change == "none" else setting.file_value or required
        if setting.name == "log_bin" and not off:
            # Another name would begin another log.
            file_value = state.variables.get("log_bin_basename", "")
        found.append(Outcome(setting.name, current, required, change, durable, file_value))
    return tuple(found)


def _how(setting: Setting, state: BinlogState, off: bool) -> str:
    """Tell how a setting is changed here. Where a restart is due anyway, nobody has to go through the steps of gtid_mode."""
    if state.service:
        return "control_plane"
    if "gtid" in setting.name and (off or not state.dialect.gtid_live):
        return "restart"
    return setting.how


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
    ours = [outcome for outcome in found if outcome.change == "control_plane"]
    if state.service and ours:
        return Plan(before=before, after=before, refusal=_not_by_sql(state.service, ours), hint=_commands(state, ours))
    steps = []
    for outcome in found:
        if outcome.change != "live":
            continue
        values = _values(outcome)
        keep = "" if outcome.durable else "; lost at the next restart unless the option file says the same"
        steps += [Step("set_variable", f"{outcome.name}={value}", f"is {outcome.current}{keep}") for value in values]
    live = {outcome.name: outcome.required for outcome in found if outcome.change == "live"}
    return Plan(tuple(steps), before, {**before, **live}, findings=_findings(state, found))


def _values(outcome: Outcome) -> list[str]:
    """Return the values that a variable goes through."""
    if outcome.name == "gtid_mode":
        return list(GTID_STEPS[GTID_STEPS.index((outcome.current or "OFF").upper()) + 1 :])
    return [outcome.required]


def _not_by_sql(service: Service, found: t.Sequence[Outcome]) -> str:
    wrong = ", ".join(f"{outcome.name} is {outcome.current} and must be {outcome.required}" for outcome in found)
    return f"the source is a managed server ({service.name}), whose settings are parameters of the control plane: {wrong}"


def _commands(state: BinlogState, found: t.Sequence[Outcome]) -> str:
    """Return the commands that set what is wrong on a managed source, one after the other."""
    name, _dot, zone = state.endpoint.partition(":")[0].partition(".")
    words = {"group": "<resource group>", "server": name if zone.endswith(".azure.com") else "<server name>"}
    return "; ".join(
        state.service.set_parameter.format(name=outcome.name, value=value, **words)
        for outcome in found
        for value in _values(outcome)
        if state.service
    )


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


def binlog_report(state: BinlogState, desired: DesiredBinlog, plan: Plan) -> dict[str, t.Any]:
    """Return what the module returns, from state and plan alone."""
    return {
        "changed": plan.changed,
        "binlog": binlog_result(state, desired),
        "actions": plan.actions(),
        "findings": [finding.to_result() for finding in plan.findings],
        "diff": {"before": plan.before, "after": plan.after},
    }
