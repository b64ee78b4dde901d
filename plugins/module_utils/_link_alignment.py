# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Whether a MySQL replica that follows by position may go on by GTID: row 11 of the table in docs/link-states.md. Changes nothing.

By GTID it fetches what the source has executed and the replica does not count as executed, wherever that stands in the log. That is what
comes after its place, neither more nor less, where nothing before the place is lacking and nothing after it is counted already. Only
what comes after the place is read from the log, and what comes before it is all else that the source has executed: so nothing is taken
for granted about the order of GTIDs, about several origins, or about how the link came about, and a replica that has nearly caught
up is judged in few statements.
"""

from __future__ import annotations

import typing as t

from ._connection import Row
from ._errors import ConnectionLost, StatementError
from ._event import begins_bare, gtids_in
from ._link_model import Alignment
from ._link_start import log_gap
from ._model import Channel, Coordinates
from ._server import EVENTS_READ, Server

# How many events are looked through: the link stands still meanwhile.
EVENTS_MOST = 20 * EVENTS_READ
# So much of a set of GTIDs is told.
_TOLD = 300
_STEP = "read the GTIDs that come after what is applied"
_CATCH_UP = "run again when the replica has caught up"


class Standing(t.NamedTuple):
    """Where a link stood that has gone, in the words of a channel."""

    applied: Coordinates | None
    gtid_executed: str | None
    stopped: bool = True


class _Unproven(Exception):
    """What comes after a place cannot be told by GTIDs."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.found = Alignment(problem, hint)


def alignment(source: Server, replica: Server, channel: Channel | Standing) -> Alignment:
    """Tell whether the link may go on by GTID at what it has applied.

    On a link that runs, all but one thing is proven: what has been applied since its place was read is after that place and counted, as
    it should be. The order of reading keeps the rest true there: the place before the source's set, that before its log, and
    what the replica counts last.

    :param channel: as it was read just now
    """
    place = channel.applied
    if place is None:
        return Alignment("the replica does not say what it has applied")
    try:
        _end, executed = source.binlog_end()
        files = source.binlog_files()
        gap = log_gap(place, files)
        if gap:
            return Alignment(gap, _CATCH_UP)
        after = as_set(_logged(source, place, files))
    except _Unproven as unproven:
        return unproven.found
    except (StatementError, ConnectionLost) as error:
        return Alignment(f"the source's log cannot be read: {error.message}", "see that the login to the source has REPLICATION SLAVE, and run again")
    return _compare(replica, channel, executed or "", after)


def _logged(source: Server, place: Coordinates, files: dict[str, int]) -> t.Iterator[str]:
    """List the GTIDs from a place up to where the log ended when its files were listed.

    A link by GTID breaks at the first transaction without one in any file that it reads, and it may begin with the file of the place.
    A change of gtid_mode begins a new file, so the one that is written to has none; an older one is read from its beginning.

    :raises _Unproven: a transaction has no GTID, or there are too many of them
    """
    begun = None
    names = sorted((name for name in files if Coordinates(name, 4).number >= place.number), key=lambda name: Coordinates(name, 4).number)
    left = EVENTS_MOST
    for name in names:
        at = place if name == place.file == names[-1] else Coordinates(name, 4)
        begun, first = begun or at, True
        while at.position < files[name]:
            if left <= 0:
                raise _Unproven(f"the source has logged more than {EVENTS_MOST} events from {begun} on, too many to be looked through", _CATCH_UP)
            rows = source.events(at, _STEP)
            if not rows:
                break
            yield from _gtids(rows, place, first)
            left -= len(rows)
            at, first = Coordinates(name, int(rows[-1]["End_log_pos"])), False


def _gtids(rows: list[Row], place: Coordinates, first: bool) -> t.Iterator[str]:
    bare = first and begins_bare(rows)
    for begin, gtid in gtids_in(rows):
        if gtid is None:
            bare = True
        elif Coordinates(rows[0]["Log_name"], begin).order >= place.order:
            yield gtid
    if bare:
        raise _Unproven(
            f"{rows[0]['Log_name']} of the source has transactions without a GTID, at which a link by GTID breaks",
            f"FLUSH BINARY LOGS on the source, and {_CATCH_UP}",
        )


def as_set(gtids: t.Iterable[str]) -> str:
    """Write GTIDs, also tagged ones, as one set."""
    numbers: dict[str, list[str]] = {}
    for gtid in gtids:
        origin, _colon, number = gtid.rpartition(":")
        numbers.setdefault(origin, []).append(number)
    return ",".join(f"{origin}:{':'.join(found)}" for origin, found in numbers.items())


def _compare(replica: Server, channel: Channel | Standing, executed: str, after: str) -> Alignment:
    """Compare what the replica counts as executed with what the source has executed before and after the place.

    :param executed: what the source has executed, read after the place
    :param after: what its log holds after the place, read after that
    """
    counted = channel.gtid_executed or ""
    row = replica.connection.rows(
        "SELECT GTID_SUBTRACT(GTID_SUBTRACT(%s, %s), @@GLOBAL.gtid_executed) AS lacking,"
        " GTID_SUBTRACT(%s, GTID_SUBTRACT(%s, %s)) AS ahead,"
        " GTID_SUBTRACT(GTID_SUBTRACT(GTID_SUBTRACT(%s, %s), %s), CONCAT(@@GLOBAL.server_uuid, ':1-9223372036854775806')) AS strange",
        (executed, after, after, after, counted, counted, executed, after),
        step="compare the GTIDs executed here with the source's log",
    )[0]
    if row["lacking"]:
        return Alignment(
            f"the replica does not count {_told(row['lacking'])} as executed, which the source executed before {channel.applied}: "
            "by GTID they would be fetched again"
        )
    if row["strange"]:
        return Alignment(
            f"the replica counts {_told(row['strange'])} as executed, which the source has not: what it writes under these GTIDs would be left out"
        )
    if row["ahead"] and channel.stopped:
        return Alignment(
            f"the replica counts {_told(row['ahead'])} as executed, which the source logged after {channel.applied}: they would be left out", _CATCH_UP
        )
    return Alignment()


def _told(gtids: str) -> str:
    text = "".join(str(gtids).split())
    return text if len(text) <= _TOLD else f"{text[:_TOLD]}…"
