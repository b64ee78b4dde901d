# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
"""What the collection relies on in the engines themselves, on every server of the lab, asked by its own client.

Nothing here is dressed: what differs by version stands in FACTS. As processes only (conftest.py): an engine is the same in a container.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import time

import pytest
from asking import Server, Session, SqlError, lab, quote, wait_until

DOCUMENTED = ("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, CREATE TEMPORARY TABLES, "
              "LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, "
              "CREATE USER, EVENT, TRIGGER")
# Workers that really overtake each other, wherever the version lets them.
OUT_OF_ORDER = ["slave_parallel_workers=4", "slave_preserve_commit_order=OFF", "loose_slave_parallel_type=LOGICAL_CLOCK", "gtid_mode=OFF"]
WRITESETS = ["loose_transaction_write_set_extraction=XXHASH64", "loose_binlog_transaction_dependency_tracking=WRITESET", "gtid_mode=OFF"]

MYSQL = {
    "source": WRITESETS, "replica": OUT_OF_ORDER,
    # After a crash with gaps: what a relink meets, then what a plain start meets (None: it mends itself). Without and with relay_log_recovery.
    "crash": (1802, 1062), "crash_recovered": (None, None),
    "change_while_running": 3081, "long_password": 3056, "start_slave": 1227, "outfile": {1227},
    "second_lock": "both", "name_of_65": 3057, "names_fold": True, "release_all": True,
    "wait_executed": 3062, "wait_after_gtids": None,
    "repository": "TABLE", "id_outlives_link": False, "password_date": "SELECT password_last_changed FROM mysql.user WHERE user = 'follower'",
}
MARIADB = {
    "source": [], "replica": ["slave_parallel_threads=4", "slave_parallel_mode=optimistic", "log_slave_updates=ON"],
    "crash": (None, None),
    # INTO OUTFILE: 1227 in newer patch levels.
    "change_while_running": 1198, "long_password": None, "start_slave": 1227, "outfile": {1045, 1227},
    "second_lock": "both", "name_of_65": "1", "names_fold": False, "release_all": True,
    "repository": None,
    # Shown until the server restarts, also after another address or a removal: it proves nothing.
    "id_outlives_link": True,
    "password_date": "SELECT JSON_VALUE(priv, '$.password_last_changed') FROM mysql.global_priv WHERE user = 'follower'",
}
# The files of 5.6 and 5.7 are written at once, so that a start after a crash finds everything: only the gaps are in the way.
FILES = {"repository": "FILE", "crash": (1802, None)}
FACTS = {
    "mysql-5.6": dict(MYSQL, **FILES, replica=["slave_parallel_workers=4"], source=[], change_while_running=1198, long_password=None,
                      start_slave=1045, outfile={1045}, second_lock="first released", name_of_65="1", release_all=False,
                      wait_executed=1305, password_date=None, crash_recovered=(1802, 1872)),
    "mysql-5.7": dict(MYSQL, **FILES, start_slave=1045, outfile={1045}),
    "mysql-8.0.15": MYSQL,
    "mysql-8.0.33": MYSQL,
    "mysql-9.7": dict(MYSQL, wait_after_gtids=1046, name_of_65=4163, crash=(1802, None)),
    "mariadb-10.2": dict(MARIADB, start_slave=1045, release_all=False, password_date=None),
    "mariadb-10.5": MARIADB,
    "mariadb-10.11": MARIADB,
    "mariadb-11.8": MARIADB,
}
SERVERS = sorted(FACTS)
OF_MYSQL = [name for name in SERVERS if name.startswith("mysql")]
OF_MARIADB = [name for name in SERVERS if name.startswith("mariadb")]


class Pair:
    """A source, a replica of the same version, and an account that the replica logs in with."""

    def __init__(self, server, source, replica):
        self.source, self.replica, self.facts = source, replica, FACTS[server]
        self.mysql = source.flavour == "mysql"

    def begin(self):
        lab("reset", self.source.name, self.replica.name)
        self.source.root("CREATE USER follower@'%' IDENTIFIED BY 'follower-secret'; GRANT REPLICATION SLAVE ON *.* TO follower@'%';")

    def change(self, position, **other):
        """CHANGE MASTER at a position, by TLS: the old builds too link so among themselves."""
        there = self.source.json
        values = {"host": quote(there["host"]), "port": there["port"], "user": "'follower'", "password": "'follower-secret'",
                  "log_file": quote(position[0]), "log_pos": position[1], "ssl": 1, "ssl_ca": quote(there["ca"])}
        values.update({"auto_position": 0} if self.mysql else {"ssl_verify_server_cert": 0}, **other)
        return "CHANGE MASTER TO " + ", ".join("MASTER_%s=%s" % (key.upper(), value) for key, value in values.items())

    def link(self):
        self.replica.root(self.change(self.source.position()) + "; START SLAVE;")
        return self.replica.running()

    def applied(self):
        status = self.replica.status()
        return status["Relay_Master_Log_File"], status["Exec_Master_Log_Pos"]

    def caught_up(self):
        wait_until(lambda: self.applied() == self.source.position(), 60)

    def same_rows(self, tables):
        for table in tables:
            ask = "SELECT COUNT(*), SUM(CRC32(CONCAT_WS('/', t.a, t.b))), BIT_XOR(CRC32(CONCAT_WS('/', t.a, t.b))) FROM %s t" % table
            assert self.replica.root(ask) == self.source.root(ask), table

    def crash(self):
        lab("kill", self.replica.name)
        lab("start", self.replica.name)


def pytest_generate_tests(metafunc):
    """Every test on every server that it is about; the servers of one version stay up for all its tests."""
    if "servers" in metafunc.fixturenames:
        names = OF_MARIADB if "mariadb" in metafunc.fixturenames else OF_MYSQL if "mysql" in metafunc.fixturenames else SERVERS
        metafunc.parametrize("servers", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def servers(request):
    facts, mark = FACTS[request.param], "%s-%d" % (request.param.rpartition("-")[2].replace(".", ""), os.getpid())
    names = ["s" + mark, "r" + mark]
    fast = ["sync_binlog=0", "innodb_flush_log_at_trx_commit=2"]
    try:
        for name, options in zip(names, (facts["source"], [*facts["replica"], "skip_slave_start"])):
            lab("up", name, "--server", request.param, *(word for one in (*fast, *options) for word in ("--set", one)))
        yield Pair(request.param, *map(Server, names))
    finally:
        lab("down", *names, check=False)


@pytest.fixture
def pair(servers):
    servers.begin()
    return servers


@pytest.fixture
def mysql(pair):
    return pair


@pytest.fixture
def mariadb(pair):
    return pair


# ---------------------------------------------------------------- the position


SCHEMAS = ("one", "two", "three", "four")
LOAD = 10000
TABLES = [schema + table for schema in SCHEMAS for table in (".counted", ".kept", ".keyless")]


def _load(pair, folder):
    """A client for each schema: transactions of three rows, until the client is killed."""
    for schema in SCHEMAS:
        pair.source.root(f"CREATE DATABASE {schema}; CREATE TABLE {schema}.counted (a INT AUTO_INCREMENT PRIMARY KEY, b INT); "
                         f"CREATE TABLE {schema}.keyless (a INT, b INT); CREATE TABLE {schema}.kept (a INT PRIMARY KEY, b INT); "
                         f"INSERT INTO {schema}.kept VALUES (0, 0), (1, 0), (2, 0), (3, 0)")
    for schema in SCHEMAS:
        path = folder / schema
        path.write_text("".join(
            f"BEGIN; INSERT INTO {schema}.counted (b) VALUES ({number}); UPDATE {schema}.kept SET b = b + 1 WHERE a = {number % 4}; "
            f"INSERT INTO {schema}.keyless VALUES ({number}, 0); COMMIT; DO SLEEP(0.004);\n" for number in range(LOAD)))
        with open(path) as text:
            yield subprocess.Popen(pair.source.json["client"], stdin=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_position_is_exact_after_a_clean_stop(pair, tmp_path):
    pair.link()
    clients = list(_load(pair, tmp_path))
    try:
        for _turn in range(5):
            time.sleep(0.25)
            pair.replica.root("STOP SLAVE")
            applied = pair.applied()
            assert pair.applied() == applied
            pair.replica.root(pair.change(applied) + "; START SLAVE;")
        pair.replica.running()
    finally:
        for client in clients:
            client.kill()
            client.wait()
    rows = int(pair.source.root("SELECT COUNT(*) FROM one.counted")[0][0])
    assert 0 < rows < LOAD, "the load did not run all the time: %d" % rows
    pair.caught_up()
    pair.same_rows(TABLES)


# ---------------------------------------------------------------- after a crash


@contextlib.contextmanager
def _gap(pair):
    """A replica on which one worker waits for a row while the others go on."""
    pair.source.root("CREATE DATABASE one; CREATE DATABASE two; CREATE TABLE one.kept (a INT PRIMARY KEY, b INT); CREATE TABLE two.kept LIKE one.kept; "
                     "INSERT INTO one.kept VALUES (1, 0)")
    pair.caught_up()
    # What is fetched twice after a crash begins here, not at the tables.
    pair.replica.root("STOP SLAVE; %s; START SLAVE;" % pair.change(pair.applied()))
    # Workers overtake only after one transaction since the start is done.
    pair.source.root("INSERT INTO two.kept VALUES (99, 0)")
    pair.caught_up()
    with Session(pair.replica) as session:
        session.ask("BEGIN; SELECT * FROM one.kept FOR UPDATE")
        pair.source.root("UPDATE one.kept SET b = 1;" + "".join("INSERT INTO two.kept VALUES (%d, 0);" % number for number in range(8)))
        if pair.mysql:
            wait_until(lambda: pair.replica.root("SELECT COUNT(*) FROM two.kept") == [["9"]])
        else:  # commits in order, always: nothing overtakes
            wait_until(lambda: pair.replica.status()["Read_Master_Log_Pos"] == pair.source.position()[1])
            assert pair.replica.root("SELECT COUNT(*) FROM two.kept") == [["1"]]
        yield


def _after_a_crash(pair, expected):
    """A relink at the position shown, a plain start where that is refused; then the rows, or the error that stays."""
    relink, start = expected
    applied = pair.applied()
    assert pair.replica.outcome(pair.change(applied), pair.replica.json["client"]) == relink
    if start == 1872:
        assert pair.replica.outcome("START SLAVE", pair.replica.json["client"]) == start
        return
    pair.replica.root("START SLAVE")
    if start:
        assert pair.replica.until(lambda status: status["Last_SQL_Errno"] != "0")["Last_SQL_Errno"] == str(start)
        return
    pair.caught_up()
    pair.same_rows(["one.kept", "two.kept"])
    pair.replica.root("STOP SLAVE; %s; START SLAVE;" % pair.change(pair.applied()))
    pair.source.root("INSERT INTO two.kept VALUES (100, 0)")
    pair.caught_up()
    pair.same_rows(["one.kept", "two.kept"])


def test_crash(pair):
    pair.link()
    with _gap(pair):
        pair.crash()
    _after_a_crash(pair, pair.facts["crash"])


def test_crash_with_relay_log_recovery(mysql):
    if mysql.facts["repository"] == "FILE":
        mysql.replica.root("SET GLOBAL master_info_repository = 'TABLE'; SET GLOBAL relay_log_info_repository = 'TABLE';")
    mysql.link()
    with _gap(mysql):
        lab("kill", mysql.replica.name)
    _option(mysql.replica, ["relay_log_recovery = ON"] + ["%s_info_repository = TABLE" % name for name in ("loose_master", "loose_relay_log")])
    lab("start", mysql.replica.name)
    _after_a_crash(mysql, mysql.facts["crash_recovered"])


def _option(server, lines):
    """More lines in the option file; `reset` takes them away again."""
    path = pathlib.Path(server.json["option_file"])
    path.write_text(path.read_text().replace("[mysqld]\n", "[mysqld]\n" + "".join(line + "\n" for line in lines), 1))


# ---------------------------------------------------------------- the status


def _seen(status):
    return {"read": status["Read_Master_Log_Pos"], "exec": status["Exec_Master_Log_Pos"], "relay": int(status["Relay_Log_Pos"]),
            "file": int(status["Relay_Log_File"].rpartition(".")[2]), "id": status["Master_Server_Id"], "uuid": status.get("Master_UUID", "")}


def test_status_before_the_first_start(pair):
    position = pair.source.position()
    identity = pair.source.root("SELECT @@server_id")[0][0]
    uuid = pair.source.root("SELECT @@server_uuid")[0][0] if pair.mysql else ""
    untouched = {"read": position[1], "exec": position[1], "relay": 4, "file": 1, "id": "0", "uuid": ""}

    pair.replica.root(pair.change(position))
    if pair.facts["id_outlives_link"]:
        untouched["id"] = _seen(pair.replica.status())["id"]
    assert _seen(pair.replica.status()) == untouched
    pair.replica.root("STOP SLAVE; %s; START SLAVE;" % pair.change(position, password="'wrong'"))
    assert pair.replica.io_error() == 1045
    pair.replica.root("STOP SLAVE")
    assert _seen(pair.replica.status()) == untouched

    pair.replica.root(pair.change(position) + "; START SLAVE;")
    pair.replica.running()
    pair.source.root("CREATE DATABASE one")
    pair.caught_up()
    pair.replica.root("STOP SLAVE")
    seen = _seen(pair.replica.status())
    assert seen["file"] == 2 and seen["relay"] > 4 and (seen["id"], seen["uuid"]) == (identity, uuid)

    position = pair.applied()
    untouched = dict(untouched, read=position[1], exec=position[1], id=identity if pair.facts["id_outlives_link"] else "0")
    pair.replica.root(pair.change(position))
    assert _seen(pair.replica.status()) == dict(untouched, id=identity, uuid=uuid)
    pair.replica.root(pair.change(position, port=1))
    assert _seen(pair.replica.status()) == untouched
    pair.replica.root("RESET SLAVE ALL; " + pair.change(position))
    assert _seen(pair.replica.status()) == untouched


def test_stored_password(pair):
    pair.replica.root(pair.change(pair.source.position()))
    ask = "SELECT SHA2(CONCAT('n1', User_password), 256) = SHA2('n1follower-secret', 256) FROM mysql.slave_master_info"
    if pair.facts["repository"] is None:
        assert pair.replica.refused(ask, "root") == 1146
        return
    _accounts(pair.replica)
    adm, us = pair.replica.login("adm", "adm"), pair.replica.login("us", "us")
    if pair.facts["repository"] == "FILE":
        assert pair.replica.run(adm, ask) == []
        pair.replica.root("SET GLOBAL master_info_repository = 'TABLE'")
    assert pair.replica.run(adm, ask) == [["1"]]
    assert pair.replica.outcome(ask, us) == 1142


# ---------------------------------------------------------------- locks and calls


def _accounts(server):
    """`adm` with the documented rights, `us` with none."""
    more = ", SLAVE MONITOR" if server.flavour == "mariadb" and server.version >= (10, 5) else ""
    server.root("CREATE USER adm@'%%' IDENTIFIED BY 'adm'; GRANT %s%s ON *.* TO adm@'%%' WITH GRANT OPTION; CREATE USER us@'%%' IDENTIFIED BY 'us'"
                % (DOCUMENTED, more))


def test_locks(pair):
    facts, server = pair.facts, pair.replica
    _accounts(server)
    with Session(server, server.login("us", "us")) as mine, Session(server, server.login("us", "us")) as other:
        def free(name):
            return other.ask("SELECT IS_FREE_LOCK('%s')" % name) == [["1"]]
        assert mine.ask("SELECT GET_LOCK('datain.link', 0)") == [["1"]]
        assert other.ask("SELECT GET_LOCK('datain.link', 0)") == [["0"]]
        assert free("DATAIN.LINK") is not facts["names_fold"]
        assert mine.ask("SELECT GET_LOCK('second', 0)") == [["1"]]
        assert free("datain.link") is (facts["second_lock"] == "first released")
        name = "x" * 65
        if isinstance(facts["name_of_65"], int):
            with pytest.raises(SqlError) as caught:
                mine.ask("SELECT GET_LOCK('%s', 0)" % name)
            assert caught.value.code == facts["name_of_65"]
        else:
            assert mine.ask("SELECT GET_LOCK('%s', 0)" % name) == [[facts["name_of_65"]]]
        if facts["release_all"]:
            mine.ask("SELECT RELEASE_ALL_LOCKS()")
            assert free("datain.link") and free("second")
        else:
            with pytest.raises(SqlError) as caught:
                mine.ask("SELECT RELEASE_ALL_LOCKS()")
            assert caught.value.code == 1305
        assert mine.ask("SELECT GET_LOCK('datain.link', 0)") == [["1"]]
        server.root("KILL QUERY %s" % mine.id)
        assert not free("datain.link")
        mine.close()
        wait_until(lambda: free("datain.link"), 5)


def _call(pair, pause):
    """A procedure that relinks as the services' own do, with a pause in the middle; the position it links at."""
    position = pair.source.position()
    change, stop, start = (pair.replica.words(text) for text in (pair.change(position), "STOP SLAVE", "START SLAVE"))
    pair.replica.root("CREATE DATABASE own;\nDELIMITER $$\nCREATE PROCEDURE own.relink() BEGIN %s; PREPARE s FROM %s; EXECUTE s; DO SLEEP(%s); %s; END$$\n"
                      % (stop, quote(change), pause, start))
    return position


def test_call_outlives_its_client(pair):
    pair.link()
    pair.source.root("CREATE DATABASE one")
    position = _call(pair, 3)
    with Session(pair.replica) as session:
        assert session.ask("SELECT GET_LOCK('datain.link', 0)") == [["1"]]
        session.send("CALL own.relink()")
        wait_until(lambda: pair.replica.status("client")["Slave_IO_Running"] == "No")
        wait_until(lambda: _seen(pair.replica.status("client"))["relay"] == 4)
        session.kill()
    assert pair.replica.root("SELECT IS_FREE_LOCK('datain.link')") == [["0"]]
    assert pair.replica.status("client")["Slave_IO_Running"] == "No"
    wait_until(lambda: pair.replica.root("SELECT IS_FREE_LOCK('datain.link')") == [["1"]], 10)
    pair.replica.running()
    assert pair.applied() == position


@pytest.mark.parametrize("kill", ["KILL", "KILL QUERY"])
def test_call_that_is_killed(pair, kill):
    pair.link()
    _call(pair, 5)
    with Session(pair.replica) as session:
        session.send("CALL own.relink()")
        wait_until(lambda: pair.replica.status("client")["Slave_IO_Running"] == "No" and _seen(pair.replica.status("client"))["relay"] == 4)
        pair.replica.root("%s %s" % (kill, session.id))
        if kill == "KILL":
            wait_until(lambda: pair.replica.root("SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s" % session.id) == [["0"]], 4)
            assert pair.replica.status("client")["Slave_IO_Running"] == "No"
        else:
            session.receive()
            pair.replica.running()


# ---------------------------------------------------------------- GTID of MariaDB


@pytest.mark.parametrize("strict", [0, 1])
def test_gtid_position_behind_own_events(mariadb, strict):
    """A replica whose own numbers in domain 0 are higher than the position that it is given."""
    replica = mariadb.replica
    replica.root("CREATE DATABASE own; CREATE TABLE own.t (a INT); INSERT INTO own.t VALUES (1); SET GLOBAL gtid_strict_mode = %d" % strict)
    position = mariadb.source.root("SELECT @@gtid_binlog_pos")[0][0]
    assert position.startswith("0-") and int(position.rpartition("-")[2]) < 3
    code = replica.outcome("SET GLOBAL gtid_slave_pos = '%s'" % position, replica.json["client"])
    assert code == (1947 if strict else None)


def test_own_write_on_a_linked_replica(mariadb):
    mariadb.link()
    source, replica = mariadb.source, mariadb.replica
    replica.root("STOP SLAVE; SET GLOBAL gtid_slave_pos = '%s'; CHANGE MASTER TO MASTER_USE_GTID = slave_pos; SET GLOBAL gtid_strict_mode = 1; START SLAVE;"
                 % source.root("SELECT @@gtid_binlog_pos")[0][0])
    replica.running()
    replica.root("CREATE DATABASE own")
    source.root("CREATE DATABASE one")
    assert replica.until(lambda status: status["Last_SQL_Errno"] != "0")["Last_SQL_Errno"] == "1950"
    assert ["one"] not in replica.root("SHOW DATABASES")
    replica.root("STOP SLAVE; SET GLOBAL gtid_strict_mode = 0; START SLAVE;")
    wait_until(lambda: ["one"] in replica.root("SHOW DATABASES"))


# ---------------------------------------------------------------- waiting


def test_wait_functions(pair):
    _accounts(pair.replica)
    pair.link()
    file, position = pair.source.position()
    reached, beyond = ("MASTER_POS_WAIT('%s', %s, %%s)" % (file, at) for at in (position, int(position) + 1000))
    us = pair.replica.login("us", "us")
    assert int(pair.replica.run(us, "SELECT " + reached % 1)[0][0]) >= 0
    assert pair.replica.run(us, "SELECT " + beyond % 1) == [["-1"]]
    with Session(pair.replica, us) as session:
        session.send("SELECT " + beyond % 10)
        wait_until(lambda: pair.replica.root("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%POS_WAIT%' AND user = 'us'") == [["1"]])
        began = time.monotonic()
        pair.replica.root("STOP SLAVE")
        assert session.receive() == [["NULL"]] and time.monotonic() - began < 5
    assert pair.replica.run(us, "SELECT " + reached % 1) == [["NULL"]], "a stopped applier says NULL, though the position is reached"
    if pair.mysql:
        some = "'3e11fa47-71ca-11e1-9e33-c80aa9429562:1', 1)"
        assert pair.replica.outcome("SELECT WAIT_FOR_EXECUTED_GTID_SET(" + some, us) == pair.facts["wait_executed"]
        assert pair.replica.outcome("SELECT WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS(" + some, us) == pair.facts["wait_after_gtids"]
    else:
        assert pair.replica.run(us, "SELECT MASTER_GTID_WAIT('0-1-999999', 0.5)") == [["-1"]]


# ---------------------------------------------------------------- the source's side


def test_link_by_tls(pair):
    """Also the builds that end at TLS 1.1, among themselves; an account that demands it says so."""
    words = "GRANT USAGE ON *.* TO follower@'%' REQUIRE SSL" if pair.source.version < (5, 7) else "ALTER USER follower@'%' REQUIRE SSL"
    pair.source.root(words)
    pair.link()
    pair.replica.root("STOP SLAVE; %s; START SLAVE;" % pair.change(pair.source.position(), ssl=0, ssl_ca="''"))
    assert pair.replica.io_error() in ({1045, 2061} if pair.mysql else {1045})


def test_dump_thread_and_password(pair):
    """How old the connection is shows since when the password that it was opened with is known to be right."""
    pair.link()
    ask = "SELECT id, time FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
    thread = pair.source.root(ask)[0][0]
    time.sleep(2.2)
    pair.source.root("CREATE DATABASE one")
    pair.caught_up()
    assert int(pair.source.root(ask)[0][1]) >= 2, "events do not reset it"
    before = pair.source.root(pair.facts["password_date"]) if pair.facts["password_date"] else None
    words = "SET PASSWORD FOR follower@'%' = PASSWORD('another')" if pair.source.version < (5, 7) else "ALTER USER follower@'%' IDENTIFIED BY 'another'"
    pair.source.root("SET sql_log_bin = 0; %s; SET sql_log_bin = 1; CREATE DATABASE two" % words)
    pair.caught_up()
    assert pair.source.root(ask)[0][0] == thread, "a live connection outlives the change of its password"
    if before:
        assert pair.source.root(pair.facts["password_date"]) > before
    pair.source.root("KILL %s" % thread)
    assert pair.replica.io_error() == 1045


# ---------------------------------------------------------------- what the documented administrator may not


def test_administrator_without_super(pair):
    facts, replica = pair.facts, pair.replica
    _accounts(replica)
    adm = replica.login("adm", "adm")
    assert replica.outcome("SELECT 1 INTO OUTFILE '/tmp/datain-lab-never'", adm) in facts["outfile"]
    expected = {"START SLAVE": facts["start_slave"], "STOP SLAVE": facts["start_slave"], "SET GLOBAL max_connections = 10": 1227,
                "SET sql_log_bin = 0": 1227, "SET GLOBAL read_only = 1": 1227}
    if not pair.mysql:
        expected["SET GLOBAL gtid_slave_pos = '0-1-1'"] = 1227
    assert {statement: replica.outcome(statement, adm) for statement in expected} == expected
    # Documented RELOAD is enough for these on every engine: a stand-in cannot forbid them, the collection never says them.
    assert {replica.outcome(statement, adm) for statement in ("RESET SLAVE ALL", "RESET MASTER")} == {None}


def test_change_refused(pair):
    pair.link()
    replica = pair.replica
    assert replica.refused(pair.change(pair.source.position()), "root") == pair.facts["change_while_running"]
    replica.root("STOP SLAVE")
    code = replica.outcome(pair.change(pair.source.position(), password=quote("x" * 33)), replica.json["client"])
    assert code == pair.facts["long_password"]
