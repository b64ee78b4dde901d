# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The inventory contract: what the ``datain_`` variables mean, what they default to, and what cannot be meant.

Pure: hosts come in as mappings, options go out as dictionaries, problems as sentences.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import TLS_MODES, pem_text
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import InputError
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES

SOURCES = "datain_sources"
REPLICAS = "datain_replicas"
STATES = ("started", "stopped", "absent")
METHODS = ("auto", "position", "gtid")
SEEDS = ("dump", "mydumper", "external", "none")
# Who aligns the GTIDs of a managed server; anything else is a file of tasks.
CONTROL_PLANES = ("none", "az")

Host = t.Mapping[str, t.Any]
# How one host's variables are read: by name, templated.
Reader = t.Callable[[str], Host]
Planned = t.Callable[[str, str], Host]


class Inventory:
    """The two groups and the variables of their hosts.

    :param groups: Ansible's groups
    :param read: returns the variables of a host
    :param planned: returns what the plan of a host of a group has found out in this run, where there was one
    """

    def __init__(self, groups: t.Mapping[str, t.Sequence[str]], read: Reader, planned: Planned = lambda name, group: {}) -> None:
        self.sources = list(groups.get(SOURCES) or ())
        self.replicas = list(groups.get(REPLICAS) or ())
        self._read = read
        self._planned = planned
        self._known: dict[str, Host] = {}

    def host(self, name: str) -> Host:
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def value(self, name: str, variable: str, default: t.Any = None) -> t.Any:
        """Return a variable of a host; an empty one counts as not given."""
        value = self.host(name).get(f"datain_{variable}")
        return default if value is None or value == "" else value

    def source_of(self, replica: str) -> str:
        return str(self.value(replica, "source", ""))

    def replicas_of(self, source: str) -> list[str]:
        """Return the replicas of a source, which takes the variables of all replicas there are, unless its plan has named them."""
        known = self.plan_of_source(source).get("replicas")
        return [name for name in self.replicas if self.source_of(name) == source] if known is None else list(known)

    def judged(self, source: str) -> bool:
        """Tell whether a source and all of its replicas, each against all others, were found right when the source was planned."""
        return "plan" in self.plan_of_source(source)

    def plan_of_source(self, source: str) -> Host:
        """Return what the plan of a source has found out in this run; empty where there was none."""
        return self._planned(source, SOURCES)

    def plan_of(self, replica: str) -> Host:
        """Return what the plan of a replica has found out in this run; empty where there was none."""
        return self._planned(replica, REPLICAS)


def _login(inventory: Inventory, name: str, tls: str) -> dict[str, t.Any]:
    return {
        "login_host": inventory.value(name, "login_host", name),
        "login_port": inventory.value(name, "login_port", 3306),
        "login_user": inventory.value(name, "login_user"),
        "login_password": inventory.value(name, "login_password"),
        "login_tls": inventory.value(name, "login_tls", tls),
        "login_ca": inventory.value(name, "login_ca", ""),
    }


def source_options(inventory: Inventory, name: str) -> dict[str, t.Any]:
    """Return what every module about a source may ask for."""
    return {
        **_login(inventory, name, "preferred"),
        "name": inventory.value(name, "replication_user"),
        "password": inventory.value(name, "replication_password"),
        "host": inventory.value(name, "replication_host", "%"),
        "replication_user": inventory.value(name, "replication_user"),
        "replication_password": inventory.value(name, "replication_password"),
        "replication_host": inventory.value(name, "replication_host", "%"),
        "relink": inventory.value(name, "relink", False),
        **_source_demands(inventory, name),
    }


def _source_demands(inventory: Inventory, name: str) -> dict[str, t.Any]:
    """Return what a source must do for all of its replicas together; its play and theirs judge by the same."""
    return {
        "require_tls": bool(inventory.value(name, "link_ca")),
        "retention": inventory.value(name, "binlog_retention", 0),
        "source_service": inventory.value(name, "service"),
        "gtid": needs_gtid(inventory, name),
    }


def needs_gtid(inventory: Inventory, source: str) -> bool:
    """Tell whether GTIDs have to be on at a source; as its plan has found, where there was one."""
    known = inventory.plan_of_source(source).get("gtid")
    return any(_by_gtid(inventory, replica) for replica in inventory.replicas_of(source)) if known is None else bool(known)


def _by_gtid(inventory: Inventory, replica: str) -> bool:
    """Tell whether a link needs GTIDs to be on at its source; on MariaDB they always are."""
    service = SERVICES.get(str(inventory.value(replica, "service")))
    return inventory.value(replica, "link_method", "auto") == "gtid" and service is not None and service.method != "gtid"


def link_options(inventory: Inventory, name: str) -> dict[str, t.Any]:
    """Return what every module about a link may ask for; the replica's own word goes before its source's."""
    source = inventory.source_of(name)

    def either(variable: str, default: t.Any = None) -> t.Any:
        return inventory.value(name, variable, inventory.value(source, variable, default))

    login = _login(inventory, source, "preferred")
    return {
        **_login(inventory, name, "verify_identity"),
        "source": login,
        "source_name": source,
        "replica_name": name,
        "service": inventory.value(name, "service"),
        "state": inventory.value(name, "state", "started"),
        "method": inventory.value(name, "link_method", "auto"),
        "engine": inventory.value(name, "seed", "dump"),
        "seed": inventory.value(name, "seed", "dump"),
        "reseed": inventory.value(name, "reseed", False),
        "coordinates": inventory.value(name, "link_coordinates"),
        "relink": inventory.value(name, "relink", False),
        "retarget": inventory.value(name, "retarget", False),
        "skip": inventory.value(name, "skip", []),
        "schemas": inventory.value(source, "schemas", []),
        "replication_user": inventory.value(source, "replication_user"),
        "replication_password": inventory.value(source, "replication_password"),
        "replication_host": inventory.value(source, "replication_host", "%"),
        "link_host": either("link_host", login["login_host"]),
        "link_port": either("link_port", login["login_port"]),
        "link_ca": either("link_ca", ""),
        **_source_demands(inventory, source),
        "client_dir": inventory.value(name, "client_dir", ""),
        "waivers": [*inventory.value(source, "waivers", []), *inventory.value(name, "waivers", [])],
        "wait_timeout": inventory.value(name, "wait_timeout", 120),
        "accounts": inventory.value(name, "accounts"),
        "remove": inventory.value(name, "accounts_remove", False),
        "control_plane": inventory.value(name, "control_plane", "none"),
        "azure_resource_group": inventory.value(name, "azure_resource_group"),
        "azure_server_name": inventory.value(name, "azure_server_name"),
        "azure_documents": inventory.value(name, "azure_documents", []),
        "probe": inventory.value(name, "probe", False),
    }


# Problems


def _problem(host: str, variable: str, what: str, mend: str) -> str:
    return f"{host}: datain_{variable} {what}; {mend}"


def _choice(inventory: Inventory, name: str, variable: str, choices: t.Iterable[str], default: str) -> t.Iterator[str]:
    value = inventory.value(name, variable, default)
    if value not in tuple(choices):
        yield _problem(name, variable, f"is {value!r}, which is unknown", f"use one of {', '.join(choices)}")


def _port(inventory: Inventory, name: str, variable: str) -> t.Iterator[str]:
    value = inventory.value(name, variable, 3306)
    if not str(value).isdigit() or not 0 < int(value) < 65536:
        yield _problem(name, variable, f"is {value!r}, which is no port", "use a number from 1 to 65535")


def _pem(inventory: Inventory, name: str, variable: str) -> t.Iterator[str]:
    try:
        pem_text(str(inventory.value(name, variable, "")), f"datain_{variable}")
    except InputError as error:
        yield f"{name}: {error.message}; {error.hint}"


def _needed(inventory: Inventory, name: str, *variables: str) -> t.Iterator[str]:
    for variable in variables:
        if inventory.value(name, variable) is None:
            yield _problem(name, variable, "is not set", "set it in the inventory")


def _server_problems(inventory: Inventory, name: str, tls: str) -> t.Iterator[str]:
    yield from _needed(inventory, name, "login_user")
    yield from _port(inventory, name, "login_port")
    yield from _choice(inventory, name, "login_tls", TLS_MODES, tls)
    yield from _pem(inventory, name, "login_ca")
    yield from _pem(inventory, name, "link_ca")
    yield from _port(inventory, name, "link_port")
    waivers = inventory.value(name, "waivers", [])
    if not isinstance(waivers, list) or not all(isinstance(item, Mapping) and item.get("reason") and item.get("until") for item in waivers):
        yield _problem(name, "waivers", "holds a waiver without reason or end", "write each as {rule: …, reason: …, until: YYYY-MM-DD}")


def source_problems(inventory: Inventory, name: str) -> list[str]:
    """Return what is wrong with a source, as sentences with host, variable and mend."""
    found = list(_server_problems(inventory, name, "preferred"))
    if inventory.value(name, "service") is not None:
        found += _choice(inventory, name, "service", SERVICES, "")
    found += _needed(inventory, name, "replication_user", "replication_password")
    password = inventory.value(name, "replication_password", "")
    if len(str(password)) > 32:
        found.append(_problem(name, "replication_password", f"has {len(str(password))} characters", "a replica takes at most 32"))
    if inventory.value(name, "replication_user") in inventory.value(name, "retired_users", []):
        mend = "take it out, or choose another datain_replication_user"
        found.append(_problem(name, "retired_users", "names the account that the replicas are to use", mend))
    return found


def link_problems(inventory: Inventory, name: str) -> list[str]:
    """Return what is wrong with a replica and its source."""
    found = list(_server_problems(inventory, name, "verify_identity"))
    source = inventory.source_of(name)
    if not source:
        found.append(_problem(name, "source", "is not set", f"name a host of the group {SOURCES}"))
    elif source not in inventory.sources:
        found.append(_problem(name, "source", f"is {source!r}, which is not in the group {SOURCES}", "add it there, or name another"))
    else:
        found += source_problems(inventory, source)
    found += _needed(inventory, name, "service")
    found += _choice(inventory, name, "service", SERVICES, next(iter(SERVICES)))
    found += _choice(inventory, name, "state", STATES, "started")
    found += _choice(inventory, name, "link_method", METHODS, "auto")
    found += _choice(inventory, name, "seed", SEEDS, "dump")
    found += _lag_problems(inventory, name)
    found += _control_plane_problems(inventory, name)
    found += _coordinate_problems(inventory, name)
    found += _skip_problems(inventory, name)
    found += _account_problems(inventory, name)
    return found


def _lag_problems(inventory: Inventory, name: str) -> t.Iterator[str]:
    value = inventory.value(name, "max_lag", 0)
    if not str(value).isdigit():
        yield _problem(name, "max_lag", f"is {value!r}, which is no whole number", "use seconds, or remove it to tolerate any lag")


def _control_plane_problems(inventory: Inventory, name: str) -> t.Iterator[str]:
    gate = inventory.value(name, "control_plane", "none")
    if gate not in CONTROL_PLANES and not (Path(str(gate)).is_absolute() and Path(str(gate)).is_file()):
        mend = "use none, az, or the absolute path of a file of tasks, such as {{ inventory_dir }}/align.yml"
        yield _problem(name, "control_plane", f"is {gate!r}, which is no such file", mend)
    if gate == "az":
        yield from _needed(inventory, name, "azure_resource_group", "azure_server_name")


def _account_problems(inventory: Inventory, name: str) -> t.Iterator[str]:
    patterns = inventory.value(name, "accounts", [])
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) and pattern for pattern in patterns):
        yield _problem(name, "accounts", "is not a list of patterns", "write each as a text, such as 'shop_*' or 'shop_*@10.%'")
    elif patterns and all(pattern.startswith("!") for pattern in patterns):
        yield _problem(name, "accounts", "only takes accounts out", "add a pattern of those that are meant, '*' for all")


def _skip_problems(inventory: Inventory, name: str) -> t.Iterator[str]:
    entries = inventory.value(name, "skip", [])
    mend = "write each as status shows it: {position: 'FILE:POSITION' or gtid: GTID, error: NUMBER, reason: TEXT}"
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        yield _problem(name, "skip", "is not a list of events", mend)
    elif any(not set(entry) <= {"position", "gtid", "error", "reason"} or bool(entry.get("position")) == bool(entry.get("gtid")) for entry in entries):
        yield _problem(name, "skip", "holds an event that is not named by one position or one GTID", mend)
    elif not all(str(entry.get("error", "")).isdigit() and str(entry.get("reason") or "").strip() for entry in entries):
        yield _problem(name, "skip", "holds an event without its error or without a reason", mend)


def _coordinate_problems(inventory: Inventory, name: str) -> t.Iterator[str]:
    coordinates = inventory.value(name, "link_coordinates")
    if coordinates is None:
        if inventory.value(name, "seed") == "external":
            yield _problem(name, "link_coordinates", "is not set, and datain_seed is external", "give {file, position} or {gtid}")
        return
    if not isinstance(coordinates, Mapping) or not set(coordinates) <= {"file", "position", "gtid"}:
        yield _problem(name, "link_coordinates", "is neither {file, position} nor {gtid}", "write one of the two")
    elif coordinates.get("gtid") and (coordinates.get("file") or coordinates.get("position")):
        yield _problem(name, "link_coordinates", "gives a position and a GTID at once", "keep the one that the dump was taken with")
    elif not coordinates.get("gtid") and not (coordinates.get("file") and str(coordinates.get("position", "")).isdigit()):
        yield _problem(name, "link_coordinates", "is not whole", "give {file, position} or {gtid}")
    if inventory.value(name, "seed", "dump") != "external":
        yield _problem(name, "link_coordinates", "is set, and datain_seed is not external", "set datain_seed: external, or remove it")


def _too_many(inventory: Inventory, source: str, replicas: t.Sequence[str]) -> t.Iterator[str]:
    """A run makes links side by side, and each would find the others not there yet: so they are counted here as well."""
    for name, service in SERVICES.items():
        wanted = [replica for replica in replicas if inventory.value(replica, "service") == name and inventory.value(replica, "state") != "absent"]
        if service.most_replicas is not None and len(wanted) > service.most_replicas:
            what = f"is the source of {len(wanted)} replicas by {name}, which allows {service.most_replicas}"
            yield f"{source}: {what}; set datain_state: absent for what is to go, or take it out"


def shared_servers(inventory: Inventory, name: str) -> list[str]:
    """Return the other replicas that are the same server as this one: a server has one link."""
    own = _address(inventory, name)
    return [
        _problem(name, "login_host", f"is {own[0]}:{own[1]}, which is also the server of {other}", "a server has one link: remove one of the two")
        for other in inventory.replicas
        if other != name and _address(inventory, other) == own
    ]


def shared_identities(inventory: Inventory, name: str) -> list[str]:
    """Return the other replicas of the same source whose servers say that they are the same as this host's.

    The source could tell such two apart only once one of them receives, and hosts of one run are planned before any does. So what
    their own servers have answered to the plans of this run is compared, for a replica that has no link yet.
    """
    plan = inventory.plan_of(name)
    if (plan.get("link") or {}).get("state") != "absent":
        return []
    found = []
    for other in inventory.replicas_of(inventory.source_of(name)):
        theirs = {} if other == name else inventory.plan_of(other).get("identity") or {}
        same = [key for key, value in (plan.get("identity") or {}).items() if value and theirs.get(key) == value]
        if same and inventory.value(other, "state") != "absent":
            found.append(f"{name} and {other} are to follow one source, and have the same {same[0]}, {theirs[same[0]]}")
    return found


def _address(inventory: Inventory, name: str) -> tuple[str, str]:
    return str(inventory.value(name, "login_host", name)).lower(), str(inventory.value(name, "login_port", 3306))


def component_problems(inventory: Inventory, name: str) -> list[str]:
    """Return every problem among the hosts that are connected with this one: its source and all of that one's replicas.

    What was judged with the source in this run is not judged again: that a fleet's hosts are all read for each of them would take
    as long as all the rest.
    """
    if name in inventory.replicas and inventory.judged(inventory.source_of(name)):
        return []
    source = name if name in inventory.sources else inventory.source_of(name)
    replicas = inventory.replicas_of(source) if source in inventory.sources else []
    found = source_problems(inventory, name) if name in inventory.sources else []
    for replica in dict.fromkeys([*([name] if name in inventory.replicas else []), *replicas]):
        found += link_problems(inventory, replica) + shared_servers(inventory, replica)
    found += _too_many(inventory, source, replicas)
    if name in inventory.sources:
        orphans = [host for host in inventory.replicas if inventory.source_of(host) not in inventory.sources]
        for host in orphans:
            found += link_problems(inventory, host)
    return list(dict.fromkeys(found))
