# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What planners have beside other actions: they judge the inventory as a whole, and report what is right at once."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Connection, Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._report import CAPABILITY as REPORT
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import Share, run
from ansible_collections.datain.azure_mysql.plugins.plugin_utils import _inventory
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._action import CapabilityAction
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._reporting import report_options
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._sharing import BOARD, SharedConnection

# What is in the report then, and is not carried about in the results of a fleet.
_REPORTED = ("findings", "summary", "link")


class PlanningAction(CapabilityAction):
    """A planner: nothing is touched if any host that is connected with this one is wrong in the inventory.

    Where it finds nothing to do there is nothing more to be known, so it can write the host's report itself. In a fleet most
    hosts are right, and a task of its own for the report costs each of them as much as its plan.
    """

    _found: dict[str, t.Any] = {}

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        whole_fleet = boolean(self._task.args.pop("report", False))
        if whole_fleet and self._templar.template(task_vars.get("datain_sql_host")) not in (None, "", self._task.delegate_to):
            return {"changed": False, "skipped": True, "skip_reason": "datain_sql_host names another host to speak SQL from", "reported": False}
        reports = whole_fleet and not self._task.check_mode and not task_vars.get("datain_accounts")
        result = {**super().run(tmp, task_vars), **self._found}
        if not reports or result.get("failed") or result.get("plan", {}).get("work", True):
            return {**result, "reported": False}
        host = task_vars.get("inventory_hostname", "")
        given = {"name": host, "document": {"role": self.capability.side, "plan": result}, "merge": False}
        # Not a task's options but our own: to validate them would copy every finding of the plan.
        defaults = {option: described.get("default") for option, described in REPORT.options.items()}
        report = run(REPORT, {**defaults, **report_options(task_vars, self._templar), **given}, check_mode=False, diff=False)
        if report.get("failed"):
            return {**result, **report, "reported": False}
        return {**{name: value for name, value in result.items() if name not in _REPORTED}, "reported": True}

    def _run_here(self, arguments: dict[str, t.Any], host: str, share: Share | None = None) -> dict[str, t.Any]:
        """Plan a link with what another replica's worker has read on the source. Only that nothing is to be done may follow from that."""
        if self.capability.side == "source":
            return super()._run_here(arguments, host)
        sessions: list[SharedConnection] = []

        def connect(login: Login) -> Connection:
            sessions.append(SharedConnection(login, BOARD, self._task._uuid))
            return sessions[-1]

        result = super()._run_here(arguments, host, connect)
        if any(session.shares for session in sessions) and (result.get("failed") or result["plan"]["work"]):
            return super()._run_here(arguments, host)
        return result

    def _inventory_problems(self, inventory: _inventory.Inventory, host: str) -> list[str]:
        problems = _inventory.component_problems(inventory, host)
        if self.capability.side == "source" and not problems:
            self._found = {"replicas": inventory.replicas_of(host), "gtid": _inventory.needs_gtid(inventory, host)}
        return problems
