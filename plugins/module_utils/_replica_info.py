# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The state of a link in our own words."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ._advice import explained
from ._model import Channel
from ._run import Capability, Context
from ._server import Server
from ._state import KINDS, Records


def link_result(channel: Channel | None) -> dict[str, t.Any]:
    """Return a link in our own keys, the same from every module; no channel is the state ``absent``."""
    empty = Channel("", "", 0, "", 0, None, "stopped", "stopped", None, None, "", 0, None, None, None, False, False, None, None, None)
    result = (channel or empty).to_result()
    if channel is None:
        result.update(dict.fromkeys(result), state="absent")
    else:
        result.update(receiver_error=explained(channel.receiver_error, channel), applier_error=explained(channel.applier_error, channel))
    return result


def replica_result(replica: Server) -> dict[str, t.Any]:
    """Return the replica, its link and what is recorded beside its data."""
    channels = replica.channels()
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


def _run(context: Context) -> dict[str, t.Any]:
    return {"changed": False, "replica": replica_result(context.replica)}


CAPABILITY = Capability(name="replica_info", options={}, run=_run)
