# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An applier stops: status says at what and what mends it, and exactly the transaction that somebody names is left out."""

from __future__ import annotations

import re
import time

import pytest

from .test_replica_link import FLAVOURS, PASSWORD, Pair

SETTINGS = {"mysql-gtid": ("mysql-8.0.33", "mysql_flexible_server", "--set", "gtid_mode=ON")}
ENTRY = re.compile(r"datain_skip: \[\{(position|gtid): '([^']+)', error: (\d+), reason: \.\.\.\}\]")


@pytest.fixture(params=[*FLAVOURS, *SETTINGS])
def linked(request, lab, perform):
    server, service, *words = SETTINGS.get(request.param) or FLAVOURS[request.param]
    source = lab(f"link-{request.param}", server, *words)
    replica = lab(f"link-{request.param}-az", server, "--service", service, *words)
    replica.reset()
    source.reset()
    pair = Pair(source, replica, service, perform)
    pair.prepare()
    pair.by_gtid = bool(words)
    start = pair.end()
    if pair.by_gtid:
        start = {"gtid": source.value("SELECT @@GLOBAL.gtid_executed")}
        replica.gtid_reset(start["gtid"])
    result = pair.link(coordinates=start, **({"method": "gtid"} if pair.by_gtid else {}))
    assert not result.get("failed"), result
    return pair


def on_replica(pair, text):
    """Do as root what nobody should: something on the replica of which the source knows nothing."""
    pair.replica.sql(f"SET sql_log_bin=0; {text}")


def stops(pair, *, but=None):
    """Wait until the applier stands, at another place than before where one is given; return the error as status tells it."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        link = pair.info()["link"]
        if link["state"] == "applier_error" and link["applier_error"]["position"] != but:
            return link["applier_error"]
        time.sleep(0.1)
    raise AssertionError(f"the applier did not stop: {link}")


def entry_of(refused, **other):
    """Take the entry out of what a refusal prints, as an operator does."""
    assert refused["failed"] and refused["row"] == 20, refused
    kind, place, code = ENTRY.search(refused["hint"]).groups()
    return {kind: place, "error": int(code), "reason": "looked at, ticket 4711", **other}


def arrived(pair, number):
    deadline = time.monotonic() + 10
    question = f"SELECT COUNT(*) FROM shop.t WHERE id = {number}"
    while pair.replica.value(question) != "1" and time.monotonic() < deadline:
        time.sleep(0.1)
    return pair.replica.value(question) == "1"


def test_exactly_what_is_named_is_left_out(linked):
    on_replica(linked, "INSERT INTO shop.t VALUES (5), (7);")
    # The second is one transaction: left out as a whole, or not at all.
    five, six, seventy, seven, eight = (f"INSERT INTO shop.t VALUES ({number});" for number in (5, 6, 70, 7, 8))
    linked.source.sql(f"{five} {six} BEGIN; {seventy} {seven} COMMIT; {eight}")
    told = stops(linked)
    assert (told["code"], told["table"]) == (1062, "shop.t") and told["event"].startswith("Write_rows")
    assert "there already" in told["cause"] and "shop.t" in told["remedy"]
    first = entry_of(linked.link())
    assert ("gtid" in first) == linked.by_gtid

    for wrong in ({**first, "error": 1032}, {"position": "binlog.000999:4", "error": 1062, "reason": "elsewhere"}):
        assert linked.link(skip=[wrong])["row"] == 20
        assert [row[0] for row in linked.replica.sql("SELECT id FROM shop.t ORDER BY id")] == ["1", "2", "5", "7"]

    planned = linked.link(check_mode=True, skip=[first])
    assert planned["changed"] and [step["action"] for step in planned["actions"]] == ["skip", "start"]
    assert stops(linked)["position"] == told["position"]

    # One entry passes one transaction: the next error stops it as the first did.
    refused = linked.link(skip=[first])
    if not ENTRY.search(refused["hint"]):
        # Several workers: the position lags behind what is applied, and the counter would meet another transaction.
        assert not linked.mariadb and not linked.by_gtid and arrived(linked, 6) and "replica_parallel_workers" in refused["hint"]
        linked.replica.sql("SET GLOBAL replica_parallel_workers=0; START REPLICA SQL_THREAD;")
        stops(linked)
        refused = linked.link(skip=[first])
    second = entry_of(refused)
    assert second != first and arrived(linked, 6) and not arrived_now(linked, 70)
    result = linked.link(skip=[first, second])
    assert result["changed"] and not result.get("failed"), result
    assert linked.running() == ("Yes", "Yes") and arrived(linked, 8)
    assert [row[0] for row in linked.replica.sql("SELECT id FROM shop.t ORDER BY id")] == ["1", "2", "5", "6", "7", "8"]
    again = linked.link(skip=[first, second])
    assert not again["changed"] and again["row"] == 16

    recorded = linked.info()["records"]["skip"]["entries"]
    assert [(known["phase"], known["reason"], known["tables"]) for known in recorded] == [("done", "looked at, ticket 4711", ["shop.t"])] * 2


def arrived_now(pair, number):
    return pair.replica.value(f"SELECT COUNT(*) FROM shop.t WHERE id = {number}") == "1"


@pytest.mark.parametrize("linked", ["mysql", "mysql-gtid", "mariadb"], indirect=True)
def test_a_run_that_died_after_the_call_is_finished_by_the_next(linked):
    on_replica(linked, "INSERT INTO shop.t VALUES (5);")
    linked.source.sql("INSERT INTO shop.t VALUES (5); INSERT INTO shop.t VALUES (6);")
    stops(linked)
    entry = entry_of(linked.link())
    argument = f"('{entry['gtid']}')" if linked.by_gtid else ""
    linked.replica.as_admin(f"CALL mysql.az_replication_skip_{'gtid_transaction' if linked.by_gtid else 'counter'}{argument}")
    result = linked.link(skip=[entry])
    assert result["changed"] and not result.get("failed"), result
    assert linked.running() == ("Yes", "Yes") and arrived(linked, 6)
    assert [row[0] for row in linked.replica.sql("SELECT id FROM shop.t ORDER BY id")] == ["1", "2", "5", "6"]


# What was done on the replica, what the source does, and what status is to say: number, table, event.
CASES = {
    "a row that is not there": ("DELETE FROM shop.t WHERE id = 1", "DELETE FROM shop.t WHERE id = 1", 1032, "shop.t", "Delete_rows"),
    "a table that is not there": ("DROP TABLE shop.gone", "INSERT INTO shop.gone VALUES (1)", 1146, "shop.gone", None),
    "a table that cannot go": ("SELECT 1", "DROP TABLE shop.gone", 1051, "shop.gone", "query"),
    "a table that cannot come": ("CREATE TABLE shop.new (id INT)", "CREATE TABLE shop.new (id INT)", 1050, None, "query"),
    "a key of its own": (
        "ALTER TABLE shop.keyless ADD COLUMN my_row_id BIGINT AUTO_INCREMENT PRIMARY KEY",
        "ALTER TABLE shop.keyless ADD PRIMARY KEY (id)",
        1068, None, "query",
    ),
    "an account": ("CREATE USER eve@'%'", "CREATE USER eve@'%' IDENTIFIED BY 'Unlike-any-0815'", 1396, None, "query"),
}  # fmt: skip


# slave_ddl_exec_mode is IDEMPOTENT: a DROP of what is not there passes, and a CREATE replaces what is.
NOT_ON_MARIADB = ("a table that cannot go", "a table that cannot come")


def without_filter(pair):
    """Take away what keeps statements about accounts from the replica."""
    if pair.mariadb:
        pair.replica.sql("STOP SLAVE; SET GLOBAL replicate_wild_ignore_table=''; START SLAVE;")
    else:
        # With several workers the position may lag behind at the moment of the error, and then no entry is offered.
        one_worker = "" if pair.by_gtid else "SET GLOBAL replica_parallel_workers=0;"
        pair.replica.sql(
            f"STOP REPLICA SQL_THREAD; {one_worker} CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE=(); START REPLICA SQL_THREAD;"
        )


def with_filter(pair):
    if pair.mariadb:
        pair.replica.sql("STOP SLAVE; SET GLOBAL replicate_wild_ignore_table='mysql.%'; START SLAVE;")
    else:
        pair.replica.sql("STOP REPLICA SQL_THREAD; CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE=('mysql.%'); START REPLICA SQL_THREAD;")


def test_every_stop_is_told_and_can_be_passed(linked):
    linked.source.sql("CREATE TABLE shop.gone (id INT); CREATE TABLE shop.keyless (id INT NOT NULL);")
    assert linked.arrives(3)
    without_filter(linked)
    entries, place, number = [], None, 100
    cases = {name: case for name, case in CASES.items() if not (linked.mariadb and name in NOT_ON_MARIADB)}
    for name, (before, statement, code, table, event) in cases.items():
        on_replica(linked, f"{before};")
        linked.source.sql(f"{statement};")
        told = stops(linked, but=place)
        place = told["position"]
        assert (told["code"], told["table"]) == (code, table), (name, told)
        assert told["cause"] and told["remedy"] and (event is None or told["event"].startswith(event)), (name, told)
        refused = linked.link(skip=entries)
        assert "Unlike-any-0815" not in str(refused) and "$A$005$" not in str(refused), name
        entries.append(entry_of(refused))
        result = linked.link(skip=entries)
        assert not result.get("failed") and result["changed"], (name, result)
        number += 1
        assert linked.arrives(number), name
    with_filter(linked)
    assert linked.running() == ("Yes", "Yes") and PASSWORD not in str(linked.info())
    assert len(linked.info()["records"]["skip"]["entries"]) == len(cases)


@pytest.mark.parametrize(
    "entry",
    [
        {"error": 1062, "reason": "neither"},
        {"error": 1062, "reason": "both", "position": "binlog.000001:4", "gtid": "0-1-1"},
        {"error": 1062, "reason": " ", "gtid": "0-1-1"},
        {"error": 1062, "reason": "a range", "gtid": "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9"},
        {"error": 1062, "reason": "no place", "position": "the next one"},
    ],
)
@pytest.mark.parametrize("linked", ["mariadb"], indirect=True)
def test_an_entry_that_is_none_stops_before_anything_is_touched(linked, entry):
    result = linked.link(skip=[entry])
    assert result["failed"] and result["error"]["kind"] == "input", result
    assert linked.running() == ("Yes", "Yes")
