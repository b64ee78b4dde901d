# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What the inventory says about a host's report, for whoever writes it."""

from __future__ import annotations

import typing as t

from ansible_collections.datain.azure_mysql.plugins.module_utils._report import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.plugin_utils import _inventory

_OF_ANY_HOST = {"report_dir": "datain_report_dir", "prometheus_dir": "datain_prometheus_dir"}
_OF_A_REPLICA = {"service": "datain_service", "source_name": "datain_source", "wanted": "datain_state", "max_lag": "datain_max_lag"}


def report_options(task_vars: dict[str, t.Any], templar: t.Any) -> dict[str, t.Any]:
    """Return what the inventory says about a host's report, which is written whatever is wrong with the rest of it."""
    groups = task_vars.get("groups") or {}
    fleet = {"sources": list(groups.get(_inventory.SOURCES) or ()), "replicas": list(groups.get(_inventory.REPLICAS) or ())}
    name = task_vars.get("inventory_hostname")
    variables = {**_OF_ANY_HOST, **(_OF_A_REPLICA if name in fleet["replicas"] else {})}
    given = {option: templar.template(task_vars[variable]) for option, variable in variables.items() if variable in task_vars}
    found: dict[str, t.Any] = {option: str(value) for option, value in given.items() if value not in (None, "")}
    if name in (*fleet["sources"], *fleet["replicas"]):
        found["fleet"] = fleet
    if found.get("wanted") not in (None, *CAPABILITY.options["wanted"]["choices"]):
        del found["wanted"]
    lag = found.pop("max_lag", "")
    if lag.isdigit():
        found["max_lag"] = int(lag)
    return found
