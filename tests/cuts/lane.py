# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of servers on which one case after the other is cut, mended and judged."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
import typing as t
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cuts.hook.cut_words import words
from cuts.pair import PROGRAMS, Pair, Server, Writer, difference
from cuts.playbook import ONBOARD, Run, environment
from cuts.relay import Relay

HERE = Path(__file__).resolve().parent
DRIVER, CLIENTS = ("source", "replica"), ("dump", "load")
MODES = ("before", "after", "lost")

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
    """A pair with everything around it that can cut a run."""

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
        self.undisturbed: dict[str, t.Any] = {}

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

    def play(self, name: str, case: Case | None = None, *words: str, limit: str = "") -> Run:
        """Run the playbook once, cut at a case or not at all."""
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
        self.warm.start([ONBOARD, "-i", str(self.pair.inventory), *words], output, DATAIN_CUT_DIR=str(self.cut_dir))
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
        self.pair.fresh()
        self.pair.watch(table=True)
        run = self.play("count")
        if run.status:
            raise RuntimeError(f"the undisturbed run fails: {run.tail}")
        self._settle()
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
        self.pair.fresh()
        self.pair.watch()
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
        self.undisturbed = self.pair.state()

    def cut(self, case: Case) -> Outcome:
        """Run a case; where the statement did not come by, once more, since polls are not always as many."""
        began = time.monotonic()
        outcome = Outcome(case)
        for attempt in (1, 2, 3):
            outcome = Outcome(case, tries=attempt)
            with contextlib.ExitStack() as stack:
                if self._try(case, outcome, stack):
                    break
        else:
            outcome.wrong.append("never fired: this statement did not come by in three runs")
        outcome.seconds = time.monotonic() - began
        return outcome

    def _try(self, case: Case, outcome: Outcome, stack: contextlib.ExitStack) -> bool:
        """Cut, look, mend, look, run a third time. Return whether the cut came to be."""
        pair = self.pair
        pair.fresh()
        pair.watch()
        logs = {server.name: server.log_size() for server in pair.servers}
        source_before = pair.source.end()
        writer = Writer(pair.source)
        stopped = False
        try:
            first = self.play("first", case)
            if not self._fired(case, first):
                return False
            if case.mode == "after" and not self._arrived(case, logs):
                outcome.notes.append("killed before the server had it: cut again")
                return False
            outcome.wrong += self._death(case, first, outcome)
            trouble = self._settle()
            if trouble:
                outcome.wrong.append(trouble)
            outcome.wrong += [f"after the cut: {text}" for text in self.invariants(source_before)]
            second = self.play("second")
            writer.stop()
            stopped = True
            if second.status:
                outcome.wrong.append(f"the second run failed ({second.status}): {second.tail}")
                return True
            outcome.wrong += [f"after the second run: {text}" for text in self.end_state(logs)]
            third = self.play("third")
            if third.status or third.changed or not third.recap:
                outcome.wrong.append(f"the third run: status {third.status}, changed={third.changed}: {third.tail}")
            return True
        finally:
            if not stopped:
                writer.stop()

    def _fired(self, case: Case, run: Run) -> bool:
        if case.side in CLIENTS:
            return self.relays[case.side].fired
        return any(entry["cut"] for entry in run.journal)

    def _arrived(self, case: Case, logs: dict[str, int]) -> bool:
        """Whether the server's own log holds the statement."""
        server = self.pair.source if case.side in ("source", "dump") else self.pair.replica
        wanted = _head(case.words)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if any(_head(text) == wanted for text in log_statements(server.logged(logs[server.name]))):
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

    def invariants(self, source_before: tuple[str, int]) -> list[str]:
        """What holds at any moment, whatever was cut."""
        pair, wrong = self.pair, []
        grants = pair.grants()
        hosts = pair.source.sql(f"SELECT COUNT(*) FROM mysql.user WHERE user = '{pair.user}'")[0][0]
        bare = f"GRANT USAGE ON *.* TO `{pair.user}`@`%`"
        # An account is made by two statements: not there, there with no right at all, or whole.
        if grants not in (None, [bare], self.undisturbed["source"]["grants"]):
            wrong.append(f"the account is of no allowed state: {grants}")
        if int(hosts) > 1:
            wrong.append(f"the account is there {hosts} times")
        if grants is not None and not pair.source.login_works(pair.user, pair.password):
            wrong.append("the account does not take its password")
        if pair.source.status():
            wrong.append("the source has a channel of its own")
        if _order(pair.source.end()) < _order(source_before):
            wrong.append(f"the source's log went back from {source_before} to {pair.source.end()}")
        strangers = [row for row in pair._account(pair.source) if row not in self.undisturbed["source"]["accounts"] and row[0] != pair.user]
        if strangers:
            wrong.append(f"accounts that nobody asked for: {strangers}")
        return wrong + self._link_invariants()

    def _link_invariants(self) -> list[str]:
        pair = self.pair
        status, records = pair.replica.status(), pair.records()
        if not status:
            return []
        seed = records.get("seed") or {}
        if seed.get("phase") != "complete":
            return [f"there is a link, and the seed is {seed.get('phase')}"]
        wrong = []
        wanted = {"Master_Host": "127.0.0.1", "Master_Port": str(pair.source.port), "Master_User": pair.user}
        wrong += difference(wanted, {name: status.get(name) for name in wanted}, "link")
        if not records.get("link"):
            wrong.append("there is a link, and no intent was recorded before it")
        if status.get("Slave_SQL_Running") == "No" and status.get("Slave_IO_Running") == "No":
            start = seed["start"]
            if self.flavour == "mysql" and [status["Relay_Master_Log_File"], status["Exec_Master_Log_Pos"]] != [start["file"], str(start["position"])]:
                wrong.append(f"the link stands at {status['Relay_Master_Log_File']}:{status['Exec_Master_Log_Pos']}, the seed at {start}")
            if self.flavour == "mariadb" and pair.replica.value("SELECT @@GLOBAL.gtid_slave_pos") != start["gtid"]:
                wrong.append(f"the link stands at {pair.replica.value('SELECT @@GLOBAL.gtid_slave_pos')}, the seed at {start}")
        return wrong

    def end_state(self, logs: dict[str, int]) -> list[str]:
        """What is not as the undisturbed run leaves it."""
        pair = self.pair
        trouble = pair.catch_up()
        if trouble:
            return [trouble]
        wrong = difference(self.undisturbed, pair.state())
        for text in difference(pair.rows(pair.source), pair.rows(pair.replica), "rows"):
            wrong.append(text)
        start = (pair.records().get("seed") or {}).get("start") or {}
        wanted = start.get("gtid") if self.flavour == "mariadb" else f"{start.get('file')}:{start.get('position')}"
        calls = link_calls(pair.replica.logged(logs[pair.replica.name]))
        if not calls:
            wrong.append("the log of the replica holds no call that made the link")
        wrong += [f"the link was made at {call}, the seed was taken at {wanted}" for call in calls if call != wanted]
        return wrong


_ENTRY = re.compile(r"^[^\t\n]*\t+ *\d+ ([A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)*)\t", re.M)


def log_statements(text: str) -> list[str]:
    """The statements of a general log in a file; a line that begins no entry goes on with the one before."""
    found = []
    entries = list(_ENTRY.finditer(text))
    for entry, following in zip(entries, [*entries[1:], None]):
        rest = text[entry.end(): following.start() if following else len(text)].rstrip()
        if entry.group(1) in ("Query", "Init DB"):
            found.append(words(rest) if entry.group(1) == "Query" else f"command 2 {rest}")
    return found


def link_calls(text: str) -> list[str]:
    """The coordinates of every call that made a link."""
    by_gtid = re.findall(r"CALL mysql\.az_replication_change_master_with_gtid\('[^']*', *'[^']*', *(?:'(?:[^'\\]|\\.)*'|<secret>), *\d+, *'([^']*)'", text)
    by_position = re.findall(r"CALL mysql\.az_replication_change_master\('[^']*', *'[^']*', *(?:'(?:[^'\\]|\\.)*'|<secret>), *\d+, *'([^']*)', *(\d+)", text)
    return by_gtid + [f"{file}:{position}" for file, position in by_position]


def _head(text: str) -> str:
    """The part of a statement that a server's log does not write anew."""
    return " ".join(text.replace("`", "").split()[:3])[:40]


def _order(end: tuple[str, int]) -> tuple[int, int]:
    return int(end[0].rpartition(".")[2]), end[1]
