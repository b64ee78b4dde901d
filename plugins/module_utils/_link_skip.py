# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Row 20 with an entry of ``datain_skip``: exactly the event that somebody named is left out, and that is recorded.

A counter of a server skips what comes next, whatever that is. So nothing is skipped before it is proven that what comes next
is the event at which the applier stopped, and that this is the one of the entry.
"""

from __future__ import annotations

import typing as t

from . import _procedures
from ._event import EventGroup, failed_event
from ._link_model import LinkCurrent, LinkDesired, LinkPlan, Skip, channel_of, plan_of, refuse, state_of
from ._model import ChannelError, Step

# What the record of an entry says once the applier was seen behind the event.
DONE = "done"
MEND = "mend the data on the replica, then start the link"
_ONE_WORKER = (
    "set replica_parallel_workers (slave_parallel_workers before 8.0.26) to 0 on the replica and start the link, so that it stops "
    "there again at an exact place; or mend the data"
)


def skip_row(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Row 20 for an event that the inventory names, or None."""
    error = stopped_by(current)
    if error is None or desired.state != "started":
        return None
    entry = next((entry for entry in desired.skips if _names(entry, current)), None)
    if entry is None:
        return None
    problem = _unproven(entry, error, current)
    if problem:
        what = f"the applier stopped with {error.code}: {error.message}"
        return refuse(20, f"{what}; datain_skip names {entry}, which is not skipped: {problem[0]}", problem[1], current)
    steps = (
        Step("skip", current.procedures.full_name(procedure_for(current)), f"{entry}: {entry.reason}"),
        Step("start", current.procedures.full_name(_procedures.START), "the applier is to go on after it"),
    )
    return plan_of(20, "skip", current, steps, after=state_of(current, state="started", skipped=str(entry)), skip=entry)


def way_to_skip(current: LinkCurrent) -> str:
    """Say what to write where exactly the transaction at which the applier stopped is to be lost, or why that cannot be said."""
    error = stopped_by(current)
    if error is None:
        return ""
    by_name = by_gtid(current)
    problem = _not_exact(error, current, by_name)
    if problem:
        return f"; it cannot be left out as it is, because {problem[0]}: {problem[1]}"
    group = current.failed
    name = f"gtid: '{failed_gtid(current)}'" if by_name or group is None else f"position: '{group.start}'"
    return f"; where losing exactly this transaction is right, datain_skip: [{{{name}, error: {error.code}, reason: ...}}]"


def stopped_by(current: LinkCurrent) -> ChannelError | None:
    channel = channel_of(current)
    return channel.applier_error if channel.applier != "running" else None


def by_gtid(current: LinkCurrent) -> bool:
    """Tell whether this replica knows transactions by name: with GTIDs on, MySQL takes no counter (engine facts)."""
    return not current.is_mariadb and current.gtid_modes[1].upper() == "ON"


def procedure_for(current: LinkCurrent) -> str:
    return _procedures.SKIP_BY_GTID if by_gtid(current) else _procedures.SKIP


def what_failed(current: LinkCurrent) -> EventGroup | None:
    """Return what comes next in the source's log, if that is proven to be what failed."""
    error, group = stopped_by(current), current.failed
    event = failed_event(error.message if error else "")
    if group is None or (event.end and not group.holds(event.end)):
        return None
    return None if event.gtid and group.gtid and event.gtid.lower() != group.gtid.lower() else group


def failed_gtid(current: LinkCurrent) -> str | None:
    """Return the GTID of the transaction at which the applier stopped: by its error, else by what comes next."""
    error, group = stopped_by(current), what_failed(current)
    named = failed_event(error.message).gtid if error else None
    gtid = named or (group.gtid if group else None)
    return gtid.lower() if gtid else None


def _names(entry: Skip, current: LinkCurrent) -> bool:
    """Tell whether an entry is about the place at which the applier stands."""
    if entry.gtid:
        return entry.gtid == failed_gtid(current)
    group = current.failed
    return entry.position in (channel_of(current).applied, group.start if group else None)


def _unproven(entry: Skip, error: ChannelError, current: LinkCurrent) -> tuple[str, str] | None:
    """Tell why the entry may not be carried out, and what helps; None where it is proven to mean this transaction and no other."""
    if entry.error != error.code:
        return f"it is about the error {entry.error}", "look at the event again, and correct datain_skip or take the entry out"
    if any(known.get("entry") == str(entry) and known.get("phase") == DONE for known in recorded(current)):
        return "it was carried out before, so this is another event of the same name", "take the entry out, and look at the event"
    return _not_exact(error, current, by_gtid(current) and entry.gtid is not None)


def _not_exact(error: ChannelError, current: LinkCurrent, by_name: bool) -> tuple[str, str] | None:
    """Tell why nothing proves which transaction the procedure would leave out, or None.

    :param by_name: the transaction is named to the procedure, and was named to us: no position has to be exact

    Where several workers apply, MySQL does not bring its position up to date when one of them fails. The counter would then
    leave out a transaction that is applied already, or one that is not meant.
    """
    procedure, group = procedure_for(current), current.failed
    if not current.procedures.usable(procedure):
        return f"the replica has no procedure {current.procedures.full_name(procedure)}", MEND
    if by_gtid(current) and not failed_gtid(current):
        return "nothing tells the GTID of what failed", MEND
    if by_name:
        return None
    if group is None:
        return "the source's log does not show what comes next", f"look at it with SHOW BINLOG EVENTS on the source; else {MEND}"
    if what_failed(current) is None:
        where = failed_event(error.message).end
        return f"what comes next after {group.start} is not what failed (it ends at {where}): several workers apply", _ONE_WORKER
    return None


def recorded(current: LinkCurrent) -> list[dict[str, t.Any]]:
    """Return what was skipped here before."""
    return list((current.record("skip") or {}).get("entries") or ())
