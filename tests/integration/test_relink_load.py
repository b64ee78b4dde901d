# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link is made again while its source takes 500 writes a second and the replica applies them with eight workers.

Rows 11 to 14 of the table. Both servers are compared at a common position, by their own clients.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.door import Door
from cuts.load import DATA, TABLES, Load

from .test_relink import gtids_on, method_of
from .test_replica_link import FLAVOURS, Pair

RATE = 500
# Nothing waits for the disk: what counts is how many writes there are, and in which order the workers finish them.
QUICK = ("--set", "sync_binlog=0", "--set", "innodb_flush_log_at_trx_commit=2")
# Workers that overtake each other as far as the server lets them.
SOURCE = {"mysql": ("--set", "binlog_transaction_dependency_tracking=WRITESET"), "mariadb": ()}
WORKERS = {
    "mysql": ("--set", "replica_parallel_workers=8", "--set", "replica_parallel_type=LOGICAL_CLOCK", "--set", "replica_preserve_commit_order=OFF"),
    "mariadb": ("--set", "slave_parallel_threads=8", "--set", "slave_parallel_mode=optimistic"),
}
ASK_WORKERS = {
    "mysql": "SELECT @@replica_parallel_workers, @@replica_parallel_type",
    "mariadb": "SELECT @@slave_parallel_threads, @@slave_parallel_mode",
}
ACCOUNT = "CREATE USER {name}@'%' IDENTIFIED BY '{password}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO {name}@'%'"


@pytest.fixture(scope="module", params=FLAVOURS)
def linked(request, lab, perform):
    flavour, (server, service) = request.param, FLAVOURS[request.param]
    source = lab(f"load-{flavour}", server, *QUICK, *SOURCE[flavour])
    replica = lab(f"load-{flavour}-az", server, "--service", service, *QUICK, *WORKERS[flavour])
    pair = Pair(source, replica, service, perform)
    pair.prepare()
    start = pair.end()
    source.sql(DATA)
    result = pair.link(coordinates=start)
    assert not result.get("failed"), result
    assert replica.sql(ASK_WORKERS[flavour]) == [["8", {"mysql": "LOGICAL_CLOCK", "mariadb": "optimistic"}[flavour]]]
    yield pair
    replica.down()
    source.down()


@contextlib.contextmanager
def writing(source):
    """Write as long as the block lasts, as often as is promised."""
    with Load(source) as load:
        yield
    assert load.rate >= RATE, f"only {load.rate:.0f} writes a second"


def compared(pair):
    """Wait until the replica is where the source ends, and return every row and checksum of both."""
    file, position = pair.source.sql("SHOW MASTER STATUS")[0][:2]
    wait = "MASTER_POS_WAIT" if pair.mariadb else "SOURCE_POS_WAIT"
    assert int(pair.replica.value(f"SELECT {wait}('{file}', {position}, 60)")) >= 0
    tables = [f"shop.{name}" for name in ("t", *TABLES)]
    found = []
    for server in (pair.source, pair.replica):
        rows = {table: sorted(server.sql(f"SELECT * FROM {table}")) for table in tables}
        found.append((rows, server.sql("CHECKSUM TABLE " + ", ".join(tables))))
    return found


def relinked(pair, row=14, **change):
    result = pair.link(**change)
    assert not result.get("failed"), result
    assert result["row"] == row and [step["action"] for step in result["actions"]][-3:] == ["stop", "link", "start"]
    assert pair.running() == ("Yes", "Yes")


def wait_for(what):
    deadline = time.monotonic() + 20
    while not what() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert what()


def test_row_14_account_address_and_ca(linked):
    linked.source.sql(ACCOUNT.format(name="second", password="rotated-1"))
    with open(linked.source.state["ca"], encoding="ascii") as one, open(linked.source.state["wrong_ca"], encoding="ascii") as other:
        both = one.read() + other.read()
    door = Door(linked.source.state["port"])
    account = {"replication_user": "second", "replication_password": "rotated-1"}
    with writing(linked.source):
        relinked(linked, **account)
        assert linked.status()["Master_User"] == "second"
        relinked(linked, **account, link_host="localhost", link_port=door.port)
        assert (linked.status()["Master_Host"], linked.status()["Master_Port"]) == ("localhost", str(door.port))
        relinked(linked, **account, link_host="localhost", link_port=door.port, link_ca=both)
        # All at once, and back.
        relinked(linked)
        assert not linked.link()["changed"]
    on_source, on_replica = compared(linked)
    assert on_source == on_replica
    door.shut()


def test_row_12_not_while_the_applier_has_an_error(linked):
    linked.source.sql(ACCOUNT.format(name="third", password="rotated-2"))
    account = {"replication_user": "third", "replication_password": "rotated-2"}
    linked.replica.sql("INSERT INTO shop.t VALUES (77)")
    with writing(linked.source):
        linked.source.sql("INSERT INTO shop.t VALUES (77)")
        wait_for(lambda: linked.running() == ("Yes", "No"))
        applied = linked.status()["Exec_Master_Log_Pos"]
        refused = linked.link(**account)
        assert refused["failed"] and refused["row"] == 12 and "1062" in refused["msg"]
        after = linked.status()
        assert (after["Master_User"], after["Exec_Master_Log_Pos"], after["Slave_IO_Running"]) == ("datain", applied, "Yes")
        linked.replica.sql("DELETE FROM shop.t WHERE id = 77; CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
        wait_for(lambda: linked.running() == ("Yes", "Yes"))
        relinked(linked, **account)
        relinked(linked)
    on_source, on_replica = compared(linked)
    assert on_source == on_replica


def test_row_13_what_the_source_has_purged_is_applied_first(linked):
    linked.source.sql(ACCOUNT.format(name="fourth", password="rotated-3"))
    # One worker waits for a lock while the receiver fetches what the source then purges.
    holder = threading.Thread(target=linked.replica.sql, args=("LOCK TABLES shop.t READ; SELECT SLEEP(15); UNLOCK TABLES",))
    with writing(linked.source):
        holder.start()
        time.sleep(0.5)
        for number in range(2):
            linked.source.sql(f"INSERT INTO shop.t VALUES ({600 + number}); FLUSH BINARY LOGS")
        last = linked.source.sql("SHOW MASTER STATUS")[0][0]
        wait_for(lambda: linked.status()["Master_Log_File"] == last)
        linked.source.purge()
        relinked(linked, row=13, replication_user="fourth", replication_password="rotated-3")
        holder.join()
        relinked(linked)
    on_source, on_replica = compared(linked)
    assert on_source == on_replica


def test_row_11_there_and_back(linked):
    if not linked.mariadb:
        gtids_on(linked)
    now = method_of(linked)
    other = {"gtid": "position", "position": "gtid"}[now]
    with writing(linked.source):
        for method in (other, now, other, now):
            relinked(linked, method=method, relink=True)
            assert method_of(linked) == method
    on_source, on_replica = compared(linked)
    assert on_source == on_replica
