# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on every service and every version that it names: onboarded by the playbook, judged by the servers' own clients.

One row is one pair. The rows of a group are onboarded by one run, as an operator with one inventory would: so their servers
are started once, and what a row costs is its own share of that run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _prerequisites

LAB = Path(__file__).parents[1] / "lab"
USER, PASSWORD = "datain", "repl-Pa55 'word"
# Each with its programs, whose sql_mode goes with them; everything has a key, since the single services demand one.
DATA = """
SET NAMES utf8mb4;
CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4;
USE shop;
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(60), price DECIMAL(10,2), raw VARBINARY(9)) COMMENT 'Bücher';
CREATE TABLE `wörter` (id INT PRIMARY KEY, `größe` DOUBLE, f BIT(3), at DATETIME) DEFAULT CHARSET=latin1;
INSERT INTO orders (what, price, raw) VALUES ('it''s a book', 12.5, x'00ff270a'), ('Käse 🧀', 7.25, NULL), (NULL, NULL, '');
INSERT INTO `wörter` VALUES (1, 0.1, b'101', '2024-02-29 12:00:00'), (2, -1e100, NULL, NULL);
CREATE VIEW latest AS SELECT id, what FROM orders;
CREATE PROCEDURE tidy() COMMENT 'räumt auf' DELETE FROM orders WHERE id > 1000;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders WHERE id > 2000;
"""
ROWS = "SELECT id, HEX(what), price, HEX(raw) FROM shop.orders ORDER BY id; SELECT id, `größe`, f+0, at FROM shop.`wörter` ORDER BY id"
OBJECTS = (
    "SELECT 'view', table_name FROM information_schema.views WHERE table_schema = 'shop'"
    " UNION ALL SELECT 'routine', routine_name FROM information_schema.routines WHERE routine_schema = 'shop'"
    " UNION ALL SELECT 'event', event_name FROM information_schema.events WHERE event_schema = 'shop' ORDER BY 1, 2"
)
# No client of today can agree on TLS with these; two of them can with each other.
OLD_TLS = ("mysql-5.6", "mysql-5.7", "mariadb-10.2")
GTID = ("--set", "gtid_mode=ON")


@dataclass(frozen=True)
class Row:
    """One pair.

    :param method: what the inventory says
    :param tls: the link uses TLS
    :param waiver: the rule whose finding the operator takes upon themself
    """

    source: str
    replica: str
    service: str
    method: str = "auto"
    tls: bool = True
    waiver: str | None = None

    @property
    def name(self):
        return "-".join([self.source, self.replica, self.service.replace("_", "-"), self.method]).replace(".", "")

    @property
    def by_gtid(self):
        return self.method == "gtid" or (self.method == "auto" and self.service == "mariadb_server")

    @property
    def gtids(self):
        """The replica's gtid_mode has to be switched on: it goes together with the source's, which is on by default from 9.0 on."""
        return self.aligned or self.source == "mysql-9.7"

    @property
    def aligned(self):
        """The control plane has to put the seed's GTIDs into the replica before it can be linked."""
        return self.by_gtid and self.service != "mariadb_server"


@dataclass(frozen=True)
class Group:
    """Rows that are onboarded by one run.

    :param source_service: the sources are managed servers themselves
    :param source_words: options of a source's server
    :param refused: pairs that a service's document does not allow: source, replica (any server of the group), service, and the rule that says so
    """

    rows: tuple[Row, ...]
    source_service: str | None = None
    source_words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: tuple[tuple[str, str, str, str], ...] = ()


FLEXIBLE, SINGLE, SYNC, MARIADB = "mysql_flexible_server", "mysql_single_server", "mysql_data_sync", "mariadb_server"
GROUPS = {
    "mysql-5.6": Group(
        (
            Row("mysql-5.6", "mysql-5.6", SINGLE),
            Row("mysql-5.6", "mysql-5.6", SYNC),
        ),
        refused=(("mysql-5.6", "mysql-5.6", FLEXIBLE, "version.supported"),),
    ),
    "mysql-5.7": Group(
        (
            Row("mysql-5.7", "mysql-5.7", SINGLE),
            Row("mysql-5.7", "mysql-5.7", SYNC),
            Row("mysql-5.7", "mysql-5.7", FLEXIBLE),
            # The builds to be had of 5.7 end at TLS 1.1, those of 8.0 begin with 1.2.
            Row("mysql-5.7", "mysql-8.0.33", FLEXIBLE, tls=False),
        ),
        refused=(
            ("mysql-5.7", "mysql-8.0.33", SINGLE, "version.pair"),
            ("mysql-5.7", "mysql-8.0.33", SYNC, "version.pair"),
        ),
    ),
    "mysql-8.0": Group(
        (
            Row("mysql-8.0.15", "mysql-8.0.33", FLEXIBLE),
            Row("mysql-8.0.33", "mysql-8.0.33", FLEXIBLE),
            Row("mysql-8.0.33", "mysql-8.0.33", SINGLE),
        ),
    ),
    "mysql-9.7": Group(
        (
            Row("mysql-8.0.33", "mysql-9.7", FLEXIBLE),
            Row("mysql-9.7", "mysql-9.7", FLEXIBLE),
        ),
        refused=(("mysql-9.7", "mysql-8.0.33", FLEXIBLE, "version.direction"),),
    ),
    "mysql-azure": Group(
        (Row("mysql-8.0.33", "mysql-8.0.33", FLEXIBLE),),
        source_service=SINGLE,
    ),
    "mysql-gtid": Group(
        (
            Row("mysql-5.7", "mysql-5.7", SINGLE, "gtid"),
            Row("mysql-5.7", "mysql-5.7", FLEXIBLE, "gtid"),
            Row("mysql-8.0.33", "mysql-8.0.33", SINGLE, "gtid"),
            Row("mysql-8.0.33", "mysql-8.0.33", FLEXIBLE, "gtid"),
            Row("mysql-8.0.33", "mysql-9.7", FLEXIBLE, "gtid"),
        ),
        # What 5.7 does not keep by itself would have to stand in its option file; 8.0 is switched over by the run.
        source_words={"mysql-5.7": GTID},
    ),
    "mariadb-10.2": Group(
        (
            Row("mariadb-10.2", "mariadb-10.2", MARIADB),
            Row("mariadb-10.2", "mariadb-10.2", MARIADB, "position"),
            Row("mariadb-10.2", "mariadb-10.11", MARIADB, tls=False, waiver="version.pair"),
        ),
        refused=(("mariadb-10.2", "mariadb-10.11", MARIADB, "version.pair"),),
    ),
    "mariadb": Group(
        (
            Row("mariadb-10.5", "mariadb-10.5", MARIADB),
            Row("mariadb-10.11", "mariadb-10.11", MARIADB),
            Row("mariadb-11.8", "mariadb-11.8", MARIADB),
            Row("mariadb-11.8", "mariadb-11.8", MARIADB, "position"),
        ),
        refused=(("mariadb-11.8", "mariadb-10.5", MARIADB, "version.direction"),),
    ),
}
ROWS_OF_GROUPS = [(name, row) for name, group in GROUPS.items() for row in group.rows]
REFUSED = [(name, pair) for name, group in GROUPS.items() for pair in group.refused]


class Running:
    """The servers of a group, and an inventory for them."""

    def __init__(self, name, lab, folder, play):
        self.name, self.group, self.folder, self._play = name, GROUPS[name], folder, play
        self.skips = {}
        dressed = ("--service", self.group.source_service) if self.group.source_service else ()
        self.sources = {
            server: lab(f"svc-s{number}", server, *dressed, *self.group.source_words.get(server, ()))
            for number, server in enumerate(dict.fromkeys(row.source for row in self.group.rows))
        }
        self.replicas = {
            row: lab(f"svc-r{number}", row.replica, "--service", row.service, *(GTID if row.gtids else ()))
            for number, row in enumerate(self.group.rows)
        }
        for source in self.sources.values():
            # Where the log begins is no position that a mistake could not hit by chance.
            source.sql("FLUSH LOGS;" + DATA)

    def login(self, server):
        state = server.state
        verified = {"datain_login_tls": "verify_identity", "datain_login_ca": state["ca"]}
        tls = {"datain_login_tls": "disabled"} if state["server"] in OLD_TLS else verified
        names = {"host": state["host"], "port": state["port"], "user": state["admin_user"], "password": state["admin_password"]}
        return {f"datain_login_{key}": value for key, value in names.items()} | tls

    def inventory(self):
        sources = {}
        for name, server in self.sources.items():
            sources[name] = {**self.login(server), "datain_replication_user": USER, "datain_replication_password": PASSWORD}
            if self.group.source_service:
                sources[name]["datain_service"] = self.group.source_service
            if all(row.tls for row in self.group.rows if row.source == name):
                sources[name]["datain_link_ca"] = server.state["ca"]
        replicas = {}
        for row, server in self.replicas.items():
            own = {"datain_source": row.source, "datain_service": row.service, "datain_client_dir": self.sources[row.source].state["bin_dir"]}
            if row.method != "auto":
                own["datain_link_method"] = row.method
            if row.tls:
                own["datain_link_ca"] = self.sources[row.source].state["ca"]
            if row.waiver:
                own["datain_waivers"] = [{"rule": row.waiver, "reason": "the scenario asks for it", "until": "2099-12-31"}]
            replicas[row.name] = {**self.login(server), **own, "datain_skip": self.skips.get(row, [])}
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "datain_report_dir": str(self.folder / "report")}
        return {"all": {"vars": common, "children": {"datain_sources": {"hosts": sources}, "datain_replicas": {"hosts": replicas}}}}

    def play(self, what, *words):
        return self._play(self.folder, f"datain.azure_mysql.{what}", self.inventory(), "--forks", "4", *words)

    def align(self, rows):
        """Do what the run has asked for, as the control plane would, and run again."""
        assert not any(host in self.sources for host, _result in self.run.failures), self.run.out
        for row in rows:
            said = next(result["msg"] for host, result in self.run.failures if host == row.name)
            wanted = re.search(r"(?:--gtid-set|sets gtid_purged to) '?([0-9a-f,:-]+)", said)
            assert wanted, said
            self.replicas[row].gtid_reset(wanted[1])

    def set_parameters(self):
        """Set the parameters of the sources that the run has asked for."""
        for host, result in self.run.failures:
            for name, value in re.findall(r"az mysql server configuration set .*? --name (\w+) --value '(\w+)'", result["msg"]):
                self.sources[host].sql(f"SET GLOBAL {name} = {value}")

    def judged(self, perform, source, replica, service):
        """Judge a pair by the prerequisites of a service, as the preflight playbook does."""
        login = {name.removeprefix("datain_"): value for name, value in self.login(replica).items()}
        own = {name.removeprefix("datain_"): value for name, value in self.login(source).items()}
        where = {"link_host": source.state["host"], "link_port": source.state["port"]}
        account = {"replication_user": USER, "replication_password": PASSWORD}
        return perform(_prerequisites.CAPABILITY, login, source=own, service=service, **where, **account)

    def applier_stops(self, row):
        deadline = time.monotonic() + 15
        while self.status(row).get("Slave_SQL_Running") != "No" and time.monotonic() < deadline:
            time.sleep(0.2)
        return self.status(row).get("Slave_SQL_Running") == "No"

    def status(self, row):
        """The channel in the server's own words; those of before 8.0.22 on every version."""
        replica = self.replicas[row]
        for verb in ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"):
            done = replica.client("-E", text=verb + "\n")
            if done.returncode == 0:
                break
        pairs = (line.strip().partition(":") for line in done.stdout.splitlines() if ":" in line)
        return {key.replace("Source", "Master").replace("Replica_", "Slave_"): value.strip() for key, _colon, value in pairs}

    def caught_up(self, row):
        """Wait until the replica has applied all that its source has."""
        source, replica = self.sources[row.source], self.replicas[row]
        verb = "SHOW BINARY LOG STATUS" if row.source == "mysql-9.7" else "SHOW MASTER STATUS"
        file, position = source.sql(verb)[0][:2]
        wait = "SOURCE_POS_WAIT" if row.replica == "mysql-9.7" else "MASTER_POS_WAIT"
        return replica.value(f"SELECT {wait}('{file}', {position}, 20)") not in (None, "NULL", "-1")


@pytest.fixture(scope="module")
def running(request, lab, tmp_path_factory, play_in):
    """Start the servers of a group, and take them down when the next group's turn comes."""
    found = Running(request.param, lab, tmp_path_factory.mktemp("services"), play_in)
    yield found
    servers = [*found.sources.values(), *found.replicas.values()]
    for server in servers:
        server.down()


@pytest.fixture(scope="module")
def onboarded(running):
    """Onboard a group, and let each source write on."""
    running.run = running.play("onboard")
    aligned = [row for row in running.group.rows if row.aligned]
    if aligned or running.group.source_service:
        # The first run stops with what the control plane has to do; then that is done, and the next one goes on.
        running.stopped = running.run
        running.align(aligned) if aligned else running.set_parameters()
        running.run = running.play("onboard")
    for source in running.sources.values():
        source.sql("SET NAMES utf8mb4; INSERT INTO shop.orders (what, price) VALUES ('später 🧀', 1)")
    return running


def of_rows(function):
    ids = [f"{group}-{row.name}" for group, row in ROWS_OF_GROUPS]
    return pytest.mark.parametrize(("running", "row"), ROWS_OF_GROUPS, ids=ids, indirect=["running"], scope="module")(function)


def of_groups(*names):
    return pytest.mark.parametrize("running", names or tuple(GROUPS), indirect=True, scope="module")


def of_refused(function):
    ids = ["-".join((group, *pair)).replace(".", "").replace("_", "-") for group, pair in REFUSED]
    return pytest.mark.parametrize(("running", "pair"), REFUSED, ids=ids, indirect=["running"], scope="module")(function)


@of_refused
def test_what_a_document_does_not_allow_is_refused(running, perform, pair):
    source, replica, service, rule = pair
    # What counts is the replica's version; so any server of it stands for one.
    servers = {**running.sources, **{row.replica: server for row, server in running.replicas.items()}}
    result = running.judged(perform, servers[source], servers[replica], service)
    assert rule in result["summary"]["blocked_by"], [(finding["rule"], finding["seen"]) for finding in result["findings"] if finding["status"] == "failed"]
    found = next(finding for finding in result["findings"] if finding["rule"] == rule)
    assert (found["status"], found["severity"]) == ("failed", "error") and found["seen"]


@of_rows
def test_it_follows(onboarded, row):
    assert [(host, result["msg"]) for host, result in onboarded.run.failures] == []
    assert onboarded.run.rc == 0, onboarded.run.out
    status = onboarded.status(row)
    assert (status.get("Slave_IO_Running"), status.get("Slave_SQL_Running")) == ("Yes", "Yes"), status
    assert status["Master_SSL_Allowed"] == ("Yes" if row.tls else "No")
    assert (status.get("Auto_Position") == "1" or status.get("Using_Gtid") == "Slave_Pos") is row.by_gtid
    assert onboarded.caught_up(row), onboarded.status(row)
    source, replica = onboarded.sources[row.source], onboarded.replicas[row]
    rows = source.sql("SET NAMES utf8mb4;" + ROWS)
    assert len(rows) == 6 and replica.sql("SET NAMES utf8mb4;" + ROWS) == rows
    assert replica.sql(OBJECTS) == source.sql(OBJECTS) and len(replica.sql(OBJECTS)) == 3
    assert replica.value("SELECT status FROM information_schema.events WHERE event_schema = 'shop'") != "ENABLED"
    assert PASSWORD not in onboarded.run.out


@of_groups()
def test_again_changes_nothing_and_status_sees_all(onboarded):
    again = onboarded.play("onboard")
    assert [result["msg"] for _host, result in again.failures] == []
    assert again.rc == 0 and again.changed == 0, again.out
    seen = onboarded.play("status")
    assert seen.rc == 0, seen.out
    report = json.loads((onboarded.folder / "report" / "report.json").read_text())
    states = {host["host"]: (host["state"], host["method"]) for host in report["hosts"] if host["role"] == "replica"}
    assert states == {row.name: ("running", "gtid" if row.by_gtid else "position") for row in onboarded.group.rows}


@of_groups("mysql-5.6", "mysql-5.7", "mysql-9.7", "mysql-gtid", "mariadb-10.2", "mariadb")
def test_exactly_the_transaction_that_is_named_is_left_out(onboarded):
    twice = "INSERT INTO shop.orders VALUES (500, 'twice', 5, NULL);"
    for replica in onboarded.replicas.values():
        replica.sql("SET sql_log_bin=0;" + twice)
    for source in onboarded.sources.values():
        source.sql(twice + "INSERT INTO shop.orders VALUES (501, 'once', 5, NULL);")
    assert [row for row in onboarded.group.rows if not onboarded.applier_stops(row)] == []
    stopped = onboarded.play("onboard")
    said = {host: result["msg"] for host, result in stopped.failures}
    for row in onboarded.group.rows:
        entry = re.search(r"datain_skip: \[\{(position|gtid): '([^']+)', error: 1062, reason: ...\}\]", said[row.name])
        assert entry, said[row.name]
        kind, place = entry.groups()
        onboarded.skips[row] = [{kind: place, "error": 1062, "reason": "it is the same row on both sides"}]
    passed = onboarded.play("onboard")
    assert [result["msg"] for _host, result in passed.failures] == [] and passed.rc == 0
    for row in onboarded.group.rows:
        assert onboarded.caught_up(row), onboarded.status(row)
        assert onboarded.replicas[row].sql(ROWS) == onboarded.sources[row.source].sql(ROWS)


@of_groups("mysql-5.6", "mysql-gtid", "mariadb-10.2")
def test_unlinked_and_linked_again(onboarded):
    """What was applied is on record, so that the way back loses nothing and doubles nothing."""
    ended = onboarded.play("unlink", "--extra-vars", "datain_unlink_all=true")
    assert [result["msg"] for _host, result in ended.failures] == [] and ended.rc == 0
    assert [onboarded.status(row) for row in onboarded.group.rows] == [{}] * len(onboarded.group.rows)
    for source in onboarded.sources.values():
        source.sql("INSERT INTO shop.orders (what, price) VALUES ('meanwhile', 2)")
    back = onboarded.play("onboard")
    assert [result["msg"] for _host, result in back.failures] == [] and back.rc == 0
    for row in onboarded.group.rows:
        assert onboarded.caught_up(row), onboarded.status(row)
        assert onboarded.replicas[row].sql(ROWS) == onboarded.sources[row.source].sql(ROWS)


@of_groups("mysql-5.7")
def test_data_sync_counts_the_replicas_on_the_source_itself(onboarded, perform, tmp_path):
    """Four replicas are linked; two that no inventory knows make six, and five is the most."""
    source = onboarded.sources["mysql-5.7"]
    row = next(row for row in onboarded.group.rows if row.service == SYNC)

    def count():
        result = onboarded.judged(perform, source, onboarded.replicas[row], SYNC)
        return next(finding for finding in result["findings"] if finding["rule"] == "source.replica_count")

    assert count()["status"] == "passed"
    options = tmp_path / "reader.cnf"
    options.touch(mode=0o600)
    options.write_text(f'[client]\nuser={USER}\npassword="{PASSWORD}"\nhost=127.0.0.1\nport={source.state["port"]}\nssl-mode=DISABLED\n')
    program = Path(source.state["bin_dir"]) / "mysqlbinlog"
    reader = [program, f"--defaults-file={options}", "--read-from-remote-server", "--stop-never", "--result-file=/dev/null"]
    strangers = [
        subprocess.Popen([*reader, f"--connection-server-id={number}", "binlog.000001"], env=source.environment, stderr=subprocess.DEVNULL)
        for number in (901, 902)
    ]
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            attached = source.value("SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")
            if attached == "6":
                break
            time.sleep(0.1)
        assert attached == "6"
        found = count()
        assert (found["status"], found["severity"]) == ("failed", "error"), found
    finally:
        for stranger in strangers:
            stranger.kill()
            stranger.wait()


@of_groups("mysql-azure", "mysql-gtid")
def test_what_only_the_control_plane_can_do_is_named(onboarded):
    """The first run stopped with the command; that the next one went on is what the other tests saw."""
    said = [result["msg"] for _host, result in onboarded.stopped.failures]
    assert onboarded.stopped.rc != 0 and said
    words = {
        "mysql-azure": ["az mysql server configuration set", "--name binlog_expire_logs_seconds --value '604800'"],
        "mysql-gtid": ["az mysql flexible-server gtid reset", "gtid_purged"],
    }[onboarded.name]
    for word in words:
        assert any(word in text for text in said), said
