# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.datain.azure_mysql.plugins.module_utils._report import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._action import CapabilityAction
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._reporting import report_options


class ActionModule(CapabilityAction):
    capability = CAPABILITY

    def _from_inventory(self, task_vars: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
        found = report_options(task_vars, self._templar)
        return {option: value for option, value in found.items() if option not in self._task.args}, []
