# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What is decided about a link. ``plan_link`` is the table of docs/link-states.md; nothing else decides about a link."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from . import _advice, _procedures
from ._dialect import Version
from ._model import Channel, Coordinates, Finding, Identity, Plan, Start, Step
from ._state import belongs


@dataclass(frozen=True)
class LinkDesired:
    """What the inventory says about a link.

    :param host: how the replica reaches the source, which need not be how we reach it
    :param ca: PEM text of the source's CA; empty means a link without TLS
    :param ca_fingerprint: what tells this CA from another one, whatever the order and form of the PEM
    :param method: ``auto``, ``position`` or ``gtid``
    :param service_method: what ``auto`` means on this service
    :param explicit: coordinates for which the operator vouches
    """

    state: str
    host: str
    port: int
    user: str
    ca: str = ""
    ca_fingerprint: str | None = None
    method: str = "auto"
    service_method: str = "position"
    explicit: Start | None = None
    gtid_reset: str = "align the GTIDs of the replica with those of the seed"


@dataclass(frozen=True)
class LinkCurrent:
    """What the two servers say.

    :param channels: every channel; the query succeeded, so an empty tuple means that there is none
    :param records: the rows kept beside the data
    :param source_files: the source's log files with their sizes; what is not among them is purged
    :param applied: what the replica has applied by GTID
    :param seed_included: MySQL by GTID only: everything in the seed counts as executed on the replica
    :param source_purged: what the source no longer has by GTID: a set on MySQL, positions on MariaDB
    :param purged_applied: MySQL by GTID only: everything that the source has purged is executed on the replica
    :param login: the outcome of logging in to the source as the replica would: None untried, "" worked, else why not
    :param not_writable: why no row may be written now, or None
    """

    flavour: str
    version: Version
    channels: tuple[Channel, ...]
    procedures: _procedures.Procedures
    records: dict[str, dict[str, t.Any]]
    source: Identity
    replica: Identity
    source_files: dict[str, int]
    read_only: bool = False
    gtid_modes: tuple[str, str] = ("", "")
    applied: str | None = None
    seed_included: bool | None = None
    source_purged: str | None = None
    purged_applied: bool | None = None
    login: str | None = None
    not_writable: str | None = None

    @property
    def channel(self) -> Channel | None:
        return self.channels[0] if self.channels else None

    @property
    def is_mariadb(self) -> bool:
        return _procedures.gtid_needs_position(self.flavour)

    def record(self, kind: str) -> dict[str, t.Any] | None:
        """Return a record that is about these two servers; any other counts as unknown."""
        record = self.records.get(kind)
        return record if belongs(record, self.source, self.replica) else None


@dataclass(frozen=True)
class LinkPlan(Plan):
    """A plan for a link, with the row of the table that decided it.

    :param row: number of the row
    :param verb: ``keep``, ``link``, ``start``, ``stop``, ``remove`` or ``refuse``
    :param at: where to link
    :param method: ``position`` or ``gtid``
    :param observe: whether the link must be healthy afterwards
    """

    row: int = 0
    verb: str = "keep"
    at: Start | None = None
    method: str | None = None
    observe: bool = False


def plan_link(current: LinkCurrent, desired: LinkDesired) -> LinkPlan:
    """Decide about a link: the rows of the table from top to bottom, the first that matches wins."""
    for row in (_not_ours, _promoted, _absent, _no_channel, _channel):
        plan = row(current, desired)
        if plan is not None:
            return plan
    raise AssertionError("the table has a row for every state")  # pragma: no cover


# Building plans


def _refuse(row: int, message: str, hint: str, current: LinkCurrent) -> LinkPlan:
    state = _state(current)
    return LinkPlan(row=row, verb="refuse", refusal=message, hint=hint, before=state, after=state)


def _state(current: LinkCurrent, **changes: t.Any) -> dict[str, t.Any]:
    """Return what a diff shows of a link: what we set, nothing that moves by itself."""
    channel = current.channel
    if channel is None:
        state: dict[str, t.Any] = {"state": "absent"}
    else:
        state = {
            "state": "stopped" if channel.stopped else "started",
            "host": channel.source_host,
            "port": channel.source_port,
            "user": channel.source_user,
            "tls": channel.tls,
            "method": "gtid" if channel.by_gtid else "position",
        }
    return {**state, **changes}


def _finding(rule: str, severity: str, summary: str, **more: t.Any) -> Finding:
    return Finding(rule=rule, side="replica", status="failed", severity=severity, summary=summary, **more)


def _plan(row: int, verb: str, current: LinkCurrent, steps: t.Sequence[Step], **more: t.Any) -> LinkPlan:
    after = more.pop("after", None) or _state(current)
    return LinkPlan(row=row, verb=verb, steps=tuple(steps), before=_state(current), after=after, **more)


def _link_at(row: int, at: Start, why: str, current: LinkCurrent, desired: LinkDesired) -> LinkPlan:
    """Plan to link at a place, if source and replica can still do so."""
    method, problem = _method(at, current, desired)
    if problem:
        return _refuse(row, problem[0], problem[1], current)
    gone = _gone(at, method, current)
    if gone:
        return _refuse(row, gone, "set datain_reseed: true to seed again", current)
    where = at.gtid if method == "gtid" else at.coordinates
    steps = []
    if current.channel is not None and not current.channel.stopped:
        steps.append(Step("stop", current.procedures.full_name(_procedures.STOP), "the source can be changed only while stopped"))
    procedure = _procedures.BY_GTID if method == "gtid" else _procedures.BY_POSITION
    steps.append(Step("link", current.procedures.full_name(procedure), f"{why}, at {where or 'the executed set'}"))
    started = desired.state == "started"
    if started:
        steps.append(Step("start", current.procedures.full_name(_procedures.START), "the link is to run"))
    after = {
        "state": desired.state,
        "host": desired.host,
        "port": desired.port,
        "user": desired.user,
        "tls": bool(desired.ca),
        "method": method,
        "at": str(where or ""),
    }
    return _plan(row, "link", current, steps, at=at, method=method, after=after, observe=started)


def _method(at: Start, current: LinkCurrent, desired: LinkDesired) -> tuple[str, tuple[str, str] | None]:
    """Choose position or GTID, and say what stands in the way of it."""
    procedures = current.procedures
    method = desired.method
    if method == "auto":
        method = desired.service_method
        if method == "position" and not procedures.usable(_procedures.BY_POSITION):
            method = "gtid"  # with high availability on, only the GTID procedure exists
        if method == "gtid" and current.is_mariadb and (not at.gtid or not procedures.usable(_procedures.BY_GTID)):
            method = "position"
    procedure = _procedures.BY_GTID if method == "gtid" else _procedures.BY_POSITION
    if not procedures.usable(procedure):
        return method, (
            f"the replica has no usable procedure {procedures.full_name(procedure)}",
            "set datain_link_method to the other method, or check datain_service and the pricing tier",
        )
    if method == "position" and at.coordinates is None:
        return method, ("a file and a position are needed to link by position", "set datain_link_method: gtid, or give both")
    if method == "gtid":
        return method, _gtid_problem(at, current, desired)
    return method, None


def _gtid_problem(at: Start, current: LinkCurrent, desired: LinkDesired) -> tuple[str, str] | None:
    if current.is_mariadb:
        if not at.gtid:
            return "a GTID position is needed to link by GTID", "set datain_link_method: position, or give {gtid: …}"
        return None
    if current.gtid_modes != ("ON", "ON"):
        return (
            f"gtid_mode is {current.gtid_modes[0]} on the source and {current.gtid_modes[1]} on the replica; both must be ON",
            "set gtid_mode and enforce_gtid_consistency to ON on both sides, or datain_link_method: position",
        )
    if at.gtid and current.seed_included is False:
        return (
            "the replica does not count the transactions of the seed as executed: a link by GTID would fetch them again",
            desired.gtid_reset.format(gtid=at.gtid),
        )
    if not at.gtid and not current.applied:
        return "nothing says which transactions the data holds", "seed again with GTIDs, or set datain_link_method: position"
    return None


def _gone(at: Start, method: str, current: LinkCurrent) -> str | None:
    """Tell why the source no longer has everything after a place, or None where it has (L in the table)."""
    if method == "gtid" and not current.is_mariadb:
        if current.purged_applied is False:
            return f"the source has purged transactions that the replica lacks ({current.source_purged})"
        return None
    if method == "gtid" and at.coordinates is None:
        late = mariadb_gap(at.gtid or "", current.source_purged or "")
        return f"the source has purged transactions after {at.gtid}: domain {late}" if late is not None else None
    return log_gap(at.coordinates, current.source_files)


def log_gap(at: Coordinates | None, files: dict[str, int]) -> str | None:
    """Tell why a log cannot be read from a position, or None where it can."""
    if at is None:
        return "there are no coordinates"
    if not files:
        return "the source keeps no binary log"
    if at.file not in files:
        return f"the source no longer has {at.file}: its log was purged or reset; it has {min(files)} to {max(files)}"
    if at.position > files[at.file]:
        return (
            f"{at} is beyond the end of {at.file} ({files[at.file]} bytes): the source has lost the tail of its log, "
            "so it crashed without a durable one"
        )
    return None


def mariadb_gap(wanted: str, oldest: str) -> str | None:
    """Return the first domain whose log begins after a GTID position, or None.

    :param wanted: the position to go on from, such as ``0-1-25,3-1-7``
    :param oldest: where the oldest log file begins, in the same form
    """
    have = dict(_gtids(wanted))
    return next((domain for domain, sequence in _gtids(oldest) if sequence > have.get(domain, 0)), None)


def _gtids(text: str) -> t.Iterator[tuple[str, int]]:
    for domain, sequence in re.findall(r"(\d+)-\d+-(\d+)", text):
        yield domain, int(sequence)


# Rows 2 to 4


def _not_ours(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    del desired
    named = [channel.name for channel in current.channels if channel.name]
    if len(current.channels) > 1 or named:
        return _refuse(
            2,
            f"the replica has {len(current.channels)} channels ({', '.join(named) or 'unnamed'}): they were not made through "
            "the service's procedures, which know the default channel only",
            "remove the other channels, or take the host out of datain_replicas",
            current,
        )
    if current.read_only and current.channel is not None:
        return _refuse(
            2,
            "the server is read-only and replicates: it is a read replica of the platform itself",
            "link the server that it is a replica of",
            current,
        )
    return None


def _promoted(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    record = current.records.get("cutover") or {}
    if record.get("phase") != "promoted" or desired.state == "absent":
        return None
    if not current.replica.same_as(Identity.from_result((record.get("identities") or {}).get("replica"))):
        return None
    return _refuse(
        3,
        "this server was promoted: it is production now, and linking it would overwrite it from its old source",
        "take the host out of the inventory, or set datain_reseed: true to make it a replica again, losing its data",
        current,
    )


def _absent(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    if desired.state != "absent":
        return None
    channel = current.channel
    if channel is None:
        return _plan(4, "keep", current, ())
    procedures = current.procedures
    steps = []
    if not channel.stopped:
        steps.append(Step("stop", procedures.full_name(_procedures.STOP), "the link is to go"))
    steps.append(Step("record", "the position that is applied", "it is forgotten by the server when the link goes"))
    steps.append(Step("remove", procedures.full_name(_procedures.REMOVE), "the link is to go"))
    return _plan(4, "remove", current, steps, after={"state": "absent"})


# Rows 5 to 8: there is no channel


def _no_channel(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    if current.channel is not None:
        return None
    seed, link = current.record("seed"), current.record("link")
    if seed and seed.get("phase") != "complete":
        return _refuse(
            8,
            "the seed was interrupted: what is on the replica is not a whole copy",
            "run the playbook again with its seed: it starts the interrupted one over",
            current,
        )
    if link and (not seed or link.get("seed") == seed.get("id")):
        return _from_record(link, current, desired)
    if seed:
        start = Start.from_result(seed.get("start"))
        if start is None:
            return _refuse(8, "the seed has no coordinates", "set datain_reseed: true to seed again", current)
        if current.is_mariadb and _moved(current, seed.get("applied"), start.gtid):
            return _moved_on(current)
        return _link_at(6, start, "the seed is complete and was never linked", current, desired)
    if desired.explicit is not None:
        return _link_at(7, desired.explicit, "the operator vouches for the coordinates", current, desired)
    return _refuse(
        8,
        "nothing says where to start: no seed is recorded here for this pair of servers, and no coordinates are given",
        "seed the replica (datain_seed: dump), or with datain_seed: external give datain_link_coordinates",
        current,
    )


def _from_record(link: dict[str, t.Any], current: LinkCurrent, desired: LinkDesired) -> LinkPlan:
    start = Start.from_result(link.get("start"))
    phase = link.get("phase")
    if phase == "removed" and start:
        return _link_at(5, start, "the link was removed there", current, desired)
    if phase == "intended" and start:
        if current.is_mariadb and _moved(current, link.get("applied"), start.gtid):
            return _moved_on(current)
        return _link_at(5, start, "an interrupted run was about to link there", current, desired)
    return _refuse(
        8,
        "the link that was here has gone, and not through this collection: nobody knows what the replica has applied",
        "set datain_reseed: true to seed again",
        current,
    )


def _moved(current: LinkCurrent, *known: str | None) -> bool:
    """Tell whether a MariaDB replica has applied something since: it keeps count even without a channel."""
    return current.applied is not None and current.applied not in known


def _moved_on(current: LinkCurrent) -> LinkPlan:
    return _refuse(
        8,
        f"the replica has applied transactions since it was seeded (gtid_slave_pos is {current.applied})",
        "set datain_reseed: true to seed again",
        current,
    )


# Rows 9 to 20: there is a channel


def _channel(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    for row in (_other_source, _never_connected, _differences, _stopped, _running, _applier_broken, _receiver_broken, _halted):
        plan = row(current, desired)
        if plan is not None:
            return plan
    return None


def _of(current: LinkCurrent) -> Channel:
    channel = current.channel
    if channel is None:
        raise ValueError("these rows are about a channel")
    return channel


def _other_source(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    channel = _of(current)
    seen = Identity(channel.source_id, channel.source_uuid)
    # A channel that has not connected yet knows neither; a uuid decides where both sides have one.
    known = bool(channel.source_uuid) if current.source.server_uuid else bool(channel.source_id)
    if not known or current.source.same_as(seen):
        return None
    return _refuse(
        9,
        f"the replica follows another server: {channel.source_host}:{channel.source_port} was {_who(seen)} when it connected, "
        f"and the source in the inventory is {_who(current.source)}; positions of two servers cannot be compared",
        "if the source was restored or replaced, seed again (datain_state: absent, then datain_reseed: true); "
        "else correct datain_source",
        current,
    )


def _who(identity: Identity) -> str:
    return identity.server_uuid or f"server_id {identity.server_id}"


def _start_known(current: LinkCurrent, desired: LinkDesired) -> Start | None:
    """Return S for a channel that never connected: what a record says, else what the operator says."""
    seed, link = current.record("seed"), current.record("link")
    if link and (not seed or link.get("seed") == seed.get("id")):
        return Start.from_result(link.get("start"))
    if seed and seed.get("phase") == "complete":
        return Start.from_result(seed.get("start"))
    return desired.explicit


def _never_connected(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    channel = _of(current)
    if not channel.never_connected or channel.read != channel.applied or desired.state != "started":
        return None
    start = _start_known(current, desired)
    phase = (current.record("link") or {}).get("phase")
    same_place = channel.source_host.lower() == desired.host.lower() and channel.source_port == desired.port
    if start is None or phase in ("linked", "removed") or not (same_place or phase == "intended"):
        return None  # a link that once ran: what it has applied is not in its status (engine fact R2)
    if channel.by_gtid:
        at_start = not current.is_mariadb or current.applied == start.gtid
    else:
        at_start = channel.applied == start.coordinates
    code = channel.receiver_error.code if channel.receiver_error else 0
    stale = not same_place or channel.source_user != desired.user or channel.tls != bool(desired.ca) or not at_start
    if code in _advice.CREDENTIALS or stale:
        if current.login:
            return _login_failed(10, current)
        return _link_at(10, start, "nothing was applied yet, and the link was made with other arguments", current, desired)
    if code in _advice.POSITION:
        return None
    if not channel.stopped:
        return _plan(10, "keep", current, _closing(current), observe=True)
    return _start(10, "nothing was applied yet, and it is at its start", current)


def _login_failed(row: int, current: LinkCurrent) -> LinkPlan:
    return _refuse(
        row,
        f"the source does not let the replica in, and a login with what the inventory says fails too: {current.login}",
        "check datain_replication_user, datain_replication_password and datain_link_ca; the source's play sets the account",
        current,
    )


def _differences(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Rows 11 to 14: what would need a new link to the same source."""
    channel = _of(current)
    if desired.method != "auto" and channel.by_gtid != (desired.method == "gtid"):
        return _refuse(
            11,
            f"the link runs by {'GTID' if channel.by_gtid else 'position'} and the inventory wants {desired.method}",
            f"set datain_link_method: {'gtid' if channel.by_gtid else 'position'}",
            current,
        )
    link = current.record("link") or {}
    recorded_ca = (link.get("arguments") or {}).get("ca_fingerprint")
    pairs = {
        "host": (channel.source_host.lower(), desired.host.lower()),
        "port": (channel.source_port, desired.port),
        "user": (channel.source_user, desired.user),
        "TLS": (channel.tls, bool(desired.ca)),
        "CA": (recorded_ca or desired.ca_fingerprint, desired.ca_fingerprint or recorded_ca),
    }
    different = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not different:
        return None
    words = ", ".join(name if name == "CA" else f"{name} {pair[0]!r} is to be {pair[1]!r}" for name, pair in different.items())
    return _refuse(
        14,
        f"the link would have to be made again ({words}), which this version does not do",
        "undo the change in the inventory; the running link is untouched",
        current,
    )


def _stopped(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    if desired.state != "stopped":
        return None
    channel = _of(current)
    findings = _errors_found(channel)
    if channel.stopped:
        return _plan(15, "keep", current, (), findings=findings)
    step = Step("stop", current.procedures.full_name(_procedures.STOP), "the link is to be stopped")
    return _plan(15, "stop", current, [step], after=_state(current, state="stopped"), findings=findings)


def _errors_found(channel: Channel) -> tuple[Finding, ...]:
    words = _advice.describe(channel)
    return (_finding("link.error", "warning", words),) if words else ()


def _running(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    channel = _of(current)
    if not channel.running:
        return None
    findings: tuple[Finding, ...] = ()
    start, applied = desired.explicit, channel.applied
    if start and start.coordinates and applied and start.coordinates.base == applied.base:
        if start.coordinates.order > applied.order:
            findings = (
                _finding(
                    "link.coordinates_ahead",
                    "warning",
                    f"the inventory gives {start.coordinates}, which the running link has not reached: the server owns the position",
                    seen=str(applied),
                    required=str(start.coordinates),
                    remedy="take datain_link_coordinates out of the inventory: it counts only until the link has started",
                ),
            )
    return _plan(16, "keep", current, _closing(current), findings=findings)


def _closing(current: LinkCurrent) -> tuple[Step, ...]:
    """Return the step that brings the row about the link up to date, where a row may be written.

    An open intent is closed, a link made by other hands is taken over, and one that is back after its removal was
    recorded is taken out of that state: else its old position would be linked at again some day.
    """
    link, seed = current.record("link") or {}, current.record("seed")
    if current.not_writable or (link.get("phase") == "linked" and (not seed or link.get("seed") == seed.get("id"))):
        return ()
    reasons = {"intended": "an interrupted run left it open", "removed": "it was recorded as removed"}
    return (Step("record", "the link", reasons.get(link.get("phase", ""), "it was made by other hands")),)


def _applier_broken(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    del desired
    channel = _of(current)
    error = channel.applier_error
    if error is None or channel.applier == "running":
        return None
    where = f" after {channel.applied}" if channel.applied else ""
    return _refuse(
        20,
        f"the applier stopped{where} with {error.code}: {error.message}",
        _advice.advice(error.code),
        current,
    )


def _receiver_broken(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    channel = _of(current)
    error = channel.receiver_error
    code = error.code if error else 0
    if error and code in _advice.POSITION:
        return _unservable(channel, current)
    if error and code in _advice.CREDENTIALS:
        if current.login:
            return _login_failed(18, current)
        return _refuse(
            18,
            f"the source does not let the replica in ({code}: {error.message}), though a login with what the inventory says "
            "works: the link holds other credentials, and this version does not make a link again",
            "give the account back what the link was made with, or set datain_state: absent and then started",
            current,
        )
    if channel.receiver == "connecting":
        return _plan(18, "keep", current, _closing(current), observe=True)
    return None


def _unservable(channel: Channel, current: LinkCurrent) -> LinkPlan:
    """Row 19: one number, several causes, told apart by evidence."""
    error = channel.receiver_error
    text = error.message if error else ""
    gap = log_gap(channel.read, current.source_files) if not channel.by_gtid else None
    if gap or re.search(r"purged|Could not find first log", text, re.I):
        cause, hint = gap or "the source has purged what the replica lacks", "seed again: datain_state: absent, then datain_reseed: true"
    elif re.search(r"server[_ ](uu)?id", text, re.I):
        cause, hint = "two servers have the same id", "give the replica a server_id of its own, then start the link"
    elif "max_allowed_packet" in text:
        cause, hint = "an event is larger than max_allowed_packet", "raise max_allowed_packet on the source, then start the link"
    else:
        cause, hint = "the source cannot serve the position", _advice.advice(error.code if error else 1236)
    return _refuse(19, f"{cause} ({error.code if error else 1236}: {text})", hint, current)


def broken(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Return the refusal for a channel that will not get well by itself, or None: rows 9, 19 and 20."""
    error = _of(current).receiver_error
    lost = _unservable(_of(current), current) if error and error.code in _advice.POSITION else None
    return _other_source(current, desired) or _applier_broken(current, desired) or lost


def _halted(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Row 17, also for one thread that somebody stopped alone."""
    del desired
    return _start(17, "it is stopped without an error", current)


def _start(row: int, why: str, current: LinkCurrent) -> LinkPlan:
    step = Step("start", current.procedures.full_name(_procedures.START), why)
    return _plan(row, "start", current, [step, *_closing(current)], after=_state(current, state="started"), observe=True)
