# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about what is replicated: schemas and tables."""

from __future__ import annotations

import typing as t

from ._facts import AUTO_INCREMENT, COMPRESSED, PARTITIONED, RESERVED, ROW_ID, SHOWN, STRANGE_COLLATION, WIDE, Facts, TableGroup
from ._model import MARIADB
from ._rule import (
    HOW_TO,
    INFO,
    LIMITATIONS,
    MANUAL,
    PAGE,
    SERVER_PARAMETERS,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    listed,
    named,
    not_applicable,
    on_both,
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
        # Rows can be applied to a table that somebody else has loaded as InnoDB.
        severity = None if facts.desired.loads else WARNING
        return failed(seen, words={"table": _example(foreign)}, severity=severity, **named(group.tables for group in foreign))
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


def _of(facts: Facts, trait: str) -> list[TableGroup]:
    return _tables(facts, lambda group: trait in group.traits)


def _found(groups: list[TableGroup], seen: str | None = None, **more: t.Any) -> Outcome:
    """Fail with tables; pass where there are none."""
    return check(not groups, seen if groups else "none", words={"table": _example(groups)}, **named(group.tables for group in groups), **more)


def _key_required(facts: Facts) -> Outcome:
    name = "sql_require_primary_key"
    if not facts.replica.on(name):
        return passed(f"{name} = {facts.replica.value(name, 'not there')}")
    return _found(
        _tables(facts, lambda group: not group.keyed),
        f"{name} = ON",
        severity=WARNING if facts.why_nothing_is_loaded else None,
        remedy=set_on_replica(facts, name, "OFF"),
    )


# What a server that makes invisible keys says to a table without a key that has one of these.
_NO_INVISIBLE_KEY = {AUTO_INCREMENT: 4109, ROW_ID: 4108, PARTITIONED: 1235}


def _no_invisible_key(facts: Facts) -> Outcome:
    name = "sql_generate_invisible_primary_key"
    if not facts.replica.on(name):
        return passed(f"{name} = {facts.replica.value(name, 'not there')}")
    found = _tables(facts, lambda group: not group.keyed and bool(group.traits & set(_NO_INVISIBLE_KEY)))
    codes = sorted({str(code) for group in found for trait, code in _NO_INVISIBLE_KEY.items() if trait in group.traits})
    # The seed switches the making off for its own session, where the administrator has a right to.
    off = facts.replica.grants.has("SESSION_VARIABLES_ADMIN", "SYSTEM_VARIABLES_ADMIN", "SUPER")
    return _found(
        found,
        f"{name} = ON: {', '.join(codes)}",
        severity=WARNING if off or facts.why_nothing_is_loaded else None,
        remedy=set_on_replica(facts, name, "OFF"),
    )


def _invisible_key(facts: Facts) -> Outcome:
    name = "sql_generate_invisible_primary_key"
    if not facts.replica.on(name):
        return passed(f"{name} = {facts.replica.value(name, 'not there')}")
    found = _tables(facts, lambda group: not group.keyed)
    return check(not found, f"{name} = ON", remedy=set_on_replica(facts, name, "OFF"), **named(group.tables for group in found))


def _collations(facts: Facts) -> Outcome:
    strange = _tables(facts, lambda group: bool(group.collation) and not facts.replica.abilities.knows_collation(str(group.collation)))
    seen = ", ".join(sorted({str(group.collation) for group in strange}))
    return check(not strange, seen or None, words={"table": _example(strange)}, **named(group.tables for group in strange))


def _column_collations(facts: Facts) -> Outcome:
    return _found(_of(facts, STRANGE_COLLATION))


def _default_collations(facts: Facts) -> Outcome:
    """What a dump repeats beside the tables: the defaults of schemas, and what triggers, routines, views and events were made with."""
    known = facts.replica.abilities.knows_collation
    schemas = {name: collation for name, collation in facts.source.schemas.items() if collation and not known(collation)}
    wanted = {name: collation for name, collation in schemas.items() if not facts.desired.schemas or name in facts.desired.schemas}
    groups = [group for group in facts.source.objects if group.collation and not known(group.collation)]
    pairs = sorted([(name,) for name in wanted] + [pair for group in groups for pair in group.objects.first])[:SHOWN]
    seen = ", ".join(sorted({*wanted.values(), *(group.collation for group in groups)}))
    return check(
        not wanted and not groups,
        seen or None,
        objects=tuple(".".join(map(quote_identifier, pair)) for pair in pairs),
        count=len(wanted) + sum(group.objects.count for group in groups),
    )


def _compressed(facts: Facts) -> Outcome:
    if not facts.source.dialect.table_options:
        return not_applicable("this flavour would open every table to tell")
    return _found(_of(facts, COMPRESSED), "ROW_FORMAT = COMPRESSED")


def _row_size(facts: Facts) -> Outcome:
    pages = [side.number("innodb_page_size") for side in on_both(facts)]
    stricter = facts.replica.on("innodb_strict_mode") and not facts.source.on("innodb_strict_mode")
    if not stricter and pages[1] >= pages[0]:
        return passed("the replica is not stricter than the source, and has pages as large")
    seen = "innodb_strict_mode: source OFF, replica ON" if stricter else f"innodb_page_size: source {pages[0]}, replica {pages[1]}"
    return _found(_of(facts, WIDE), seen, severity=WARNING if facts.why_nothing_is_loaded else None)


def _reserved(facts: Facts) -> Outcome:
    groups = [group.tables for group in facts.source.tables if RESERVED in group.traits]
    groups += [group.objects for group in facts.source.objects if group.reserved]
    return check(not groups, **named(groups))


def _mariadb_only(facts: Facts) -> Outcome:
    if facts.desired.service.flavour == MARIADB:
        return not_applicable("the replica is a MariaDB server")
    tables = [group for group in facts.source.tables if group.kind in ("SEQUENCE", "SYSTEM VERSIONED")]
    packages = [group for group in facts.source.objects if group.kind.startswith("package")]
    seen = ", ".join(sorted({group.kind.lower() for group in (*tables, *packages)}))
    return check(not seen, seen or None, **named([*(group.tables for group in tables), *(group.objects for group in packages)]))


def _history(facts: Facts) -> Outcome:
    why_not = facts.why_nothing_is_loaded
    if why_not:
        return not_applicable(why_not)
    found = [group.tables for group in facts.source.tables if group.kind == "SYSTEM VERSIONED"]
    return check(not found, **named(found))


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
        HOW_TO,
        _system,
        required="the user's schemas only",
        remedy="take it out of datain_schemas: the managed server does not replicate it",
    ),
    Rule(
        "schema.history",
        "source",
        "No table keeps earlier versions of its rows, which a dump leaves out",
        MANUAL,
        _history,
        WARNING,
        needs=("source.tables", "replica.channels"),
        remedy="nothing if the history may begin anew on the replica; else load it yourself (mariadb-dump --dump-history), with datain_seed: external",
    ),
    Rule(
        "schema.engines",
        "source",
        "All tables are InnoDB",
        LIMITATIONS,
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
        MANUAL,
        _invisible_key,
        WARNING,
        needs=("source.tables",),
        required="sql_generate_invisible_primary_key = OFF, or primary keys on the source:"
        " a key added later would stop the link (1068, 1075), a load may (4109)",
    ),
    Rule(
        "schema.no_invisible_key",
        "pair",
        "No table is one for which the replica fails to make an invisible primary key",
        MANUAL,
        _no_invisible_key,
        needs=("source.tables", "replica.grants", "replica.channels"),
        required="sql_generate_invisible_primary_key = OFF, or primary keys: a column that counts by itself is 4109, one named my_row_id 4108, partitions 1235",
        remedy="ALTER TABLE {table} ADD PRIMARY KEY (<columns>);",
    ),
    Rule(
        "schema.primary_key_required",
        "pair",
        "The replica does not refuse tables without a primary key that the source has",
        MANUAL,
        _key_required,
        needs=("source.tables", "replica.channels"),
        required="sql_require_primary_key = OFF, or primary keys (3750)",
        remedy="set sql_require_primary_key = OFF on the replica",
    ),
    Rule(
        "schema.row_size",
        "pair",
        "No row may be longer than the replica takes",
        SERVER_PARAMETERS,
        _row_size,
        needs=("source.tables", "replica.channels"),
        required="rows within half a page of the replica: the load fails with 1118, or without innodb_strict_mode a row may",
        remedy="ALTER TABLE {table} MODIFY … TEXT; for some long columns, or move some to another table",
    ),
    Rule(
        "schema.compressed",
        "source",
        "No table is stored compressed",
        LIMITATIONS,
        _compressed,
        INFO,
        needs=("source.tables",),
        remedy="nothing if the load takes it; else ALTER TABLE {table} ROW_FORMAT = DYNAMIC;",
    ),
    Rule(
        "schema.reserved_words",
        "pair",
        "No name is a word that the replica's version reserves",
        MANUAL,
        _reserved,
        WARNING,
        needs=("source.tables", "source.objects"),
        required="names in quotes wherever statements, views and routines use them",
        remedy="put the name in quotes in all programs, views and routines, or give it another one",
    ),
    Rule(
        "schema.collations",
        "pair",
        "The replica knows the collations of all tables",
        MANUAL,
        _collations,
        needs=("source.tables", "replica.abilities"),
        remedy="ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
    ),
    Rule(
        "schema.column_collations",
        "pair",
        "The replica knows the collations of all columns",
        MANUAL,
        _column_collations,
        needs=("source.tables", "source.abilities", "replica.abilities"),
        remedy="ALTER TABLE {table} MODIFY <column> … COLLATE utf8mb4_unicode_ci;",
    ),
    Rule(
        "schema.default_collations",
        "pair",
        "The replica knows the default collations of all schemas, and those that views, routines, triggers and events were made with",
        MANUAL,
        _default_collations,
        needs=("source.schemas", "source.objects", "replica.abilities"),
        remedy="ALTER DATABASE <schema> COLLATE utf8mb4_unicode_ci; and create the objects again with a collation that both know",
    ),
    Rule(
        "schema.mariadb_only",
        "source",
        "There are no objects that only MariaDB has",
        MANUAL,
        _mariadb_only,
        needs=("source.tables", "source.objects"),
        remedy="drop them, or choose a MariaDB service",
    ),
)
