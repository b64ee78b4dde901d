# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What the errors of a replication channel usually come from, and what mends them, as one table."""

from __future__ import annotations

import re
import typing as t

from . import _procedures
from ._event import failed_event
from ._model import Channel, ChannelError

# A receiver with one of these tries again by itself: the network, the name, a full server, a lost session.
TRANSIENT = frozenset((2002, 2003, 2005, 2006, 2013, 1040, 1203))
# A receiver with one of these cannot log in, and says what is broken, not who changed it.
CREDENTIALS = frozenset((1045, 1130, 1698, 2026, 2059, 2061, 3159))
# A receiver with one of these cannot go on where it is.
POSITION = frozenset((1236, 1593, 13114, 13117))
# Workers have applied transactions after one that they have not: only a start fills that.
GAPS = frozenset((1802, 1872))
# Those of them that come from how the two servers are set.
SETTINGS = frozenset((1593, 13117))

SEED_AGAIN = "seed again: datain_state: absent, then datain_reseed: true"
_GO_ON = f"then CALL {_procedures.Procedures({}).full_name(_procedures.START)} on the replica"
_OLDER = "the start coordinates are older than the seed, or something wrote on the replica"
_OWN_KEY = "the replica gave the table an invisible primary key of its own (my_row_id), and the source now adds one"
_PASS_IT = "then leave out exactly this statement with datain_skip"
_KEYS_OFF = "and set sql_generate_invisible_primary_key to OFF on the replica, so that no other table gets one"


class Advice(t.NamedTuple):
    """Why an error usually comes about, and the command or the line of the inventory that mends it."""

    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}"


_FULL = Advice("the storage is full", f"give the server more storage (its --storage-size in az), {_GO_ON}")
# The first entry that has the code and whose pattern the message matches; no codes means any.
_TABLE: tuple[tuple[tuple[int, ...], str, Advice], ...] = (
    ((), r"No space left on device|(?:errno|errcode|error):? ?28\b", _FULL),
    ((1021, 1114), "", _FULL),
    (
        (1595, 13122),
        "",
        Advice(
            "the receiver cannot write down an event: the storage is full, or the event's checksum is wrong, since it was damaged on its way or in the log",
            f"give the server more storage if it is full; else read the source's log with mysqlbinlog --verify-binlog-checksum: if it is damaged,"
            f" {SEED_AGAIN}; if not, start the link",
        ),
    ),
    ((1007, 1050), "", Advice(f"what the source created is on the replica already: {_OLDER}", SEED_AGAIN)),
    (
        (1032,),
        "",
        Advice(
            "a row that the source changed is not on the replica: something wrote there, or the seed and its coordinates do not belong together",
            f"compare {{table}} on both servers; put the row back as the source had it, {_GO_ON}; where more than that differs, {SEED_AGAIN}",
        ),
    ),
    (
        (1062,),
        "",
        Advice(
            f"a row that the source added is there already: {_OLDER}",
            f"compare {{table}} on both servers; where something wrote on the replica, delete that row there, {_GO_ON}; else {SEED_AGAIN}",
        ),
    ),
    (
        (1049, 1051, 1146),
        "",
        Advice(
            "what the source uses is not on the replica: it was left out of the seed, or dropped there",
            f"create {{table}} on the replica as the source had it, {_GO_ON}; if it held rows, {SEED_AGAIN}",
        ),
    ),
    (
        (1396,),
        "",
        Advice(
            "an account statement of the source reached the replica and failed there: the filter for the mysql schema is missing",
            f"let replicate_wild_ignore_table on the replica hold mysql.% (datain_accounts carries accounts over), {_PASS_IT}",
        ),
    ),
    (
        (1068,),
        "",
        Advice(_OWN_KEY, f"on the replica ALTER TABLE {{table}} DROP COLUMN my_row_id, ADD PRIMARY KEY (...), {_PASS_IT}, {_KEYS_OFF}"),
    ),
    (
        (1075,),
        "",
        Advice(
            f"{_OWN_KEY}, with AUTO_INCREMENT",
            f"on the replica ALTER TABLE {{table}} DROP COLUMN my_row_id, and in the same statement what the source did, {_PASS_IT}, {_KEYS_OFF}",
        ),
    ),
    (
        (1060,),
        "my_row_id",
        Advice(
            "the replica gave the table an invisible primary key of its own, under the name of the column that the source adds",
            f"on the replica ALTER TABLE {{table}} DROP COLUMN my_row_id, {_GO_ON}, {_KEYS_OFF}",
        ),
    ),
    (
        (4109,),
        "",
        Advice(
            "the data brings values for an invisible primary key that the replica makes by itself",
            f"set sql_generate_invisible_primary_key to OFF on the replica, and {SEED_AGAIN}",
        ),
    ),
    (
        (3185,),
        "",
        Advice(
            "the source encrypts a table by itself, and the replica has no keyring for that",
            f"make the same change on the replica without ENCRYPTION, {_PASS_IT}",
        ),
    ),
    (
        (1236,),
        r"purged|Could not find first log",
        Advice("the source has purged what the replica lacks", f"{SEED_AGAIN}; a longer datain_binlog_retention keeps it from coming again"),
    ),
    (
        (1236,),
        r"impossible position|position > file size",
        Advice("the source's log ends before that place: it crashed with sync_binlog off and forgot what the replica has", SEED_AGAIN),
    ),
    (
        (1236, 1593, 13117),
        r"server[_ ](uu)?ids?",
        Advice("two servers have the same id", "give the replica a server_id of its own, then run again"),
    ),
    (
        (1236,),
        "max_allowed_packet",
        Advice("an event is larger than max_allowed_packet", "raise max_allowed_packet on the source, then start the link"),
    ),
    (
        (1236, 13114),
        "",
        Advice(
            "the source cannot serve the position: its log was purged, cut by a crash, or it found a replica of the same id",
            f"look what SHOW BINARY LOGS on the source still holds; where it lacks that place, {SEED_AGAIN}",
        ),
    ),
    (
        (1593, 13117),
        "gtid",
        Advice(
            "GTID modes of source and replica do not fit together",
            "set gtid_mode on both the same, a managed server's by its parameters, then run again",
        ),
    ),
    (
        (1593, 13117),
        "",
        Advice(
            "the source refuses the replica: the same server_id or server_uuid, or GTID modes that do not fit together",
            "give the replica a server_id of its own, set gtid_mode on both the same, then run again",
        ),
    ),
    (
        tuple(sorted(GAPS)),
        "",
        Advice(
            "the applier's workers left gaps when the replica went down, which only a start fills",
            "wait until the link, which was started for that, has caught up, and run again",
        ),
    ),
    (
        (1045,),
        "",
        Advice(
            "the source refused the replication account",
            "check datain_replication_user and datain_replication_password, and datain_link_ca where the account demands TLS; the source's play sets it",
        ),
    ),
    (
        (1130,),
        "",
        Advice("the source does not let the replication account in from the replica's address", "widen datain_replication_host, '%' for any"),
    ),
    (
        (2003,),
        "",
        Advice("the replica cannot reach the source", "check datain_link_host, datain_link_port, both firewalls and the route; it tries again by itself"),
    ),
    (
        (2005,),
        "",
        Advice("the replica cannot resolve the name of the source", "write a name or an address into datain_link_host that is known where the replica is"),
    ),
    ((2013,), "", Advice("the connection from the replica to the source breaks", "check the network between them; it tries again by itself")),
    (
        (2026,),
        "",
        Advice(
            "the replica does not accept the source's certificate, or they have no version of TLS in common",
            "give in datain_link_ca the CA that signed it, with its line breaks",
        ),
    ),
    ((2061,), "", Advice("the replication account's plugin needs TLS", "give in datain_link_ca the CA of the source")),
    (
        (1950,),
        "",
        Advice(
            "gtid_strict_mode is on and something wrote on the replica in the source's GTID domain",
            f"set gtid_strict_mode to OFF on the replica, {_GO_ON}",
        ),
    ),
    (
        (1290,),
        "",
        Advice("the replica takes no writes: its storage is nearly full, or it was made read-only", f"give it more storage, {_GO_ON}"),
    ),
)
_UNKNOWN = Advice("nothing is known here about this error", "read the server's own words; status prints them with every run")


def advice(error: ChannelError) -> Advice:
    """Return what an error usually comes from and what mends it, with the table in it that the error names."""
    found = next(
        (known for codes, pattern, known in _TABLE if (not codes or error.code in codes) and re.search(pattern, error.message, re.I)), _UNKNOWN
    )
    return Advice(found.cause, found.remedy.replace("{table}", failed_event(error.message).table or "the table"))


def describe(channel: Channel) -> str | None:
    """Return the errors of a channel in one sentence with what mends them, or None where there is none."""
    parts = [
        f"the {who} reports {error.code}: {error.message.rstrip('.')}; {advice(error)}"
        for who, error in (("receiver", channel.receiver_error), ("applier", channel.applier_error))
        if error
    ]
    return "; ".join(parts) or None


def explained(error: ChannelError | None, channel: Channel) -> dict[str, t.Any] | None:
    """Return an error as results show it: the server's words, the event that they are about, and the way out."""
    if error is None:
        return None
    event, way_out = failed_event(error.message), advice(error)
    applier = error is channel.applier_error
    return {
        **error.to_result(),
        "event": event.event,
        "table": event.table,
        "gtid": event.gtid,
        "position": str(channel.applied) if applier and channel.applied else None,
        "cause": way_out.cause,
        "remedy": way_out.remedy,
    }
