# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What brings a replica closer to its source has beside other actions: it comes after the plans of all replicas, and compares them."""

from __future__ import annotations

import typing as t

from ansible_collections.datain.azure_mysql.plugins.module_utils._rules_identity import DUPLICATE, OTHER_ID
from ansible_collections.datain.azure_mysql.plugins.plugin_utils import _inventory
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._action import CapabilityAction


class FollowingAction(CapabilityAction):
    """Touches no server where another replica of the source has the same server_id, and neither is linked yet."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        host = task_vars.get("inventory_hostname", "")
        found = []
        if host in ((task_vars.get("groups") or {}).get(_inventory.REPLICAS) or ()):
            found = _inventory.shared_identities(self._inventory(task_vars), host)
        if not found:
            return super().run(tmp, task_vars)
        blocks = [{"code": DUPLICATE, "message": text, "hint": OTHER_ID} for text in found]
        return {"failed": True, "changed": False, "msg": f"{'; '.join(found)}. Remedy: {OTHER_ID}.", "plan": {"blocks": blocks}}
