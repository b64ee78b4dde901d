# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Carries a seed out: makes room, copies, and looks whether the copy is whole."""

from __future__ import annotations

import datetime
import re
import typing as t
import uuid

from . import _seed_load
from ._clients import Tools
from ._dump_stream import DumpFilter
from ._errors import Refused, ToolError
from ._model import Start
from ._run import Context
from ._seed_plan import SeedCurrent, SeedDesired, SeedFacts, SeedPlan, log_danger, some
from ._seed_read import read_programs, read_tables, retention_of, user_schemas
from ._server import Server
from ._sql import quote_identifier
from ._state import SEED_LOCK, Records, identities, wait_free

# Seconds that dropping a schema may take.
_DROP_PATIENCE = 1800


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(current: SeedCurrent, plan: SeedPlan, engine: str, phase: str) -> dict[str, t.Any]:
    return {
        "id": uuid.uuid4().hex,
        "phase": phase,
        "engine": engine,
        "identities": identities(current.source, current.replica),
        "schemas": list(plan.schemas),
        "created": list(plan.created),
        "start": plan.start.to_result() if plan.start else None,
        "began": _now(),
        "ended": None,
        "applied": None,
        "notes": {},
    }


def apply_seed(context: Context, current: SeedCurrent, desired: SeedDesired, plan: SeedPlan, tools: Tools | None) -> dict[str, t.Any]:
    """Carry a plan out, and return the row that was written. Every step may be repeated by a later run.

    The row is written before the first schema is made, so that an interrupted copy can be told from a whole one,
    and what it has made from what was there.
    """
    source, replica = context.source, context.replica
    store = Records(replica)
    if plan.verb == "record":
        document = {**_document(current, plan, desired.engine, "complete"), "ended": _now(), "applied": _applied(replica)}
        store.write("seed", document)
        if plan.forget:
            store.remove("cutover")
        return document
    if tools is None:
        raise ValueError("a copy is made with the servers' clients")
    wait_free(replica.connection, SEED_LOCK)
    document = _document(current, plan, desired.engine, "loading")
    store.write("seed", document)
    if plan.forget:
        store.remove("cutover")
    _make_room(replica, plan)
    facts = current.facts or SeedFacts(schemas={})
    copy = _seed_load.Copy(
        DumpFilter(replica.dialect.event_off, replica.dialect.removed_modes),
        expected=sum(table.size for table in facts.tables),
        expected_tables=len(facts.tables),
    )
    generated = _seed_load.may_switch_off_generated_keys(replica)
    if plan.schemas:
        start = _copy(context, plan, copy, tools, facts, generated)
    else:
        start = _nothing_to_copy(source)
    if desired.method == "gtid" and not start.gtid:
        raise ToolError(
            "the copy is made, but nothing says where it is by GTID",
            server=source.label,
            step="read the GTID of the copy",
            hint="set datain_link_method: position and run again",
        )
    document = {
        **document,
        "phase": "complete",
        "start": start.to_result(),
        "ended": _now(),
        "applied": _applied(replica),
        "notes": {
            "tables": len(copy.filter.tables),
            "bytes": copy.received,
            "seconds": copy.seconds,
            "definers": copy.filter.definers,
            "events": copy.filter.events,
        },
    }
    store.write("seed", document)
    if generated is False:
        context.warnings.append(
            "the replica adds invisible primary keys (sql_generate_invisible_primary_key) and this login may not switch that off:"
            " tables without a key have one here and not on the source, and ADD PRIMARY KEY on the source would stop the link"
        )
    return document


def _applied(replica: Server) -> str | None:
    """What a MariaDB replica counts as applied when the seed is whole: if this moves without a link of ours, somebody linked it."""
    return replica.gtid_position() if replica.is_mariadb else None


def _make_room(replica: Server, plan: SeedPlan) -> None:
    connection = replica.connection
    if plan.drop:
        connection.execute("SET SESSION foreign_key_checks = 0", step="prepare to drop schemas")
    for name in plan.drop:
        connection.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)}", step=f"drop the schema {name}", patience=_DROP_PATIENCE)
    for name, charset, collation in plan.align:
        connection.execute(
            f"ALTER DATABASE {quote_identifier(name)} CHARACTER SET {_word(charset)} COLLATE {_word(collation)}",
            step=f"give the empty schema {name} the source's character set",
        )


def _word(name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        raise Refused(f"{name!r} is no name of a character set")
    return name


def _copy(
    context: Context, plan: SeedPlan, copy: _seed_load.Copy, tools: Tools, facts: SeedFacts, generated: bool | None
) -> Start:
    source, replica = context.source, context.replica
    retention = retention_of(source)
    gtids: list[str | None] = []

    def watch(state: _seed_load.Copy) -> None:
        start = state.filter.coordinates
        if start is None:
            return
        replica.connection.value("SELECT 1", step="keep the session that holds the lock")
        if source.is_mariadb and not gtids:
            gtids.append(source.gtid_at(start))
        danger = log_danger(start, source.binlog_files(), state.seconds, retention, state.fraction)
        if danger:
            raise ToolError(
                danger + ": a replica could never catch up from this copy",
                server=source.label,
                step="watch the source's log",
                hint="raise datain_binlog_retention, then run again: the unfinished copy is dropped and made anew",
            )

    _seed_load.copy_schemas(
        source,
        replica,
        tools,
        plan.schemas,
        copy,
        gtid=facts.gtid_mode == "ON",
        generated_keys=generated,
        progress=context.progress,
        watch=watch,
    )
    _check_complete(source, replica, plan, copy, facts)
    context.progress(f"copied {len(copy.filter.tables)} tables, {copy.received / 1e6:.1f} MB, in {copy.seconds} s")
    gtid = gtids[0] if gtids else copy.filter.gtid
    return Start(copy.filter.coordinates, gtid, "seed")


def _check_complete(source: Server, replica: Server, plan: SeedPlan, copy: _seed_load.Copy, facts: SeedFacts) -> None:
    """Compare the tables in the dump with those on both sides.

    The source goes on: what was made or dropped there during the copy is not missing.
    """

    def fold(schema: str, name: str) -> tuple[str, str]:
        return (schema.lower(), name.lower()) if facts.fold else (schema, name)

    dumped = {fold(*table) for table in copy.filter.tables}
    loaded = {fold(table.schema, table.name) for table in read_tables(replica, [facts.folded(name) for name in plan.schemas])}
    before = {fold(table.schema, table.name) for table in facts.tables}
    after = {fold(table.schema, table.name) for table in read_tables(source, plan.schemas)}
    for missing, where in ((before & after) - dumped, "in the dump"), (dumped - loaded, "on the replica"):
        if missing:
            names = sorted(".".join(name) for name in missing)
            raise ToolError(
                f"the copy is not whole: {some(names)} is not {where}",
                server=(source if where == "in the dump" else replica).label,
                step="compare the tables",
                hint="see that the administrator may read all tables and views, then run again: the copy is made anew",
            )
    here = {(kind, *fold(schema, name)) for kind, schema, name in read_programs(replica, [facts.folded(name) for name in plan.schemas])}
    kept = sorted(set(facts.programs) & set(read_programs(source, plan.schemas)))
    lost = [f"{kind} {schema}.{name}" for kind, schema, name in kept if (kind, *fold(schema, name)) not in here]
    if lost:
        raise ToolError(
            f"the copy is not whole: {some(lost)} is not on the replica",
            server=replica.label,
            step="compare routines, triggers and events",
            hint="see that the administrator of the source may read them all, then run again: the copy is made anew",
        )
    if loaded - dumped:
        raise ToolError(
            f"somebody else writes to the replica: {some(sorted('.'.join(name) for name in loaded - dumped))} is not from the copy",
            server=replica.label,
            step="compare the tables",
            hint="keep others from writing to the replica, then run again: the copy is made anew",
        )


def _nothing_to_copy(source: Server) -> Start:
    """Return coordinates at which the source had no schema of a user."""
    for _attempt in range(10):
        end, gtid = source.binlog_end()
        found = user_schemas(source)
        if found:
            raise Refused(f"the source has got the schema {some(sorted(found))} in the meantime", server=source.label, hint="run again")
        if end is not None and source.binlog_end()[0] == end:
            if source.is_mariadb:
                gtid = source.gtid_at(end)
            return Start(end, gtid, "seed")
    raise Refused("the source's log does not stand still", server=source.label, step="read where an empty source is", hint="run again")


# The capability
