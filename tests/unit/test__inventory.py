# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong inventory is told before any server is touched, by host, variable and mend."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.datain.azure_mysql.plugins.plugin_utils import _inventory

SOURCE = {
    "datain_login_host": "db.example.com",
    "datain_login_user": "dba",
    "datain_login_password": "secret",
    "datain_replication_user": "datain",
    "datain_replication_password": "repl",
}
SYNC = "mysql_data_sync"
REPLICA = {
    "datain_source": "db",
    "datain_service": "mysql_flexible_server",
    "datain_login_host": "az.example.com",
    "datain_login_user": "azadmin",
    "datain_login_password": "secret",
}


def inventory(hosts: dict[str, dict[str, t.Any]] | None = None, **changes: dict[str, t.Any]) -> _inventory.Inventory:
    known = {"db": SOURCE, "az": REPLICA, **(hosts or {})}
    for name, change in changes.items():
        known[name] = {**known[name], **change}
    groups = {
        "datain_sources": [name for name in known if name.startswith("db")],
        "datain_replicas": [name for name in known if not name.startswith("db")],
    }
    return _inventory.Inventory(groups, known.__getitem__)


def test_a_right_inventory_has_no_problems() -> None:
    assert _inventory.component_problems(inventory(), "az") == []
    assert _inventory.component_problems(inventory(), "db") == []


def test_options_of_a_link() -> None:
    options = _inventory.link_options(inventory(db={"datain_link_host": "10.0.0.4", "datain_schemas": ["shop"]}), "az")
    assert options["login_host"] == "az.example.com" and options["login_tls"] == "verify_identity"
    assert options["source"]["login_host"] == "db.example.com" and options["source"]["login_tls"] == "preferred"
    assert (options["link_host"], options["link_port"], options["link_ca"]) == ("10.0.0.4", 3306, "")
    assert (options["state"], options["method"], options["engine"], options["schemas"]) == ("started", "auto", "dump", ["shop"])


def test_the_replicas_own_word_goes_first() -> None:
    seen = inventory(db={"datain_link_host": "10.0.0.4"}, az={"datain_link_host": "10.9.9.9", "datain_link_port": 3307})
    options = _inventory.link_options(seen, "az")
    assert (options["link_host"], options["link_port"]) == ("10.9.9.9", 3307)


def test_options_of_a_source() -> None:
    options = _inventory.source_options(inventory(az={"datain_link_method": "gtid"}), "db")
    assert options["gtid"] is True and options["host"] == "%" and options["require_tls"] is False
    assert _inventory.source_options(inventory(), "db")["gtid"] is False


WRONG = {
    "unknown service": ({"az": {"datain_service": "postgresql"}}, "datain_service"),
    "no service": ({"az": {"datain_service": None}}, "datain_service"),
    "no source": ({"az": {"datain_source": ""}}, "datain_source"),
    "source not in its group": ({"az": {"datain_source": "elsewhere"}}, "datain_source"),
    "position and GTID at once": (
        {"az": {"datain_seed": "external", "datain_link_coordinates": {"file": "b.000001", "position": 4, "gtid": "0-1-1"}}},
        "datain_link_coordinates",
    ),
    "half coordinates": ({"az": {"datain_seed": "external", "datain_link_coordinates": {"file": "b.000001"}}}, "datain_link_coordinates"),
    "coordinates without external": ({"az": {"datain_link_coordinates": {"gtid": "0-1-1"}}}, "datain_link_coordinates"),
    "external without coordinates": ({"az": {"datain_seed": "external"}}, "datain_link_coordinates"),
    "negative port": ({"az": {"datain_login_port": -1}}, "datain_login_port"),
    "a word for a port": ({"db": {"datain_link_port": "mysql"}}, "datain_link_port"),
    "a lag in words": ({"az": {"datain_max_lag": "a minute"}}, "datain_max_lag"),
    "a negative lag": ({"az": {"datain_max_lag": -1}}, "datain_max_lag"),
    "broken PEM": ({"db": {"datain_link_ca": "-----BEGIN CERTIFICATE-----\nMIIB\n"}}, "datain_link_ca"),
    "flattened PEM": ({"db": {"datain_link_ca": "-----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----"}}, "datain_link_ca"),
    "no such file": ({"az": {"datain_login_ca": "/nowhere/ca.pem"}}, "datain_login_ca"),
    "unknown state": ({"az": {"datain_state": "running"}}, "datain_state"),
    "unknown TLS mode": ({"db": {"datain_login_tls": "yes"}}, "datain_login_tls"),
    "33 characters": ({"db": {"datain_replication_password": "x" * 33}}, "datain_replication_password"),
    "no replication account": ({"db": {"datain_replication_user": None}}, "datain_replication_user"),
    "a control plane that is no file": ({"az": {"datain_control_plane": "terraform"}}, "datain_control_plane"),
    "a file of tasks that is not there": ({"az": {"datain_control_plane": "/nowhere/align.yml"}}, "datain_control_plane"),
    "az without names": ({"az": {"datain_control_plane": "az", "datain_azure_resource_group": ""}}, "datain_azure_resource_group"),
    "a waiver without an end": ({"az": {"datain_waivers": [{"rule": "x", "reason": "y"}]}}, "datain_waivers"),
}


@pytest.mark.parametrize(("changes", "variable"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("seen_from", ["db", "az"])
def test_wrong(changes: dict, variable: str, seen_from: str) -> None:
    problems = _inventory.component_problems(inventory(**changes), seen_from)
    (host,) = changes
    assert any(problem.startswith(f"{host}:") and variable in problem and ";" in problem for problem in problems), problems


def test_two_replicas_on_one_server() -> None:
    twin = {"twin": {**REPLICA, "datain_login_host": "AZ.example.com"}}
    for seen_from in ("az", "twin", "db"):
        problems = _inventory.component_problems(inventory(twin), seen_from)
        assert any("also the server of" in problem for problem in problems)


@pytest.mark.parametrize(
    ("number", "service", "gone", "right"), [(5, SYNC, 0, True), (6, SYNC, 0, False), (6, SYNC, 1, True), (6, "mysql_single_server", 0, True)]
)
def test_a_source_has_as_many_replicas_as_the_service_allows(number: int, service: str, gone: int, right: bool) -> None:
    more = {f"az{index}": {**REPLICA, "datain_login_host": f"az{index}", "datain_service": service} for index in range(2, number + 1)}
    for name in list(more)[:gone]:
        more[name]["datain_state"] = "absent"
    seen = inventory(more, az={"datain_service": service})
    for host in ("db", "az"):
        problems = _inventory.component_problems(seen, host)
        assert (problems == []) is right, problems
        assert right or "allows 5" in problems[-1]


@pytest.mark.parametrize(
    ("mine", "theirs", "change", "same"),
    [
        ((7, "u"), (8, "v"), {}, None),
        ((7, "u"), (7, "v"), {}, "server_id, 7"),
        ((7, "u"), (8, "u"), {}, "server_uuid, u"),
        ((7, None), (8, None), {}, None),
        ((7, None), (7, None), {"datain_state": "absent"}, None),
        ((7, None), (7, None), {"datain_source": "db2"}, None),
        ((7, None), None, {}, None),
    ],
)
@pytest.mark.parametrize("state", ["absent", "running"])
def test_replicas_that_are_the_same_by_what_their_servers_say(mine, theirs, change, same, state) -> None:
    def plan(identity: tuple[int, str | None], state: str) -> dict[str, t.Any]:
        return {"identity": dict(zip(("server_id", "server_uuid"), identity, strict=True)), "link": {"state": state}}

    plans = {"az": plan(mine, state), **({"twin": plan(theirs, "absent")} if theirs else {})}
    hosts = {"db": SOURCE, "db2": SOURCE, "az": REPLICA, "twin": {**REPLICA, **change}}
    groups = {"datain_sources": ["db", "db2"], "datain_replicas": ["az", "twin"]}
    seen = _inventory.Inventory(groups, hosts.__getitem__, lambda name, group: plans.get(name, {}) if group == "datain_replicas" else {})
    found = _inventory.shared_identities(seen, "az")
    # One that is linked is told apart by its source.
    assert bool(found) == bool(same and state == "absent")
    assert not found or (found[0].startswith("az and twin ") and found[0].endswith(same))


def test_what_was_judged_with_the_source_is_not_judged_again() -> None:
    twin = {"twin": {**REPLICA, "datain_login_host": "az.example.com"}}
    hosts = {"db": SOURCE, "az": REPLICA, **twin}
    groups = {"datain_sources": ["db"], "datain_replicas": ["az", "twin"]}
    read: list[str] = []

    def host(name: str) -> dict:
        read.append(name)
        return hosts[name]

    planned = _inventory.Inventory(groups, host, lambda name, group: {"plan": {}, "replicas": ["az", "twin"], "gtid": True})
    assert _inventory.component_problems(planned, "az") == [] and planned.replicas_of("db") == ["az", "twin"]
    assert _inventory.link_options(planned, "az")["gtid"]
    assert "twin" not in read
    refused = _inventory.Inventory(groups, host, lambda name, group: {"failed": True})
    assert _inventory.component_problems(refused, "az")


def test_other_components_are_left_alone() -> None:
    others = {"db2": SOURCE, "az2": {**REPLICA, "datain_source": "db2", "datain_login_host": "az2", "datain_service": "nonsense"}}
    assert _inventory.component_problems(inventory(others), "az") == []
    assert _inventory.component_problems(inventory(others), "az2")


def test_no_secret_in_a_problem() -> None:
    problems = _inventory.component_problems(inventory(db={"datain_replication_password": "x" * 20 + "topsecret" + "y" * 20}), "az")
    assert problems and not any("topsecret" in problem for problem in problems)
