# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule is broken on a real server by the server's own client, found, and kept again once that is undone.

The registry below is the list of how. Servers are shared: each test leaves them as it found them.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.door import Door

from ansible_collections.datain.azure_mysql.plugins.module_utils import _facts_read, _prerequisites, _rules_platform, _rules_reach
from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for
from ansible_collections.datain.azure_mysql.plugins.module_utils._server import Server
from ansible_collections.datain.azure_mysql.plugins.module_utils._state import Records

PAIRS = {"mysql": ("mysql-8.0.33", "mysql_flexible_server"), "mariadb": ("mariadb-10.11", "mariadb_server")}
SECRET = "canary-Xq7-replication"
# COM_REGISTER_SLAVE
REGISTER = 0x15
# Where a MariaDB source is.
POSITION = "SELECT @@gtid_binlog_pos"
PROBLEM = {"login_tls": "required", "login_password": "wrong"}

# Their tests are those of the control plane's documents and of the probe.
OF_DOCUMENTS = {rule.id for rule in (*_rules_platform.RULES, *_rules_reach.RULES)}


class Bench:
    """One pair that every test shares, and the odd servers that some rules need."""

    def __init__(self, flavour, lab, perform):
        self.flavour = flavour
        self.lab = lab
        self.perform = perform
        server, self.service = PAIRS[flavour]
        self.source = lab(f"rules-{flavour}", server)
        self.replica = lab(f"ruled-{flavour}", server, "--service", self.service)
        self.prepare()

    def prepare(self):
        self.source.sql("CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(50)) ENGINE=InnoDB")

    def link(self, procedure="change_master", port=None):
        """Link by the service's own procedure, from where the source's log ends."""
        how = "" if self.flavour == "mariadb" else "WITH mysql_native_password "
        self.source.sql("DROP USER IF EXISTS datain@'%'")
        self.source.sql(f"CREATE USER datain@'%' IDENTIFIED {how}BY '{SECRET}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO datain@'%'")
        state = self.source.state
        at = "'{}', {}, ".format(*self.source.sql("SHOW MASTER STATUS")[0][:2])
        if procedure.endswith("gtid"):
            at = f"'{self.source.value(POSITION)}', " if self.flavour == "mariadb" else ""
        ca = Path(state["ca"]).read_text()
        to = f"'{state['host']}', 'datain', '{SECRET}', {port or state['port']}"
        self.replica.sql(f"CALL mysql.az_replication_{procedure}({to}, {at}'{ca}'); CALL mysql.az_replication_start")
        until(lambda: self.ask()["replica.channels"]["status"] == "passed" and self.receives(), "the link did not come up")

    def purge(self):
        """Purge what the log holds by now, after one more transaction."""
        self.source.sql("CREATE DATABASE later; FLUSH BINARY LOGS")
        self.source.purge()

    def receives(self):
        return self.source.value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'") == "1"

    def ask(self, **options):
        state = self.source.state
        given = {
            "source": self.source.login(login_tls="required"),
            "service": self.service,
            "replication_user": "datain",
            "replication_password": SECRET,
            "link_host": state["host"],
            "link_port": state["port"],
            "link_ca": state["ca"],
            "fail_on": "none",
            **options,
        }
        login = given.pop("login", None) or self.replica.login(login_tls="required")
        result = self.perform(_prerequisites.CAPABILITY, login, **given)
        return {finding["rule"]: finding for finding in result["findings"]}

    # The odd ones: as old as there is, without a log; one just older than the pair, set up oddly; and as new as there is.

    @property
    def old(self):
        return self.lab("rules-old", "mysql-5.6", "--without-tls", "--set", "skip-log-bin", "--set", "lower_case_table_names=0")

    @property
    def edge(self):
        odd = ("relay_log_recovery=ON", "binlog_ignore_db=shop", "bind_address=0.0.0.0")
        return self.lab("rules-edge", "mysql-8.0.15", *(word for option in odd for word in ("--set", option)))

    @property
    def bounded(self):
        return self.lab("rules-bounded", "mariadb-11.8", "--set", "max_binlog_total_size=100M")

    @property
    def small(self):
        return self.lab(f"rules-small-{self.flavour}", PAIRS[self.flavour][0], "--set", "innodb_page_size=8192")

    @property
    def new(self):
        return self.lab("rules-new", "mysql-9.7")


Options = Callable[[Bench], dict[str, Any]]


@dataclass(frozen=True)
class Break:
    """How a rule is broken, and what undoes it.

    :param flavour: of the pair; a rule that is broken on one flavour only is so because the other cannot
    :param source: SQL as root on the source; ``undo`` takes it back
    :param replica: SQL as root on the replica; ``back`` takes it back
    :param options: what the module is given while the rule is broken
    :param kept: what it is given for the rule to be kept
    :param kept_sql: SQL on the replica for the rule to be kept, where it is broken from the start; ``unkept_sql`` takes it back
    :param names: something that the finding must name
    """

    rule: str
    flavour: str = "mysql"
    source: str = ""
    undo: str = ""
    replica: str = ""
    back: str = ""
    options: Options = lambda bench: {}
    kept: Options = lambda bench: {}
    kept_sql: str = ""
    unkept_sql: str = ""
    names: str = ""
    severity: str | None = None


def given(**options: Any) -> Options:
    return lambda bench: options


def login(side: str, **options: Any) -> Options:
    """Options with which one side is logged in to otherwise."""
    if side == "source":
        return lambda bench: {"source": bench.source.login(**options)}
    return lambda bench: {"login": bench.replica.login(**options)}


def other(side: str, name: str, **more: Any) -> Options:
    """Options that put one of the odd servers in the place of a side."""

    def make(bench: Bench) -> dict[str, Any]:
        return {"source" if side == "source" else "login": getattr(bench, name).login(login_tls="preferred"), **more}

    return make


def variable(rule: str, name: str, value: str, before: str, *flavours: str, side: str = "source", **more: Any) -> list[Break]:
    """A global variable that is set, and set back."""
    change, undo = f"SET GLOBAL {name}={value}", f"SET GLOBAL {name}={before}"
    words = {"source": change, "undo": undo} if side == "source" else {"replica": change, "back": undo}
    return [Break(rule, flavour, **words, **more) for flavour in flavours or ("mysql", "mariadb")]


def made(rule: str, create: str, drop: str, *flavours: str, **more: Any) -> list[Break]:
    """An object on the source."""
    return [Break(rule, flavour, source=create, undo=drop, **more) for flavour in flavours or ("mysql", "mariadb")]


NATIVE = f"CREATE USER datain@'%' IDENTIFIED WITH mysql_native_password BY '{SECRET}'"
LITTLE = "CREATE USER little@'%' IDENTIFIED BY 'little-pass-1'"
GONE = "DROP USER little@'%'"
AS_LITTLE = {"login_tls": "required", "login_user": "little", "login_password": "little-pass-1"}
WIDE = ", ".join(f"b{number} VARCHAR(300)" for number in range(199))
ZONE = """
INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (99, 'N');
INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('Europe/Amsterdam', 99);
INSERT INTO mysql.time_zone_transition_type (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation) VALUES (99, 0, 3600, 0, 'CET');
"""
NO_ZONE = "DELETE FROM mysql.time_zone; DELETE FROM mysql.time_zone_name; DELETE FROM mysql.time_zone_transition_type; FLUSH TABLES"

REGISTRY: tuple[Break, ...] = (
    # Logging in, and the versions
    Break("connection.source", options=login("source", **PROBLEM)),
    Break("connection.replica", options=login("replica", **PROBLEM)),
    Break("connection.source_tls", "mariadb", options=login("source", login_tls="disabled")),
    Break(
        "connection.replica_tls",
        "mariadb",
        replica="SET GLOBAL require_secure_transport=OFF",
        back="SET GLOBAL require_secure_transport=ON",
        options=login("replica", login_tls="disabled"),
    ),
    Break("version.flavour", options=given(service="mariadb_server")),
    Break("version.supported", options=other("source", "old")),
    Break("version.pair", options=other("source", "old"), severity="warning"),
    Break("version.pair", options=other("source", "old", service="mysql_single_server"), severity="error"),
    Break("version.jump", options=other("source", "old")),
    Break("version.direction", options=other("replica", "old")),
    Break("version.patch", options=other("replica", "edge")),
    # Rights
    *(
        Break(f"rights.{name}", source=LITTLE, undo=GONE, options=login("source", **AS_LITTLE))
        for name in ("source_status", "source_accounts", "source_settings", "source_dump")
    ),
    Break(
        "rights.source_settings",
        source=f"{LITTLE}; SET GLOBAL binlog_row_image=MINIMAL",
        undo=f"{GONE}; SET GLOBAL binlog_row_image=FULL",
        options=login("source", **AS_LITTLE),
        severity="error",
    ),
    *(
        Break(f"rights.{name}", replica=f"{LITTLE}; GRANT {right} ON *.* TO little@'%'", back=GONE, options=login("replica", **AS_LITTLE))
        for name, right in (("replica_status", "SELECT"), ("replica_execute", "REPLICATION CLIENT"), ("replica_load", "REPLICATION CLIENT"))
    ),
    # The log
    Break("binlog.enabled", options=other("source", "old")),
    *variable("binlog.format", "binlog_format", "'STATEMENT'", "'ROW'"),
    *variable("binlog.row_image", "binlog_row_image", "'MINIMAL'", "'FULL'"),
    *variable("binlog.checksum", "binlog_checksum", "NONE", "CRC32"),
    *variable("binlog.checksum", "slave_sql_verify_checksum", "OFF", "ON", side="replica"),
    *variable("binlog.row_value_options", "binlog_row_value_options", "'PARTIAL_JSON'", "''", "mysql"),
    Break(
        "binlog.compression",
        source="SET GLOBAL binlog_transaction_compression=ON",
        undo="SET GLOBAL binlog_transaction_compression=OFF",
        options=other("replica", "edge"),
    ),
    Break("binlog.size_limit", "mariadb", options=other("source", "bounded"), names="max_binlog_total_size"),
    *variable("binlog.retention", "binlog_expire_logs_seconds", "3600", "2592000", names="3600 s", kept=given(retention=3600)),
    Break("binlog.filters", options=other("source", "edge", schemas=["shop"]), names="shop", severity="error"),
    Break("binlog.filters", options=other("source", "edge", schemas=["other"]), severity="warning"),
    Break(
        "binlog.coordinates_present",
        options=given(coordinates={"file": "binlog.999999", "position": 4}),
        kept=lambda bench: {"coordinates": {"file": bench.source.sql("SHOW MASTER STATUS")[0][0], "position": 4}},
    ),
    # Who they are
    *variable("server_id.zero", "server_id", "0", "4711", "mysql"),
    *variable("source.read_only", "read_only", "ON", "OFF"),
    *made(
        "source.prepared_xa",
        # Names as some transaction managers make them: no text in any character set.
        "XA START X'FF00FE'; INSERT INTO shop.item VALUES (77, 'half'); XA END X'FF00FE'; XA PREPARE X'FF00FE'",
        "XA ROLLBACK X'FF00FE'",
    ),
    Break("gtid.offered", options=given(service="mysql_data_sync", method="gtid"), kept=given(method="gtid"), severity="error"),
    Break(
        "gtid.modes",
        source="SET GLOBAL enforce_gtid_consistency=ON; SET GLOBAL gtid_mode=OFF_PERMISSIVE; SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=ON",
        undo="SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=OFF_PERMISSIVE; SET GLOBAL gtid_mode=OFF; SET GLOBAL enforce_gtid_consistency=OFF",
    ),
    # Variables
    Break("variables.lower_case_table_names", options=other("source", "old")),
    *variable("variables.max_allowed_packet", "max_allowed_packet", "1073741824", "67108864"),
    *variable("variables.sql_mode", "sql_mode", "'ANSI_QUOTES'", "DEFAULT"),
    *variable("variables.time_zone", "time_zone", "'+03:00'", "'SYSTEM'"),
    *variable("variables.character_set_server", "character_set_server", "'latin1'", "'utf8mb4'", "mysql"),
    *variable("variables.collation_server", "collation_server", "'utf8mb4_bin'", "'utf8mb4_0900_ai_ci'", "mysql"),
    *variable("variables.collation_server", "collation_server", "'utf8mb4_bin'", "'utf8mb4_general_ci'", "mariadb"),
    *variable("variables.explicit_defaults_for_timestamp", "explicit_defaults_for_timestamp", "OFF", "ON"),
    *variable("variables.transaction_isolation", "transaction_isolation", "'READ-COMMITTED'", "'REPEATABLE-READ'", "mysql"),
    *variable("variables.transaction_isolation", "tx_isolation", "'READ-COMMITTED'", "'REPEATABLE-READ'", "mariadb"),
    *variable("variables.default_storage_engine", "default_storage_engine", "MyISAM", "InnoDB"),
    *variable("variables.innodb_strict_mode", "innodb_strict_mode", "OFF", "ON"),
    *(Break("variables.innodb_page_size", flavour, options=other("source", "small"), names="8192") for flavour in PAIRS),
    # A zone that was found once is known until the next start.
    *made("variables.time_zone_tables", ZONE, NO_ZONE, kept_sql=ZONE, unkept_sql=NO_ZONE),
    *variable("variables.clock", "init_connect", "'SET timestamp=1000000000'", "''", side="replica"),
    # The replica
    Break("replica.relay_log_recovery", kept=other("replica", "edge")),
    Break("replica.procedures", options=other("replica", "edge")),
    *variable("replica.read_only", "read_only", "ON", "OFF", side="replica"),
    *variable("replica.filter", "replicate_wild_ignore_table", "''", "'mysql.%'", "mariadb", side="replica"),
    Break("replica.filter", options=other("replica", "edge")),
    *variable("replica.filter_schemas", "replicate_wild_ignore_table", "'mysql.%,sh__.%'", "'mysql.%'", "mariadb", side="replica", names="`shop`"),
    Break(
        "replica.filter_schemas",
        replica="CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE=('mysql.%', 's%.%')",
        back="CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE=('mysql.%')",
        names="`shop`",
    ),
    *made(
        "replica.unfiltered_schemas",
        "CREATE DATABASE apart",
        "DROP DATABASE apart",
        options=given(schemas=["shop"]),
        kept=given(schemas=["shop"]),
        names="`apart`",
    ),
    Break(
        "replica.sync_info",
        "mariadb",
        options=given(method="position"),
        kept=given(method="position"),
        kept_sql="SET GLOBAL sync_master_info=1; SET GLOBAL sync_relay_log_info=1",
        unkept_sql="SET GLOBAL sync_master_info=DEFAULT; SET GLOBAL sync_relay_log_info=DEFAULT",
    ),
    *(
        Break("replica.not_empty", flavour, replica="CREATE DATABASE found; CREATE TABLE found.t (a INT PRIMARY KEY)", back="DROP DATABASE found")
        for flavour in PAIRS
    ),
    *(
        Break(
            "replica.events",
            flavour,
            replica="CREATE DATABASE IF NOT EXISTS found; CREATE EVENT found.nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1",
            back="DROP DATABASE found",
            names="`found`.`nightly`",
        )
        for flavour in PAIRS
    ),
    # The account
    Break("link.password_length", options=given(replication_password="p" * 33)),
    *(Break("link.password_alphabet", options=given(replication_password=word)) for word in ("p\u00e4ssword", "pass'word", "pass\\word")),
    Break("link.tls_demanded", source=f"{NATIVE} REQUIRE SSL", undo="DROP USER datain@'%'", options=given(link_ca="")),
    Break(
        "link.plugin_needs_tls",
        source=NATIVE.replace("mysql_native_password", "caching_sha2_password"),
        undo="DROP USER datain@'%'",
        options=given(link_ca=""),
    ),
    Break("link.plugin", "mariadb", source="CREATE USER datain@'%' IDENTIFIED VIA unix_socket", undo="ALTER USER datain@'%' IDENTIFIED BY 'some-pass-1'"),
    *(Break("accounts.missing", flavour, source="CREATE USER app@'10.%'", undo="DROP USER app@'10.%'", names="`app`@`10.%`") for flavour in PAIRS),
    Break("accounts.plugins", source="CREATE USER app@'10.%'", undo="DROP USER app@'10.%'", options=other("replica", "old"), names="`app`@`10.%`"),
    Break("advice.use", options=given(service="mysql_data_sync"), names="disaster recovery", severity="info"),
    # TLS of the link
    *(Break("link.without_tls", flavour, options=given(link_ca=""), severity="error") for flavour in PAIRS),
    Break("link.without_tls", options=other("source", "old", link_ca=""), severity="warning"),
    Break("link.tls_offered", options=other("source", "old")),
    Break(
        "link.tls_version",
        source="SET GLOBAL tls_version='TLSv1.2'",
        undo="SET GLOBAL tls_version='TLSv1.2,TLSv1.3'",
        replica="SET GLOBAL tls_version='TLSv1.3'",
        back="SET GLOBAL tls_version='TLSv1.2,TLSv1.3'",
    ),
    Break(
        "link.tls_cipher",
        source="SET GLOBAL tls_version='TLSv1.2'; SET GLOBAL ssl_cipher='ECDHE-RSA-AES128-GCM-SHA256'",
        undo="SET GLOBAL tls_version='TLSv1.2,TLSv1.3'; SET GLOBAL ssl_cipher=DEFAULT",
        replica="SET GLOBAL ssl_cipher='ECDHE-RSA-AES256-GCM-SHA384'",
        back="SET GLOBAL ssl_cipher=DEFAULT",
    ),
    Break("link.ca", options=lambda bench: {"link_ca": Path(bench.source.state["ca"]).read_text()[:500]}),
    *(Break("link.ca_matches", flavour, options=lambda bench: {"link_ca": bench.source.state["wrong_ca"]}) for flavour in PAIRS),
    *(Break("link.ca_name", flavour, options=given(link_host="shop-db.example.com")) for flavour in PAIRS),
    Break("network.link_address", options=given(link_host="127.0.0.1"), kept=given(link_host="8.8.8.8")),
    Break("network.listens", options=given(link_host="db.example.com"), kept=other("source", "edge", link_host="db.example.com")),
    Break("network.port", options=given(link_port=3307), kept=given(link_port=3306)),
    *variable("secrets.server_logs", "general_log", "ON", "OFF"),
    # What is replicated
    Break("schema.requested", options=given(schemas=["gone"]), kept=given(schemas=["shop"]), names="`gone`"),
    Break("schema.system", options=given(schemas=["mysql"]), names="`mysql`"),
    *made("schema.engines", "CREATE TABLE shop.old (id INT PRIMARY KEY) ENGINE=MyISAM", "DROP TABLE shop.old", names="`shop`.`old`"),
    *made(
        "schema.history",
        "CREATE TABLE shop.old (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
        "DROP TABLE shop.old",
        "mariadb",
        names="`shop`.`old`",
    ),
    *made("schema.memory_tables", "CREATE TABLE shop.memo (id INT PRIMARY KEY) ENGINE=MEMORY", "DROP TABLE shop.memo", names="`shop`.`memo`"),
    *made("schema.no_primary_key", "CREATE TABLE shop.`no``key` (a INT NOT NULL UNIQUE)", "DROP TABLE shop.`no``key`", names="`shop`.`no``key`"),
    *made("schema.generated_invisible_primary_key", "CREATE TABLE shop.k (a INT)", "DROP TABLE shop.k", "mysql", names="`shop`.`k`"),
    *made("schema.no_invisible_key", "CREATE TABLE shop.k (a INT AUTO_INCREMENT UNIQUE)", "DROP TABLE shop.k", "mysql", names="4109"),
    *made("schema.no_invisible_key", "CREATE TABLE shop.k (my_row_id INT)", "DROP TABLE shop.k", "mysql", names="4108"),
    *made("schema.no_invisible_key", "CREATE TABLE shop.k (a INT) PARTITION BY HASH(a) PARTITIONS 2", "DROP TABLE shop.k", "mysql", names="1235"),
    *made(
        "schema.primary_key_required",
        "CREATE TABLE shop.k (a INT)",
        "DROP TABLE shop.k",
        "mysql",
        replica="SET GLOBAL sql_require_primary_key=ON",
        back="SET GLOBAL sql_require_primary_key=OFF",
        names="`shop`.`k`",
    ),
    *made(
        "schema.row_size",
        f"SET GLOBAL innodb_strict_mode=OFF; SET SESSION innodb_strict_mode=OFF; CREATE TABLE shop.wide (id INT PRIMARY KEY, {WIDE}) CHARSET latin1",
        "SET GLOBAL innodb_strict_mode=ON; DROP TABLE shop.wide",
        names="`shop`.`wide`",
    ),
    *made("schema.compressed", "CREATE TABLE shop.c (a INT PRIMARY KEY) ROW_FORMAT=COMPRESSED", "DROP TABLE shop.c", "mysql", names="`shop`.`c`"),
    *made(
        "schema.tablespaces",
        "CREATE TABLESPACE apart ADD DATAFILE 'apart.ibd'; CREATE TABLE shop.k (a INT PRIMARY KEY) TABLESPACE apart",
        "DROP TABLE shop.k; DROP TABLESPACE apart",
        "mysql",
        names="apart.ibd",
    ),
    *made(
        "schema.partition_prefix",
        "CREATE TABLE shop.k (a VARCHAR(99), b INT, PRIMARY KEY (a(9), b)) PARTITION BY KEY() PARTITIONS 2",
        "DROP TABLE shop.k",
        "mysql",
        options=other("replica", "new"),
        kept=other("replica", "new"),
        names="`shop`.`k`",
    ),
    *made(
        "schema.foreign_keys",
        "CREATE TABLE shop.k (a INT PRIMARY KEY, b INT, KEY (b)); CREATE TABLE shop.r (a INT PRIMARY KEY, b INT, FOREIGN KEY (b) REFERENCES shop.k (b))",
        "DROP TABLE shop.r; DROP TABLE shop.k",
        "mysql",
        options=other("replica", "new"),
        kept=other("replica", "new"),
        names="`shop`.`r`",
    ),
    *made("schema.in_mysql", "CREATE PROCEDURE mysql.tidy() SELECT 1", "DROP PROCEDURE mysql.tidy", names="procedure `tidy`"),
    *made("schema.in_mysql", "CREATE SERVER far FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'far')", "DROP SERVER far", names="server `far`"),
    *made("schema.collations", "CREATE TABLE shop.c (a CHAR(1) PRIMARY KEY)", "DROP TABLE shop.c", "mysql", options=other("replica", "old"), names="0900"),
    *made(
        "schema.column_collations",
        "CREATE TABLE shop.c (a CHAR(1) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY) CHARSET latin1",
        "DROP TABLE shop.c",
        "mysql",
        options=other("replica", "old"),
        names="`shop`.`c`",
    ),
    Break("schema.default_collations", options=other("replica", "old"), names="utf8mb4_0900_ai_ci"),
    Break(
        "schema.mariadb_only",
        "mariadb",
        source="CREATE SEQUENCE shop.numbers",
        undo="DROP SEQUENCE shop.numbers",
        options=given(service="mysql_flexible_server"),
        kept=given(service="mysql_flexible_server"),
        names="`shop`.`numbers`",
    ),
    *made(
        "schema.definers",
        "CREATE DEFINER=gone@localhost VIEW shop.orphan AS SELECT 1",
        "DROP VIEW shop.orphan",
        names="`shop`.`orphan`",
    ),
    *made("schema.events", "CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1", "DROP EVENT shop.nightly", names="`shop`.`nightly`"),
    *made(
        "schema.triggers",
        "CREATE TRIGGER shop.noted BEFORE INSERT ON shop.item FOR EACH ROW SET NEW.name = UPPER(NEW.name); SET GLOBAL binlog_format='STATEMENT'",
        "DROP TRIGGER shop.noted; SET GLOBAL binlog_format='ROW'",
        names="`shop`.`noted`",
    ),
)
# Broken by more than one statement, in a test of their own below.
IN_TESTS_OF_THEIR_OWN = {
    "advice.primary_key_values",
    "binlog.encryption",
    "binlog.position_kept",
    "binlog.retention_for_seed",
    "gtid.consistency",
    "gtid.errant",
    "gtid.mode",
    "gtid.own_events",
    "gtid.purged_gap",
    "link.ca_ends",
    "link.certificate_ends",
    "link.received",
    "replica.channels",
    "schema.encrypted",
    "schema.long_names",
    "schema.reserved_words",
    "schema.sql_modes",
    "server_id.duplicate",
    "server_id.fan_out",
    "server_id.upstream",
    "source.chain_lag",
    "source.chain_runs",
    "source.commit_order",
    "source.is_replica",
    "source.long_statements",
    "source.replica_count",
    "uuid.duplicate",
    "uuid.fan_out",
    "variables.log_bin_trust_function_creators",
}


def test_every_rule_is_in_the_registry():
    rules = {rule.id for rule in _prerequisites.RULES}
    found = [{entry.rule for entry in REGISTRY}, IN_TESTS_OF_THEIR_OWN, OF_DOCUMENTS]
    assert set.union(*found) == rules
    assert sum(map(len, found)) == len(rules), "each in one place"


@pytest.fixture(scope="module")
def benches(lab, perform):
    """Give a function that makes a bench of a flavour, or hands out the one that was made."""
    made = {}

    def get(flavour):
        if flavour not in made:
            made[flavour] = Bench(flavour, lab, perform)
        return made[flavour]

    yield get
    for bench in made.values():
        bench.source.down()
        bench.replica.down()


@pytest.fixture
def bench(flavour, benches):
    return benches(flavour)


@contextlib.contextmanager
def changed(server, change, undo):
    """SQL that holds for a block."""
    try:
        if change:
            server.sql(change)
        yield
    finally:
        if undo:
            server.sql(undo)


TO_GTID = "SET GLOBAL enforce_gtid_consistency=ON; SET GLOBAL gtid_mode=OFF_PERMISSIVE; SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=ON"


@pytest.mark.parametrize(("flavour", "entry"), [pytest.param(entry.flavour, entry, id=f"{entry.rule}-{entry.flavour}") for entry in REGISTRY])
def test_broken_found_and_kept_again(bench, entry):
    with changed(bench.source, entry.source, entry.undo), changed(bench.replica, entry.replica, entry.back):
        found = bench.ask(**entry.options(bench))[entry.rule]
    assert found["status"] == "failed", found
    assert found["remedy"] and found["document"]
    assert entry.names in repr(found)
    assert entry.severity in (None, found["severity"])
    with changed(bench.replica, entry.kept_sql, entry.unkept_sql):
        again = bench.ask(**entry.kept(bench))[entry.rule]
    assert again["status"] == "passed", again


@pytest.fixture
def fresh(bench):
    """The pair as it was at first, again after the test."""
    yield bench
    bench.replica.reset()
    bench.source.reset()
    bench.prepare()


mysql = pytest.mark.parametrize("flavour", ["mysql"])
mariadb = pytest.mark.parametrize("flavour", ["mariadb"])
either = pytest.mark.parametrize("flavour", sorted(PAIRS))


def status(findings, *rules):
    return [findings[rule]["status"] for rule in rules]


def until(reached, what, seconds=20):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@mysql
def test_gtids(fresh):
    rules = ("gtid.mode", "gtid.consistency")
    assert status(fresh.ask(method="gtid"), *rules) == ["failed", "failed"]
    fresh.source.sql(f"{TO_GTID}; RESET MASTER")
    fresh.replica.sql(TO_GTID)
    assert status(fresh.ask(method="gtid"), *rules) == ["passed", "passed"]
    fresh.link("change_master_with_gtid")
    assert status(fresh.ask(), "gtid.errant") == ["passed"]
    fresh.replica.sql("CREATE DATABASE errant")
    found = fresh.ask()["gtid.errant"]
    assert (found["status"], found["objects"]) == ("failed", [fresh.replica.value("SELECT @@server_uuid")])


@mysql
def test_gtids_that_the_source_has_purged(fresh):
    fresh.source.sql(f"{TO_GTID}; RESET MASTER")
    fresh.replica.sql(TO_GTID)
    fresh.link("change_master_with_gtid")
    fresh.replica.sql("CALL mysql.az_replication_stop")
    assert status(fresh.ask(), "gtid.purged_gap") == ["passed"]
    fresh.purge()
    found = fresh.ask()["gtid.purged_gap"]
    assert (found["status"], found["objects"]) == ("failed", [fresh.source.value("SELECT @@server_uuid")])


@either
def test_a_link_and_what_it_goes_on_with(fresh):
    fresh.link()
    assert status(fresh.ask(), "replica.channels", "binlog.position_kept", "server_id.fan_out") == ["passed"] * 3
    stranger = fresh.edge.login(login_tls="preferred")
    assert status(fresh.ask(source=stranger, link_port=1), "replica.channels") == ["failed"]
    with changed(fresh.edge, f"SET GLOBAL server_id={fresh.replica.value('SELECT @@server_id')}", "SET GLOBAL server_id=77"):
        assert status(fresh.ask(login=stranger), "server_id.fan_out") == ["failed"]
    fresh.replica.sql("CALL mysql.az_replication_stop")
    assert status(fresh.ask(), "binlog.position_kept") == ["passed"]
    fresh.purge()
    found = fresh.ask()["binlog.position_kept"]
    assert found["status"] == "failed" and found["summary"]


@either
def test_a_receiver_that_stands_still(fresh):
    door = Door(fresh.source.state["port"])
    fresh.link(port=door.port)
    assert status(fresh.ask(), "link.received") == ["passed"]
    door.hold()
    fresh.source.sql("CREATE TABLE shop.big (a INT PRIMARY KEY, b LONGTEXT)")
    fresh.source.sql("; ".join(f"INSERT INTO shop.big VALUES ({number}, REPEAT('x', 3000000))" for number in range(6)))
    found = fresh.ask()["link.received"]
    assert (found["status"], found["severity"]) == ("failed", "warning")
    assert fresh.ask()["replica.channels"]["status"] == "passed" and fresh.receives(), "the link says that it runs"
    door.let_go()
    until(lambda: status(fresh.ask(), "link.received") == ["passed"], "the receiver does not go on")
    door.shut()


@either
@pytest.mark.parametrize(("checksum", "arrived"), [("NONE", "h0nest"), ("CRC32", None)])
def test_an_event_that_is_damaged_in_the_log(fresh, checksum, arrived):
    """What the rule about checksums is for: without one the replica takes a wrong byte for the data."""
    fresh.source.sql(f"SET GLOBAL binlog_checksum={checksum}; FLUSH BINARY LOGS")
    assert status(fresh.ask(), "binlog.checksum") == ["failed" if checksum == "NONE" else "passed"]
    fresh.replica.sql("CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(50)) ENGINE=InnoDB")
    fresh.link()
    fresh.replica.sql("CALL mysql.az_replication_stop")
    fresh.source.sql("INSERT INTO shop.item VALUES (1, 'honest')")
    log = Path(fresh.source.value("SELECT @@datadir")) / fresh.source.sql("SHOW MASTER STATUS")[0][0]
    # In place: the server has the file open.
    with log.open("r+b") as file:
        file.seek(log.read_bytes().rindex(b"honest"))
        file.write(b"h0nest")
    fresh.replica.sql("CALL mysql.az_replication_start")
    if arrived is None:
        until(lambda: "could not queue event" in fresh.replica.client("-e", "SHOW SLAVE STATUS").stdout, "the damage is not noticed")
    else:
        until(lambda: fresh.replica.value("SELECT name FROM shop.item"), "the row does not come")
    assert fresh.replica.value("SELECT name FROM shop.item") == arrived


@mariadb
def test_a_link_by_gtid_and_what_it_goes_on_with(fresh):
    fresh.link("change_master_with_gtid")
    assert status(fresh.ask(), "binlog.position_kept") == ["passed"]
    fresh.replica.sql("CALL mysql.az_replication_stop")
    assert status(fresh.ask(), "binlog.position_kept") == ["passed"]
    fresh.purge()
    found = fresh.ask()["binlog.position_kept"]
    assert found["status"] == "failed" and fresh.replica.value("SELECT @@gtid_slave_pos") in found["summary"]


@either
def test_a_gtid_to_begin_after(fresh):
    if fresh.flavour == "mysql":
        fresh.source.sql(f"{TO_GTID}; RESET MASTER; CREATE DATABASE soon")
    begin = {"gtid": fresh.source.value(POSITION if fresh.flavour == "mariadb" else "SELECT @@GLOBAL.gtid_executed")}
    assert status(fresh.ask(method="gtid", coordinates=begin), "binlog.coordinates_present") == ["passed"]
    fresh.purge()
    found = fresh.ask(method="gtid", coordinates=begin)["binlog.coordinates_present"]
    assert found["status"] == "failed" and begin["gtid"] in found["summary"]


@either
def test_a_source_that_is_amazons(fresh, monkeypatch):
    monkeypatch.setattr(_facts_read, "on_rds", lambda variables: True)
    assert status(fresh.ask(), "binlog.retention") == ["unknown"]
    fresh.source.sql("CREATE TABLE mysql.rds_configuration (name VARCHAR(99), value INT); INSERT INTO mysql.rds_configuration VALUES ('target delay', 9)")
    row = "mysql.rds_configuration (name, value) VALUES ('binlog retention hours', {})"
    for value, said in (("NULL", "failed"), ("24", "failed"), ("168", "passed")):
        fresh.source.sql(f"DELETE FROM mysql.rds_configuration WHERE value IS NULL OR value > 9; INSERT INTO {row.format(value)}")
        found = fresh.ask()["binlog.retention"]
        assert found["status"] == said and ("hours', 168)" in (found["remedy"] or "")) == (said == "failed")


@either
def test_two_servers_of_one_id(fresh):
    assert status(fresh.ask(), "server_id.duplicate") == ["passed"]
    assert status(fresh.ask(siblings=[int(fresh.replica.value("SELECT @@server_id"))]), "server_id.duplicate") == ["failed"]
    mine = fresh.source.value("SELECT @@server_id")
    with changed(fresh.source, f"SET GLOBAL server_id={fresh.replica.value('SELECT @@server_id')}", f"SET GLOBAL server_id={mine}"):
        assert status(fresh.ask(), "server_id.duplicate") == ["failed"]


@mysql
def test_two_servers_of_one_uuid(fresh):
    assert status(fresh.ask(), "uuid.duplicate") == ["passed"]
    copy = fresh.lab("rules-copy", "mysql-8.0.33")
    own = Path(copy.value("SELECT @@datadir")) / "auto.cnf"
    # What a copy of another server's files brings along.
    uuids = copy.value("SELECT @@server_uuid"), fresh.replica.value("SELECT @@server_uuid")
    copy.restart(lambda: own.write_text(own.read_text().replace(*uuids)))
    assert status(fresh.ask(source=copy.login(login_tls="required")), "uuid.duplicate") == ["failed"]
    copy.down()


@mysql
def test_two_replicas_of_one_uuid(fresh):
    assert status(fresh.ask(), "uuid.fan_out") == ["passed"]
    state = fresh.source.state
    session = pymysql.connect(host=state["host"], port=state["port"], user=state["admin_user"], password=state["admin_password"], ssl={"verify_mode": None})
    with contextlib.closing(session), session.cursor() as cursor:
        # As a replica makes itself known: its uuid is a variable of its session, its server_id goes with the command.
        cursor.execute("SET @slave_uuid = %s", (fresh.replica.value("SELECT @@server_uuid"),))
        session._execute_command(REGISTER, struct.pack("<I3xHII", 4242, 0, 0, 0))
        session._read_ok_packet()
        assert status(fresh.ask(), "uuid.fan_out", "server_id.fan_out") == ["failed", "passed"]


@mysql
def test_a_source_that_is_a_replica_itself(fresh):
    fresh.edge.sql("CREATE USER IF NOT EXISTS up@'%' IDENTIFIED WITH mysql_native_password BY 'up-pass-1'; GRANT REPLICATION SLAVE ON *.* TO up@'%'")
    file, position = fresh.edge.sql("SHOW MASTER STATUS")[0][:2]
    state = fresh.edge.state
    fresh.source.sql(
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='{state['host']}', SOURCE_PORT={state['port']}, SOURCE_USER='up', SOURCE_PASSWORD='up-pass-1',"
        f" SOURCE_LOG_FILE='{file}', SOURCE_LOG_POS={position}; SET GLOBAL replica_parallel_workers=4; SET GLOBAL replica_preserve_commit_order=ON;"
        " START REPLICA"
    )
    running = "SELECT SERVICE_STATE FROM performance_schema.replication_connection_status"
    until(lambda: fresh.source.value(running) == "ON", "the chain did not come up")
    rules = ("source.is_replica", "source.chain_runs", "source.commit_order")
    assert status(fresh.ask(), *rules, "server_id.upstream") == ["passed"] * 4
    mine = fresh.replica.value("SELECT @@server_id")
    with changed(fresh.replica, f"SET GLOBAL server_id={fresh.edge.value('SELECT @@server_id')}", f"SET GLOBAL server_id={mine}"):
        assert status(fresh.ask(), "server_id.upstream") == ["failed"]
    assert status(fresh.ask(), "source.chain_lag") == ["passed"]
    fresh.source.sql("STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_DELAY=9999; START REPLICA")
    # How old a transaction is counts from the clock of the session that made it.
    fresh.edge.sql("SET timestamp=UNIX_TIMESTAMP()-1000; CREATE DATABASE late; DROP DATABASE late")
    until(lambda: status(fresh.ask(), "source.chain_lag") == ["failed"], "the delay is not seen")
    fresh.source.sql("STOP REPLICA; SET GLOBAL replica_preserve_commit_order=OFF")
    assert status(fresh.ask(), *rules) == ["passed", "failed", "failed"]


@mariadb
def test_a_source_that_does_not_log_what_it_receives(fresh):
    fresh.source.sql("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='nobody'")
    assert status(fresh.ask(), "source.is_replica", "source.chain_runs") == ["failed", "failed"]


@mysql
def test_a_statement_that_has_been_running_for_long(fresh):
    assert status(fresh.ask(), "source.long_statements") == ["passed"]
    # The server counts from the session's own clock, so that nobody has to wait a minute.
    words = [*fresh.source.state["client"], "-e", "SET timestamp=UNIX_TIMESTAMP()-1000; SELECT SLEEP(60)"]
    session = subprocess.Popen(words, env=fresh.source.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        query = "SELECT ID FROM information_schema.PROCESSLIST WHERE TIME > 900 AND INFO LIKE 'SELECT SLEEP%'"
        until(lambda: fresh.source.value(query), "the statement does not run")
        assert status(fresh.ask(), "source.long_statements") == ["failed"]
        fresh.source.sql(f"KILL {fresh.source.value(query)}")
    finally:
        session.kill()
        session.wait()


@mysql
def test_more_replicas_than_the_service_allows(fresh):
    state = fresh.source.state
    words = [f"{state['bin_dir']}/mysqlbinlog", "--no-defaults", f"--host={state['host']}", f"--port={state['port']}", f"--user={state['admin_user']}"]
    words += ["--ssl-mode=REQUIRED", "--read-from-remote-server", "--stop-never"]
    environment = {**fresh.source.environment, "MYSQL_PWD": state["admin_password"]}
    file = fresh.source.sql("SHOW MASTER STATUS")[0][0]
    readers = [
        subprocess.Popen([*words, f"--connection-server-id={9000 + number}", file], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for number in range(5)
    ]
    attached = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
    try:
        until(lambda: fresh.source.value(attached) == "5", "readers")
        assert status(fresh.ask(service="mysql_data_sync"), "source.replica_count") == ["failed"]
        fresh.source.sql(f"KILL {fresh.source.value(attached.replace('COUNT(*)', 'MAX(ID)'))}")
        until(lambda: fresh.source.value(attached) == "4", "readers")
        assert status(fresh.ask(service="mysql_data_sync"), "source.replica_count") == ["passed"]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


@either
def test_a_seed_that_took_longer_than_the_log_is_kept(fresh):
    state = fresh.replica.state
    server = Server.open(Login("replica", state["host"], state["admin_user"], state["admin_password"], port=state["port"], tls="required"))
    with contextlib.closing(server):
        identities = {
            name: {"server_id": int(side.value("SELECT @@server_id")), "server_uuid": None}
            for name, side in (("source", fresh.source), ("replica", fresh.replica))
        }
        Records(server).write("seed", {"identities": identities, "phase": "complete", "schemas": [], "notes": {"seconds": 4000}})
    with changed(fresh.source, "SET GLOBAL binlog_expire_logs_seconds=3600", "SET GLOBAL binlog_expire_logs_seconds=2592000"):
        found = fresh.ask()["binlog.retention_for_seed"]
    assert (found["status"], found["severity"]) == ("failed", "error") and "12000" in found["remedy"]
    assert status(fresh.ask(), "binlog.retention_for_seed") == ["passed"]


@mariadb
def test_a_replica_that_is_ahead_in_the_sources_domain(fresh):
    assert status(fresh.ask(), "gtid.own_events") == ["passed"]
    fresh.replica.sql("".join(f"CREATE DATABASE own{number}; DROP DATABASE own{number};" for number in range(20)))
    found = fresh.ask()["gtid.own_events"]
    assert (found["status"], found["severity"]) == ("failed", "warning")
    fresh.replica.sql("SET GLOBAL gtid_strict_mode=ON")
    assert fresh.ask()["gtid.own_events"]["severity"] == "error"


@mariadb
def test_functions_that_the_replica_would_refuse(fresh):
    fresh.source.sql("CREATE TRIGGER shop.noted BEFORE INSERT ON shop.item FOR EACH ROW SET NEW.name = UPPER(NEW.name)")
    found = fresh.ask()["variables.log_bin_trust_function_creators"]
    assert (found["status"], found["severity"]) == ("failed", "error")
    fresh.replica.sql("SET GLOBAL log_bin_trust_function_creators=ON")
    assert status(fresh.ask(), "variables.log_bin_trust_function_creators") == ["passed"]


@either
def test_procedures_that_may_be_called_one_by_one(bench):
    wanted = ["change_master", "change_master_with_gtid", "start", "stop", "remove_master"]
    grants = "; ".join(f"GRANT EXECUTE ON PROCEDURE mysql.az_replication_{name} TO little@'%'" for name in wanted)
    monitor = "REPLICATION CLIENT" if bench.flavour == "mysql" else "SLAVE MONITOR"
    with changed(bench.replica, f"{LITTLE}; GRANT {monitor} ON *.* TO little@'%'; {grants}", GONE):
        login = bench.replica.login(**AS_LITTLE)
        assert status(bench.ask(login=login), "rights.replica_execute", "replica.procedures") == ["passed", "passed"]
        bench.replica.sql("REVOKE EXECUTE ON PROCEDURE mysql.az_replication_stop FROM little@'%'")
        found = bench.ask(login=login)["rights.replica_execute"]
    assert (found["status"], found["objects"]) == ("failed", ["mysql.az_replication_stop"])


@mysql
def test_a_right_that_is_taken_away_in_one_schema(bench):
    rights = "SELECT, SHOW VIEW, TRIGGER, EVENT, RELOAD, PROCESS, SHOW DATABASES, REPLICATION CLIENT"
    make = f"SET GLOBAL partial_revokes=ON; CREATE DATABASE pay; {LITTLE}; GRANT {rights} ON *.* TO little@'%'; REVOKE SELECT ON pay.* FROM little@'%'"
    with changed(bench.source, make, f"{GONE}; DROP DATABASE pay; SET GLOBAL partial_revokes=OFF"):
        login = bench.source.login(**AS_LITTLE)
        findings = bench.ask(source=login)
        assert findings["rights.source_dump"]["seen"] == "missing: SELECT on `pay`"
        assert status(findings, "rights.source_dump", "schema.engines") == ["failed", "unknown"]
        assert status(bench.ask(source=login, schemas=["shop"]), "rights.source_dump", "schema.engines") == ["passed", "passed"]


@mysql
def test_what_is_encrypted_and_what_that_means_to_a_replica(bench):
    source, replica = bench.lab("rules-keyed", "mysql-9.7", "--keyring"), bench.new
    login = source.login(login_tls="required")
    rules = ("binlog.encryption", "schema.encrypted")
    assert status(bench.ask(source=login), *rules) == ["passed", "passed"]
    source.sql(
        "SET GLOBAL binlog_encryption=ON; CREATE USER up@'%' IDENTIFIED BY 'up-pass-1'; GRANT REPLICATION SLAVE ON *.* TO up@'%';"
        "CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY); INSERT INTO shop.item VALUES (1)"
    )
    state = source.state
    replica.sql(
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='{state['host']}', SOURCE_PORT={state['port']}, SOURCE_USER='up', SOURCE_PASSWORD='up-pass-1',"
        f" SOURCE_SSL=1, SOURCE_LOG_FILE='{source.sql('SHOW BINARY LOGS')[-1][0]}', SOURCE_LOG_POS=4; START REPLICA"
    )
    # Encrypted on the source's disk, and what the replica gets is not.
    until(lambda: replica.value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'") == "1", "the link does not come up")
    until(lambda: replica.value("SELECT id FROM shop.item") == "1", "the row does not come")
    assert status(bench.ask(source=login), *rules) == ["failed", "passed"]
    source.sql("CREATE TABLE shop.secret (id INT PRIMARY KEY) ENCRYPTION='Y'")
    found = bench.ask(source=login)["schema.encrypted"]
    assert (found["status"], found["severity"], found["objects"]) == ("failed", "warning", ["`shop`.`secret`"])
    # The replica has no keyring: its applier stops, and a load ends in the same.
    error = "SELECT LAST_ERROR_NUMBER FROM performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER > 0 LIMIT 1"
    until(lambda: replica.value(error) == "3185", "the applier does not stop")
    made = source.sql("SHOW CREATE TABLE shop.secret")[0][1].replace("\\n", "\n")
    assert "ERROR 3185" in replica.client("shop", text=made).stderr
    replica.reset()
    source.down()


@mysql
def test_a_ca_that_ends_soon(bench, tmp_path):
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out", tmp_path / "ca", "-days", "5", "-subj", "/CN=x"]
    subprocess.run(words, check=True, capture_output=True)
    assert status(bench.ask(link_ca=str(tmp_path / "ca")), "link.ca_ends") == ["failed"]
    assert status(bench.ask(), "link.ca_ends") == ["passed"]


@mysql
@pytest.mark.parametrize("login_tls", ["required", "verify_ca"])
def test_a_certificate_that_ends_soon(bench, tmp_path, login_tls):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "5", "-subj", "/CN=x"]
    subprocess.run(words, check=True, capture_output=True)
    files = {"ssl_ca": certificate, "ssl_cert": certificate, "ssl_key": key}
    before = {name: bench.source.value(f"SELECT @@{name}") for name in files}

    def shows(files):
        return "; ".join(f"SET GLOBAL {name}='{path}'" for name, path in files.items()) + "; ALTER INSTANCE RELOAD TLS"

    with changed(bench.source, shows(files), shows(before)):
        login = bench.source.login(login_tls=login_tls, login_ca=str(certificate))
        found = bench.ask(source=login, link_ca=str(certificate))["link.certificate_ends"]
    assert (found["status"], found["severity"]) == ("failed", "warning")
    assert status(bench.ask(), "link.certificate_ends") == ["passed"]


@mysql
def test_what_the_newer_version_takes_for_its_own(bench):
    bench.old.sql(
        "SET SESSION sql_mode='NO_AUTO_CREATE_USER'; CREATE DATABASE shop; CREATE TABLE shop.`rank` (`lead` INT PRIMARY KEY);"
        "CREATE TABLE shop.plain (`groups` INT PRIMARY KEY); CREATE PROCEDURE shop.work() SELECT 1"
    )
    old = bench.old.login(login_tls="preferred")
    findings = bench.ask(source=old)
    assert findings["schema.reserved_words"]["objects"] == ["`shop`.`plain`", "`shop`.`rank`"]
    assert status(findings, "schema.reserved_words", "schema.sql_modes") == ["failed", "failed"]
    assert "NO_AUTO_CREATE_USER" in findings["schema.sql_modes"]["seen"]
    bench.old.reset()
    assert status(bench.ask(source=old), "schema.reserved_words", "schema.sql_modes") == ["passed", "passed"]


def refused_words(server, words):
    """The words of some that a server does not take for a name without quotes. What it says of itself is wrong on some versions."""
    text = "".join(f"PREPARE tried FROM 'CREATE TABLE shop.t ({word} INT)';\n" for word in words)
    lines = re.findall(r"ERROR 1064 .*? at line (\d+)", server.client("-B", "--force", text=text).stderr)
    return {words[int(line) - 1] for line in lines}


@mysql
def test_the_lists_of_reserved_words_are_those_of_the_servers(bench):
    servers = [bench.old, bench.edge, bench.source, bench.new]
    listed = {row[0] for server in servers[1:] for row in server.sql("SELECT LOWER(WORD) FROM information_schema.KEYWORDS")}
    words = sorted(listed | dialect_for("mysql", (8, 4, 0)).reserved_words)
    refused = [refused_words(server, words) for server in servers]
    known = [dialect_for("mysql", tuple(map(int, server.value("SELECT VERSION()").split("-")[0].split(".")))).reserved_words for server in servers]
    assert "external" in refused[3] - refused[2] and "rank" in refused[1] - refused[0]
    for older, newer in itertools.combinations(range(len(servers)), 2):
        assert refused[newer] - refused[older] == known[newer] - known[older]


@mysql
def test_a_name_that_has_grown_too_long(bench):
    name = "a" * 60
    bench.old.sql("CREATE DATABASE shop; CREATE TABLE shop.k (a INT PRIMARY KEY)")
    bench.old.sql(f"CREATE TABLE shop.r (a INT PRIMARY KEY, FOREIGN KEY (a) REFERENCES shop.k (a)); RENAME TABLE shop.r TO shop.{name}")
    old = bench.old.login(login_tls="preferred")
    found = bench.ask(source=old, schemas=["shop"])["schema.long_names"]
    assert (found["status"], found["severity"], found["objects"]) == ("failed", "error", [f"`shop`.`{name}_ibfk_1`"])
    made = bench.old.sql(f"SHOW CREATE TABLE shop.{name}")[0][1].replace("\\n", "\n")
    refused = bench.source.client("shop", text=f"SET foreign_key_checks=0; {made}").stderr
    assert "ERROR 1059" in refused
    assert status(bench.ask(source=old, schemas=["other"]), "schema.long_names") == ["passed"]
    bench.old.reset()
    assert status(bench.ask(source=old), "schema.long_names") == ["passed"]


@mysql
@pytest.mark.parametrize("source", ["old", "source"])
def test_foreign_keys_that_follow_a_changed_key(bench, source):
    server = getattr(bench, source)
    follows = "FOREIGN KEY (a) REFERENCES keyed.parent (a) ON UPDATE"
    tables = "".join(
        f"CREATE TABLE keyed.{rule.replace(' ', '_')} (id INT PRIMARY KEY, a INT, {follows} {rule});" for rule in ("CASCADE", "SET NULL", "RESTRICT")
    )
    options = {"service": "mysql_data_sync", "source": server.login(login_tls="preferred")}
    with changed(server, f"CREATE DATABASE keyed; CREATE TABLE keyed.parent (a INT PRIMARY KEY); {tables}", "DROP DATABASE keyed"):
        found = bench.ask(**options)["advice.primary_key_values"]
        assert (found["status"], [name.lower() for name in found["objects"]]) == ("failed", ["`keyed`.`cascade`", "`keyed`.`set_null`"])
        assert status(bench.ask(**{**options, "schemas": ["shop"]}), "advice.primary_key_values") == ["unknown"]
    assert status(bench.ask(**options), "advice.primary_key_values") == ["unknown"]
