# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the network, the logs that hold secrets, and the control plane."""

from __future__ import annotations

import ipaddress
import typing as t

from ._facts import Facts, Side
from ._rule import (
    HOW_TO,
    INFO,
    LIMITATIONS,
    MEASURED,
    PAGE,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    listed,
    not_applicable,
    passed,
    unknown,
)

STANDARD_PORT = 3306

# The network


def _how_to_test(facts: Facts) -> str:
    return (
        f"from a machine in the network of the managed server: nc -vz {facts.desired.link_host or '<source>'} {facts.desired.link_port}; "
        "the controller cannot see what the managed server sees"
    )


def _link_address(facts: Facts) -> Outcome:
    host = facts.desired.link_host
    if not host:
        return not_applicable("no address for the link was given")
    if facts.running:
        return passed(host)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host.lower() == "localhost" or "." not in host.strip("."):
            return failed(host, required="a fully qualified name, or an address")
        return unknown(f"whether the managed server resolves {host} cannot be seen from here", _how_to_test(facts))
    if address.is_loopback or address.is_unspecified or address.is_link_local:
        return failed(host)
    if address.is_private:
        return unknown(
            f"{host} is private: it works only if the managed server is in a network that reaches it",
            _how_to_test(facts),
        )
    return passed(host)


def _reachable(facts: Facts) -> Outcome:
    if facts.running:
        return passed("the replica receives")
    return unknown("whether the managed server reaches the source cannot be seen from here", _how_to_test(facts))


def _port(facts: Facts) -> Outcome:
    return check(facts.desired.link_port == STANDARD_PORT, facts.desired.link_port)


def _firewall(facts: Facts) -> Outcome:
    if not facts.desired.service.firewall:
        return not_applicable("this service's page asks for no rule")
    if facts.running:
        return passed("the replica receives")
    return unknown(
        "firewall rules are known to the control plane only",
        "add the source's address to the firewall rules of the managed server",
    )


# Secrets


def _logs(side: str, server: Side) -> t.Iterator[str]:
    if server.value("log_output").upper() != "NONE":
        if server.on("general_log"):
            yield f"{side}: general_log"
        slow = next((name for name in ("slow_query_log", "log_slow_query") if server.on(name)), None)
        time = server.value("long_query_time", server.value("log_slow_query_time"))
        if slow and time and float(time) == 0:
            yield f"{side}: {slow} with long_query_time = 0"
    for name in ("audit_log_enabled", "server_audit_logging"):
        if server.on(name):
            yield f"{side}: {name}"


def _server_logs(facts: Facts) -> Outcome:
    found = [*_logs("source", facts.source), *_logs("replica", facts.replica)]
    return check(not found, "; ".join(found) or "none", **listed(found))


# The control plane: judged by the document that describes the managed server


def _documented(
    paths: tuple[str, ...],
    judge: t.Callable[..., Outcome],
    unless: t.Callable[[Facts], str | None] = lambda facts: None,
) -> t.Callable[[Facts], Outcome]:
    """A rule about what the control plane says; without its document it is unknown, and says how to get it.

    :param paths: where the values stand in what ``az … show`` prints; without the first one the document says nothing
    :param judge: the facts and the values to an outcome
    :param unless: why the rule does not apply, or None
    """

    def evaluate(facts: Facts) -> Outcome:
        why_not = unless(facts)
        if why_not:
            return not_applicable(why_not)
        desired = facts.desired
        if not desired.azure_server:
            command = desired.service.show_server.format(group=desired.azure_resource_group, server=desired.azure_server_name)
            return unknown(
                "this is known to the control plane only",
                f"{command} --output json, and give the result as the option azure_server",
            )
        first, *rest = (_at(desired.azure_server, path) for path in paths)
        if not isinstance(first, str) or not first:
            return unknown(f"the document of the managed server does not say {paths[0]}")
        return judge(facts, first[:80], *rest)

    return evaluate


def _at(document: t.Any, path: str) -> t.Any:
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _wants(word: str) -> t.Callable[..., Outcome]:
    return lambda facts, value, *rest: check(value.lower() == word, value)


def _tier(facts: Facts, tier: str) -> Outcome:
    return check(tier in facts.desired.service.tiers, tier, required=" or ".join(facts.desired.service.tiers))


def _private(facts: Facts, access: str, subnet: t.Any) -> Outcome:
    del facts
    return passed("in a virtual network") if subnet else check(access.lower() == "enabled", f"public access {access}")


def _all_tiers(facts: Facts) -> str | None:
    return None if facts.desired.service.tiers else "this service has the procedures on all tiers"


def _not_flexible(facts: Facts) -> str | None:
    return None if facts.desired.service.control_plane_gtid else "this service has nothing of the kind"


def _by(method: str) -> t.Callable[[Facts], str | None]:
    return lambda facts: _not_flexible(facts) or (f"the link is by {method}" if facts.method == method else None)


RULES: tuple[Rule, ...] = (
    Rule(
        "network.link_address",
        "pair",
        "The address of the source means the source to the managed server too",
        PAGE,
        _link_address,
        WARNING,
        needs=("replica.channels",),
        required="a public address, a public name, or a name that the managed server's network resolves",
        remedy="set datain_link_host to the name or address by which the managed server reaches the source",
    ),
    Rule(
        "network.reachable",
        "pair",
        "The managed server reaches the source",
        PAGE,
        _reachable,
        needs=("replica.channels",),
    ),
    Rule(
        "network.port",
        "source",
        "The source listens on the port that the documents name",
        PAGE,
        _port,
        INFO,
        needs_login=False,
        required=str(STANDARD_PORT),
        remedy="nothing, if network rules let the port through in both directions",
    ),
    Rule(
        "network.firewall",
        "replica",
        "The managed server's firewall knows the source",
        PAGE,
        _firewall,
        WARNING,
        needs=("replica.channels", "source.variables"),
    ),
    Rule(
        "secrets.server_logs",
        "pair",
        "No log of a server records the statements that carry the replication password",
        MEASURED,
        _server_logs,
        WARNING,
        required="general_log = OFF, long_query_time > 0, no audit log",
        remedy="switch the log off while onboard runs, or change the password afterwards and protect the log",
    ),
    Rule(
        "azure.tier",
        "replica",
        "The managed server's tier has the procedures",
        PAGE,
        _documented(("sku.tier",), _tier, _all_tiers),
        needs_login=False,
        remedy="move {server} to the tier General Purpose or Memory Optimized: the Basic tier cannot be changed, so make a new server and restore into it",
    ),
    Rule(
        "azure.high_availability",
        "replica",
        "A link by position goes to a server without high availability",
        PAGE,
        _documented(("highAvailability.mode",), _wants("disabled"), _by("gtid")),
        needs=("replica.channels",),
        required="disabled, or datain_link_method: gtid",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --high-availability Disabled; or datain_link_method: gtid",
    ),
    Rule(
        "azure.private_access",
        "replica",
        "The managed server can reach out",
        PAGE,
        _documented(("network.publicNetworkAccess", "network.delegatedSubnetResourceId"), _private, _not_flexible),
        needs_login=False,
        required="public access, or a virtual network of its own; a private endpoint alone lets nothing out",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --public-access Enabled",
    ),
    Rule(
        "azure.geo_backup",
        "replica",
        "GTIDs can be reset",
        HOW_TO,
        _documented(("backup.geoRedundantBackup",), _wants("disabled"), _by("position")),
        needs=("replica.channels",),
        required="disabled",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --geo-redundant-backup Disabled",
    ),
    Rule(
        "azure.storage",
        "replica",
        "The managed server's storage grows with the data",
        LIMITATIONS,
        _documented(("storage.autoGrow",), _wants("enabled"), _not_flexible),
        WARNING,
        needs_login=False,
        required="autoGrow Enabled",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --storage-auto-grow Enabled",
    ),
)
