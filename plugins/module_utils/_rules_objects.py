# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about what lives beside the tables: definers, events, triggers, programs."""

from __future__ import annotations

from ._facts import FOLLOWS, Facts, Named
from ._rule import (
    HOW_TO,
    INFO,
    MANUAL,
    PAGE,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    named,
    not_applicable,
    passed,
    set_on_replica,
    unknown,
)
from ._sql import quote_identifier


def _definers(facts: Facts) -> Outcome:
    there = {f"{account.user}@{account.host}" for account in facts.replica.accounts}
    orphans = [group for group in facts.source.objects if group.definer not in there]
    who = ", ".join(sorted({group.definer for group in orphans}))
    return check(not orphans, who or None, **named(group.objects for group in orphans))


def _events(facts: Facts) -> Outcome:
    found = [group for group in facts.source.objects if group.kind == "event" and group.state.upper() == "ENABLED"]
    seen = f"event_scheduler on the replica: {facts.replica.value('event_scheduler')}" if found else None
    return check(not found, seen, **named(group.objects for group in found))


def _events_on_replica(facts: Facts) -> Outcome:
    """What an event changes on the source arrives as rows; where it runs on the replica too, that is done twice."""
    found, scheduler = facts.replica.enabled_events, facts.replica.value("event_scheduler")
    severity = None if facts.replica.on("event_scheduler") else WARNING
    off = {"off": facts.replica.dialect.event_off}
    return check(not found.count, f"{found.count} enabled, event_scheduler = {scheduler}", severity=severity, words=off, **named([found]))


def _triggers(facts: Facts) -> Outcome:
    """With rows in the log triggers run on the source only; their effects travel as rows."""
    found = [group for group in facts.source.objects if group.kind == "trigger"]
    if not found:
        return passed("none")
    name = "slave_run_triggers_for_rbr"
    twice = facts.replica.value(name, "NO").upper() not in ("NO", "OFF")
    statements = facts.source.value("binlog_format", "ROW").upper() != "ROW"
    if not twice and not statements:
        return passed("the log holds rows: triggers run on the source only")
    seen = f"{name} = {facts.replica.value(name)}" if twice else f"binlog_format = {facts.source.value('binlog_format')}"
    remedy = set_on_replica(facts, name, "NO") if twice else "SET GLOBAL binlog_format = 'ROW'; on the source, and in its option file"
    return failed(seen, remedy=remedy, **named(group.objects for group in found))


def _modes(facts: Facts) -> Outcome:
    """A load repeats the sql_mode that a routine, trigger or event was made with."""
    gone = facts.replica.dialect.removed_modes
    groups = [(group, gone & set(group.modes.upper().split(","))) for group in facts.source.objects]
    found = [group for group, modes in groups if modes]
    seen = ", ".join(sorted(set().union(*(modes for _group, modes in groups))))
    return check(not found, seen or "none", **named(group.objects for group in found))


def _in_mysql(facts: Facts) -> Outcome:
    found = facts.source.in_mysql
    kinds = ", ".join(sorted({kind for kind, _name in found.first}))
    return check(not found.count, kinds or "none", count=found.count, objects=tuple(f"{kind} {quote_identifier(name)}" for kind, name in found.first))


def _fixed_keys(facts: Facts) -> Outcome:
    if not facts.desired.service.fixed_keys:
        return not_applicable("this service's page does not forbid it")
    found = facts.source.refused.get(FOLLOWS, Named(0))
    if found.count:
        return failed("foreign keys that follow where such a value is changed: ON UPDATE CASCADE or SET NULL", **named([found]))
    return unknown(
        "whether a program changes the value of a primary key cannot be seen from here",
        "where one does: delete the row and insert it again with its new key",
    )


def _uses(facts: Facts) -> Outcome:
    """What the replica is for cannot be seen: where the page advises against a use, that is said to whoever knows it."""
    unsuited = ", ".join(facts.desired.service.unsuited)
    return check(not unsuited, unsuited or "none", summary=f"Read before use: this service is not meant for {unsuited}" if unsuited else None)


RULES: tuple[Rule, ...] = (
    Rule(
        "schema.definers",
        "pair",
        "The definers of views, routines, triggers and events exist on the replica",
        PAGE,
        _definers,
        WARNING,
        needs=("source.objects", "replica.accounts"),
        required="accounts are not replicated",
        remedy="create the accounts on the replica too, or the objects fail there with 1449 when they are used",
    ),
    Rule(
        "schema.events",
        "pair",
        "No event would run on both sides",
        MANUAL,
        _events,
        WARNING,
        needs=("source.objects",),
        required="none enabled on the replica before the cutover",
        remedy="onboard loads events as DISABLE ON SLAVE; after any other load: ALTER EVENT <name> DISABLE ON SLAVE; on the replica",
    ),
    Rule(
        "replica.events",
        "replica",
        "No event runs on the replica by itself",
        MANUAL,
        _events_on_replica,
        needs=("replica.enabled_events",),
        required="none enabled",
        remedy="ALTER EVENT <name> {off}; on the replica, until it takes over",
    ),
    Rule("schema.triggers", "pair", "Triggers do their work once", MANUAL, _triggers, WARNING, needs=("source.objects",)),
    Rule(
        "schema.sql_modes",
        "pair",
        "The replica knows the sql_mode of every routine, trigger and event",
        MANUAL,
        _modes,
        WARNING,
        needs=("source.objects",),
        required="without the modes that the replica's version has removed (1231)",
        remedy="create them again without these modes; onboard's own seed leaves them out",
    ),
    Rule(
        "schema.in_mysql",
        "source",
        "Users have made nothing in the schema mysql, which is not taken over",
        HOW_TO,
        _in_mysql,
        WARNING,
        needs=("source.in_mysql",),
        required="no routine there, no function of a library, no server of FEDERATED tables",
        remedy="make routines again in a schema that is taken over; do without libraries and FEDERATED tables, which a managed server does not have",
    ),
    Rule(
        "advice.primary_key_values",
        "source",
        "No program changes the value of a primary key",
        PAGE,
        _fixed_keys,
        WARNING,
        needs=("source.refused",),
        required="delete the row and insert it again",
        remedy="where a program changes one: delete the row and insert it again with its new key",
    ),
    Rule(
        "advice.use",
        "pair",
        "The service's page advises against no use of the replica",
        PAGE,
        _uses,
        INFO,
        needs_login=False,
        remedy="nothing, if the replica is for none of these; else use another service",
    ),
)
