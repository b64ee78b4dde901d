# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of servers for the tests of a playbook: each is started when it is first asked for, and all are taken down."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from cuts.pair import LAB, Pair, Server

# What a session may send that is to change nothing. Everything else is a write, also what nobody has thought of.
_READS = re.compile(
    r"(?:SHOW\b|XA RECOVER\b|SET NAMES\b|SET SESSION sql_mode=\?, time_zone=\?, lock_wait_timeout=N, group_concat_max_len=N\Z"
    r"|SELECT (?!.*(?:\bINTO\b|GET_LOCK\(|FOR UPDATE))|SET STATEMENT max_statement_time=N FOR SELECT\b)",
    re.I | re.S,
)


class Workshop:
    """Makes pairs, each in a folder of its own below one short path."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="don-"))
        self.pairs: dict[tuple[str, int], Pair] = {}

    def pair(self, flavour: str, replicas: int = 1) -> Pair:
        if (flavour, replicas) not in self.pairs:
            self.pairs[flavour, replicas] = Pair(flavour, self.home / f"{flavour}{replicas}", replicas, f"{flavour}{replicas}", self.home / "lab")
        pair = self.pairs[flavour, replicas]
        pair.fresh()
        pair.write_inventory()
        shutil.rmtree(pair.home / "report", ignore_errors=True)
        return pair

    def close(self) -> None:
        for pair in self.pairs.values():
            for server in pair.servers:
                server.hang_up()
            subprocess.run([sys.executable, LAB, "down", "--all"], env=pair.lab_environment, check=False)
        shutil.rmtree(self.home, ignore_errors=True)


@contextlib.contextmanager
def workshop() -> t.Iterator[Workshop]:
    """Open a workshop, and take everything down at the end."""
    shop = Workshop()
    try:
        yield shop
    finally:
        shop.close()


def asked(pair: Pair, server: Server) -> tuple[int, list[str]]:
    """How many sessions a run had with a server, and every statement of them, by that server's own log."""
    ours, _others = pair.sessions(server)
    return len(ours), [statement for statements in ours.values() for statement in statements]


def writes(statements: t.Iterable[str]) -> list[str]:
    """The statements that may have changed something."""
    return [statement for statement in statements if not _READS.match(statement)]
