# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rows 9 to 20 of the table in docs/link-states.md: there is a channel."""

from __future__ import annotations

import re

from . import _advice, _procedures
from ._link_model import LinkCurrent, LinkDesired, LinkPlan, finding, plan_of, refuse, state_of
from ._link_start import link_at, log_gap
from ._model import Channel, Finding, Identity, Start, Step


def channel_rows(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
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
    return refuse(
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
        return link_at(10, start, "nothing was applied yet, and the link was made with other arguments", current, desired)
    if code in _advice.POSITION:
        return None
    if not channel.stopped:
        return plan_of(10, "keep", current, _closing(current), observe=True)
    return _start(10, "nothing was applied yet, and it is at its start", current)


def _login_failed(row: int, current: LinkCurrent) -> LinkPlan:
    return refuse(
        row,
        f"the source does not let the replica in, and a login with what the inventory says fails too: {current.login}",
        "check datain_replication_user, datain_replication_password and datain_link_ca; the source's play sets the account",
        current,
    )


def _differences(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Rows 11 to 14: what would need a new link to the same source."""
    channel = _of(current)
    if desired.method != "auto" and channel.by_gtid != (desired.method == "gtid"):
        return refuse(
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
    return refuse(
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
        return plan_of(15, "keep", current, (), findings=findings)
    step = Step("stop", current.procedures.full_name(_procedures.STOP), "the link is to be stopped")
    return plan_of(15, "stop", current, [step], after=state_of(current, state="stopped"), findings=findings)


def _errors_found(channel: Channel) -> tuple[Finding, ...]:
    words = _advice.describe(channel)
    return (finding("link.error", "warning", words),) if words else ()


def _running(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    channel = _of(current)
    if not channel.running:
        return None
    findings: tuple[Finding, ...] = ()
    start, applied = desired.explicit, channel.applied
    if start and start.coordinates and applied and start.coordinates.base == applied.base:
        if start.coordinates.order > applied.order:
            findings = (
                finding(
                    "link.coordinates_ahead",
                    "warning",
                    f"the inventory gives {start.coordinates}, which the running link has not reached: the server owns the position",
                    seen=str(applied),
                    required=str(start.coordinates),
                    remedy="take datain_link_coordinates out of the inventory: it counts only until the link has started",
                ),
            )
    return plan_of(16, "keep", current, _closing(current), findings=findings)


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
    return refuse(
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
        return refuse(
            18,
            f"the source does not let the replica in ({code}: {error.message}), though a login with what the inventory says "
            "works: the link holds other credentials, and this version does not make a link again",
            "give the account back what the link was made with, or set datain_state: absent and then started",
            current,
        )
    if channel.receiver == "connecting":
        return plan_of(18, "keep", current, _closing(current), observe=True)
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
    return refuse(19, f"{cause} ({error.code if error else 1236}: {text})", hint, current)


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
    return plan_of(row, "start", current, [step, *_closing(current)], after=state_of(current, state="started"), observe=True)
