# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.datain.azure_mysql.plugins.module_utils._seed import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._following import FollowingAction


class ActionModule(FollowingAction):
    capability = CAPABILITY
