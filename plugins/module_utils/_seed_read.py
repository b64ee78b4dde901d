# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Reads what the decision about a seed depends on."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ._seed_plan import SeedCurrent, SeedDesired, SeedFacts, Table, settled
from ._server import Server, is_system_schema
from ._state import Records


def read_seed(
    source: Server,
    replica: Server,
    desired: SeedDesired,
    *,
    records: dict[str, dict[str, t.Any]] | None = None,
    channels: int | None = None,
) -> SeedCurrent:
    """Read what the decision needs; nothing more than two statements where the seed is complete.

    :param records: the rows kept beside the data, where the caller has read them already
    :param channels: the number of channels, likewise
    """
    store = Records(replica)
    if records is None:
        records = store.read()
    if channels is None:
        channels = len(replica.channels())
    current = SeedCurrent(
        flavours=(source.flavour, replica.flavour),
        source=source.identity,
        replica=replica.identity,
        channels=channels,
        records=records,
        not_writable=store.refusal(channels),
    )
    if settled(current, desired) is not None:
        return current
    return replace(current, facts=_read_facts(source, replica, desired))


def _marks(values: t.Sequence[t.Any]) -> str:
    return ", ".join(["%s"] * len(values))


def user_schemas(server: Server) -> dict[str, tuple[str, str]]:
    rows = server.connection.rows(
        "SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation_name"
        " FROM information_schema.SCHEMATA",
        step="list the schemas",
    )
    return {row["name"]: (row["charset"], row["collation_name"]) for row in rows if not is_system_schema(row["name"])}


def read_tables(server: Server, schemas: t.Sequence[str]) -> tuple[Table, ...]:
    if not schemas:
        return ()
    rows = server.connection.rows(
        "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n, TABLE_TYPE AS kind, ENGINE AS engine, COALESCE(DATA_LENGTH, 0) AS size"
        f" FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({_marks(schemas)})",
        schemas,
        step="list the tables",
        patience=300,
    )
    names = set(schemas)
    return tuple(Table(row["s"], row["n"], row["kind"], row["engine"], int(row["size"])) for row in rows if row["s"] in names)


def read_programs(server: Server, schemas: t.Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    if not schemas:
        return ()
    marks = _marks(schemas)
    rows = server.connection.rows(
        f"SELECT LOWER(ROUTINE_TYPE) AS kind, ROUTINE_SCHEMA AS s, ROUTINE_NAME AS n FROM information_schema.ROUTINES"
        f" WHERE ROUTINE_SCHEMA IN ({marks})"
        f" UNION ALL SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA IN ({marks})"
        f" UNION ALL SELECT 'event', EVENT_SCHEMA, EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN ({marks})",
        [*schemas, *schemas, *schemas],
        step="list routines, triggers and events",
        patience=300,
    )
    names = set(schemas)
    return tuple((row["kind"], row["s"], row["n"]) for row in rows if row["s"] in names)


def _read_facts(source: Server, replica: Server, desired: SeedDesired) -> SeedFacts:
    theirs, ours = user_schemas(source), user_schemas(replica)
    wanted = [name for name in desired.schemas or sorted(theirs) if name in theirs]
    if desired.engine != "dump":
        return SeedFacts(schemas={"source": theirs, "replica": ours}, fold=replica.number("lower_case_table_names") == 1)
    fold = replica.number("lower_case_table_names") == 1
    tables, programs = read_tables(source, wanted), read_programs(source, wanted)
    here = [name for name in ours if name in {each.lower() if fold else each for each in wanted}]
    occupied: dict[str, int] = {}
    for name in [*(table.schema for table in read_tables(replica, here)), *(program[1] for program in read_programs(replica, here))]:
        occupied[name] = occupied.get(name, 0) + 1
    names = [*wanted, *(f"{table.schema}.{table.name}" for table in tables), *(f"{schema}.{name}" for _kind, schema, name in programs)]
    return SeedFacts(
        schemas={"source": theirs, "replica": ours},
        tables=tables,
        programs=programs,
        broken_names=tuple(name for name in names if "\n" in name) + _broken_columns(source, wanted),
        occupied=occupied,
        fold=fold,
        logs=bool(source.binlog_files()),
        gtid_mode="" if source.is_mariadb else source.variables.get("gtid_mode", "OFF").upper(),
        may_lock=source.is_mariadb or _may(source.grants, "RELOAD", "FLUSH_TABLES"),
        may_program=not replica.on("log_bin") or replica.on("log_bin_trust_function_creators") or _may(replica.grants, "SUPER"),
    )


def _broken_columns(source: Server, schemas: t.Sequence[str]) -> tuple[str, ...]:
    if not schemas:
        return ()
    rows = source.connection.rows(
        "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n, COLUMN_NAME AS c FROM information_schema.COLUMNS"
        f" WHERE COLUMN_NAME LIKE %s AND TABLE_SCHEMA IN ({_marks(schemas)})",
        ["%\n%", *schemas],
        step="look for names that cannot be dumped",
        patience=300,
    )
    return tuple(f"{row['s']}.{row['n']}.{row['c']}" for row in rows)


def _may(grants: t.Sequence[str], *privileges: str) -> bool:
    """Tell whether any of some global privileges is held. What comes by a role cannot be seen here, and counts as held."""
    for grant in grants:
        rights, on, rest = grant.partition(" ON ")
        if not on:
            return True
        if rest.startswith("*.*") and any(re.search(rf"\b{word}\b", rights) for word in (*privileges, "ALL PRIVILEGES", "SUPER")):
            return True
    return False


def retention_of(source: Server) -> int:
    """Return how many seconds the source keeps a log file; 0 is for ever."""
    for name, unit in source.dialect.retention:
        if source.variables.get(name) and float(source.variables[name]) > 0:
            return int(float(source.variables[name]) * unit)
    return 0
