# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status and preflight leave behind and end with: one report of the whole fleet, whatever failed, and an exit status."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.door import Door

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
STATUS, PREFLIGHT = "datain.azure_mysql.status", "datain.azure_mysql.preflight"
SECRETS = ("Report-canary-4711", "Wrong-canary-0815")
FILES = {".lock", "hosts", "report.json", "report.txt", "report.html", "report.md", "junit.xml"}
NOBODY = {"datain_login_port": 1}
# Reached by ssh, where nobody answers.
AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


class Fleet:
    """A pair, linked by the service's own procedures, and inventories around it."""

    def __init__(self, lab):
        self.source = lab("report-source", "mariadb-10.11")
        self.replica = lab("report-replica", "mariadb-10.11", "--service", "mariadb_server")
        self.source.sql(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY);"
            f"CREATE USER datain@'%' IDENTIFIED BY '{SECRETS[0]}'; GRANT REPLICATION SLAVE ON *.* TO datain@'%'"
        )
        self.link()

    def link(self, port=None):
        file, position = self.source.sql("SHOW MASTER STATUS")[0][:2]
        state = self.source.state
        self.replica.sql(
            f"CALL mysql.az_replication_change_master('{state['host']}', 'datain', '{SECRETS[0]}', {port or state['port']}, '{file}', {position}, '');"
            "CALL mysql.az_replication_start"
        )
        for _turn in range(100):
            if self.running():
                return
            time.sleep(0.1)
        raise AssertionError("the link does not come up")

    def running(self):
        status = self.replica.client("-E", "-e", "SHOW SLAVE STATUS").stdout
        return "Slave_IO_Running: Yes" in status and "Slave_SQL_Running: Yes" in status

    def server(self, lab_server, **other):
        login = {name: lab_server.state[name] for name in ("host", "port")}
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        return {
            **common,
            "datain_login_host": login["host"],
            "datain_login_port": login["port"],
            "datain_login_user": lab_server.state["admin_user"],
            "datain_login_password": lab_server.state["admin_password"],
            "datain_login_tls": "preferred",
            **other,
        }

    def inventory(self, sources=None, replicas=None, **others):
        """Return an inventory of one pair; what is given replaces or adds hosts, None takes one out."""
        source = self.server(self.source, datain_replication_user="datain", datain_replication_password=SECRETS[0])
        replica = self.server(self.replica, datain_source="shop", datain_service="mariadb_server")
        hosts = {
            "datain_sources": {"shop": {**source, **(sources or {})}},
            "datain_replicas": {"azure": replica, **{name: {**replica, **(more or {})} for name, more in (replicas or {}).items() if more is not None}},
        }
        if replicas and replicas.get("azure", 0) is None:
            del hosts["datain_replicas"]["azure"]
        groups = {group: {"hosts": members} for group, members in hosts.items()}
        return {"all": {"children": groups, "hosts": others}}


@pytest.fixture(scope="module")
def fleet(lab):
    return Fleet(lab)


@pytest.fixture
def written(tmp_path):
    """Give a function that reads the report, after looking whether each of its files is whole."""

    def read():
        folder = tmp_path / "datain-report"
        assert {path.name for path in folder.iterdir()} == FILES
        whole = json.loads((folder / "report.json").read_text())
        jsonschema.validate(whole, SCHEMA)
        ElementTree.parse(folder / "junit.xml")
        for path in folder.rglob("*"):
            if path.is_file():
                text = path.read_text()
                assert not [secret for secret in SECRETS if secret in text], path
        for name in ("report.html", "report.md", "report.txt", "junit.xml"):
            text = (folder / name).read_text()
            assert all(host["host"] in text for host in whole["hosts"] if host["in_inventory"]), name
        return {host["host"]: host for host in whole["hosts"]}

    return read


def verdicts(hosts):
    return {name: host["verdict"] for name, host in hosts.items()}


def test_a_healthy_fleet_ends_with_0_and_metrics(fleet, play, written, tmp_path):
    (tmp_path / "textfile").mkdir()
    run = play(STATUS, fleet.inventory(), "--extra-vars", f"datain_prometheus_dir={tmp_path}/textfile")
    assert run.rc == 0, run.out
    hosts = written()
    assert verdicts(hosts) == {"azure": "ok", "shop": "ok"}
    assert (hosts["azure"]["state"], hosts["azure"]["receiver"], hosts["azure"]["wanted"]) == ("running", "running", None)
    families = {family.name: family for family in text_string_to_metric_families((tmp_path / "textfile" / "datain.prom").read_text())}
    assert [sample.value for sample in families["datain_link_receiver_up"].samples] == [1]
    assert [sample.labels["source"] for sample in families["datain_link_lag_seconds"].samples] == ["shop"]
    assert "verdict" in run.out, "the table is shown"


def test_a_link_that_is_not_as_wanted_ends_with_2(fleet, play, written):
    fleet.replica.sql("CALL mysql.az_replication_stop")
    try:
        run = play(STATUS, fleet.inventory())
        assert run.rc == 2, run.out
        hosts = written()
        assert verdicts(hosts) == {"azure": "failed", "shop": "ok"}
        assert hosts["azure"]["blocks"][0]["rule"] == "link.state"
        assert "--limit 'azure'" in run.out
        run = play(STATUS, fleet.inventory(replicas={"azure": {"datain_state": "stopped"}}))
        assert run.rc == 0 and verdicts(written()) == {"azure": "ok", "shop": "ok"}, run.out
    finally:
        fleet.replica.sql("CALL mysql.az_replication_start")


def test_a_receiver_that_stands_still_is_a_warning(fleet, play, written):
    """The link says that it runs, and is no second late."""
    door = Door(fleet.source.state["port"])
    unlink = "CALL mysql.az_replication_stop; CALL mysql.az_replication_remove_master"
    fleet.replica.sql(unlink)
    fleet.link(door.port)
    try:
        run = play(STATUS, fleet.inventory())
        assert run.rc == 0 and verdicts(written()) == {"azure": "ok", "shop": "ok"}, run.out
        door.hold()
        fleet.source.sql("CREATE TABLE shop.big (a INT PRIMARY KEY, b LONGTEXT)")
        fleet.source.sql("; ".join(f"INSERT INTO shop.big VALUES ({number}, REPEAT('x', 3000000))" for number in range(6)))
        assert fleet.running()
        run = play(STATUS, fleet.inventory())
        assert run.rc == 0 and "link.received" in run.out, run.out
        azure = written()["azure"]
        assert (azure["verdict"], azure["state"], azure["lag_seconds"]) == ("warning", "running", 0)
        assert [(found["rule"], found["status"], found["severity"]) for found in azure["findings"]] == [("link.received", "failed", "warning")]
        # Without the source in the run nobody can tell.
        assert play(STATUS, fleet.inventory(), "--limit", "azure").rc == 0 and verdicts(written())["azure"] == "ok"
    finally:
        door.let_go()
        door.shut()
        fleet.replica.sql(unlink)
        fleet.source.sql("DROP TABLE IF EXISTS shop.big")
        fleet.replica.sql("DROP TABLE IF EXISTS shop.big")
        fleet.link()


def test_more_lag_than_tolerated_ends_with_2(fleet, play, written, tmp_path):
    """The applier waits on purpose, and what it has not applied grows older."""
    (tmp_path / "textfile").mkdir()
    fleet.replica.sql("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = 60; START SLAVE")
    try:
        fleet.source.sql("CREATE DATABASE later; DROP DATABASE later")
        for _turn in range(100):
            status = fleet.replica.client("-E", "-e", "SHOW SLAVE STATUS").stdout
            if re.search(r"Seconds_Behind_Master: [1-9]", status):
                break
            time.sleep(0.1)
        else:
            raise AssertionError(status)
        run = play(STATUS, fleet.inventory(replicas={"azure": {"datain_max_lag": 0}}), "--extra-vars", f"datain_prometheus_dir={tmp_path}/textfile")
        assert run.rc == 2 and "link.lag" in run.out, run.out
        hosts = written()
        assert verdicts(hosts) == {"azure": "failed", "shop": "ok"}
        assert (hosts["azure"]["state"], hosts["azure"]["max_lag_seconds"]) == ("running", 0)
        assert hosts["azure"]["lag_seconds"] >= 1 and hosts["azure"]["blocks"][0]["rule"] == "link.lag"
        metrics = (tmp_path / "textfile" / "datain.prom").read_text()
        assert 'datain_link_max_lag_seconds{host="azure",source="shop",service="mariadb_server"} 0' in metrics
        assert 'datain_healthy{host="azure",role="replica"} 0' in metrics
        for tolerated in ({"datain_max_lag": 3600}, {}):
            run = play(STATUS, fleet.inventory(replicas={"azure": tolerated}))
            assert run.rc == 0 and verdicts(written()) == {"azure": "ok", "shop": "ok"}, run.out
        run = play(STATUS, fleet.inventory(replicas={"azure": {"datain_max_lag": "a minute"}}))
        assert run.rc == 2 and "datain_max_lag" in run.out, run.out
        assert verdicts(written())["azure"] == "failed", "the report is written whatever is wrong with the inventory"
    finally:
        fleet.replica.sql("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = 0; START SLAVE")


def test_every_host_fails_and_is_in_the_report(fleet, play, written):
    wrong = {"datain_login_password": SECRETS[1]}
    run = play(STATUS, fleet.inventory(sources=NOBODY, replicas={"azure": wrong, "other": NOBODY}))
    assert run.rc == 2, run.out
    hosts = written()
    assert verdicts(hosts) == {"azure": "failed", "other": "failed", "shop": "failed"}
    assert {name: host["blocks"][0]["rule"] for name, host in hosts.items()} == dict.fromkeys(hosts, "error.connect")
    assert all(host["blocks"][0]["remedy"] for host in hosts.values())
    assert not [secret for secret in SECRETS if secret in run.out]


def test_one_failed_source_does_not_pass_for_health(fleet, play, written):
    run = play(STATUS, fleet.inventory(sources=NOBODY))
    assert run.rc == 2, run.out
    assert verdicts(written()) == {"azure": "ok", "shop": "failed"}


@pytest.mark.parametrize("playbook", [STATUS, PREFLIGHT])
def test_a_host_that_ansible_does_not_reach_ends_with_4(fleet, play, written, playbook):
    if not shutil.which("ssh"):
        pytest.fail("ssh is needed to be unreachable by it")
    run = play(playbook, fleet.inventory(replicas={"behind": {"datain_sql_host": "jump"}}, jump=AWAY))
    assert run.rc == 4, run.out
    hosts = written()
    assert (hosts["behind"]["state"], hosts["behind"]["verdict"]) == ("unreachable", "unknown")
    assert hosts["azure"]["verdict"] != "unknown", "the others were looked at"


def test_preflight_ends_with_what_blocks(fleet, play, written):
    fleet.source.sql("SET GLOBAL binlog_format = 'STATEMENT'")
    try:
        run = play(PREFLIGHT, fleet.inventory())
        assert run.rc == 2, run.out
        hosts = written()
        blocked_by = hosts["azure"]["summary"]["blocked_by"]
        assert hosts["azure"]["state"] == "blocked" and "binlog.format" in blocked_by
        assert [block["rule"] for block in hosts["azure"]["blocks"]] == blocked_by
        assert all(f"blocks: {rule}" in run.out for rule in blocked_by)
        assert set(hosts) == {"azure"}, "preflight looks at links; the source has no part of its own yet"
        assert play(PREFLIGHT, fleet.inventory(), "--extra-vars", "datain_fail_on=none").rc == 0
        waivers = [{"rule": rule, "reason": "a lab", "until": "2099-12-31"} for rule in blocked_by]
        run = play(PREFLIGHT, fleet.inventory(replicas={"azure": {"datain_waivers": waivers}}))
    finally:
        fleet.source.sql("SET GLOBAL binlog_format = 'ROW'")
    assert run.rc == 0, run.out
    hosts = written()
    assert hosts["azure"]["state"] == "ready" and hosts["azure"]["summary"]["waived"] == len(waivers)
    assert "waived until 2099-12-31: a lab" in run.out
    assert play(STATUS, fleet.inventory()).rc == 0, "findings of an earlier run do not count"
    assert written()["azure"]["summary"]["waived"] == len(waivers), "but they are still there"


def test_preflight_of_an_inventory_that_cannot_be_meant(fleet, play, written):
    run = play(PREFLIGHT, fleet.inventory(replicas={"azure": {"datain_service": "oracle"}}))
    assert run.rc == 2, run.out
    assert written()["azure"]["verdict"] == "failed"


def test_limit_and_serial_keep_one_report(fleet, play, written, tmp_path):
    inventory = fleet.inventory(replicas={"azure2": {"datain_login_host": "localhost"}})
    assert play(STATUS, inventory, "--limit", "azure").rc == 0
    hosts = written()
    assert verdicts(hosts) == {"azure": "ok", "azure2": "unknown"}
    assert (hosts["azure2"]["role"], hosts["azure2"]["at"]) == ("replica", None)
    shutil.rmtree(tmp_path / "datain-report")
    look = {"name": "Look", "datain.azure_mysql.replica_info": None, "register": "seen"}
    report = {
        "name": "Report",
        "ansible.builtin.import_role": {"name": "datain.azure_mysql.report"},
        "vars": {"report_document": {"role": "replica", "plan": "{{ seen }}"}},
    }
    plays = [{"hosts": "datain_replicas", "gather_facts": False, "serial": 1, "tasks": [look, report]}]
    run = play(plays, inventory)
    assert run.rc == 0, run.out
    assert verdicts(written()) == {"azure": "ok", "azure2": "ok"}


def test_a_host_that_has_left_the_inventory_no_longer_counts(fleet, play, written, tmp_path):
    assert play(STATUS, fleet.inventory(replicas={"old": NOBODY})).rc == 2
    assert written()["old"]["verdict"] == "failed"
    run = play(STATUS, fleet.inventory())
    assert run.rc == 0, run.out
    assert written()["old"]["in_inventory"] is False
    whole = json.loads((tmp_path / "datain-report" / "report.json").read_text())
    assert whole["verdict"] == "ok"
    assert "old" not in (tmp_path / "datain-report" / "junit.xml").read_text()


def test_check_mode_shows_and_writes_nothing(fleet, play, tmp_path):
    run = play(STATUS, fleet.inventory(), "--check")
    assert run.rc == 0 and "verdict" in run.out, run.out
    assert not (tmp_path / "datain-report").exists()
