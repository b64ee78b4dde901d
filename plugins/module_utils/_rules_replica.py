# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the managed server: procedures, channels, filters, and what it holds already."""

from __future__ import annotations

import functools
import re

from ._facts import Facts, Unread
from ._model import Coordinates
from ._procedures import BY_GTID, BY_POSITION
from ._rule import (
    HOW_TO,
    LIMITATIONS,
    MANUAL,
    MEASURED,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    listed,
    not_applicable,
    passed,
    set_on_replica,
    unknown,
)
from ._sql import quote_identifier


def _procedures(facts: Facts) -> Outcome:
    procedures = facts.replica.procedures
    missing = set(procedures.missing())
    wanted = BY_GTID if facts.method == "gtid" else BY_POSITION
    if not procedures.usable(wanted) and (facts.desired.method != "auto" or not missing):
        missing.add(procedures.full_name(wanted))
    return check(not missing, f"{len(procedures.arity)} procedures", **listed(missing))


def _channels(facts: Facts) -> Outcome:
    channels = facts.replica.channels
    if not channels:
        return passed("not linked")
    others = [f"{channel.name or 'unnamed'}: {channel.source_host}:{channel.source_port}" for channel in channels if channel.name]
    if len(channels) > 1 or others:
        return failed(
            f"{len(channels)} channels",
            summary="The replica has channels that the service's procedures do not know",
            remedy="remove the other channels, or take the host out of datain_replicas",
            **listed(others),
        )
    seen = f"{channels[0].source_host}:{channels[0].source_port}"
    return check(facts.linked, seen, summary=None if facts.linked else "The replica follows another source")


RECEIVED = "link.received"
# Bytes of the log that a receiver may lack: a busy source writes some while both servers are read.
FAR = 16 << 20


def _received(facts: Facts) -> Outcome:
    """A receiver that stands still says that it runs, and once its relay log is applied the server calls that a lag of 0 s."""
    channel = facts.channel
    if channel is None or channel.read is None or not facts.running:
        return not_applicable("the replica does not receive")
    read, files = channel.read, facts.source.binlog_files
    if read.file not in files:
        return unknown(f"the source does not list {read.file}")
    lacking = sum(size for name, size in files.items() if Coordinates(name, 4).number >= read.number) - read.position
    return check(lacking < FAR, f"received up to {read}, {max(0, lacking)} bytes come after that", required=f"less than {FAR}")


def _read_only(facts: Facts) -> Outcome:
    names = [name for name in ("read_only", "super_read_only") if facts.replica.on(name)]
    if names and facts.linked:
        return passed("read-only, and linked")
    return check(not names, ", ".join(names) or "writable")


def _filter(facts: Facts) -> Outcome:
    ignored = [part.strip() for part in facts.replica.ignored_tables.split(",") if part.strip()]
    right = any(part.replace("\\", "").lower() in ("mysql.%", "mysql.%%") for part in ignored)
    return check(
        right,
        ",".join(ignored) or "no filter",
        remedy=set_on_replica(facts, "replicate_wild_ignore_table", ",".join([*ignored, "mysql.%"])),
    )


_POINT, _PARTS = re.compile(r"(?<!\\)\."), re.compile(r"\\.|%|_|.", re.DOTALL)


@functools.cache
def _wild(pattern: str) -> re.Pattern[str]:
    """Turn a wild pattern of a filter, db.table, into one for the schema part."""
    schema = _POINT.split(pattern, maxsplit=1)[0]
    parts = _PARTS.findall(schema)
    return re.compile("".join({"%": ".*", "_": "."}.get(part, re.escape(part.lstrip("\\") or part)) for part in parts), re.IGNORECASE | re.DOTALL)


# Every replica ought to have this one, so that a fleet's workers, which are forked from whoever imports this, find it made.
_wild("mysql.%")


def _filtered_schemas(facts: Facts) -> Outcome:
    """A pattern for one table of a schema is somebody's wish; one for all of its tables is taken for a mistake too."""
    patterns = [_wild(part.strip()) for part in facts.replica.ignored_tables.split(",") if part.strip()]
    wanted = facts.desired.schemas or facts.source.schemas
    lost = [name for name in wanted if any(pattern.fullmatch(name) for pattern in patterns)]
    return check(not lost, facts.replica.ignored_tables or "no filter", **listed(map(quote_identifier, lost)))


def _unfiltered_schemas(facts: Facts) -> Outcome:
    """The replica gets all that the log holds, also of a schema that was not brought over: its first change stops the applier."""
    wanted = facts.desired.schemas
    if not wanted:
        return not_applicable("all schemas are taken over")
    if isinstance(facts.replica.ignored_tables, Unread):
        return unknown(facts.replica.ignored_tables.reason, facts.replica.ignored_tables.remedy)
    # A pattern for one table of a schema leaves the others in.
    patterns = [_wild(part.strip()) for part in facts.replica.ignored_tables.split(",") if part.strip().endswith(".%")]
    folded, log = facts.source.number("lower_case_table_names"), facts.source.binlog
    taken = {name.lower() if folded else name for name in wanted}
    logged = [name for name in facts.source.schemas if (not log.only or name in log.only) and name not in log.without]
    arrive = [
        name for name in logged if (name.lower() if folded else name) not in taken and not any(pattern.fullmatch(name) for pattern in patterns)
    ]
    ignored = ",".join([facts.replica.ignored_tables, *(f"{name}.%" for name in arrive)]).strip(",")
    filtered = set_on_replica(facts, "replicate_wild_ignore_table", ignored)
    return check(
        not arrive,
        f"taken over: {', '.join(wanted)}",
        remedy=f"leave out datain_schemas, so that all are taken over; or let the replica leave them out: {filtered}",
        **listed(map(quote_identifier, arrive)),
    )


def _synced(facts: Facts) -> Outcome:
    if not facts.replica.is_mariadb or facts.method != "position":
        return not_applicable("only a MariaDB replica that is linked by position needs it")
    wrong = [name for name in ("sync_master_info", "sync_relay_log_info") if facts.replica.number(name) != 1]
    seen = ", ".join(f"{name} = {facts.replica.value(name)}" for name in ("sync_master_info", "sync_relay_log_info"))
    return check(not wrong, seen, remedy="; ".join(set_on_replica(facts, name, "1") for name in wrong))


def _not_empty(facts: Facts) -> Outcome:
    if facts.linked:
        return passed("the replica is linked to this source")
    seed = facts.records_of_pair.get("seed") or {}
    ours = {*(seed.get("created") or ()), *((seed.get("schemas") or ()) if seed.get("phase") == "complete" else ())}
    if facts.records_of_pair.get("link"):
        return passed("a link to this source is recorded")
    foreign = {name: count for name, count in facts.replica.data.items() if name not in ours}
    if facts.desired.seed == "external":
        return not_applicable(f"datain_seed is external: the operator loaded {len(foreign)} schemas")
    seen = ", ".join(f"{quote_identifier(name)} ({count} tables and views)" for name, count in sorted(foreign.items())[:5])
    return check(not foreign, seen or "empty", **listed(map(quote_identifier, foreign)))


RULES: tuple[Rule, ...] = (
    Rule(
        "replica.relay_log_recovery",
        "replica",
        "The replica fetches again what it had not applied when it crashed",
        MEASURED,
        lambda facts: check(
            facts.replica.on("relay_log_recovery"),
            f"relay_log_recovery = {facts.replica.value('relay_log_recovery')}",
            remedy=set_on_replica(facts, "relay_log_recovery", "ON"),
        ),
        WARNING,
        required="relay_log_recovery = ON",
    ),
    Rule(
        "replica.procedures",
        "replica",
        "The service's replication procedures are there, with lists of arguments that are known",
        HOW_TO,
        _procedures,
        needs=("replica.procedures", "replica.channels"),
        must_know=True,
        remedy="check datain_service; the Basic tier has no procedures, and high availability leaves only the one for GTIDs: datain_link_method: gtid",
    ),
    Rule(
        "replica.channels",
        "replica",
        "The replica follows this source or none",
        MEASURED,
        _channels,
        needs=("source.variables", "replica.channels"),
        must_know=True,
        remedy="unlink it from its source first (datain_state: absent), or use another managed server",
    ),
    Rule(
        RECEIVED,
        "pair",
        "A link that runs has received nearly all that the source has logged",
        MANUAL,
        _received,
        WARNING,
        needs=("source.binlog_files", "replica.channels"),
        remedy="look again: if the position has moved, wait; if not, see what the network cuts off, and stop and start the link: datain_state",
    ),
    Rule(
        "replica.read_only",
        "replica",
        "The managed server takes writes",
        LIMITATIONS,
        _read_only,
        needs=("replica.channels", "source.variables"),
        remedy="it is a read replica, or its storage is full: use the server that it is a replica of, or add storage",
    ),
    Rule(
        "replica.filter",
        "replica",
        "Changes of the server's own schema mysql are not applied",
        HOW_TO,
        _filter,
        WARNING,
        needs=("replica.ignored_tables",),
        required="replicate_wild_ignore_table has mysql.%",
    ),
    Rule(
        "replica.filter_schemas",
        "pair",
        "No filter of the replica leaves out what is to be taken over",
        MANUAL,
        _filtered_schemas,
        needs=("replica.ignored_tables", "source.schemas"),
        required="replicate_wild_ignore_table without the user's schemas",
        remedy="take their patterns out of the parameter replicate_wild_ignore_table, and restart the managed server",
    ),
    Rule(
        "replica.unfiltered_schemas",
        "pair",
        "Every schema that the source logs is taken over, or left out by a filter",
        MANUAL,
        _unfiltered_schemas,
        needs=("source.schemas", "source.binlog"),
        required="no other schema in the log",
    ),
    Rule(
        "replica.sync_info",
        "replica",
        "A MariaDB replica by position keeps its position through a crash",
        HOW_TO,
        _synced,
        WARNING,
        needs=("replica.channels",),
        required="sync_master_info = 1, sync_relay_log_info = 1",
    ),
    Rule(
        "replica.not_empty",
        "replica",
        "The managed server holds no data but what came from this source",
        MEASURED,
        _not_empty,
        needs=("source.variables", "replica.data", "replica.records", "replica.channels"),
        must_know=True,
        remedy="drop what nobody needs on the replica, use another managed server, or say datain_seed: external if it is this source's data",
    ),
)
