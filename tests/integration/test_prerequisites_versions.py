# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules once on each version of the lab: nothing is unknown because a version lacks a column or a word."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _prerequisites, _rules_platform, _rules_reach
from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import StatementError
from ansible_collections.datain.azure_mysql.plugins.module_utils._server import Server

# The pair of MySQL 8.0.33 and that of MariaDB 10.11 are those of every other test.
VERSIONS = {
    "mysql-5.6": "mysql_single_server",
    "mysql-5.7": "mysql_single_server",
    "mysql-8.0.15": "mysql_flexible_server",
    "mysql-9.7": "mysql_flexible_server",
    "mariadb-10.2": "mariadb_server",
    "mariadb-10.5": "mariadb_server",
    "mariadb-11.8": "mariadb_server",
}
NEWEST = {"mysql": (9, 7, 0), "mariadb": (11, 8, 0)}
# What a controller cannot see; and the filter, which MySQL before 8.0 shows only while it is linked.
CANNOT_BE_SEEN = {rule.id for rule in (*_rules_platform.RULES, *_rules_reach.RULES)}
ONLY_WHILE_LINKED = {"mysql-5.6": {"replica.filter", "replica.filter_schemas"}, "mysql-5.7": {"replica.filter", "replica.filter_schemas"}}
# The managed server's administrator is the source's here, and has not the right that MariaDB has asked for since 10.5.
LACKS_A_RIGHT = {"mariadb-10.5": {"server_id.fan_out"}, "mariadb-11.8": {"server_id.fan_out"}}
# What forgets all GTIDs, so that others can be set.
NO_GTID_YET = {"mysql-5.7": "RESET MASTER", "mysql-8.0.15": "RESET MASTER", "mysql-9.7": "RESET BINARY LOGS AND GTIDS"}
OBJECTS = """
/*!80030 SET SESSION sql_generate_invisible_primary_key=OFF */;
CREATE DATABASE shop;
CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(50)) ENGINE=InnoDB;
CREATE TABLE shop.keyless (a INT, b CHAR(3)) ENGINE=InnoDB;
CREATE TABLE shop.parted (a INT PRIMARY KEY) PARTITION BY HASH(a) PARTITIONS 2;
CREATE VIEW shop.seen AS SELECT id FROM shop.item;
CREATE PROCEDURE shop.work() SELECT 1;
CREATE TRIGGER shop.noted BEFORE INSERT ON shop.item FOR EACH ROW SET NEW.name = UPPER(NEW.name);
CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1;
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_rule_knows_every_version(version, lab, perform):
    name = version.replace(".", "")
    # One server is both sides: that is all that differs between versions, and half of the time.
    server = lab(f"ruled-{name}", version, "--service", VERSIONS[version])
    try:
        server.sql(OBJECTS)
        if version == "mariadb-10.5":
            # The services' administrator was documented before this version took the right out of REPLICATION CLIENT.
            server.sql(f"GRANT SLAVE MONITOR ON *.* TO {server.state['admin_user']}@'%'")
        result = perform(
            _prerequisites.CAPABILITY,
            server.login(login_tls="preferred"),
            source=server.login(login_tls="preferred"),
            service=VERSIONS[version],
            replication_user="datain",
            replication_password="repl-pass-1",
            link_host=server.state["host"],
            link_port=server.state["port"],
            fail_on="none",
        )
        assert "findings" in result, result
        unknown = {finding["rule"]: finding["summary"] for finding in result["findings"] if finding["status"] == "unknown"}
        allowed = CANNOT_BE_SEEN | ONLY_WHILE_LINKED.get(version, set()) | LACKS_A_RIGHT.get(version, set())
        assert {rule: why for rule, why in unknown.items() if rule not in allowed} == {}
        findings = {finding["rule"]: finding for finding in result["findings"]}
        assert findings["schema.no_primary_key"]["objects"] == ["`shop`.`keyless`"]
        assert findings["schema.events"]["objects"] == ["`shop`.`nightly`"]
        assert findings["version.pair"]["status"] == findings["schema.collations"]["status"] == "passed"
        state = server.state
        session = Server.open(Login("source", state["host"], state["admin_user"], state["admin_password"], port=state["port"], tls="preferred"))
        with contextlib.closing(session):
            _words_are_as_the_table_says(session)
            _variables_are_as_the_client_says(session, server)
            if version in NO_GTID_YET:
                _a_long_set_is_whole(session, server, NO_GTID_YET[version])
    finally:
        server.down()


def _words_are_as_the_table_says(session):
    """Every word that the newest version reserves and the oldest does not is free here, or is not, as the dialect has it."""
    refused = set()
    every = dialect_for(session.flavour, NEWEST[session.flavour]).reserved_words
    for word in every:
        try:
            session.connection.rows(f"SELECT 1 AS {word}", step="try a word")
        except StatementError:
            refused.add(word)
    assert refused == session.dialect.reserved_words & every


def _variables_are_as_the_client_says(session, server):
    """Every variable, also those with several lines, signs of equality or nothing in them."""
    server.sql("SET GLOBAL init_connect = 'SET @a = 1,\\n @b = 2'")
    session.forget()
    told = {row[0].lower(): row[1] if len(row) > 1 else "" for row in server.sql("SHOW GLOBAL VARIABLES")}
    ours = {name: value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") for name, value in session.variables.items()}
    assert {name for name in {*told, *ours} if told.get(name) != ours.get(name)} <= {"timestamp", "gtid_executed"}
    assert session.variables["init_connect"] == "SET @a = 1,\n @b = 2"


def _a_long_set_is_whole(session, server, empty):
    """The server's list cuts it off after 1024 characters, which makes another set of it; what is read is what it has."""
    purged = ",".join(f"{number:08d}-1111-1111-1111-111111111111:1-{1000 + number}" for number in range(40))
    server.sql(f"{empty}; SET GLOBAL gtid_purged = '{purged}'")
    session.forget()
    assert session.variables["gtid_purged"].replace("\n", "") == purged
    assert len(server.sql("SHOW GLOBAL VARIABLES LIKE 'gtid_purged'")[0][1]) < len(purged)
