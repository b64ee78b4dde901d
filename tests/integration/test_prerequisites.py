# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every prerequisite on real pairs of both services; what is broken is broken by the server's own client."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _facts, _facts_read, _prerequisites, _rules_platform, _rules_reach
from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import StatementError
from ansible_collections.datain.azure_mysql.plugins.module_utils._facts_tables import Reader
from ansible_collections.datain.azure_mysql.plugins.module_utils._server import Server
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES

SERVERS = {"mysql": ("mysql-8.0.33", "mysql_flexible_server"), "mariadb": ("mariadb-10.11", "mariadb_server")}
SHOP = """
CREATE DATABASE shop;
CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(50)) ENGINE=InnoDB;
INSERT INTO shop.item VALUES (1, 'one'), (2, 'two');
"""
SECRET = "canary-Xq7-replication"
ACCOUNT = f"CREATE USER 'datain'@'%' IDENTIFIED {{}} BY '{SECRET}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO 'datain'@'%';"
# What needs a document of the control plane, or a probe; and what only the lab's own addresses break.
NEVER_SEEN = {rule.id for rule in (*_rules_platform.RULES, *_rules_reach.RULES)}
OF_THE_LAB = {"network.link_address", "network.port", "replica.relay_log_recovery"}


@dataclass
class Pair:
    source: object
    replica: object
    service: str
    perform: object

    @property
    def mariadb(self):
        return self.source.flavour == "mariadb"

    def options(self, **options):
        login = options.pop("source", None) or self.source.login(login_tls="required")
        state = self.source.state
        return {
            "source": login,
            "service": self.service,
            "replication_user": "datain",
            "replication_password": SECRET,
            "link_host": state["host"],
            "link_port": state["port"],
            "link_ca": state["ca"],
            **options,
        }

    def check(self, **options):
        """Run the module; return its whole result."""
        login = options.pop("login", None) or self.replica.login(login_tls="required")
        return self.perform(_prerequisites.CAPABILITY, login, **self.options(**options))

    def findings(self, **options):
        result = self.check(**options)
        assert len(result["findings"]) == len(_prerequisites.RULES), "all findings, always"
        assert SECRET not in repr(result)
        return {finding["rule"]: finding for finding in result["findings"]}

    def account(self):
        self.source.sql(ACCOUNT.format("" if self.mariadb else "WITH mysql_native_password"))

    def link(self):
        """Link by the service's own procedure, from where the source's log ends."""
        file, position = self.source.sql("SHOW MASTER STATUS")[0][:2]
        state = self.source.state
        ca = Path(state["ca"]).read_text()
        self.replica.sql(
            f"CALL mysql.az_replication_change_master('{state['host']}', 'datain', '{SECRET}', {state['port']}, '{file}', {position}, '{ca}');"
            "CALL mysql.az_replication_start;"
        )
        end = time.monotonic() + 20
        while self.replica.value(
            "SELECT SERVICE_STATE FROM performance_schema.replication_connection_status"
            if not self.mariadb
            else "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='SLAVES_RUNNING'"
        ) not in ("ON", "1"):
            assert time.monotonic() < end, "the link did not come up"
            time.sleep(0.2)
        time.sleep(1)


@pytest.fixture(params=sorted(SERVERS))
def pair(request, lab, perform):
    server, service = SERVERS[request.param]
    made = Pair(lab(f"plain-{request.param}", server), lab(f"managed-{request.param}", server, "--service", service), service, perform)
    made.source.sql(SHOP)
    yield made
    made.replica.reset()
    made.source.reset()


def failed(findings, severity=("error", "warning", "info")):
    return {rule for rule, finding in findings.items() if finding["status"] == "failed" and finding["severity"] in severity}


def test_a_clean_pair_is_ready(pair):
    result = pair.check()
    findings = {finding["rule"]: finding for finding in result["findings"]}
    assert failed(findings) - OF_THE_LAB == set()
    assert {rule for rule, finding in findings.items() if finding["status"] == "unknown"} <= NEVER_SEEN
    assert not result.get("failed") and result["changed"] is False
    assert result["summary"]["ready"] and result["summary"]["blocked_by"] == []
    assert sum(result["summary"][status] for status in _prerequisites.STATUSES) == len(findings)


def test_the_ca_is_proved_by_a_session_of_our_own(pair):
    state = pair.source.state
    for login in (pair.source.login(login_tls="verify_ca", login_ca=state["ca"]), pair.source.login(login_tls="preferred")):
        findings = pair.findings(source=login)
        assert findings["link.ca_matches"]["status"] == findings["link.ca_name"]["status"] == "passed"
        assert pair.findings(source=login, link_ca=state["wrong_ca"], fail_on="none")["link.ca_matches"]["status"] == "failed"


def test_everything_that_is_wrong_is_told_at_once(pair):
    pair.source.sql(
        """
        SET SESSION sql_mode='';
        CREATE TABLE shop.`we``ird "na,me.` (a INT NOT NULL UNIQUE) ENGINE=InnoDB;
        CREATE TABLE shop.old (id INT PRIMARY KEY) ENGINE=MyISAM;
        CREATE TABLE shop.memo (id INT PRIMARY KEY) ENGINE=MEMORY;
        CREATE DATABASE `Mysql app`; CREATE TABLE `Mysql app`.nokey (a INT);
        CREATE TABLE shop.parted (a INT) PARTITION BY HASH(a) PARTITIONS 4;
        CREATE VIEW shop.seen AS SELECT id FROM shop.item;
        CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.item WHERE id < 0;
        CREATE TRIGGER shop.noted BEFORE INSERT ON shop.item FOR EACH ROW SET NEW.name = UPPER(NEW.name);
        CREATE USER gone@localhost; GRANT ALL ON shop.* TO gone@localhost;
        CREATE DEFINER=gone@localhost VIEW shop.orphan AS SELECT 1;
        SET GLOBAL binlog_expire_logs_seconds=3600;
        SET GLOBAL binlog_format='STATEMENT';
        SET GLOBAL general_log=ON;
        """
    )
    pair.replica.as_admin("CREATE DATABASE foreign_data; CREATE TABLE foreign_data.t (a INT PRIMARY KEY);")
    findings = pair.findings(replication_password="p" * 33, fail_on="none")
    pair.source.sql("SET GLOBAL general_log=OFF; SET GLOBAL binlog_format='ROW'")
    expected = {
        "schema.no_primary_key",
        "schema.engines",
        "schema.memory_tables",
        "schema.events",
        "schema.triggers",
        "schema.definers",
        "binlog.retention",
        "binlog.format",
        "replica.not_empty",
        "link.password_length",
        "secrets.server_logs",
        "accounts.missing",
    }
    # The one has the parameter off and the other has it on; the one makes invisible keys, the other knows none.
    expected |= (
        {"variables.log_bin_trust_function_creators"} if pair.mariadb else {"schema.generated_invisible_primary_key", "schema.no_invisible_key"}
    )
    assert failed(findings) - OF_THE_LAB == expected
    keyless = findings["schema.no_primary_key"]
    assert keyless["objects"] == ["`mysql app`.`nokey`", "`shop`.`parted`", '`shop`.`we``ird "na,me.`']
    assert keyless["severity"] == ("error" if pair.mariadb else "warning")
    assert findings["schema.engines"]["objects"] == ["`shop`.`old`"]
    assert findings["schema.memory_tables"]["objects"] == ["`shop`.`memo`"]
    assert findings["schema.events"]["objects"] == ["`shop`.`nightly`"]
    assert findings["schema.definers"]["objects"] == ["`shop`.`orphan`"]
    assert findings["replica.not_empty"]["objects"] == ["`foreign_data`"]
    assert findings["binlog.retention"]["seen"] == "3600 s"
    # The remedy is a command that works as it is printed.
    pair.source.sql(findings["schema.engines"]["remedy"])
    pair.source.sql(keyless["remedy"].replace("<columns>", "a"))
    pair.source.sql(findings["binlog.retention"]["remedy"].partition("; and")[0])
    after = pair.findings(fail_on="none")
    assert after["schema.engines"]["status"] == after["binlog.retention"]["status"] == "passed"
    assert after["schema.no_primary_key"]["objects"] == keyless["objects"][1:]


def test_only_the_schemas_that_are_asked_for(pair):
    pair.source.sql("CREATE DATABASE other; CREATE TABLE other.nokey (a INT) ENGINE=MyISAM;")
    findings = pair.findings(schemas=["Shop"])
    assert findings["schema.engines"]["status"] == findings["schema.no_primary_key"]["status"] == "passed"
    assert pair.findings(schemas=["shop", "gone"])["schema.requested"]["objects"] == ["`gone`"]
    assert pair.findings(schemas=["other"], fail_on="none")["schema.engines"]["objects"] == ["`other`.`nokey`"]


def test_what_blocks_fails_and_a_waiver_lets_it_pass(pair):
    pair.source.sql("CREATE TABLE shop.old (id INT PRIMARY KEY) ENGINE=MyISAM")
    result = pair.check()
    assert result["failed"] and result["summary"]["blocked_by"] == ["schema.engines"]
    assert "schema.engines" in result["msg"] and "ALTER TABLE `shop`.`old` ENGINE = InnoDB;" in result["msg"]
    waiver = {"rule": "schema.engines", "reason": "dropped next week", "until": "2999-01-01"}
    assert not pair.check(waivers=[waiver]).get("failed")
    assert pair.check(waivers=[{**waiver, "until": "2020-01-01"}])["failed"], "one that has ended blocks again"
    assert "binlog.nonsense" in pair.check(waivers=[{**waiver, "rule": "binlog.nonsense"}])["msg"]


def test_a_login_that_lacks_rights_leaves_rules_unknown(pair):
    pair.source.sql("CREATE USER little@'%' IDENTIFIED BY 'little-pass-1'; CREATE TABLE shop.nokey (a INT)")
    login = pair.source.login(login_tls="required", login_user="little", login_password="little-pass-1")
    findings = pair.findings(source=login, fail_on="none")
    for rule in ("schema.no_primary_key", "schema.engines", "schema.events", "binlog.filters", "schema.requested"):
        assert findings[rule]["status"] == "unknown", rule
        assert findings[rule]["remedy"], rule
    assert {"rights.source_status", "rights.source_accounts", "rights.source_dump"} <= failed(findings)
    lock = "RELOAD" if pair.service.startswith("mysql") else "LOCK TABLES"
    assert findings["rights.source_dump"]["objects"][:2] == ["EVENT", lock]
    assert findings["binlog.format"]["status"] == "passed", "what needs no right is judged all the same"
    pair.source.sql("GRANT SELECT, TRIGGER, EVENT ON shop.* TO little@'%'")
    assert pair.findings(source=login, fail_on="none", schemas=["shop"])["schema.no_primary_key"]["objects"] == ["`shop`.`nokey`"]


def test_rights_through_a_role(pair):
    default = "SET DEFAULT ROLE keeper FOR carrier@'%'" if pair.mariadb else "SET DEFAULT ROLE keeper TO carrier@'%'"
    pair.source.sql(
        f"CREATE ROLE keeper; GRANT ALL ON *.* TO keeper; CREATE USER carrier@'%' IDENTIFIED BY 'carrier-pass-1'; GRANT keeper TO carrier@'%'; {default}"
    )
    login = pair.source.login(login_tls="required", login_user="carrier", login_password="carrier-pass-1")
    findings = pair.findings(source=login)
    assert findings["rights.source_status"]["status"] == findings["schema.no_primary_key"]["status"] == "passed"


@pytest.mark.parametrize("side", ["source", "replica"])
def test_a_login_that_is_refused_is_a_finding_like_others(pair, side):
    wrong = {"login_tls": "required", "login_password": "wrong"}
    options = {"source": pair.source.login(**wrong)} if side == "source" else {"login": pair.replica.login(**wrong)}
    result = pair.check(**options)
    findings = {finding["rule"]: finding for finding in result["findings"]}
    assert result["failed"] and f"connection.{side}" in result["summary"]["blocked_by"]
    other = "replica" if side == "source" else "source"
    assert findings[f"connection.{other}"]["status"] == "passed"
    assert "1045" not in result["summary"]["blocked_by"] and findings[f"connection.{side}"]["remedy"]


def test_a_converged_pair_stays_ready(pair):
    """The data that the link brought is no foreign data, and the figure of statements holds."""
    pair.account()
    pair.link()
    pair.source.sql("CREATE DATABASE late; CREATE TABLE late.t (a INT PRIMARY KEY); INSERT INTO late.t VALUES (1)")
    end = time.monotonic() + 10
    while pair.replica.value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='late'") != "1":
        assert time.monotonic() < end
        time.sleep(0.2)
    findings = pair.findings()
    for rule in ("replica.not_empty", "replica.channels", "link.reachable_from_replica", "link.ca_matches", "replica.filter"):
        assert findings[rule]["status"] == "passed", findings[rule]
    assert failed(findings, ("error",)) == set()


def test_a_replica_of_another_source_is_refused(pair, lab):
    pair.account()
    pair.link()
    other = lab(f"other-{pair.source.flavour}", SERVERS[pair.source.flavour][0])
    result = pair.check(source=other.login(login_tls="required"), link_port=other.state["port"])
    assert "replica.channels" in result["summary"]["blocked_by"]


def test_a_source_without_a_log(pair, lab):
    bare = lab(f"bare-{pair.source.flavour}", SERVERS[pair.source.flavour][0], "--set", "skip-log-bin")
    bare.sql("CREATE DATABASE IF NOT EXISTS shop")
    findings = pair.findings(source=bare.login(login_tls="required"))
    assert findings["binlog.enabled"]["status"] == "failed" and "restart" in findings["binlog.enabled"]["remedy"]
    assert {rule for rule, finding in findings.items() if finding["status"] == "unknown"} <= NEVER_SEEN


def opened(server, side):
    login = server.login()
    return Server.open(Login(side, login["login_host"], login["login_user"], login["login_password"], port=login["login_port"], tls="required"))


@contextlib.contextmanager
def counted(server):
    """Count the statements of a block by the server itself, without the two that ask for the count."""

    def questions():
        # A client's own session brings a few of its own, the same number each time.
        rows = server.sql("SHOW GLOBAL STATUS LIKE 'Questions'")
        return int(rows[0][1])

    idle = questions()
    own = questions() - idle
    found = []
    before = questions()
    yield found
    found.append(questions() - before - own)


def test_few_statements_whatever_the_number_of_tables(pair):
    tables = ";".join(f"CREATE TABLE many.t{number} (a INT PRIMARY KEY, b INT)" for number in range(300))
    figures = []
    for text in ("SELECT 1", f"CREATE DATABASE many; {tables}"):
        pair.source.sql(text)
        with counted(pair.source) as source, counted(pair.replica) as replica:
            pair.findings()
        figures.append((source[0], replica[0]))
    assert figures[0] == figures[1]
    assert sum(figures[0]) <= 37, "sixteen and ten, the session that verifies the CA, and what a session costs"


@pytest.mark.parametrize("side", ["source", "replica"])
def test_a_statement_ends_by_itself(pair, side):
    with contextlib.closing(opened(getattr(pair, side), side)) as server:
        reader = Reader(server, 1)
        began = time.monotonic()
        with pytest.raises(StatementError) as caught:
            reader.rows("COUNT(*) FROM information_schema.COLUMNS a, information_schema.COLUMNS b, information_schema.COLUMNS c", step="try")
        assert time.monotonic() - began < 4
        assert "time limit" in _facts_read._reason(caught.value).reason
        assert server.connection.value("SELECT 1", step="go on") == 1


def test_a_frozen_source_hangs_nobody(pair):
    """Stopped as a process: it accepts connections and says nothing."""
    with contextlib.closing(opened(pair.source, "source")) as source, contextlib.closing(opened(pair.replica, "replica")) as replica:
        pid = pair.source.state["pid"]
        source.connection.login.__dict__["read_timeout"] = 2
        assert source.variables
        subprocess.run(["kill", "-STOP", str(pid)], check=True)
        try:
            began = time.monotonic()
            facts = _facts_read.read_facts(source, replica, _facts.Desired(SERVICES[pair.service]), limit=1)
            assert time.monotonic() - began < 15
        finally:
            subprocess.run(["kill", "-CONT", str(pid)], check=True)
    statuses = {finding.rule: finding.status for finding in _prerequisites.evaluate(facts)}
    assert statuses["schema.engines"] == "unknown"
    assert statuses["rights.replica_execute"] == "passed"


@pytest.mark.parametrize(
    "hold",
    [
        "LOCK TABLES shop.item WRITE; SELECT SLEEP(60)",
        "SET SESSION lock_wait_timeout=60; BEGIN; SELECT * FROM shop.item; SELECT SLEEP(60)",
        "FLUSH TABLES WITH READ LOCK; SELECT SLEEP(60)",
    ],
    ids=["table lock", "open transaction", "global lock"],
)
def test_locks_hang_nobody(pair, hold):
    """Somebody holds a lock, and an ALTER waits behind it: each fact is there or unknown, in time."""
    words = [*pair.source.state["client"], "-e"]
    sessions = [subprocess.Popen([*words, hold], env=pair.source.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
    running = "SELECT GROUP_CONCAT(ID SEPARATOR ' ') FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%' OR INFO LIKE 'ALTER TABLE shop%'"
    try:
        sessions.append(subprocess.Popen([*words, "SELECT SLEEP(1); ALTER TABLE shop.item ADD COLUMN late INT"], env=pair.source.environment))
        time.sleep(2)
        assert len(pair.source.value(running).split()) == 2
        began = time.monotonic()
        findings = pair.findings(statement_timeout=3, fail_on="none")
        assert time.monotonic() - began < 25
        assert findings["binlog.enabled"]["status"] == "passed"
        assert findings["schema.engines"]["status"] in ("passed", "unknown")
        if findings["schema.engines"]["status"] == "unknown":
            assert "time limit" in findings["schema.engines"]["summary"] or "locked" in findings["schema.engines"]["summary"]
    finally:
        for number in (pair.source.value(running) or "").split():
            pair.source.client("-e", f"KILL {number}")  # the one that waited may be done once the other is gone
        for session in sessions:
            session.kill()
            session.wait()
