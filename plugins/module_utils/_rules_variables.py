# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about variables that should be alike."""

from __future__ import annotations

import re
import typing as t

from ._facts import Facts, Side
from ._rule import (
    ERROR,
    HOW_TO,
    INFO,
    LIMITATIONS,
    MANUAL,
    SERVER_PARAMETERS,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    not_applicable,
    on_both,
    passed,
    set_on_replica,
    set_on_source,
)

_OLD_UTF8 = re.compile(r"^utf8(_|$)")


def _normal(name: str, side: Side) -> str:
    """Return a variable in a form in which two servers can be compared."""
    value = side.value(name)
    if name == "sql_mode":
        return ",".join(sorted(part for part in value.upper().split(",") if part and part != "NO_AUTO_CREATE_USER"))
    if name == "time_zone":
        zone = side.value("system_time_zone") if value.upper() == "SYSTEM" else value
        return "UTC" if zone.upper() in ("UTC", "+00:00", "GMT", "ETC/UTC", "UNIVERSAL") else zone
    if name in ("character_set_server", "collation_server"):
        return _OLD_UTF8.sub(r"utf8mb3\1", value)
    return value.upper()


def _alike(*names: str) -> t.Callable[[Facts], Outcome]:
    """One variable, under the first of its names that each server has."""

    def evaluate(facts: Facts) -> Outcome:
        found = [next((name for name in names if name in side.variables), None) for side in on_both(facts)]
        if found[0] is None or found[1] is None:
            return not_applicable(f"one of the servers has no {names[0]}")
        one, two = facts.source.value(found[0]), facts.replica.value(found[1])
        right = _normal(found[0], facts.source) == _normal(found[1], facts.replica)
        return check(right, f"source {one!r}, replica {two!r}", required="equal", remedy=set_on_replica(facts, found[1], one))

    return evaluate


def _packet(facts: Facts) -> Outcome:
    source = facts.source.number("max_allowed_packet")
    # What takes a statement in, and what takes an event in; only the smaller one matters.
    names = [name for name in ("max_allowed_packet", "slave_max_allowed_packet", "replica_max_allowed_packet") if name in facts.replica.variables]
    name = min(names, key=facts.replica.number, default="max_allowed_packet")
    replica = facts.replica.number(name)
    remedy = set_on_replica(facts, name, str(source))
    return check(
        replica >= source,
        f"source {source}, replica {replica} ({name})",
        required=f"at least {source} on the replica",
        remedy=remedy,
    )


def _zones(facts: Facts) -> Outcome:
    there = [f"{name} {'knows' if side.abilities.zones else 'lacks'} them" for name, side in zip(("source", "replica"), on_both(facts))]
    return check(facts.replica.abilities.zones or not facts.source.abilities.zones, ", ".join(there))


# Seconds that two clocks may differ by before anybody notices; reading them takes a part of it.
APART = 10


def _clock(facts: Facts) -> Outcome:
    seconds = facts.replica.abilities.clock - facts.source.abilities.clock
    return check(abs(seconds) < APART, f"the replica's clock is {seconds:+.0f} s from the source's", required=f"less than {APART} s apart")


def _lower_case(facts: Facts) -> Outcome:
    source, replica = (side.value("lower_case_table_names") for side in on_both(facts))
    fixed = facts.replica.version >= (8, 0, 0) and not facts.replica.is_mariadb
    remedy = (
        f"create the managed server with lower_case_table_names = {source}: it cannot be changed later, and 0 is not offered"
        if fixed
        else set_on_replica(facts, "lower_case_table_names", source)
    )
    return check(source == replica, f"source {source}, replica {replica}", required="equal", remedy=remedy)


def _trust(facts: Facts) -> Outcome:
    """Error 1419: an administrator without SUPER may not create functions and triggers while the log is on."""
    replica = facts.replica
    makers = [group for group in facts.source.objects if group.kind in ("function", "trigger")]
    count = sum(group.objects.count for group in makers)
    if not makers:
        return not_applicable("the source has no functions and no triggers")
    if not replica.on("log_bin") or replica.on("log_bin_trust_function_creators"):
        return passed(f"log_bin_trust_function_creators = {replica.value('log_bin_trust_function_creators')}")
    if replica.grants.has("SUPER"):
        return passed("the administrator has SUPER")
    return failed(
        f"log_bin_trust_function_creators = OFF, {count} functions and triggers to create",
        severity=ERROR if facts.desired.loads and not facts.linked else WARNING,
        remedy=set_on_replica(facts, "log_bin_trust_function_creators", "ON"),
    )


def _default_engine(facts: Facts) -> Outcome:
    name = "default_storage_engine"
    value = facts.source.value(name, "InnoDB")
    return check(value.upper() == "INNODB", value, remedy=set_on_source(facts, name, "InnoDB"))


RULES: tuple[Rule, ...] = (
    Rule("variables.lower_case_table_names", "pair", "Names of tables mean the same on both sides", HOW_TO, _lower_case),
    Rule(
        "variables.max_allowed_packet",
        "pair",
        "The replica takes packets as large as the source's",
        HOW_TO,
        _packet,
        WARNING,
    ),
    Rule(
        "variables.log_bin_trust_function_creators",
        "pair",
        "Functions and triggers can be created on the replica without SUPER",
        SERVER_PARAMETERS,
        _trust,
        WARNING,
        needs=("source.objects", "replica.grants", "replica.channels"),
        required="log_bin_trust_function_creators = ON",
    ),
    *(
        Rule(f"variables.{names[0]}", "pair", f"Both sides have the same {names[0]}", document, _alike(*names), WARNING)
        for names, document in (
            (("sql_mode",), MANUAL),
            (("time_zone",), MANUAL),
            (("character_set_server",), HOW_TO),
            (("collation_server",), HOW_TO),
            (("explicit_defaults_for_timestamp",), MANUAL),
            (("transaction_isolation", "tx_isolation"), MANUAL),
            (("innodb_strict_mode",), SERVER_PARAMETERS),
            (("innodb_page_size",), MANUAL),
        )
    ),
    Rule(
        "variables.default_storage_engine",
        "source",
        "A table that is made without an engine is InnoDB",
        LIMITATIONS,
        _default_engine,
        WARNING,
        required="InnoDB: a table of another engine has no part in a snapshot, and its changes none in transactions",
    ),
    Rule(
        "variables.time_zone_tables",
        "pair",
        "The replica knows time zones by name, if the source does",
        SERVER_PARAMETERS,
        _zones,
        WARNING,
        needs=("source.abilities", "replica.abilities"),
        required="loaded time zone tables: a statement that names a zone stops the link without them (1298)",
        remedy="CALL mysql.az_load_timezone(); on the managed server, then restart it",
    ),
    Rule(
        "variables.clock",
        "pair",
        "The clocks of both servers agree",
        MANUAL,
        _clock,
        INFO,
        needs=("source.abilities", "replica.abilities"),
        remedy="see that both machines get their time from a time server: lags and the times of events are judged by it",
    ),
)
