# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Where a link starts, by which method, and whether the source still has what comes after."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from . import _procedures
from ._link_model import LinkCurrent, LinkDesired, LinkPlan, plan_of, refuse
from ._model import Coordinates, Start, Step

# Rows about a replica that has never been linked: what it counts as executed is the seed's, or nothing.
_NEVER_LINKED = (6, 7)


class _Problem(t.NamedTuple):
    """What stands in the way of a method.

    :param align: the GTIDs with which it would not
    """

    message: str
    hint: str
    align: str | None = None


def link_at(row: int, at: Start, why: str, current: LinkCurrent, desired: LinkDesired) -> LinkPlan:
    """Plan to link at a place, if source and replica can still do so."""
    method, problem = _method(at, current, desired)
    if problem:
        return replace(refuse(row, problem.message, problem.hint, current), align=problem.align if row in _NEVER_LINKED else None)
    gap = gone(at, method, current)
    if gap:
        return refuse(row, gap, "set datain_reseed: true to seed again", current)
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
    return plan_of(row, "link", current, steps, at=at, method=method, after=after, observe=started)


def wanted_method(current: LinkCurrent, desired: LinkDesired) -> str:
    """Choose position or GTID, as far as that does not depend on where the link starts."""
    if desired.method != "auto":
        return desired.method
    if desired.service_method == "position" and not current.procedures.usable(_procedures.BY_POSITION):
        return "gtid"  # with high availability on, only the GTID procedure exists
    return desired.service_method


def _method(at: Start, current: LinkCurrent, desired: LinkDesired) -> tuple[str, _Problem | None]:
    """Choose position or GTID, and say what stands in the way of it."""
    procedures = current.procedures
    method = wanted_method(current, desired)
    if desired.method == "auto" and method == "gtid" and current.is_mariadb and (not at.gtid or not procedures.usable(_procedures.BY_GTID)):
        method = "position"
    procedure = _procedures.BY_GTID if method == "gtid" else _procedures.BY_POSITION
    if not procedures.usable(procedure):
        return method, _Problem(
            f"the replica has no usable procedure {procedures.full_name(procedure)}",
            "set datain_link_method to the other method; or check datain_service and the pricing tier: the Basic tier has no replication procedures",
        )
    if method == "position" and at.coordinates is None:
        return method, _Problem("a file and a position are needed to link by position", "set datain_link_method: gtid, or give both")
    if method == "gtid":
        return method, _gtid_problem(at, current, desired)
    return method, None


def _gtid_problem(at: Start, current: LinkCurrent, desired: LinkDesired) -> _Problem | None:
    if current.is_mariadb:
        if not at.gtid:
            return _Problem("a GTID position is needed to link by GTID", "set datain_link_method: position, or give {gtid: …}")
        return None
    off = gtids_off(current)
    if off:
        return _Problem(*off)
    if at.gtid and current.seed_included is False:
        if current.purged_seeded is False:
            # To align them costs the backups, and would help nobody.
            return _Problem(f"the source has purged transactions that the seed lacks ({current.source_purged})", "set datain_reseed: true to seed again")
        return _Problem(
            "the replica does not count the transactions of the seed as executed: a link by GTID would fetch them again",
            desired.gtid_reset.format(gtid=at.gtid),
            at.gtid,
        )
    if not at.gtid and not current.applied:
        return _Problem("nothing says which transactions the data holds", "seed again with GTIDs, or set datain_link_method: position")
    return None


def gtids_off(current: LinkCurrent) -> tuple[str, str] | None:
    """Tell why no link of MySQL by GTID can be made at all, and what mends it; None where both sides write GTIDs."""
    if current.gtid_modes == ("ON", "ON"):
        return None
    return (
        f"gtid_mode is {current.gtid_modes[0]} on the source and {current.gtid_modes[1]} on the replica; both must be ON",
        "set gtid_mode and enforce_gtid_consistency to ON on both sides, or datain_link_method: position",
    )


def gone(at: Start, method: str, current: LinkCurrent) -> str | None:
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
    have = dict(gtids(wanted))
    return next((domain for domain, sequence in gtids(oldest) if sequence > have.get(domain, 0)), None)


def gtids(text: str) -> t.Iterator[tuple[str, int]]:
    for domain, sequence in re.findall(r"(\d+)-\d+-(\d+)", text):
        yield domain, int(sequence)
