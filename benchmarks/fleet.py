#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converged run costs for a fleet, against a playbook of ansible.mysql that does the same, and against the floor.

benchmarks/fleet.py --peer FOLDER --collections FOLDER [--sources 10] [--replicas 5] [--runs 3] [--forks 10] [--server mariadb-10.11]

Each host of the inventory is a server of its own: with 10 sources of 5 replicas each 60, of about 100 MB. One inventory serves
all playbooks; they take turns, so that all see the same machine. CPU is that of ansible-playbook and all its children.

--peer        holds converge.yml, which says nothing but "ok" to what is converged, and the ansible.cfg that all run with
--collections holds ansible_collections/ansible/mysql, for instance out of the wheel of the package ansible
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests"))

from cuts.pair import LAB
from cuts.playbook import ONBOARD, play, start

DATA = "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, what VARCHAR(60)); INSERT INTO shop.orders VALUES (1, 'a book');"
ACCOUNT = ("datain", "Repl-1234-fleet")


class Fleet:
    """Sources, their replicas, and one inventory that both playbooks understand."""

    def __init__(self, home: Path, server: str, sources: int, replicas: int) -> None:
        self.home = home
        self.environment = {**os.environ, "DATAIN_LAB_DIR": str(home / "lab")}
        self.server = server
        self.service = "mariadb_server" if server.startswith("mariadb") else "mysql_flexible_server"
        self.inventory = home / "inventory.json"
        self.hosts: dict[str, dict[str, t.Any]] = {"datain_sources": {}, "datain_replicas": {}}
        for number in range(1, sources + 1):
            self._source(f"source{number}")
            for other in range(1, replicas + 1):
                self._replica(f"replica{number}-{other}", f"source{number}")
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "datain_report_dir": str(home / "report")}
        groups = {group: {"hosts": hosts} for group, hosts in self.hosts.items()}
        self.inventory.write_text(json.dumps({"all": {"vars": local, "children": groups}}))

    def lab(self, *words: str) -> str:
        return subprocess.run([sys.executable, LAB, *words], env=self.environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def _up(self, name: str, *words: str) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        state = json.loads(self.lab("up", name, "--server", self.server, *words, "--json"))
        login = {"host": "host", "port": "port", "user": "admin_user", "password": "admin_password", "ca": "ca"}
        variables = {f"datain_login_{name}": state[key] for name, key in login.items()}
        if not state["client_tls"]:
            # Both playbooks log in without TLS then; the peer's takes an empty CA for that.
            variables.update(datain_login_tls="disabled", datain_login_ca="")
        return state, variables

    def _source(self, name: str) -> None:
        state, login = self._up(name)
        subprocess.run(state["client"], input=DATA, text=True, check=True, env=self.environment)
        ca = Path(state["ca"]).read_text()
        account = dict(zip(("datain_replication_user", "datain_replication_password"), ACCOUNT))
        # The last is the peer's name for the one before.
        self.hosts["datain_sources"][name] = {**login, **account, "datain_link_ca": ca, "datain_source_ca": ca}

    def _replica(self, name: str, source: str) -> None:
        state, login = self._up(name, "--service", self.service)
        own = {"datain_source": source, "datain_service": self.service, "datain_client_dir": state["bin_dir"]}
        account = dict(zip(("datain_replication_user", "datain_replication_password"), ACCOUNT))
        self.hosts["datain_replicas"][name] = {**login, **own, **account, "datain_source_ca": self.hosts["datain_sources"][source]["datain_source_ca"]}


def timed(fleet: Fleet, playbook: str, settings: dict[str, str], *, converged: bool = True) -> tuple[float, float]:
    """Return seconds of wall and of CPU, children included."""
    began = time.monotonic()
    process = start(fleet.home, fleet.inventory, playbook=playbook, **settings)
    text = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode or (converged and re.search(r"changed=[1-9]", text)):
        raise SystemExit(f"{playbook} is not converged:\n{text}")
    return wall, usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--collections", required=True)
    parser.add_argument("--sources", type=int, default=10)
    parser.add_argument("--replicas", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--forks", type=int, default=10)
    parser.add_argument("--server", default="mariadb-10.11")
    options = parser.parse_args()
    settings = {
        "ANSIBLE_CONFIG": str((options.peer / "ansible.cfg").resolve()),
        "ANSIBLE_FORKS": str(options.forks),
        "ANSIBLE_COLLECTIONS_PATH": f"{os.environ['ANSIBLE_COLLECTIONS_PATH']}:{options.collections}",
    }
    contestants = {"the peer": str((options.peer / "converge.yml").resolve()), "onboard": ONBOARD, "one debug task a play": str(HERE / "floor.yml")}
    home = Path(tempfile.mkdtemp(prefix="dfl-"))
    fleet = None
    try:
        began = time.monotonic()
        fleet = Fleet(home, options.server, options.sources, options.replicas)
        print(f"{fleet.server}, {options.sources} sources and {options.sources * options.replicas} replicas, {options.forks} forks")
        print(f"{time.monotonic() - began:.0f} s to start them all", flush=True)
        wall, cpu = timed(fleet, ONBOARD, settings, converged=False)
        print(f"{wall:.0f} s (CPU {cpu:.0f} s) for the onboard that seeds and links all of them\n", flush=True)
        for playbook in contestants.values():
            timed(fleet, playbook, settings, converged=False)
        counted = play(fleet.home, fleet.inventory, count=True, **settings)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
        for _turn in range(options.runs):
            for name, playbook in contestants.items():
                times[name].append(timed(fleet, playbook, settings))
        report(options.runs, times, sum(map(len, counted.tasks.values())))
    finally:
        if fleet:
            fleet.lab("down", "--all")
        shutil.rmtree(home, ignore_errors=True)
    return 0


def report(runs: int, times: dict[str, list[tuple[float, float]]], tasks: int) -> None:
    middle = {name: tuple(statistics.median(column) for column in zip(*values)) for name, values in times.items()}
    wall, cpu = middle["onboard"]
    print(f"| median of {runs} | wall s | CPU s | wall, of onboard's | CPU, of onboard's |\n|---|---|---|---|---|")
    for name, (seconds, own) in middle.items():
        print(f"| {name} | {seconds:.2f} | {own:.2f} | {seconds / wall:.2f} × | {own / cpu:.2f} × |")
    above = [1000 * (ours - floor) / tasks for ours, floor in zip((wall, cpu), middle["one debug task a play"])]
    print(f"\n{tasks} host-tasks of ours; above the floor {above[0]:.1f} ms wall and {above[1]:.1f} ms CPU each.")


if __name__ == "__main__":
    sys.exit(main())
