# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Reads what a link is, and proves what has to be known before it may be made or made again. Changes nothing."""

from __future__ import annotations

from dataclasses import replace

from . import _advice
from ._connection import Connection, Login
from ._errors import CertificateError, ConnectError
from ._link_alignment import Standing, alignment
from ._link_change import differences, goes_on_by_gtid, made_otherwise, moved, needs_alignment, other_source, who
from ._link_model import LinkCurrent, LinkDesired, LinkRequest, channel_of
from ._link_proofs import history_gap, oldest_gtids, password_fits, password_held
from ._link_start import gtids_off
from ._model import Identity, Start
from ._run import Context
from ._server import Server
from ._state import Records

# A login that is refused for where it comes from: no such account for this address, or none at all for it.
_ADDRESS = frozenset((1045, 1130))
WRONG_CA = "give in datain_link_ca the CA that signed the certificate of the source"


def read_link(context: Context, request: LinkRequest) -> LinkCurrent:
    """Read everything that the table asks about, in few statements; some only in the states that need them."""
    replica, desired = context.replica, request.desired
    everything = replica.status()
    channels = tuple(channel for channel in everything if not channel.probe)
    if not channels or any(not channel.running or made_otherwise(channel, desired) for channel in channels):
        context.share = None  # what is to be made depends on what the source is now
    source = context.source
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
    if desired.state == "absent":
        return current
    if current.channel is None:
        return _read_gtid_history(current, source, replica, desired)
    return _read_proofs(context, request, current)


def _read_proofs(context: Context, request: LinkRequest, current: LinkCurrent) -> LinkCurrent:
    """Read what must be proven about a link before it may be called right, or be made again."""
    channel, desired = channel_of(current), request.desired
    if channel.applier_error and channel.applier != "running" and channel.applied:
        current = replace(current, failed=context.source.event_group(channel.applied))
    error = channel.receiver_error
    denied = error is not None and error.code in _advice.CREDENTIALS
    if not denied:
        attached = channel.receiver == "running"
        current = replace(current, password_held=password_held(context.source, context.replica, desired.user, request.password, attached=attached))
    elif desired.state == "started":
        current = replace(current, login=try_login(context, request))
    retarget = desired.retarget and channel.by_gtid and other_source(current, desired) is not None
    different = differences(current, desired)
    if retarget:
        current = replace(current, history=history_gap(context.source, context.replica))
    if needs_alignment(current, desired, different):
        current = replace(current, alignment=alignment(context.source, context.replica, channel))
    if (different or retarget) and current.login is None:
        current = replace(current, login=try_login(context, request))
    if retarget or moved(current, different):
        answers, problem = who_answers(context, request)
        current = replace(current, answers=answers, address=problem)
    return current


def _read_gtid_history(current: LinkCurrent, source: Server, replica: Server, desired: LinkDesired) -> LinkCurrent:
    """Read what only a new link by GTID depends on."""
    link = current.record("link") or {}
    place = Start.from_result(link.get("start"))
    if not current.channels and place and goes_on_by_gtid(link, current, desired) and gtids_off(current) is None:
        current = replace(current, alignment=alignment(source, replica, Standing(place.coordinates, current.applied)))
    starts = [Start.from_result((current.record(kind) or {}).get("start")) for kind in ("link", "seed")]
    start = next((start for start in [*starts, desired.explicit] if start), None)
    if current.channels or start is None or not start.gtid:
        return current
    if current.is_mariadb:
        if start.coordinates is None and current.source_files:
            return replace(current, source_purged=oldest_gtids(source))
        return current
    if current.gtid_modes != ("ON", "ON"):
        return current
    purged = source.variables.get("gtid_purged", "")
    row = replica.connection.rows(
        "SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed) AS seed_included, GTID_SUBSET(%s, @@GLOBAL.gtid_executed) AS purged_applied,"
        " GTID_SUBSET(%s, %s) AS purged_seeded",
        (start.gtid, purged, purged, start.gtid),
        step="compare the GTIDs of the seed with those executed here",
    )[0]
    return replace(
        current,
        seed_included=bool(row["seed_included"]),
        purged_applied=bool(row["purged_applied"]),
        purged_seeded=bool(row["purged_seeded"]),
        source_purged=purged or None,
    )


def try_login(context: Context, request: LinkRequest) -> str:
    """Log in to the source as the replica would. Return why it failed, or an empty text where it worked.

    An account that is meant for the replica's address alone does not let us in: there the stored hash decides.
    """
    try:
        _login_as_replica(context, request)
    except CertificateError as error:
        return error.message
    except ConnectError as error:
        known = error.code in _ADDRESS and password_fits(context.source, request.desired.user, request.password)
        return "" if known else error.message
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


def wrong_address(context: Context, request: LinkRequest) -> str | None:
    """Tell that another server answers at the address that the link is to have, or None.

    Where nobody can be asked there, it is the replica's own network that decides, and the link is looked at as soon as it has connected.
    """
    login, desired = context.login("source"), request.desired
    if (login.host.lower(), login.port) == (desired.host.lower(), desired.port):
        return None
    answers, _problem = who_answers(context, request)
    if answers is None or context.source.identity.same_as(answers):
        return None
    return f"another server answers at {desired.host}:{desired.port} ({who(answers)}, not {who(context.source.identity)})"


def _login_as_replica(context: Context, request: LinkRequest) -> None:
    Connection(_as_replica(context, request)).close()


def _as_replica(context: Context, request: LinkRequest) -> Login:
    return replace(
        context.login("source"),
        user=request.desired.user,
        password=request.password,
        ca=request.desired.ca,
        tls="verify_ca" if request.desired.ca else "disabled",
    )


def who_answers(context: Context, request: LinkRequest) -> tuple[Identity | None, str | None]:
    """Look who answers at the address that the link is to have: a server, or why none was seen from here.

    Asked as the replica would: an account for replicas may read these two, and whoever takes its password is worth asking.
    """
    login = replace(_as_replica(context, request), host=request.desired.host, port=request.desired.port)
    try:
        server = Server.open(login)
    except ConnectError as error:
        return None, error.message
    try:
        return server.identity, None
    finally:
        server.close()
