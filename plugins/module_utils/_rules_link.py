# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the link's address and port, and the logs that hold secrets."""

from __future__ import annotations

import ipaddress
import typing as t

from ._facts import Facts, Side
from ._rule import (
    ERROR,
    HOW_TO,
    INFO,
    MEASURED,
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
    if facts.running or facts.reach.answered:
        return passed(host)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host.lower() == "localhost" or "." not in host.strip("."):
            return failed(host, required="a fully qualified name, or an address")
        return unknown(f"whether the managed server resolves {host} cannot be seen from here", _how_to_test(facts))
    if address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast:
        return failed(host)
    if not address.is_global:
        return unknown(
            f"{host} is private: it works only if the managed server is in a network that reaches it",
            _how_to_test(facts),
        )
    return passed(host)


def _listens(facts: Facts) -> Outcome:
    if facts.running or facts.reach.answered:
        return passed("it was reached")
    bound = facts.source.value("bind_address")
    if facts.source.on("skip_networking"):
        remedy = "take skip_networking out of the source's option file, and restart it"
        return failed("skip_networking = ON", severity=ERROR, remedy=remedy)
    if _is_local(facts.desired.link_host):
        return not_applicable("the link stays on one machine")
    addresses = [part.strip() for part in bound.split(",") if part.strip()]
    return check(not addresses or not all(map(_is_local, addresses)), f"bind_address = {bound or '*'}")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _port(facts: Facts) -> Outcome:
    return check(facts.desired.link_port == STANDARD_PORT, facts.desired.link_port)


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
    policy = server.value("audit_log_policy").upper()
    if policy in ("ALL", "QUERIES"):
        yield f"{side}: audit_log_policy = {policy}"


def _server_logs(facts: Facts) -> Outcome:
    found = [*_logs("source", facts.source), *_logs("replica", facts.replica)]
    return check(not found, "; ".join(found) or "none", **listed(found))


RULES: tuple[Rule, ...] = (
    Rule(
        "network.link_address",
        "pair",
        "The address of the source means the source to the managed server too",
        HOW_TO,
        _link_address,
        WARNING,
        needs=("replica.channels",),
        required="a public address, a public name, or a name that the managed server's network resolves",
        remedy="set datain_link_host to the name or address by which the managed server reaches the source",
    ),
    Rule(
        "network.listens",
        "source",
        "The source listens to other machines",
        HOW_TO,
        _listens,
        WARNING,
        needs=("replica.channels",),
        required="skip_networking = OFF, and an address of the network in bind_address",
        remedy="set bind_address in the source's option file, and restart it; nothing, if something on its machine passes the link on",
    ),
    Rule(
        "network.port",
        "source",
        "The source listens on the port that the documents name",
        HOW_TO,
        _port,
        INFO,
        needs_login=False,
        required=str(STANDARD_PORT),
        remedy="nothing, if network rules let the port through in both directions",
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
)
