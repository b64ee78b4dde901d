# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the two servers: logins, versions, the binary log, identities, GTIDs, variables, rights."""

from __future__ import annotations

import re
import typing as t

from ._binlog import BinlogState, retention_seconds
from ._dialect import Version
from ._facts import Facts, Side
from ._link import log_gap
from ._model import MYSQL
from ._rule import (
    ERROR,
    HOW_TO,
    INFO,
    LIMITATIONS,
    MANUAL,
    MEASURED,
    PAGE,
    SERVER_PARAMETERS,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    listed,
    not_applicable,
    on_both,
    passed,
    set_on_replica,
    set_on_source,
    unknown,
)

# Logins


def _login(side: str) -> t.Callable[[Facts], Outcome]:
    def evaluate(facts: Facts) -> Outcome:
        server: Side = getattr(facts, side)
        if isinstance(server.variables, dict):
            return passed(server.label)
        return failed(server.label, summary=server.variables.reason, remedy=server.variables.remedy)

    return evaluate


def _login_tls(side: str) -> t.Callable[[Facts], Outcome]:
    def evaluate(facts: Facts) -> Outcome:
        session = getattr(facts, side).tls
        if session is None:
            return failed("no TLS")
        return check(
            session.get("version") in ("TLSv1.2", "TLSv1.3"), f"{session.get('version')} {session.get('cipher')}"
        )

    return evaluate


# Versions

# Releases between which the vendor supports replication, one step upwards at a time; innovation releases count as their major number.
_SERIES: dict[str, tuple[tuple[int, int], ...]] = {
    MYSQL: ((5, 5), (5, 6), (5, 7), (8, 0), (8, 4), (9, 0)),
}


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def _series(side: Side) -> tuple[int, int]:
    """Return the release series: 8.0, 8.4, 9 as a whole, 10.11."""
    major, minor, _patch = side.version
    if side.is_mariadb:
        return major, minor
    return (major, 0) if major >= 9 else (8, 4) if (major, minor) > (8, 0) and major == 8 else (major, minor)


def _both_versions(facts: Facts) -> str:
    return f"source {_text(facts.source.version)}, replica {_text(facts.replica.version)}"


def _flavour(facts: Facts) -> Outcome:
    wanted = facts.desired.service.flavour
    found = {side.flavour for side in on_both(facts)}
    return check(found == {wanted}, f"source {facts.source.flavour}, replica {facts.replica.flavour}", required=wanted)


def _supported(facts: Facts) -> Outcome:
    oldest = facts.desired.service.oldest_source
    return check(
        facts.source.version >= oldest, _text(facts.source.version), required=f"at least {oldest[0]}.{oldest[1]}"
    )


def _same_version(facts: Facts) -> Outcome:
    return check(_series(facts.source) == _series(facts.replica), _both_versions(facts))


def _direction(facts: Facts) -> Outcome:
    if facts.source.flavour != facts.replica.flavour:
        return not_applicable("the servers are of different flavours")
    return check(_series(facts.source) <= _series(facts.replica), _both_versions(facts))


def _patch(facts: Facts) -> Outcome:
    if _series(facts.source) != _series(facts.replica):
        return not_applicable("the servers are of different series")
    return check(facts.source.version <= facts.replica.version, _both_versions(facts))


def _jump(facts: Facts) -> Outcome:
    known = _SERIES.get(facts.source.flavour, ())
    one, two = _series(facts.source), _series(facts.replica)
    if facts.source.flavour != facts.replica.flavour or one not in known or two not in known:
        return not_applicable("no steps between releases are known for these versions")
    return check(known.index(two) - known.index(one) <= 1, _both_versions(facts))


# The binary log


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


def is_azure(side: Side) -> bool:
    return any(name in side.variables for name in ("azure_server_name", "logical_server_name", "redirect_server_host"))


def _retention(facts: Facts) -> Outcome:
    source, desired = facts.source, facts.desired
    wanted = desired.retention or desired.service.retention
    if "/rdsdbbin" in source.value("basedir"):
        return unknown("on RDS the retention is no variable", "CALL mysql.rds_show_configuration;")
    kept = retention_seconds(BinlogState(source.dialect, source.is_mariadb, dict(source.variables)))
    name, unit = source.dialect.retention[0]
    remedy = set_on_source(facts, name, str(-(-wanted // unit)))
    if kept is None and is_azure(source):
        return failed(
            "0: as soon as nobody reads a file",
            required=f"at least {wanted} s",
            remedy=f"set the server parameter {name} of the source",
        )
    return check(
        kept is None or kept >= wanted,
        "for ever" if kept is None else f"{kept} s",
        required=f"at least {wanted} s",
        remedy=remedy,
    )


def _size_limit(facts: Facts) -> Outcome:
    limits = {name: facts.source.number(name) for name in ("max_binlog_total_size", "binlog_space_limit")}
    found = [f"{name} = {size}" for name, size in limits.items() if size]
    return check(not found, ", ".join(found) or "no limit")


def _compression(facts: Facts) -> Outcome:
    source, replica = on_both(facts)
    name, since = (
        ("log_bin_compress", (10, 2, 3)) if source.is_mariadb else ("binlog_transaction_compression", (8, 0, 20))
    )
    if not source.on(name):
        return passed("off")
    return check(
        replica.flavour == source.flavour and replica.version >= since,
        f"{name} = ON",
        required=f"OFF, or a replica of at least {_text(since)}",
        remedy=set_on_source(facts, name, "OFF"),
    )


def _encryption(facts: Facts) -> Outcome:
    name = "encrypt_binlog" if facts.source.is_mariadb else "binlog_encryption"
    return check(not facts.source.on(name), f"{name} = {facts.source.value(name, 'not there')}")


def _filters(facts: Facts) -> Outcome:
    log = facts.source.binlog
    wanted = facts.desired.schemas or facts.source.schemas
    left_out = [name for name in wanted if (log.only and name not in log.only) or name in log.without]
    words = [
        f"{option} = {','.join(names)}"
        for option, names in (("binlog_do_db", log.only), ("binlog_ignore_db", log.without))
        if names
    ]
    return check(not left_out, "; ".join(words) or "none", **listed(left_out))


def _kept_position(facts: Facts) -> Outcome:
    channel = facts.channel
    if channel is None or not facts.linked or channel.by_gtid:
        return not_applicable("there is no link by position to go on with")
    if facts.running:
        return passed("the receiver is running")
    problem = log_gap(channel.read or channel.applied, facts.source.binlog_files)
    return check(problem is None, channel.read or channel.applied, summary=problem)


def _coordinates(facts: Facts) -> Outcome:
    at = facts.desired.coordinates
    if at is None or facts.linked:
        return not_applicable("no coordinates were given" if at is None else "the link has a position of its own")
    problem = log_gap(at, facts.source.binlog_files)
    return check(problem is None, at, summary=problem)


# Who the servers are


def _id_zero(facts: Facts) -> Outcome:
    zero = [
        f"{name}: server_id = 0"
        for name, side in (("source", facts.source), ("replica", facts.replica))
        if side.identity.server_id == 0
    ]
    return check(not zero, "; ".join(zero) or f"{facts.source.identity.server_id}, {facts.replica.identity.server_id}")


def _id_duplicate(facts: Facts) -> Outcome:
    source, replica = facts.source.identity.server_id, facts.replica.identity.server_id
    others = (source, *facts.desired.siblings)
    seen = f"source {source}, replica {replica}" + (
        f", other replicas {', '.join(map(str, facts.desired.siblings))}" if facts.desired.siblings else ""
    )
    return check(replica not in others, seen)


def _uuid_duplicate(facts: Facts) -> Outcome:
    source, replica = facts.source.identity.server_uuid, facts.replica.identity.server_uuid
    if not source or not replica:
        return not_applicable("this flavour has no server_uuid")
    return check(source != replica, f"source {source}, replica {replica}")


def _chained(facts: Facts) -> Outcome:
    if not facts.source.channels:
        return not_applicable("the source is no replica itself")
    name = "log_replica_updates" if "log_replica_updates" in facts.source.variables else "log_slave_updates"
    return check(
        facts.source.on(name),
        f"{name} = {facts.source.value(name)}",
        remedy=set_on_source(facts, name, "ON", restart=True),
    )


def _chain_runs(facts: Facts) -> Outcome:
    if not facts.source.channels:
        return not_applicable("the source is no replica itself")
    broken = [
        f"{channel.source_host}:{channel.source_port} {channel.state}"
        for channel in facts.source.channels
        if not channel.running
    ]
    return check(not broken, "; ".join(broken) or "running", **listed(broken))


def _replica_count(facts: Facts) -> Outcome:
    most = facts.desired.service.most_replicas
    if most is None:
        return not_applicable("this service's page names no limit")
    others = len(facts.source.attached) - (1 if facts.running else 0)
    return check(
        others + 1 <= most, f"{others} other replicas attached", required=f"at most {most} replicas of one source"
    )


# GTIDs

# MySQL's table of modes that replicate with each other: source's to replica's.
_MODES: dict[str, frozenset[str]] = {
    "OFF": frozenset(("OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE")),
    "OFF_PERMISSIVE": frozenset(("OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE")),
    "ON_PERMISSIVE": frozenset(("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")),
    "ON": frozenset(("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")),
}


def _modes_text(facts: Facts) -> str:
    return f"gtid_mode: source {facts.source.value('gtid_mode')}, replica {facts.replica.value('gtid_mode')}"


def _no_gtid_mode(facts: Facts) -> Outcome | None:
    if not all("gtid_mode" in side.variables for side in on_both(facts)):
        return not_applicable("this flavour has no gtid_mode")
    return None


def _modes(facts: Facts) -> Outcome:
    source, replica = (side.value("gtid_mode").upper() for side in on_both(facts))
    # One step at a time; it cannot be undone on the managed server.
    remedy = "one after the other: " + "; ".join(
        set_on_replica(facts, "gtid_mode", mode)
        for mode in (("OFF_PERMISSIVE",) if replica == "OFF" else ("ON_PERMISSIVE",))
    )
    if replica == "ON":
        remedy = "on the source, one after the other: " + " ".join(
            f"SET GLOBAL gtid_mode = {mode};" for mode in ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")
        )
    return _no_gtid_mode(facts) or check(replica in _MODES.get(source, ()), _modes_text(facts), remedy=remedy)


def _gtid_only(evaluate: t.Callable[[Facts], Outcome]) -> t.Callable[[Facts], Outcome]:
    def guarded(facts: Facts) -> Outcome:
        if facts.method != "gtid":
            return not_applicable("the link is by position")
        return _no_gtid_mode(facts) or evaluate(facts)

    return guarded


def _mode_on(facts: Facts) -> Outcome:
    return check(all(side.value("gtid_mode").upper() == "ON" for side in on_both(facts)), _modes_text(facts))


def _consistency(facts: Facts) -> Outcome:
    found = [side.value("enforce_gtid_consistency").upper() for side in on_both(facts)]
    return check(found == ["ON", "ON"], f"source {found[0]}, replica {found[1]}")


def parse_gtids(text: str) -> dict[str, list[tuple[int, int]]]:
    """Parse a MySQL GTID set into intervals by uuid (and tag)."""
    found: dict[str, list[tuple[int, int]]] = {}
    for part in re.sub(r"\s", "", text).split(","):
        names, numbers = [], []
        for word in part.split(":"):
            match = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
            if match:
                numbers.append((int(match[1]), int(match[2] or match[1])))
            elif word:
                names.append(word.lower())
        if names and numbers:
            found.setdefault(":".join(names), []).extend(numbers)
    return found


def gtids_missing(wanted: str, had: str) -> dict[str, int]:
    """Return how many transactions of one set another one lacks, by uuid."""
    have = parse_gtids(had)
    lacking: dict[str, int] = {}
    for name, intervals in parse_gtids(wanted).items():
        owned = sorted(have.get(name, []))
        for first, last in intervals:
            missing, at = 0, first
            for begin, end in owned:
                if end < at or begin > last:
                    continue
                missing += max(0, begin - at)
                at = max(at, end + 1)
            missing += max(0, last - at + 1)
            if missing:
                lacking[name] = lacking.get(name, 0) + missing
    return lacking


def _counts(lacking: dict[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in sorted(lacking.items())) or "none"


def _purged_gap(facts: Facts) -> Outcome:
    if not facts.linked:
        return not_applicable("the GTIDs of the replica are aligned after the seed")
    lacking = gtids_missing(facts.source.value("gtid_purged"), facts.replica.value("gtid_executed"))
    return check(not lacking, f"purged and not applied: {_counts(lacking)}", **listed(lacking))


def _errant(facts: Facts) -> Outcome:
    if not facts.linked:
        return not_applicable("the GTIDs of the replica are aligned after the seed")
    extra = gtids_missing(facts.replica.value("gtid_executed"), facts.source.value("gtid_executed"))
    # What arrived between the two reads is the source's own.
    extra.pop((facts.source.identity.server_uuid or "").lower(), None)
    return check(not extra, f"only on the replica: {_counts(extra)}", **listed(extra))


# Variables that should be alike


def _normal(name: str, side: Side) -> str:
    """Return a variable in a form in which two servers can be compared."""
    value = side.value(name)
    if name == "sql_mode":
        return ",".join(sorted(part for part in value.upper().split(",") if part and part != "NO_AUTO_CREATE_USER"))
    if name == "time_zone":
        zone = side.value("system_time_zone") if value.upper() == "SYSTEM" else value
        return "UTC" if zone.upper() in ("UTC", "+00:00", "GMT", "ETC/UTC", "UNIVERSAL") else zone
    if name in ("character_set_server", "collation_server"):
        return re.sub(r"^utf8(_|$)", r"utf8mb3\1", value)
    return value.upper()


def _alike(*names: str) -> t.Callable[[Facts], Outcome]:
    """One variable, under the first of its names that each server has."""

    def evaluate(facts: Facts) -> Outcome:
        found = [next((name for name in names if name in side.variables), None) for side in on_both(facts)]
        if found[0] is None or found[1] is None:
            return not_applicable(f"one of the servers has no {names[0]}")
        one, two = facts.source.value(found[0]), facts.replica.value(found[1])
        right = _normal(found[0], facts.source) == _normal(found[1], facts.replica)
        return check(
            right, f"source {one!r}, replica {two!r}", required="equal", remedy=set_on_replica(facts, found[1], one)
        )

    return evaluate


def _packet(facts: Facts) -> Outcome:
    source, replica = (side.number("max_allowed_packet") for side in on_both(facts))
    remedy = set_on_replica(facts, "max_allowed_packet", str(source))
    return check(
        replica >= source,
        f"source {source}, replica {replica}",
        required=f"at least {source} on the replica",
        remedy=remedy,
    )


def _lower_case(facts: Facts) -> Outcome:
    source, replica = (side.value("lower_case_table_names") for side in on_both(facts))
    fixed = facts.replica.version >= (8, 0, 0) and not facts.replica.is_mariadb
    remedy = (
        f"create the managed server with lower_case_table_names = {source}: it cannot be changed later, and 0 is not offered"
        if fixed
        else set_on_replica(facts, "lower_case_table_names", source)
    )
    return check(source == replica, f"source {source}, replica {replica}", required="equal", remedy=remedy)


def _trust(facts: Facts) -> Outcome:
    """Error 1419: an administrator without SUPER may not create functions and triggers while the log is on."""
    replica = facts.replica
    makers = [group for group in facts.source.objects if group.kind in ("function", "trigger")]
    count = sum(group.objects.count for group in makers)
    if not makers:
        return not_applicable("the source has no functions and no triggers")
    if not replica.on("log_bin") or replica.on("log_bin_trust_function_creators"):
        return passed(f"log_bin_trust_function_creators = {replica.value('log_bin_trust_function_creators')}")
    if replica.grants.has("SUPER"):
        return passed("the administrator has SUPER")
    return failed(
        f"log_bin_trust_function_creators = OFF, {count} functions and triggers to create",
        severity=ERROR if facts.desired.loads and not facts.linked else WARNING,
        remedy=set_on_replica(facts, "log_bin_trust_function_creators", "ON"),
    )


# Rights of the two administrators


def _rights(
    side: str, *wanted: tuple[str, ...], only_if: t.Callable[[Facts], str | None] = lambda facts: None
) -> t.Callable[[Facts], Outcome]:
    """Rights that a login must have everywhere; of each group any one will do, and the first is named where none is there."""

    def evaluate(facts: Facts) -> Outcome:
        why_not = only_if(facts)
        if why_not:
            return not_applicable(why_not)
        return missing_rights(getattr(facts, side), wanted)

    return evaluate


def missing_rights(server: Side, wanted: t.Iterable[tuple[str, ...]]) -> Outcome:
    wanted = tuple(wanted)
    lacking = [right[0] for right in wanted if not server.grants.has(*right)]
    return check(
        not lacking,
        f"missing: {', '.join(lacking)}" if lacking else "all there",
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
    return missing_rights(facts.source, ((facts.source.dialect.variables_right, "SUPER"),))


def _replica_monitor(facts: Facts) -> Outcome:
    return missing_rights(facts.replica, (facts.replica.dialect.channel_privileges,))


def _replica_execute(facts: Facts) -> Outcome:
    return check(facts.replica.grants.has_in("mysql", "EXECUTE"), required="EXECUTE ON mysql.*")


def _unless_loading(facts: Facts) -> str | None:
    if facts.linked:
        return "the replica is linked: nothing is loaded"
    return None if facts.desired.loads else f"datain_seed is {facts.desired.seed}: nothing is loaded by us"


_DUMP: tuple[tuple[str, ...], ...] = (("SELECT",), ("SHOW VIEW",), ("TRIGGER",), ("EVENT",), ("LOCK TABLES", "RELOAD"))
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
        "connection.source",
        "source",
        "The source lets us in",
        HOW_TO,
        _login("source"),
        needs_login=False,
        remedy="check datain_login_host, datain_login_port, datain_login_user and datain_login_password of the source",
    ),
    Rule(
        "connection.replica",
        "replica",
        "The managed server lets us in",
        HOW_TO,
        _login("replica"),
        needs_login=False,
        remedy="check datain_login_host, datain_login_port, datain_login_user and datain_login_password of the replica",
    ),
    Rule(
        "connection.source_tls",
        "source",
        "Our session with the source is encrypted, by TLS 1.2 or later",
        MANUAL,
        _login_tls("source"),
        WARNING,
        required="TLS 1.2 or later",
        remedy="datain_login_tls: required, on the source's host in the inventory",
    ),
    Rule(
        "connection.replica_tls",
        "replica",
        "Our session with the managed server is encrypted, by TLS 1.2 or later",
        HOW_TO,
        _login_tls("replica"),
        WARNING,
        required="TLS 1.2 or later",
        remedy="datain_login_tls: verify_identity, on the replica's host in the inventory",
    ),
    Rule(
        "version.flavour",
        "pair",
        "Both servers are of the flavour that the service is",
        PAGE,
        _flavour,
        remedy="choose the service whose flavour the source is: datain_service",
    ),
    Rule(
        "version.supported",
        "source",
        "The source is not older than the service allows",
        PAGE,
        _supported,
        remedy="upgrade the source",
    ),
    Rule(
        "version.pair",
        "pair",
        "Source and replica are of the same version",
        PAGE,
        _same_version,
        "same_version",
        required="the same release series",
        remedy="create the managed server in the version of the source",
    ),
    Rule(
        "version.direction",
        "pair",
        "The replica is not of an older series than the source",
        MANUAL,
        _direction,
        required="a replica of the same or a newer series",
        remedy="create the managed server in the version of the source, or upgrade it",
    ),
    Rule(
        "version.patch",
        "pair",
        "The replica is not of an older release of the same series than the source",
        MANUAL,
        _patch,
        WARNING,
        required="a replica of the same or a later release",
        remedy="upgrade the managed server in its next maintenance window",
    ),
    Rule(
        "version.jump",
        "pair",
        "The replica is at most one series newer than the source",
        MANUAL,
        _jump,
        WARNING,
        required="at most one step",
        remedy="upgrade the source to the series in between, or test the link with a copy",
    ),
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
        "source",
        "The checksum of the log is one that every replica knows",
        MANUAL,
        _variable("binlog_checksum", "CRC32", "NONE"),
        WARNING,
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
        PAGE,
        _retention,
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
        "No filter keeps a schema out of the log",
        MANUAL,
        _filters,
        needs=("source.binlog", "source.schemas"),
        remedy="remove binlog_do_db and binlog_ignore_db from the source's option file, then restart it",
    ),
    Rule(
        "binlog.position_kept",
        "pair",
        "The source still has the log that a stopped link goes on with",
        PAGE,
        _kept_position,
        needs=("source.binlog_files", "replica.channels"),
        remedy="start the link before more is purged; if it is gone, seed again: datain_reseed: true",
    ),
    Rule(
        "binlog.coordinates_present",
        "pair",
        "The source still has the log from the given coordinates on",
        HOW_TO,
        _coordinates,
        needs=("source.binlog_files", "replica.channels"),
        remedy="correct datain_link_coordinates, or take a new dump: datain_seed: dump",
    ),
    Rule(
        "server_id.zero",
        "pair",
        "Both servers have a server_id",
        MANUAL,
        _id_zero,
        required="not 0",
        remedy="set server_id below [mysqld] in the source's option file and alive: SET GLOBAL server_id = <number>;",
    ),
    Rule(
        "server_id.duplicate",
        "pair",
        "No two servers around this source have the same server_id",
        MANUAL,
        _id_duplicate,
        required="all different",
        remedy="SET GLOBAL server_id = <another number>; on the source, and in its option file",
    ),
    Rule(
        "uuid.duplicate",
        "pair",
        "The servers have different server_uuids",
        MANUAL,
        _uuid_duplicate,
        required="different",
        remedy="remove auto.cnf from the source's data directory and restart it: one server is a copy of the other's files",
    ),
    Rule(
        "source.is_replica",
        "source",
        "A source that is a replica itself logs what it receives",
        MANUAL,
        _chained,
        needs=("source.channels",),
        required="ON",
    ),
    Rule(
        "source.chain_runs",
        "source",
        "A source that is a replica itself receives",
        MANUAL,
        _chain_runs,
        WARNING,
        needs=("source.channels",),
        remedy="mend the source's own replication: SHOW REPLICA STATUS",
    ),
    Rule(
        "source.replica_count",
        "source",
        "The source does not have more replicas than the service allows",
        PAGE,
        _replica_count,
        needs=("source.attached", "replica.channels"),
        remedy="unlink a replica first: datain_state: absent",
    ),
    Rule("gtid.modes", "pair", "The GTID modes of both servers go together", MANUAL, _modes),
    Rule(
        "gtid.mode",
        "pair",
        "A link by GTID finds GTIDs on both sides",
        HOW_TO,
        _gtid_only(_mode_on),
        needs=("replica.channels",),
        required="gtid_mode = ON on both",
        remedy="on each, one after the other: OFF_PERMISSIVE, ON_PERMISSIVE, ON; or datain_link_method: position",
    ),
    Rule(
        "gtid.consistency",
        "pair",
        "A link by GTID finds both servers refusing what has no GTID",
        HOW_TO,
        _gtid_only(_consistency),
        needs=("replica.channels",),
        required="enforce_gtid_consistency = ON on both",
        remedy="SET GLOBAL enforce_gtid_consistency = ON; first WARN, then ON",
    ),
    Rule(
        "gtid.purged_gap",
        "pair",
        "The source has not purged what the replica lacks",
        MANUAL,
        _gtid_only(_purged_gap),
        needs=("replica.channels",),
        remedy="seed again: the transactions are gone (1236)",
    ),
    Rule(
        "gtid.errant",
        "pair",
        "The replica has no transactions of its own",
        MANUAL,
        _gtid_only(_errant),
        WARNING,
        needs=("replica.channels",),
        remedy="nothing for this link; a link in the other direction would need them in the replica's log",
    ),
    Rule(
        "variables.lower_case_table_names", "pair", "Names of tables mean the same on both sides", HOW_TO, _lower_case
    ),
    Rule(
        "variables.max_allowed_packet",
        "pair",
        "The replica takes packets as large as the source's",
        HOW_TO,
        _packet,
        WARNING,
    ),
    Rule(
        "variables.log_bin_trust_function_creators",
        "pair",
        "Functions and triggers can be created on the replica without SUPER",
        SERVER_PARAMETERS,
        _trust,
        WARNING,
        needs=("source.objects", "replica.grants", "replica.channels"),
        required="log_bin_trust_function_creators = ON",
    ),
    *(
        Rule(f"variables.{names[0]}", "pair", f"Both sides have the same {names[0]}", document, _alike(*names), WARNING)
        for names, document in (
            (("sql_mode",), MANUAL),
            (("time_zone",), MANUAL),
            (("character_set_server",), HOW_TO),
            (("collation_server",), HOW_TO),
            (("explicit_defaults_for_timestamp",), MANUAL),
            (("transaction_isolation", "tx_isolation"), MANUAL),
            (("innodb_strict_mode",), SERVER_PARAMETERS),
            (("innodb_page_size",), MANUAL),
        )
    ),
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
        PAGE,
        _source_accounts,
        needs=("source.grants",),
        remedy=_GRANT + "source WITH GRANT OPTION;",
    ),
    Rule(
        "rights.source_settings",
        "source",
        "The source's login may configure the binary log",
        PAGE,
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
        _rights("source", *_DUMP, only_if=_unless_loading),
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
        needs=("replica.grants",),
        remedy="log in as the administrator that was created with the server",
    ),
    Rule(
        "rights.replica_load",
        "replica",
        "The managed server's administrator may load the seed",
        LIMITATIONS,
        _rights("replica", *_LOAD, only_if=_unless_loading),
        needs=("replica.grants", "replica.channels"),
        remedy="log in as the administrator that was created with the server; it lacks {rights}",
    ),
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
)
