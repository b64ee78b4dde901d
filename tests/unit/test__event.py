# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of an applier, and listings of a binary log, as servers write them."""

from __future__ import annotations

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._event import (
    EventGroup,
    FailedEvent,
    begins_bare,
    failed_event,
    group_at,
    gtids_in,
    next_file,
)
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Coordinates

AT = Coordinates("binlog.000003", 157)
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
ERRORS = {
    "8.0, rows": (
        f"Worker 1 failed executing transaction '{UUID}:23' at source log binlog.000003, end_log_pos 451; Could not execute Write_rows event on table"
        " shop.item; Duplicate entry '1' for key 'item.PRIMARY', Error_code: 1062; handler error HA_ERR_FOUND_DUPP_KEY;"
        " the event's source log FIRST, end_log_pos 451",
        FailedEvent("shop.item", "Write_rows", f"{UUID}:23", None, Coordinates("binlog.000003", 451)),
    ),
    "8.0, a statement": (
        "Worker 1 failed executing transaction 'ANONYMOUS' at source log binlog.000003, end_log_pos 300; Error 'Multiple primary key defined' on query."
        " Default database: 'shop'. Query: 'ALTER TABLE item ADD PRIMARY KEY (id)'",
        FailedEvent(None, "query", None, "shop", Coordinates("binlog.000003", 300)),
    ),
    "8.0, no table": (
        "Worker 1 failed executing transaction 'ANONYMOUS' at source log binlog.000003, end_log_pos 300; Error executing row event:"
        " 'Table 'shop.item' doesn't exist'",
        FailedEvent("shop.item", "row event", None, None, Coordinates("binlog.000003", 300)),
    ),
    "MariaDB, rows": (
        "Could not execute Delete_rows_v1 event on table shop.item; Can't find record in 'item', Error_code: 1032; handler error HA_ERR_KEY_NOT_FOUND;"
        " the event's master log mysql-bin.000001, end_log_pos 771",
        FailedEvent("shop.item", "Delete_rows_v1", None, None, Coordinates("mysql-bin.000001", 771)),
    ),
    "MariaDB, a place that is none": (
        "Could not execute Write_rows_v1 event on table shop.item; the event's master log FIRST, end_log_pos 0",
        FailedEvent("shop.item", "Write_rows_v1"),
    ),
    "nothing": ("Fatal error", FailedEvent()),
}


@pytest.mark.parametrize("message, expected", ERRORS.values(), ids=ERRORS)
def test_what_an_error_tells(message: str, expected: FailedEvent) -> None:
    assert failed_event(message) == expected


def listing(*events: tuple[str, int, str]) -> list[dict]:
    starts = (AT.position, *(end for _kind, end, _info in events))
    return [{"Log_name": AT.file, "Pos": at, "Event_type": kind, "End_log_pos": end, "Info": info} for at, (kind, end, info) in zip(starts, events)]


OWN = f"SET @@SESSION.GTID_NEXT= '{UUID}:23'"
GROUPS = {
    "MySQL, rows": (
        (("Anonymous_Gtid", 236, "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'"), ("Query", 311, "BEGIN"), ("Table_map", 370, "table_id: 108 (shop.item)"),
         ("Write_rows", 420, "table_id: 108 flags: STMT_END_F"), ("Xid", 451, "COMMIT /* xid=9 */"), ("Query", 900, "BEGIN")),
        EventGroup(AT, Coordinates(AT.file, 451), None, ("shop.item",)),
    ),
    "MySQL, a statement": (
        (("Gtid", 236, OWN), ("Query", 400, "use `shop`; ALTER TABLE item ADD PRIMARY KEY (id) /* xid=7 */"), ("Xid", 500, "")),
        EventGroup(AT, Coordinates(AT.file, 400), f"{UUID}:23"),
    ),
    "MySQL, compressed": ((("Gtid", 236, OWN), ("Transaction_payload", 450, "compression='ZSTD'")), EventGroup(AT, Coordinates(AT.file, 450), f"{UUID}:23")),
    "5.6, statements": (
        (("Query", 200, "BEGIN"), ("Intvar", 220, "INSERT_ID=1"), ("Query", 300, "use `shop`; INSERT ..."), ("Query", 350, "COMMIT")),
        EventGroup(AT, Coordinates(AT.file, 350), None),
    ),
    "MariaDB, rows": (
        (("Binlog_checkpoint", 160, "x"), ("Gtid", 200, "BEGIN GTID 0-1-17"), ("Annotate_rows", 240, "INSERT"), ("Table_map", 280, "table_id: 18 (shop.item)"),
         ("Write_rows_v1", 300, "table_id: 18"), ("Xid", 331, "COMMIT")),
        EventGroup(AT, Coordinates(AT.file, 331), "0-1-17", ("shop.item",)),
    ),
    "MariaDB, a statement": ((("Gtid", 200, "GTID 0-1-18"), ("Query", 300, "use `shop`; DROP TABLE x")), EventGroup(AT, Coordinates(AT.file, 300), "0-1-18")),
    "longer than what was read": (
        (("Gtid", 200, "BEGIN GTID 0-1-17"), ("Table_map", 280, "table_id: 18 (shop.item)")), EventGroup(AT, None, "0-1-17", ("shop.item",)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("events, expected", GROUPS.values(), ids=GROUPS)
def test_the_next_transaction(events: tuple, expected: EventGroup) -> None:
    assert group_at(AT, listing(*events)) == expected


def test_ends_that_are_not_told_in_the_transaction() -> None:
    events = listing(("Gtid", 200, "BEGIN GTID 0-1-17"), ("Table_map", 280, "table_id: 18 (shop.item)"), ("Xid", 331, "COMMIT"), ("Gtid", 400, "GTID 0-1-18"))
    told = [{**event, "End_log_pos": 0} for event in events]
    assert group_at(AT, told) == EventGroup(AT, Coordinates(AT.file, 331), "0-1-17", ("shop.item",))
    assert group_at(AT, told[:3]) == EventGroup(AT, None, "0-1-17", ("shop.item",))


def test_nothing_comes_next() -> None:
    assert group_at(AT, []) is None
    assert group_at(AT, listing(("Rotate", 200, "binlog.000004;pos=4"))) is None


def test_the_log_goes_on_in_the_next_file() -> None:
    assert next_file(listing(("Rotate", 200, "binlog.000004;pos=4"))) == Coordinates("binlog.000004", 4)
    assert next_file(listing(("Stop", 200, ""))) is None
    assert next_file(listing(("Query", 200, "BEGIN"))) is None


@pytest.mark.parametrize("place, held", [((3, 157), False), ((3, 158), True), ((3, 451), True), ((3, 452), False), ((4, 158), False)])
def test_what_a_transaction_holds(place: tuple[int, int], held: bool) -> None:
    group = EventGroup(AT, Coordinates(AT.file, 451), None)
    assert group.holds(Coordinates(f"binlog.{place[0]:06d}", place[1])) is held
    assert not EventGroup(AT, None, None).holds(Coordinates(AT.file, 158))
    assert not group.holds(Coordinates("other.000003", 158))


TAGGED = f"{UUID}:audit:7"
HEAD = (("Format_desc", 200, "Server ver: 9.7.4, Binlog ver: 4"), ("Previous_gtids", 240, f"{UUID}:1-22"))


def test_gtids_in_a_log() -> None:
    rows = listing(
        *HEAD,
        ("Gtid", 300, OWN),
        ("Query", 350, "BEGIN"),
        ("Xid", 400, "COMMIT"),
        ("Gtid_tagged_log_event", 450, f"SET @@SESSION.GTID_NEXT= '{TAGGED}'"),
        ("Query", 500, "DROP TABLE t"),
        ("Anonymous_Gtid", 550, "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'"),
        ("Query", 600, "DROP TABLE u"),
    )
    assert list(gtids_in(rows)) == [(240, f"{UUID}:23"), (400, TAGGED), (500, None)]
    assert not list(gtids_in(listing(*HEAD)))


@pytest.mark.parametrize(
    "events, bare",
    [(HEAD, False), ((), False), ((*HEAD, ("Gtid", 300, OWN)), False), ((*HEAD, ("Query", 300, "BEGIN")), True), ((("Rotate", 300, "b.2;pos=4"),), False)],
)
def test_a_log_of_before_gtids(events: tuple, bare: bool) -> None:
    assert begins_bare(listing(*events)) == bare
