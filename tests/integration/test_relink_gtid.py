# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 11 of the table on MySQL: a link by position goes on by GTID where that is proven, and is left alone where it is not."""

from __future__ import annotations

import re
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.playbook import play
from cuts.workshop import asked, workshop, writes

from .test_relink import ACCOUNT, changed_over, gtids_on, method_of, replaced
from .test_replica_link import Pair

SERVICE = "mysql_flexible_server"
TO_GTID = {"method": "gtid", "relink": True}


class Plain(Pair):
    """A pair whose TLS no client of today speaks."""

    def prepare(self):
        super().prepare()
        self.source.sql("ALTER USER datain@'%' REQUIRE NONE")

    def options(self, **other):
        return super().options(**{"source": self.source.login(login_tls="disabled"), "link_ca": "", **other})

    def login(self, **other):
        return self.replica.login(login_tls="disabled", **other)


@pytest.fixture(params=["mysql-5.7", "mysql-8.0.33", "mysql-9.7"])
def without(request, lab, perform):
    """A pair that has no GTIDs yet, linked by position."""
    return linked(lab, perform, request.param, "OFF")


@pytest.fixture
def pair(lab, perform):
    """A pair that has had GTIDs from the start, linked by position: the replica has the data of the source, and counts its own GTIDs."""
    return linked(lab, perform, "mysql-8.0.33", "ON")


def linked(lab, perform, server, mode):
    name, switch = f"gtid-{mode}-{server}".lower().replace(".", "-"), ("--set", f"gtid_mode={mode}")
    source, replica = lab(name, server, *switch), lab(f"{name}-az", server, "--service", SERVICE, *switch)
    made = (Pair if source.state["client_tls"] else Plain)(source, replica, SERVICE, perform)
    made.replica.reset()
    made.source.reset()
    made.prepare()
    result = made.link(coordinates=made.end())
    assert not result.get("failed"), result
    assert method_of(made) == "position"
    return made


def aligned(pair):
    """Let the replica count what it has, as the control plane does, and link it by position where it was."""
    end, executed = pair.end(), executed_by(pair.source)
    pair.replica.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_remove_master; DROP DATABASE IF EXISTS datain_state")
    pair.replica.gtid_reset(executed)
    result = pair.link(coordinates=end)
    assert not result.get("failed"), result


def executed_by(server):
    return server.value("SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')")


def session(pair):
    """The link's session on the source: one that was stopped in between is another."""
    return pair.source.sql("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")


def refused(pair, says, threads=("Yes", "Yes")):
    """Look that the plan and the run refuse with the same words, and that nobody has stopped anything."""
    before = session(pair)
    planned, result = (pair.link(check_mode=check_mode, **TO_GTID) for check_mode in (True, False))
    assert result["failed"] and result["row"] == 11 and says in result["msg"] and result["hint"], result
    # A row is there a moment before the status tells the place after it.
    first, second = (re.sub(r"\.\d{6}:\d+", "", told["msg"]) for told in (planned, result))
    assert first == second
    assert pair.running() == threads and method_of(pair) == "position" and session(pair) == before and len(before) == 1
    return result


def test_gtids_were_switched_on_while_it_ran(without):
    pair = without
    assert pair.arrives(10)
    refused(pair, "gtid_mode is OFF on the source and OFF on the replica")
    gtids_on(pair)
    # What the replica does not take counts as executed all the same.
    pair.source.sql(ACCOUNT.format(name="second", password="rotated-1"))
    changed_over(pair, "gtid")
    # The log of before the switch may go, and the link may log in again.
    pair.source.purge()
    pair.replica.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
    assert pair.arrives(99) and pair.rows()[0] == pair.rows()[1]
    changed_over(pair, "position")
    changed_over(pair, "gtid")
    assert pair.arrives(100) and pair.rows()[0] == pair.rows()[1]


def test_transactions_without_a_gtid_are_still_in_the_way(without):
    """GTIDs are on, and the applier has not come to the end of what was written without: by GTID, nobody would give it that again."""
    pair = without
    assert pair.arrives(10)
    word = "REPLICA" if pair.since(pair.replica, 8, 0, 22) else "SLAVE"
    pair.replica.sql(f"STOP {word} SQL_THREAD")
    for server in (pair.source, pair.replica):
        server.sql("SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL gtid_mode = OFF_PERMISSIVE")
    pair.source.sql("INSERT INTO shop.t VALUES (20)")
    for server in (pair.replica, pair.source):
        server.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON")
    pair.source.sql("INSERT INTO shop.t VALUES (21)")
    result = refused(pair, "without a GTID", threads=("Yes", "No"))
    assert "FLUSH BINARY LOGS" in result["hint"]
    pair.replica.sql(f"SET GLOBAL gtid_mode = ON_PERMISSIVE; START {word}")
    assert pair.arrives(22) and pair.rows()[0] == pair.rows()[1]
    pair.replica.sql("SET GLOBAL gtid_mode = ON")
    changed_over(pair, "gtid")


def test_what_the_seed_had_is_never_fetched_again(pair):
    seeded = executed_by(pair.source)
    assert pair.arrives(10)
    result = refused(pair, f"does not count {seeded} as executed")
    assert "fetched again" in result["msg"] and "datain_reseed" in result["hint"] and "datain_link_method: position" in result["hint"]
    # Nor where the source has purged it, which would end in 1236.
    pair.source.sql("FLUSH BINARY LOGS")
    assert pair.arrives(11)
    pair.source.purge()
    refused(pair, f"does not count {seeded} as executed")
    assert pair.arrives(12) and pair.rows()[0] == pair.rows()[1]


@pytest.mark.parametrize("wanted", ["gtid", "auto"])
def test_a_link_that_went_does_not_come_back_by_gtid_either(pair, wanted):
    """With high availability on only the GTID procedure is left, and ``auto`` takes it."""
    seeded = executed_by(pair.source)
    assert pair.arrives(10)
    assert pair.link(state="absent")["changed"]
    pair.source.sql("INSERT INTO shop.t VALUES (11)")
    put_back = (lambda: None) if wanted == "gtid" else replaced(pair.replica, "mysql.az_replication_change_master", None)
    try:
        result = pair.link(method=wanted)
        assert result["failed"] and result["row"] == 11 and f"does not count {seeded} as executed" in result["msg"], result
        assert pair.status() == {}
    finally:
        put_back()
    assert pair.link(method="position")["row"] == 5 and pair.arrives(12) and pair.rows()[0] == pair.rows()[1]


def test_a_link_that_went_comes_back_by_gtid_where_that_is_proven(pair):
    aligned(pair)
    assert pair.arrives(10)
    assert pair.link(state="absent")["changed"]
    pair.source.sql("INSERT INTO shop.t VALUES (11)")
    result = pair.link(method="gtid")
    assert result["row"] == 5 and method_of(pair) == "gtid" and pair.arrives(12), result
    assert pair.rows()[0] == pair.rows()[1]


def test_what_the_seed_had_is_counted(pair):
    aligned(pair)
    changed_over(pair, "gtid")
    assert pair.arrives(12) and pair.rows()[0] == pair.rows()[1]


@pytest.mark.parametrize("server", ["mysql-8.0.33", "mysql-9.7"])
def test_gtids_in_no_order_and_of_several_origins(lab, perform, server):
    """A number far ahead, those below it after it, another server's, and from 8.3 on one with a tag; half before the place, half after."""
    pair = linked(lab, perform, server, "ON")
    aligned(pair)
    uuid = pair.source.value("SELECT @@server_uuid")
    tagged = "AUTOMATIC:audit" if pair.since(pair.source, 8, 3) else "AUTOMATIC"

    def written(number):
        ahead = (f"{uuid}:{5000 - number}", f"11111111-2222-3333-4444-555555555555:{1000 - number}", tagged)
        for place, gtid in enumerate(ahead):
            pair.source.sql(f"SET GTID_NEXT = '{gtid}'; INSERT INTO shop.t VALUES ({number + place}); SET GTID_NEXT = 'AUTOMATIC'")
        pair.source.sql(f"INSERT INTO shop.t VALUES ({number + 3})")

    written(100)
    assert pair.arrives(110)
    pair.link(state="stopped")
    written(200)
    result = pair.link(**TO_GTID)
    assert result["row"] == 14 and result["changed"] and method_of(pair) == "gtid", result
    assert pair.arrives(210) and pair.rows()[0] == pair.rows()[1] and len(pair.rows()[0]) == 12
    assert pair.replica.value(f"SELECT GTID_SUBSET('{executed_by(pair.source)}', @@GLOBAL.gtid_executed)") == "1"


def test_what_the_source_will_write_counts_already(pair):
    aligned(pair)
    uuid = pair.source.value("SELECT @@server_uuid")
    pair.replica.sql(f"SET GTID_NEXT = '{uuid}:5000'; BEGIN; COMMIT; SET GTID_NEXT = 'AUTOMATIC'")
    result = refused(pair, f"counts {uuid}:5000 as executed, which the source has not")
    assert "left out" in result["msg"]


def test_what_only_the_stopped_link_shows_lets_it_go_on(pair):
    """A transaction that the applier has not come to counts already: while it runs nobody can tell that from one that it has applied."""
    aligned(pair)
    assert pair.arrives(10)
    uuid, number = executed_by(pair.source).rpartition(":")[::2]
    last = int(number.rpartition("-")[2])
    holder = threading.Thread(target=pair.replica.sql, args=("LOCK TABLES shop.t READ; SELECT SLEEP(10); UNLOCK TABLES",))
    holder.start()
    time.sleep(0.5)
    pair.source.sql("INSERT INTO shop.t VALUES (20)")
    pair.source.sql("CREATE TABLE shop.other (id INT PRIMARY KEY)")
    pair.replica.sql(f"SET GTID_NEXT = '{uuid}:{last + 2}'; BEGIN; COMMIT; SET GTID_NEXT = 'AUTOMATIC'")
    before = session(pair)
    planned = pair.link(check_mode=True, **TO_GTID)
    assert planned["changed"] and planned["row"] == 14
    result = pair.link(**TO_GTID)
    holder.join()
    assert result["failed"] and f"counts {uuid}:{last + 2} as executed, which the source logged after" in result["msg"], result
    assert "goes on as it was" in result["msg"] and result["hint"]
    assert method_of(pair) == "position" and pair.running() == ("Yes", "Yes") and session(pair) != before
    assert pair.arrives(21) and pair.rows()[0] == pair.rows()[1]


RELINK = ("--extra-vars", "datain_relink=true")


def test_the_playbook_tells_the_plan_and_does_it_once():
    with workshop() as shop:
        pair = shop.pair("mysql")
        made = play(pair.home, pair.inventory)
        assert made.status == 0, made.text
        for server in pair.servers:
            server.sql("SET GLOBAL enforce_gtid_consistency = ON")
        for mode in ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"):
            for server in (pair.replica, pair.source):
                server.sql(f"SET GLOBAL gtid_mode = {mode}")
            assert pair.catch_up() is None
        pair.write_inventory(replica={"datain_link_method": "gtid"})
        plain = play(pair.home, pair.inventory)
        assert plain.status != 0 and "link.row_11" in plain.text and "datain_relink" in plain.text, plain.text
        pair.watch(table=True)
        planned = play(pair.home, pair.inventory, "--check", "--diff", *RELINK)
        assert planned.status == 0 and "method 'position' is to be 'gtid'" in planned.text, planned.text
        for server in pair.servers:
            statements = asked(pair, server)[1]
            assert statements and not writes(statements)
        assert pair.replica.status()["Auto_Position"] == "0"
        run = play(pair.home, pair.inventory, *RELINK)
        assert run.status == 0 and run.changed, run.text
        assert pair.replica.status()["Auto_Position"] == "1" and pair.catch_up() is None and pair.rows(pair.replica) == pair.rows(pair.source)
        again = play(pair.home, pair.inventory)
        assert again.status == 0 and again.changed == 0, again.text
