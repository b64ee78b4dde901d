# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How facts are read, and what findings, waivers and unknowns come to."""

from __future__ import annotations

import datetime
import hashlib
import ssl
import subprocess
from dataclasses import replace

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _facts, _prerequisites, _rules_gtid
from ansible_collections.datain.azure_mysql.plugins.module_utils._certificates import read_certificates
from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import ConnectError, ConnectionLost, InputError, StatementError
from ansible_collections.datain.azure_mysql.plugins.module_utils._facts import Desired, Unread
from ansible_collections.datain.azure_mysql.plugins.module_utils._facts_read import read_facts
from ansible_collections.datain.azure_mysql.plugins.module_utils._grants import parse_grants
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Finding
from ansible_collections.datain.azure_mysql.plugins.module_utils._prerequisites import Waiver, blocking, parse_waivers, summarise, waive
from ansible_collections.datain.azure_mysql.plugins.module_utils._server import Server
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES

TODAY = datetime.date(2026, 11, 21)


def finding(**more):
    return replace(Finding("binlog.retention", "source", "failed", "error", "too short"), **more)


# Rights


GRANTS = (
    "GRANT SELECT, REPLICATION CLIENT, SHOW DATABASES ON *.* TO `a`@`%` WITH GRANT OPTION",
    "GRANT REPLICATION_APPLIER,ROLE_ADMIN ON *.* TO `a`@`%`",
    "GRANT INSERT, UPDATE (`x, y`, `ON *.* TO`) ON `shop\\_eu`.* TO `a`@`%`",
    "GRANT EVENT ON `we``ird% ON x`.* TO `a`@`%`",
    "GRANT DELETE ON `shop`.`orders` TO `a`@`%`",
    "GRANT `reader`@`%` TO `a`@`%`",
    "GRANT PROXY ON ''@'' TO 'root'@'localhost' WITH GRANT OPTION",
    "REVOKE SELECT ON `mysql`.* FROM `a`@`%`",
    "REVOKE INSERT, EVENT ON `pay`.* FROM `a`@`%`",
    "GRANT EXECUTE ON PROCEDURE `mysql`.`P1` TO `a`@`%`",
    "GRANT ALTER ROUTINE ON PROCEDURE `mysql`.`p2` TO `a`@`%`",
    "GRANT EXECUTE ON FUNCTION `mysql`.`p3` TO `a`@`%`",
)


def test_grants():
    grants = parse_grants(GRANTS)
    assert grants.everywhere == {"SELECT", "REPLICATION CLIENT", "SHOW DATABASES", "REPLICATION_APPLIER", "ROLE_ADMIN"}
    assert grants.may_grant
    assert grants.has("BINLOG MONITOR", "REPLICATION CLIENT") and not grants.has("DELETE")
    assert grants.has_in("shop_eu", "INSERT") and not grants.has_in("shopXeu", "INSERT"), "an escaped _ is no wildcard"
    assert grants.has_in("shop_eu", "UPDATE")
    assert grants.has_in("we`ird and more ON x", "EVENT")
    assert not grants.has_in("shop", "DELETE"), "a right on one table is none on the schema"
    assert grants.has_in("shop", "SELECT") and not grants.has_in("mysql", "SELECT"), "a partial revoke counts"
    assert grants.has_in("pay", "SELECT") and not grants.has_in("pay", "INSERT")
    assert [grants.may_call("mysql", name) for name in ("p1", "p2", "p3")] == [True, False, False]


def test_what_is_taken_away_in_one_schema():
    grants = parse_grants(["GRANT SELECT, EVENT ON *.* TO `a`@`%`", "REVOKE SELECT ON `pay`.* FROM `a`@`%`", "REVOKE SELECT ON `mysql`.* FROM `a`@`%`"])
    assert grants.withheld((), "SELECT") == ["pay"], "the server's own schemas are not replicated"
    assert grants.withheld(("shop",), "SELECT") == grants.withheld((), "EVENT") == []
    assert grants.withheld(("shop", "pay"), "SELECT") == ["pay"]


@pytest.mark.parametrize(
    "line",
    ["GRANT ALL PRIVILEGES ON *.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*00' WITH GRANT OPTION", "GRANT ALL PRIVILEGES ON *.* TO `a`@`%`"],
)
def test_all_privileges_are_each_of_them(line):
    assert parse_grants([line]).has("SLAVE MONITOR")


# GTIDs


A, B = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"


@pytest.mark.parametrize(
    ("wanted", "had", "missing"),
    [
        ("", "", {}),
        (f"{A}:1-5", f"{A}:1-5", {}),
        (f"{A}:1-9", f"{A}:1-3:5-6", {A: 4}),
        (f"{A}:1-9", f"{A}:5-6:1-3:8-20", {A: 2}),
        (f"{A}:3", f"{B}:3", {A: 1}),
        (f"{A.upper()}:1-2,\n{B}:7", f"{A}:1", {A: 1, B: 1}),
        (f"{A}:1-2:tag:4-5", f"{A}:1-2", {f"{A}:tag": 2}),
    ],
)
def test_gtids_missing(wanted, had, missing):
    if "tag" in wanted:
        # Tags of 8.3 and later are told apart as a whole; that the untagged ones are not is on the safe side.
        assert _rules_gtid.gtids_missing(wanted, had)
    else:
        assert _rules_gtid.gtids_missing(wanted, had) == missing


# Waivers, and what blocks


def test_waivers():
    one = {"rule": "binlog.retention", "reason": "it is being raised", "until": "2026-12-31"}
    assert parse_waivers([one, {**one, "reason": "mine"}])[0].reason == "mine", "a replica's own follow its source's, and count"


@pytest.mark.parametrize("wrong", [{"rule": "no.such"}, {"reason": " "}, {"until": "soon"}, {"until": ""}, {"until": "31.12.2026"}])
def test_waivers_that_cannot_be_meant(wrong):
    with pytest.raises(InputError):
        parse_waivers([{"rule": "binlog.retention", "reason": "it is being raised", "until": "2026-12-31", **wrong}])


@pytest.mark.parametrize(("day", "status", "ended"), [(0, "waived", False), (1, "waived", False), (-1, "failed", True)])
def test_a_waiver_counts_until_its_last_day(day, status, ended):
    waiver = Waiver("binlog.retention", "why", TODAY + datetime.timedelta(days=day))
    waived = waive(finding(), waiver, TODAY)
    assert (waived.status, waived.waiver["ended"], waived.waiver["reason"]) == (status, ended, "why")
    assert bool(blocking([waived])) == ended


@pytest.mark.parametrize("status", ["passed", "not_applicable"])
def test_a_waiver_changes_nothing_that_is_right(status):
    assert waive(finding(status=status), Waiver("binlog.retention", "why", TODAY), TODAY).waiver is None


@pytest.mark.parametrize(
    ("fail_on", "severity", "blocks"),
    [("error", "error", 1), ("error", "warning", 0), ("warning", "warning", 1), ("warning", "info", 0), ("none", "error", 1), ("none", "warning", 0)],
)
def test_fail_on(fail_on, severity, blocks):
    assert len(blocking([finding(severity=severity)], fail_on)) == blocks


def test_unknown_blocks_only_where_data_could_be_overwritten():
    unknown = [finding(rule=rule, status="unknown") for rule in _prerequisites.BY_ID]
    assert [found.rule for found in blocking(unknown)] == ["replica.procedures", "replica.channels", "replica.not_empty"]
    summary = summarise(unknown)
    assert (summary["unknown"], summary["ready"]) == (len(unknown), False)


def test_sentence():
    text = _prerequisites.sentence(finding(seen="3600 s", objects=("`a`", "`b`"), object_count=7))
    assert text == "binlog.retention: too short (seen: 3600 s) [`a`, `b` and 5 more]"


# Reading


class Connection:
    """Answers by a word in the statement, and counts."""

    def __init__(self, side, answers):
        from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Login

        self.login = Login(side=side, host="h", user="u")
        self.answers = answers
        self.statements = []
        self.lost = False
        self.tls = None

    def rows(self, sql, parameters=(), *, step, patience=None):
        self.statements.append(sql)
        if self.lost:
            raise ConnectionLost("closed", step=step)
        assert sql.count("%s") == len(parameters)
        answer = next((answer for word, answer in self.answers if word in sql), [])
        if isinstance(answer, Exception):
            answer.step = step
            self.lost = isinstance(answer, ConnectionLost)
            raise answer
        return answer


ADMIN = [{"Grants": "GRANT ALL PRIVILEGES ON *.* TO `a`@`%`"}]


def server(side, *answers, version="8.0.33"):
    listed = {"variables": f"version={version}\0server_id=1\0Log_bin=ON", "gtid_executed": "", "gtid_purged": ""}
    able = {"collations": None, "plugins": None, "clock": 1796000000, "zone": None}
    always = (
        ("@@version_comment", [{"version": version, "comment": ""}]),
        ("AS variables", [listed]),
        ("AS collations", [able]),
        ("SHOW GRANTS", ADMIN),
    )
    return Server(Connection(side, [*answers, *always]))


def desired(**more):
    return Desired(SERVICES["mysql_flexible_server"], replication_user="datain", **more)


def test_few_statements():
    tables = [{"kind": "BASE TABLE", "engine": "InnoDB", "collated": "c", "keyed": 1, "tables": 10000, "names": "s\0a\0s\0b"}]
    objects = [{"kind": "view", "definer": "d@%", "state": "", "objects": 1, "names": "s\0v"}]
    source, replica = server("source", ("STATISTICS", tables), ("information_schema.VIEWS", objects)), server("replica")
    facts = read_facts(source, replica, desired())
    assert facts.source.tables[0].tables == _facts.Named(10000, (("s", "a"), ("s", "b")))
    assert len(source.connection.statements) + len(replica.connection.statements) <= 27
    assert all("MAX_EXECUTION_TIME(60000)" in sql for sql in source.connection.statements if "information_schema.TABLES" in sql)


@pytest.mark.parametrize(
    ("flavour", "version", "begins"),
    [
        ("mysql", (5, 6, 24), "SELECT {"),
        ("mysql", (5, 7, 22), "SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */ {"),
        ("mariadb", (10, 2, 11), "SET STATEMENT max_statement_time={seconds} FOR SELECT {"),
        ("mariadb", (11, 8, 0), "SET STATEMENT max_statement_time={seconds} FOR SELECT {"),
    ],
)
def test_every_statement_has_its_limit(flavour, version, begins):
    assert f"{dialect_for(flavour, version).limited_select} {{".startswith(begins)


def test_a_missing_right_makes_facts_unknown_and_no_others():
    denied = StatementError("SELECT command denied", code=1142)
    facts = read_facts(server("source", ("STATISTICS", denied)), server("replica"), desired())
    assert isinstance(facts.source.tables, Unread) and "SELECT command denied" in facts.source.tables.reason
    assert not isinstance(facts.source.schemas, Unread)
    statuses = {found.rule: found.status for found in _prerequisites.evaluate(facts)}
    assert statuses["schema.engines"] == statuses["schema.no_primary_key"] == "unknown"
    assert statuses["binlog.enabled"] == "passed"


def test_who_may_read_the_accounts_only_still_reads_them():
    account = {"name": "app", "host": "%", "tls": "ANY", "plugin": "caching_sha2_password", "kind": "account"}
    denied = StatementError("SELECT command denied to table 'servers'", code=1142)
    facts = read_facts(server("source", ("mysql.servers", denied), ("mysql.user", [account])), server("replica"), desired())
    assert isinstance(facts.source.in_mysql, Unread) and [(found.user, found.tls) for found in facts.source.accounts] == [("app", "ANY")]


@pytest.mark.parametrize(
    ("grants", "schemas", "seen"),
    [
        ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", (), True),
        ("GRANT SELECT ON *.* TO `a`@`%`", (), True),
        ("GRANT USAGE ON *.* TO `a`@`%`", (), False),
        (("GRANT SELECT ON *.* TO `a`@`%`", "REVOKE SELECT ON `pay`.* FROM `a`@`%`"), (), False),
        (("GRANT SELECT ON *.* TO `a`@`%`", "REVOKE SELECT ON `pay`.* FROM `a`@`%`"), ("shop",), True),
        ("GRANT SELECT ON `shop`.* TO `a`@`%`", (), False),
        ("GRANT SELECT ON `shop`.* TO `a`@`%`", ("shop",), True),
        ("GRANT SELECT ON `shop`.* TO `a`@`%`", ("shop", "other"), False),
    ],
)
def test_what_the_server_hides_without_a_word_is_unknown(grants, schemas, seen):
    lines = [{"g": line} for line in ([grants] if isinstance(grants, str) else grants)]
    facts = read_facts(server("source", ("SHOW GRANTS", lines)), server("replica"), desired(schemas=schemas))
    assert isinstance(facts.source.tables, Unread) is not seen


def test_a_frozen_server_makes_the_rest_unknown():
    facts = read_facts(server("source", ("STATISTICS", ConnectionLost("timed out"))), server("replica"), desired())
    assert "no answer within the time limit" in facts.source.tables.reason
    assert isinstance(facts.source.objects, Unread)
    assert not isinstance(facts.replica.data, Unread), "the other side is read all the same"
    assert len(_prerequisites.evaluate(facts)) == len(_prerequisites.RULES)


@pytest.mark.parametrize("side", ["source", "replica"])
def test_a_server_that_lets_nobody_in_is_a_finding(side):
    refused = ConnectError("Access denied", server=f"{side} h:3306", step="log in as u", code=1045, hint="check datain_login_password")
    servers = {"source": server("source"), "replica": server("replica"), side: refused}
    found = {found.rule: found for found in _prerequisites.evaluate(read_facts(servers["source"], servers["replica"], desired()))}
    assert found[f"connection.{side}"].status == "failed"
    assert found[f"connection.{side}"].remedy == "check datain_login_password"
    assert found["version.pair"].status == "unknown"
    assert all(
        item.status in ("unknown", "failed", "not_applicable") or item.rule.startswith("link.") or item.side != side
        for item in found.values()
        if item.rule != "network.port"
    )


@pytest.mark.parametrize("flavour", ["8.0.33", "10.11.5-MariaDB"])
def test_names_of_any_kind_are_told_apart(flavour):
    names = "\0".join(["s,1", "a.b", "s,1", 'quo"te`', "s\n2", "ü"])
    tables = [{"kind": "BASE TABLE", "engine": "InnoDB", "collated": "c", "keyed": 0, "tables": 9, "names": names}]
    facts = read_facts(server("source", ("STATISTICS", tables), version=flavour), server("replica"), desired())
    assert facts.source.tables[0].tables == _facts.Named(9, (("s,1", "a.b"), ("s,1", 'quo"te`'), ("s\n2", "ü")))


# The certificate of the link


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ca")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        folder / "key.pem",
        "-out",
        folder / "ca.pem",
        "-days",
        "40",
        "-subj",
        "/CN=the lab",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "ca.pem").read_text()


def test_certificates(authority):
    found, problem = read_certificates(authority.replace("\n", "\r\n") + authority)
    assert problem is None and len(found) == 2
    assert found[0].authority and found[0].subject == "commonName=the lab"
    days = (found[0].ends - datetime.datetime.now(datetime.UTC)).days
    assert days in (39, 40)
    assert found[0].fingerprint == hashlib.sha256(ssl.PEM_cert_to_DER_cert(authority)).hexdigest()


def test_a_broken_pem_is_told_and_stops_nothing(authority):
    for broken in (authority.replace("\n", ""), authority[: len(authority) // 2], "/no/such/file.pem", "-----BEGIN nonsense"):
        found, problem = read_certificates(broken)
        assert not found and problem


def test_no_ca():
    assert read_certificates("") == ((), None)
