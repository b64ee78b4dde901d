# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The state of a link in our own words."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from . import _rules_replica
from ._facts import Desired, Facts, Side
from ._link_result import link_result
from ._model import Channel, Finding, Identity
from ._rule import NOT_APPLICABLE, judge
from ._run import Capability, Context
from ._server import Server
from ._services import SERVICES
from ._state import KINDS, Records


def replica_result(replica: Server, channels: list[Channel]) -> dict[str, t.Any]:
    """Return the replica, its link and what is recorded beside its data."""
    if channels and replica.is_mariadb:
        # In its status MariaDB shows another position, with our own writes in it.
        channels = [replace(channels[0], gtid_executed=replica.gtid_position()), *channels[1:]]
    records = Records(replica).read()
    return {
        "flavour": replica.flavour,
        "version": replica.variables.get("version"),
        "identity": replica.identity.to_result(),
        "link": link_result(channels[0] if channels else None),
        "channels": [channel.to_result() for channel in channels],
        "procedures": replica.procedures.to_result(),
        "records": {kind: records.get(kind) for kind in KINDS},
        "tls": replica.connection.tls,
    }


_RECEIVED = next(rule for rule in _rules_replica.RULES if rule.id == _rules_replica.RECEIVED)


def _received(replica: Server, channels: list[Channel], source: dict[str, t.Any]) -> Finding:
    """Judge the link by the rule of the prerequisites, with what the source was like a moment before."""
    service = next(service for service in SERVICES.values() if service.flavour == replica.flavour)
    files = {file["name"]: file["size"] for file in source["binlog_files"]}
    here = Side("replica", variables={}, channels=tuple(channels))
    there = Side("source", variables={}, identity=Identity(**source["identity"]), binlog_files=files)
    return judge(_RECEIVED, Facts(there, here, Desired(service)))


def _run(context: Context) -> dict[str, t.Any]:
    replica, source = context.replica, context.parameters["source_seen"]
    channels = replica.channels()
    findings = [_received(replica, channels, source)] if source else []
    return {
        "changed": False,
        "replica": replica_result(replica, channels),
        "findings": [finding.to_result() for finding in findings if finding.status != NOT_APPLICABLE],
    }


CAPABILITY = Capability(
    name="replica_info",
    options={
        "source_seen": {
            "type": "dict",
            "options": {
                "identity": {
                    "type": "dict",
                    "required": True,
                    "options": {"server_id": {"type": "int", "required": True}, "server_uuid": {"type": "str"}},
                },
                "binlog_files": {
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "options": {"name": {"type": "str", "required": True}, "size": {"type": "int", "required": True}},
                },
            },
        }
    },
    run=_run,
)
