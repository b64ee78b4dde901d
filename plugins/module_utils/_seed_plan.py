# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What is to be done about a seed. Pure: what the servers said is in its arguments."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._model import MYSQL, Coordinates, Finding, Identity, Plan, Start, Step
from ._state import belongs

_FEW = 5  # names that a message lists
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


def settled(current: SeedCurrent, desired: SeedDesired) -> SeedPlan | None:
    """Return the plan where it can be told without looking at the data."""
    seed = current.seed
    if desired.engine == "mydumper":
        return refuse(current, "the engine mydumper is not there yet", "set datain_seed: dump")
    if current.channels:
        if desired.reseed:
            return refuse(
                current,
                "the replica is linked: what it applies would go into a copy that is being made anew",
                "remove the link first (datain_state: absent), and take datain_reseed out again once the replica is seeded",
            )
        if current.unfinished:
            return refuse(
                current,
                "the replica is linked, but its seed was interrupted: what it holds is not a whole copy",
                "remove the link (datain_state: absent), then " + _RESEED,
            )
        return _keep(current)
    if current.promoted and not desired.reseed and not current.unfinished:
        return refuse(
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
        return refuse(current, f"the seed cannot be recorded: {current.not_writable}", "set gtid_strict_mode to OFF on the replica")
    return None


def _other_place(seed: dict[str, t.Any], desired: SeedDesired) -> bool:
    recorded, given = Start.from_result(seed.get("start")), desired.coordinates
    return seed.get("engine") == "external" and given is not None and (recorded is None or str(recorded) != str(given))


def plan_seed(current: SeedCurrent, desired: SeedDesired) -> SeedPlan:
    """Decide about a seed. Pure: everything it knows is in its arguments."""
    known = settled(current, desired)
    if known is not None:
        return known
    facts = current.facts
    if facts is None:
        raise ValueError("the facts are read wherever the decision depends on them")
    missing = sorted(set(desired.schemas) - set(facts.schemas["source"]))
    if missing:
        return refuse(current, f"the source has no schema {some(missing)}", "mend datain_schemas")
    if desired.engine == "external":
        return _plan_external(current, desired, facts)
    return _plan_dump(current, desired, facts)


def _plan_external(current: SeedCurrent, desired: SeedDesired, facts: SeedFacts) -> SeedPlan:
    if current.unfinished and not desired.reseed and current.seed and current.seed.get("created"):
        return refuse(
            current,
            f"an interrupted seed has left an unfinished copy in {some(current.seed['created'])}",
            "set datain_seed: dump to finish it; or load your own copy and vouch for it with datain_reseed: true",
        )
    if desired.coordinates is None:
        return refuse(current, "a copy that was made by somebody else has no coordinates", "give datain_link_coordinates")
    wanted = tuple(desired.schemas or sorted(facts.schemas["source"]))
    missing = [name for name in wanted if facts.folded(name) not in facts.schemas["replica"]]
    if missing:
        return refuse(
            current,
            f"datain_seed is external, but the replica has no schema {some(missing)}",
            "load the copy first, or set datain_seed: dump",
        )
    start = desired.coordinates
    return SeedPlan(
        verb="record",
        steps=(Step("record", "the seed", f"a copy made by somebody else belongs to {start}"),),
        before=shown(current.seed),
        after=shown({"phase": "complete", "engine": "external", "schemas": list(wanted), "start": start.to_result()}),
        schemas=wanted,
        start=start,
        forget=current.promoted,
    )


def _plan_dump(current: SeedCurrent, desired: SeedDesired, facts: SeedFacts) -> SeedPlan:
    problem = _cannot_dump(current, desired, facts)
    if problem:
        return refuse(current, *problem)
    wanted = tuple(desired.schemas or sorted(facts.schemas["source"]))
    here, occupied = facts.schemas["replica"], facts.occupied or {}
    ours = set((current.seed or {}).get("created") or ()) if current.unfinished or desired.reseed else set()
    folded = {name: facts.folded(name) for name in wanted}
    foreign = [name for name in wanted if folded[name] in occupied and folded[name] not in ours]
    if foreign and not desired.reseed:
        return refuse(
            current,
            f"the replica already holds data in {some(foreign)}, and nothing says that it is a copy of this source",
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
        before=shown(current.seed),
        after=shown({"phase": "complete", "engine": "dump", "schemas": list(wanted), "start": None}),
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
            f"names with a line break in them: {some([name.encode('unicode_escape').decode() for name in facts.broken_names])};"
            " the dump clients write names into comments, where the rest of such a name would be run as SQL",
            "rename them on the source",
        )
    programs = [f"{schema}.{name}" for kind, schema, name in facts.programs if kind in ("function", "trigger")]
    if programs and not facts.may_program:
        return (
            f"the replica would refuse functions and triggers (error 1419): {some(programs)}",
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


def some(names: t.Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")


def shown(document: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Return what a diff shows of a seed."""
    document = document or {}
    return {key: document.get(key) for key in ("phase", "engine", "schemas", "start")}


def _keep(current: SeedCurrent) -> SeedPlan:
    state = shown(current.seed)
    return SeedPlan(before=state, after=state)


def refuse(current: SeedCurrent, message: str, hint: str) -> SeedPlan:
    state = shown(current.seed)
    return SeedPlan(verb="refuse", refusal=message, hint=hint, before=state, after=state)
