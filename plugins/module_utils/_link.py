# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What is decided about a link. ``plan_link`` is the table of docs/link-states.md; nothing else decides about a link."""

from __future__ import annotations

import typing as t

from . import _procedures
from ._link_change import other_way
from ._link_channel import channel_rows
from ._link_model import LinkCurrent, LinkDesired, LinkPlan, moved_since, plan_of, refuse
from ._link_start import link_at
from ._model import Identity, Start, Step


def plan_link(current: LinkCurrent, desired: LinkDesired) -> LinkPlan:
    """Decide about a link: the rows of the table from top to bottom, the first that matches wins."""
    for row in (_not_ours, _promoted, _absent, _no_channel, channel_rows):
        plan = row(current, desired)
        if plan is not None:
            return plan
    raise AssertionError("the table has a row for every state")  # pragma: no cover


# Rows 2 to 4


def _not_ours(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    del desired
    named = [channel.name for channel in current.channels if channel.name]
    if len(current.channels) > 1 or named:
        return refuse(
            2,
            f"the replica has {len(current.channels)} channels ({', '.join(named) or 'unnamed'}): they were not made through "
            "the service's procedures, which know the default channel only",
            "remove the other channels, or take the host out of datain_replicas",
            current,
        )
    if current.read_only and current.channel is not None:
        return refuse(
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
    return refuse(
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
        return plan_of(4, "keep", current, ())
    if current.not_writable:
        return refuse(
            4,
            f"what is applied is forgotten when the link goes, and cannot be recorded: {current.not_writable}",
            "set gtid_strict_mode to OFF on the replica until the link is back, and run again",
            current,
        )
    procedures = current.procedures
    steps = []
    if not channel.stopped:
        steps.append(Step("stop", procedures.full_name(_procedures.STOP), "the link is to go"))
    steps.append(Step("record", "the position that is applied", "it is forgotten by the server when the link goes"))
    steps.append(Step("remove", procedures.full_name(_procedures.REMOVE), "the link is to go"))
    return plan_of(4, "remove", current, steps, after={"state": "absent"})


# Rows 5 to 8: there is no channel


def _no_channel(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    if current.channel is not None:
        return None
    seed, link = current.record("seed"), current.record("link")
    if seed and seed.get("phase") != "complete":
        return refuse(
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
            return refuse(8, "the seed has no coordinates", "set datain_reseed: true to seed again", current)
        if moved_since(current, seed.get("applied"), start.gtid):
            return _moved_on(current)
        return link_at(6, start, "the seed is complete and was never linked", current, desired)
    if desired.explicit is not None:
        return link_at(7, desired.explicit, "the operator vouches for the coordinates", current, desired)
    return refuse(
        8,
        "nothing says where to start: no seed is recorded here for this pair of servers, and no coordinates are given",
        "seed the replica (datain_seed: dump), or with datain_seed: external give datain_link_coordinates",
        current,
    )


def _from_record(link: dict[str, t.Any], current: LinkCurrent, desired: LinkDesired) -> LinkPlan:
    start = Start.from_result(link.get("start"))
    phase = link.get("phase")
    why = {"removed": "the link was removed there", "intended": "an interrupted run was about to link there"}.get(str(phase))
    if why and start:
        if moved_since(current, link.get("applied"), start.gtid):
            return _moved_on(current)
        problem = other_way(link, current, desired)
        return refuse(11, *problem, current) if problem else link_at(5, start, why, current, desired)
    return refuse(
        8,
        "the link that was here has gone, and not through this collection: nobody knows what the replica has applied",
        "set datain_reseed: true to seed again",
        current,
    )


def _moved_on(current: LinkCurrent) -> LinkPlan:
    return refuse(
        8,
        f"the replica has applied transactions since that was recorded (gtid_slave_pos is {current.applied})",
        "set datain_reseed: true to seed again",
        current,
    )
