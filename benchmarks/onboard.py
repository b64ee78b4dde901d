#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converged onboard costs: one source, five replicas, against the same inventory with debug tasks only.

benchmarks/onboard.py [--runs N] [--flavour mysql|mariadb] [--replicas N]

The three playbooks take turns, so that all see the same machine; medians are printed, and ratios are what counts.
Connections and statements are counted by the servers' own general logs, host-tasks by a callback.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests"))

from cuts.playbook import ONBOARD, play, start
from cuts.workshop import asked, workshop, writes

HERE = Path(__file__).resolve().parent
CONTESTANTS = {"onboard, converged": ONBOARD, "as many debug tasks": str(HERE / "same_tasks.yml"), "one debug task a play": str(HERE / "floor.yml")}


def timed(pair, playbook: str) -> tuple[float, float]:
    """Return seconds of wall and of CPU, children included."""
    began = time.monotonic()
    process = start(pair.home, pair.inventory, playbook=playbook)
    text = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode or "changed=0" not in text or "changed=1" in text:
        raise SystemExit(f"{playbook} is not converged:\n{text}")
    return wall, usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--replicas", type=int, default=5)
    parser.add_argument("--flavour", choices=("mysql", "mariadb"), default="mariadb")
    options = parser.parse_args()
    with workshop() as shop:
        pair = shop.pair(options.flavour, options.replicas)
        began = time.monotonic()
        first = play(pair.home, pair.inventory)
        if first.status:
            raise SystemExit(first.text)
        print(f"{options.flavour}, 1 source and {options.replicas} replicas; linking them took {time.monotonic() - began:.1f} s\n")
        counted = play(pair.home, pair.inventory, count=True)
        pair.watch(table=True)
        play(pair.home, pair.inventory)
        print("| server | connections | statements | writing | host-tasks |\n|---|---|---|---|---|")
        names = dict(zip((server.name for server in pair.servers), ("shop", *(f"azure{n}" for n in range(1, options.replicas + 1)))))
        for server in pair.servers:
            sessions, statements = asked(pair, server)
            print(f"| {names[server.name]} | {sessions} | {len(statements)} | {len(writes(statements))} | {len(counted.tasks[names[server.name]])} |")
        for server in pair.servers:
            server.sql("SET GLOBAL general_log=OFF; TRUNCATE mysql.general_log")
        pair.watch(table=True)
        play(pair.home, pair.inventory, "--limit", "azure1")
        found = [asked(pair, server) for server in (pair.source, pair.replica)]
        print(f"\nOne pair alone: {sum(item[0] for item in found)} connections, {sum(len(item[1]) for item in found)} statements.\n")
        for server in pair.servers:
            server.sql("SET GLOBAL general_log=OFF")
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
        for _turn in range(options.runs):
            for name, playbook in CONTESTANTS.items():
                times[name].append(timed(pair, playbook))
        walls = {name: statistics.median(wall for wall, _cpu in values) for name, values in times.items()}
        cpus = {name: statistics.median(cpu for _wall, cpu in values) for name, values in times.items()}
        base = "onboard, converged"
        print(f"| median of {options.runs} | wall s | CPU s | onboard's wall is | onboard's CPU is |\n|---|---|---|---|---|")
        for name in CONTESTANTS:
            print(f"| {name} | {walls[name]:.2f} | {cpus[name]:.2f} | {walls[base] / walls[name]:.2f} × | {cpus[base] / cpus[name]:.2f} × |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
