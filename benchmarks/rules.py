#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all rules cost on a source of many tables, against bare scans and against the vendor's query for primary keys.

benchmarks/rules.py [--server mysql-8.0.33] [--tables 10000] [--engine InnoDB] [--runs 3] [--alone]

The contestants take turns, so that all see the same machine; medians are printed, and ratios are what counts. Statements are
counted by the server. With --alone only the rules are asked, for numbers of tables that the others take hours for; tables of
the engine MEMORY are made faster than those of InnoDB, and are as many to look at.
Needs the development shell: eval "$(make -s install-dev)".
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":")[0])

from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Connection, Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._facts_read import read_facts
from ansible_collections.datain.azure_mysql.plugins.module_utils._prerequisites import desired_from, evaluate
from ansible_collections.datain.azure_mysql.plugins.module_utils._server import Server

LAB = ROOT / "tests" / "lab"
SERVICES = {"mysql": "mysql_flexible_server", "mariadb": "mariadb_server"}
# Every row and every column, as a tool without a plan of its own reads them.
SCANS = ("SELECT * FROM information_schema.TABLES", "SELECT * FROM information_schema.STATISTICS")
# The query of the vendor's page on latency, in our words.
VENDOR = """
SELECT t.TABLE_SCHEMA, t.TABLE_NAME FROM information_schema.TABLES t
LEFT JOIN information_schema.TABLE_CONSTRAINTS c
ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND c.CONSTRAINT_TYPE = 'PRIMARY KEY'
WHERE c.CONSTRAINT_TYPE IS NULL AND t.TABLE_SCHEMA NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') AND t.TABLE_TYPE = 'BASE TABLE'
"""


class Bench:
    """A source and a managed server in a lab of their own."""

    def __init__(self, server: str, home: str) -> None:
        self.environment = dict(os.environ, DATAIN_LAB_DIR=home)
        flavour = server.partition("-")[0]
        self.source = self.lab("up", "many", "--server", server, "--json")
        self.replica = self.lab("up", "managed", "--server", server, "--service", SERVICES[flavour], "--json")
        self.service = SERVICES[flavour]

    def lab(self, *words: str) -> dict:
        done = subprocess.run([sys.executable, str(LAB), *words], env=self.environment, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout) if "--json" in words else {}

    def sql(self, text: str) -> str:
        words = [*self.source["client"], "-N", "-B"]
        return subprocess.run(words, input=text, env=self.environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    def make(self, tables: int, first: int = 1, engine: str = "InnoDB") -> None:
        """Small tables, every 500th without a primary key; a few at a time, since the memory of this process is a figure."""
        for begin in range(first, tables + 1, 1000):
            lines = ["SET sql_log_bin = 0; SET GLOBAL innodb_flush_log_at_trx_commit = 2; CREATE DATABASE IF NOT EXISTS many; USE many;"]
            for number in range(begin, min(begin + 1000, tables + 1)):
                key = "" if number % 500 == 0 else " PRIMARY KEY"
                lines.append(f"CREATE TABLE t{number} (id INT NOT NULL{key}, a INT, b VARCHAR(20), KEY (a)) ENGINE={engine};")
            self.sql("\n".join(lines))

    def session(self, state: dict) -> Connection:
        user, password = state["admin_user"], state["admin_password"]
        tls = "preferred" if state["tls"] else "disabled"
        return Connection(Login("source", state["host"], user, password, port=state["port"], tls=tls, read_timeout=900))

    def rules(self) -> None:
        """All rules on both servers, connections included."""
        source, replica = Server(self.session(self.source)), Server(self.session(self.replica))
        desired = desired_from({"service": self.service, "replication_user": "datain", "link_host": "db.example.com"})
        findings = evaluate(read_facts(source, replica, desired, limit=900))
        keyless = next(finding for finding in findings if finding.rule == "schema.no_primary_key")
        if keyless.status == "unknown":
            raise SystemExit(f"the tables were not looked at: {keyless}")
        source.close()
        replica.close()

    def scan(self, *queries: str) -> None:
        session = self.session(self.source)
        for query in queries:
            session.rows(query, step="scan")
        session.close()

    def questions(self) -> int:
        return int(self.sql("SHOW GLOBAL STATUS LIKE 'Questions'").split()[1])

    def statements(self) -> int:
        """Return how many statements the source is asked."""
        before = self.questions()
        idle = self.questions() - before
        before = self.questions()
        self.rules()
        return self.questions() - before - idle


def timed(what) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="mysql-8.0.33")
    parser.add_argument("--tables", type=int, default=10000)
    parser.add_argument("--engine", default="InnoDB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    home = tempfile.mkdtemp(prefix="dir-")
    bench = Bench(options.server, home)
    try:
        bench.make(10, engine=options.engine)
        few = bench.statements()
        memory_few = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        bench.make(options.tables, 11, options.engine)
        print(f"{time.monotonic() - began:.0f} s to make the tables", flush=True)
        many = bench.statements()
        memory_many = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"{options.server}: {few} statements on the source with 10 tables, {many} with {options.tables}; peak {memory_few} kB, then {memory_many} kB\n")
        contestants = {"all rules": bench.rules}
        if not options.alone:
            contestants |= {"bare scans": lambda: bench.scan(*SCANS), "vendor's query": lambda: bench.scan(VENDOR)}
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for _turn in range(options.runs):
            for name, what in contestants.items():
                times[name].append(timed(what))
        walls = {name: statistics.median(values) for name, values in times.items()}
        print(f"| median of {options.runs} | wall s | all rules take |\n|---|---|---|")
        for name, wall in walls.items():
            print(f"| {name} | {wall:.2f} | {walls['all rules'] / wall:.2f} × |")
    finally:
        bench.lab("down", "--all")
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
