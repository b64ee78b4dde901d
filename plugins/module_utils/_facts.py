# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What the prerequisites are judged by: what was read on both servers, as values. Reading them is ``_facts_read``.

What cannot be read is an ``Unread`` with its reason: the rules that need it are unknown, and all others still count.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from ._certificates import Certificate
from ._dialect import Dialect, Version
from ._documents import Item
from ._model import MARIADB, Channel, Coordinates, Identity, number
from ._procedures import BY_GTID, BY_POSITION
from ._services import Service
from ._state import belongs

# How many objects a finding names.
SHOWN = 5


@dataclass(frozen=True)
class Unread:
    """A fact that could not be read.

    :param reason: why, for a person
    :param remedy: what would make it readable
    """

    reason: str
    remedy: str | None = None


NOT_READ = Unread("it was not read")


@dataclass(frozen=True)
class Desired:
    """What the inventory says about a link, as far as rules care.

    :param schemas: those to take over; empty means all that are the user's
    :param retention: seconds to keep the log; 0 means the service's advice
    :param coordinates: where the operator says that a link by position starts
    :param gtid: where the operator says that a link by GTID starts
    :param siblings: server ids of the other replicas of the same source
    :param documents: what the control plane says about managed servers, this one among them
    :param replica_host: the name that we log in to the replica by
    """

    service: Service
    method: str = "auto"
    schemas: tuple[str, ...] = ()
    link_host: str = ""
    link_port: int = 3306
    link_ca: str = ""
    replication_user: str = ""
    replication_password: str = field(default="", repr=False)
    retention: int = 0
    seed: str = "dump"
    siblings: tuple[int, ...] = ()
    coordinates: Coordinates | None = None
    gtid: str = ""
    azure_resource_group: str = "<resource group>"
    azure_server_name: str = "<server name>"
    documents: tuple[Item, ...] = ()
    replica_host: str = ""

    @property
    def loads(self) -> bool:
        """The replica is filled by us, through its administrator."""
        return self.seed in ("dump", "mydumper")


@dataclass(frozen=True)
class Named:
    """Some objects of a kind: how many, and the first few as (schema, name)."""

    count: int
    first: tuple[tuple[str, str], ...] = ()


# Of a table: it is partitioned; it is stored compressed, or encrypted; it, or a column of it, is named by a word that the replica's version
# reserves; a column has a collation that the replica lacks, counts by itself, or has the name of an
# invisible primary key; its rows may be longer than a strict server takes.
TRAITS = (
    PARTITIONED,
    COMPRESSED,
    ENCRYPTED,
    RESERVED,
    STRANGE_COLLATION,
    AUTO_INCREMENT,
    ROW_ID,
    WIDE,
) = ("partitioned", "compressed", "encrypted", "reserved", "collation", "auto_increment", "my_row_id", "wide")


# What tables have that other servers refuse: a file elsewhere than in their schema's folder; partitions by the beginning of a
# column; a foreign key to what is not unique; a foreign key with a name beyond the limit. And one that follows where a key that it
# refers to is changed, which one service forbids.
FILE, PREFIX, REFERENCE, LONG_NAME, FOLLOWS = "file", "prefix", "reference", "long name", "follows"


@dataclass(frozen=True)
class TableGroup:
    """Tables that are alike.

    :param kind: the server's word, such as ``BASE TABLE`` or ``VIEW``
    :param engine: None where the server cannot say, and for a view
    :param keyed: they have a primary key; a UNIQUE NOT NULL column is none
    :param traits: what else rules ask for, of the words in ``TRAITS``
    """

    kind: str
    engine: str | None
    collation: str | None
    keyed: bool
    tables: Named
    traits: frozenset[str] = frozenset()

    @property
    def holds_rows(self) -> bool:
        return self.kind in ("BASE TABLE", "SYSTEM VERSIONED")


@dataclass(frozen=True)
class ObjectGroup:
    """Views, routines, triggers or events of one definer.

    :param kind: ``view``, ``trigger``, ``function``, ``procedure``, ``package``, ``event`` …
    :param state: an event's state, such as ``ENABLED``
    :param collation: of the session that made them, which loading them needs again
    :param modes: the sql_mode that they run with
    :param reserved: they are named by a word that the replica's version reserves
    """

    kind: str
    definer: str
    state: str
    objects: Named
    collation: str = ""
    modes: str = ""
    reserved: bool = False


def canonical_collation(name: str) -> str:
    """Return a collation by the name that newer servers have for it: what was utf8 is utf8mb3."""
    return re.sub(r"^utf8_", "utf8mb3_", name)


@dataclass(frozen=True)
class BinlogEnd:
    """The end of the binary log, and the schemas that it is told to take or to leave out."""

    coordinates: Coordinates | None
    gtid: str | None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Abilities:
    """What a server knows by itself.

    :param collations: names of collations, as tables spell them
    :param plugins: authentication plugins that accounts can use
    :param zones: it knows time zones by their names
    :param clock: seconds that its clock is ahead of ours
    """

    collations: frozenset[str] = frozenset()
    plugins: frozenset[str] = frozenset()
    zones: bool = True
    clock: float = 0.0

    def knows_collation(self, name: str) -> bool:
        return name in self.collations or canonical_collation(name) in self._canonical

    @cached_property
    def _canonical(self) -> frozenset[str]:
        return frozenset(map(canonical_collation, self.collations))


@dataclass(frozen=True)
class Account:
    user: str
    host: str
    tls: str = ""
    plugin: str = ""


Maybe = t.Any  # the value, or Unread


def on_rds(variables: t.Mapping[str, str]) -> bool:
    """Tell a server of Amazon RDS or Aurora by where its programs and data are."""
    return any(variables.get(name, "").startswith("/rdsdb") for name in ("basedir", "datadir"))


@dataclass(frozen=True)
class Side:
    """What was read on one server. Every field from ``variables`` on may be ``Unread``.

    :param schemas: the user's schemas, with their default collations
    :param refused: tables by what they have that other servers refuse; of those with a file elsewhere, the files
    :param rds_hours: how long Amazon RDS keeps the log, which no variable says, 0 for no longer than it must; None on all other servers
    :param oldest_gtids: where the log of a MariaDB source begins, or None where nothing depends on it
    :param in_mysql: what users have made in the schema mysql, with its kind in the schema's place
    :param attached: the replicas that receive right now
    :param registered: who the replicas are that receive right now, as they told it
    :param longest_statement: seconds that the longest of the running statements has been running
    :param prepared: distributed transactions that wait for their second phase
    :param data_bytes: what data and indexes take, as the engines estimate it; read only where a document says how much room there is
    :param presented: what a session that verified with the link's CA was shown, or None where none was tried
    :param data: the user's schemas on the replica, with the numbers of their tables and views
    :param enabled_events: events of users that run on the replica by themselves
    :param ignored_tables: the wild-ignore filter
    """

    label: str
    flavour: str = ""
    version: Version = (0, 0, 0)
    version_text: str = ""
    identity: Identity = Identity(0)
    dialect: Dialect = Dialect()
    tls: t.Mapping[str, t.Any] | None = None
    login_user: str = ""
    variables: Maybe = NOT_READ
    grants: Maybe = NOT_READ
    channels: Maybe = NOT_READ
    abilities: Maybe = NOT_READ
    accounts: Maybe = NOT_READ
    # source only
    binlog: Maybe = NOT_READ
    binlog_files: Maybe = NOT_READ
    rds_hours: Maybe = NOT_READ
    oldest_gtids: Maybe = NOT_READ
    schemas: Maybe = NOT_READ
    tables: Maybe = NOT_READ
    objects: Maybe = NOT_READ
    refused: Maybe = NOT_READ
    in_mysql: Maybe = NOT_READ
    attached: Maybe = NOT_READ
    registered: Maybe = NOT_READ
    longest_statement: Maybe = NOT_READ
    prepared: Maybe = NOT_READ
    data_bytes: Maybe = NOT_READ
    presented: Maybe = NOT_READ
    # replica only
    procedures: Maybe = NOT_READ
    data: Maybe = NOT_READ
    records: Maybe = NOT_READ
    enabled_events: Maybe = NOT_READ
    ignored_tables: Maybe = NOT_READ

    @property
    def is_mariadb(self) -> bool:
        return self.flavour == MARIADB

    @property
    def series(self) -> tuple[int, int]:
        """What the vendor calls the version: 8.0, 10.11. MySQL's innovation releases count as one series by their major number."""
        return self.version[:2]

    def value(self, name: str, default: str = "") -> str:
        return self.variables.get(name, default)

    def on(self, name: str) -> bool:
        return self.value(name).upper() in ("ON", "1", "YES", "TRUE")

    def number(self, name: str) -> int:
        return number(self.value(name))


# A plugin of the login that the client lacks, or that asks for TLS. For an account that does not exist MySQL 8 takes one
# of its plugins by chance, and keeps to it until its next start.
_ABOUT_THE_LOGIN = (2054, 2059, 2061)


@dataclass(frozen=True)
class Answer:
    """What somebody met who went to the source.

    :param code: the error number of the source, or of the client library; 0 where it was let in, None where nothing answered
    """

    code: int | None
    words: str

    @property
    def reached(self) -> bool:
        """The source has spoken; only the numbers from 2000 to 2999 are the client library's own."""
        return self.code is not None and (not 2000 <= self.code < 3000 or self.code in _ABOUT_THE_LOGIN)


@dataclass(frozen=True)
class Reach:
    """How the source is reached: an ``Answer`` each, or ``Unread``.

    :param replica: by the replica itself
    :param controller: by the machine that speaks SQL
    :param addresses: what the source's name means to that machine
    """

    replica: Maybe = NOT_READ
    controller: Maybe = NOT_READ
    addresses: Maybe = NOT_READ

    @property
    def answered(self) -> bool:
        """The replica has reached the source."""
        return isinstance(self.replica, Answer) and self.replica.reached


@dataclass(frozen=True)
class Facts:
    """Everything that rules may look at.

    :param reach: what was met on the way to the source
    :param today: the day that certificates and waivers are judged by
    """

    source: Side
    replica: Side
    desired: Desired
    certificates: tuple[Certificate, ...] = ()
    certificate_problem: str | None = None
    today: datetime.date = datetime.date(1970, 1, 1)
    reach: Reach = Reach()

    @property
    def records_of_pair(self) -> dict[str, dict[str, t.Any]]:
        """The recorded rows that are about these two servers; the others belong to another copy of the data."""
        pair = (self.source.identity, self.replica.identity)
        return {kind: document for kind, document in self.replica.records.items() if belongs(document, *pair)}

    @property
    def replication_accounts(self) -> tuple[Account, ...]:
        """The accounts that the replica logs in with: one name, maybe several hosts."""
        user = self.desired.replication_user
        return tuple(account for account in self.source.accounts if user and account.user == user)

    @property
    def why_nothing_is_loaded(self) -> str | None:
        """None where the replica is about to be filled by us."""
        if self.linked:
            return "the replica is linked: nothing is loaded"
        return None if self.desired.loads else f"datain_seed is {self.desired.seed}: nothing is loaded by us"

    @property
    def channel(self) -> Channel | None:
        """The one channel that the service's procedures know."""
        return next((channel for channel in self.replica.channels if not channel.name), None)

    @property
    def linked(self) -> bool:
        """The replica has a channel whose source is this source, or that was set up to go to it."""
        channel = self.channel
        return channel is not None and follows(channel, self.source.identity, self.desired)

    @property
    def running(self) -> bool:
        return self.linked and self.channel is not None and self.channel.receiver == "running"

    @property
    def method(self) -> str:
        """By position or by GTID; what ``auto`` means is the service's choice, where its procedure is there."""
        if self.desired.method != "auto":
            return self.desired.method
        if self.channel is not None:
            return "gtid" if self.channel.by_gtid else "position"
        procedures, offered = self.replica.procedures, self.desired.service.method
        if isinstance(procedures, Unread):
            return offered
        if not procedures.usable(BY_POSITION):
            return "gtid"
        return offered if procedures.usable(BY_GTID) or not self.replica.is_mariadb else "position"


def follows(channel: Channel, source: Identity, desired: Desired) -> bool:
    """Tell whether a channel goes to a source; one that never connected is known by the address only."""
    if channel.source_uuid and source.server_uuid:
        return channel.source_uuid == source.server_uuid
    if channel.source_id:
        return channel.source_id == source.server_id
    return (channel.source_host, channel.source_port) == (desired.link_host, desired.link_port)
