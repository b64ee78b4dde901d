# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of servers on which one case after the other is cut, mended and judged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import typing as t
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cuts.journey import Journey, log_statements
from cuts.onboard import Onboard
from cuts.pair import PROGRAMS, Pair, Server, Writer
from cuts.playbook import Run, environment
from cuts.relay import Relay
from cuts.rotate import Rotate

HERE = Path(__file__).resolve().parent
DRIVER, CLIENTS = ("source", "replica"), ("dump", "load")
MODES = ("before", "after", "lost")
JOURNEYS: dict[str, type[Journey]] = {"onboard": Onboard, "rotate": Rotate}

# What may be lost without the run failing: only what is sent after everything is done.
ABSORBED = ("SELECT RELEASE_LOCK",)
# What changes something on a server, or holds it up; the clients hide some of it in comments of a version.
_WRITES = re.compile(
    r"(?:/\*M?!N )?(?:CREATE|DROP|ALTER|INSERT|REPLACE|UPDATE|DELETE|TRUNCATE|RENAME|GRANT|REVOKE|CALL|SET GLOBAL|SET PERSIST|FLUSH|LOCK|KILL|CHANGE|RESET|STOP"
    r"|START (?:SLAVE|REPLICA)|LOAD)\b",
    re.I,
)


@dataclass(frozen=True, order=True)
class Case:
    """One cut: of which statement, and how. ``number`` is the statement's N in the undisturbed run."""

    number: int
    side: str
    words: str
    count: int
    mode: str

    @property
    def name(self) -> str:
        return f"{self.number} {self.mode} {self.side}: {self.words[:60]} ({self.count})"

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes it the same case in another version of the code, where the numbers are others."""
        return self.side, self.words, self.count, self.mode

    @property
    def writes(self) -> bool:
        return bool(_WRITES.match(self.words))


@dataclass
class Outcome:
    """What came of a case; it passed when nothing is wrong."""

    case: Case
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    tries: int = 1
    commit: str = ""

    def to_line(self, flavour: str) -> dict[str, t.Any]:
        return {
            "flavour": flavour,
            "case": asdict(self.case),
            "wrong": self.wrong,
            "notes": self.notes,
            "seconds": round(self.seconds, 2),
            "tries": self.tries,
            "commit": self.commit,
        }


class Warm:
    """ansible-playbook, started once and forked for each run; see warm.py."""

    def __init__(self, home: Path) -> None:
        self.home = home
        settings = environment(home, PYTHONPATH=str(HERE / "hook"))
        # It looks for a worker's end a thousand times a second; a hundred is enough.
        (home / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n")
        self.process = subprocess.Popen(
            [sys.executable, HERE / "warm.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=settings, cwd=home, start_new_session=True
        )

    def start(self, arguments: list[str], output: Path, **more: str) -> int:
        request = {"arguments": ["ansible-playbook", *arguments], "output": str(output), "environment": more}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()["pid"]

    def wait(self) -> int:
        return self._answer()["status"]

    def _answer(self) -> dict[str, int]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the forking ansible-playbook has died")
        return json.loads(line)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Lane:
    """A pair with everything around it that can cut a run.

    :ivar journey: what is cut; it is set before anything is counted
    """

    journey: Journey

    def __init__(self, flavour: str, home: Path, number: int = 1) -> None:
        self.flavour, self.home = flavour, home
        self.pair = Pair(flavour, home, name=f"{flavour}{number}")
        self.cut_dir = home / "cut"
        self.cut_dir.mkdir(exist_ok=True)
        self.output = home / "output"
        self.output.mkdir(exist_ok=True)
        self.sides = {"source": self.pair.source, "replica": self.pair.replica}
        self.relays = {"dump": self._relay("dump", self.pair.source), "load": self._relay("load", self.pair.replica)}
        self._wrap_clients()
        self.pair.write_inventory(replica={"datain_client_dir": str(home / "clients")})
        self.warm = Warm(home)
        self.users = tuple(server.state["admin_user"] for server in self.pair.servers)

    def take(self, journey: str) -> None:
        """Set out on a journey of this name."""
        self.journey = JOURNEYS[journey](self.pair, self.play)

    def close(self) -> None:
        self.warm.stop()
        self.pair.down()

    # The clients

    def _relay(self, side: str, server: Server) -> Relay:
        return Relay(side, server.port, Path(server.state["option_file"]).parent / "tls", self.home / f"{side}.pid")

    def _wrap_clients(self) -> None:
        """Put wrappers where the collection looks for clients: they say who they are, and go through the relay."""
        folder = self.home / "clients"
        folder.mkdir(exist_ok=True)
        for side, server in (("dump", self.pair.source), ("load", self.pair.replica)):
            for program in PROGRAMS[self.flavour][side]:
                real = Path(server.state["bin_dir"]) / program
                wrapper = folder / program
                wrapper.write_text(
                    "#!/bin/sh\n"
                    f'[ "$1" != --version ] || exec "{real}" --version\n'
                    f'echo "$$ $PPID" >"{self.home / side}.pid"\n'
                    f'first=$1\nshift\nexec "{real}" "$first" --port={self.relays[side].port} "$@"\n'
                )
                wrapper.chmod(0o755)

    # Runs

    def play(self, name: str, case: Case | None = None, *, playbook: str = "") -> Run:
        """Run a playbook once, that of the journey if none is named, cut at a case or not at all."""
        journal = self.cut_dir / "journal"
        journal.unlink(missing_ok=True)
        (self.cut_dir / "cut.json").unlink(missing_ok=True)
        for side, relay in self.relays.items():
            mine = case is not None and case.side == side
            relay.begin((case.words, case.count) if mine else None, case.mode if mine else "")
        if case and case.side in DRIVER:
            at = [str(self.sides[case.side].port), case.words, case.count]
            (self.cut_dir / "cut.json").write_text(json.dumps({"at": at, "mode": case.mode}))
        output = self.output / name
        began = time.monotonic()
        self.warm.start([playbook or self.journey.playbook, "-i", str(self.pair.inventory)], output, DATAIN_CUT_DIR=str(self.cut_dir))
        status = self.warm.wait()
        seconds = time.monotonic() - began
        entries = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
        by_port = {str(server.port): side for side, server in self.sides.items()}
        for entry in entries:
            entry["side"] = by_port.get(entry["side"], entry["side"])
        for side, relay in self.relays.items():
            entries += [{"side": side, "words": text, "count": count, "cut": None} for text, count in relay.seen]
            if relay.trouble:
                raise RuntimeError(f"the relay of the {side} client: {relay.trouble}")
        return Run(status, output.read_text(errors="replace"), seconds, entries)

    # Counting

    def count(self) -> tuple[list[tuple[str, str, int]], list[str]]:
        """Run once undisturbed; return every statement in order, and where a server's own log does not agree."""
        self.journey.begin()
        self.pair.watch(table=True)
        run = self.play("count")
        if run.status:
            raise RuntimeError(f"the undisturbed run fails: {run.tail}")
        self._settle()
        self.journey.arrived()
        found = [(entry["side"], entry["words"], entry["count"]) for entry in run.journal]
        return found, [text for server in ("source", "replica") for text in self._agree(server, found)]

    def _agree(self, side: str, found: list[tuple[str, str, int]]) -> list[str]:
        server = self.sides[side]
        mine = Counter(_head(text) for where, text, _count in found if where == side or (where, side) in (("dump", "source"), ("load", "replica")))
        logged: Counter[str] = Counter()
        sessions, excluded = self.pair.sessions(server)
        for statements in sessions.values():
            logged.update(_head(text) for text in statements)
        self.excluded = {**getattr(self, "excluded", {}), side: excluded}
        more, fewer = logged - mine, mine - logged
        return [f"{side}: the server logged {count} × {text!r} that nobody counted" for text, count in more.items()] + [
            f"{side}: {count} × {text!r} was counted, and the server did not log it" for text, count in fewer.items()
        ]

    def _settle(self) -> str | None:
        """Wait until what the dead have left behind on the servers has ended."""
        for server in self.pair.servers:
            if not server.idle(*self.users):
                left = server.sql("SELECT id, user, command, time, state, LEFT(info, 60) FROM information_schema.processlist")
                return f"sessions of the dead run are still there after a while: {left}"
        return None

    # One case

    def baseline(self) -> None:
        """Run undisturbed, under the same writes, and keep what that leaves."""
        self.journey.begin()
        writer = Writer(self.pair.source)
        try:
            run = self.play("baseline")
        finally:
            writer.stop()
        if run.status:
            raise RuntimeError(f"the undisturbed run fails: {run.tail}")
        trouble = self.pair.catch_up()
        if trouble:
            raise RuntimeError(trouble)
        self.journey.keep()
        self.journey.arrived()

    def cut(self, case: Case) -> Outcome:
        """Run a case; where the statement did not come by, once more, since polls are not always as many."""
        began = time.monotonic()
        outcome = Outcome(case)
        for attempt in (1, 2, 3):
            outcome = Outcome(case, tries=attempt)
            if self._try(case, outcome):
                break
        else:
            outcome.wrong.append("never fired: this statement did not come by in three runs")
        if not outcome.wrong:
            self.journey.arrived()
        outcome.seconds = time.monotonic() - began
        return outcome

    def _try(self, case: Case, outcome: Outcome) -> bool:
        """Cut, look, mend, look, run a third time. Return whether the cut came to be."""
        journey = self.journey
        journey.begin()
        journey.watch()
        writer = Writer(self.pair.source)
        try:
            first = self.play("first", case)
            if not self._fired(case, first):
                return False
            if case.mode == "after" and not self._arrived(case):
                outcome.notes.append("killed before the server had it: cut again")
                return False
            outcome.wrong += self._death(case, first, outcome)
            trouble = self._settle()
            if trouble:
                outcome.wrong.append(trouble)
            outcome.wrong += [f"after the cut: {text}" for text in journey.invariants()]
            second = self.play("second")
        finally:
            writer.stop()
        if second.status:
            outcome.wrong.append(f"the second run failed ({second.status}): {second.tail}")
            return True
        outcome.wrong += [f"after the second run: {text}" for text in journey.end_state()]
        third = self.play("third")
        if third.status or third.changed or not third.recap:
            outcome.wrong.append(f"the third run: status {third.status}, changed={third.changed}: {third.tail}")
        return True

    def _fired(self, case: Case, run: Run) -> bool:
        if case.side in CLIENTS:
            return self.relays[case.side].fired
        return any(entry["cut"] for entry in run.journal)

    def _arrived(self, case: Case) -> bool:
        """Whether the server's own log holds the statement."""
        server = self.pair.source if case.side in ("source", "dump") else self.pair.replica
        wanted = _head(case.words)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if any(_head(text) == wanted for text in log_statements(server.logged(self.journey.logs[server.name]))):
                return True
            time.sleep(0.1)
        return False

    def _death(self, case: Case, run: Run, outcome: Outcome) -> list[str]:
        """What is wrong with how the run ended."""
        if case.mode == "group":
            return [] if run.status < 0 else [f"ansible-playbook outlived its own killing: {run.status}"]
        if case.mode in ("before", "after"):
            if not run.status:
                return ["a worker was killed, and ansible-playbook says that all is well"]
            return [] if "dead state" in run.text else [f"ansible-playbook does not report the dead worker: {run.tail}"]
        if run.status:
            return [] if run.recap and "Traceback" not in run.text else [f"the failure is not told as one: {run.tail}"]
        if case.words.startswith(ABSORBED) or case.side in CLIENTS and not case.writes:
            outcome.notes.append("the run went on to its end")
            return []
        if any(entry["cut"] and entry["user"] == self.pair.user for entry in run.journal if "user" in entry):
            # Only a certificate that is shown and refused is proof of a wrong CA.
            outcome.notes.append("a trial login with the replication account; the run went on to its end")
            return []
        return ["the answer was lost, and the run says that all is well"]


def _head(text: str) -> str:
    """The part of a statement that a server's log does not write anew."""
    return " ".join(text.replace("`", "").split()[:3])[:40]
