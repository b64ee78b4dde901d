# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The link is ``started``, ``stopped`` or ``absent``, to this source."""

from __future__ import annotations

import hashlib
import re
import shlex
import typing as t

from ._connection import pem_certificates, pem_text
from ._errors import DatainError, InputError, Refused
from ._link import plan_link
from ._link_apply import apply_link
from ._link_model import LinkDesired, LinkPlan, LinkRequest, Skip
from ._link_read import read_link
from ._link_skip_apply import apply_skip
from ._model import Coordinates, Start, Step
from ._probe import SWEEP, sweep
from ._replica_info import link_result
from ._run import SOURCE_OPTION, Capability, Context
from ._services import SERVICES
from ._state import LINK_LOCK, lock, wait_free

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
    "relink": {"type": "bool", "default": False},
    "retarget": {"type": "bool", "default": False},
    "skip": {
        "type": "list",
        "elements": "dict",
        "options": {
            "error": {"type": "int", "required": True},
            "reason": {"type": "str", "required": True},
            "position": {"type": "str"},
            "gtid": {"type": "str"},
        },
    },
    "azure_resource_group": {"type": "str"},
    "azure_server_name": {"type": "str"},
}


# MySQL's, with or without a tag, and MariaDB's: never a range or a set.
_ONE_GTID = re.compile(r"[0-9a-fA-F-]{36}:(?:\w+:)?\d+|\d+-\d+-\d+")
BACKUPS = "it invalidates all existing backups of that server"


def fingerprint(ca: str) -> str | None:
    """Return the SHA-256 of a PEM's certificates, whatever their order and form; None for an empty PEM."""
    certificates = sorted(pem_certificates(ca, "link_ca"))
    return hashlib.sha256(b"".join(certificates)).hexdigest() if certificates else None


def request_from(parameters: dict[str, t.Any]) -> LinkRequest:
    """Turn options into what is wanted.

    :raises InputError: the certificate or the coordinates are none
    """
    ca = pem_text(parameters["link_ca"] or "", "link_ca")
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
        relink=parameters["relink"],
        retarget=parameters["retarget"],
        skips=tuple(_skip(entry) for entry in parameters.get("skip") or ()),
        gtid_reset=f"{shlex.join(reset_command(parameters, '{gtid}'))} ({BACKUPS}), then run the playbook again"
        if service.control_plane_gtid
        else "restore a dump that sets gtid_purged to {gtid}",
    )
    return LinkRequest(desired, parameters["replication_password"], parameters.get("wait_timeout") or 120)


def reset_command(parameters: dict[str, t.Any], gtid: str) -> list[str]:
    """Return the command that gives a managed server the GTIDs of its seed, as words."""
    return [
        *SERVICES[parameters["service"]].cli.split(),
        *("gtid", "reset"),
        *("--resource-group", parameters.get("azure_resource_group") or "<resource group>"),
        *("--server-name", parameters.get("azure_server_name") or "<server name>"),
        *("--gtid-set", gtid),
        "--yes",
    ]


def alignment(plan: LinkPlan, parameters: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Return what the control plane has to do before the link can be made, or None where that is nothing."""
    if not plan.align or not SERVICES[parameters["service"]].control_plane_gtid:
        return None
    command = reset_command(parameters, plan.align)
    return {"gtid_set": plan.align, "command": command, "message": f"{shlex.join(command)} ({BACKUPS})"}


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


def _skip(entry: dict[str, t.Any]) -> Skip:
    """Return an event that is to be left out.

    :raises InputError: it is not named by one position or one GTID, or nobody says why
    """
    position, gtid = entry.get("position") or "", entry.get("gtid") or ""
    hint = "write it as status shows it: {position: FILE:POSITION or gtid: GTID, error: NUMBER, reason: TEXT}"
    if bool(position) == bool(gtid) or not entry["reason"].strip():
        raise InputError("an entry of skip needs a position or a gtid, one of them, and a reason", hint=hint)
    if gtid and not _ONE_GTID.fullmatch(gtid):
        raise InputError(f"{gtid!r} is not one GTID", hint=hint)
    try:
        file, number = position.rpartition(":")[::2]
        place = Coordinates(file, int(number)) if position else None
    except ValueError as error:
        raise InputError(f"{position!r} is no position: {error}", hint=hint) from error
    return Skip(entry["error"], entry["reason"], place, gtid.lower() or None)


def link_work(plan: LinkPlan) -> bool:
    """Tell whether anything is to be done or watched."""
    return plan.changed or plan.observe


def _run(context: Context) -> dict[str, t.Any]:
    request = request_from(context.parameters)
    wait_free(context.replica.connection, LINK_LOCK)
    current = read_link(context, request)
    plan = plan_link(current, request.desired)
    channel = current.channel
    skipped: tuple[Step, ...] = ()
    # Not the table's matter: to that, what a check of the network has left does not exist.
    swept = (SWEEP,) if current.remains else ()
    if (swept or (plan.refusal is None and link_work(plan))) and not context.check_mode:
        with lock(context.replica.connection, LINK_LOCK):
            if swept:
                sweep(context.replica)
            # What was read before the lock was ours may have changed since.
            current = read_link(context, request)
            plan = plan_link(current, request.desired)
            try:
                while plan.skip:
                    # Each is passed before what comes after it can be judged.
                    apply_skip(context, request, plan, current)
                    skipped += plan.steps
                    current = read_link(context, request)
                    plan = plan_link(current, request.desired)
                channel = current.channel
                if plan.refusal is None and link_work(plan):
                    channel = apply_link(context, request, plan, current)
            except DatainError as error:
                error.details.setdefault("row", plan.row)
                raise
    if plan.refusal:
        first = alignment(plan, context.parameters)
        raise Refused(
            plan.refusal,
            server=context.replica.label,
            step="decide about the link",
            hint=plan.hint,
            details={
                "row": plan.row,
                "link": link_result(current.channel),
                # What was done before it came to this stays done.
                **({"actions": [step.to_result() for step in skipped]} if skipped else {}),
                **({"control_plane": first} if first else {}),
            },
        )
    return {
        "changed": plan.changed or bool(swept or skipped),
        "row": plan.row,
        "link": link_result(channel),
        "actions": [*(step.to_result() for step in (*swept, *skipped)), *plan.actions()],
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
