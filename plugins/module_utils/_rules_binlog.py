# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the source's binary log."""

from __future__ import annotations

import typing as t

from ._binlog_plan import BinlogState, retention_seconds
from ._facts import Facts, Side
from ._link_start import log_gap, mariadb_gap
from ._rule import (
    HOW_TO,
    INFO,
    MANUAL,
    SERVER_PARAMETERS,
    WARNING,
    Outcome,
    Rule,
    check,
    dotted,
    failed,
    listed,
    not_applicable,
    on_both,
    passed,
    set_on_replica,
    set_on_source,
)
from ._rules_gtid import gtids_missing


def _variable(name: str, *wanted: str, missing: str | None = None) -> t.Callable[[Facts], Outcome]:
    """A variable of the source that has one right value; ``missing`` says why a server without it keeps the rule."""

    def evaluate(facts: Facts) -> Outcome:
        if name not in facts.source.variables:
            return not_applicable(missing or f"this version has no {name}")
        seen = facts.source.value(name)
        return check(
            seen.upper() in wanted,
            f"{name} = {seen}",
            required=f"{name} = {wanted[0]}",
            remedy=set_on_source(facts, name, wanted[0]),
        )

    return evaluate


def _log_bin(facts: Facts) -> Outcome:
    remedy = set_on_source(facts, "log_bin", "binlog", restart=True)
    return check(facts.source.on("log_bin"), f"log_bin = {facts.source.value('log_bin')}", remedy=remedy)


def _format(facts: Facts) -> Outcome:
    seen = facts.source.value("binlog_format", "ROW")
    remedy = set_on_source(facts, "binlog_format", "ROW")
    return check(
        seen.upper() == "ROW",
        f"binlog_format = {seen}",
        severity=WARNING if seen.upper() == "MIXED" else None,
        remedy=remedy,
    )


# How many times the seed must fit into the life of a log file: what is written meanwhile has to be fetched and applied too.
SEED_MARGIN = 3


def is_azure(side: Side) -> bool:
    return any(name in side.variables for name in ("azure_server_name", "logical_server_name", "redirect_server_host"))


def _kept(source: Side) -> int | None:
    """Return the seconds that the log is kept; None means for ever, 0 as long as somebody reads it."""
    if source.rds_hours is not None:
        return int(source.rds_hours) * 3600
    kept = retention_seconds(BinlogState(source.dialect, source.is_mariadb, dict(source.variables)))
    return 0 if kept is None and is_azure(source) else kept


def _kept_words(kept: int | None) -> str:
    return "for ever" if kept is None else f"{kept} s" if kept else "0 s: it is purged as soon as nobody reads it"


def _keep(facts: Facts, seconds: int) -> str:
    """Return how the source is told to keep its log."""
    source = facts.source
    if source.rds_hours is not None:
        return f"CALL mysql.rds_set_configuration('binlog retention hours', {-(-seconds // 3600)});"
    name, unit = source.dialect.retention[0]
    value = str(-(-seconds // unit))
    return f"set the server parameter {name} of the source to {value}" if is_azure(source) else set_on_source(facts, name, value)


def _retention(facts: Facts) -> Outcome:
    wanted = facts.desired.retention or facts.desired.service.retention
    kept = _kept(facts.source)
    return check(kept is None or kept >= wanted, _kept_words(kept), required=f"at least {wanted} s", remedy=_keep(facts, wanted))


def _retention_for_seed(facts: Facts) -> Outcome:
    """What was measured counts, nothing is guessed: a seed of this pair that was made once takes as long when it is made again."""
    seed = facts.records_of_pair.get("seed") or {}
    seconds = (seed.get("notes") or {}).get("seconds")
    if not isinstance(seconds, int):
        return not_applicable("no seed of this pair has been measured yet")
    kept, wanted = _kept(facts.source), SEED_MARGIN * seconds
    return check(
        kept is None or kept >= wanted,
        f"the seed took {seconds} s, the log is kept {_kept_words(kept)}",
        required=f"at least {wanted} s: {SEED_MARGIN} times what the seed took",
        severity=None if kept is not None and kept <= seconds else WARNING,
        remedy=_keep(facts, wanted),
    )


def _size_limit(facts: Facts) -> Outcome:
    limits = {name: facts.source.number(name) for name in ("max_binlog_total_size", "binlog_space_limit")}
    found = [f"{name} = {size}" for name, size in limits.items() if size]
    return check(not found, ", ".join(found) or "no limit")


def _compression(facts: Facts) -> Outcome:
    source, replica = on_both(facts)
    name, since = ("log_bin_compress", (10, 2, 3)) if source.is_mariadb else ("binlog_transaction_compression", (8, 0, 20))
    if not source.on(name):
        return passed("off")
    return check(
        replica.flavour == source.flavour and replica.version >= since,
        f"{name} = ON",
        required=f"OFF, or a replica of at least {dotted(since)}",
        remedy=set_on_source(facts, name, "OFF"),
    )


def _checksum(facts: Facts) -> Outcome:
    """The source writes checksums, and where they are the receiver looks at them; the applier does where it is not told otherwise."""
    name = "binlog_checksum"
    source, replica = on_both(facts)
    if source.value(name, "NONE").upper() == "NONE":
        return failed(f"{name} = {source.value(name, 'not there')}", remedy=set_on_source(facts, name, "CRC32"))
    verify = "replica_sql_verify_checksum" if "replica_sql_verify_checksum" in replica.variables else "slave_sql_verify_checksum"
    ignored = replica.value(verify).upper() in ("OFF", "0")
    return check(not ignored, f"{name} = {source.value(name)}; {verify} = {replica.value(verify)}", remedy=set_on_replica(facts, verify, "ON"))


def _encryption(facts: Facts) -> Outcome:
    name = "encrypt_binlog" if facts.source.is_mariadb else "binlog_encryption"
    return check(not facts.source.on(name), f"{name} = {facts.source.value(name, 'not there')}")


def _filters(facts: Facts) -> Outcome:
    """Rows are judged by their own schema, statements by the schema that a session is in: DDL may be lost with any filter."""
    log = facts.source.binlog
    wanted = facts.desired.schemas or facts.source.schemas
    left_out = [name for name in wanted if (log.only and name not in log.only) or name in log.without]
    words = [f"{option} = {','.join(names)}" for option, names in (("binlog_do_db", log.only), ("binlog_ignore_db", log.without)) if names]
    summary = None if left_out else "Not met: a filter of the log judges a statement, such as DDL, by the schema that its session is in"
    return check(not words, "; ".join(words) or "none", summary=summary, severity=None if left_out else WARNING, **listed(left_out))


def _purged(facts: Facts, gtid: str) -> str | None:
    """Tell why the source's log cannot be read from a GTID position on, or None where it can."""
    source = facts.source
    lacking = sorted(gtids_missing(source.value("gtid_purged"), gtid))
    late = mariadb_gap(gtid, source.oldest_gtids or "") if source.is_mariadb else next(iter(lacking), None)
    return None if late is None else f"the source has purged transactions of {late} after {gtid or 'nothing'}"


def _kept_position(facts: Facts) -> Outcome:
    channel = facts.channel
    if channel is None or not facts.linked:
        return not_applicable("there is no link to go on with")
    if facts.running:
        return passed("the receiver is running")
    if not channel.by_gtid:
        problem = log_gap(channel.read or channel.applied, facts.source.binlog_files)
        return check(problem is None, channel.read or channel.applied, summary=problem)
    if not facts.source.is_mariadb:
        return not_applicable("gtid.purged_gap judges a link by GTID")
    at = facts.replica.value("gtid_slave_pos")
    problem = _purged(facts, at)
    return check(problem is None, at, summary=problem)


def _coordinates(facts: Facts) -> Outcome:
    at, gtid = facts.desired.coordinates, facts.desired.gtid
    if facts.linked or not (at or gtid):
        return not_applicable("the link has a position of its own" if facts.linked else "no coordinates were given")
    problem = _purged(facts, gtid) if gtid else log_gap(at, facts.source.binlog_files)
    return check(problem is None, gtid or at, summary=problem)


RULES: tuple[Rule, ...] = (
    Rule("binlog.enabled", "source", "The source writes a binary log", HOW_TO, _log_bin, required="log_bin = ON"),
    Rule(
        "binlog.format",
        "source",
        "The source logs rows, not statements",
        SERVER_PARAMETERS,
        _format,
        required="binlog_format = ROW",
    ),
    Rule(
        "binlog.row_image",
        "source",
        "The source logs whole rows",
        MANUAL,
        _variable("binlog_row_image", "FULL", missing="this version always logs whole rows"),
        WARNING,
        required="binlog_row_image = FULL",
    ),
    Rule(
        "binlog.row_value_options",
        "source",
        "The source logs JSON values whole",
        MANUAL,
        _variable("binlog_row_value_options", ""),
        WARNING,
        required="binlog_row_value_options = ''",
    ),
    Rule(
        "binlog.checksum",
        "pair",
        "An event that was damaged on its way is noticed, and not applied",
        MANUAL,
        _checksum,
        WARNING,
        required="binlog_checksum = CRC32 on the source, replica_sql_verify_checksum = ON on the replica",
    ),
    Rule(
        "binlog.compression",
        "pair",
        "The replica can read a compressed log, or the log is not compressed",
        MANUAL,
        _compression,
    ),
    Rule(
        "binlog.encryption",
        "source",
        "The log is not encrypted on the disk",
        MANUAL,
        _encryption,
        INFO,
        remedy="nothing: replication works; only files copied from the disk cannot be read",
    ),
    Rule(
        "binlog.retention",
        "source",
        "The source keeps its log for as long as a seed and an outage may take",
        MANUAL,
        _retention,
        needs=("source.rds_hours",),
    ),
    Rule(
        "binlog.retention_for_seed",
        "pair",
        "The source keeps its log for much longer than the seed takes",
        MANUAL,
        _retention_for_seed,
        needs=("source.rds_hours", "replica.records"),
        remedy="raise the retention of the source's log: datain_binlog_retention",
    ),
    Rule(
        "binlog.size_limit",
        "source",
        "The log is not bounded by its size",
        MANUAL,
        _size_limit,
        WARNING,
        required="no limit",
        remedy="raise the limit above what the source writes in the time that the log must be kept",
    ),
    Rule(
        "binlog.filters",
        "source",
        "No filter keeps a schema, or a statement about it, out of the log",
        MANUAL,
        _filters,
        needs=("source.binlog", "source.schemas"),
        remedy="remove binlog_do_db and binlog_ignore_db from the source's option file, then restart it",
    ),
    Rule(
        "binlog.position_kept",
        "pair",
        "The source still has the log that a stopped link goes on with",
        MANUAL,
        _kept_position,
        needs=("source.binlog_files", "source.oldest_gtids", "replica.channels"),
        remedy="start the link before more is purged; if it is gone, seed again: datain_reseed: true",
    ),
    Rule(
        "binlog.coordinates_present",
        "pair",
        "The source still has the log from the given coordinates on",
        HOW_TO,
        _coordinates,
        needs=("source.binlog_files", "source.oldest_gtids", "replica.channels"),
        remedy="correct datain_link_coordinates, or take a new dump: datain_seed: dump",
    ),
)
