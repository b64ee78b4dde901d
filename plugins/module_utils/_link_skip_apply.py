# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Leaves out the one transaction of a plan, sees the applier pass it, and records it."""

from __future__ import annotations

import datetime
import time
import typing as t

from . import _procedures
from ._errors import Refused, Timeout
from ._event import failed_event
from ._link_model import LinkCurrent, LinkPlan, LinkRequest, Skip, channel_of
from ._link_result import link_result
from ._link_skip import DONE, MEND, by_gtid, failed_gtid, procedure_for, recorded, stopped_by, what_failed
from ._model import Channel
from ._run import Context
from ._state import Records, identities

POLL = 0.3
# Seconds for which the applier must run until we believe that it has passed the event.
PASSED = 1.0
_STEP = "skip the event"


def apply_skip(context: Context, request: LinkRequest, plan: LinkPlan, current: LinkCurrent) -> None:
    """Skip the one event of a plan, and see the applier pass it.

    A run that dies in between leaves the counter set, which is the same when it is set again; or the transaction counted as
    executed, which the procedure refuses to do twice, so that only the start is left.

    :raises Refused: the procedure reported no error, and the applier still stands at the event
    :raises Timeout: the applier has neither passed it nor stopped again in time
    """
    replica, entry = context.replica, plan.skip
    if entry is None:
        raise ValueError("this plan skips nothing")
    _record(context, current, entry, "intended")
    context.progress(f"skipping {entry}: {entry.reason}")
    gtid = failed_gtid(current) if by_gtid(current) else None
    if gtid is None or not replica.has_executed(gtid):
        given = _procedures.SkipArguments(gtid) if gtid else None
        _procedures.call(replica.connection, replica.procedures, procedure_for(current), given)
    # Whether the procedure starts the applier is not documented; starting what runs does nothing.
    _procedures.call(replica.connection, replica.procedures, _procedures.START)
    _see_passed(context, request, current)
    _record(context, current, entry, DONE)


def _see_passed(context: Context, request: LinkRequest, current: LinkCurrent) -> None:
    replica, before = context.replica, _place(channel_of(current))
    began = time.monotonic()
    running_since: float | None = None
    while True:
        channel = next(iter(replica.channels()), None)
        now = time.monotonic()
        if channel is None:
            raise Refused("the link went away while an event was being skipped", server=replica.label, step=_STEP)
        if channel.applier == "running":
            running_since = running_since or now
            if now - running_since >= PASSED:
                return
        else:
            running_since = None
            if channel.applier_error and _place(channel) != before:
                return  # it has passed this one, and stopped at another, which is judged next
            if channel.applier_error and now - began > PASSED:
                words = f"the procedure reported no error, and the applier still stands after {channel.applied} with {channel.applier_error.code}"
                raise Refused(words, server=replica.label, step=_STEP, hint=MEND, details={"link": link_result(channel)})
        if now - began > request.wait_timeout:
            words = f"after {request.wait_timeout} s the applier has neither passed the event nor stopped again"
            hint = "look at the link with the status playbook, and run again"
            raise Timeout(words, server=replica.label, step=_STEP, hint=hint, details={"link": link_result(channel)})
        time.sleep(POLL)


def _place(channel: Channel) -> tuple[t.Any, ...]:
    """Return what tells one stop from another; with several workers the position alone may lag behind."""
    error = channel.applier_error
    return channel.applied, error and (error.code, error.message)


def _record(context: Context, current: LinkCurrent, entry: Skip, phase: str) -> None:
    """Write down what is skipped, before and after, where a row may be written now."""
    replica, group = context.replica, what_failed(current)
    records = Records(replica)
    if records.refusal(1):
        if phase == DONE:
            context.warnings.append(f"the skip of {entry} was not recorded: {records.refusal(1)}")
        return
    error = stopped_by(current)
    table = failed_event(error.message).table if error else None
    mine = {
        "entry": str(entry),
        "phase": phase,
        "position": str(group.start) if group else None,
        "end": str(group.end) if group and group.end else None,
        "gtid": failed_gtid(current),
        "tables": list(group.tables) if group else [table] if table else [],
        "error": error.to_result() if error else None,
        "reason": entry.reason,
        "at": datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat(),
    }
    others = [known for known in recorded(current) if known.get("entry") != str(entry)]
    records.write("skip", {"identities": identities(context.source.identity, replica.identity), "entries": [*others, mine]})
