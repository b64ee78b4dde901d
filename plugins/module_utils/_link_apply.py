# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Does to a link what the plan says; every step leaves what a next run can read and finish."""

from __future__ import annotations

import datetime
import time
import typing as t
from dataclasses import replace

from . import _advice, _procedures
from ._errors import Refused, StatementError, Timeout
from ._link_alignment import alignment
from ._link_change import WRONG_ADDRESS
from ._link_channel import broken, strange
from ._link_model import LinkCurrent, LinkDesired, LinkPlan, LinkRequest, fresh
from ._link_read import WRONG_CA, wrong_address, wrong_certificate
from ._link_result import link_result
from ._link_start import log_gap
from ._model import Channel, ChannelError, Start
from ._run import Context
from ._server import Server
from ._state import Records, belongs, identities

# Seconds for which a link must stay healthy until we believe it, and between two looks at it.
STABLE = 1.5
POLL = 0.3
STOP_PATIENCE = 60


def apply_link(context: Context, request: LinkRequest, plan: LinkPlan, current: LinkCurrent) -> Channel | None:
    """Do what the plan says, step by step; every step leaves what a next run can read and finish.

    :returns: the channel as it is afterwards
    """
    replica = context.replica
    if plan.verb == "link":
        _make(context, request, plan, current)
    elif plan.verb == "relink":
        current = _make_again(context, request, plan, current)
    elif plan.verb == "start":
        _procedures.call(replica.connection, replica.procedures, _procedures.START)
    elif plan.verb == "stop":
        _stop(replica)
    elif plan.verb == "remove":
        _remove(context, request, current)
    channel = _only(replica)
    if plan.observe:
        channel = observe(replica, request, current, context.progress)
    if any(step.action in ("record", "link") for step in plan.steps) and plan.verb != "remove":
        _record_link(context, request, current, channel, "linked")
    return channel


def _only(replica: Server) -> Channel | None:
    channels = replica.channels()
    return channels[0] if channels else None


def _stop(replica: Server) -> Channel:
    """Stop both threads and wait until the server says so; A is exact only then."""
    _procedures.call(replica.connection, replica.procedures, _procedures.STOP)
    deadline = time.monotonic() + STOP_PATIENCE
    while True:
        channel = _only(replica)
        if channel is None:
            raise Refused("the link went away while it was being stopped", server=replica.label, step="stop the link")
        if channel.stopped:
            return channel
        if time.monotonic() > deadline:
            raise Timeout(
                f"the link did not stop within {STOP_PATIENCE} s",
                server=replica.label,
                step="stop the link",
                hint="a long transaction is being rolled back; wait, and run again",
                details={"link": link_result(channel)},
            )
        time.sleep(POLL)


def _make(context: Context, request: LinkRequest, plan: LinkPlan, current: LinkCurrent) -> None:
    replica, desired, at = context.replica, request.desired, plan.at
    if at is None:
        raise Refused("nothing says where to start", server=replica.label, step="make the link")
    wrong = wrong_certificate(context, request)
    if wrong:
        raise Refused(wrong, server=context.source.label, step="look at the source's certificate", hint=WRONG_CA)
    wrong = wrong_address(context, request)
    if wrong:
        raise Refused(wrong, server=replica.label, step="look who answers where the link is to go", hint=WRONG_ADDRESS)
    if current.channel is not None and not current.channel.stopped:
        _stop(replica)
    if replica.is_mariadb or plan.method != "gtid":
        # Not between a GTID reset and the link: there the executed set itself says where to go on.
        _write(context, request, current, "intended", at, plan.method or "position")
    _change_source(context, request, plan.method or "position", at)
    if desired.state == "started":
        _procedures.call(replica.connection, replica.procedures, _procedures.START)


def _change_source(context: Context, request: LinkRequest, method: str, at: Start) -> None:
    """Tell the stopped replica whom to follow, from where, and look whether it understood."""
    replica, desired = context.replica, request.desired
    arguments = _procedures.LinkArguments(
        host=desired.host,
        port=desired.port,
        user=desired.user,
        password=request.password,
        ca=desired.ca,
        file=at.coordinates.file if at.coordinates else None,
        position=at.coordinates.position if at.coordinates else None,
        gtid=at.gtid,
    )
    name = _procedures.BY_GTID if method == "gtid" else _procedures.BY_POSITION
    context.progress(f"linking to {desired.host}:{desired.port} by {method}")
    _warn_of_logs(context)
    _procedures.call(replica.connection, replica.procedures, name, arguments)
    _read_back(replica, desired, method, at)


def _make_again(context: Context, request: LinkRequest, plan: LinkPlan, current: LinkCurrent) -> LinkCurrent:
    """Rows 9, 13 and 14: stop, read what is applied, and go on from exactly there with other arguments.

    :returns: what was known of the link, with the row that was written before it was touched
    """
    replica = context.replica
    if plan.drain:
        _drain(context, request)
    channel = current.channel
    ran = channel is not None and not channel.stopped
    try:
        at = _applied(context, plan, _stop(replica) if ran else _only(replica))
    except Refused:
        if ran:
            _procedures.call(replica.connection, replica.procedures, _procedures.START)
        raise
    context.progress(f"stopped at {at}")
    document = _write(context, request, current, "intended", at, plan.method or "position")
    try:
        _change_source(context, request, plan.method or "position", at)
    except StatementError as error:
        fills = error.code in _advice.GAPS and request.desired.state == "started"
        _go_on_as_it_was(replica, channel, ran or fills)
        known = _advice.advice(ChannelError(error.code, error.message)).remedy if error.code in _advice.GAPS else error.hint or "mend what it says"
        error.hint = f"{known}; the link goes on as it was until then"
        raise
    if request.desired.state == "started":
        _procedures.call(replica.connection, replica.procedures, _procedures.START)
    return replace(current, records={**current.records, "link": document}) if document else current


def _go_on_as_it_was(replica: Server, before: Channel | None, run: bool) -> None:
    """Start a link that the server would not change: it is at what it has applied, to the same server, with settings that worked.

    The open intent stays: the next run cannot see from it whether a new CA has arrived, and makes the link again.
    """
    now = _only(replica)
    same = before and now and (now.source_host, now.source_port, now.source_user) == (before.source_host, before.source_port, before.source_user)
    if run and same and now and now.stopped:
        _procedures.call(replica.connection, replica.procedures, _procedures.START)


def _applied(context: Context, plan: LinkPlan, first: Channel | None) -> Start:
    """Return what a stopped link has applied, if it stands still and the source has everything after it.

    :raises Refused: it moves, nothing is known, or the source has purged what comes next
    """
    replica = context.replica
    second = _only(replica)
    step = "read what is applied"
    if first is None or second is None or first.applied != second.applied:
        raise Refused("the applied position still moves after the stop", server=replica.label, step=step, hint="run again")
    gtid = replica.gtid_position()
    if plan.method == "gtid" and replica.is_mariadb and not second.by_gtid and second.applied:
        # By position a replica may have applied what its GTID position does not tell: the source translates.
        gtid = context.source.gtid_at(second.applied) or gtid
    if plan.method == "gtid" and not replica.is_mariadb and not second.by_gtid:
        # While it ran, half of that could not be seen, and the rest was of another moment.
        found = alignment(context.source, replica, second)
        if found.problem:
            raise Refused(f"{found.problem}; the link goes on as it was", server=replica.label, step=step, hint=found.remedy)
    # Row 9: the position is one in the log of the server that was followed before, and means nothing in this one's.
    place = None if plan.row == 9 else second.applied
    gap = log_gap(place, context.source.binlog_files()) if place else None
    if gap:
        raise Refused(gap, server=context.source.label, step=step, hint="run again: what the relay logs hold is applied first")
    if place is None and not gtid:
        raise Refused("the replica does not say what it has applied", server=replica.label, step=step, hint="seed again with datain_reseed: true")
    return Start(place, gtid, origin="status")


def _drain(context: Context, request: LinkRequest) -> None:
    """Row 13: wait until the applier has passed what the source no longer has; the relay logs are its last copy.

    :raises Timeout: it has not, in the time for a healthy link; nothing was stopped
    """
    replica = context.replica
    began = told = time.monotonic()
    while True:
        channel = _only(replica)
        if channel is None or channel.applier != "running":
            raise Refused("the applier does not run", server=replica.label, step="apply the relay logs", hint="look at it with the status playbook")
        gap = log_gap(channel.applied, context.source.binlog_files())
        if gap is None:
            return
        now = time.monotonic()
        if now - began > request.wait_timeout:
            raise Timeout(
                f"after {request.wait_timeout} s the relay logs are not applied: {gap}",
                server=replica.label,
                step="apply the relay logs",
                hint="wait, and run again; the link was not touched",
                details={"link": link_result(channel)},
            )
        if now - told >= 5:
            told = now
            context.progress(f"applying the relay logs: {channel.applied} of {channel.read}")
        time.sleep(POLL)


def _warn_of_logs(context: Context) -> None:
    """Say where the one statement that holds a clear password will be recorded.

    MySQL 8.0.33 lets an administrator without SUPER set sql_log_off, and logs the session all the same: no way around it.
    """
    logs = context.replica.recording_logs
    if logs:
        context.warnings.append(f"{context.replica.label}: {' and '.join(logs)}: the replication password is recorded there in clear text")


def _read_back(replica: Server, desired: LinkDesired, method: str, at: Start) -> None:
    """Look whether the procedure did what it was asked, before anything is started."""
    channel = _only(replica)
    if channel is None:
        raise Refused("the procedure reported no error, and there is no link", server=replica.label, step="make the link")
    if channel.running:
        return  # a procedure that starts by itself: what it runs with is judged while we observe it
    wanted: dict[str, t.Any] = {"host": desired.host.lower(), "port": desired.port, "user": desired.user, "TLS": bool(desired.ca), "method": method}
    seen: dict[str, t.Any] = {
        "host": channel.source_host.lower(),
        "port": channel.source_port,
        "user": channel.source_user,
        "TLS": channel.tls,
        "method": "gtid" if channel.by_gtid else "position",
    }
    if method == "position":
        wanted["position"], seen["position"] = at.coordinates, channel.applied
    wrong = [f"{key} is {seen[key]} instead of {wanted[key]}" for key in wanted if seen[key] != wanted[key]]
    if wrong:
        raise Refused(
            f"the link is not what was asked for: {', '.join(wrong)}; it was not started",
            server=replica.label,
            step="read back the link",
            hint="check datain_service: another service's procedures take their arguments in another order",
        )


def observe(replica: Server, request: LinkRequest, current: LinkCurrent, progress: t.Callable[[str], None]) -> Channel:
    """Wait until both threads run, from the right source, for some seconds.

    :raises Refused: an error that does not go away by itself
    :raises Timeout: not healthy in time; the last state goes with it
    """
    began = time.monotonic()
    healthy_since: float | None = None
    told = began
    while True:
        channel = _only(replica)
        now = time.monotonic()
        if channel is None:
            raise Refused("the link went away while it was being watched", server=replica.label, step="watch the link start")
        other = strange(replace(current, channels=(channel,)), request.desired)
        if channel.running and not channel.receiver_error and not other:
            healthy_since = healthy_since or now
            if now - healthy_since >= STABLE:
                return channel
        else:
            healthy_since = None
            if other and not channel.stopped:
                # What it fetches is not the source's.
                channel = _stop(replica)
            verdict = other or broken(replace(current, channels=(channel,)), request.desired)
            if verdict:
                raise Refused(
                    verdict.refusal or "",
                    server=replica.label,
                    step="watch the link start",
                    hint=verdict.hint,
                    details={"link": link_result(channel), "row": verdict.row},
                )
            if channel.receiver_error and channel.receiver_error.code in _advice.CREDENTIALS:
                raise _not_up(channel, replica, "the link does not come up")
        if now - began > request.wait_timeout:
            raise _not_up(channel, replica, f"the link is not healthy after {request.wait_timeout} s", Timeout)
        if now - told >= 5:
            told = now
            progress(f"waiting for the link: {channel.state}, {int(now - began)} s of {request.wait_timeout} s")
        time.sleep(POLL)


def _not_up(channel: Channel, replica: Server, message: str, kind: type[Refused] | type[Timeout] = Refused) -> Refused | Timeout:
    error = channel.receiver_error or channel.applier_error
    words = f"{message}; it is {channel.state}"
    if error:
        words += f" with {error.code}: {error.message}"
    return kind(
        words,
        server=replica.label,
        step="watch the link start",
        hint=str(_advice.advice(error)) if error else "look at the state of the link with the status playbook",
        details={"link": link_result(channel)},
    )


def _remove(context: Context, request: LinkRequest, current: LinkCurrent) -> None:
    replica = context.replica
    first = _stop(replica) if current.channel and not current.channel.stopped else _only(replica)
    second = _only(replica)
    if first is None or second is None or first.applied != second.applied:
        raise Refused(
            "the applied position still moves after the stop",
            server=replica.label,
            step="read the applied position",
            hint="run again",
        )
    if second.applied or second.by_gtid:
        # What never connected has applied nothing: its own start stays recorded.
        start = Start(second.applied, replica.gtid_position(), origin="status")
        recorded = (current.record("link") or {}).get("start")
        if recorded and fresh(replace(current, channels=(second,)), request.desired):
            start = Start.from_result(recorded) or start
        _write(context, request, current, "removed", start, "gtid" if second.by_gtid else "position")
    _procedures.call(replica.connection, replica.procedures, _procedures.REMOVE)


def _record_link(context: Context, request: LinkRequest, current: LinkCurrent, channel: Channel | None, phase: str) -> None:
    if channel is None:
        return
    start = Start(channel.applied, context.replica.gtid_position(), origin="status")
    record = current.record("link")
    if record and record.get("start"):
        start = Start.from_result(record["start"]) or start
    _write(context, request, current, phase, start, "gtid" if channel.by_gtid else "position")


def _write(
    context: Context, request: LinkRequest, current: LinkCurrent, phase: str, start: Start, method: str
) -> dict[str, t.Any] | None:
    """Write the row about the link, where a row may be written now; return it, or None."""
    replica, source, desired = context.replica, context.source, request.desired
    records = Records(replica)
    channel = _only(replica)
    if records.refusal(1 if channel else 0):
        context.warnings.append(f"nothing was recorded about the link: {records.refusal(1)}")
        return None
    seed = current.records.get("seed") or {}
    link = current.record("link") or {}
    arguments = link.get("arguments") or {}
    made_by_us = phase == "intended" or link.get("phase") == "intended" or current.channel is None
    # Until the row is closed nobody can see whether the link that is there has been told of another CA.
    open_ = phase == "intended" and channel is not None
    document = {
        "phase": phase,
        "identities": identities(source.identity, replica.identity),
        "seed": seed.get("id") if belongs(seed, source.identity, replica.identity) else None,
        "method": method,
        "start": start.to_result(),
        "applied": replica.gtid_position() if replica.is_mariadb else None,
        "arguments": {
            "host": desired.host,
            "port": desired.port,
            "user": desired.user,
            "tls": bool(desired.ca),
            # Of a link made by other hands nobody knows the CA.
            "ca_fingerprint": desired.ca_fingerprint if made_by_us else None,
            **({"ca_before": arguments.get("ca_before", arguments.get("ca_fingerprint")) or "unknown"} if open_ else {}),
        },
        "at": datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat(),
    }
    records.write("link", document)
    return document
