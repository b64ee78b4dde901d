# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Reads what a link is, and proves what has to be known before it may be made or made again. Changes nothing."""

from __future__ import annotations

from dataclasses import replace

from . import _advice
from ._connection import Connection
from ._errors import CertificateError, ConnectError
from ._link_model import LinkCurrent, LinkDesired, LinkRequest
from ._model import Start
from ._run import Context
from ._server import Server
from ._state import Records


def read_link(context: Context, request: LinkRequest) -> LinkCurrent:
    """Read everything that the table asks about, in few statements; some only in the states that need them."""
    source, replica, desired = context.source, context.replica, request.desired
    everything = replica.status()
    channels = tuple(channel for channel in everything if not channel.probe)
    records = Records(replica)
    rows = records.read()
    current = LinkCurrent(
        flavour=replica.flavour,
        version=replica.version,
        channels=channels,
        procedures=replica.procedures,
        records=rows,
        source=source.identity,
        replica=replica.identity,
        source_files=source.binlog_files(),
        read_only=replica.on("read_only"),
        gtid_modes=(source.variables.get("gtid_mode", ""), replica.variables.get("gtid_mode", "")),
        applied=replica.gtid_position() if replica.is_mariadb or replica.on("gtid_mode") else None,
        not_writable=records.refusal(len(channels)),
        remains=len(everything) > len(channels),
    )
    if desired.state == "started":
        current = _read_gtid_history(current, source, replica, desired)
        error = current.channel.receiver_error if current.channel else None
        if error and error.code in _advice.CREDENTIALS:
            current = replace(current, login=try_login(context, request))
    return current


def _read_gtid_history(current: LinkCurrent, source: Server, replica: Server, desired: LinkDesired) -> LinkCurrent:
    """Read what only a new link by GTID depends on."""
    starts = [Start.from_result((current.record(kind) or {}).get("start")) for kind in ("link", "seed")]
    start = next((start for start in [*starts, desired.explicit] if start), None)
    if current.channels or start is None or not start.gtid:
        return current
    if current.is_mariadb:
        if start.coordinates is None and current.source_files:
            return replace(current, source_purged=_oldest_gtids(source, min(current.source_files)))
        return current
    if current.gtid_modes != ("ON", "ON"):
        return current
    purged = source.variables.get("gtid_purged", "")
    row = replica.connection.rows(
        "SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed) AS seed_included, GTID_SUBSET(%s, @@GLOBAL.gtid_executed) AS purged_applied",
        (start.gtid, purged),
        step="compare the GTIDs of the seed with those executed here",
    )[0]
    return replace(
        current,
        seed_included=bool(row["seed_included"]),
        purged_applied=bool(row["purged_applied"]),
        source_purged=purged or None,
    )


def _oldest_gtids(source: Server, file: str) -> str | None:
    """Return the GTID position at which the oldest log file of a MariaDB source begins."""
    rows = source.connection.rows("SHOW BINLOG EVENTS IN %s LIMIT 4", (file,), step="read where the oldest log file begins")
    return next((str(row["Info"]) for row in rows if row["Event_type"] == "Gtid_list"), None)


def try_login(context: Context, request: LinkRequest) -> str:
    """Log in to the source as the replica would. Return why it failed, or an empty text where it worked."""
    try:
        _login_as_replica(context, request)
    except ConnectError as error:
        return error.message
    return ""


def wrong_certificate(context: Context, request: LinkRequest) -> str | None:
    """Tell why the source's certificate does not fit the CA of the link, or None.

    Only a certificate that was shown and refused is proof: the account may not be meant for our address, or not be there yet.
    """
    try:
        _login_as_replica(context, request)
    except CertificateError as error:
        return f"the source shows a certificate that datain_link_ca does not vouch for: {error.message}"
    except ConnectError:
        return None
    return None


def _login_as_replica(context: Context, request: LinkRequest) -> None:
    login = context.login("source")
    as_replica = replace(
        login,
        user=request.desired.user,
        password=request.password,
        ca=request.desired.ca,
        tls="verify_ca" if request.desired.ca else "disabled",
    )
    Connection(as_replica).close()
