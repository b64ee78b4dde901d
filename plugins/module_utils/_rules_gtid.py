# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about GTIDs."""

from __future__ import annotations

import re
import typing as t

from ._facts import Facts
from ._rule import (
    HOW_TO,
    MANUAL,
    MEASURED,
    WARNING,
    Outcome,
    Rule,
    check,
    listed,
    not_applicable,
    on_both,
    set_on_replica,
)

# MySQL's table of modes that replicate with each other: source's to replica's.
_MODES: dict[str, frozenset[str]] = {
    "OFF": frozenset(("OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE")),
    "OFF_PERMISSIVE": frozenset(("OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE")),
    "ON_PERMISSIVE": frozenset(("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")),
    "ON": frozenset(("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")),
}


def _modes_text(facts: Facts) -> str:
    return f"gtid_mode: source {facts.source.value('gtid_mode')}, replica {facts.replica.value('gtid_mode')}"


def _no_gtid_mode(facts: Facts) -> Outcome | None:
    if not all("gtid_mode" in side.variables for side in on_both(facts)):
        return not_applicable("this flavour has no gtid_mode")
    return None


def _modes(facts: Facts) -> Outcome:
    source, replica = (side.value("gtid_mode").upper() for side in on_both(facts))
    # One step at a time; it cannot be undone on the managed server.
    remedy = "one after the other: " + "; ".join(
        set_on_replica(facts, "gtid_mode", mode) for mode in (("OFF_PERMISSIVE",) if replica == "OFF" else ("ON_PERMISSIVE",))
    )
    if replica == "ON":
        remedy = "on the source, one after the other: " + " ".join(f"SET GLOBAL gtid_mode = {mode};" for mode in ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"))
    return _no_gtid_mode(facts) or check(replica in _MODES.get(source, ()), _modes_text(facts), remedy=remedy)


def _gtid_only(evaluate: t.Callable[[Facts], Outcome]) -> t.Callable[[Facts], Outcome]:
    def guarded(facts: Facts) -> Outcome:
        if facts.method != "gtid":
            return not_applicable("the link is by position")
        return _no_gtid_mode(facts) or evaluate(facts)

    return guarded


def _mode_on(facts: Facts) -> Outcome:
    return check(all(side.value("gtid_mode").upper() == "ON" for side in on_both(facts)), _modes_text(facts))


def _consistency(facts: Facts) -> Outcome:
    found = [side.value("enforce_gtid_consistency").upper() for side in on_both(facts)]
    return check(found == ["ON", "ON"], f"source {found[0]}, replica {found[1]}")


def parse_gtids(text: str) -> dict[str, list[tuple[int, int]]]:
    """Parse a MySQL GTID set into intervals by uuid (and tag)."""
    found: dict[str, list[tuple[int, int]]] = {}
    for part in re.sub(r"\s", "", text).split(","):
        names, numbers = [], []
        for word in part.split(":"):
            match = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
            if match:
                numbers.append((int(match[1]), int(match[2] or match[1])))
            elif word:
                names.append(word.lower())
        if names and numbers:
            found.setdefault(":".join(names), []).extend(numbers)
    return found


def gtids_missing(wanted: str, had: str) -> dict[str, int]:
    """Return how many transactions of one set another one lacks, by uuid."""
    have = parse_gtids(had)
    lacking: dict[str, int] = {}
    for name, intervals in parse_gtids(wanted).items():
        owned = sorted(have.get(name, []))
        for first, last in intervals:
            missing, at = 0, first
            for begin, end in owned:
                if end < at or begin > last:
                    continue
                missing += max(0, begin - at)
                at = max(at, end + 1)
            missing += max(0, last - at + 1)
            if missing:
                lacking[name] = lacking.get(name, 0) + missing
    return lacking


def _counts(lacking: dict[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in sorted(lacking.items())) or "none"


def _purged_gap(facts: Facts) -> Outcome:
    if not facts.linked:
        return not_applicable("the GTIDs of the replica are aligned after the seed")
    lacking = gtids_missing(facts.source.value("gtid_purged"), facts.replica.value("gtid_executed"))
    return check(not lacking, f"purged and not applied: {_counts(lacking)}", **listed(lacking))


def _errant(facts: Facts) -> Outcome:
    if not facts.linked:
        return not_applicable("the GTIDs of the replica are aligned after the seed")
    extra = gtids_missing(facts.replica.value("gtid_executed"), facts.source.value("gtid_executed"))
    # What arrived between the two reads is the source's own.
    extra.pop((facts.source.identity.server_uuid or "").lower(), None)
    return check(not extra, f"only on the replica: {_counts(extra)}", **listed(extra))


def _offered(facts: Facts) -> Outcome:
    """The older pages know positions only; what came to their services later, and to which, is the severity."""
    if facts.method != "gtid":
        return not_applicable("the link is by position")
    service = facts.desired.service
    return check(service.gtid_link == "info", "by GTID")


def parse_positions(text: str) -> dict[int, tuple[int, int]]:
    """Parse a MariaDB GTID position into server id and sequence number by domain."""
    found = (part.strip().split("-") for part in text.split(",") if part.strip())
    return {int(domain): (int(server), int(number)) for domain, server, number in found}


def _own_events(facts: Facts) -> Outcome:
    """What the replica wrote by itself in a domain of the source's, beyond the source's own numbers."""
    replica = facts.replica
    if not replica.is_mariadb or facts.method != "gtid":
        return not_applicable("only a MariaDB link by GTID meets it")
    theirs = parse_positions(facts.source.value("gtid_binlog_pos"))
    mine = parse_positions(replica.value("gtid_binlog_pos"))
    ahead = [
        f"{domain}-{server}-{number}"
        for domain, (server, number) in sorted(mine.items())
        if server == replica.identity.server_id and domain in theirs and number > theirs[domain][1]
    ]
    strict = replica.on("gtid_strict_mode")
    return check(
        not ahead,
        f"gtid_binlog_pos = {replica.value('gtid_binlog_pos') or 'empty'}, gtid_strict_mode = {replica.value('gtid_strict_mode')}",
        severity=None if strict else WARNING,
        **listed(ahead),
    )


RULES: tuple[Rule, ...] = (
    Rule("gtid.modes", "pair", "The GTID modes of both servers go together", MANUAL, _modes),
    Rule(
        "gtid.mode",
        "pair",
        "A link by GTID finds GTIDs on both sides",
        HOW_TO,
        _gtid_only(_mode_on),
        needs=("replica.channels",),
        required="gtid_mode = ON on both",
        remedy="on each, one after the other: OFF_PERMISSIVE, ON_PERMISSIVE, ON; or datain_link_method: position",
    ),
    Rule(
        "gtid.offered",
        "replica",
        "A link by GTID goes to a service that offers it",
        HOW_TO,
        _offered,
        "gtid_link",
        needs=("replica.channels",),
        required="datain_link_method: position",
        remedy="datain_link_method: position; or see that the managed server has the procedure (5.7 or 8.0, storage up to 16 TB)",
    ),
    Rule(
        "gtid.own_events",
        "pair",
        "The replica has written nothing in the source's domain that is ahead of the source",
        MEASURED,
        _own_events,
        needs=("replica.channels",),
        required="gtid_binlog_pos of the replica not ahead of the source's (1947, 1950)",
        remedy="set gtid_strict_mode = OFF on the replica, or use a managed server that nobody has written to",
    ),
    Rule(
        "gtid.consistency",
        "pair",
        "A link by GTID finds both servers refusing what has no GTID",
        HOW_TO,
        _gtid_only(_consistency),
        needs=("replica.channels",),
        required="enforce_gtid_consistency = ON on both",
        remedy="SET GLOBAL enforce_gtid_consistency = ON; first WARN, then ON",
    ),
    Rule(
        "gtid.purged_gap",
        "pair",
        "The source has not purged what the replica lacks",
        MANUAL,
        _gtid_only(_purged_gap),
        needs=("replica.channels",),
        remedy="seed again: the transactions are gone (1236)",
    ),
    Rule(
        "gtid.errant",
        "pair",
        "The replica has no transactions of its own",
        MANUAL,
        _gtid_only(_errant),
        WARNING,
        needs=("replica.channels",),
        remedy="nothing for this link; a link in the other direction would need them in the replica's log",
    ),
)
