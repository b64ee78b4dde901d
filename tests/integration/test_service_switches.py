# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed servers that differ: high availability, the Basic tier, and procedures that fail, chatter or hang."""

from __future__ import annotations

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _procedures, _replica_link

PASSWORD = "repl-Pa55"
DATA = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1), (2);"
FLEXIBLE, SINGLE = "mysql_flexible_server", "mysql_single_server"


class Pair:
    """A source, and a managed server with a switch turned that holds a copy of its data."""

    def __init__(self, lab, perform, switch, service=FLEXIBLE):
        self.source = lab("switch-source", "mysql-8.0.33", "--set", "gtid_mode=ON")
        self.replica = lab(f"switch-{switch}", "mysql-8.0.33", "--service", service, "--with", switch, "--set", "gtid_mode=ON")
        self.service, self.perform = service, perform
        for server in (self.replica, self.source):
            server.reset()
        self.source.sql(DATA + f"CREATE USER datain@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO datain@'%'")
        self.replica.sql(DATA)

    def link(self, **other):
        state = self.source.state
        login = self.replica.login(login_tls="verify_ca", login_ca=self.replica.state["ca"])
        file, position = self.source.sql("SHOW MASTER STATUS")[0][:2]
        options = {
            "source": self.source.login(login_tls="required"),
            "service": self.service,
            "replication_user": "datain",
            "replication_password": PASSWORD,
            "link_host": state["host"],
            "link_port": state["port"],
            "link_ca": state["ca"],
            "wait_timeout": 20,
            "coordinates": {"file": file, "position": int(position)},
            **other,
        }
        return self.perform(_replica_link.CAPABILITY, login, **options)

    def status(self):
        rows = self.replica.client("-E", text="SHOW REPLICA STATUS\n").stdout.splitlines()
        return {line.strip().partition(":")[0]: line.partition(":")[2].strip() for line in rows if ":" in line}


@pytest.fixture
def pair(request, lab, perform):
    made = Pair(lab, perform, *request.param)
    yield made
    made.replica.down()


def of(*names):
    return pytest.mark.parametrize("pair", [names], indirect=True)


@of("ha")
def test_high_availability_leaves_the_way_by_gtid(pair):
    refused = pair.link(method="position")
    assert refused["failed"] and "mysql.az_replication_change_master" in refused["msg"] and pair.status() == {}
    gtids = pair.source.value("SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')")
    pair.replica.gtid_reset(gtids)
    linked = pair.link(coordinates={"gtid": gtids})
    assert not linked.get("failed"), linked["msg"]
    assert pair.status()["Auto_Position"] == "1" and pair.status()["Replica_SQL_Running"] == "Yes"


@of("basic", SINGLE)
def test_the_basic_tier_has_no_procedures(pair):
    result = pair.link()
    assert result["failed"] and "the Basic tier has no replication procedures" in result["msg"], result
    assert pair.status() == {}


@pytest.mark.parametrize("pair", [("failure-rows",), ("failure-signal",)], indirect=True, ids=["rows", "signal"])
def test_a_failure_is_one_in_whatever_form(pair):
    """A password of 33 characters is refused by the server inside the procedure."""
    result = pair.link(replication_password="a" * 33)
    assert result["failed"] and "change_master" in result["msg"], result
    assert "a" * 33 not in str(result) and pair.status() == {}
    mended = pair.link()
    assert not mended.get("failed"), mended["msg"]
    assert pair.status()["Replica_IO_Running"] == "Yes"


@of("empty-results")
def test_results_that_say_nothing_are_passed_over(pair):
    result = pair.link()
    assert not result.get("failed"), result["msg"]
    assert pair.status()["Replica_IO_Running"] == "Yes"
    assert not pair.link()["changed"]


@of("hang")
def test_a_procedure_that_hangs_ends_in_an_error_and_the_next_run_is_safe(pair, monkeypatch):
    monkeypatch.setattr(_procedures, "PATIENCE", 2)
    result = pair.link()
    assert result["failed"] and result["error"]["kind"] == "lost" and "not known" in result["msg"], result
    # The server itself gives the sleep up once nobody waits for it; and nothing was repeated.
    again = pair.link()
    assert again["failed"] and again["error"]["kind"] in ("lost", "locked"), again
    assert len(pair.replica.sql("SHOW REPLICA STATUS")) <= 1
