#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What making a link again costs: time without a running receiver, and bytes that are fetched a second time.

benchmarks/relink.py [--runs 5] [--flavour mysql|mariadb]

A pair of the lab is linked, and `onboard` then moves the link to and fro between two accounts: while nothing is written, under
load, and under load with a backlog in the relay logs. The replica's own client looks at the link all the time; what it sees is
exact to one such look, whose length is printed too.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
import subprocess
import sys
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests"))

from cuts.load import DATA, Load
from cuts.pair import FLAVOURS, Pair, Server
from cuts.playbook import play
from cuts.workshop import workshop

ACCOUNTS = (("first", "Pa55-one"), ("second", "Pa55-two"))
# How long the applier is held up where there is to be a backlog.
HELD = 4.0
SCENES = ("nothing is written", "under load", "under load, with a backlog")


@dataclass
class Look:
    """What the replica said of its link at one moment."""

    at: float
    user: str
    receiver: str
    applier: str
    read: tuple[str, int]
    applied: tuple[str, int]


class Watcher:
    """Asks for the state of a link as often as it is answered, in a session of its own."""

    def __init__(self, replica: Server) -> None:
        self._replica = Server(replica.state, replica.environment)
        self.looks: list[Look] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.is_set():
            at, status = time.monotonic(), self._replica.status()
            read = status["Master_Log_File"], int(status["Read_Master_Log_Pos"])
            applied = status["Relay_Master_Log_File"], int(status["Exec_Master_Log_Pos"])
            self.looks.append(Look(at, status["Master_User"], status["Slave_IO_Running"], status["Slave_SQL_Running"], read, applied))
        self._replica.hang_up()

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *why: object) -> None:
        self._stop.set()
        self._thread.join()

    def without_receiver(self) -> float:
        """Seconds from the first look at which the receiver did not run to the first one after it at which it did."""
        stopped = next(index for index, look in enumerate(self.looks) if look.receiver != "Yes")
        back = next(look for look in self.looks[stopped:] if look.receiver == "Yes")
        return back.at - self.looks[stopped].at

    def fetched_again(self, user: str, sizes: dict[str, int]) -> int:
        """Bytes of the source's log that the stopped link had received and not applied: the new one begins with them."""
        last = [look for look in self.looks if (look.user, look.receiver, look.applier) == (user, "No", "No")][-1]
        files = [name for name in sizes if last.applied[0] <= name < last.read[0]]
        return sum(sizes[name] for name in files) + last.read[1] - last.applied[1]

    def length(self) -> float:
        """Seconds that one look takes."""
        return statistics.median(later.at - earlier.at for earlier, later in zip(self.looks, self.looks[1:]))


@contextlib.contextmanager
def held_up(replica: Server) -> t.Iterator[None]:
    """Let the applier wait for a lock, so that the relay logs fill; it is let go a second after the block has begun."""
    holder = subprocess.Popen(
        [*replica.state["client"], "-e", f"LOCK TABLES shop.counter READ; SELECT SLEEP({HELD})"], stdout=subprocess.DEVNULL, env=replica.environment
    )
    time.sleep(HELD - 1)
    yield
    holder.wait()


def move(pair: Pair, turn: int, scene: str) -> dict[str, float]:
    """Move the link from one account to the other, and return what that cost."""
    (old, _password), (user, password) = ACCOUNTS[turn % 2], ACCOUNTS[(turn + 1) % 2]
    pair.write_inventory(source={"datain_replication_user": user, "datain_replication_password": password})
    load = Load(pair.source)
    with contextlib.ExitStack() as stack:
        if scene != SCENES[0]:
            stack.enter_context(load)
        if scene == SCENES[2]:
            stack.enter_context(held_up(pair.replica))
        watcher = stack.enter_context(Watcher(pair.replica))
        run = play(pair.home, pair.inventory)
    if run.status:
        raise SystemExit(run.text)
    # A backlog takes its time.
    until = time.monotonic() + 300
    while (trouble := pair.catch_up()) and time.monotonic() < until:
        pass
    if trouble or pair.rows(pair.source) != pair.rows(pair.replica):
        raise SystemExit(trouble or "the rows differ")
    sizes = {row[0]: int(row[1]) for row in pair.source.sql("SHOW BINARY LOGS")}
    return {
        "writes a second": load.rate,
        "without a receiver, ms": watcher.without_receiver() * 1000,
        "fetched again, kB": watcher.fetched_again(old, sizes) / 1000,
        "one look, ms": watcher.length() * 1000,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--flavour", choices=sorted(FLAVOURS))
    options = parser.parse_args()
    print(f"Median (largest) of {options.runs}:\n")
    heading = ("writes a second", "without a receiver, ms", "fetched again, kB", "one look, ms")
    print(f"| server | {' | '.join(('', *heading))} |\n|{'---|' * (len(heading) + 2)}")
    for flavour in [options.flavour] if options.flavour else FLAVOURS:
        with workshop() as shop:
            pair = shop.pair(flavour)
            user, password = ACCOUNTS[0]
            pair.write_inventory(source={"datain_replication_user": user, "datain_replication_password": password})
            run = play(pair.home, pair.inventory)
            if run.status:
                raise SystemExit(run.text)
            pair.source.sql(DATA)
            turns = itertools.count()
            for scene in SCENES:
                found = [move(pair, next(turns), scene) for _run in range(options.runs)]
                cells = [f"{statistics.median(row[name] for row in found):.0f} ({max(row[name] for row in found):.0f})" for name in heading]
                print(f"| {FLAVOURS[flavour][0]} | {' | '.join((scene, *cells))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
