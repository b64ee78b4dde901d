# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What the errors of a replication channel usually mean, and what mends them, as one table."""

from __future__ import annotations

from ._model import Channel

# A receiver with one of these tries again by itself: the network, the name, a full server, a lost session.
TRANSIENT = frozenset((2002, 2003, 2005, 2006, 2013, 1040, 1203))
# A receiver with one of these cannot log in, and says what is broken, not who changed it.
CREDENTIALS = frozenset((1045, 1130, 1698, 2026, 2059, 2061, 3159))
# A receiver with one of these cannot go on where it is.
POSITION = frozenset((1236, 1593, 13114, 13117))

_ADVICE: dict[int, str] = {
    1007: "a schema that the source created is on the replica already: the start coordinates are older than the seed",
    1032: "a row that the source changed is not on the replica: something wrote there, or the seed and its coordinates "
    "do not belong together; compare the table, and seed again if it differs",
    1050: "a table that the source created is on the replica already: the start coordinates are older than the seed",
    1045: "the source refused the replication account: check datain_replication_password, and datain_link_ca where the "
    "account demands TLS",
    1062: "a row that the source added is there already: the start coordinates are older than the seed, or something "
    "wrote on the replica; do not skip it, seed again",
    1130: "the source does not let the replication account in from the replica's address: check datain_replication_host",
    1146: "a table that the source uses is not on the replica: it was left out of the seed; seed again",
    1236: "the source cannot serve the position: its log was purged, cut by a crash, or it found a replica of the same id",
    1396: "an account statement of the source failed on the replica: the filter for the mysql schema is missing",
    1593: "the source refuses the replica: the same server_id or server_uuid, or GTID modes that do not fit together",
    1950: "gtid_strict_mode is on and something wrote on the replica in the source's GTID domain",
    2003: "the replica cannot reach the source: check datain_link_host, datain_link_port, both firewalls and the route",
    2005: "the replica cannot resolve the name of the source: datain_link_host must be known where the replica is",
    2013: "the connection from the replica to the source breaks: check the network between them",
    2026: "the replica does not accept the source's certificate: datain_link_ca must hold the CA that signed it, "
    "with its line breaks",
    2061: "the replication account's plugin needs TLS: set datain_link_ca",
    13117: "GTID modes of source and replica do not fit together: set both the same",
}


def advice(code: int) -> str:
    """Return what an error usually means and what mends it."""
    return _ADVICE.get(code, "read the server's own words above; status prints them with every run")


def describe(channel: Channel) -> str | None:
    """Return the errors of a channel in one sentence with what mends them, or None where there is none."""
    parts = [
        f"the {who} reports {error.code}: {error.message.rstrip('.')}; {advice(error.code)}"
        for who, error in (("receiver", channel.receiver_error), ("applier", channel.applier_error))
        if error
    ]
    return "; ".join(parts) or None
