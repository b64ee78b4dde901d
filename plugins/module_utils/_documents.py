# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Reads what the control plane says about managed servers: documents of several tools, each recognised by itself.

A document is what az, the Azure API, the information modules of azure.azcollection or Terraform give. What is known of a
fact is one JMESPath expression for each shape. Only the facts that are listed here leave this file: a Terraform state
holds passwords.
"""

from __future__ import annotations

import json
import os
import re
import stat
import typing as t
from dataclasses import dataclass, field

from ._errors import InputError
from ._services import FLEXIBLE, MARIADB_SERVER, SINGLE

try:
    import jmespath
    from jmespath.exceptions import JMESPathError
except ImportError:
    jmespath = None

# Bytes. The state of a large estate has some ten megabytes.
LARGEST = 64 * 1024 * 1024
# Resources, rules and parameters in one document: bounds the time that one can take.
MOST = 200_000
# Characters of a text that stay of it: the longest that is honest is the list of a filter.
LONGEST = 1000

SERVER, FIREWALL, PARAMETER = "server", "firewall", "parameter"
KINDS = {None: SERVER, "firewallrules": FIREWALL, "configurations": PARAMETER}
_TYPES = {name.lower(): name for name in (FLEXIBLE, SINGLE, MARIADB_SERVER)}

# The parameters that a rule asks for; a server has hundreds of others.
PARAMETERS = frozenset(
    (
        "binlog_expire_logs_seconds",
        "binlog_row_image",
        "enforce_gtid_consistency",
        "gtid_mode",
        "log_bin_trust_function_creators",
        "lower_case_table_names",
        "max_allowed_packet",
        "replicate_wild_ignore_table",
        "require_secure_transport",
        "sql_generate_invisible_primary_key",
        "sync_master_info",
        "sync_relay_log_info",
        "tls_version",
    )
)

# Every resource of Azure names itself: what it is, and of which server.
_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]{1,90})/providers/(?P<type>Microsoft\.DBfor\w{1,20}/\w{1,40})/(?P<server>[^/]{1,63})"
    r"(?:/(?P<kind>\w{1,40})/[^/]{1,128})?$",
    re.IGNORECASE,
)

# Where a document holds others: the first that gives a list says what is inside. A Terraform module holds resources and
# modules; a resource, in what terraform show prints, its values, and in a state file its instances.
_INSIDE = (
    "not_null(values.root_module, @) | (resources || child_modules) && [resources, child_modules][]",
    "servers",
    "rules",
    "settings",
    "type(value) == 'array' && value",
)
_RESOURCES = ("azurerm_mysql_", "azurerm_mariadb_")
_TERRAFORM = "not_null(values && [values], instances[].attributes)"
# The kind of a list that may be empty, in which case nothing inside of it says what it is of.
_LISTS = {"rules": FIREWALL, "settings": PARAMETER}

AZ, COLLECTION, TERRAFORM = "az", "collection", "terraform"


def _sku(expression: str) -> str:
    """The tier that stands at the beginning of a Terraform resource's SKU."""
    tiers = {"B_": "Basic", "GP_": "GeneralPurpose", "MO_": "MemoryOptimized"}
    return " || ".join([*(f"(starts_with({expression}, '{begin}') && '{tier}')" for begin, tier in tiers.items()), "`null`"])


# What is known of a server: fact to shape to expression. A fact that a shape does not hold is not in its row.
FACTS: dict[str, dict[str, dict[str, str]]] = {
    FLEXIBLE: {
        "host": {AZ: "fullyQualifiedDomainName", COLLECTION: "fully_qualified_domain_name", TERRAFORM: "fqdn"},
        "version": {AZ: "version", COLLECTION: "version", TERRAFORM: "version"},
        "state": {AZ: "state", COLLECTION: "state"},
        "tier": {AZ: "sku.tier", COLLECTION: "sku.tier", TERRAFORM: _sku("sku_name")},
        "high_availability": {
            AZ: "highAvailability.mode",
            COLLECTION: "high_availability.mode",
            # No block means that it is off.
            TERRAFORM: "type(high_availability) == 'array' && (high_availability[0].mode || 'Disabled') || `null`",
        },
        "geo_backup": {AZ: "backup.geoRedundantBackup", COLLECTION: "backup.geo_redundant_backup", TERRAFORM: "geo_redundant_backup_enabled"},
        "auto_grow": {AZ: "storage.autoGrow", COLLECTION: "storage.auto_grow", TERRAFORM: "storage[0].auto_grow_enabled"},
        "storage_gb": {AZ: "storage.storageSizeGb || storage.storageSizeGB", COLLECTION: "storage.storage_size_gb", TERRAFORM: "storage[0].size_gb"},
        "public_access": {AZ: "network.publicNetworkAccess", TERRAFORM: "public_network_access || public_network_access_enabled"},
        "subnet": {
            AZ: "network.delegatedSubnetResourceId",
            COLLECTION: "network.delegated_subnet_resource_id",
            TERRAFORM: "delegated_subnet_id",
        },
        "role": {AZ: "replicationRole", TERRAFORM: "replication_role"},
    },
    SINGLE: {
        "host": {AZ: "fullyQualifiedDomainName", COLLECTION: "fully_qualified_domain_name", TERRAFORM: "fqdn"},
        "version": {AZ: "version", COLLECTION: "version", TERRAFORM: "version"},
        "state": {AZ: "userVisibleState", COLLECTION: "user_visible_state"},
        "tier": {AZ: "sku.tier", COLLECTION: "sku.tier", TERRAFORM: f"sku[0].tier || {_sku('sku_name')}"},
        "auto_grow": {AZ: "storageProfile.storageAutogrow", COLLECTION: "storage_profile.storage_autogrow", TERRAFORM: "auto_grow_enabled"},
        "storage_mb": {
            AZ: "storageProfile.storageMb || storageProfile.storageMB",
            # The module for MariaDB takes it out of its profile.
            COLLECTION: "storage_profile.storage_mb || storage_mb",
            TERRAFORM: "storage_mb || storage_profile[0].storage_mb",
        },
        "public_access": {AZ: "publicNetworkAccess", TERRAFORM: "public_network_access_enabled"},
        "role": {AZ: "replicationRole"},
        "tls_enforced": {AZ: "sslEnforcement", COLLECTION: "enforce_ssl", TERRAFORM: "not_null(ssl_enforcement_enabled, ssl_enforcement)"},
        "minimal_tls": {AZ: "minimalTlsVersion", TERRAFORM: "ssl_minimal_tls_version_enforced"},
    },
}
FACTS[MARIADB_SERVER] = FACTS[SINGLE]
_FIREWALL = {
    "name": {AZ: "name", COLLECTION: "name", TERRAFORM: "name"},
    "first": {AZ: "startIpAddress", COLLECTION: "start_ip_address", TERRAFORM: "start_ip_address"},
    "last": {AZ: "endIpAddress", COLLECTION: "end_ip_address", TERRAFORM: "end_ip_address"},
}
_PARAMETER = {
    "name": {AZ: "name", COLLECTION: "name", TERRAFORM: "name"},
    "value": {AZ: "value || currentValue", COLLECTION: "value", TERRAFORM: "value"},
    "pending": {AZ: "isConfigPendingRestart"},
}

DOCUMENT_OPTIONS: dict[str, t.Any] = {"azure_documents": {"type": "list", "elements": "raw", "default": []}}

Said = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Item:
    """One thing that a document describes.

    :param kind: ``server``, ``firewall`` or ``parameter``
    :param type: the type of the server in Azure; None where a list is empty and says of no server that it is
    :param said: the facts, by our own names; texts are cut and printable, a yes or no is Enabled or Disabled
    """

    kind: str
    type: str | None = None
    group: str | None = None
    server: str | None = None
    said: Said = field(default_factory=dict)

    def to_result(self) -> dict[str, t.Any]:
        return {"kind": self.kind, "type": self.type, "group": self.group, "server": self.server, "said": dict(self.said)}

    @classmethod
    def from_result(cls, value: t.Mapping[str, t.Any]) -> Item:
        said = {_text(name): _word(what) for name, what in dict(value["said"]).items()}
        return cls(_text(value["kind"]), *(value[name] and _text(value[name]) for name in ("type", "group", "server")), said)


# The form that documents have once they are read: only what rules ask for, so that they may travel to another machine.
_READ = "datain_items"


def prepare(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a task's options with the documents read, on the controller: nothing else of them goes to another machine or a log.

    :raises InputError: see ``read``
    """
    given = options.get("azure_documents")
    if not given:
        return options
    documents = given if isinstance(given, list) else [given]
    return {**options, "azure_documents": [{_READ: [item.to_result() for item in read(documents)]}]}


def read(documents: t.Sequence[t.Any]) -> tuple[Item, ...]:
    """Return everything that documents describe.

    :param documents: paths of JSON files, or what such files hold, as text or as data
    :raises InputError: a file cannot be read, is no JSON, or holds nothing that is known here
    """
    found: list[Item] = []
    for number, document in enumerate(documents, 1):
        where = f"document {number}"
        if isinstance(document, str):
            is_text = document.lstrip()[:1] in ("{", "[")
            where = where if is_text else _text(document[:200])
            content = _parse(document if is_text else _load(document, where), where)
        else:
            content = _plain(document, where)
        if isinstance(content, dict) and _READ in content:
            items = _again(content[_READ], where)
        elif jmespath is None:
            raise _bad("jmespath", "this Python package is missing on the controller", "pip install jmespath")
        else:
            items = tuple(_items(content, where))
        if not items:
            raise _bad(where, "it describes no managed server, no firewall rule and no parameter that a rule asks for")
        found += items
    return tuple(found)


def _again(items: t.Any, where: str) -> tuple[Item, ...]:
    try:
        return tuple(map(Item.from_result, items))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise _bad(where, f"it is not what was read here before ({type(error).__name__})") from error


def _bad(where: str, what: str, hint: str = "give what the tool printed, whole, as JSON: see the guide on documents") -> InputError:
    return InputError(f"{where}: {what}", step="read the documents of the control plane", hint=hint)


def _load(path: str, where: str) -> bytes:
    """Read a file, in whatever Unicode form a shell has redirected it to."""
    name = os.path.expanduser(path)
    try:
        # Before it is opened: a pipe would wait for its other end.
        if not stat.S_ISREG(os.stat(name).st_mode):
            raise _bad(where, "it is no regular file")
        with open(name, "rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is no name of a file"
        raise _bad(where, f"it cannot be read: {reason}", "give the path of a JSON file on the controller") from error
    if len(content) > LARGEST:
        raise _bad(where, f"it has more than {LARGEST // 1024 // 1024} MiB", "give only what is about this server")
    if not content.strip(b"\0 \t\r\n\xef\xbb\xbf\xfe\xff"):
        raise _bad(where, "it is empty")
    return content


def _parse(content: str | bytes, where: str) -> t.Any:
    try:
        return json.loads(content, parse_constant=_no_number)
    except RecursionError as error:
        raise _bad(where, "it is nested too deeply") from error
    except ValueError as error:
        place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise _bad(where, f"it is no JSON, or not whole{place}") from error


def _plain(document: t.Any, where: str) -> t.Any:
    """Return data without the types that Ansible's core and YAML put into it, which JMESPath does not know."""
    try:
        return json.loads(json.dumps(document, default=str))
    except (RecursionError, TypeError, ValueError) as error:
        raise _bad(where, "it is no data that JSON could hold, or nested too deeply") from error


def _no_number(word: str) -> t.Any:
    raise ValueError(f"{word} is no JSON")


def _ask(expression: str, node: t.Any) -> t.Any:
    """Return what an expression finds; nothing where a part has a type that is not the tool's."""
    try:
        # Compiled expressions are kept by the library.
        return jmespath.compile(expression).search(node)
    except JMESPathError:
        return None


def _items(document: t.Any, where: str) -> t.Iterator[Item]:
    """Walk through a document; what it holds may be nested as deeply as it likes."""
    stack: list[tuple[t.Any, str]] = [(document, AZ)]
    count = 0
    while stack:
        node, shape = stack.pop()
        count += 1
        if count > MOST:
            raise _bad(where, f"it holds more than {MOST} things", "give only what is about this server")
        if isinstance(node, list):
            if not node:
                raise _bad(where, "it is an empty list, which does not say of what", "leave it out; an empty list of firewall rules is {rules: []}")
            stack += [(inner, shape) for inner in reversed(node)]
            continue
        if not isinstance(node, dict):
            raise _bad(where, f"it holds {_text(node)[:80]!r} where a server, a firewall rule or a parameter should be")
        match = _ID.match(_text(node.get("id")))
        if match:
            yield from _one(node, match, shape, where)
            continue
        if "mode" in node and "type" in node:
            # A resource of Terraform. An estate's state is full of other things.
            values = _ask(_TERRAFORM, node) if _text(node["type"]).startswith(_RESOURCES) else None
            stack += [(inner, TERRAFORM) for inner in values or ()]
            continue
        inside = next((found for found in (_ask(expression, node) for expression in _INSIDE) if isinstance(found, list)), None)
        if inside is None:
            raise _unknown(node, where)
        stack += [(inner, shape) for inner in reversed(inside)]
        yield from (Item(kind) for name, kind in _LISTS.items() if node.get(name) == [])


def _unknown(node: dict[str, t.Any], where: str) -> InputError:
    code = _ask("error.code", node)
    if code:
        return _bad(where, f"it is an error of the control plane: {_text(code)}")
    return _bad(where, f"it is nothing that is known here (it has {', '.join(sorted(map(_text, list(node)[:5]))) or 'nothing in it'})")


def _one(node: dict[str, t.Any], match: re.Match[str], shape: str, where: str) -> t.Iterator[Item]:
    """Read one server, firewall rule or parameter."""
    kind = KINDS.get(match["kind"].lower() if match["kind"] else None)
    of = _TYPES.get(match["type"].lower())
    if of is None:
        raise _bad(where, f"it describes {match['type']}, which is no service that can be a replica here")
    if kind is None:
        return  # a database, an administrator: no rule is about it
    if isinstance(node.get("properties"), dict):
        node = {**node, **node["properties"]}  # what az does itself with what the API gives
    if shape == AZ and "resource_group" in node:
        shape = COLLECTION
    table = {SERVER: FACTS[of], FIREWALL: _FIREWALL, PARAMETER: _PARAMETER}[kind]
    said = {fact: _word(_ask(row[shape], node)) for fact, row in table.items() if shape in row}
    if kind == PARAMETER and said["name"] not in PARAMETERS:
        return
    yield Item(kind, of, _text(match["group"]), match["server"].lower(), {fact: value for fact, value in said.items() if value not in (None, "")})


def _word(value: t.Any) -> t.Any:
    """Return a fact as a rule, a report and a terminal can hold it."""
    if isinstance(value, bool):
        return "Enabled" if value else "Disabled"
    if isinstance(value, int) and abs(value) < 10**12:
        return value
    return _text(value) if isinstance(value, str) else None


def _text(value: t.Any) -> str:
    """Return a text without what a terminal would obey; nothing of what is no text or number."""
    text = str(value) if isinstance(value, (str, int, float)) else ""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:LONGEST])
