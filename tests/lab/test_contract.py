# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
"""The lab's contract: a dressed server behaves as its service does. Asked by the server's own client only.

Each test's name stands in the fidelity table of README.md. DATAIN_LAB_BACKEND=container runs the same in containers.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import time

import pytest
from asking import BACKEND, LAB, Server, SqlError, lab, quote

PAIRS = {"mysql": ("mysql-8.0.33", "mysql_flexible_server"), "mariadb": ("mariadb-10.11", "mariadb_server")}
CHANGE = "CALL mysql.az_replication_change_master(%(host)s, %(user)s, %(password)s, %(port)s, %(file)s, %(pos)s, %(ca)s);"
PROCEDURES = {
    "mysql": {"az_replication_change_master": 7, "az_replication_change_master_with_gtid": 5, "az_replication_start": 0,
              "az_replication_stop": 0, "az_replication_remove_master": 0, "az_replication_skip_counter": 0,
              "az_replication_skip_gtid_transaction": 1},
    "mariadb": {"az_replication_change_master": 7, "az_replication_change_master_with_gtid": 6, "az_replication_start": 0,
                "az_replication_stop": 0, "az_replication_remove_master": 0, "az_replication_skip_counter": 0},
}


class Pair:
    def __init__(self, source, replica):
        self.source, self.replica = source, replica
        self.flavour = source.flavour

    def ca(self):
        return pathlib.Path(self.source.json["ca"]).read_text()

    def address(self):
        there = self.source.json
        return (there["network_host"], there["network_port"]) if there["network_host"] else (there["host"], there["port"])

    def arguments(self, **other):
        host, port = self.address()
        file, pos = self.source.root("SHOW MASTER STATUS")[0][:2]
        values = dict({"host": host, "user": "follower", "password": "follower-secret", "file": file, "ca": self.ca()}, **other)
        values = {key: quote(value) for key, value in values.items()}
        return dict(values, port=other.get("port", port), pos=other.get("pos", pos))

    def link(self, **other):
        self.replica.admin(CHANGE % self.arguments(**other) + "CALL mysql.az_replication_start;")

    def account(self, demand="REQUIRE SSL"):
        self.source.admin("CREATE USER follower@'%%' IDENTIFIED BY 'follower-secret' %s; "
                          "GRANT REPLICATION SLAVE ON *.* TO follower@'%%';" % demand)

    def follows(self):
        self.source.admin("CREATE DATABASE IF NOT EXISTS shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (42);")
        end = time.monotonic() + 15
        while True:
            try:
                if self.replica.admin("SELECT id FROM shop.orders") == [["42"]]:
                    return True
            except SqlError:
                pass  # the table is not there yet
            if time.monotonic() > end:
                return False
            time.sleep(0.1)


def pytest_generate_tests(metafunc):
    """Every test for every flavour that it is about; none is skipped."""
    if "servers" in metafunc.fixturenames:
        flavours = [flavour for flavour in PAIRS if flavour in metafunc.fixturenames] or sorted(PAIRS)
        metafunc.parametrize("servers", flavours, indirect=True, scope="module")


@pytest.fixture(scope="module")
def servers(request):
    flavour, mark = request.param, "%d" % os.getpid()
    server, service = PAIRS[flavour]
    names = ["contract-%s-source-%s" % (flavour, mark), "contract-%s-replica-%s" % (flavour, mark)]
    try:
        lab("up", names[0], "--server", server, "--backend", BACKEND)
        lab("up", names[1], "--server", server, "--backend", BACKEND, "--service", service)
        yield Pair(*map(Server, names))
    finally:
        lab("down", *names, check=False)


@pytest.fixture
def pair(servers):
    lab("reset", servers.source.name, servers.replica.name)
    servers.account()
    return servers


@pytest.fixture
def replica(pair):
    return pair.replica


@pytest.fixture
def mysql(pair):
    return pair


@pytest.fixture
def mariadb(pair):
    return pair


# ---------------------------------------------------------------- the procedures


def test_procedures_and_arity(replica):
    rows = replica.admin("SELECT routine_name, security_type, definer, (SELECT COUNT(*) FROM information_schema.parameters p "
                         "WHERE p.specific_schema='mysql' AND p.specific_name=r.specific_name AND p.parameter_mode='IN') "
                         "FROM information_schema.routines r WHERE routine_schema='mysql' AND routine_name LIKE 'az\\_%'")
    assert {row[0]: int(row[3]) for row in rows} == PROCEDURES[replica.flavour]
    assert {(row[1], row[2]) for row in rows} == {("DEFINER", "azure_superuser@localhost")}


def test_order_of_arguments(replica):
    rows = replica.admin("SELECT parameter_name FROM information_schema.parameters WHERE specific_schema='mysql' AND "
                         "specific_name='az_replication_change_master_with_gtid' ORDER BY ordinal_position")
    gtid = ["master_gtid_pos"] if replica.flavour == "mariadb" else []
    assert [row[0] for row in rows] == ["master_host", "master_user", "master_password", "master_port"] + gtid + ["master_ssl_ca"]


def test_wrong_arity(replica):
    assert replica.refused("CALL mysql.az_replication_start(1)") == 1318
    assert replica.refused("CALL mysql.az_replication_change_master('h','u','p',3306,'f',4)") == 1318
    args = {"mysql": "'h','u','p',3306,'0-1-1',''", "mariadb": "'h','u','p',3306,''"}[replica.flavour]
    assert replica.refused("CALL mysql.az_replication_change_master_with_gtid(%s)" % args) == 1318


def test_missing_procedure(replica):
    assert replica.refused("CALL mysql.az_replication_change_primary()") == 1305


def test_call_without_parentheses(pair):
    pair.link()
    pair.replica.running()
    pair.replica.admin("CALL mysql.az_replication_stop; CALL mysql.az_replication_start;")
    pair.replica.running()


def test_start_without_link(replica):
    assert replica.refused("CALL mysql.az_replication_start") == 1200


def test_link_by_position(pair):
    pair.link()
    status = pair.replica.running()
    assert status["Master_SSL_Allowed"] == "Yes" and status["Master_SSL_CA_File"].endswith(".pem")
    assert pair.follows()


def test_running_link_refuses(pair):
    pair.link()
    pair.replica.running()
    code = {"mysql": 3081, "mariadb": 1198}[pair.flavour]
    assert pair.replica.refused(CHANGE % pair.arguments()) == code
    assert pair.replica.refused("CALL mysql.az_replication_remove_master") == code
    pair.replica.running()


def test_remove_leaves_nothing(pair):
    pair.link()
    pair.replica.running()
    pair.replica.admin("CALL mysql.az_replication_stop; CALL mysql.az_replication_remove_master;")
    assert pair.replica.status() == {}


def test_link_survives_restart(pair):
    pair.link()
    pair.replica.running()
    lab("restart", pair.replica.name)
    pair.replica.running()
    assert pair.follows()


def test_skip_counter(pair):
    pair.link()
    pair.replica.running()
    assert pair.follows()
    pair.replica.admin("INSERT INTO shop.orders VALUES (43)")
    pair.source.admin("INSERT INTO shop.orders VALUES (43); INSERT INTO shop.orders VALUES (44);")
    stopped = pair.replica.until(lambda status: status["Slave_SQL_Running"] == "No")
    assert stopped["Last_SQL_Errno"] == "1062"
    pair.replica.admin("CALL mysql.az_replication_skip_counter; CALL mysql.az_replication_start;")
    pair.replica.running()
    pair.replica.until(lambda _status: pair.replica.admin("SELECT MAX(id) FROM shop.orders") == [["44"]])


# ---------------------------------------------------------------- the certificate argument


def test_wrong_ca(pair):
    pair.link(ca=pathlib.Path(pair.source.json["wrong_ca"]).read_text())
    assert pair.replica.io_error() == 2026


def test_flattened_pem(pair):
    for blank in ("", " "):
        pair.link(ca=pair.ca().replace("\n", blank))
        assert pair.replica.io_error() == 2026
        pair.replica.admin("CALL mysql.az_replication_stop; CALL mysql.az_replication_remove_master;")


def test_path_instead_of_pem(pair):
    pair.link(ca=pair.source.json["ca"])
    assert pair.replica.io_error() == 2026


def test_two_roots_in_one_pem(pair):
    pair.link(ca=pathlib.Path(pair.source.json["wrong_ca"]).read_text() + pair.ca())
    pair.replica.running()
    assert pair.follows()


def test_no_ca_and_tls_demanded_by_account(pair):
    pair.link(ca="")
    # A caching_sha2_password whose hash the source has not cached is refused even before that.
    assert pair.replica.io_error() in ({1045, 2061} if pair.flavour == "mysql" else {1045})


def test_no_ca_plain_link(pair):
    pair.source.admin("ALTER USER follower@'%' REQUIRE NONE")
    pair.link(ca="")
    if pair.flavour == "mysql":  # caching_sha2_password without TLS
        assert pair.replica.io_error() == 2061
    else:
        assert pair.replica.running()["Master_SSL_Allowed"] == "No"
        assert pair.follows()


def test_wrong_password(pair):
    pair.link(password="something else")
    assert pair.replica.io_error() == 1045


def test_quotes_in_arguments(pair):
    secret = "it's \\ \"odd\""
    pair.source.admin("ALTER USER follower@'%%' IDENTIFIED BY %s" % quote(secret))
    pair.link(password=secret)
    pair.replica.running()


# ---------------------------------------------------------------- the administrator


def test_tls_demanded(replica):
    off = {"mysql": ["--ssl-mode=DISABLED", "--get-server-public-key"], "mariadb": ["--skip-ssl"]}[replica.flavour]
    there = replica.json
    with pytest.raises(SqlError) as caught:
        replica.run([there["admin_client"][0], "--no-defaults", "--protocol=tcp", "-h", there["host"], "-P", str(there["port"]),
                     "-u", there["admin_user"], "-p" + there["admin_password"], *off], "SELECT 1")
    assert caught.value.code == {"mysql": 3159, "mariadb": 1045}[replica.flavour], caught.value


def test_documented_grants(replica):
    documented = {
        "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "PROCESS", "REFERENCES", "INDEX", "ALTER", "SHOW DATABASES",
        "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "REPLICATION SLAVE", "REPLICATION CLIENT", "CREATE VIEW", "SHOW VIEW",
        "CREATE ROUTINE", "ALTER ROUTINE", "CREATE USER", "EVENT", "TRIGGER"}
    if replica.flavour == "mysql":
        documented |= {"REPLICATION_APPLIER", "ROLE_ADMIN", "SESSION_VARIABLES_ADMIN", "SHOW_ROUTINE", "XA_RECOVER_ADMIN"}
    else:  # what 10.5 made of REPLICATION CLIENT
        documented = documented - {"REPLICATION CLIENT"} | {"BINLOG MONITOR", "SLAVE MONITOR"}
    have = set()
    for row in replica.admin("SHOW GRANTS"):
        found = re.match(r"GRANT (.*?) ON \*\.\* TO .*", row[0])
        if found:
            assert "GRANT OPTION" in row[0]
            have |= {word.strip() for word in found.group(1).split(",")}
    assert have == documented


@pytest.mark.parametrize("statement", [
    "SET GLOBAL max_connections = 10", "START SLAVE", "STOP SLAVE", "CHANGE MASTER TO MASTER_HOST='x'", "SET GLOBAL read_only = 1",
    "SELECT 1 INTO OUTFILE '/tmp/datain-lab-never'", "SHUTDOWN"])
def test_denied_without_super(replica, statement):
    expected = {1227, 1045} if "OUTFILE" in statement or replica.flavour == "mariadb" else {1227}
    assert replica.refused(statement) in expected


def test_definer_of_others_denied(replica):
    replica.admin("CREATE DATABASE shop")
    assert replica.refused("CREATE DEFINER=root@localhost PROCEDURE shop.p() SELECT 1") == 1227


def test_sql_log_bin(replica):
    if replica.flavour == "mysql":
        replica.admin("SET sql_log_bin = 0")
    else:
        assert replica.refused("SET sql_log_bin = 0") == 1227


def test_mysql_schema_is_write_protected(mysql):
    for statement in ("CREATE TABLE mysql.mine (i INT)", "DELETE FROM mysql.user", "UPDATE mysql.user SET host='x'",
                      "DROP TABLE mysql.func", "INSTALL PLUGIN x SONAME 'x.so'"):
        assert mysql.replica.refused(statement) in (1142, 1044)
    assert mysql.replica.refused("DROP PROCEDURE mysql.az_replication_start") in (1370, 1044)
    mysql.replica.admin("SELECT COUNT(*) FROM mysql.user; CREATE USER someone@'%' IDENTIFIED BY 'x'; "
                        "GRANT SELECT ON shop.* TO someone@'%'; DROP USER someone@'%';")


def test_superuser_is_out_of_reach(mysql):
    assert mysql.replica.refused("ALTER USER azure_superuser@localhost ACCOUNT UNLOCK") == 1227
    assert mysql.replica.refused("DROP USER root@localhost") == 1227


def test_execute_can_be_granted(replica):
    replica.admin("CREATE USER op@'%' IDENTIFIED BY 'op'; GRANT EXECUTE ON PROCEDURE mysql.az_replication_stop TO op@'%';")


# ---------------------------------------------------------------- parameters


def test_fixed_parameters(pair):
    want = {"log_bin": "1", "binlog_format": "ROW", "lower_case_table_names": "1", "require_secure_transport": "1",
            "log_bin_trust_function_creators": "1" if pair.flavour == "mysql" else "0", "read_only": "0"}
    if pair.flavour == "mysql":
        want.update({"gtid_mode": "OFF", "sql_generate_invisible_primary_key": "1", "partial_revokes": "1", "binlog_expire_logs_seconds": "0"})
    rows = pair.replica.admin("SELECT %s" % ", ".join("@@GLOBAL.%s" % name for name in want))
    assert dict(zip(want, rows[0])) == want


def test_invisible_primary_key(mysql):
    mysql.replica.admin("CREATE DATABASE shop; CREATE TABLE shop.bare (a INT)")
    assert mysql.replica.admin("SELECT column_name FROM information_schema.columns WHERE table_name='bare' AND extra LIKE '%INVISIBLE%'") == [["my_row_id"]]


def test_mysql_schema_does_not_replicate(pair):
    pair.link()
    pair.replica.running()
    pair.source.admin("CREATE USER only_there@'%' IDENTIFIED BY 'x'")
    assert pair.follows()
    assert pair.replica.admin("SELECT COUNT(*) FROM mysql.user WHERE user='only_there'") == [["0"]]
    assert pair.replica.status()["Replicate_Wild_Ignore_Table"].startswith("mysql.%,")


def test_source_is_plain(pair):
    rows = pair.source.admin("SELECT @@log_bin, @@binlog_format, @@lower_case_table_names, @@server_id <> 0, @@require_secure_transport")
    assert rows == [["1", "ROW", "1", "1", "0"]]
    assert pair.source.admin("SELECT @@server_id") != pair.replica.admin("SELECT @@server_id")
    assert any("ALL PRIVILEGES" in row[0] or "SUPER" in row[0] for row in pair.source.admin("SHOW GRANTS"))


# ---------------------------------------------------------------- GTID


@pytest.fixture(scope="module")
def gtid_servers(request):
    server, service = PAIRS["mysql"]
    names = ["contract-gtid-source-%d" % os.getpid(), "contract-gtid-replica-%d" % os.getpid()]
    try:
        lab("up", names[0], "--server", server, "--backend", BACKEND, "--set", "gtid_mode=ON")
        lab("up", names[1], "--server", server, "--backend", BACKEND, "--service", service, "--set", "gtid_mode=ON")
        yield Pair(*map(Server, names))
    finally:
        lab("down", *names, check=False)


@pytest.fixture
def gtid(gtid_servers):
    lab("reset", gtid_servers.source.name, gtid_servers.replica.name)
    gtid_servers.account()
    return gtid_servers


GTID_CHANGE = "CALL mysql.az_replication_change_master_with_gtid(%(host)s, %(user)s, %(password)s, %(port)s, %(ca)s);"


def executed(server):
    return server.root("SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')")[0][0]


def test_gtid_link(gtid):
    lab("gtid-reset", gtid.replica.name, executed(gtid.source))
    gtid.replica.admin(GTID_CHANGE % gtid.arguments() + "CALL mysql.az_replication_start;")
    assert gtid.replica.running()["Auto_Position"] == "1"
    assert gtid.follows()


def test_gtid_reset(gtid):
    given = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"
    gtid.replica.admin("CREATE DATABASE stray")
    lab("gtid-reset", gtid.replica.name, given)
    assert executed(gtid.replica) == given
    assert gtid.replica.refused("SET GLOBAL gtid_purged='%s'" % given.replace("-5", "-6")) == 1227


def test_gtid_link_refused_while_gtid_is_off(mysql):
    assert mysql.replica.refused(GTID_CHANGE % mysql.arguments()) == 1777


def test_skip_gtid_transaction(gtid):
    lab("gtid-reset", gtid.replica.name, executed(gtid.source))
    gtid.replica.admin(GTID_CHANGE % gtid.arguments() + "CALL mysql.az_replication_start;")
    assert gtid.follows()
    gtid.replica.admin("INSERT INTO shop.orders VALUES (43)")
    gtid.source.admin("INSERT INTO shop.orders VALUES (43); INSERT INTO shop.orders VALUES (44);")
    gtid.replica.until(lambda status: status["Last_SQL_Errno"] == "1062")
    wrong = gtid.replica.admin("SELECT APPLYING_TRANSACTION FROM performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER=1062")[0][0]
    gtid.replica.admin("CALL mysql.az_replication_skip_gtid_transaction('%s'); CALL mysql.az_replication_start;" % wrong)
    gtid.replica.running()
    gtid.replica.until(lambda _status: gtid.replica.admin("SELECT MAX(id) FROM shop.orders") == [["44"]])
    assert gtid.replica.refused("CALL mysql.az_replication_skip_gtid_transaction('%s')" % wrong) == 1644


def test_skip_gtid_transaction_malformed(gtid):
    for text in ("nonsense", "AUTOMATIC", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", "3e11fa47-71ca-11e1-9e33-c80aa9429562"):
        assert gtid.replica.refused("CALL mysql.az_replication_skip_gtid_transaction('%s')" % text) == 1774


def test_mariadb_gtid_link(mariadb):
    host, port = mariadb.address()
    position = mariadb.source.root("SELECT @@GLOBAL.gtid_current_pos")[0][0]
    call = "CALL mysql.az_replication_change_master_with_gtid(%s, 'follower', 'follower-secret', %s, %s, %s);" % (
        quote(host), port, quote(position), quote(mariadb.ca()))
    mariadb.replica.admin(call + "CALL mysql.az_replication_start;")
    assert mariadb.replica.running()["Using_Gtid"] == "Slave_Pos"
    assert mariadb.follows()
    assert mariadb.replica.refused(call) == 1198


# ---------------------------------------------------------------- the lab's own commands


def test_reset_is_complete(pair):
    pair.link()
    assert pair.follows()
    pair.replica.admin("CREATE DATABASE datain_state; CREATE USER extra@'%' IDENTIFIED BY 'x'")
    pair.replica.root("SET GLOBAL max_connections = 77")
    lab("reset", pair.source.name, pair.replica.name)
    for server in (pair.source, pair.replica):
        assert {row[0].lower() for row in server.root("SHOW DATABASES")} == {"information_schema", "mysql", "performance_schema", "sys"}
        assert server.root("SELECT COUNT(*) FROM mysql.user WHERE user IN ('extra', 'follower')") == [["0"]]
    assert pair.replica.status() == {}
    assert pair.replica.root("SELECT @@GLOBAL.max_connections") == [["200"]]
    assert pair.replica.root("SHOW MASTER STATUS")[0][0].endswith(".000001")


def test_reset_brings_the_option_file_back(pair):
    path = pair.source.json["option_file"]
    inside = [] if pair.source.json["container"] is None else ["podman", "exec", pair.source.json["container"]]
    subprocess.run([*inside, "sed", "-i", "s/^binlog_format = .*/binlog_format = STATEMENT/", path], check=True)
    lab("restart", pair.source.name)
    assert pair.source.admin("SELECT @@GLOBAL.binlog_format") == [["STATEMENT"]]
    lab("reset", pair.source.name)
    assert pair.source.admin("SELECT @@GLOBAL.binlog_format") == [["ROW"]]


def test_kill_and_start(pair):
    pair.replica.admin("CREATE DATABASE kept")
    lab("kill", pair.replica.name)
    assert json.loads(lab("show", pair.replica.name))["running"] is False
    lab("start", pair.replica.name)
    assert ["kept"] in pair.replica.admin("SHOW DATABASES")


def test_option_file_is_honoured(pair):
    path = pair.replica.json["option_file"]
    inside = [] if pair.replica.json["container"] is None else ["podman", "exec", pair.replica.json["container"]]
    subprocess.run([*inside, "sed", "-i", "s/^max_connections = .*/max_connections = 123/", path], check=True)
    lab("restart", pair.replica.name)
    assert pair.replica.admin("SELECT @@GLOBAL.max_connections") == [["123"]]
    subprocess.run([*inside, "sed", "-i", "s/^max_connections = .*/max_connections = 200/", path], check=True)
    lab("restart", pair.replica.name)


def test_without_binary_log():
    for flavour, (server, _service) in PAIRS.items():
        name = "contract-nolog-%s-%d" % (flavour, os.getpid())
        try:
            lab("up", name, "--server", server, "--backend", BACKEND, "--set", "skip-log-bin")
            assert Server(name).admin("SELECT @@log_bin") == [["0"]]
            lab("reset", name)
        finally:
            lab("down", name, check=False)


def test_secrets_are_private(pair):
    folder = pathlib.Path(pair.source.json["ca"]).parent.parent
    for path in folder.glob("servers/contract-*/*.*"):
        assert path.name.endswith(".log") or path.is_socket() or path.stat().st_mode & 0o077 == 0 or path.name == "mysqld.pid", path
    assert pair.source.json["admin_password"] != pair.replica.json["admin_password"]


def test_fidelity_table_names_these_tests():
    told = set(re.findall(r"`(test_\w+)`", (LAB / "README.md").read_text()))
    tests = {path.stem: set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)) for path in LAB.glob("test_*.py")}
    assert told <= set().union(*tests.values()), "a test that does not exist"
    for name in ("test_contract", "test_servers", "test_engine_facts"):
        assert tests[name] - told <= {"test_fidelity_table_names_these_tests"}, name
