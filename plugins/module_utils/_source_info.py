# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What a source is and where its log ends."""

from __future__ import annotations

import typing as t

from ._run import Capability, Context
from ._server import Server


def source_result(source: Server) -> dict[str, t.Any]:
    """Return the source in our own keys; every key is always there."""
    end, gtid = source.binlog_end()
    if source.is_mariadb:
        gtid = source.variables.get("gtid_binlog_pos") or None
    return {
        "flavour": source.flavour,
        "version": source.variables.get("version"),
        "identity": source.identity.to_result(),
        "coordinates": {**(end.to_result() if end else {"file": None, "position": None}), "gtid": gtid},
        "binlog_files": [{"name": name, "size": size} for name, size in source.binlog_files().items()],
        "schemas": list(source.schemas),
        "replicas": source.attached_replicas(),
        "tls": source.connection.tls,
    }


def _run(context: Context) -> dict[str, t.Any]:
    return {"changed": False, "source": source_result(context.source)}


CAPABILITY = Capability(name="source_info", options={}, run=_run, side="source")
