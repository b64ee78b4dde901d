# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.datain.azure_mysql.plugins.module_utils._report import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._action import CapabilityAction

_VARIABLES = {"service": "datain_service", "source_name": "datain_source"}


class ActionModule(CapabilityAction):
    capability = CAPABILITY

    def _from_inventory(self, task_vars: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
        """Return the two variables that a report shows; it is written whatever is wrong with the rest of the inventory."""
        if task_vars.get("inventory_hostname") not in ((task_vars.get("groups") or {}).get("datain_replicas") or ()):
            return {}, []
        wanted = {option: name for option, name in _VARIABLES.items() if option not in self._task.args and task_vars.get(name)}
        return {option: str(self._templar.template(task_vars[name])) for option, name in wanted.items()}, []
