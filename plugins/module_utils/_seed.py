# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The replica holds a complete, consistent copy, and the coordinates that belong to it are recorded."""

from __future__ import annotations

import datetime
import re
import typing as t
import uuid
from dataclasses import dataclass

from . import _seed_load
from ._clients import Tools, find_tools
from ._dump_stream import DumpFilter
from ._errors import InputError, Refused, ToolError
from ._model import MARIADB, MYSQL, Coordinates, Finding, Identity, Plan, Start, Step
from ._run import SOURCE_OPTION, Capability, Context
from ._server import Server, is_system_schema
from ._sql import quote_identifier
from ._state import LINK_LOCK, SEED_LOCK, Records, belongs, identities, lock, wait_free

# Seconds that dropping a schema may take.
_DROP_PATIENCE = 1800
_FEW = 5  # names that a message lists
ENGINES = ("dump", "external", "none", "mydumper")
_RESEED = "set datain_reseed: true to seed again"


@dataclass(frozen=True)
class SeedDesired:
    """What the inventory says about the copy.

    :param engine: ``dump``, ``external``, ``none`` or ``mydumper``
    :param schemas: what to take over; empty means everything that is the user's
    :param method: ``auto``, ``position`` or ``gtid``: which coordinates there must be
    :param coordinates: where a copy that somebody else made belongs to
    :param reseed: make a new copy, whatever is there
    """

    engine: str = "dump"
    schemas: tuple[str, ...] = ()
    method: str = "auto"
    coordinates: Start | None = None
    reseed: bool = False


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    kind: str
    engine: str | None
    size: int


@dataclass(frozen=True)
class SeedFacts:
    """What a new copy depends on; read only where one is in question.

    :param schemas: the source's user schemas and the replica's, name to (character set, collation)
    :param tables: tables, views and sequences that are wanted
    :param programs: (kind, schema, name) of the routines, triggers and events that are wanted
    :param broken_names: names with a line break in them
    :param occupied: schemas of the replica that hold anything, with the number of things
    :param fold: the replica keeps names in small letters
    :param logs: the source writes a binary log
    :param gtid_mode: the source's, on MySQL
    :param may_lock: our login on the source may take the read lock that makes coordinates and rows belong together
    :param may_program: our login on the replica may create functions and triggers
    """

    schemas: dict[str, dict[str, tuple[str, str]]]
    tables: tuple[Table, ...] = ()
    programs: tuple[tuple[str, str, str], ...] = ()
    broken_names: tuple[str, ...] = ()
    occupied: dict[str, int] | None = None
    fold: bool = False
    logs: bool = True
    gtid_mode: str = ""
    may_lock: bool = True
    may_program: bool = True

    def folded(self, name: str) -> str:
        """Return a schema's name as the replica spells it."""
        return name.lower() if self.fold else name


@dataclass(frozen=True)
class SeedCurrent:
    """What the two servers say.

    :param flavours: source, replica
    :param channels: how many replication channels the replica has
    :param records: the rows kept beside the data
    :param not_writable: why no row may be written now, or None
    :param facts: None where no new copy is in question
    """

    flavours: tuple[str, str]
    source: Identity
    replica: Identity
    channels: int
    records: dict[str, dict[str, t.Any]]
    not_writable: str | None = None
    facts: SeedFacts | None = None

    @property
    def seed(self) -> dict[str, t.Any] | None:
        """The row of the seed, if it is about these two servers; any other counts as unknown."""
        record = self.records.get("seed")
        return record if belongs(record, self.source, self.replica) else None

    @property
    def unfinished(self) -> bool:
        return bool(self.seed and self.seed.get("phase") != "complete")

    @property
    def promoted(self) -> bool:
        record = self.records.get("cutover") or {}
        replica = Identity.from_result((record.get("identities") or {}).get("replica"))
        return record.get("phase") == "promoted" and self.replica.same_as(replica)

    @property
    def consumed(self) -> bool:
        """Whether a link was made, or is being made, from the recorded seed: since then the server owns the position."""
        link = self.records.get("link")
        return bool(self.seed and belongs(link, self.source, self.replica) and (link or {}).get("seed") == self.seed.get("id"))


@dataclass(frozen=True)
class SeedPlan(Plan):
    """A plan for a seed.

    :param verb: ``keep``, ``load``, ``record`` or ``refuse``
    :param schemas: what is copied
    :param drop: schemas on the replica that go first
    :param created: what the record will say that this seed has made, so that an interrupted one can be cleared away
    :param align: empty schemas whose character set is to become the source's: name, character set, collation
    :param start: coordinates to record
    """

    verb: str = "keep"
    schemas: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    align: tuple[tuple[str, str, str], ...] = ()
    start: Start | None = None
    forget: bool = False


# Reading


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
    if _settled(current, desired) is not None:
        return current
    return SeedCurrent(**{**vars(current), "facts": _read_facts(source, replica, desired)})


def _marks(values: t.Sequence[t.Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _user_schemas(server: Server) -> dict[str, tuple[str, str]]:
    rows = server.connection.rows(
        "SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation_name"
        " FROM information_schema.SCHEMATA",
        step="list the schemas",
    )
    return {row["name"]: (row["charset"], row["collation_name"]) for row in rows if not is_system_schema(row["name"])}


def _tables(server: Server, schemas: t.Sequence[str]) -> tuple[Table, ...]:
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


def _programs(server: Server, schemas: t.Sequence[str]) -> tuple[tuple[str, str, str], ...]:
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
    theirs, ours = _user_schemas(source), _user_schemas(replica)
    wanted = [name for name in desired.schemas or sorted(theirs) if name in theirs]
    if desired.engine != "dump":
        return SeedFacts(schemas={"source": theirs, "replica": ours}, fold=replica.number("lower_case_table_names") == 1)
    fold = replica.number("lower_case_table_names") == 1
    tables, programs = _tables(source, wanted), _programs(source, wanted)
    here = [name for name in ours if name in {each.lower() if fold else each for each in wanted}]
    occupied: dict[str, int] = {}
    for name in [*(table.schema for table in _tables(replica, here)), *(program[1] for program in _programs(replica, here))]:
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


# Deciding


def _settled(current: SeedCurrent, desired: SeedDesired) -> SeedPlan | None:
    """Return the plan where it can be told without looking at the data."""
    seed = current.seed
    if desired.engine == "mydumper":
        return _refuse(current, "the engine mydumper is not there yet", "set datain_seed: dump")
    if current.channels:
        if desired.reseed:
            return _refuse(
                current,
                "the replica is linked: what it applies would go into a copy that is being made anew",
                "remove the link first (datain_state: absent), and take datain_reseed out again once the replica is seeded",
            )
        if current.unfinished:
            return _refuse(
                current,
                "the replica is linked, but its seed was interrupted: what it holds is not a whole copy",
                "remove the link (datain_state: absent), then " + _RESEED,
            )
        return _keep(current)
    if current.promoted and not desired.reseed and not current.unfinished:
        return _refuse(
            current,
            "this server was promoted: it is production now, and seeding it would overwrite it",
            "take the host out of the inventory, or set datain_reseed: true to make it a replica again, losing its data",
        )
    if desired.engine == "none":
        return _keep(current)
    if seed and not current.unfinished and not desired.reseed:
        if desired.engine == "external" and not current.consumed and _other_place(seed, desired):
            return None
        return _keep(current)
    if current.not_writable:
        return _refuse(current, f"the seed cannot be recorded: {current.not_writable}", "set gtid_strict_mode to OFF on the replica")
    return None


def _other_place(seed: dict[str, t.Any], desired: SeedDesired) -> bool:
    recorded, given = Start.from_result(seed.get("start")), desired.coordinates
    return seed.get("engine") == "external" and given is not None and (recorded is None or str(recorded) != str(given))


def plan_seed(current: SeedCurrent, desired: SeedDesired) -> SeedPlan:
    """Decide about a seed. Pure: everything it knows is in its arguments."""
    settled = _settled(current, desired)
    if settled is not None:
        return settled
    facts = current.facts
    if facts is None:
        raise ValueError("the facts are read wherever the decision depends on them")
    missing = sorted(set(desired.schemas) - set(facts.schemas["source"]))
    if missing:
        return _refuse(current, f"the source has no schema {_some(missing)}", "mend datain_schemas")
    if desired.engine == "external":
        return _plan_external(current, desired, facts)
    return _plan_dump(current, desired, facts)


def _plan_external(current: SeedCurrent, desired: SeedDesired, facts: SeedFacts) -> SeedPlan:
    if current.unfinished and not desired.reseed and current.seed and current.seed.get("created"):
        return _refuse(
            current,
            f"an interrupted seed has left an unfinished copy in {_some(current.seed['created'])}",
            "set datain_seed: dump to finish it; or load your own copy and vouch for it with datain_reseed: true",
        )
    if desired.coordinates is None:
        return _refuse(current, "a copy that was made by somebody else has no coordinates", "give datain_link_coordinates")
    wanted = tuple(desired.schemas or sorted(facts.schemas["source"]))
    missing = [name for name in wanted if facts.folded(name) not in facts.schemas["replica"]]
    if missing:
        return _refuse(
            current,
            f"datain_seed is external, but the replica has no schema {_some(missing)}",
            "load the copy first, or set datain_seed: dump",
        )
    start = desired.coordinates
    return SeedPlan(
        verb="record",
        steps=(Step("record", "the seed", f"a copy made by somebody else belongs to {start}"),),
        before=_state(current.seed),
        after=_state({"phase": "complete", "engine": "external", "schemas": list(wanted), "start": start.to_result()}),
        schemas=wanted,
        start=start,
        forget=current.promoted,
    )


def _plan_dump(current: SeedCurrent, desired: SeedDesired, facts: SeedFacts) -> SeedPlan:
    problem = _cannot_dump(current, desired, facts)
    if problem:
        return _refuse(current, *problem)
    wanted = tuple(desired.schemas or sorted(facts.schemas["source"]))
    here, occupied = facts.schemas["replica"], facts.occupied or {}
    ours = set((current.seed or {}).get("created") or ()) if current.unfinished or desired.reseed else set()
    folded = {name: facts.folded(name) for name in wanted}
    foreign = [name for name in wanted if folded[name] in occupied and folded[name] not in ours]
    if foreign and not desired.reseed:
        return _refuse(
            current,
            f"the replica already holds data in {_some(foreign)}, and nothing says that it is a copy of this source",
            "drop these schemas on the replica, or leave them out of datain_schemas; if they are a copy of this source set"
            " datain_seed: external with its datain_link_coordinates; datain_reseed: true drops and copies them",
        )
    drop = tuple(sorted((ours | {folded[name] for name in foreign}) & set(here)))
    why = "datain_reseed is set" if desired.reseed else "an interrupted seed has left it"
    align = tuple(
        (folded[name], *facts.schemas["source"][name])
        for name in wanted
        if folded[name] in here and folded[name] not in drop and here[folded[name]] != facts.schemas["source"][name]
    )
    steps = [Step("drop_schema", name, why) for name in drop]
    steps += [Step("alter_schema", name, f"empty, and its collation is not the source's {collation}") for name, _charset, collation in align]
    for name in wanted:
        tables = [table for table in facts.tables if table.schema == name]
        steps.append(Step("copy_schema", name, f"{len(tables)} tables, about {sum(table.size for table in tables) // (1 << 20)} MB"))
    steps.append(Step("record", "the seed", "the coordinates that belong to the copy"))
    return SeedPlan(
        verb="load",
        steps=tuple(steps),
        before=_state(current.seed),
        after=_state({"phase": "complete", "engine": "dump", "schemas": list(wanted), "start": None}),
        findings=_dump_findings(facts),
        schemas=wanted,
        drop=drop,
        created=tuple(sorted(ours | set(folded.values()))),
        align=align,
        forget=current.promoted,
    )


def _cannot_dump(current: SeedCurrent, desired: SeedDesired, facts: SeedFacts) -> tuple[str, str] | None:
    """Tell why a dump would fail or be worthless, with what mends it."""
    if current.flavours[0] != current.flavours[1]:
        return "source and replica are not of one flavour: " + " and ".join(current.flavours), "check datain_service and datain_source"
    if not facts.logs:
        return "the source writes no binary log: a copy of it would belong to no coordinates", "switch log_bin on at the source"
    if desired.method == "gtid" and current.flavours[0] == MYSQL and facts.gtid_mode != "ON":
        return (
            f"the link is to be by GTID, but gtid_mode is {facts.gtid_mode} on the source",
            "set gtid_mode=ON and enforce_gtid_consistency=ON there, or datain_link_method: position",
        )
    if not facts.may_lock:
        return (
            "the login on the source lacks RELOAD: without it nothing ties the copy to its coordinates",
            "GRANT RELOAD ON *.* to the administrator of the source (FLUSH_TABLES is enough from 8.0.23 on)",
        )
    if facts.broken_names:
        return (
            f"names with a line break in them: {_some([name.encode('unicode_escape').decode() for name in facts.broken_names])};"
            " the dump clients write names into comments, where the rest of such a name would be run as SQL",
            "rename them on the source",
        )
    programs = [f"{schema}.{name}" for kind, schema, name in facts.programs if kind in ("function", "trigger")]
    if programs and not facts.may_program:
        return (
            f"the replica would refuse functions and triggers (error 1419): {_some(programs)}",
            "set the server parameter log_bin_trust_function_creators to ON on the replica",
        )
    return None


def _dump_findings(facts: SeedFacts) -> tuple[Finding, ...]:
    loose = [f"{table.schema}.{table.name}" for table in facts.tables if table.engine and not _transactional(table.engine)]
    if not loose:
        return ()
    return (
        Finding(
            rule="seed.not_transactional",
            side="source",
            status="failed",
            severity="warning",
            summary="these tables take no part in the snapshot: what is written to them during the copy may be doubled or lost",
            objects=tuple(loose[:_FEW]),
            object_count=len(loose),
            remedy="ALTER TABLE … ENGINE=InnoDB on the source, or stop writing to them during the copy",
        ),
    )


def _transactional(engine: str) -> bool:
    return engine.lower() in ("innodb", "rocksdb", "tokudb", "sequence")


def log_danger(start: Coordinates, files: dict[str, int], seconds: int, retention: int, fraction: float) -> str | None:
    """Tell why the source's log will be gone before the copy is made, or None.

    :param files: the source's log files that are there now
    :param seconds: how long the copy has been going on
    :param retention: how many seconds the source keeps a file; 0 is for ever
    :param fraction: how much of the copy is done
    """
    if start.file not in files:
        return f"the source has purged {start.file}, where the copy begins"
    oldest = min(files, key=lambda name: int(name.rpartition(".")[2]))
    if not retention or oldest != start.file or len(files) == 1 or seconds < 0.8 * retention:
        return None
    remaining = seconds / fraction - seconds if fraction else seconds
    left = max(retention - seconds, 0)
    if remaining <= left:
        return None
    return f"the source is about to purge {start.file}, where the copy begins: in {left} s, and the copy needs about {int(remaining)} s more"


def retention_of(source: Server) -> int:
    """Return how many seconds the source keeps a log file; 0 is for ever."""
    for name, unit in source.dialect.retention:
        if source.variables.get(name) and float(source.variables[name]) > 0:
            return int(float(source.variables[name]) * unit)
    return 0


def _some(names: t.Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")


def _state(document: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Return what a diff shows of a seed."""
    document = document or {}
    return {key: document.get(key) for key in ("phase", "engine", "schemas", "start")}


def _keep(current: SeedCurrent) -> SeedPlan:
    state = _state(current.seed)
    return SeedPlan(before=state, after=state)


def _refuse(current: SeedCurrent, message: str, hint: str) -> SeedPlan:
    state = _state(current.seed)
    return SeedPlan(verb="refuse", refusal=message, hint=hint, before=state, after=state)


# Doing


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
        DumpFilter(replica.dialect.event_off), expected=sum(table.size for table in facts.tables), expected_tables=len(facts.tables)
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
            step = "read the GTID of the copy"
            gtids.append(source.connection.value("SELECT BINLOG_GTID_POS(%s, %s)", (start.file, start.position), step=step) or None)
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
    loaded = {fold(table.schema, table.name) for table in _tables(replica, [facts.folded(name) for name in plan.schemas])}
    before = {fold(table.schema, table.name) for table in facts.tables}
    after = {fold(table.schema, table.name) for table in _tables(source, plan.schemas)}
    for missing, where in ((before & after) - dumped, "in the dump"), (dumped - loaded, "on the replica"):
        if missing:
            names = sorted(".".join(name) for name in missing)
            raise ToolError(
                f"the copy is not whole: {_some(names)} is not {where}",
                server=(source if where == "in the dump" else replica).label,
                step="compare the tables",
                hint="see that the administrator may read all tables and views, then run again: the copy is made anew",
            )
    here = {(kind, *fold(schema, name)) for kind, schema, name in _programs(replica, [facts.folded(name) for name in plan.schemas])}
    kept = sorted(set(facts.programs) & set(_programs(source, plan.schemas)))
    lost = [f"{kind} {schema}.{name}" for kind, schema, name in kept if (kind, *fold(schema, name)) not in here]
    if lost:
        raise ToolError(
            f"the copy is not whole: {_some(lost)} is not on the replica",
            server=replica.label,
            step="compare routines, triggers and events",
            hint="see that the administrator of the source may read them all, then run again: the copy is made anew",
        )
    if loaded - dumped:
        raise ToolError(
            f"somebody else writes to the replica: {_some(sorted('.'.join(name) for name in loaded - dumped))} is not from the copy",
            server=replica.label,
            step="compare the tables",
            hint="keep others from writing to the replica, then run again: the copy is made anew",
        )


def _nothing_to_copy(source: Server) -> Start:
    """Return coordinates at which the source had no schema of a user."""
    for _attempt in range(10):
        end, gtid = source.binlog_end()
        found = _user_schemas(source)
        if found:
            raise Refused(f"the source has got the schema {_some(sorted(found))} in the meantime", server=source.label, hint="run again")
        if end is not None and source.binlog_end()[0] == end:
            if source.is_mariadb:
                step = "read the GTID of the empty source"
                gtid = source.connection.value("SELECT BINLOG_GTID_POS(%s, %s)", (end.file, end.position), step=step) or None
            return Start(end, gtid, "seed")
    raise Refused("the source's log does not stand still", server=source.label, step="read where an empty source is", hint="run again")


# The capability


def seed_result(document: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Return a seed in our own keys; every key is always there."""
    document = document or {}
    notes = document.get("notes") or {}
    return {
        "phase": document.get("phase"),
        "engine": document.get("engine"),
        "schemas": list(document.get("schemas") or ()),
        "start": document.get("start") or Start(origin="").to_result() | {"origin": None},
        "tables": notes.get("tables"),
        "bytes": notes.get("bytes"),
        "seconds": notes.get("seconds"),
        "definers": list(notes.get("definers") or ()),
        "events": list(notes.get("events") or ()),
    }


_MYSQL_GTID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(:[a-z_]\w{0,31})?(:\d+(-\d+)?(:[a-z_]\w{0,31})?)+"
_GTID_FORMS = {MYSQL: rf"{_MYSQL_GTID}(,{_MYSQL_GTID})*", MARIADB: r"\d+-\d+-\d+(,\d+-\d+-\d+)*"}


def explicit_start(value: dict[str, t.Any] | None, flavour: str) -> Start | None:
    """Return the coordinates that an operator gives, or None for none.

    :raises InputError: they are no coordinates, or two kinds at once
    """
    given = {key: item for key, item in (value or {}).items() if item not in (None, "")}
    if not given:
        return None
    hint = "give datain_link_coordinates as {file: binlog.000123, position: 4567} or as {gtid: …}"
    if set(given) not in ({"file", "position"}, {"gtid"}):
        raise InputError("coordinates are a file and a position, or a GTID, not " + " and ".join(sorted(given)), hint=hint)
    if "gtid" in given:
        gtid = re.sub(r"\s+", "", given["gtid"])
        if not re.fullmatch(_GTID_FORMS[flavour], gtid):
            raise InputError(f"{gtid!r} is no GTID of {'MariaDB' if flavour == MARIADB else 'MySQL'}", hint=hint)
        return Start(None, gtid, "explicit")
    try:
        return Start(Coordinates(given["file"], int(given["position"])), None, "explicit")
    except ValueError as error:
        raise InputError(f"{error}", hint=hint) from None


def desired_from(parameters: dict[str, t.Any], flavour: str) -> SeedDesired:
    """Return what the options ask for.

    :raises InputError: it cannot be meant
    """
    system = [name for name in parameters["schemas"] if is_system_schema(name)]
    if system:
        raise InputError(f"{_some(system)} belongs to the server, not to a user", hint="leave it out of datain_schemas")
    coordinates = explicit_start(parameters["coordinates"], flavour)
    if parameters["engine"] == "external" and coordinates is None:
        raise InputError("datain_seed is external, but no coordinates are given", hint="give datain_link_coordinates")
    return SeedDesired(
        engine=parameters["engine"],
        schemas=tuple(dict.fromkeys(parameters["schemas"])),
        method=parameters["method"],
        coordinates=coordinates,
        reseed=parameters["reseed"],
    )


# What a plan for the whole pair takes beside its own options.
SEED_PLAN_OPTIONS: dict[str, t.Any] = {
    "seed": {"type": "str", "choices": list(ENGINES), "default": "dump"},
    "schemas": {"type": "list", "elements": "str", "default": []},
    "client_dir": {"type": "str", "default": ""},
    "reseed": {"type": "bool", "default": False},
}


def plan_for_pair(
    context: Context, options: dict[str, t.Any], *, linked: bool, records: dict[str, dict[str, t.Any]] | None = None
) -> SeedPlan | None:
    """Return the plan of the seed as a part of the plan for a pair; None where no seed is asked for.

    :param options: SEED_PLAN_OPTIONS, and ``method`` and ``coordinates`` of a link
    :param linked: the replica has a channel
    :param records: the rows kept beside the data, where the caller has read them already
    """
    if options["seed"] == "none":
        return None
    desired = desired_from({**options, "engine": options["seed"]}, context.source.flavour)
    current = read_seed(context.source, context.replica, desired, records=records, channels=int(linked))
    plan = plan_seed(current, desired)
    if plan.verb == "load":
        try:
            find_tools(*current.flavours, options["client_dir"])
        except ToolError as error:
            return _refuse(current, error.message, error.hint or "")
    return plan


def _planned(context: Context, desired: SeedDesired) -> tuple[SeedCurrent, SeedPlan]:
    current = read_seed(context.source, context.replica, desired)
    plan = plan_seed(current, desired)
    if plan.refusal:
        raise Refused(
            plan.refusal,
            server=context.replica.label,
            step="plan the seed",
            hint=plan.hint,
            details={"seed": seed_result(current.seed), "actions": []},
        )
    return current, plan


def _run(context: Context) -> dict[str, t.Any]:
    parameters = context.parameters
    desired = desired_from(parameters, context.source.flavour)
    current, plan = _planned(context, desired)
    tools = None
    if plan.verb == "load":
        tools = find_tools(*current.flavours, parameters["client_dir"])
    document = current.seed
    if context.check_mode and plan.changed:
        document = {**plan.after, "notes": {}}
    elif plan.changed:
        with lock(context.replica.connection, LINK_LOCK):
            current, plan = _planned(context, desired)
            document = current.seed
            if plan.changed:
                document = apply_seed(context, current, desired, plan, tools)
    for finding in plan.findings:
        context.warnings.append(f"{finding.summary}: {_some(finding.objects)}. {finding.remedy}")
    after = plan.after if context.check_mode else _state(document)
    return {
        "changed": plan.changed,
        "seed": seed_result(document),
        "actions": plan.actions(),
        "diff": {"before": plan.before, "after": after},
    }


OPTIONS: dict[str, t.Any] = {
    "source": SOURCE_OPTION,
    "engine": {"type": "str", "choices": list(ENGINES), "default": "dump"},
    "schemas": {"type": "list", "elements": "str", "default": []},
    "method": {"type": "str", "choices": ["auto", "position", "gtid"], "default": "auto"},
    "coordinates": {
        "type": "dict",
        "options": {"file": {"type": "str"}, "position": {"type": "int"}, "gtid": {"type": "str"}},
    },
    "client_dir": {"type": "str", "default": ""},
    "reseed": {"type": "bool", "default": False},
}

CAPABILITY = Capability(name="replica_seed", options=OPTIONS, run=_run)
