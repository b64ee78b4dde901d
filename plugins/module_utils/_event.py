# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Which event stopped an applier: what its error says of it, and what the source's log holds at the place where it stopped. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ._model import Coordinates

# What stands between transactions in a log and belongs to none.
_BETWEEN = frozenset(("format_desc", "previous_gtids", "gtid_list", "binlog_checkpoint", "start_encryption", "rotate", "stop"))
_GTID_EVENTS = frozenset(("gtid", "anonymous_gtid", "gtid_tagged_log_event"))
_STATEMENTS = frozenset(("query", "query_compressed"))
_ENDS = frozenset(("xid", "xa_prepare", "transaction_payload"))
_GTID = re.compile(r"GTID_NEXT= *'([^']+:\d+)'|\bGTID (\d+-\d+-\d+)", re.I)

_WORDS: dict[str, tuple[str, ...]] = {
    "table": (r"event on table ([^;]+)", r"'Table '(.+?)' doesn't exist'", r"Unknown table '(.+?)'", r"table '([^']+)' doesn't exist"),
    "event": (r"Could not execute (\w+) event", r"(?:Error executing) (row event)", r"on (query)\. Default database"),
    "gtid": (r"transaction '([0-9a-fA-F-]{36}:(?:\w+:)?\d+)'",),
    "schema": (r"Default database: '([^']*)'",),
}
_PLACE = re.compile(r"(?:master|source) log (\S+), end_log_pos (\d+)", re.I)


@dataclass(frozen=True)
class FailedEvent:
    """What the words of an error tell of its event; None is what they do not tell.

    :param event: ``Write_rows`` and the like, or ``query``
    :param end: where the event ends in the source's log
    """

    table: str | None = None
    event: str | None = None
    gtid: str | None = None
    schema: str | None = None
    end: Coordinates | None = None


def failed_event(message: str) -> FailedEvent:
    """Read an applier's error, as MySQL 5.6 to 9 and MariaDB word it."""
    found = {name: next((match[1] for match in (re.search(pattern, message) for pattern in patterns) if match), None) for name, patterns in _WORDS.items()}
    ends = [(file, int(position)) for file, position in _PLACE.findall(message) if re.fullmatch(r".+\.\d+", file) and int(position) >= 4]
    return FailedEvent(**found, end=Coordinates(*ends[0]) if ends else None)


@dataclass(frozen=True)
class EventGroup:
    """One transaction, or one statement that is none, in a source's log.

    :param start: the place before it: what a replica has applied when this is next
    :param end: the place after it; None where it is longer than what was read
    :param tables: those that its row events change
    """

    start: Coordinates
    end: Coordinates | None
    gtid: str | None
    tables: tuple[str, ...] = ()

    def holds(self, place: Coordinates) -> bool:
        """Tell whether an event that ends there is part of it."""
        return self.end is not None and place.base == self.start.base and self.start.order < place.order <= self.end.order


def gtids_in(rows: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[tuple[int, str | None]]:
    """List where each transaction among some events of MySQL begins, with its GTID; None for one that has none."""
    for row in rows:
        if _kind(row) in _GTID_EVENTS:
            match = _GTID.search(str(row["Info"]))
            yield int(row["Pos"]), match[1] if match else None


def begins_bare(rows: t.Iterable[t.Mapping[str, t.Any]]) -> bool:
    """Tell whether the first transaction does without the event that is about its GTID, as in MySQL 5.6 without GTIDs."""
    return next((_kind(row) not in _GTID_EVENTS for row in rows if _kind(row) not in _BETWEEN), False)


def next_file(rows: t.Sequence[t.Mapping[str, t.Any]]) -> Coordinates | None:
    """Return where the log goes on, if what was read is nothing but the end of a file."""
    if any(_kind(row) not in _BETWEEN for row in rows):
        return None
    turns = [re.match(r"(.+\.\d+);pos=(\d+)", str(row["Info"])) for row in rows if _kind(row) == "rotate"]
    return Coordinates(turns[-1][1], int(turns[-1][2])) if turns and turns[-1] else None


def group_at(at: Coordinates, rows: t.Sequence[t.Mapping[str, t.Any]]) -> EventGroup | None:
    """Return the first transaction among the events that SHOW BINLOG EVENTS lists from a place on; None where there is none."""
    events = [row for row in rows if _kind(row) not in _BETWEEN]
    if not events:
        return None
    gtid, tables, inside = None, [], False
    for number, row in enumerate(events):
        kind, info = _kind(row), str(row["Info"] or "")
        if kind in _GTID_EVENTS:
            match = _GTID.search(info)
            gtid = (match[1] or match[2]) if match else None
            inside = info.upper().startswith("BEGIN")
        elif kind == "table_map":
            tables += re.findall(r"\((.+)\)", info)
        elif kind in _ENDS or (kind in _STATEMENTS and _closes(info, inside)):
            return EventGroup(at, _end(at.file, events[number:]), gtid, tuple(dict.fromkeys(tables)))
        elif kind in _STATEMENTS:
            inside = True
    return EventGroup(at, None, gtid, tuple(dict.fromkeys(tables)))


def _end(file: str, events: t.Sequence[t.Mapping[str, t.Any]]) -> Coordinates | None:
    """Return where the first of some events ends; MariaDB 11.8 says 0 of what it wrote by way of a cache, and where the next begins."""
    places = [int(events[0]["End_log_pos"]), *(int(row["Pos"]) for row in events[1:2])]
    return next((Coordinates(file, place) for place in places if place >= 4), None)


def _kind(row: t.Mapping[str, t.Any]) -> str:
    return str(row["Event_type"]).lower().replace(" ", "_")


def _closes(statement: str, inside: bool) -> bool:
    """Tell whether a statement ends its transaction: COMMIT does, and one outside of any is its own."""
    if inside:
        return statement.upper() in ("COMMIT", "ROLLBACK")
    return statement.upper() != "BEGIN" and not statement.upper().startswith("XA START")
