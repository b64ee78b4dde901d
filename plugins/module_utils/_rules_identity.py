# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about who the servers are: identities over the whole fan-out, and a source that is a replica itself."""

from __future__ import annotations

import typing as t

from ._facts import Facts, Unread
from ._rule import (
    INFO,
    MANUAL,
    PAGE,
    WARNING,
    Outcome,
    Rule,
    check,
    listed,
    not_applicable,
    passed,
    set_on_source,
    unknown,
)

DUPLICATE = "server_id.duplicate"
OTHER_ID = "give one of them another server_id; on a managed server that takes another managed server"


def _id_zero(facts: Facts) -> Outcome:
    zero = [f"{name}: server_id = 0" for name, side in (("source", facts.source), ("replica", facts.replica)) if side.identity.server_id == 0]
    return check(not zero, "; ".join(zero) or f"{facts.source.identity.server_id}, {facts.replica.identity.server_id}")


def _id_duplicate(facts: Facts) -> Outcome:
    source, replica = facts.source.identity.server_id, facts.replica.identity.server_id
    others = (source, *facts.desired.siblings)
    seen = f"source {source}, replica {replica}" + (f", other replicas {', '.join(map(str, facts.desired.siblings))}" if facts.desired.siblings else "")
    return check(replica not in others, seen, remedy=OTHER_ID if replica in facts.desired.siblings else None)


def _upstream(facts: Facts) -> Outcome:
    """A replica takes no event that carries its own server_id: it would leave out, without a word, all that came from there."""
    above = [channel for channel in facts.source.channels if channel.source_id or channel.source_uuid]
    if not above:
        return not_applicable("nothing is known of a server that the source gets its data from")
    mine = facts.replica.identity
    same = [
        f"{channel.source_host}:{channel.source_port}"
        for channel in above
        if channel.source_id == mine.server_id or (channel.source_uuid and channel.source_uuid == mine.server_uuid)
    ]
    return check(not same, f"replica {mine.server_id}, above the source {', '.join(str(channel.source_id) for channel in above)}", **listed(same))


def _fan_out(name: str) -> t.Callable[[Facts], Outcome]:
    """Two replicas of one server_id, or of one server_uuid, throw each other out of the source, again and again."""

    def evaluate(facts: Facts) -> Outcome:
        mine, registered = getattr(facts.replica.identity, name), facts.source.registered
        if mine is None:
            return not_applicable(f"this flavour has no {name}")
        if isinstance(registered, Unread):
            return unknown(registered.reason, registered.remedy)
        others = sorted({getattr(one, name) for one in registered} - {None})
        if facts.running:
            return passed(f"{mine} receives")
        if _was_linked(facts):
            return passed(f"{mine} was linked until now")
        return check(mine not in others, f"replica {mine}, attached {', '.join(map(str, others)) or 'none'}")

    return evaluate


def _uuid_duplicate(facts: Facts) -> Outcome:
    source, replica = facts.source.identity.server_uuid, facts.replica.identity.server_uuid
    if not source or not replica:
        return not_applicable("this flavour has no server_uuid")
    return check(source != replica, f"source {source}, replica {replica}")


def _chained(facts: Facts) -> Outcome:
    # A node of a Galera cluster gets the other nodes' transactions without a channel.
    clustered = facts.source.on("wsrep_on") and facts.source.value("wsrep_provider", "none").lower() not in ("", "none")
    if not facts.source.channels and not clustered:
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
    broken = [f"{channel.source_host}:{channel.source_port} {channel.state}" for channel in facts.source.channels if not channel.running]
    return check(not broken, "; ".join(broken) or "running", **listed(broken))


# Seconds of a source's own delay from which on the replica's lag says little about how old its data is.
LATE = 60


def _chain_lag(facts: Facts) -> Outcome:
    running = [channel for channel in facts.source.channels if channel.running]
    if not running:
        return not_applicable("the source is no replica that receives")
    seen = [f"{channel.source_host}:{channel.source_port} {'unknown' if channel.lag is None else f'{channel.lag} s'}" for channel in running]
    return check(all(channel.lag is not None and channel.lag < LATE for channel in running), "; ".join(seen), required=f"less than {LATE} s")


def _commit_order(facts: Facts) -> Outcome:
    source = facts.source
    if not source.channels:
        return not_applicable("the source is no replica itself")
    if source.is_mariadb:
        return not_applicable("MariaDB's parallel appliers keep the order unless slave_parallel_mode says otherwise")
    new = "replica_parallel_workers" in source.variables
    workers, order = ("replica_parallel_workers", "replica_preserve_commit_order") if new else ("slave_parallel_workers", "slave_preserve_commit_order")
    return check(
        source.number(workers) <= 1 or source.on(order),
        f"{workers} = {source.value(workers)}, {order} = {source.value(order, 'not there')}",
        remedy=set_on_source(facts, order, "ON"),
    )


def _source_read_only(facts: Facts) -> Outcome:
    names = [name for name in ("read_only", "super_read_only") if facts.source.on(name)]
    return check(not names, ", ".join(names) or "it takes writes")


def _prepared(facts: Facts) -> Outcome:
    """What is prepared is not in the dump, and in the log stands before its place: its commit then finds nothing on the replica."""
    why_not = facts.why_nothing_is_loaded
    if why_not or not facts.source.dialect.prepared:
        return not_applicable(why_not or "this version logs a distributed transaction as a whole when it is committed")
    return check(not facts.source.prepared, f"{facts.source.prepared} prepared")


# Seconds of a running statement from which on a dump's global read lock would wait, and every writer behind it.
LONG = 60


def _long_statements(facts: Facts) -> Outcome:
    why_not = facts.why_nothing_is_loaded
    if why_not:
        return not_applicable(why_not)
    seconds = facts.source.longest_statement
    return check(seconds < LONG, f"the longest has been running for {seconds} s", required=f"less than {LONG} s")


def _was_linked(facts: Facts) -> bool:
    """Tell whether the source still counts a link that is no more: it sees that a session has gone when it sends the next event."""
    if isinstance(facts.source.registered, Unread) or isinstance(facts.replica.records, Unread):
        return False
    return "link" in facts.records_of_pair and facts.replica.identity.server_id in (one.server_id for one in facts.source.registered)


def _replica_count(facts: Facts) -> Outcome:
    most = facts.desired.service.most_replicas
    if most is None:
        return not_applicable("this service's page names no limit")
    others = len(facts.source.attached) - (1 if facts.running or _was_linked(facts) else 0)
    return check(others + 1 <= most, f"{others} other replicas attached", required=f"at most {most} replicas of one source")


RULES: tuple[Rule, ...] = (
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
        DUPLICATE,
        "pair",
        "No two servers around this source have the same server_id",
        MANUAL,
        _id_duplicate,
        required="all different",
        remedy="SET GLOBAL server_id = <another number>; on the source, and in its option file",
    ),
    Rule(
        "server_id.upstream",
        "pair",
        "No server that the source gets its data from has the replica's server_id",
        MANUAL,
        _upstream,
        needs=("source.channels",),
        required="all different",
        remedy="give the server above the source another server_id, or use another managed server",
    ),
    Rule(
        "server_id.fan_out",
        "pair",
        "No replica that is attached to the source has the replica's server_id",
        MANUAL,
        _fan_out("server_id"),
        needs=("replica.channels", "replica.records"),
        required="all different",
        remedy=OTHER_ID,
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
        "uuid.fan_out",
        "pair",
        "No replica that is attached to the source has the replica's server_uuid",
        MANUAL,
        _fan_out("server_uuid"),
        needs=("replica.channels", "replica.records"),
        required="all different",
        remedy="one of the two is a copy of the other's files: remove its auto.cnf and restart it; on a managed server that takes another managed server",
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
        "source.chain_lag",
        "source",
        "A source that is a replica itself is not far behind",
        MANUAL,
        _chain_lag,
        WARNING,
        needs=("source.channels",),
        remedy="let the source catch up first: its replicas are never newer than it is",
    ),
    Rule(
        "source.commit_order",
        "source",
        "A source that is a replica itself commits in its own source's order",
        MANUAL,
        _commit_order,
        WARNING,
        needs=("source.channels",),
        required="replica_preserve_commit_order = ON, or one applier",
        remedy="set replica_preserve_commit_order = ON on the source",
    ),
    Rule(
        "source.read_only",
        "source",
        "The source takes writes, so that the account can be created there",
        MANUAL,
        _source_read_only,
        INFO,
        required="read_only = OFF",
        remedy="nothing if the account for the replica is there; else create it where the source gets its data from",
    ),
    Rule(
        "source.long_statements",
        "source",
        "No statement has been running for long on the source: a dump's lock waits for it, and all writes behind the lock",
        MANUAL,
        _long_statements,
        WARNING,
        needs=("source.longest_statement", "replica.channels"),
        remedy="wait for it, or end it: SHOW FULL PROCESSLIST; KILL <id>;",
    ),
    Rule(
        "source.prepared_xa",
        "source",
        "No distributed transaction waits on the source for its second phase when the data is copied",
        MANUAL,
        _prepared,
        needs=("source.prepared", "replica.channels"),
        required="XA RECOVER lists none",
        remedy="commit or roll it back: XA RECOVER; XA COMMIT '<xid>'; or XA ROLLBACK '<xid>';",
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
)
