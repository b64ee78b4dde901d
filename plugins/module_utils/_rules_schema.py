# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about what is replicated: schemas and tables."""

from __future__ import annotations

import typing as t

from ._facts import Facts, TableGroup
from ._model import MARIADB
from ._rule import (
    HOW_TO,
    LIMITATIONS,
    MANUAL,
    PAGE,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    listed,
    named,
    not_applicable,
    passed,
    set_on_replica,
)
from ._server import is_system_schema
from ._sql import quote_identifier

# Takes part in nothing that a managed server does, but loses its rows at a restart, so the two sides drift apart.
_MEMORY = "MEMORY"


def _tables(facts: Facts, which: t.Callable[[TableGroup], bool]) -> list[TableGroup]:
    return [group for group in facts.source.tables if group.holds_rows and which(group)]


def _example(groups: t.Iterable[TableGroup]) -> str:
    """Return the first of some tables, quoted for a command."""
    first = min((pair for group in groups for pair in group.tables.first), default=("schema", "table"))
    return ".".join(quote_identifier(part) for part in first)


def _requested(facts: Facts) -> Outcome:
    wanted = facts.desired.schemas
    if not wanted:
        return check(
            bool(facts.source.schemas),
            f"{len(facts.source.schemas)} schemas",
            summary="The source has no schema of a user",
        )
    folded = facts.source.number("lower_case_table_names")
    have = {name.lower() if folded else name for name in facts.source.schemas}
    absent = [name for name in wanted if (name.lower() if folded else name) not in have]
    return check(not absent, ", ".join(wanted), **listed(map(quote_identifier, absent)))


def _system(facts: Facts) -> Outcome:
    found = [name for name in facts.desired.schemas if is_system_schema(name)]
    return check(not found, ", ".join(found) or "none", **listed(map(quote_identifier, found)))


def _engines(facts: Facts) -> Outcome:
    foreign = _tables(facts, lambda group: group.engine is not None and group.engine.upper() not in ("INNODB", _MEMORY))
    if foreign:
        seen = ", ".join(sorted({str(group.engine) for group in foreign}))
        return failed(seen, words={"table": _example(foreign)}, **named(group.tables for group in foreign))
    unsaid = _tables(facts, lambda group: group.engine is None)
    if unsaid:
        return Outcome(
            "unknown",
            summary="the server cannot say which engine some tables have: they are locked or damaged",
            **named(g.tables for g in unsaid),
        )
    return passed("InnoDB")


def _memory(facts: Facts) -> Outcome:
    found = _tables(facts, lambda group: (group.engine or "").upper() == _MEMORY)
    return check(
        not found,
        _MEMORY if found else "none",
        words={"table": _example(found)},
        **named(group.tables for group in found),
    )


def _primary_key(facts: Facts) -> Outcome:
    found = _tables(facts, lambda group: not group.keyed)
    return check(not found, words={"table": _example(found)}, **named(group.tables for group in found))


def _invisible_key(facts: Facts) -> Outcome:
    name = "sql_generate_invisible_primary_key"
    if not facts.replica.on(name):
        return passed(f"{name} = {facts.replica.value(name, 'not there')}")
    found = _tables(facts, lambda group: not group.keyed)
    return check(not found, f"{name} = ON", remedy=set_on_replica(facts, name, "OFF"), **named(group.tables for group in found))


def _collations(facts: Facts) -> Outcome:
    strange = _tables(facts, lambda group: bool(group.collation) and group.collation not in facts.replica.collations)
    seen = ", ".join(sorted({str(group.collation) for group in strange}))
    return check(not strange, seen or None, words={"table": _example(strange)}, **named(group.tables for group in strange))


def _mariadb_only(facts: Facts) -> Outcome:
    if facts.desired.service.flavour == MARIADB:
        return not_applicable("the replica is a MariaDB server")
    found = [group for group in facts.source.tables if group.kind in ("SEQUENCE", "SYSTEM VERSIONED")]
    seen = ", ".join(sorted({group.kind.lower() for group in found}))
    return check(not found, seen or None, **named(group.tables for group in found))


RULES: tuple[Rule, ...] = (
    Rule(
        "schema.requested",
        "source",
        "The schemas to take over are there",
        HOW_TO,
        _requested,
        WARNING,
        needs=("source.schemas",),
        remedy="correct datain_schemas, or make the schema on the source",
    ),
    Rule(
        "schema.system",
        "source",
        "No schema of the server itself is to be taken over",
        PAGE,
        _system,
        required="the user's schemas only",
        remedy="take it out of datain_schemas: the managed server does not replicate it",
    ),
    Rule(
        "schema.engines",
        "source",
        "All tables are InnoDB",
        PAGE,
        _engines,
        needs=("source.tables",),
        required="InnoDB",
        remedy="ALTER TABLE {table} ENGINE = InnoDB;",
    ),
    Rule(
        "schema.memory_tables",
        "source",
        "No table is kept in memory only",
        LIMITATIONS,
        _memory,
        WARNING,
        needs=("source.tables",),
        required="InnoDB",
        remedy="ALTER TABLE {table} ENGINE = InnoDB; or accept that a restart of either side empties one of them",
    ),
    Rule(
        "schema.no_primary_key",
        "source",
        "Every table has a primary key",
        PAGE,
        _primary_key,
        "primary_key",
        needs=("source.tables",),
        required="a PRIMARY KEY; a UNIQUE NOT NULL column is none",
        remedy="ALTER TABLE {table} ADD PRIMARY KEY (<columns>);",
    ),
    Rule(
        "schema.generated_invisible_primary_key",
        "pair",
        "The replica adds no invisible primary keys to tables without one",
        PAGE,
        _invisible_key,
        WARNING,
        needs=("source.tables",),
        required="sql_generate_invisible_primary_key = OFF, or primary keys on the source:"
        " a key added later would stop the link (1068, 1075), a load may (4109)",
    ),
    Rule(
        "schema.collations",
        "pair",
        "The replica knows the collations of all tables",
        MANUAL,
        _collations,
        needs=("source.tables", "replica.collations"),
        remedy="ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
    ),
    Rule(
        "schema.mariadb_only",
        "source",
        "There are no objects that only MariaDB has",
        MANUAL,
        _mariadb_only,
        needs=("source.tables",),
        remedy="drop them, or choose a MariaDB service",
    ),
)
