# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the way from the replica to the source, judged by what was met on it."""

from __future__ import annotations

import re

from ._facts import Answer, Facts, Unread
from ._rule import ERROR, GIVE_CA, HOW_TO, INFO, Outcome, Rule, failed, passed, unknown

# What the server, or the client library in the replica, says; and what it says about the way. Everything else that a
# server says itself means that it was reached.
_FAILURES: dict[int | None, tuple[str, str]] = {
    None: ("nothing answers: the packets are dropped on the way, or the source is frozen", "{way}"),
    1129: ("the source has blocked the address after too many broken connections", "on the source: FLUSH HOSTS; or mariadb-admin flush-hosts"),
    1130: ("the source answers, and has no account for the address that it is reached from", "{account}"),
    2002: ("the way to the source is closed", "{way}"),
    2003: ("the way to the source is closed", "{way}"),
    2005: ("the name of the source is unknown there", "{name}"),
    2012: ("the connection was cut while it was set up", "{way}"),
    2013: ("the connection stands, and nothing answers", "see whether the source is frozen or overloaded, and what stands between"),
    2026: ("the source answers, and no TLS session comes about", f"see link.ca_matches and link.tls_version; {GIVE_CA}"),
}
_SEEN_AS = re.compile(r"(?:'[^']*'@|Host )'([^']{1,255})'")


def _way(facts: Facts) -> str:
    desired = facts.desired
    return (
        f"open {desired.link_host or '<source>'}:{desired.link_port} for the managed server: the source's firewall, network security groups, routes; "
        "then check again with datain_probe: true"
    )


def _judge(facts: Facts, answer: Answer) -> Outcome:
    code = answer.code
    # The number and the words of the innermost: what stands before is where and how often it was tried.
    words = re.split(r"[Mm]essage: ", answer.words)[-1].strip()[:300]
    if answer.reached and code not in _FAILURES:
        address = _SEEN_AS.search(words)
        return passed(f"it answers{f', and sees {address[1]}' if address and code else ''} ({words})")
    summary, remedy = _FAILURES.get(code, ("the way to the source fails", "{way}"))
    filled = remedy.format(
        way=_way(facts),
        account="set datain_replication_host to a pattern that has the address in it, and let the source's play run",
        name="set datain_link_host to a name that the managed server's network resolves, or to an address",
    )
    return failed(f"{code}: {words}" if code else words, summary=f"Not met: {summary}", remedy=filled)


def _from_replica(facts: Facts) -> Outcome:
    if facts.running:
        return passed("the replica receives")
    answer = facts.reach.replica
    if isinstance(answer, Unread):
        host, port = facts.desired.link_host or "<source>", facts.desired.link_port
        ways = [f"from a machine in the network of the managed server: nc -vz {host} {port}", *filter(None, [answer.remedy])]
        return unknown(f"whether the managed server reaches the source cannot be seen from here: {answer.reason}", "; or ".join(ways))
    return _judge(facts, answer)


def _from_controller(facts: Facts) -> Outcome:
    if facts.running:
        return passed("the replica receives")
    answer = facts.reach.controller
    return unknown(answer.reason, answer.remedy) if isinstance(answer, Unread) else _judge(facts, answer)


RULES: tuple[Rule, ...] = (
    Rule(
        "link.reachable_from_replica",
        "pair",
        "The managed server reaches the source",
        HOW_TO,
        _from_replica,
        ERROR,
        needs=("replica.channels",),
        needs_login=False,
    ),
    Rule(
        "link.reachable_from_controller",
        "pair",
        "The machine that speaks SQL reaches the source by the link's address: a second opinion, from another network than the replica's",
        HOW_TO,
        _from_controller,
        INFO,
        needs=("replica.channels",),
        needs_login=False,
    ),
)
