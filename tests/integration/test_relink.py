# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link that runs is made again of other things, at exactly what is applied: rows 9 and 11 to 14 of the table, on both flavours."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from .test_replica_link import FLAVOURS, PASSWORD, Pair

LAB = Path(__file__).parents[1] / "lab"
ACCOUNT = "CREATE USER {name}@'%' IDENTIFIED BY '{password}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO {name}@'%'"


@pytest.fixture(params=FLAVOURS)
def linked(request, lab, perform):
    server, service = FLAVOURS[request.param]
    source = lab(f"link-{request.param}", server)
    replica = lab(f"link-{request.param}-az", server, "--service", service)
    replica.reset()
    source.reset()
    pair = Pair(source, replica, service, perform)
    pair.prepare()
    result = pair.link(coordinates=pair.end())
    assert not result.get("failed"), result
    return pair


class Writer:
    """Writes rows one by one, each in a transaction of its own, until it is told to stop."""

    def __init__(self, source):
        self.source, self.going = source, True
        source.sql("CREATE TABLE IF NOT EXISTS shop.w (id INT AUTO_INCREMENT PRIMARY KEY, n INT); CREATE TABLE IF NOT EXISTS shop.nokey (n INT)")
        self.thread = threading.Thread(target=self._write)

    def _write(self):
        batch = "".join(f"INSERT INTO shop.w (n) VALUES ({n}); INSERT INTO shop.nokey VALUES ({n});" for n in range(50))
        while self.going:
            self.source.sql(batch)

    def __enter__(self):
        self.thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *why):
        self.going = False
        self.thread.join()


def same(pair):
    """Compare count and sums of both tables once the replica has applied all; a doubled row shows in the one without a key."""
    question = "SELECT (SELECT COUNT(*) FROM shop.w), (SELECT SUM(n) FROM shop.w), (SELECT COUNT(*) FROM shop.nokey), (SELECT SUM(n) FROM shop.nokey)"
    wanted = pair.source.sql(question)
    deadline = time.monotonic() + 30
    while pair.replica.sql(question) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    return wanted, pair.replica.sql(question)


def made_again(pair, row=14, **change):
    """Change something under load, see that the plan says so and that it is done once, with every row there once."""
    planned = pair.link(check_mode=True, **change)
    assert planned["changed"] and planned["row"] == row, planned
    before = pair.status()["Relay_Log_File"]
    assert pair.running() == ("Yes", "Yes") and pair.status()["Relay_Log_File"] == before
    with Writer(pair.source):
        result = pair.link(**change)
    assert not result.get("failed"), result
    assert result["changed"] and [step["action"] for step in result["actions"]] == ["stop", "link", "start"]
    assert PASSWORD not in str(result) and "rotated" not in str(result)
    wanted, got = same(pair)
    assert wanted == got and int(wanted[0][0]) > 50
    again = pair.link(**change)
    assert not again["changed"] and again["row"] == 16, again
    return result


def test_another_account(linked):
    linked.source.sql(ACCOUNT.format(name="second", password="rotated-1"))
    made_again(linked, replication_user="second", replication_password="rotated-1")
    assert linked.status()["Master_User"] == "second"
    assert linked.source.value("SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%' AND user = 'datain'") == "0"


def test_the_address(linked):
    made_again(linked, link_host="localhost")
    assert linked.status()["Master_Host"] == "localhost"


def test_the_ca_another_form_of_which_is_no_change(linked):
    with open(linked.source.state["ca"], encoding="ascii") as stream:
        text = stream.read()
    assert not linked.link(link_ca="# a comment\r\n" + text.replace("\n", "\r\n"))["changed"]
    with open(linked.source.state["wrong_ca"], encoding="ascii") as stream:
        both = text + stream.read()
    made_again(linked, link_ca=both)
    # In another order it is the same.
    end = "-----END CERTIFICATE-----\n"
    turned = "".join(part + end for part in reversed(both.split(end)[:-1]))
    assert not linked.link(link_ca=turned)["changed"]


def test_without_tls(linked):
    how = "IDENTIFIED BY" if linked.mariadb else "IDENTIFIED WITH mysql_native_password BY"
    linked.source.sql(f"CREATE USER plain@'%' {how} 'rotated-2'; GRANT REPLICATION SLAVE ON *.* TO plain@'%'")
    made_again(linked, link_ca="", replication_user="plain", replication_password="rotated-2")
    assert linked.status()["Master_SSL_Allowed"] == "No"


def test_the_password_in_place(linked):
    """The session outlives the change. MySQL's own record proves it; MariaDB's does not, and it says how to force it."""
    linked.source.sql("ALTER USER datain@'%' IDENTIFIED BY 'rotated-3'")
    time.sleep(1)
    change = {"replication_password": "rotated-3"}
    if linked.mariadb:
        kept = linked.link(**change)
        assert not kept["changed"] and [finding["rule"] for finding in kept["findings"]] == ["link.credentials_unproven"]
        time.sleep(3)  # so that the new session is younger than the change for sure
        result = linked.link(relink=True, **change)
        assert result["row"] == 14 and result["changed"], result
        assert not linked.link(relink=True, **change)["changed"], "what is proven is not done again"
    else:
        made_again(linked, **change)
    assert linked.arrives(90)
    linked.replica.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
    assert linked.arrives(91)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"replication_user": "nobody"}, "login"),
        ({"replication_password": "wrong", "relink": True}, "login"),
        ({"link_ca": "wrong_ca"}, "certificate"),
        ({"link_host": "another server"}, "another server answers"),
        ({"link_port": 1}, "nobody here can see"),
    ],
)
def test_what_would_not_work_is_refused_before_anything_is_stopped(linked, lab, change, says):
    change = dict(change)
    if change.get("link_ca"):
        change["link_ca"] = linked.source.state["wrong_ca"]
    if change.get("link_host"):
        other = lab("link-other-" + linked.source.flavour, FLAVOURS[linked.source.flavour][0])
        other.reset()
        other.sql(ACCOUNT.format(name="datain", password=PASSWORD.replace("\\", "\\\\").replace("'", "\\'")))
        change.update(link_host=other.state["host"], link_port=other.state["port"])
    before = linked.status()
    result = linked.link(**change)
    assert result["failed"] and result["row"] == 14 and says in result["msg"] and result["hint"], result
    after = linked.status()
    assert linked.running() == ("Yes", "Yes")
    assert [after[key] for key in ("Relay_Log_File", "Master_User", "Master_Host")] == [before[key] for key in ("Relay_Log_File", "Master_User", "Master_Host")]


def replaced(replica, name, body):
    """Give a procedure of the service another body, or take it away; return what gives it back its own."""
    shown = replica.client("-N", "-B", "-r", text=f"SHOW CREATE PROCEDURE {name}").stdout
    own = "\t".join(shown.rstrip("\n").split("\t")[2:-3])

    def make(text):
        done = replica.client(text=f"DROP PROCEDURE IF EXISTS {name};\nDELIMITER //\n{text}//\n")
        assert done.returncode == 0, done.stderr

    make(own[: own.upper().index("BEGIN")].replace("`az_", "mysql.`az_", 1) + body if body else "SELECT 1")
    return lambda: make(own.replace("`az_", "mysql.`az_", 1))


def test_what_the_server_refuses_leaves_the_link_running_and_is_not_taken_for_done(linked):
    """Of a CA no status tells whether it has arrived."""
    with open(linked.source.state["ca"], encoding="ascii") as one, open(linked.source.state["wrong_ca"], encoding="ascii") as another:
        both = one.read() + another.read()
    assert linked.arrives(30)
    name = "mysql.az_replication_change_master" + ("_with_gtid" if linked.mariadb else "")
    put_back = replaced(linked.replica, name, "BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'; END")
    try:
        result = linked.link(link_ca=both)
    finally:
        put_back()
    assert result["failed"] and "not today" in result["msg"] and "goes on as it was" in result["hint"], result
    assert linked.running() == ("Yes", "Yes") and linked.arrives(31)
    again = linked.link(link_ca=both)
    assert again["row"] == 14 and [step["action"] for step in again["actions"]] == ["stop", "link", "start"], again
    assert linked.arrives(32) and linked.rows()[0] == linked.rows()[1]
    assert not linked.link(link_ca=both)["changed"]


BOTH = "CREATE DATABASE {0}; CREATE TABLE {0}.t (id INT PRIMARY KEY, v INT); INSERT INTO {0}.t VALUES (1, 0);"


def test_gaps_that_a_crash_left_are_filled_before_the_link_is_made_again(lab, perform):
    """MySQL refuses to be told of another source then (1802), and forgetting the relay logs, which it proposes, would lose what is in them."""
    switches = ("replica_parallel_workers=8", "replica_parallel_type=DATABASE", "replica_preserve_commit_order=OFF", "relay_log_recovery=OFF")
    server, service = FLAVOURS["mysql"]
    # Without GTIDs 8.0 would meet what it has fetched twice (1062).
    source = lab("gaps", server, "--set", "gtid_mode=ON")
    words = [word for switch in (*switches, "skip_replica_start=ON", "gtid_mode=ON") for word in ("--set", switch)]
    replica = lab("gaps-az", server, "--service", service, *words)
    pair = Pair(source, replica, service, perform)
    pair.prepare()
    for one in (source, replica):
        one.sql(BOTH.format("a") + BOTH.format("b"))
    made = pair.link(coordinates=pair.end())
    assert not made.get("failed"), made
    client = [*replica.state["client"], "-N", "-B"]
    holder = subprocess.Popen(client, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    holder.stdin.write("BEGIN; SELECT * FROM a.t WHERE id = 1 FOR UPDATE; SELECT SLEEP(60);\n")
    holder.stdin.flush()
    time.sleep(0.5)
    source.sql("UPDATE a.t SET v = 1; UPDATE b.t SET v = 1; INSERT INTO b.t VALUES (2, 2)")
    deadline = time.monotonic() + 10
    while replica.value("SELECT COUNT(*) FROM b.t") != "2" and time.monotonic() < deadline:
        time.sleep(0.1)
    for verb in ("kill", "start"):
        subprocess.run([sys.executable, LAB, verb, replica.state["name"]], env=replica.environment, check=True)
    holder.kill()
    holder.wait()
    assert replica.value("SELECT v FROM a.t") == "0" and replica.value("SELECT COUNT(*) FROM b.t") == "2"
    first = pair.link(link_host="localhost")
    assert first["failed"] and "which was started for that" in first["hint"], first
    deadline = time.monotonic() + 10
    while replica.value("SELECT v FROM a.t") != "1" and time.monotonic() < deadline:
        time.sleep(0.1)
    again = pair.link(link_host="localhost")
    assert again["row"] == 14 and pair.status()["Master_Host"] == "localhost" and pair.arrives(3), again
    question = "SELECT * FROM a.t; SELECT * FROM b.t"
    assert source.sql(question) == replica.sql(question)


def test_row_12_the_applier_first(linked):
    linked.replica.sql("INSERT INTO shop.t VALUES (77)")
    linked.source.sql("INSERT INTO shop.t VALUES (77)")
    linked.source.sql(ACCOUNT.format(name="second", password="rotated-1"))
    deadline = time.monotonic() + 10
    while linked.running()[1] == "Yes" and time.monotonic() < deadline:
        time.sleep(0.1)
    result = linked.link(replication_user="second", replication_password="rotated-1")
    assert result["failed"] and result["row"] == 12 and "1062" in result["msg"] and linked.status()["Master_User"] == "datain"


def test_row_13_what_is_purged_is_applied_from_the_relay_logs(linked):
    linked.source.sql(ACCOUNT.format(name="second", password="rotated-1"))
    assert linked.arrives(5)
    # The applier waits for a lock while the receiver fetches what the source then purges.
    holder = threading.Thread(target=linked.replica.sql, args=("LOCK TABLES shop.t READ; SELECT SLEEP(12); UNLOCK TABLES",))
    holder.start()
    time.sleep(0.5)
    for number in range(3):
        linked.source.sql(f"INSERT INTO shop.t VALUES ({600 + number}); FLUSH BINARY LOGS")
    last = linked.source.sql("SHOW MASTER STATUS")[0][0]
    deadline = time.monotonic() + 10
    while linked.status()["Master_Log_File"] != last and time.monotonic() < deadline:
        time.sleep(0.1)
    linked.source.purge()
    result = linked.link(replication_user="second", replication_password="rotated-1")
    holder.join()
    assert not result.get("failed"), result
    assert result["row"] == 13 and [step["action"] for step in result["actions"]] == ["drain", "stop", "link", "start"]
    assert linked.arrives(700) and linked.rows()[0] == linked.rows()[1]


def method_of(pair):
    status = pair.status()
    by_gtid = status["Using_Gtid"] == "Slave_Pos" if pair.mariadb else status["Auto_Position"] == "1"
    return "gtid" if by_gtid else "position"


def gtids_on(pair):
    """Switch MySQL's GTIDs on while everything runs, as its manual says."""
    for server in (pair.source, pair.replica):
        server.sql("SET GLOBAL enforce_gtid_consistency = ON")
    for mode in ("OFF_PERMISSIVE", "ON_PERMISSIVE"):
        for server in (pair.replica, pair.source):
            server.sql(f"SET GLOBAL gtid_mode = {mode}")
    # What has no GTID yet has to be applied first.
    assert pair.arrives(900)
    for server in (pair.source, pair.replica):
        server.sql("SET GLOBAL gtid_mode = ON")


def changed_over(pair, method):
    """Change the method under load, once, with every row there once."""
    asked = pair.link(method=method)
    assert asked["failed"] and asked["row"] == 11 and "datain_relink" in asked["hint"], asked
    assert method_of(pair) != method
    made_again(pair, method=method, relink=True)
    assert method_of(pair) == method and not pair.link()["changed"]


def test_row_11_the_method_is_changed_when_asked_for(linked):
    if linked.mariadb:
        # Its own session proves a password only once that is older than a whole second or two.
        time.sleep(3)
    else:
        without = linked.link(method="gtid", relink=True)
        assert without["failed"] and without["row"] == 11 and "gtid_mode is OFF" in without["msg"]
        gtids_on(linked)
        # What the replica does not take counts as executed all the same.
        linked.source.sql(ACCOUNT.format(name="second", password="rotated-1"))
    now = method_of(linked)
    other = {"gtid": "position", "position": "gtid"}[now]
    for method in (other, now, other):
        changed_over(linked, method)
    assert linked.arrives(99) and linked.rows()[0] == linked.rows()[1]


def test_cut_after_each_step_it_arrives(linked):
    """A run that ends between two of its calls leaves what the next one finishes: here each state is made by hand."""
    linked.source.sql(ACCOUNT.format(name="second", password="rotated-1"))
    change = {"replication_user": "second", "replication_password": "rotated-1"}
    linked.replica.sql("CALL mysql.az_replication_stop")
    linked.source.sql("INSERT INTO shop.t VALUES (30)")
    result = linked.link(**change)
    assert result["row"] == 14 and linked.arrives(31), result
    assert linked.rows()[0] == linked.rows()[1]
    linked.replica.sql("CALL mysql.az_replication_stop")
    assert linked.link(**change)["row"] == 17 and linked.arrives(32)


FOLLOW = {
    "mysql": "CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, SOURCE_USER='datain', SOURCE_PASSWORD='{password}',"
    " SOURCE_SSL=1, SOURCE_AUTO_POSITION=1; START REPLICA",
    "mariadb": "CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, MASTER_USER='datain', MASTER_PASSWORD='{password}',"
    " MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=0, MASTER_USE_GTID=slave_pos; START SLAVE",
}
UNFOLLOW = {"mysql": "STOP REPLICA; RESET REPLICA ALL", "mariadb": "STOP SLAVE; RESET SLAVE ALL"}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_row_9_followed_to_the_server_that_took_over(lab, perform, flavour):
    """A standby that followed the source takes its place: by GTID, and only where it has everything that the replica has."""
    server, service = FLAVOURS[flavour]
    switches = ("--set", "gtid_mode=ON") if flavour == "mysql" else ("--set", "log_slave_updates=ON")
    first, standby = lab(f"took-{flavour}", server, *switches), lab(f"took-{flavour}-standby", server, *switches)
    replica = lab(f"took-{flavour}-az", server, "--service", service, *switches)
    pair = Pair(first, replica, service, perform)
    pair.prepare()
    if pair.mariadb:
        start = pair.end()
    else:
        start = {"gtid": first.value("SELECT @@GLOBAL.gtid_executed")}
        subprocess.run([sys.executable, LAB, "gtid-reset", replica.state["name"], start["gtid"]], env=replica.environment, check=True)
    made = pair.link(method="gtid", coordinates=start)
    assert not made.get("failed"), made
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    standby.sql(FOLLOW[flavour].format(host=first.state["host"], port=first.state["port"], password=quoted))
    assert pair.arrives(3) and arrived(standby, 3)
    standby.sql(UNFOLLOW[flavour])
    state = standby.state
    options = {
        "method": "gtid",
        "source": standby.login(login_tls="required"),
        "link_host": state["host"],
        "link_port": state["port"],
        "link_ca": state["ca"],
    }
    refused = pair.link(**options)
    assert refused["failed"] and refused["row"] == 9 and "datain_retarget" in refused["hint"], refused
    # The old source took one more transaction, which the replica has and the standby lacks.
    assert pair.arrives(4)
    behind = pair.link(retarget=True, **options)
    assert behind["failed"] and behind["row"] == 9 and "lacks" in behind["msg"] and pair.running() == ("Yes", "Yes")
    standby.sql(FOLLOW[flavour].format(host=first.state["host"], port=first.state["port"], password=quoted))
    assert arrived(standby, 4)
    standby.sql(UNFOLLOW[flavour])
    result = pair.link(retarget=True, **options)
    assert not result.get("failed"), result
    assert result["row"] == 9 and result["changed"] and pair.status()["Master_Port"] == str(state["port"])
    standby.sql("INSERT INTO shop.t VALUES (50)")
    assert arrived(replica, 50)
    assert replica.sql("SELECT id FROM shop.t ORDER BY id") == standby.sql("SELECT id FROM shop.t ORDER BY id")
    assert not pair.link(**options)["changed"]


def arrived(server, number):
    """Wait for a row, also for its table."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if server.client("-N", "-B", text=f"SELECT id FROM shop.t WHERE id = {number}").stdout.strip() == str(number):
            return True
        time.sleep(0.1)
    return False
