# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What the inventory wants of a link, and what the control plane has to do for it."""

from __future__ import annotations

import hashlib
import re
import shlex
import typing as t

from ._connection import pem_certificates, pem_text
from ._coordinates import COORDINATES_OPTION, explicit_start
from ._errors import InputError
from ._link_model import LinkDesired, LinkPlan, LinkRequest, Skip
from ._model import Coordinates
from ._run import SOURCE_OPTION
from ._services import SERVICES

LINK_OPTIONS: dict[str, t.Any] = {
    "source": SOURCE_OPTION,
    "service": {"type": "str", "required": True, "choices": list(SERVICES)},
    "method": {"type": "str", "choices": ["auto", "position", "gtid"], "default": "auto"},
    "replication_user": {"type": "str", "required": True},
    "replication_password": {"type": "str", "required": True, "no_log": True},
    "link_host": {"type": "str", "required": True},
    "link_port": {"type": "int", "default": 3306},
    "link_ca": {"type": "str", "default": ""},
    "coordinates": COORDINATES_OPTION,
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
        explicit=explicit_start(parameters.get("coordinates"), service.flavour),
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
