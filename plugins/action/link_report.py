# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.datain.azure_mysql.plugins.module_utils._report import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._action import CapabilityAction

_VARIABLES = {"service": "datain_service", "source_name": "datain_source", "wanted": "datain_state", "max_lag": "datain_max_lag"}


class ActionModule(CapabilityAction):
    capability = CAPABILITY

    def _from_inventory(self, task_vars: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
        """Return what a report shows of the inventory; it is written whatever is wrong with the rest of it."""
        groups = task_vars.get("groups") or {}
        fleet = {"sources": list(groups.get("datain_sources") or ()), "replicas": list(groups.get("datain_replicas") or ())}
        name = task_vars.get("inventory_hostname")
        if name not in (*fleet["sources"], *fleet["replicas"]):
            return {}, []
        found: dict[str, t.Any] = {"fleet": fleet}
        if name in fleet["replicas"]:
            given = {option: task_vars.get(variable) for option, variable in _VARIABLES.items()}
            found.update({option: str(self._templar.template(value)) for option, value in given.items() if value not in (None, "")})
        if found.get("wanted") not in (None, *CAPABILITY.options["wanted"]["choices"]):
            del found["wanted"]
        if not found.get("max_lag", "0").isdigit():
            del found["max_lag"]
        return {option: value for option, value in found.items() if option not in self._task.args}, []
