# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
"""The services on the versions that they name, the switches of `up --with`, and the control plane; asked by the server's own client.

Linking itself is in test_contract.py; here is what differs from one service and version to the next.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time

import pytest
from asking import LAB, Server, SqlError, lab
from catalogue import SERVERS, SERVICES, SWITCHES

MARK = "%d" % os.getpid()
BY_GTID = {"mysql": 5, "mariadb": 6}
CHANGE = "CALL mysql.az_replication_change_master('127.0.0.1', 'u', 'p', 9, 'binlog.000001', 4, '')"
# A server for each service, and for each way to say things: the oldest and the newest.
DRESSED = [("mysql-5.6", "mysql_data_sync"), ("mysql-5.7", "mysql_single_server"), ("mysql-8.0.15", "mysql_single_server"),
           ("mysql-9.7", "mysql_flexible_server"), ("mariadb-10.2", "mariadb_server")]
# Servers with switches; several on one, as long as they do not hide each other.
SWITCHED = {
    "rows": ("mysql-8.0.33", "mysql_flexible_server", ["ha", "failure-rows", "empty-results", "link-info-denied", "geo-backup", "vnet"]),
    "signal": ("mysql-8.0.33", "mysql_flexible_server",
               ["failure-signal", "no-filter", "hang-late", "link-info-file", "read-replicas", "burstable", "stopped", "private-endpoint"]),
    "old": ("mysql-5.7", "mysql_single_server", ["small-storage", "link-info-table", "hang"]),
    "basic": ("mariadb-10.11", "mariadb_server", ["basic"]),
}


def az(*words):
    done = subprocess.run([LAB / "bin" / "az", *words], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def started(name, server, service, switches=()):
    lab("up", name, "--server", server, "--service", service, *(word for switch in switches for word in ("--with", switch)))
    return Server(name)


@pytest.fixture(scope="module", params=DRESSED, ids="-".join)
def dressed(request):
    name = "dressed-%s" % MARK
    try:
        yield started(name, *request.param)
    finally:
        lab("down", name, check=False)


@pytest.fixture(scope="module")
def switched():
    servers = {}

    def get(which):
        if which not in servers:
            servers[which] = started("with-%s-%s" % (which, MARK), *SWITCHED[which])
        return servers[which]

    try:
        yield get
    finally:
        lab("down", *("with-%s-%s" % (which, MARK) for which in SWITCHED), check=False)


def procedures(server):
    rows = server.admin("SELECT r.routine_name, COUNT(p.parameter_name) FROM information_schema.routines r LEFT JOIN information_schema.parameters p "
                        "ON p.specific_schema = 'mysql' AND p.specific_name = r.specific_name AND p.ordinal_position > 0 "
                        "WHERE r.routine_schema = 'mysql' AND r.routine_name LIKE 'az\\_%' GROUP BY r.routine_name")
    return {row[0].replace("az_replication_", ""): int(row[1]) for row in rows}


# ---------------------------------------------------------------- services


def test_procedures_of_each_service(dressed):
    have, service = procedures(dressed), dressed.json["service"]
    assert {name: have.pop(name) for name in ("change_master", "start", "stop", "remove_master", "skip_counter")} == {
        "change_master": 7, "start": 0, "stop": 0, "remove_master": 0, "skip_counter": 0}
    by_gtid = {} if service == "mysql_data_sync" else {"change_master_with_gtid": BY_GTID[dressed.flavour]}
    if by_gtid and dressed.flavour == "mysql":
        by_gtid["skip_gtid_transaction"] = 1
    assert have == by_gtid


def test_errors_of_each_service(dressed):
    assert dressed.refused("CALL mysql.az_replication_start") == 1200
    assert dressed.refused("CALL mysql.az_replication_start(1)") == 1318
    assert dressed.refused("CALL mysql.az_replication_change_primary()") == 1305


def test_grammar_of_each_version(dressed):
    """The words that the bodies are made of change over the versions; each body is run once."""
    dressed.admin(CHANGE)
    status = dressed.status()
    assert (status["Master_Port"], status["Master_Log_File"], status["Read_Master_Log_Pos"]) == ("9", "binlog.000001", "4")
    assert status["Master_SSL_Allowed"] == "No"
    dressed.admin("CALL mysql.az_replication_skip_counter; CALL mysql.az_replication_start;")
    assert dressed.io_error() == 2003
    running = dressed.refused("CALL mysql.az_replication_remove_master")
    assert running == (1198 if dressed.flavour == "mariadb" or dressed.version < (5, 7) else 3081)
    dressed.admin("CALL mysql.az_replication_stop; CALL mysql.az_replication_remove_master;")
    assert dressed.status() == {}


def test_administrator_of_each_version(dressed):
    rights = " ".join(row[0] for row in dressed.admin("SHOW GRANTS"))
    assert "WITH GRANT OPTION" in rights and "SUPER" not in rights and "CREATE USER" in rights
    # Flexible Server alone names dynamic privileges.
    assert ("ROLE_ADMIN" in rights) is (dressed.json["service"] == "mysql_flexible_server")
    assert dressed.refused("STOP SLAVE") in (1227, 1045)
    assert dressed.refused("SET GLOBAL max_connections = 7") in (1227, 1045)
    assert dressed.outcome("SET sql_log_bin = 0", dressed.json["admin_client"]) == (None if dressed.json["service"] == "mysql_flexible_server" else 1227)


def test_parameters_of_each_service(dressed):
    rows = dict(row[:2] for row in dressed.admin("SHOW GLOBAL VARIABLES") if len(row) > 1)
    assert (rows["log_bin"], rows["binlog_format"], rows["lower_case_table_names"]) == ("ON", "ROW", "1")
    assert rows["log_bin_trust_function_creators"] == ("ON" if dressed.json["service"] == "mysql_flexible_server" else "OFF")
    assert rows.get("gtid_mode", "OFF") == "OFF"


def test_offered_versions_only():
    for server in SERVERS:
        for service, table in SERVICES.items():
            if server not in table["servers"]:
                command = ["python3", LAB, "up", "never", "--server", server, "--service", service]
                assert subprocess.run(command, capture_output=True, check=False).returncode
    assert "never" not in lab("list")


# ---------------------------------------------------------------- switches


def test_ha_has_no_position_procedure(switched):
    server = switched("rows")
    assert "change_master" not in procedures(server) and procedures(server)["change_master_with_gtid"] == 5
    assert server.refused(CHANGE) == 1305
    assert server.admin("SELECT @@GLOBAL.gtid_mode, @@GLOBAL.enforce_gtid_consistency") == [["ON", "ON"]]


def test_basic_tier_has_no_procedures(switched):
    assert procedures(switched("basic")) == {}
    assert switched("basic").refused("CALL mysql.az_replication_stop") == 1305


def test_small_storage_has_no_gtid(switched):
    assert set(procedures(switched("old"))) == {"change_master", "start", "stop", "remove_master", "skip_counter"}


def test_failure_as_a_row_between_empty_results(switched):
    server = switched("rows")
    done = subprocess.run([*server.json["admin_client"], "-vv", "-e", "CALL mysql.az_replication_start"], capture_output=True, text=True, check=True)
    assert "exception" in done.stdout and "not configured" in done.stdout and "Empty set" in done.stdout


def test_failure_as_a_signal(switched):
    with pytest.raises(SqlError) as caught:
        switched("signal").admin("CALL mysql.az_replication_start")
    assert caught.value.code == 1644 and "The procedure failed" in str(caught.value)


def test_procedures_that_hang(switched):
    """Before they have done anything, or after."""
    for which in ("old", "signal"):
        server = switched(which)
        before = server.status("client")
        client = subprocess.Popen([*server.json["admin_client"], "-e", CHANGE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(2)
        assert client.poll() is None
        assert (server.status("client") != before) is (which == "signal")
        client.kill()
        client.wait()


def test_filter_can_be_absent(switched):
    assert "replicate_wild_ignore_table" not in open(switched("signal").json["option_file"]).read()
    assert "replicate_wild_ignore_table = mysql.%" in open(switched("rows").json["option_file"]).read()


def test_link_info_is_readable_or_not(switched):
    assert switched("rows").refused("SELECT User_password FROM mysql.slave_master_info") == 1142
    switched("rows").admin("SELECT COUNT(*) FROM mysql.user; SELECT COUNT(*) FROM mysql.slave_relay_log_info")
    repository = "SELECT @@GLOBAL.master_info_repository"
    assert switched("signal").root(repository) == [["FILE"]] and switched("old").root(repository) == [["TABLE"]]
    switched("old").admin("SELECT User_password FROM mysql.slave_master_info")


def test_every_switch_is_used_here_and_told():
    used = {switch for _server, _service, switches in SWITCHED.values() for switch in switches}
    assert used == set(SWITCHES)
    told = set(re.findall(r"^\| `([a-z-]+)` \|", (LAB / "README.md").read_text(), re.MULTILINE))
    assert used <= told


# ---------------------------------------------------------------- the control plane


def test_document_of_a_flexible_server(switched):
    code, document = az("mysql", "flexible-server", "show", "-g", "rg", "-n", switched("rows").name)
    assert code == 0 and document["type"] == "Microsoft.DBforMySQL/flexibleServers"
    assert (document["version"], document["fullVersion"], document["highAvailability"]["mode"]) == ("8.0.21", "8.0.33", "ZoneRedundant")
    assert document["backup"]["geoRedundantBackup"] == "Enabled" and "/subnets/" in document["network"]["delegatedSubnetResourceId"]
    other = az("mysql", "flexible-server", "show", "-g", "rg", "-n", switched("signal").name)[1]
    assert (other["sku"]["tier"], other["state"], other["replicationRole"]) == ("Burstable", "Stopped", "Source")
    assert other["network"] == {"publicNetworkAccess": "Disabled", "delegatedSubnetResourceId": None, "privateDnsZoneResourceId": None}


def test_documents_of_the_retired_services(switched):
    code, document = az("mariadb", "server", "show", "-g", "rg", "-n", switched("basic").name)
    assert code == 0 and (document["type"], document["sku"]["tier"]) == ("Microsoft.DBforMariaDB/servers", "Basic")
    assert az("mysql", "server", "show", "-g", "rg", "-n", switched("old").name)[1]["version"] == "5.7"
    code, said = az("mysql", "flexible-server", "show", "-g", "rg", "-n", switched("old").name)
    assert code == 3 and "ResourceNotFound" in said


def test_parameters_by_the_control_plane(switched):
    where = ("-g", "rg", "-s", switched("rows").name)
    assert {item["name"] for item in az("mysql", "flexible-server", "parameter", "list", *where)[1]} >= {"gtid_mode", "replicate_wild_ignore_table"}
    code, changed = az("mysql", "flexible-server", "parameter", "set", *where, "--name", "wait_timeout", "--value", "345")
    assert code == 0 and (changed["value"], changed["source"]) == ("345", "user-override")
    assert switched("rows").root("SELECT @@GLOBAL.wait_timeout") == [["345"]]
    code, said = az("mysql", "flexible-server", "parameter", "set", *where, "--name", "log_bin", "--value", "OFF")
    assert code == 1 and "ConfigurationReadOnly" in said


def test_firewall_by_the_control_plane(switched):
    where = ("-g", "rg", "-n", switched("rows").name)
    assert az("mysql", "flexible-server", "firewall-rule", "list", *where) == (0, [])
    az("mysql", "flexible-server", "firewall-rule", "create", *where, "--rule-name", "source", "--start-ip-address", "203.0.113.4")
    rules = az("mysql", "flexible-server", "firewall-rule", "list", *where)[1]
    assert [(rule["name"], rule["startIpAddress"], rule["endIpAddress"]) for rule in rules] == [("source", "203.0.113.4", "203.0.113.4")]


def test_gtid_reset_is_refused(switched):
    before = switched("rows").root("SELECT @@GLOBAL.gtid_executed")
    for which, said in (("rows", "geo-redundant backup is enabled"), ("signal", "GtidResetServerHasReadReplica")):
        words = ("mysql", "flexible-server", "gtid", "reset", "-g", "rg", "-s", switched(which).name, "--gtid-set", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5")
        assert az(*words)[0] == 1 and "--yes" in az(*words)[1]
        code, found = az(*words, "--yes")
        assert code == 1 and said in found
    assert switched("rows").root("SELECT @@GLOBAL.gtid_executed") == before


# ---------------------------------------------------------------- the table


def test_fidelity_table():
    """Every behaviour says where it is from, and yes, partly or no; a yes names a test that exists, and every test here is named."""
    text = (LAB / "README.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.partition("## Fidelity")[2].splitlines() if line.startswith("| ")]
    assert len(rows) > 60
    tests = set()
    for file in ("test_contract.py", "test_services.py"):
        tests |= set(re.findall(r"^def (test_\w+)", (LAB / file).read_text(), re.MULTILINE))
    for row in rows[1:]:
        assert len(row) == 4 and re.match(r"A \d|E\b|\u2014", row[1]), row
        found = re.findall(r"\b(yes|partly|no)\b", row[2].replace("**", ""))
        named = re.findall(r"`(test_\w+)`", row[3])
        assert found and set(named) <= tests, row
        assert named or found[0] != "yes", row
        assert found[0] == "yes" or len(row[2]) > len("partly: "), row
    assert tests - {"test_fidelity_table", "test_fidelity_table_names_these_tests"} <= set(re.findall(r"`(test_\w+)`", text))
