# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a source's log before a link by position goes on by GTID, and what is made of it. The sets are compared by real servers only."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _link_alignment
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import ConnectionLost, StatementError
from ansible_collections.datain.azure_mysql.plugins.module_utils._link_alignment import alignment, as_set
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Coordinates

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
NOTHING = {"lacking": "", "ahead": "", "strange": ""}
# Each transaction is one event for its GTID and one more, of 100 bytes each; a number is its GTID's, None is one without.
HEAD = 200


class Source:
    """A source whose log is given as the numbers of the transactions in each file."""

    def __init__(self, chunk: int = 3, **files: list) -> None:
        self.chunk, self.asked = chunk, 0
        self.logs = {f"binlog.{name[1:]}": self.events_of(f"binlog.{name[1:]}", numbers) for name, numbers in files.items()}

    @staticmethod
    def events_of(file: str, numbers: list) -> list[dict]:
        events = [("Format_desc", 4, HEAD, "")]
        for number in numbers:
            at = events[-1][2]
            gtid = "ANONYMOUS" if number is None else f"{UUID}:{number}"
            kind = "Query" if number == "bare" else "Anonymous_Gtid" if number is None else "Gtid"
            events += [(kind, at, at + 100, f"SET @@SESSION.GTID_NEXT= '{gtid}'"), ("Query", at + 100, at + 200, "DROP TABLE t")]
        return [{"Log_name": file, "Event_type": kind, "Pos": at, "End_log_pos": end, "Info": info} for kind, at, end, info in events]

    def binlog_end(self) -> tuple:
        return None, f"{UUID}:1-9"

    def binlog_files(self) -> dict[str, int]:
        return {name: rows[-1]["End_log_pos"] for name, rows in self.logs.items()}

    def events(self, at: Coordinates, step: str) -> list[dict]:
        del step
        self.asked += 1
        return [row for row in self.logs[at.file] if row["Pos"] >= at.position][: self.chunk]


class Replica:
    """A replica that answers a comparison with what it is given, and keeps what it was asked."""

    def __init__(self, **answer: str) -> None:
        self.answer = {**NOTHING, **answer}
        self.connection = self
        self.given: tuple = ()

    def rows(self, statement: str, given: tuple, step: str) -> list[dict]:
        del statement, step
        self.given = given
        return [self.answer]


def at(file: int, position: int, stopped: bool = True) -> SimpleNamespace:
    return SimpleNamespace(applied=Coordinates(f"binlog.{file:06}", position), stopped=stopped, gtid_executed=f"{UUID}:1-4")


@pytest.mark.parametrize(
    "place, after",
    [
        ((2, HEAD), "3:4:5:6"),
        ((2, HEAD + 200), "4:5:6"),
        ((2, HEAD + 800), ""),
        ((1, HEAD + 200), "2:3:4:5:6"),
        ((1, HEAD + 400), "3:4:5:6"),
    ],
)
def test_what_comes_after_a_place(place: tuple, after: str) -> None:
    replica = Replica()
    assert not alignment(Source(f000001=[1, 2], f000002=[3, 4, 5, 6]), replica, at(*place)).problem
    assert replica.given[1] == (f"{UUID}:{after}" if after else "")


@pytest.mark.parametrize(
    "files, place, aligned",
    [
        # Before the place, in the file of it or in older ones: a link by GTID begins with the file that is written to.
        ({"f000001": [None, None], "f000002": [1, 2]}, (2, HEAD + 200), True),
        ({"f000002": [None, 2, 3], "f000003": [4]}, (3, HEAD), True),
        ({"f000002": [None, 2, 3], "f000003": [4]}, (2, HEAD + 400), False),
        ({"f000002": ["bare", 2, 3], "f000003": [4]}, (2, HEAD + 400), False),
        # After it, by an event of its own or, in MySQL 5.6, by none.
        ({"f000002": [1, None]}, (2, HEAD + 200), False),
        ({"f000002": [1], "f000003": ["bare"], "f000004": [2]}, (2, HEAD), False),
    ],
)
def test_a_transaction_without_a_gtid(files: dict, place: tuple, aligned: bool) -> None:
    found = alignment(Source(chunk=2, **files), Replica(), at(*place))
    assert bool(found.problem) != aligned
    assert aligned or ("without a GTID" in found.problem and "FLUSH BINARY LOGS" in found.hint)


def test_too_much_to_look_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_link_alignment, "EVENTS_MOST", 6)
    source = Source(f000002=list(range(1, 9)))
    found = alignment(source, Replica(), at(2, HEAD))
    assert "more than 6 events" in found.problem and "caught up" in found.hint and source.asked == 2
    assert not alignment(Source(f000002=[1, 2, 3]), Replica(), at(2, HEAD)).problem


@pytest.mark.parametrize("place", [(1, HEAD), (2, 90000)])
def test_a_place_that_the_source_does_not_have(place: tuple) -> None:
    found = alignment(Source(f000002=[1]), Replica(), at(*place))
    assert "no longer has" in found.problem or "beyond the end" in found.problem


def test_a_replica_that_does_not_say_where_it_is() -> None:
    assert alignment(Source(f000002=[1]), Replica(), SimpleNamespace(applied=None, stopped=True, gtid_executed=None)).problem


@pytest.mark.parametrize("error", [StatementError("Access denied; you need REPLICATION SLAVE"), ConnectionLost("gone away")])
def test_a_log_that_cannot_be_read(error: Exception) -> None:
    source = Source(f000002=[1])

    def events(place: Coordinates, step: str) -> list:
        raise error

    source.events = events
    found = alignment(source, Replica(), at(2, HEAD))
    assert "cannot be read" in found.problem and found.hint


@pytest.mark.parametrize("stopped", [True, False])
@pytest.mark.parametrize(
    "answer, says",
    [({"lacking": f"{UUID}:1-3"}, "fetched again"), ({"strange": f"{UUID}:50-60"}, "which the source has not"), ({"ahead": f"{UUID}:4"}, "logged after")],
)
def test_sets_that_do_not_fit(answer: dict, says: str, stopped: bool) -> None:
    found = alignment(Source(f000002=[1]), Replica(**answer), at(2, HEAD, stopped))
    if "ahead" in answer and not stopped:
        assert not found.problem
    else:
        assert says in found.problem and next(iter(answer.values())) in found.problem


def test_a_long_set_is_cut() -> None:
    found = alignment(Source(f000002=[1]), Replica(lacking=",\n".join([f"{UUID}:1-3"] * 50)), at(2, HEAD))
    assert len(found.problem) < 600 and "…" in found.problem and "\n" not in found.problem


def test_a_set_of_gtids() -> None:
    assert as_set([]) == ""
    assert as_set([f"{UUID}:3", f"{UUID}:audit:7", f"{UUID}:5"]) == f"{UUID}:3:5,{UUID}:audit:7"
