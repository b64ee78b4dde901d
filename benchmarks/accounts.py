#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What carrying accounts costs, against a loop of mysql_user and against the server's own client.

benchmarks/accounts.py --peer FOLDER [--accounts 2000] [--looped 100] [--runs N] [--flavour mysql|mariadb]

FOLDER holds ansible_collections/community/mysql, for instance out of the wheel of the package ansible. The loop is measured
with as many accounts as --looped says, and scaled: it does one account after the other. The playbooks take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests"), os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":")[0]]

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from cuts.playbook import environment

from ansible_collections.datain.azure_mysql.plugins.module_utils import _account_sync as sync
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import Context
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES
from ansible_collections.datain.azure_mysql.plugins.module_utils._sync_read import read_accounts
from ansible_collections.datain.azure_mysql.plugins.module_utils._sync_statements import statements

FLAVOURS = {"mysql": ("mysql-8.0.33", "mysql_flexible_server"), "mariadb": ("mariadb-10.11", "mariadb_server")}
DATA = "SET sql_log_bin=0; CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, k INT);"


class Server:
    def __init__(self, home: Path, name: str, *words: str) -> None:
        self.environment = {**os.environ, "DATAIN_LAB_DIR": str(home / "lab")}
        self.name = name
        self.state = json.loads(self.lab("up", name, *words, "--json"))

    def lab(self, *words: str) -> str:
        return subprocess.run([sys.executable, str(ROOT / "tests/lab"), *words], env=self.environment, check=True, capture_output=True, text=True).stdout

    def pipe(self, text: str, client: str = "client") -> float:
        began = time.monotonic()
        subprocess.run(self.state[client], input=text, text=True, check=True, capture_output=True)
        return time.monotonic() - began

    def fresh(self) -> None:
        self.lab("reset", self.name)
        self.pipe(DATA)

    @property
    def login(self) -> dict[str, object]:
        state = self.state
        names = {"login_host": "host", "login_port": "port", "login_user": "admin_user", "login_password": "admin_password"}
        return {option: state[key] for option, key in names.items()}


def accounts(first: int, last: int, flavour: str) -> str:
    """Three kinds of grants: on a schema, for every third on a table, for every fifth on columns."""
    plugin = "WITH mysql_native_password " if flavour == "mysql" else ""
    lines = ["SET sql_log_bin=0;"]
    for number in range(first, last + 1):
        who = f"'acct{number:04d}'@'%'"
        lines.append(f"CREATE USER {who} IDENTIFIED {plugin}BY 'Acct-{number}-pw'; GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO {who};")
        lines += [f"GRANT TRIGGER, INDEX ON shop.item TO {who};"] if number % 3 == 0 else []
        lines += [f"GRANT SELECT (id, k) ON shop.item TO {who};"] if number % 5 == 0 else []
    return "\n".join(lines)


def same_sql(source: Server, replica: Server, service: str) -> str:
    """The statements that the module is about to send, for the client."""
    options = {**replica.login, "source": source.login, "service": service, "accounts": ["acct*"], "replication_user": "datain"}
    context = Context(ArgumentSpecValidator(sync.CAPABILITY.argument_spec).validate(options).validated_parameters)
    try:
        plan, target = sync._plan(context, SERVICES[service], read_accounts(context.source), read_accounts(context.replica))
    finally:
        context.close()
    found = [one for change in plan.changes for part in statements(change, target) for one in part]
    return "".join(one.text % tuple(json.dumps(value) for value in one.values) + ";\n" for one in found)


def playbook(home: Path, inventory: Path, name: str, collections: str) -> tuple[float, float, str]:
    """Return seconds of wall and of CPU, children included, and the output."""
    began = time.monotonic()
    process = subprocess.Popen(
        ["ansible-playbook", str(HERE / name), "-i", str(inventory)],
        env=environment(home, ANSIBLE_COLLECTIONS_PATH=collections, ANSIBLE_PIPELINING="1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    text = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(text)
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--looped", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--flavour", choices=FLAVOURS, default="mysql")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="dba-"))
    kind, service = FLAVOURS[options.flavour]
    collections = f"{os.environ['ANSIBLE_COLLECTIONS_PATH']}:{options.peer}"
    try:
        source, replica = Server(home, "shop", "--server", kind), Server(home, "azure", "--server", kind, "--service", service)
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {
            "datain_sources": {"shop": {**named(source), "datain_replication_user": "datain", "datain_replication_password": "x"}},
            "datain_replicas": {
                "azure": {**named(replica), "datain_source": "shop", "datain_service": service, "datain_login_tls": "required", "datain_accounts": ["acct*"]}
            },
        }
        inventory = home / "inventory.json"
        inventory.write_text(json.dumps({"all": {"vars": local, "children": {group: {"hosts": found} for group, found in hosts.items()}}}))
        for server in (source, replica):
            server.pipe(DATA)
        source.pipe(accounts(1, options.looped, options.flavour))
        created = playbook(home, inventory, "accounts_loop.yml", collections)
        looped = [playbook(home, inventory, "accounts_loop.yml", collections) for _run in range(options.runs)]
        source.pipe(accounts(options.looped + 1, options.accounts, options.flavour))
        piped, first, converged = [], [], []
        for _run in range(options.runs):
            replica.fresh()
            text = same_sql(source, replica, service)
            piped.append(replica.pipe(text, "admin_client"))
            replica.fresh()
            first.append(playbook(home, inventory, "accounts.yml", collections))
            converged.append(playbook(home, inventory, "accounts.yml", collections))
            if "changed=1" not in first[-1][2] or "changed=0" not in converged[-1][2]:
                raise SystemExit(first[-1][2] + converged[-1][2])
        report(options, created, looped, piped, first, converged, len(text.splitlines()))
    finally:
        Server.lab(source, "down", "--all")
        shutil.rmtree(home, ignore_errors=True)
    return 0


def named(server: Server) -> dict[str, object]:
    return {f"datain_{name}": value for name, value in server.login.items()}


def report(options, created, looped, piped, first, converged, sent) -> None:
    def middle(runs, part):
        return statistics.median(run[part] for run in runs)

    scale = options.accounts / options.looped
    loop, ours, apply, client = middle(looped, 0), middle(converged, 0), middle(first, 0), statistics.median(piped)
    print(f"{options.flavour}, median of {options.runs}; {sent} statements make {options.accounts} accounts\n")
    print("| | accounts | wall s | CPU s |\n|---|---|---|---|")
    print(f"| loop of mysql_user, creating, once | {options.looped} | {created[0]:.1f} | {created[1]:.1f} |")
    print(f"| loop of mysql_user, converged | {options.looped} | {loop:.1f} | {middle(looped, 1):.1f} |")
    print(f"| the same, scaled | {options.accounts} | {loop * scale:.0f} | {middle(looped, 1) * scale:.0f} |")
    print(f"| role accounts, converged | {options.accounts} | {ours:.2f} | {middle(converged, 1):.2f} |")
    print(f"| the same SQL through the client | {options.accounts} | {client:.2f} | |")
    print(f"| role accounts, first apply | {options.accounts} | {apply:.2f} | {middle(first, 1):.2f} |")
    print(f"\nConverged: {loop * scale / ours:.0f} × faster than the loop. First apply: {apply / client:.2f} × the client.")


if __name__ == "__main__":
    sys.exit(main())
