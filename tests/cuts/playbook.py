# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook as a person runs it, in an environment of its own, and what came of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

ONBOARD = "datain.azure_mysql.onboard"
ROTATE = "datain.azure_mysql.rotate_password"
CALLBACKS = Path(__file__).resolve().parent / "callback"


def environment(home: Path, **other: str) -> dict[str, str]:
    """Return an environment in which nothing of the person at the machine decides; temporary files stay below ``home``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_") or name == "ANSIBLE_COLLECTIONS_PATH"}
    empty = home / "ansible.cfg"
    empty.touch()
    (home / "tmp").mkdir(exist_ok=True)
    return {
        **kept,
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_CONFIG": str(empty),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        "TMPDIR": str(home / "tmp"),
        "LC_ALL": "C.UTF-8",
        **other,
    }


@dataclass
class Run:
    """One run of a playbook.

    :ivar journal: what the hook has counted, where it was there
    :ivar tasks: results for each host, counted by the callback where it was there
    """

    status: int
    text: str
    seconds: float
    journal: list[dict[str, t.Any]] = field(default_factory=list)
    tasks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        found = {}
        for line in self.text.partition("PLAY RECAP")[2].splitlines():
            host, colon, rest = line.partition(" : ")
            if colon:
                found[host.strip()] = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", rest)}
        return found

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.recap.values())

    @property
    def tail(self) -> str:
        """What it said when it failed, on one line."""
        said = [line for line in self.text.splitlines() if line.startswith(("fatal:", "ERROR", "[ERROR]"))]
        return " | ".join(said)[:700] or " | ".join(self.text.splitlines()[-3:])[:300]


def start(home: Path, inventory: Path, *words: str, playbook: str = ONBOARD, **other: str) -> subprocess.Popen[str]:
    """Start a playbook; its output comes by the pipe."""
    return subprocess.Popen(
        ["ansible-playbook", playbook, "-i", str(inventory), *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment(home, **other), cwd=home,
    )  # fmt: skip


def play(home: Path, inventory: Path, *words: str, playbook: str = ONBOARD, count: bool = False, **other: str) -> Run:
    """Run a playbook to its end.

    :param count: let the callback count every result of every host
    """
    counts = home / "tasks.json"
    counts.unlink(missing_ok=True)
    if count:
        other.update(ANSIBLE_CALLBACK_PLUGINS=str(CALLBACKS), ANSIBLE_CALLBACKS_ENABLED="host_tasks", DATAIN_HOST_TASKS=str(counts))
    began = time.monotonic()
    process = start(home, inventory, *words, playbook=playbook, **other)
    text = process.communicate(timeout=300)[0]
    tasks = json.loads(counts.read_text()) if counts.exists() else {}
    return Run(process.returncode, text, time.monotonic() - began, tasks=tasks)
