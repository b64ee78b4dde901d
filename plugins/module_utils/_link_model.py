# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What is seen of a link, what is wanted of it, and what a plan for it says."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from . import _advice, _procedures
from ._dialect import Version
from ._event import EventGroup
from ._model import Channel, Coordinates, Finding, Identity, Plan, Start, Step
from ._state import belongs


@dataclass(frozen=True)
class Skip:
    """One event that somebody wants to be left out, named so exactly that it can be no other.

    :param error: the number of the error with which the applier stops there
    :param position: what is applied when it is next, or None
    :param gtid: its GTID, or None
    :param reason: why losing it is right
    """

    error: int
    reason: str
    position: Coordinates | None = None
    gtid: str | None = None

    def __str__(self) -> str:
        return f"{self.gtid or self.position} ({self.error})"


@dataclass(frozen=True)
class LinkDesired:
    """What the inventory says about a link.

    :param host: how the replica reaches the source, which need not be how we reach it
    :param ca: PEM text of the source's CA; empty means a link without TLS
    :param ca_fingerprint: what tells this CA from another one, whatever the order and form of the PEM
    :param method: ``auto``, ``position`` or ``gtid``
    :param service_method: what ``auto`` means on this service
    :param explicit: coordinates for which the operator vouches
    :param relink: make the link again where nothing proves that it holds the password, and vouch for what cannot be checked
    :param retarget: follow another server than before, where GTIDs prove that it has the same history
    :param skips: events that are to be left out where the applier stops at them
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
    relink: bool = False
    retarget: bool = False
    skips: tuple[Skip, ...] = ()
    gtid_reset: str = "align the GTIDs of the replica with those of the seed"


class Alignment(t.NamedTuple):
    """Whether a link by position may go on by GTID at the place that is applied.

    :param problem: why it may not; empty where it may
    :param hint: what mends it; None where only a new seed does
    """

    problem: str = ""
    hint: str | None = None

    @property
    def remedy(self) -> str:
        return f"{self.hint or _advice.SEED_AGAIN}; or set datain_link_method: position"


@dataclass(frozen=True)
class LinkRequest:
    """What is wanted, and the one secret that a planner must not see."""

    desired: LinkDesired
    password: str = field(repr=False)
    wait_timeout: int = 120


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
    :param purged_seeded: the same, once the seed's transactions count as executed there
    :param login: the outcome of logging in to the source as the replica would: None untried, "" worked, else why not
    :param password_held: the link holds the desired password: True and False are proven, None is unknown
    :param answers: who answers at the address that the link is to have, where that was looked at
    :param address: why nobody was seen there
    :param history: why the new source cannot be followed by GTID: None unread, "" it can
    :param alignment: MySQL by position only: whether it may go on by GTID; None unread
    :param not_writable: why no row may be written now, or None
    :param failed: the transaction in the source's log at which the applier stopped; None where it did not, or that is not known
    :param remains: a check of the network has left its channel, which is no link
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
    purged_seeded: bool | None = None
    login: str | None = None
    password_held: bool | None = None
    answers: Identity | None = None
    address: str | None = None
    history: str | None = None
    alignment: Alignment | None = None
    not_writable: str | None = None
    failed: EventGroup | None = None
    remains: bool = False

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
    :param verb: ``keep``, ``link``, ``relink``, ``start``, ``skip``, ``stop``, ``remove`` or ``refuse``
    :param at: where to link
    :param method: ``position`` or ``gtid``
    :param observe: whether the link must be healthy afterwards
    :param drain: what the source has purged must be applied from the relay logs first
    :param skip: the entry of the inventory that is to be carried out
    :param align: the GTIDs that the replica has to count as executed before it can be linked; nothing else stands in the way
    """

    row: int = 0
    verb: str = "keep"
    at: Start | None = None
    method: str | None = None
    observe: bool = False
    drain: bool = False
    skip: Skip | None = None
    align: str | None = None

    @property
    def work(self) -> bool:
        """Anything is to be done or watched."""
        return self.changed or self.observe


def channel_of(current: LinkCurrent) -> Channel:
    """Return the channel, for the rows that are about one."""
    channel = current.channel
    if channel is None:
        raise ValueError("these rows are about a channel")
    return channel


def moved_since(current: LinkCurrent, *known: str | None) -> bool:
    """Tell whether a MariaDB replica has applied something since: it keeps count even without a channel."""
    return current.is_mariadb and current.applied is not None and current.applied not in known


def start_known(current: LinkCurrent, desired: LinkDesired) -> tuple[Start | None, str | None]:
    """Return where a channel began, by a record or else by the operator's word, and what a MariaDB replica had applied by GTID then."""
    seed, link = current.record("seed"), current.record("link")
    if link and (not seed or link.get("seed") == seed.get("id")):
        record = link
    elif seed and seed.get("phase") == "complete":
        record = seed
    else:
        return desired.explicit, None
    return Start.from_result(record.get("start")), record.get("applied")


def fresh(current: LinkCurrent, desired: LinkDesired) -> bool:
    """Tell whether the channel has not connected since it was made.

    MariaDB throws its relay logs away whenever a link by GTID starts, so one that ran for months looks the same: what it has applied tells.
    """
    start, applied = start_known(current, desired)
    return channel_of(current).never_connected and not moved_since(current, applied, start.gtid if start else None)


def refuse(row: int, message: str, hint: str, current: LinkCurrent) -> LinkPlan:
    state = state_of(current)
    return LinkPlan(row=row, verb="refuse", refusal=message, hint=hint, before=state, after=state)


def state_of(current: LinkCurrent, **changes: t.Any) -> dict[str, t.Any]:
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


def finding(rule: str, severity: str, summary: str, **more: t.Any) -> Finding:
    return Finding(rule=rule, side="replica", status="failed", severity=severity, summary=summary, **more)


def plan_of(row: int, verb: str, current: LinkCurrent, steps: t.Sequence[Step], **more: t.Any) -> LinkPlan:
    after = more.pop("after", None) or state_of(current)
    return LinkPlan(row=row, verb=verb, steps=tuple(steps), before=state_of(current), after=after, **more)
