# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the rights of the two administrators, as SHOW GRANTS tells them."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ._binlog_plan import BinlogState, DesiredBinlog, outcomes
from ._facts import Facts, Side, on_rds
from ._procedures import BY_GTID, BY_POSITION, REMOVE, START, STOP
from ._rule import (
    ERROR,
    HOW_TO,
    LIMITATIONS,
    MANUAL,
    PASSED,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    listed,
    not_applicable,
)
from ._rules_binlog import is_azure
from ._sql import quote_identifier


def _rights(side: str, *wanted: tuple[str, ...], only_if: t.Callable[[Facts], str | None] = lambda facts: None) -> t.Callable[[Facts], Outcome]:
    """Rights that a login must have everywhere; of each group any one will do, and the first is named where none is there."""

    def evaluate(facts: Facts) -> Outcome:
        why_not = only_if(facts)
        if why_not:
            return not_applicable(why_not)
        return missing_rights(getattr(facts, side), wanted, facts.desired.schemas)

    return evaluate


def _dump(facts: Facts) -> Outcome:
    # What MySQL's client writes coordinates under is the lock of all tables.
    lock = ("LOCK TABLES", "RELOAD") if facts.source.is_mariadb else ("RELOAD", "FLUSH_TABLES")
    outcome = _rights("source", *_DUMP, lock, only_if=lambda facts: facts.why_nothing_is_loaded)(facts)
    if outcome.status == PASSED and not facts.source.is_mariadb and on_rds(facts.source.variables):
        return failed(
            f"basedir = {facts.source.value('basedir')}",
            severity=WARNING,
            summary="The source is a server of Amazon RDS, which takes FLUSH TABLES WITH READ LOCK from nobody (1045): a dump has no coordinates",
            remedy="datain_seed: external, with datain_link_coordinates of a copy that was made from a stopped read replica or a snapshot",
        )
    return outcome


def missing_rights(server: Side, wanted: t.Iterable[tuple[str, ...]], schemas: t.Sequence[str] = ()) -> Outcome:
    """Judge rights that must be held everywhere, where MySQL's partial revokes take nothing away in the schemas that count."""
    wanted = tuple(wanted)
    withheld = {right[0]: server.grants.withheld(schemas, *right) for right in wanted}
    lacking = [right[0] for right in wanted if not server.grants.has(*right) or withheld[right[0]]]
    told = [f"{name} on {', '.join(map(quote_identifier, withheld[name]))}" if withheld[name] else name for name in lacking]
    return check(
        not lacking,
        f"missing: {', '.join(told)}" if lacking else "all there",
        required=", ".join(" or ".join(right) for right in wanted),
        words={"rights": ", ".join(lacking)},
        **listed(lacking),
    )


def _source_monitor(facts: Facts) -> Outcome:
    return missing_rights(
        facts.source,
        ((*facts.source.dialect.monitor_privileges, *(() if facts.source.is_mariadb else ("SUPER",))), ("PROCESS",)),
    )


def _source_accounts(facts: Facts) -> Outcome:
    outcome = missing_rights(facts.source, (("CREATE USER",), (facts.source.dialect.replication_privilege,)))
    if outcome.status == "passed" and not facts.source.grants.may_grant:
        return failed("no right to grant", required="WITH GRANT OPTION", words={"rights": "REPLICATION SLAVE"})
    return outcome


def _source_settings(facts: Facts) -> Outcome:
    """An error only where the source's play has something to set: what is right already needs no right."""
    source, desired = facts.source, facts.desired
    wanted = DesiredBinlog(desired.retention, gtid=desired.method == "gtid")
    live = [found.name for found in outcomes(BinlogState(source.dialect, source.is_mariadb, dict(source.variables)), wanted) if found.change == "live"]
    outcome = missing_rights(source, ((source.dialect.variables_right, "SUPER"),))
    # A managed source is set by its control plane, whatever the rights.
    if outcome.status == PASSED or not live or is_azure(source):
        return outcome
    return replace(outcome, seen=f"{outcome.seen}; to be set: {', '.join(live)}", severity=ERROR)


def _replica_monitor(facts: Facts) -> Outcome:
    return missing_rights(facts.replica, (facts.replica.dialect.channel_privileges,))


def _replica_execute(facts: Facts) -> Outcome:
    procedures = facts.replica.procedures
    wanted = (START, STOP, REMOVE, BY_GTID if facts.method == "gtid" else BY_POSITION)
    closed = [procedures.full_name(name) for name in wanted if not facts.replica.grants.may_call(*procedures.full_name(name).split("."))]
    return check(not closed, required="EXECUTE ON mysql.*, or on each of these procedures", **listed(closed))


_DUMP: tuple[tuple[str, ...], ...] = (("SELECT",), ("SHOW VIEW",), ("TRIGGER",), ("EVENT",))
_LOAD: tuple[tuple[str, ...], ...] = tuple(
    (name,)
    for name in (
        "CREATE",
        "DROP",
        "ALTER",
        "INDEX",
        "REFERENCES",
        "INSERT",
        "SELECT",
        "LOCK TABLES",
        "CREATE VIEW",
        "CREATE ROUTINE",
        "ALTER ROUTINE",
        "TRIGGER",
        "EVENT",
    )
)
_GRANT = "GRANT {rights} ON *.* TO the login of the "

RULES: tuple[Rule, ...] = (
    Rule(
        "rights.source_status",
        "source",
        "The source's login may look at the log and at who reads it",
        MANUAL,
        _source_monitor,
        needs=("source.grants",),
        remedy=_GRANT + "source;",
    ),
    Rule(
        "rights.source_accounts",
        "source",
        "The source's login may create the account for the replica",
        HOW_TO,
        _source_accounts,
        needs=("source.grants",),
        remedy=_GRANT + "source WITH GRANT OPTION;",
    ),
    Rule(
        "rights.source_settings",
        "source",
        "The source's login may configure the binary log",
        HOW_TO,
        _source_settings,
        WARNING,
        needs=("source.grants",),
        remedy=_GRANT + "source; or set the log up by hand",
    ),
    Rule(
        "rights.source_dump",
        "source",
        "The source's login may read everything that a dump holds",
        MANUAL,
        _dump,
        needs=("source.grants", "replica.channels"),
        remedy=_GRANT + "source;",
    ),
    Rule(
        "rights.replica_status",
        "replica",
        "The managed server's administrator may look at the link",
        MANUAL,
        _replica_monitor,
        needs=("replica.grants",),
        remedy="log in as the administrator that was created with the server",
    ),
    Rule(
        "rights.replica_execute",
        "replica",
        "The managed server's administrator may call the service's procedures",
        LIMITATIONS,
        _replica_execute,
        needs=("replica.grants", "replica.procedures", "replica.channels"),
        remedy="log in as the administrator that was created with the server",
    ),
    Rule(
        "rights.replica_load",
        "replica",
        "The managed server's administrator may load the seed",
        LIMITATIONS,
        _rights("replica", *_LOAD, only_if=lambda facts: facts.why_nothing_is_loaded),
        needs=("replica.grants", "replica.channels"),
        remedy="log in as the administrator that was created with the server; it lacks {rights}",
    ),
)
