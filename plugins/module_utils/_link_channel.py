# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rows 9 to 20 of the table in docs/link-states.md: there is a channel."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from . import _advice, _procedures
from ._link_change import change_rows, differences, other_source
from ._link_model import LinkCurrent, LinkDesired, LinkPlan, channel_of, finding, fresh, plan_of, refuse, start_known, state_of
from ._link_skip import skip_row, way_to_skip
from ._link_start import link_at, log_gap
from ._model import Channel, ChannelError, Finding, Step


def channel_rows(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    for row in (other_source, _never_connected, skip_row, change_rows, _stopped, _running, _applier_broken, _receiver_broken, _halted):
        plan = row(current, desired)
        if plan is not None:
            return plan
    return None


def _never_connected(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    channel = channel_of(current)
    if not fresh(current, desired) or channel.read != channel.applied or desired.state != "started":
        return None
    start, _applied = start_known(current, desired)
    phase = (current.record("link") or {}).get("phase")
    same_place = channel.source_host.lower() == desired.host.lower() and channel.source_port == desired.port
    if start is None or phase in ("linked", "removed") or not (same_place or phase == "intended"):
        return None  # a link that once ran: what it has applied is not in its status (engine fact R2)
    if channel.by_gtid:
        at_start = not current.is_mariadb or current.applied == start.gtid
    else:
        at_start = channel.applied == start.coordinates
    code = channel.receiver_error.code if channel.receiver_error else 0
    stale = not same_place or not at_start or bool({"user", "TLS", "CA"} & differences(current, desired).keys())
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


def _stopped(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    if desired.state != "stopped":
        return None
    channel = channel_of(current)
    findings = _errors_found(channel)
    if channel.stopped:
        return plan_of(15, "keep", current, (), findings=findings)
    step = Step("stop", current.procedures.full_name(_procedures.STOP), "the link is to be stopped")
    return plan_of(15, "stop", current, [step], after=state_of(current, state="stopped"), findings=findings)


def _errors_found(channel: Channel) -> tuple[Finding, ...]:
    words = _advice.describe(channel)
    return (finding("link.error", "warning", words),) if words else ()


def _running(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    channel = channel_of(current)
    if not channel.running:
        return None
    findings = (*_coordinates_ahead(channel, desired), *_credentials_unproven(current))
    return plan_of(16, "keep", current, _closing(current), findings=findings)


def _coordinates_ahead(channel: Channel, desired: LinkDesired) -> t.Iterator[Finding]:
    start, applied = desired.explicit, channel.applied
    if not (start and start.coordinates and applied and start.coordinates.base == applied.base):
        return
    if start.coordinates.order > applied.order:
        yield finding(
            "link.coordinates_ahead",
            "warning",
            f"the inventory gives {start.coordinates}, which the running link has not reached: the server owns the position",
            seen=str(applied),
            required=str(start.coordinates),
            remedy="take datain_link_coordinates out of the inventory: it counts only until the link has started",
        )


def _credentials_unproven(current: LinkCurrent) -> t.Iterator[Finding]:
    if current.password_held is None:
        yield finding(
            "link.credentials_unproven",
            "info",
            "the link runs, and nothing proves that it holds the password of the inventory: a session outlives a change of its "
            "password, and the next one would be refused",
            remedy="--extra-vars datain_relink=true makes the link again, at what is applied",
        )


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
    channel = channel_of(current)
    error = channel.applier_error
    if error is None or channel.applier == "running":
        return None
    where = f" after {channel.applied}" if channel.applied else ""
    words = f"the applier stopped{where} with {error.code}: {error.message}"
    return refuse(20, words, f"{_advice.advice(error)}{way_to_skip(current)}", current)


def _receiver_broken(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    channel = channel_of(current)
    error = channel.receiver_error
    code = error.code if error else 0
    if error and code in _advice.POSITION:
        return _unservable(channel, current) if desired.state != "started" or not _mended(channel, code, current) else _start(19, _MENDED, current)
    if error and code in _advice.CREDENTIALS:
        return _login_failed(18, current)
    if channel.receiver == "connecting":
        return plan_of(18, "keep", current, _closing(current), observe=True)
    return None


_MENDED = "what stopped the receiver is no longer so"


def _mended(channel: Channel, code: int, current: LinkCurrent) -> bool:
    """Tell whether the source would take the replica now: of these errors the status keeps the text, whatever was set since."""
    mends = code in _advice.SETTINGS and channel.receiver == "stopped"
    return mends and current.source.server_id != current.replica.server_id and current.gtid_modes[0] == current.gtid_modes[1]


def _unservable(channel: Channel, current: LinkCurrent) -> LinkPlan:
    """Row 19: one number, several causes, told apart by evidence."""
    error = channel.receiver_error or ChannelError(1236, "")
    gap = log_gap(channel.read, current.source_files) if not channel.by_gtid else None
    way_out = _advice.advice(error)
    return refuse(19, f"{gap or way_out.cause} ({error.code}: {error.message})", _advice.SEED_AGAIN if gap else way_out.remedy, current)


def strange(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Row 9 for a channel that is watched: until it has connected, servers show whom they followed before."""
    return None if channel_of(current).never_connected else other_source(current, replace(desired, retarget=False))


def broken(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Return the refusal for a channel that will not get well by itself, or None: rows 9, 19 and 20."""
    channel = channel_of(current)
    error = channel.receiver_error
    lost = _unservable(channel, current) if error and error.code in _advice.POSITION else None
    return strange(current, desired) or _applier_broken(current, desired) or lost


def _halted(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Row 17, also for one thread that somebody stopped alone."""
    del desired
    return _start(17, "it is stopped without an error", current)


def _start(row: int, why: str, current: LinkCurrent) -> LinkPlan:
    step = Step("start", current.procedures.full_name(_procedures.START), why)
    return plan_of(row, "start", current, [step, *_closing(current)], after=state_of(current, state="started"), observe=True)
