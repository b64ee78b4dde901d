# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule about the control plane, shown a document that keeps it and one that breaks it, in each shape that knows of it."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _rules_platform
from ansible_collections.datain.azure_mysql.plugins.module_utils._documents import read
from ansible_collections.datain.azure_mysql.plugins.module_utils._facts import Desired, Facts, Reach, Side, Unread
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Channel, Finding
from ansible_collections.datain.azure_mysql.plugins.module_utils._procedures import Procedures
from ansible_collections.datain.azure_mysql.plugins.module_utils._rule import judge
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES

FOLDER = Path(__file__).with_name("documents")
RULES = {rule.id: rule for rule in _rules_platform.RULES}
SERVICE = {"flexible": "mysql_flexible_server", "single": "mysql_single_server", "mariadb": "mariadb_server"}
HOST = {"flexible": "shop.mysql.database.azure.com", "single": "shop.mysql.database.azure.com", "mariadb": "shop.mariadb.database.azure.com"}
VERSION = {"flexible": (8, 0, 42), "single": (8, 0, 15), "mariadb": (10, 3, 23)}
RUNNING = {"binlog_expire_logs_seconds": "604800", "gtid_mode": "OFF", "lower_case_table_names": "1", "log_bin_trust_function_creators": "ON"}
TF_SHOW = "values.root_module.resources.1.values"
TF_STATE = "resources.1.instances.0.attributes"
TF_SINGLE = "values.root_module.child_modules.0.resources.0.values"


def facts(names: tuple[str, ...], changes: dict[str, Any] | None = None, service: str | None = None, **more: Any) -> Facts:
    """Facts of a pair that knows some documents, in the first of which some places are changed."""
    documents = [json.loads((FOLDER / f"{name}.json").read_text()) for name in names]
    for place, value in (changes or {}).items():
        *way, last = (int(word) if word.isdigit() else word for word in place.split("."))
        node = documents[0]
        for step in way:
            node = node[step]
        node[last] = value
    product = names[0].split("_")[0] if names else "flexible"
    desired = {"replica_host": HOST[product], "link_host": "db.example.com", **more.pop("d", {})}
    replica = {"variables": RUNNING, "channels": (), "procedures": Procedures({"change_master": 7, "change_master_with_gtid": 5}), **more.pop("r", {})}
    return Facts(
        Side("source db.example.com:3306", variables={}, data_bytes=more.pop("data_bytes", 10 << 30)),
        Side("replica", version=VERSION[product], **replica),
        Desired(service=SERVICES[service or SERVICE[product]], documents=read(documents), **desired),
        reach=Reach(addresses=more.pop("addresses", (ipaddress.ip_address("203.0.113.5"),))),
    )


def found(rule: str, *args: Any, **more: Any) -> Finding:
    return judge(RULES[rule], facts(*args, **more))


@dataclass(frozen=True)
class Case:
    """A rule, the documents that keep it, and the change in the first of them that breaks it."""

    rule: str
    documents: tuple[str, ...]
    change: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    remedy: str = ""
    objects: tuple[str, ...] = ()


GTID = {"d": {"method": "gtid"}}
CASES = (
    *(
        Case("azure.document", (name,), more={"d": {"replica_host": "depot.mysql.database.azure.com"}}, remedy="az mysql ")
        for name in ("flexible_az", "flexible_arm", "flexible_collection", "flexible_terraform_show", "flexible_terraform_state", "single_az")
    ),
    Case("azure.document", ("mariadb_az",), more={"d": {"replica_host": "depot.mariadb.database.azure.com"}}, remedy="az mariadb server show"),
    Case("azure.document", ("flexible_az",), more={"service": "mysql_single_server"}, objects=("shop (Microsoft.DBforMySQL/flexibleServers)",)),
    Case("azure.document", ("single_az",), more={"service": "mysql_flexible_server"}, objects=("shop (Microsoft.DBforMySQL/servers)",)),
    Case("azure.document", ("single_az",), more={"service": "mariadb_server"}, objects=("shop (Microsoft.DBforMySQL/servers)",)),
    Case(
        "azure.document",
        ("flexible_az",),
        more={"d": {"replica_host": "depot.mysql.database.azure.com", "azure_server_name": "shop"}},
        remedy="correct datain_azure_server_name",
    ),
    Case("azure.state", ("flexible_az",), {"state": "Stopped"}, remedy="az mysql flexible-server start"),
    Case("azure.state", ("flexible_arm",), {"properties.state": "Updating"}, remedy="--query state"),
    Case("azure.state", ("flexible_collection",), {"servers.0.state": "Disabled"}),
    Case("azure.state", ("single_az",), {"userVisibleState": "Dropping"}, remedy="--query userVisibleState"),
    Case("azure.state", ("mariadb_collection",), {"servers.0.user_visible_state": "Disabled"}),
    Case("azure.version", ("flexible_az",), {"version": "5.7"}),
    Case("azure.version", ("single_collection",), {"servers.0.version": "5.7"}),
    Case("azure.version", ("mariadb_terraform_state",), {f"{TF_STATE}.version": "10.2"}),
    Case("azure.tier", ("single_az",), {"sku.tier": "Basic"}, remedy="General Purpose"),
    Case("azure.tier", ("single_arm",), {"sku.tier": "Basic"}),
    Case("azure.tier", ("single_collection",), {"servers.0.sku.tier": "Basic"}),
    Case("azure.tier", ("single_terraform_show",), {f"{TF_SINGLE}.sku_name": "B_Gen5_2"}),
    Case("azure.tier", ("mariadb_collection",), {"servers.0.sku.tier": "Basic"}),
    Case("azure.tier", ("mariadb_terraform_state",), {f"{TF_STATE}.sku_name": "B_Gen5_2"}),
    Case("azure.high_availability", ("flexible_az",), {"highAvailability.mode": "ZoneRedundant"}, remedy="--high-availability Disabled"),
    Case("azure.high_availability", ("flexible_arm",), {"properties.highAvailability.mode": "SameZone"}),
    Case("azure.high_availability", ("flexible_collection",), {"servers.0.high_availability.mode": "SameZone"}),
    Case("azure.high_availability", ("flexible_terraform_show",), {f"{TF_SHOW}.high_availability": [{"mode": "ZoneRedundant"}]}),
    Case("azure.high_availability", ("flexible_terraform_state",), {f"{TF_STATE}.high_availability": [{"mode": "SameZone"}]}),
    Case("azure.replication_role", ("flexible_az",), {"replicationRole": "Replica"}),
    Case("azure.replication_role", ("flexible_terraform_show",), {f"{TF_SHOW}.replication_role": "Replica"}),
    Case("azure.replication_role", ("mariadb_arm",), {"properties.replicationRole": "Replica"}),
    Case("azure.read_replicas", ("flexible_az",), {"replicationRole": "Source"}, GTID),
    Case("azure.read_replicas", ("flexible_terraform_state",), {f"{TF_STATE}.replication_role": "Source"}, GTID),
    Case("azure.geo_backup", ("flexible_az",), {"backup.geoRedundantBackup": "Enabled"}, GTID, remedy="--geo-redundant-backup Disabled"),
    Case("azure.geo_backup", ("flexible_collection",), {"servers.0.backup.geo_redundant_backup": "Enabled"}, GTID),
    Case("azure.geo_backup", ("flexible_terraform_show",), {f"{TF_SHOW}.geo_redundant_backup_enabled": True}, GTID),
    Case("azure.private_access", ("flexible_az",), {"network.publicNetworkAccess": "Disabled"}, remedy="--public-access Enabled"),
    Case("azure.private_access", ("flexible_terraform_state",), {f"{TF_STATE}.public_network_access": "Disabled"}),
    Case("azure.private_access", ("single_az",), {"publicNetworkAccess": "Disabled"}, remedy="az mysql server update"),
    Case("azure.private_access", ("mariadb_terraform_state",), {f"{TF_STATE}.public_network_access_enabled": False}, remedy="--public Enabled"),
    Case("azure.storage", ("flexible_az",), {"storage.autoGrow": "Disabled"}, remedy="--storage-auto-grow Enabled"),
    Case("azure.storage", ("flexible_collection",), {"servers.0.storage.auto_grow": "Disabled"}),
    Case("azure.storage", ("flexible_terraform_show",), {f"{TF_SHOW}.storage": [{"auto_grow_enabled": False}]}),
    Case("azure.storage", ("single_collection",), {"servers.0.storage_profile.storage_autogrow": "Disabled"}, remedy="--auto-grow Enabled"),
    Case("azure.storage", ("mariadb_terraform_state",), {f"{TF_STATE}.auto_grow_enabled": False}, remedy="az mariadb server update"),
    Case("azure.storage_size", ("flexible_az",), {"storage.storageSizeGb": 12}, remedy="--storage-size 13"),
    Case("azure.storage_size", ("flexible_terraform_state",), {f"{TF_STATE}.storage": [{"size_gb": 8}]}),
    Case("azure.storage_size", ("single_az",), {"storageProfile.storageMb": 5120}, remedy="--storage-size 13312"),
    Case("azure.storage_size", ("mariadb_collection",), {"servers.0.storage_mb": 5120}),
    Case("azure.tls", ("single_az",), {"sslEnforcement": "Disabled"}, remedy="--ssl-enforcement Enabled"),
    Case("azure.tls", ("single_az",), {"minimalTlsVersion": "TLS1_0"}),
    Case("azure.tls", ("single_terraform_show",), {f"{TF_SINGLE}.ssl_minimal_tls_version_enforced": "TLSEnforcementDisabled"}),
    Case("azure.tls", ("mariadb_collection",), {"servers.0.enforce_ssl": False}),
    Case("azure.tls", ("flexible_parameters_az",), {"5.value": "OFF", "5.currentValue": "OFF"}, remedy="parameter set"),
    Case("azure.tls", ("flexible_parameters_arm",), {"value.6.properties.value": "TLSv1.1,TLSv1.2"}, remedy="tls_version"),
    Case("azure.pending_restart", ("flexible_parameters_az",), {"1.isConfigPendingRestart": "True"}, remedy="flexible-server restart", objects=("gtid_mode",)),
    Case("azure.pending_restart", ("flexible_parameters_arm",), {"value.3.properties.isConfigPendingRestart": "True"}, objects=("lower_case_table_names",)),
    Case("azure.parameters", ("flexible_parameters_az",), {"1.value": "ON"}, objects=("gtid_mode: ON there, OFF on the server",)),
    Case("azure.parameters", ("single_parameters_collection",), {"settings.3.value": "0"}, objects=("lower_case_table_names: 0 there, 1 on the server",)),
    Case("azure.parameters", ("mariadb_parameters_arm",), {"value.0.properties.value": "OFF"}),
    Case("azure.filter", ("flexible_parameters_az",), {"4.value": "sys.%"}, remedy="az mysql flexible-server parameter set"),
    Case("azure.filter", ("single_parameters_arm",), {"value.4.properties.value": "sys.%"}, remedy="az mysql server configuration set"),
    Case("azure.filter", ("flexible_terraform_state",), {"resources.4.instances.0.attributes.value": "sys.%"}),
    *(
        Case("network.firewall", (name,), {f"{start}": "203.0.113.6", **gone}, remedy="firewall-rule create")
        for name, start, gone in (
            ("single_firewall_az", "0.startIpAddress", {"1.startIpAddress": "198.51.100.1"}),
            ("mariadb_firewall_arm", "value.0.properties.startIpAddress", {"value.1.properties.startIpAddress": "198.51.100.1"}),
            ("single_firewall_collection", "rules.0.start_ip_address", {"rules.1.start_ip_address": "198.51.100.1"}),
            ("single_terraform_show", "values.root_module.child_modules.0.resources.1.values.start_ip_address", {}),
            ("mariadb_terraform_state", "resources.2.instances.0.attributes.start_ip_address", {}),
        )
    ),
)  # fmt: skip


def by_rule(case: Any) -> str | None:
    return f"{case.rule}-{case.documents[0]}" if isinstance(case, Case) else None


@pytest.mark.parametrize("case", CASES, ids=by_rule)
def test_broken(case: Case) -> None:
    finding = found(case.rule, case.documents, case.change, **case.more)
    assert finding.status == "failed", finding
    assert finding.remedy and case.remedy in finding.remedy and "{" not in finding.remedy
    assert finding.document and finding.summary
    assert not case.objects or finding.objects == case.objects


@pytest.mark.parametrize("case", CASES, ids=by_rule)
def test_kept(case: Case) -> None:
    more = GTID if case.more is GTID else {}
    finding = found(case.rule, case.documents, **more)
    assert finding.status == "passed", finding
    assert finding.remedy is None and finding.objects == ()


def test_every_rule_is_broken_once_and_kept_once() -> None:
    assert {case.rule for case in CASES} == set(RULES)


# Without the document that a rule needs


@pytest.mark.parametrize("product", SERVICE)
@pytest.mark.parametrize("rule", RULES)
def test_without_a_document_it_is_unknown_and_says_how_to_get_one(rule: str, product: str) -> None:
    finding = found(rule, (), service=SERVICE[product])
    if finding.status == "not_applicable":
        return
    assert finding.status == "unknown"
    cli = SERVICES[SERVICE[product]].cli
    assert finding.remedy and finding.remedy.startswith(cli) and "datain_azure_documents" in finding.remedy
    assert "--output json" in finding.remedy


def test_the_commands_name_what_is_known() -> None:
    finding = found("azure.state", (), d={"azure_resource_group": "shop-rg", "azure_server_name": "shop"})
    assert finding.remedy == (
        "az mysql flexible-server show --resource-group shop-rg --name shop --output json > server.json; then name that file in datain_azure_documents"
    )
    finding = found("azure.filter", (), service="mysql_single_server", d={"azure_resource_group": "shop-rg", "azure_server_name": "shop"})
    assert finding.remedy and "az mysql server configuration list --resource-group shop-rg --server-name shop" in finding.remedy


@pytest.mark.parametrize(
    ("rule", "document"),
    [
        ("azure.private_access", "flexible_collection"),
        ("azure.replication_role", "flexible_collection"),
        ("azure.state", "flexible_terraform_show"),
        ("azure.storage", "mariadb_collection"),
        ("azure.tls", "flexible_az"),
        ("azure.filter", "flexible_az"),
        ("azure.tier", "single_firewall_az"),
        ("network.firewall", "single_az"),
    ],
)
def test_what_a_shape_does_not_hold_is_unknown(rule: str, document: str) -> None:
    finding = found(rule, (document,))
    assert finding.status == "unknown" and finding.remedy and "--output json" in finding.remedy


@pytest.mark.parametrize(
    ("rule", "service", "more"),
    [
        ("azure.tier", "mysql_flexible_server", {}),
        ("azure.tier", "mysql_data_sync", {}),
        ("network.firewall", "mysql_data_sync", {}),
        ("azure.high_availability", "mysql_single_server", {}),
        ("azure.high_availability", "mysql_flexible_server", GTID),
        ("azure.geo_backup", "mysql_flexible_server", {}),
        ("azure.read_replicas", "mysql_flexible_server", {}),
        ("azure.filter", "mariadb_server", {}),
        ("network.firewall", "mysql_flexible_server", {}),
    ],
)
def test_not_applicable(rule: str, service: str, more: dict[str, Any]) -> None:
    assert found(rule, (), service=service, **more).status == "not_applicable"


# Whose document it is


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"azure.document"}))
def test_a_document_of_another_server_is_nothing_to_go_by(rule: str) -> None:
    other = {"d": {"replica_host": "depot.mysql.database.azure.com", "method": "gtid"}}
    names = ("flexible_az", "flexible_parameters_az")
    assert found(rule, names, {"state": "Stopped", "storage.autoGrow": "Disabled"}, **other).status in ("unknown", "not_applicable")


@pytest.mark.parametrize(
    "known",
    [
        {"d": {"replica_host": "SHOP.MySQL.database.azure.com"}},
        {"d": {"replica_host": "shop.mysql.database.azure.com."}},
        {"d": {"replica_host": "shop.privatelink.mysql.database.azure.com"}},
        {"d": {"replica_host": "10.0.0.4", "azure_server_name": "Shop"}},
        {"d": {"replica_host": "10.0.0.4"}, "r": {"variables": {**RUNNING, "azure_server_name": "shop"}}},
    ],
)
def test_a_server_is_known_by_its_names(known: dict[str, Any]) -> None:
    assert found("azure.document", ("flexible_az",), **known).status == "passed"
    assert found("azure.state", ("flexible_az",), **known).status == "passed"


def test_where_nothing_names_the_server_nobody_guesses() -> None:
    finding = found("azure.document", ("flexible_az",), d={"replica_host": "10.0.0.4"})
    assert (finding.status, finding.remedy) == ("unknown", "set datain_azure_server_name")
    assert found("azure.state", ("flexible_az",), {"state": "Stopped"}, d={"replica_host": "10.0.0.4"}).status == "unknown"


def test_of_several_documents_the_own_ones_count() -> None:
    stopped = {"servers.0.state": "Stopped", "servers.0.id": "/subscriptions/x/resourceGroups/g/providers/Microsoft.DBforMySQL/flexibleServers/depot"}
    stopped["servers.0.fully_qualified_domain_name"] = "depot.mysql.database.azure.com"
    names = ("flexible_collection", "flexible_az")
    assert found("azure.state", names, stopped).status == "passed"
    assert found("azure.document", names, stopped).status == "passed"


def test_rules_do_not_need_a_login() -> None:
    refused = {"r": {"variables": Unread("log in: refused"), "channels": Unread("log in: refused")}}
    assert found("azure.state", ("flexible_az",), {"state": "Stopped"}, **refused).status == "failed"
    assert found("azure.document", ("flexible_az",), **refused).status == "passed"
    elsewhere = {"0.startIpAddress": "203.0.113.6", "1.startIpAddress": "198.51.100.1"}
    assert found("network.firewall", ("single_firewall_az",), elsewhere, **refused).status == "failed"
    assert found("azure.version", ("flexible_az",), **refused).status == "unknown"


def test_a_virtual_network_is_enough() -> None:
    change = {"network.publicNetworkAccess": "Disabled", "network.delegatedSubnetResourceId": "/subnets/x"}
    assert found("azure.private_access", ("flexible_az",), change).status == "passed"
    assert found("azure.private_access", ("flexible_collection",), {"servers.0.network.delegated_subnet_resource_id": "/subnets/x"}).status == "passed"


# The firewall


def firewall(first: str, last: str, *others: str) -> Finding:
    addresses = tuple(map(ipaddress.ip_address, ("203.0.113.5", *others)))
    change = {"0.startIpAddress": first, "0.endIpAddress": last, "1.startIpAddress": "198.51.100.1", "1.endIpAddress": "198.51.100.1"}
    return found("network.firewall", ("single_firewall_az",), change, addresses=addresses)


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        ("203.0.113.5", "203.0.113.5", "passed"),
        ("0.0.0.0", "255.255.255.255", "passed"),
        ("203.0.113.6", "203.0.113.9", "failed"),
        ("203.0.113.9", "203.0.113.1", "failed"),
        ("0.0.0.0", "0.0.0.0", "unknown"),
        ("::1", "::9", "failed"),
        ("203.0.113", "x" * 5000, "failed"),
        ("", "\x00", "failed"),
    ],
)
def test_what_a_firewall_rule_lets_in(first: str, last: str, status: str) -> None:
    assert firewall(first, last).status == status


def test_every_address_of_the_source_must_be_let_in() -> None:
    finding = firewall("203.0.113.1", "203.0.113.9", "203.0.113.77")
    assert finding.status == "failed" and finding.seen == "203.0.113.77"
    assert finding.remedy and "--start-ip-address 203.0.113.77 --end-ip-address 203.0.113.77" in finding.remedy
    assert found("network.firewall", ("single_firewall_az",), addresses=Unread("the name db has no address here")).status == "unknown"


def test_the_firewall_of_another_server_says_nothing() -> None:
    other = {"d": {"replica_host": "depot.mysql.database.azure.com"}}
    assert found("network.firewall", ("single_firewall_az",), **other).status == "unknown"


def test_a_firewall_without_rules_lets_nobody_in() -> None:
    empty = read([{"rules": []}])
    pair = facts((), service="mysql_single_server")
    finding = judge(RULES["network.firewall"], Facts(pair.source, pair.replica, Desired(service=pair.desired.service, documents=empty), reach=pair.reach))
    assert finding.status == "failed"


def test_a_link_that_receives_proves_the_way() -> None:
    values: dict[str, Any] = dict.fromkeys(Channel.__dataclass_fields__)
    values.update(name="", source_host="db.example.com", source_port=3306, source_id=0, receiver="running", by_gtid=False)
    running = {"r": {"channels": (Channel(**values),)}}
    assert found("network.firewall", (), service="mysql_single_server", **running).status == "passed"


# The storage


@pytest.mark.parametrize(
    ("data", "status", "severity"), [(51 << 30, "passed", "warning"), (52 << 30, "failed", "warning"), (65 << 30, "failed", "error"), (0, "passed", "warning")]
)
def test_room_for_the_data(data: int, status: str, severity: str) -> None:
    finding = found("azure.storage_size", ("flexible_az",), data_bytes=data)
    assert (finding.status, finding.severity) == (status, severity)


def test_room_is_unknown_where_the_size_is() -> None:
    assert found("azure.storage_size", ("flexible_az",), data_bytes=Unread("too long")).status == "unknown"
    assert found("azure.storage_size", ("flexible_az",), {"storage.storageSizeGb": "many"}).status == "unknown"
    assert found("azure.storage_size", ("flexible_az",), d={"seed": "external"}).status == "not_applicable"


# Hostile documents


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("value", [7, True, "", "\x1b[2J{x}%s", "${jndi:x}", ["x"], {"a": {}}, None, "9" * 5000, "8.x"])
def test_whatever_a_document_says_ends_in_a_finding(rule: str, value: Any) -> None:
    places = ("state", "version", "replicationRole", "sku.tier", "highAvailability.mode", "network.publicNetworkAccess", "backup.geoRedundantBackup")
    places += ("storage.autoGrow", "network.delegatedSubnetResourceId", "fullyQualifiedDomainName")
    for names, where in (
        (("flexible_az",), places),
        (("single_az",), ("sslEnforcement", "minimalTlsVersion", "userVisibleState", "sku.tier", "storageProfile", "publicNetworkAccess")),
        (("flexible_parameters_az",), ("1.value", "4.value", "5.value", "6.value", "1.isConfigPendingRestart", "2.name")),
        (("single_firewall_az",), ("0.startIpAddress", "0.endIpAddress", "0.name")),
    ):
        for more in ({}, GTID):
            finding = found(rule, names, dict.fromkeys(where, value), **more)
            assert finding.status in ("passed", "failed", "unknown", "not_applicable")
            for text in (finding.seen, finding.summary, finding.remedy, *finding.objects):
                assert text is None or (text.isprintable() and len(text) < 6000)
