# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about what only the control plane knows, judged by its documents; without them they are unknown, and say how to get one."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ._documents import FIREWALL, PARAMETER, SERVER
from ._facts import Facts, Unread
from ._platform import Platform, Unless, by_fact, by_parameters
from ._rule import (
    CONTROL_PLANE,
    ERROR,
    HOW_TO,
    INFO,
    LIMITATIONS,
    PAGE,
    SERVER_PARAMETERS,
    WARNING,
    Outcome,
    Rule,
    check,
    dotted,
    failed,
    listed,
    not_applicable,
    passed,
    set_on_replica,
    unknown,
)
from ._services import FLEXIBLE, SINGLE

_ANYWHERE = ipaddress.ip_address("0.0.0.0")
# Of the storage, what the data may take at most when it comes over: logs and the temporary tables of a load need room too.
_FULL = 0.8
_GIB = 1 << 30

# The documents


def _document(facts: Facts) -> Outcome:
    platform, documents = Platform(facts), facts.desired.documents
    if not documents:
        return unknown("no document of the control plane is given", platform.how_to_get(SERVER))
    if not platform.own(SERVER, FIREWALL, PARAMETER):
        if not platform.names:
            return unknown("nothing says which server of the documents this one is", "set datain_azure_server_name")
        others = {f"{item.server} ({item.type})" for item in documents}
        return failed(f"documents of {len(others)} other server(s)", remedy=platform.how_to_get(SERVER), **listed(others))
    host = platform.says("host")
    if host and platform.login_name and not str(host).lower().startswith(f"{platform.login_name}."):
        # The name that is set and the name that we log in by are of two servers.
        return failed(host, required=platform.login_host, remedy="correct datain_azure_server_name or datain_login_host")
    return passed(", ".join(sorted({item.server for item in documents if item.server and platform.is_own(item)})))


# The server


def _wants(word: str) -> t.Callable[[Platform, str], Outcome]:
    return lambda platform, value: check(value.lower() == word, value)


def _tier(platform: Platform, tier: str) -> Outcome:
    return check(tier in platform.service.tiers, tier, required=" or ".join(platform.service.tiers))


def _state(platform: Platform, state: str) -> Outcome:
    query = "state" if platform.flexible else "userVisibleState"
    remedy = platform.command("start") if state.lower() == "stopped" else f"wait until {platform.command('show')} --query {query} says Ready"
    return check(state.lower() == "ready", state, remedy=remedy)


def _version(platform: Platform, version: str) -> Outcome:
    """The control plane names a series by any version of it: 8.0.21 stands for all of 8.0."""
    replica = platform.facts.replica
    if isinstance(replica.variables, Unread):
        return unknown(replica.variables.reason)
    match = re.match(r"(\d{1,3})\.(\d{1,3})", version)
    if not match:
        return unknown("the document of the managed server names no version that is one")
    return check((int(match[1]), int(match[2])) == replica.series, version, required=dotted(replica.version))


def _role(platform: Platform, role: str) -> Outcome:
    del platform
    return check(role.lower() != "replica", role)


def _public(platform: Platform, access: str) -> Outcome:
    return check(access.lower() == "enabled", f"public access {access}", remedy=platform.update("--public-access Enabled", "--public Enabled"))


def _private(facts: Facts) -> Outcome:
    # A virtual network is enough, whether or not the document knows anything of public access.
    return passed("in a virtual network") if Platform(facts).says("subnet") else by_fact("public_access", _public)(facts)


def _auto_grow(platform: Platform, switch: str) -> Outcome:
    return check(switch.lower() == "enabled", switch, remedy=platform.update("--storage-auto-grow Enabled", "--auto-grow Enabled"))


def _storage_size(platform: Platform, storage: str) -> Outcome:
    data = platform.facts.source.data_bytes
    if isinstance(data, Unread):
        return unknown(data.reason, data.remedy)
    room = int(storage) * _GIB if platform.flexible else int(storage) * _GIB // 1024
    wanted = int(data / _FULL / _GIB) + 1
    return check(
        data <= room * _FULL,
        f"{data / _GIB:.1f} GiB of data, {room / _GIB:.1f} GiB of storage",
        required=f"{wanted} GiB",
        severity=ERROR if data > room else WARNING,
        remedy=platform.update(f"--storage-size {wanted}", f"--storage-size {wanted * 1024}"),
    )


def _storage(facts: Facts) -> Outcome:
    platform = Platform(facts)
    fact = "storage_gb" if platform.flexible else "storage_mb"
    if not platform.desired.loads:
        return not_applicable("the data is brought over by somebody else")
    if platform.own(SERVER) and not isinstance(platform.says(fact), (int, type(None))):
        return unknown("the document of the managed server names no size that is one", platform.how_to_get(SERVER))
    return by_fact(fact, _storage_size)(facts)


def _geo_backup(platform: Platform, switch: str) -> Outcome:
    return check(switch.lower() == "disabled", switch, remedy=platform.update("--geo-redundant-backup Disabled", ""))


def _tls(facts: Facts) -> Outcome:
    """Who may log in without TLS is a parameter of a Flexible Server, and a property of the older ones."""
    return by_parameters(_tls_parameters)(facts) if Platform(facts).flexible else by_fact("tls_enforced", _tls_property)(facts)


def _tls_parameters(platform: Platform, parameters: t.Any) -> Outcome:
    del parameters
    switch, oldest = platform.parameter("require_secure_transport"), platform.parameter("tls_version")
    if not switch:
        return unknown("the parameters that are given have no require_secure_transport", platform.how_to_get(PARAMETER))
    commands = [set_on_replica(platform.facts, *pair) for pair in (("require_secure_transport", "ON"), ("tls_version", "TLSv1.2,TLSv1.3"))]
    right = _spelt(switch) == "on" and not re.search(r"TLSv1(\.1)?(,|$)", oldest)
    return check(right, f"require_secure_transport = {switch}, tls_version = {oldest or 'not given'}", remedy="; ".join(commands))


def _tls_property(platform: Platform, switch: str) -> Outcome:
    oldest = platform.says("minimal_tls")
    right = switch.lower() == "enabled" and oldest in (None, "TLS1_2")
    remedy = platform.update("", "--ssl-enforcement Enabled --minimal-tls-version TLS1_2")
    return check(right, f"{switch}, oldest {oldest or 'not given'}", remedy=remedy)


# Its parameters

_SPELT = {"1": "on", "true": "on", "yes": "on", "enabled": "on", "0": "off", "false": "off", "no": "off", "disabled": "off"}


def _spelt(value: t.Any) -> str:
    """Return a parameter's value in one spelling: both sides write a yes or no, and the order of a list, in their own."""
    text = re.sub(r"\s", "", str(value)).lower()
    return ",".join(sorted(_SPELT.get(text, text).split(",")))


def _pending(platform: Platform, parameters: dict[str, t.Mapping[str, t.Any]]) -> Outcome:
    waiting = {name for name, said in parameters.items() if _spelt(said.get("pending", "")) == "on"}
    return check(not waiting, f"{len(waiting)} of {len(parameters)}", remedy=platform.command("restart"), **listed(waiting))


def _in_effect(platform: Platform, parameters: dict[str, t.Mapping[str, t.Any]]) -> Outcome:
    """Only the parameters that are variables too: a filter is one on MariaDB only."""
    running = platform.facts.replica.variables
    different = {
        f"{name}: {said['value']} there, {running[name]} on the server"
        for name, said in parameters.items()
        if "value" in said and name in running and _spelt(said["value"]) != _spelt(running[name])
    }
    remedy = f"{platform.command('restart')}; or the document is old: {platform.how_to_get(PARAMETER)}"
    return check(not different, f"{len(different)} of {len(parameters)} differ", remedy=remedy, **listed(different))


def _filter(platform: Platform, parameters: t.Any) -> Outcome:
    del parameters
    value = platform.parameter("replicate_wild_ignore_table")
    if not value:
        return unknown("the parameters that are given have no replicate_wild_ignore_table", platform.how_to_get(PARAMETER))
    ignored = {part.strip().replace("\\", "").lower() for part in value.split(",")}
    return check("mysql.%" in ignored, value, remedy=set_on_replica(platform.facts, "replicate_wild_ignore_table", "mysql.%"))


# Its firewall


def _firewall(facts: Facts) -> Outcome:
    if facts.desired.service.firewall == INFO:
        return not_applicable("this service's page asks for no rule")
    if not isinstance(facts.replica.channels, Unread) and facts.running:
        return passed("the replica receives")
    platform = Platform(facts)
    rules = platform.own(FIREWALL)
    if not rules:
        return unknown("firewall rules are known to the control plane only", platform.how_to_get(FIREWALL))
    addresses = facts.reach.addresses
    if isinstance(addresses, Unread):
        return unknown(addresses.reason, addresses.remedy)
    outside = [address for address in addresses if not any(_lets_in(item.said, address) for item in rules)]
    if not outside:
        return passed(", ".join(map(str, addresses)))
    words, create = ", ".join(map(str, outside)), platform.command("firewall-rule create", "--server-name")
    remedy = f"{create} --name source --start-ip-address {outside[0]} --end-ip-address {outside[0]}"
    if any(item.said.get("first") == item.said.get("last") == str(_ANYWHERE) for item in rules):
        return unknown(f"no rule names {words}; the one for Azure's own services lets it in only if the source is in Azure", remedy)
    return failed(words, required="a rule that has the source's address in it", remedy=remedy)


def _lets_in(said: t.Mapping[str, t.Any], address: t.Any) -> bool:
    try:
        first, last = (ipaddress.ip_address(said.get(end, "")) for end in ("first", "last"))
    except ValueError:
        return False
    # From 0.0.0.0 to itself is Azure's sign for its own services.
    return last != _ANYWHERE and first.version == last.version == address.version and first <= address <= last


# When a rule does not apply


def _all_tiers(facts: Facts) -> str | None:
    return None if facts.desired.service.tiers else "this service has the procedures on all tiers"


def _by(method: str) -> Unless:
    """Only a Flexible Server has high availability of its own, and a control plane that resets GTIDs."""

    def why(facts: Facts) -> str | None:
        if facts.desired.service.resource != FLEXIBLE:
            return "this service has nothing of the kind"
        return f"the link is by {method}" if facts.method == method else None

    return why


def _no_filter(facts: Facts) -> str | None:
    return None if facts.desired.service.resource in (FLEXIBLE, SINGLE) else "this service's page names no filter"


RULES: tuple[Rule, ...] = (
    Rule(
        "azure.document",
        "replica",
        "The control plane's documents are about this managed server",
        CONTROL_PLANE,
        _document,
        needs_login=False,
        required="documents of the server that datain_login_host names, of the kind that datain_service names",
    ),
    Rule(
        "azure.state",
        "replica",
        "The managed server is ready",
        LIMITATIONS,
        by_fact("state", _state),
        needs_login=False,
        required="Ready",
    ),
    Rule(
        "azure.version",
        "replica",
        "The control plane and the managed server name the same version",
        CONTROL_PLANE,
        by_fact("version", _version),
        WARNING,
        needs_login=False,
        remedy="the document is old, or of another server: make it anew",
    ),
    Rule(
        "azure.tier",
        "replica",
        "The managed server's tier has the procedures",
        HOW_TO,
        by_fact("tier", _tier, _all_tiers),
        needs_login=False,
        remedy="move {server} to the tier General Purpose or Memory Optimized: the Basic tier cannot be changed, so make a new server and restore into it",
    ),
    Rule(
        "azure.high_availability",
        "replica",
        "A link by position goes to a server without high availability",
        PAGE,
        by_fact("high_availability", _wants("disabled"), _by("gtid")),
        needs=("replica.channels",),
        required="disabled, or datain_link_method: gtid",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --high-availability Disabled; or datain_link_method: gtid",
    ),
    Rule(
        "azure.replication_role",
        "replica",
        "The managed server is no read replica of another one",
        LIMITATIONS,
        by_fact("role", _role),
        needs_login=False,
        required="None, or the source of read replicas",
        remedy="link the server that it is a read replica of, or promote it first: it takes no writes of its own",
    ),
    Rule(
        "azure.read_replicas",
        "replica",
        "GTIDs can be reset: the managed server has no read replicas",
        HOW_TO,
        by_fact("role", _wants("none"), _by("position")),
        needs=("replica.channels",),
        required="none; make them after the GTIDs are reset",
        remedy="az mysql flexible-server replica list --resource-group {group} --name {server}; delete them, and make them again once the link runs",
    ),
    Rule(
        "azure.geo_backup",
        "replica",
        "GTIDs can be reset: the managed server has no geo-redundant backup",
        HOW_TO,
        by_fact("geo_backup", _geo_backup, _by("position")),
        needs=("replica.channels",),
        required="disabled",
    ),
    Rule(
        "azure.private_access",
        "replica",
        "The managed server can reach out",
        LIMITATIONS,
        _private,
        needs_login=False,
        required="public access, or a virtual network of its own; a private endpoint alone lets nothing out",
    ),
    Rule(
        "azure.storage",
        "replica",
        "The managed server's storage grows with the data",
        LIMITATIONS,
        by_fact("auto_grow", _auto_grow),
        WARNING,
        needs_login=False,
        required="enabled",
    ),
    Rule(
        "azure.storage_size",
        "pair",
        "The managed server's storage has room for the source's data",
        LIMITATIONS,
        _storage,
        WARNING,
        needs_login=False,
    ),
    Rule(
        "azure.tls",
        "replica",
        "The managed server lets nobody in without TLS 1.2",
        SERVER_PARAMETERS,
        _tls,
        WARNING,
        needs_login=False,
        required="enforced, TLS 1.2 at least",
    ),
    Rule(
        "azure.pending_restart",
        "replica",
        "No parameter waits for a restart to take effect",
        SERVER_PARAMETERS,
        by_parameters(_pending),
        WARNING,
        needs_login=False,
    ),
    Rule(
        "azure.parameters",
        "replica",
        "The managed server runs with what the control plane says",
        SERVER_PARAMETERS,
        by_parameters(_in_effect),
        WARNING,
    ),
    Rule(
        "azure.filter",
        "replica",
        "The control plane keeps changes of the server's own schema mysql from being applied",
        HOW_TO,
        by_parameters(_filter, _no_filter),
        WARNING,
        needs_login=False,
        required="replicate_wild_ignore_table has mysql.%",
    ),
    Rule(
        "network.firewall",
        "replica",
        "The managed server's firewall knows the source",
        HOW_TO,
        _firewall,
        "firewall",
        needs_login=False,
    ),
)
