# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about what only the control plane knows, judged by its documents; without them they are unknown, and say how to get one."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ._documents import FIREWALL, PARAMETER, SERVER, Item
from ._facts import Facts, Unread
from ._rule import (
    HOW_TO,
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

# The names that Azure gives to managed servers, in all of its clouds.
_AZURE_HOST = re.compile(r"([a-z0-9-]+)\.(?:privatelink\.)?(?:mysql|mariadb)\.database\.")
_EVERYWHERE = ipaddress.ip_address("0.0.0.0")

# The documents


def _command(facts: Facts, verb: str, option: str = "--name") -> str:
    desired = facts.desired
    return f"{desired.service.cli} {verb} --resource-group {desired.azure_resource_group} {option} {desired.azure_server_name}"


def _how_to_get(facts: Facts, kind: str) -> str:
    """Return the command that makes a document of a kind."""
    parameters = "parameter" if facts.desired.service.resource == FLEXIBLE else "configuration"
    commands = {
        SERVER: _command(facts, "show"),
        FIREWALL: _command(facts, "firewall-rule list", "--server-name"),
        PARAMETER: _command(facts, f"{parameters} list", "--server-name"),
    }
    return f"{commands[kind]} --output json > {kind}.json; then name that file in datain_azure_documents"


def _names(facts: Facts) -> set[str]:
    """Return what the managed server at hand is called, by everything that says so."""
    desired, variables = facts.desired, facts.replica.variables
    names = {desired.azure_server_name, "" if isinstance(variables, Unread) else variables.get("azure_server_name", "")}
    match = _AZURE_HOST.match(desired.replica_host.lower())
    return {name.lower() for name in (*names, match[1] if match else "") if name and not name.startswith("<")}


def _is_own(facts: Facts, item: Item, names: set[str]) -> bool:
    host = str(item.said.get("host") or "").lower()
    return item.server is None or item.server in names or bool(host) and host == facts.desired.replica_host.lower().rstrip(".")


def _own(facts: Facts, kind: str) -> list[Item]:
    """Return what the documents say about the server at hand; what they say about others is nothing to go by."""
    names = _names(facts)
    return [
        item
        for item in facts.desired.documents
        if item.kind == kind and item.type in (None, facts.desired.service.resource) and _is_own(facts, item, names)
    ]


def _document(facts: Facts) -> Outcome:
    documents, resource = facts.desired.documents, facts.desired.service.resource
    if not documents:
        return unknown("no document of the control plane is given", _how_to_get(facts, SERVER))
    names = _names(facts)
    if not names and not any(_own(facts, kind) for kind in (SERVER, FIREWALL, PARAMETER)):
        return unknown("nothing says which server of the documents this one is", "set datain_azure_server_name")
    others = {f"{item.server} ({item.type})" for item in documents if not _is_own(facts, item, names)}
    strange = {f"{item.server} ({item.type})" for item in documents if item.type not in (None, resource)}
    if not any(_own(facts, kind) for kind in (SERVER, FIREWALL, PARAMETER)):
        return failed(f"documents of {len(others | strange)} other server(s)", remedy=_how_to_get(facts, SERVER), **listed(others | strange))
    hosts = {str(item.said["host"]).lower() for item in _own(facts, SERVER) if item.said.get("host")}
    match = _AZURE_HOST.match(facts.desired.replica_host.lower())
    if match and hosts and not any(host.startswith(f"{match[1]}.") for host in hosts):
        # The name that is set and the name that we log in by are of two servers.
        return failed(", ".join(sorted(hosts)), required=facts.desired.replica_host, remedy="correct datain_azure_server_name or datain_login_host")
    return passed(", ".join(sorted({item.server for item in documents if item.server and _is_own(facts, item, names)})))


def _said(
    fact: str, judge: t.Callable[..., Outcome], unless: t.Callable[[Facts], str | None] = lambda facts: None
) -> t.Callable[[Facts], Outcome]:
    """A rule about one fact of the managed server.

    :param judge: the facts and the value to an outcome
    :param unless: why the rule does not apply, or None
    """

    def evaluate(facts: Facts) -> Outcome:
        why_not = unless(facts)
        if why_not:
            return not_applicable(why_not)
        own = _own(facts, SERVER)
        if not own:
            return unknown("this is known to the control plane only", _how_to_get(facts, SERVER))
        value = _value(own, fact)
        if value is None or value == "":
            return unknown(f"the document of the managed server does not say: {fact.replace('_', ' ')}", _how_to_get(facts, SERVER))
        return judge(facts, str(value))

    return evaluate


def _value(own: t.Iterable[Item], fact: str) -> t.Any:
    return next((item.said[fact] for item in own if fact in item.said), None)


def _parameters(facts: Facts) -> dict[str, t.Mapping[str, t.Any]]:
    return {item.said["name"]: item.said for item in _own(facts, PARAMETER) if "name" in item.said}


def _listed(
    judge: t.Callable[[Facts, dict[str, t.Mapping[str, t.Any]]], Outcome], unless: t.Callable[[Facts], str | None] = lambda facts: None
) -> t.Callable[[Facts], Outcome]:
    """A rule about the parameters that the control plane lists."""

    def evaluate(facts: Facts) -> Outcome:
        why_not = unless(facts)
        if why_not:
            return not_applicable(why_not)
        parameters = _parameters(facts)
        return judge(facts, parameters) if parameters else unknown("the control plane's parameters are not given", _how_to_get(facts, PARAMETER))

    return evaluate


def _wants(word: str) -> t.Callable[[Facts, str], Outcome]:
    return lambda facts, value: check(value.lower() == word, value)


def _update(facts: Facts, flexible: str, single: str) -> str:
    return f"{_command(facts, 'update')} {flexible if facts.desired.service.resource == FLEXIBLE else single}"


# The server


def _tier(facts: Facts, tier: str) -> Outcome:
    return check(tier in facts.desired.service.tiers, tier, required=" or ".join(facts.desired.service.tiers))


def _state(facts: Facts, state: str) -> Outcome:
    remedy = _command(facts, "start") if state.lower() == "stopped" else f"wait until {_command(facts, 'show')} --query {_state_field(facts)} says Ready"
    return check(state.lower() == "ready", state, remedy=remedy)


def _state_field(facts: Facts) -> str:
    return "state" if facts.desired.service.resource == FLEXIBLE else "userVisibleState"


def _version(facts: Facts, version: str) -> Outcome:
    """The control plane names a series by any version of it: 8.0.21 stands for all of 8.0."""
    if isinstance(facts.replica.variables, Unread):
        return unknown(facts.replica.variables.reason)
    match = re.match(r"(\d{1,3})\.(\d{1,3})", version)
    if not match:
        return unknown("the document of the managed server names no version that is one")
    return check((int(match[1]), int(match[2])) == facts.replica.series, version, required=dotted(facts.replica.version))


def _role(facts: Facts, role: str) -> Outcome:
    return check(role.lower() != "replica", role)


def _public(facts: Facts, access: str) -> Outcome:
    subnet = _value(_own(facts, SERVER), "subnet")
    if subnet:
        return passed("in a virtual network")
    return check(access.lower() == "enabled", f"public access {access}", remedy=_update(facts, "--public-access Enabled", "--public Enabled"))


def _private(facts: Facts) -> Outcome:
    # A virtual network is enough, whether or not the document knows anything of public access.
    if _value(_own(facts, SERVER), "subnet"):
        return passed("in a virtual network")
    return _said("public_access", _public)(facts)


def _auto_grow(facts: Facts, switch: str) -> Outcome:
    return check(switch.lower() == "enabled", switch, remedy=_update(facts, "--storage-auto-grow Enabled", "--auto-grow Enabled"))


def _geo_backup(facts: Facts, switch: str) -> Outcome:
    return check(switch.lower() == "disabled", switch, remedy=_update(facts, "--geo-redundant-backup Disabled", ""))


def _tls(facts: Facts) -> Outcome:
    """Who may log in without TLS is a parameter of a Flexible Server, and a property of the older ones."""
    if facts.desired.service.resource == FLEXIBLE:
        parameters = _parameters(facts)
        switch, oldest = (str(parameters.get(name, {}).get("value") or "") for name in ("require_secure_transport", "tls_version"))
        if not switch:
            return unknown("the control plane's parameters are not given", _how_to_get(facts, PARAMETER))
        right = _word(switch) == "on" and not re.search(r"TLSv1(\.1)?(,|$)", oldest)
        remedy = f"{set_on_replica(facts, 'require_secure_transport', 'ON')}; {set_on_replica(facts, 'tls_version', 'TLSv1.2,TLSv1.3')}"
        return check(right, f"require_secure_transport = {switch}, tls_version = {oldest or 'not given'}", remedy=remedy)
    own = _own(facts, SERVER)
    switch, oldest = _value(own, "tls_enforced"), _value(own, "minimal_tls")
    if switch is None:
        return _said("tls_enforced", _wants("enabled"))(facts)
    right = str(switch).lower() == "enabled" and oldest in (None, "TLS1_2")
    return check(right, f"{switch}, oldest {oldest or 'not given'}", remedy=_update(facts, "", "--ssl-enforcement Enabled --minimal-tls-version TLS1_2"))


# Its parameters


def _word(value: t.Any) -> str:
    """Return a parameter's value in one spelling: both sides write a yes or no in their own."""
    text = re.sub(r"\s", "", str(value)).lower()
    switch = {"1": "on", "true": "on", "yes": "on", "enabled": "on", "0": "off", "false": "off", "no": "off", "disabled": "off"}
    return ",".join(sorted(switch.get(text, text).split(",")))


def _pending(facts: Facts, parameters: dict[str, t.Mapping[str, t.Any]]) -> Outcome:
    waiting = {name for name, said in parameters.items() if str(said.get("pending", "")).lower() in ("true", "enabled")}
    return check(not waiting, f"{len(waiting)} of {len(parameters)}", remedy=_command(facts, "restart"), **listed(waiting))


def _in_effect(facts: Facts, parameters: dict[str, t.Mapping[str, t.Any]]) -> Outcome:
    """Only the parameters that are variables too: a filter is one on MariaDB only."""
    running = facts.replica.variables
    different = {
        f"{name}: {said['value']} there, {running[name]} on the server"
        for name, said in parameters.items()
        if "value" in said and name in running and _word(said["value"]) != _word(running[name])
    }
    return check(
        not different,
        f"{len(different)} of {len(parameters)} differ",
        remedy=f"{_command(facts, 'restart')}; or the document is old: {_how_to_get(facts, PARAMETER)}",
        **listed(different),
    )


def _filter(facts: Facts, parameters: dict[str, t.Mapping[str, t.Any]]) -> Outcome:
    value = parameters.get("replicate_wild_ignore_table", {}).get("value")
    if value is None:
        return unknown("the parameters that are given have no replicate_wild_ignore_table", _how_to_get(facts, PARAMETER))
    ignored = [part.strip() for part in str(value).split(",") if part.strip()]
    right = any(part.replace("\\", "").lower() == "mysql.%" for part in ignored)
    return check(right, value, remedy=set_on_replica(facts, "replicate_wild_ignore_table", "mysql.%"))


# Its firewall


def _firewall(facts: Facts) -> Outcome:
    if not facts.desired.service.firewall:
        return not_applicable("this service's page asks for no rule")
    if not isinstance(facts.replica.channels, Unread) and not isinstance(facts.source.variables, Unread) and facts.running:
        return passed("the replica receives")
    if not any(item.kind == FIREWALL for item in facts.desired.documents):
        return unknown("firewall rules are known to the control plane only", _how_to_get(facts, FIREWALL))
    rules = _own(facts, FIREWALL)
    addresses = facts.reach.addresses
    if isinstance(addresses, Unread):
        return unknown(addresses.reason, addresses.remedy)
    outside = [address for address in addresses if not any(_lets_in(item.said, address) for item in rules)]
    if not outside:
        return passed(", ".join(map(str, addresses)))
    words = ", ".join(map(str, outside))
    if any(item.said.get("first") == item.said.get("last") == str(_EVERYWHERE) for item in rules):
        return unknown(f"no rule names {words}; the one for Azure's own services lets it in only if the source is in Azure", _add_rule(facts, outside[0]))
    return failed(words, required="a rule that has the source's address in it", remedy=_add_rule(facts, outside[0]))


def _lets_in(said: t.Mapping[str, t.Any], address: t.Any) -> bool:
    try:
        first, last = (ipaddress.ip_address(said.get(end, "")) for end in ("first", "last"))
    except ValueError:
        return False
    # From 0.0.0.0 to itself is Azure's sign for its own services, not an address.
    return last != _EVERYWHERE and first.version == last.version == address.version and first <= address <= last


def _add_rule(facts: Facts, address: t.Any) -> str:
    return f"{_command(facts, 'firewall-rule create', '--server-name')} --name source --start-ip-address {address} --end-ip-address {address}"


# When a rule does not apply


def _all_tiers(facts: Facts) -> str | None:
    return None if facts.desired.service.tiers else "this service has the procedures on all tiers"


def _by(method: str) -> t.Callable[[Facts], str | None]:
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
        PAGE,
        _document,
        needs_login=False,
        required="documents of the server that datain_login_host names, of the kind that datain_service names",
    ),
    Rule(
        "azure.state",
        "replica",
        "The managed server is ready",
        LIMITATIONS,
        _said("state", _state),
        needs_login=False,
        required="Ready",
    ),
    Rule(
        "azure.version",
        "replica",
        "The control plane and the managed server name the same version",
        PAGE,
        _said("version", _version),
        WARNING,
        needs_login=False,
        remedy="the document is old, or of another server: make it anew",
    ),
    Rule(
        "azure.tier",
        "replica",
        "The managed server's tier has the procedures",
        PAGE,
        _said("tier", _tier, _all_tiers),
        needs_login=False,
        remedy="move {server} to the tier General Purpose or Memory Optimized: the Basic tier cannot be changed, so make a new server and restore into it",
    ),
    Rule(
        "azure.high_availability",
        "replica",
        "A link by position goes to a server without high availability",
        PAGE,
        _said("high_availability", _wants("disabled"), _by("gtid")),
        needs=("replica.channels",),
        required="disabled, or datain_link_method: gtid",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --high-availability Disabled; or datain_link_method: gtid",
    ),
    Rule(
        "azure.replication_role",
        "replica",
        "The managed server is no read replica of another one",
        LIMITATIONS,
        _said("role", _role),
        needs_login=False,
        required="None, or the source of read replicas",
        remedy="link the server that it is a read replica of, or promote it first: it takes no writes of its own",
    ),
    Rule(
        "azure.read_replicas",
        "replica",
        "GTIDs can be reset: the managed server has no read replicas",
        HOW_TO,
        _said("role", _wants("none"), _by("position")),
        needs=("replica.channels",),
        required="none; make them after the GTIDs are reset",
        remedy="az mysql flexible-server replica list --resource-group {group} --name {server}; delete them, and make them again once the link runs",
    ),
    Rule(
        "azure.geo_backup",
        "replica",
        "GTIDs can be reset: the managed server has no geo-redundant backup",
        HOW_TO,
        _said("geo_backup", _geo_backup, _by("position")),
        needs=("replica.channels",),
        required="disabled",
    ),
    Rule(
        "azure.private_access",
        "replica",
        "The managed server can reach out",
        PAGE,
        _private,
        needs_login=False,
        required="public access, or a virtual network of its own; a private endpoint alone lets nothing out",
    ),
    Rule(
        "azure.storage",
        "replica",
        "The managed server's storage grows with the data",
        LIMITATIONS,
        _said("auto_grow", _auto_grow),
        WARNING,
        needs_login=False,
        required="enabled",
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
        _listed(_pending),
        WARNING,
        needs_login=False,
    ),
    Rule(
        "azure.parameters",
        "replica",
        "The managed server runs with what the control plane says",
        SERVER_PARAMETERS,
        _listed(_in_effect),
        WARNING,
    ),
    Rule(
        "azure.filter",
        "replica",
        "The control plane keeps changes of the server's own schema mysql from being applied",
        PAGE,
        _listed(_filter, _no_filter),
        WARNING,
        needs_login=False,
        required="replicate_wild_ignore_table has mysql.%",
    ),
    Rule(
        "network.firewall",
        "replica",
        "The managed server's firewall knows the source",
        PAGE,
        _firewall,
        WARNING,
        needs_login=False,
    ),
)
