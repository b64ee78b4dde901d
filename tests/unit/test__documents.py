# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of the control plane: every shape is known by itself, every fact is found in it, and bad ones end in one clear error."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _documents
from ansible_collections.datain.azure_mysql.plugins.module_utils._documents import AZ, FACTS, FIREWALL, PARAMETER, SERVER, prepare, read
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import InputError
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import FLEXIBLE, MARIADB_SERVER, SINGLE

FOLDER = Path(__file__).with_name("documents")
FILES = sorted(path.name for path in FOLDER.glob("*.json"))
TYPES = {"flexible": FLEXIBLE, "single": SINGLE, "mariadb": MARIADB_SERVER}
SHAPES = {"az": AZ, "arm": AZ, "collection": "collection", "terraform": "terraform"}


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def product_and_tool(name: str) -> tuple[str, str]:
    words = name.removesuffix(".json").split("_")
    return words[0], next(word for word in words if word in SHAPES)


@pytest.mark.parametrize("name", FILES)
def test_every_shape_is_known_by_itself(name: str) -> None:
    product, tool = product_and_tool(name)
    items = read([str(FOLDER / name)])
    assert {item.type for item in items} == {TYPES[product]}
    assert {(item.server, item.group) for item in items} == {("shop", "shop-rg")}
    kind = FIREWALL if "_firewall_" in name else PARAMETER if "_parameters_" in name else SERVER
    assert kind in {item.kind for item in items}
    if kind == SERVER:
        said = next(item.said for item in items if item.kind == SERVER)
        assert said["host"] in ("shop.mysql.database.azure.com", "shop.mariadb.database.azure.com")
        assert said["tier"] == "GeneralPurpose"
        # What the table knows a place for is found there, but for what is empty in these documents.
        known = {fact for fact, row in FACTS[TYPES[product]].items() if SHAPES[tool] in row}
        assert known - set(said) <= {"subnet", "auto_grow"}
        assert ("auto_grow" in said) == (name != "mariadb_collection.json" and "auto_grow" in known)


def test_every_shape_of_every_product_is_here() -> None:
    shapes = {(TYPES[product], SHAPES[tool]) for product, tool in map(product_and_tool, FILES)}
    assert shapes == {(resource, shape) for resource, table in FACTS.items() for row in table.values() for shape in row}


@pytest.mark.parametrize("name", FILES)
def test_text_data_and_file_say_the_same(name: str) -> None:
    path = FOLDER / name
    assert read([str(path)]) == read([path.read_text()]) == read([load(name)])


@pytest.mark.parametrize("name", FILES)
def test_what_travels_says_the_same_and_no_secret(name: str) -> None:
    options = prepare({"azure_documents": [load(name)], "seed": "dump"})
    assert read(options["azure_documents"]) == read([load(name)])
    assert options["seed"] == "dump"
    assert prepare(options) == options
    assert "canary" not in json.dumps(options)
    if "terraform" in name and "server" in json.dumps(load(name)):
        assert "canary" in json.dumps(load(name)), "there is a secret to be kept"


def test_no_document_is_nothing() -> None:
    assert read([]) == () and prepare({"azure_documents": []}) == {"azure_documents": []} and prepare({}) == {}


def test_a_single_file_need_not_be_a_list() -> None:
    path = str(FOLDER / "flexible_az.json")
    assert prepare({"azure_documents": path}) == prepare({"azure_documents": [path]})


# Every fact, at its own place in what each tool prints: name of the file, fact, place, another value, what is understood.
PLACES = (
    ("flexible_az", "state", "state", "Stopped", "Stopped"),
    ("flexible_arm", "state", "properties.state", "Stopped", "Stopped"),
    ("flexible_collection", "state", "servers.0.state", "Stopped", "Stopped"),
    ("single_az", "state", "userVisibleState", "Dropping", "Dropping"),
    ("single_arm", "state", "properties.userVisibleState", "Dropping", "Dropping"),
    ("mariadb_collection", "state", "servers.0.user_visible_state", "Disabled", "Disabled"),
    ("flexible_az", "tier", "sku.tier", "Burstable", "Burstable"),
    ("flexible_collection", "tier", "servers.0.sku.tier", "Burstable", "Burstable"),
    ("flexible_terraform_show", "tier", "values.root_module.resources.1.values.sku_name", "MO_Standard_E2ds_v4", "MemoryOptimized"),
    ("flexible_terraform_state", "tier", "resources.1.instances.0.attributes.sku_name", "GP_Standard_D2ds_v4", "GeneralPurpose"),
    ("single_az", "tier", "sku.tier", "Basic", "Basic"),
    ("single_collection", "tier", "servers.0.sku.tier", "Basic", "Basic"),
    ("single_terraform_show", "tier", "values.root_module.child_modules.0.resources.0.values.sku_name", "B_Gen5_1", "Basic"),
    ("mariadb_terraform_state", "tier", "resources.1.instances.0.attributes.sku_name", "B_Gen5_1", "Basic"),
    ("mariadb_terraform_state", "tier", "resources.1.instances.0.attributes.sku", [{"tier": "Basic"}], "Basic"),
    ("flexible_az", "high_availability", "highAvailability.mode", "ZoneRedundant", "ZoneRedundant"),
    ("flexible_arm", "high_availability", "properties.highAvailability.mode", "SameZone", "SameZone"),
    ("flexible_collection", "high_availability", "servers.0.high_availability.mode", "SameZone", "SameZone"),
    (
        "flexible_terraform_show",
        "high_availability",
        "values.root_module.resources.1.values.high_availability",
        [{"mode": "ZoneRedundant", "standby_availability_zone": "2"}],
        "ZoneRedundant",
    ),
    ("flexible_az", "geo_backup", "backup.geoRedundantBackup", "Enabled", "Enabled"),
    ("flexible_collection", "geo_backup", "servers.0.backup.geo_redundant_backup", "Enabled", "Enabled"),
    ("flexible_terraform_state", "geo_backup", "resources.1.instances.0.attributes.geo_redundant_backup_enabled", True, "Enabled"),
    ("flexible_az", "auto_grow", "storage.autoGrow", "Disabled", "Disabled"),
    ("flexible_collection", "auto_grow", "servers.0.storage.auto_grow", "Disabled", "Disabled"),
    ("flexible_terraform_show", "auto_grow", "values.root_module.resources.1.values.storage.0.auto_grow_enabled", False, "Disabled"),
    ("single_az", "auto_grow", "storageProfile.storageAutogrow", "Disabled", "Disabled"),
    ("single_collection", "auto_grow", "servers.0.storage_profile.storage_autogrow", "Disabled", "Disabled"),
    ("single_terraform_show", "auto_grow", "values.root_module.child_modules.0.resources.0.values.auto_grow_enabled", False, "Disabled"),
    ("flexible_az", "storage_gb", "storage.storageSizeGb", 20, 20),
    ("flexible_arm", "storage_gb", "properties.storage.storageSizeGB", 20, 20),
    ("flexible_collection", "storage_gb", "servers.0.storage.storage_size_gb", 20, 20),
    ("flexible_terraform_state", "storage_gb", "resources.1.instances.0.attributes.storage.0.size_gb", 20, 20),
    ("single_az", "storage_mb", "storageProfile.storageMb", 5120, 5120),
    ("single_arm", "storage_mb", "properties.storageProfile.storageMB", 5120, 5120),
    ("single_collection", "storage_mb", "servers.0.storage_profile.storage_mb", 5120, 5120),
    ("mariadb_collection", "storage_mb", "servers.0.storage_mb", 5120, 5120),
    ("mariadb_terraform_state", "storage_mb", "resources.1.instances.0.attributes.storage_mb", 5120, 5120),
    ("flexible_az", "public_access", "network.publicNetworkAccess", "Disabled", "Disabled"),
    ("flexible_terraform_show", "public_access", "values.root_module.resources.1.values.public_network_access", "Disabled", "Disabled"),
    ("single_az", "public_access", "publicNetworkAccess", "Disabled", "Disabled"),
    ("single_terraform_show", "public_access", "values.root_module.child_modules.0.resources.0.values.public_network_access_enabled", False, "Disabled"),
    ("flexible_az", "subnet", "network.delegatedSubnetResourceId", "/subnets/x", "/subnets/x"),
    ("flexible_collection", "subnet", "servers.0.network.delegated_subnet_resource_id", "/subnets/x", "/subnets/x"),
    ("flexible_terraform_show", "subnet", "values.root_module.resources.1.values.delegated_subnet_id", "/subnets/x", "/subnets/x"),
    ("flexible_az", "role", "replicationRole", "Replica", "Replica"),
    ("flexible_terraform_state", "role", "resources.1.instances.0.attributes.replication_role", "Replica", "Replica"),
    ("single_arm", "role", "properties.replicationRole", "Master", "Master"),
    ("single_az", "tls_enforced", "sslEnforcement", "Disabled", "Disabled"),
    ("single_collection", "tls_enforced", "servers.0.enforce_ssl", False, "Disabled"),
    ("single_terraform_show", "tls_enforced", "values.root_module.child_modules.0.resources.0.values.ssl_enforcement_enabled", False, "Disabled"),
    ("single_az", "minimal_tls", "minimalTlsVersion", "TLS1_0", "TLS1_0"),
    ("mariadb_terraform_state", "minimal_tls", "resources.1.instances.0.attributes.ssl_minimal_tls_version_enforced", "TLS1_0", "TLS1_0"),
    ("flexible_az", "version", "version", "5.7", "5.7"),
    ("mariadb_collection", "version", "servers.0.version", "10.2", "10.2"),
    ("single_terraform_show", "version", "values.root_module.child_modules.0.resources.0.values.version", "5.7", "5.7"),
)  # fmt: skip


def put(document: Any, place: str, value: Any) -> Any:
    *way, last = (int(word) if word.isdigit() else word for word in place.split("."))
    node = document
    for step in way:
        node = node[step]
    node[last] = value
    return document


@pytest.mark.parametrize(("name", "fact", "place", "value", "understood"), PLACES)
def test_a_fact_is_found_at_its_place(name: str, fact: str, place: str, value: Any, understood: Any) -> None:
    before = next(item for item in read([load(f"{name}.json")]) if item.kind == SERVER)
    after = next(item for item in read([put(load(f"{name}.json"), place, value)]) if item.kind == SERVER)
    assert after.said.get(fact) == understood
    assert {key for key in {*before.said, *after.said} if before.said.get(key) != after.said.get(key)} <= {fact}


def test_lists_of_rules_and_parameters() -> None:
    for product in TYPES:
        for tool in ("az", "arm", "collection"):
            rules = [dict(item.said) for item in read([load(f"{product}_firewall_{tool}.json")])]
            assert rules[0] == {"name": "source", "first": "203.0.113.4", "last": "203.0.113.9"}
            names = {item.said["name"] for item in read([load(f"{product}_parameters_{tool}.json")])}
            assert "lower_case_table_names" in names and "wait_timeout" not in names, "only what a rule asks for"
    pending = put(load("flexible_parameters_az.json"), "1.isConfigPendingRestart", "True")
    assert [item.said["name"] for item in read([pending]) if item.said.get("pending") == "True"] == ["gtid_mode"]


def test_several_servers_in_one_document() -> None:
    shop = load("flexible_az.json")
    other = json.loads(json.dumps(shop).replace("/flexibleServers/shop", "/flexibleServers/Depot"))
    assert [item.server for item in read([[shop, other]])] == ["shop", "depot"]
    assert [item.server for item in read([{"value": [shop, other]}])] == ["shop", "depot"]


def test_an_empty_list_of_a_known_kind() -> None:
    (item,) = read([{"changed": False, "rules": []}])
    assert (item.kind, item.server) == (FIREWALL, None)


# What is no document


ID = "/subscriptions/x/resourceGroups/g/providers/Microsoft.DBforMySQL/flexibleServers/shop"
BAD = {
    "empty object": "{}",
    "empty list": "[]",
    "of the wrong service": json.dumps({"id": ID.replace("MySQL", "PostgreSQL"), "name": "shop"}),
    "of another resource": json.dumps({"id": "/subscriptions/x/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/shop"}),
    "only things that no rule asks for": json.dumps({"id": f"{ID}/databases/shop"}),
    "an error of the API": json.dumps({"error": {"code": "ResourceNotFound", "message": "x"}}),
    "a list of numbers": "[1, 2]",
    "a list of lists": "[[[[]]]]",
    "a state without such servers": json.dumps({"version": 4, "resources": [{"mode": "managed", "type": "azurerm_subnet", "instances": []}]}),
    "an empty state": json.dumps({"format_version": "1.0"}),
    "an empty result": json.dumps({"changed": False, "servers": []}),
    "truncated": (FOLDER / "flexible_az.json").read_text()[:700],
    "not a number": '{"id": NaN}',
    "a huge number": '{"id": ' + "9" * 5000 + "}",
    "nested deeply": "[" * 100_000,
    "nested deeply and whole": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "what is read again and is not": json.dumps({"datain_items": [{"kind": 1}]}),
    "what is read again and is no list": json.dumps({"datain_items": 7}),
    "an id that is none": json.dumps({"id": {"a": 1}}),
    "a long id": json.dumps({"id": "/subscriptions/" + "x" * 10_000_000}),
    "values that are no resources": json.dumps({"values": {"root_module": {"resources": "many"}}}),
    "instances that are none": json.dumps({"resources": [{"mode": "managed", "type": "azurerm_mysql_server", "instances": 7}]}),
}  # fmt: skip


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_no_document_is_one_clear_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    path.write_text(text)
    began = time.monotonic()
    with pytest.raises(InputError) as caught:
        read([str(path)])
    assert time.monotonic() - began < 5
    error = caught.value
    assert str(path) in error.message and error.hint and len(str(error)) < 700 + len(str(path))
    assert str(error).isprintable()


FILES_THAT_ARE_NONE = {
    "nothing": lambda path: path.write_bytes(b""),
    "blank": lambda path: path.write_bytes(b"\xef\xbb\xbf \r\n"),
    "not text": lambda path: path.write_bytes(bytes(range(256))),
    "not UTF-8": lambda path: path.write_bytes('{"id": "ä"}'.encode("latin-1")),
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("make", FILES_THAT_ARE_NONE.values(), ids=FILES_THAT_ARE_NONE)
def test_a_file_that_is_none(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    make(path)
    with pytest.raises(InputError, match=re.escape(str(path))):
        read([str(path)])


@pytest.mark.parametrize("name", ["\0", "/dev/zero", "x" * 5000, "", "no such file"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(InputError):
        read([name])


def test_files_as_shells_write_them(tmp_path: Path) -> None:
    text = (FOLDER / "flexible_az.json").read_text()
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le"):
        path = tmp_path / encoding
        path.write_bytes(text.encode(encoding))
        assert read([str(path)]) == read([load("flexible_az.json")])


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_documents, "LARGEST", 1000)
    path = tmp_path / "document.json"
    path.write_text(" " * 1001)
    with pytest.raises(InputError, match="more than"):
        read([str(path)])


def test_ten_megabytes_take_seconds_at_most(tmp_path: Path) -> None:
    rule = {**load("flexible_firewall_az.json")[0], "note": "y" * 1000}
    state = load("flexible_terraform_state.json")
    other = {"mode": "managed", "type": "azurerm_subnet", "name": "x", "instances": [{"attributes": {"id": "x", "note": "y" * 400}}]}
    state["resources"] += [other] * 20_000
    for document, count in (([rule] * 8_000, 8_000), (state, 3)):
        path = tmp_path / "large.json"
        path.write_text(json.dumps(document))
        assert path.stat().st_size > 9_000_000
        began = time.monotonic()
        assert len(read([str(path)])) == count
        assert time.monotonic() - began < 20


def test_things_without_number_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_documents, "MOST", 100)
    with pytest.raises(InputError, match="more than 100"):
        read([load("flexible_firewall_az.json") * 100])


def test_hostile_texts_are_tamed() -> None:
    hostile = "\x1b[2J<script>alert(1)</script>{{ lookup('pipe', 'id') }}\u202e" + "A" * 5000
    document = load("flexible_az.json")
    document["state"] = hostile
    document["sku"] = [hostile]
    document["network"] = hostile
    document["version"] = {"a": hostile}
    document["storage"] = {"storageSizeGb": 10**30, "autoGrow": ["x"]}
    (item,) = read([document])
    assert item.said["state"].isprintable() and len(item.said["state"]) == _documents.LONGEST
    assert set(item.said) & {"tier", "public_access", "version", "storage_gb", "auto_grow"} == set()


def test_data_with_the_types_of_yaml() -> None:
    import datetime

    document = load("flexible_az.json")
    document["backup"]["earliestRestoreDate"] = datetime.date(2026, 11, 1)
    document[7] = None
    assert read([document])[0].said["state"] == "Ready"


def test_data_that_is_nested_too_deeply() -> None:
    node: Any = []
    for _number in range(100_000):
        node = [node]
    with pytest.raises(InputError, match="nested"):
        read([node])


def test_the_library_is_missed_only_where_a_document_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    travelled = prepare({"azure_documents": [load("flexible_az.json")]})["azure_documents"]
    monkeypatch.setattr(_documents, "jmespath", None)
    assert read([]) == ()
    assert read(travelled)
    with pytest.raises(InputError, match="jmespath") as caught:
        read([load("flexible_az.json")])
    assert caught.value.hint == "pip install jmespath"
