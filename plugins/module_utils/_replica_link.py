# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Reads what a link is, and does to it what the plan says."""

from __future__ import annotations

import datetime
import hashlib
import time
import typing as t
from dataclasses import dataclass, field, replace

from . import _advice, _procedures
from ._connection import Connection, pem_certificates, pem_text
from ._errors import CertificateError, ConnectError, InputError, Refused, Timeout
from ._link import plan_link
from ._link_channel import broken
from ._link_model import LinkCurrent, LinkDesired, LinkPlan
from ._model import Channel, Start
from ._replica_info import link_result
from ._run import SOURCE_OPTION, Capability, Context
from ._server import Server
from ._services import SERVICES
from ._state import LINK_LOCK, Records, belongs, identities, lock, wait_free

# Seconds for which a link must stay healthy until we believe it, and between two looks at it.
STABLE = 1.5
POLL = 0.3
STOP_PATIENCE = 60
WRONG_CA = "give in datain_link_ca the CA that signed the certificate of the source"

LINK_OPTIONS: dict[str, t.Any] = {
    "source": SOURCE_OPTION,
    "service": {"type": "str", "required": True, "choices": list(SERVICES)},
    "method": {"type": "str", "choices": ["auto", "position", "gtid"], "default": "auto"},
    "replication_user": {"type": "str", "required": True},
    "replication_password": {"type": "str", "required": True, "no_log": True},
    "link_host": {"type": "str", "required": True},
    "link_port": {"type": "int", "default": 3306},
    "link_ca": {"type": "str", "default": ""},
    "coordinates": {
        "type": "dict",
        "options": {"file": {"type": "str"}, "position": {"type": "int"}, "gtid": {"type": "str"}},
    },
    "azure_resource_group": {"type": "str"},
    "azure_server_name": {"type": "str"},
}


@dataclass(frozen=True)
class LinkRequest:
    """What is wanted, and the one secret that a planner must not see."""

    desired: LinkDesired
    password: str = field(repr=False)
    wait_timeout: int = 120


def fingerprint(ca: str) -> str | None:
    """Return the SHA-256 of a PEM's certificates, whatever their order and form; None for an empty PEM."""
    certificates = sorted(pem_certificates(ca, "link_ca"))
    return hashlib.sha256(b"".join(certificates)).hexdigest() if certificates else None


def request_from(parameters: dict[str, t.Any]) -> LinkRequest:
    """Turn options into what is wanted.

    :raises InputError: the certificate or the coordinates are none
    """
    ca = pem_text(parameters["link_ca"] or "", "link_ca")
    reset = (
        "az mysql flexible-server gtid reset --resource-group {group} --server-name {server} --gtid-set '{{gtid}}' --yes "
        "(it invalidates all existing backups of that server), then run the playbook again"
    )
    service = SERVICES[parameters["service"]]
    desired = LinkDesired(
        state=parameters.get("state") or "started",
        host=parameters["link_host"],
        port=parameters["link_port"],
        user=parameters["replication_user"],
        ca=ca,
        ca_fingerprint=fingerprint(ca),
        method=parameters["method"],
        service_method=service.method,
        explicit=explicit_start(parameters.get("coordinates")),
        gtid_reset=reset.format(
            group=parameters.get("azure_resource_group") or "<resource group>",
            server=parameters.get("azure_server_name") or "<server name>",
        )
        if service.control_plane_gtid
        else "restore a dump that sets gtid_purged to {gtid}",
    )
    return LinkRequest(desired, parameters["replication_password"], parameters.get("wait_timeout") or 120)


def explicit_start(coordinates: dict[str, t.Any] | None) -> Start | None:
    """Return the start that the operator gives.

    :raises InputError: the coordinates are half, or of no form that a server knows
    """
    given = {key: value for key, value in (coordinates or {}).items() if value not in (None, "")}
    if not given:
        return None
    if not given.get("gtid") and not (given.get("file") and given.get("position")):
        raise InputError("coordinates need a file and a position, or a gtid", hint="give datain_link_coordinates whole")
    try:
        return Start.from_result({**given, "origin": "explicit"})
    except ValueError as error:
        raise InputError(f"the coordinates are none: {error}", hint="correct datain_link_coordinates") from error


def read_link(context: Context, request: LinkRequest) -> LinkCurrent:
    """Read everything that the table asks about, in few statements; some only in the states that need them."""
    source, replica, desired = context.source, context.replica, request.desired
    channels = tuple(replica.channels())
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


def apply_link(context: Context, request: LinkRequest, plan: LinkPlan, current: LinkCurrent) -> Channel | None:
    """Do what the plan says, step by step; every step leaves what a next run can read and finish.

    :returns: the channel as it is afterwards
    """
    replica = context.replica
    if plan.verb == "link":
        _make(context, request, plan, current)
    elif plan.verb == "start":
        _procedures.call(replica.connection, replica.procedures, _procedures.START)
    elif plan.verb == "stop":
        _stop(replica)
    elif plan.verb == "remove":
        _remove(context, request, current)
    channel = _only(replica)
    if plan.observe:
        channel = observe(replica, request, current, context.progress)
    if any(step.action in ("record", "link") for step in plan.steps) and plan.verb != "remove":
        _record_link(context, request, current, channel, "linked")
    return channel


def _only(replica: Server) -> Channel | None:
    channels = replica.channels()
    return channels[0] if channels else None


def _stop(replica: Server) -> Channel:
    """Stop both threads and wait until the server says so; A is exact only then."""
    _procedures.call(replica.connection, replica.procedures, _procedures.STOP)
    deadline = time.monotonic() + STOP_PATIENCE
    while True:
        channel = _only(replica)
        if channel is None:
            raise Refused("the link went away while it was being stopped", server=replica.label, step="stop the link")
        if channel.stopped:
            return channel
        if time.monotonic() > deadline:
            raise Timeout(
                f"the link did not stop within {STOP_PATIENCE} s",
                server=replica.label,
                step="stop the link",
                hint="a long transaction is being rolled back; wait, and run again",
                details={"link": link_result(channel)},
            )
        time.sleep(POLL)


def _make(context: Context, request: LinkRequest, plan: LinkPlan, current: LinkCurrent) -> None:
    replica, desired, at = context.replica, request.desired, plan.at
    if at is None:
        raise Refused("nothing says where to start", server=replica.label, step="make the link")
    wrong = wrong_certificate(context, request)
    if wrong:
        raise Refused(wrong, server=context.source.label, step="look at the source's certificate", hint=WRONG_CA)
    if current.channel is not None and not current.channel.stopped:
        _stop(replica)
    by_gtid = plan.method == "gtid"
    if not (by_gtid and not replica.is_mariadb):
        # Not between a GTID reset and the link: there the executed set itself says where to go on.
        _write(context, request, current, "intended", at, plan.method or "position")
    arguments = _procedures.LinkArguments(
        host=desired.host,
        port=desired.port,
        user=desired.user,
        password=request.password,
        ca=desired.ca,
        file=at.coordinates.file if at.coordinates else None,
        position=at.coordinates.position if at.coordinates else None,
        gtid=at.gtid,
    )
    name = _procedures.BY_GTID if by_gtid else _procedures.BY_POSITION
    context.progress(f"linking to {desired.host}:{desired.port} by {plan.method}")
    _warn_of_logs(context)
    _procedures.call(replica.connection, replica.procedures, name, arguments)
    _read_back(replica, desired, plan)
    if desired.state == "started":
        _procedures.call(replica.connection, replica.procedures, _procedures.START)


def _warn_of_logs(context: Context) -> None:
    """Say where the one statement that holds a clear password will be recorded.

    MySQL 8.0.33 lets an administrator without SUPER set sql_log_off, and logs the session all the same: no way around it.
    """
    logs = context.replica.recording_logs
    if logs:
        context.warnings.append(f"{context.replica.label}: {' and '.join(logs)}: the replication password is recorded there in clear text")


def _read_back(replica: Server, desired: LinkDesired, plan: LinkPlan) -> None:
    """Look whether the procedure did what it was asked, before anything is started."""
    channel = _only(replica)
    if channel is None:
        raise Refused("the procedure reported no error, and there is no link", server=replica.label, step="make the link")
    if channel.running:
        return  # a procedure that starts by itself: what it runs with is judged while we observe it
    wanted: dict[str, t.Any] = {"host": desired.host.lower(), "port": desired.port, "user": desired.user, "TLS": bool(desired.ca)}
    seen: dict[str, t.Any] = {
        "host": channel.source_host.lower(),
        "port": channel.source_port,
        "user": channel.source_user,
        "TLS": channel.tls,
    }
    if plan.method == "position" and plan.at:
        wanted["position"], seen["position"] = plan.at.coordinates, channel.applied
    wrong = [f"{key} is {seen[key]} instead of {wanted[key]}" for key in wanted if seen[key] != wanted[key]]
    if wrong:
        raise Refused(
            f"the link is not what was asked for: {', '.join(wrong)}; it was not started",
            server=replica.label,
            step="read back the link",
            hint="check datain_service: another service's procedures take their arguments in another order",
        )


def observe(replica: Server, request: LinkRequest, current: LinkCurrent, progress: t.Callable[[str], None]) -> Channel:
    """Wait until both threads run, from the right source, for some seconds.

    :raises Refused: an error that does not go away by itself
    :raises Timeout: not healthy in time; the last state goes with it
    """
    began = time.monotonic()
    healthy_since: float | None = None
    told = began
    while True:
        channel = _only(replica)
        now = time.monotonic()
        if channel is None:
            raise Refused("the link went away while it was being watched", server=replica.label, step="watch the link start")
        if channel.running and not channel.receiver_error:
            healthy_since = healthy_since or now
            if now - healthy_since >= STABLE:
                return channel
        else:
            healthy_since = None
            verdict = broken(replace(current, channels=(channel,)), request.desired)
            if verdict:
                raise Refused(
                    verdict.refusal or "",
                    server=replica.label,
                    step="watch the link start",
                    hint=verdict.hint,
                    details={"link": link_result(channel), "row": verdict.row},
                )
            if channel.receiver_error and channel.receiver_error.code in _advice.CREDENTIALS:
                raise _not_up(channel, replica, "the link does not come up")
        if now - began > request.wait_timeout:
            raise _not_up(channel, replica, f"the link is not healthy after {request.wait_timeout} s", Timeout)
        if now - told >= 5:
            told = now
            progress(f"waiting for the link: {channel.state}, {int(now - began)} s of {request.wait_timeout} s")
        time.sleep(POLL)


def _not_up(channel: Channel, replica: Server, message: str, kind: type[Refused] | type[Timeout] = Refused) -> Refused | Timeout:
    error = channel.receiver_error or channel.applier_error
    words = f"{message}; it is {channel.state}"
    if error:
        words += f" with {error.code}: {error.message}"
    return kind(
        words,
        server=replica.label,
        step="watch the link start",
        hint=_advice.advice(error.code) if error else "look at the state of the link with the status playbook",
        details={"link": link_result(channel)},
    )


def _remove(context: Context, request: LinkRequest, current: LinkCurrent) -> None:
    replica = context.replica
    first = _stop(replica) if current.channel and not current.channel.stopped else _only(replica)
    second = _only(replica)
    if first is None or second is None or first.applied != second.applied:
        raise Refused(
            "the applied position still moves after the stop",
            server=replica.label,
            step="read the applied position",
            hint="run again",
        )
    if second.applied or second.by_gtid:
        # What never connected has applied nothing: its own start stays recorded.
        start = Start(second.applied, replica.gtid_position(), origin="status")
        record = current.record("link")
        if second.never_connected and record and record.get("start"):
            start = Start.from_result(record["start"]) or start
        _write(context, request, current, "removed", start, "gtid" if second.by_gtid else "position")
    _procedures.call(replica.connection, replica.procedures, _procedures.REMOVE)


def _record_link(context: Context, request: LinkRequest, current: LinkCurrent, channel: Channel | None, phase: str) -> None:
    if channel is None:
        return
    start = Start(channel.applied, context.replica.gtid_position(), origin="status")
    record = current.record("link")
    if record and record.get("start"):
        start = Start.from_result(record["start"]) or start
    _write(context, request, current, phase, start, "gtid" if channel.by_gtid else "position")


def _write(context: Context, request: LinkRequest, current: LinkCurrent, phase: str, start: Start, method: str) -> None:
    """Write the row about the link, where a row may be written now."""
    replica, source, desired = context.replica, context.source, request.desired
    records = Records(replica)
    channel = _only(replica)
    if records.refusal(1 if channel else 0):
        context.warnings.append(f"nothing was recorded about the link: {records.refusal(1)}")
        return
    seed = current.records.get("seed") or {}
    made_by_us = phase == "intended" or (current.record("link") or {}).get("phase") == "intended" or current.channel is None
    records.write(
        "link",
        {
            "phase": phase,
            "identities": identities(source.identity, replica.identity),
            "seed": seed.get("id") if belongs(seed, source.identity, replica.identity) else None,
            "method": method,
            "start": start.to_result(),
            "applied": replica.gtid_position() if replica.is_mariadb else None,
            "arguments": {
                "host": desired.host,
                "port": desired.port,
                "user": desired.user,
                "tls": bool(desired.ca),
                # Of a link made by other hands nobody knows the CA.
                "ca_fingerprint": desired.ca_fingerprint if made_by_us else None,
            },
            "at": datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat(),
        },
    )


def link_work(plan: LinkPlan) -> bool:
    """Tell whether anything is to be done or watched."""
    return plan.changed or plan.observe


def _run(context: Context) -> dict[str, t.Any]:
    request = request_from(context.parameters)
    wait_free(context.replica.connection, LINK_LOCK)
    current = read_link(context, request)
    plan = plan_link(current, request.desired)
    channel = current.channel
    if plan.refusal is None and link_work(plan) and not context.check_mode:
        with lock(context.replica.connection, LINK_LOCK):
            # What was read before the lock was ours may have changed since.
            current = read_link(context, request)
            plan = plan_link(current, request.desired)
            if plan.refusal is None and link_work(plan):
                channel = apply_link(context, request, plan, current)
    if plan.refusal:
        raise Refused(
            plan.refusal,
            server=context.replica.label,
            step="decide about the link",
            hint=plan.hint,
            details={"row": plan.row, "link": link_result(current.channel)},
        )
    return {
        "changed": plan.changed,
        "row": plan.row,
        "link": link_result(channel),
        "actions": plan.actions(),
        "findings": [finding.to_result() for finding in plan.findings],
        "diff": {"before": plan.before, "after": plan.after},
    }


CAPABILITY = Capability(
    name="replica_link",
    options={
        **LINK_OPTIONS,
        "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
        "wait_timeout": {"type": "int", "default": 120},
    },
    run=_run,
)
