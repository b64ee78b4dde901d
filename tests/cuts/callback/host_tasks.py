# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts host-tasks: every result of every task on every host, also skipped ones, includes, and a role's own validation."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: host_tasks
type: aggregate
short_description: Count the results of each host
description: Writes a JSON document to the file named by the environment variable E(DATAIN_HOST_TASKS).
"""


class CallbackModule(CallbackBase):
    """What each host did, in order."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "host_tasks"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.hosts = {}

    def _count(self, result, kind):
        host = result._host.get_name()
        self.hosts.setdefault(host, []).append(f"{kind}: {result._task.get_name()}")

    def v2_runner_on_ok(self, result):
        self._count(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._count(result, "failed")

    def v2_runner_on_skipped(self, result):
        self._count(result, "skipped")

    def v2_runner_on_unreachable(self, result):
        self._count(result, "unreachable")

    def v2_playbook_on_include(self, included_file):
        for host in included_file._hosts:
            self.hosts.setdefault(host.get_name(), []).append(f"included: {included_file._task.get_name()}")

    def v2_playbook_on_stats(self, stats):
        with open(os.environ["DATAIN_HOST_TASKS"], "w") as stream:
            json.dump(self.hosts, stream, indent=1)
