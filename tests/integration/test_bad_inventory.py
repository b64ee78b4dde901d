# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong inventory stops onboard before any server is touched, as the servers' own logs say; a server that will not have us says so in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ONBOARD = "datain.azure_mysql.onboard"


class Pair:
    def __init__(self, lab):
        self.source = lab("bad-source", "mysql-8.0.33")
        self.replica = lab("bad-replica", "mysql-8.0.33", "--service", "mysql_flexible_server")
        for server in self.servers:
            server.sql("SET GLOBAL general_log=ON")

    @property
    def servers(self):
        return (self.source, self.replica)

    def visits(self):
        """How often anybody but root, who is the judge, has come in by TCP."""
        logs = [Path(server.state["general_log"]).read_text(errors="replace") for server in self.servers]
        return sum(len(re.findall(r" Connect\t(?!root@localhost)", log)) for log in logs)

    def inventory(self, source=None, replica=None, more=None):
        """What a person would write; a value of None takes the variable away."""
        one, two = self.source.state, self.replica.state
        login = {side: {
            "datain_login_host": state["host"],
            "datain_login_port": state["port"],
            "datain_login_user": state["admin_user"],
            "datain_login_password": state["admin_password"],
            "datain_login_ca": state["ca"],
        } for side, state in (("source", one), ("replica", two))}  # fmt: skip
        shop = {
            **login["source"],
            "datain_replication_user": "datain",
            "datain_replication_password": "Bad-inventory-1",
            "datain_link_ca": one["ca"],
            **(source or {}),
        }
        azure = {**login["replica"], "datain_source": "shop", "datain_service": "mysql_flexible_server", **(replica or {})}
        replicas = {"shop-azure": {key: value for key, value in azure.items() if value is not None}}
        replicas.update({name: {**azure, **values} for name, values in (more or {}).items()})
        return {"all": {"vars": {"ansible_connection": "local"}, "children": {
            "datain_sources": {"hosts": {"shop": {key: value for key, value in shop.items() if value is not None}}},
            "datain_replicas": {"hosts": replicas},
        }}}  # fmt: skip


@pytest.fixture(scope="module")
def pair(lab):
    made = Pair(lab)
    yield made
    for server in made.servers:
        server.sql("SET GLOBAL general_log=OFF")


FLAT = "-----BEGIN CERTIFICATE----- MIIC -----END CERTIFICATE-----"
POSITION = {"file": "binlog.000001", "position": 4}
# What is wrong: on the source, on the replica, other replicas; then the host and the variable that must be named, and a word of the mend.
WRONG = {
    "unknown service": ({}, {"datain_service": "oracle"}, {}, "shop-azure", "datain_service", "mysql_flexible_server"),
    "no service": ({}, {"datain_service": None}, {}, "shop-azure", "datain_service", "set it in the inventory"),
    "no source": ({}, {"datain_source": None}, {}, "shop-azure", "datain_source", "name a host of the group datain_sources"),
    "a source that is none": ({}, {"datain_source": "shop-azure"}, {}, "shop-azure", "datain_source", "add it there, or name another"),
    "position and GTID": (
        {}, {"datain_seed": "external", "datain_link_coordinates": {**POSITION, "gtid": "x:1"}}, {}, "shop-azure", "datain_link_coordinates", "keep the one",
    ),  # fmt: skip
    "half a position": ({}, {"datain_seed": "external", "datain_link_coordinates": {"file": "b.1"}}, {}, "shop-azure", "datain_link_coordinates", "give {file"),
    "coordinates without their copy": ({}, {"datain_link_coordinates": POSITION}, {}, "shop-azure", "datain_link_coordinates", "datain_seed: external"),
    "broken PEM for the link": ({"datain_link_ca": FLAT}, {}, {}, "shop", "datain_link_ca", "keep the line breaks"),
    "broken PEM for the login": ({}, {"datain_login_ca": FLAT}, {}, "shop-azure", "datain_login_ca", "keep the line breaks"),
    "a file that is not there": ({"datain_link_ca": "/no/such.pem"}, {}, {}, "shop", "datain_link_ca", "the path of one"),
    "negative port": ({"datain_login_port": -1}, {}, {}, "shop", "datain_login_port", "use a number from 1 to 65535"),
    "no port for the link": ({}, {"datain_link_port": 70000}, {}, "shop-azure", "datain_link_port", "use a number from 1 to 65535"),
    "one server twice": ({}, {}, {"shop-again": {}}, "shop-again", "datain_login_host", "a server has one link"),
    "long password": ({"datain_replication_password": "x" * 33}, {}, {}, "shop", "datain_replication_password", "at most 32"),
    "no account": ({"datain_replication_user": None}, {}, {}, "shop", "datain_replication_user", "set it in the inventory"),
    "unknown state": ({}, {"datain_state": "running"}, {}, "shop-azure", "datain_state", "started, stopped, absent"),
    "a waiver without end": ({}, {"datain_waivers": [{"rule": "x", "reason": "y"}]}, {}, "shop-azure", "datain_waivers", "until"),
}


@pytest.mark.parametrize("case", WRONG)
def test_nothing_is_touched(pair, play, case):
    source, replica, more, host, variable, mend = WRONG[case]
    seen = pair.visits()
    done = play(ONBOARD, pair.inventory(source, replica, more))
    assert done.rc == 2, done.out
    assert pair.visits() == seen, "a server was touched"
    assert done.changed == 0
    told = [(failed, str(result["msg"])) for failed, result in done.failures]
    assert any(variable in text and (failed == host or host in text) for failed, text in told), told
    assert any(mend in text for _failed, text in told), told


def test_all_that_is_wrong_is_said_at_once(pair, play):
    seen = pair.visits()
    done = play(ONBOARD, pair.inventory({"datain_login_port": -1}, {"datain_service": "oracle", "datain_link_ca": FLAT}))
    first = str(done.failures[0][1]["msg"])
    assert all(word in first for word in ("shop: datain_login_port", "shop-azure: datain_service", "shop-azure: datain_link_ca"))
    assert pair.visits() == seen


def test_a_right_inventory_is_seen_in_the_logs(pair, play):
    """What the tests above look for is there to be found."""
    seen = pair.visits()
    done = play(ONBOARD, pair.inventory(), "--check")
    assert pair.visits() > seen, done.out


def one_line(done, host, *words):
    """Every failure is one line that names the server, the step and the remedy."""
    assert done.rc == 2, done.out
    told = [result["msg"] for failed, result in done.failures if failed == host]
    assert told, done.out
    for text in told:
        assert "\n" not in text and "Traceback" not in text and "Remedy:" in text, text
    assert all(word in told[0] for word in words), told


@pytest.mark.parametrize("side", ["source", "replica"])
def test_a_server_that_cannot_be_reached(pair, play, side):
    host = {"source": "shop", "replica": "shop-azure"}[side]
    done = play(ONBOARD, pair.inventory(**{side: {"datain_login_port": 1}}))
    one_line(done, host, f"{side} 127.0.0.1:1", "log in as", "Connection refused", "datain_login_host")


@pytest.mark.parametrize("side", ["source", "replica"])
def test_a_server_that_refuses_the_login(pair, play, side):
    host = {"source": "shop", "replica": "shop-azure"}[side]
    done = play(ONBOARD, pair.inventory(**{side: {"datain_login_password": "not-this-one"}}))
    one_line(done, host, f"{side} 127.0.0.1:", "log in as", "Access denied", "datain_login_password")
    assert "not-this-one" not in done.out


@pytest.mark.parametrize("side", ["source", "replica"])
def test_a_login_that_lacks_a_right(pair, play, side):
    server = {"source": pair.source, "replica": pair.replica}[side]
    host = {"source": "shop", "replica": "shop-azure"}[side]
    server.sql("CREATE USER helper@'%' IDENTIFIED BY 'Helper-1'; GRANT SELECT ON *.* TO helper@'%'")
    pair.source.sql("DROP USER IF EXISTS datain@'%'")
    try:
        done = play(ONBOARD, pair.inventory(**{side: {"datain_login_user": "helper", "datain_login_password": "Helper-1"}}))
        one_line(done, host)
        right = {"source": "CREATE USER", "replica": "REPLICATION CLIENT"}[side]
        assert right in done.failures[0][1]["msg"], done.failures[0][1]["msg"]
    finally:
        server.sql("DROP USER helper@'%'")
