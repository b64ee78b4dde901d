# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""What a server needs to encrypt its files: a keyring, which is a file in its own data folder."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile

import catalogue
from layout import LabError


def check(server):
    """:raises LabError: this build has no keyring"""
    if "keyring" not in catalogue.SERVERS[server]:
        having = sorted(name for name, entry in catalogue.SERVERS.items() if "keyring" in entry)
        raise LabError("%s has no keyring; there is one in: %s" % (server, ", ".join(having)))


def give(entry, tree, data, inside):
    """Let one server load its build's keyring when it starts.

    A server reads which one to load beside its program, and how beside the library, where all servers of the build read it.
    So both places say only that each is to look into its own data folder: one that has nothing there starts as ever.

    :param data: the data folder here
    :param inside: where the server itself has it
    """
    name, program = entry["keyring"], tree / entry["daemon"]
    _write(program.with_name(program.name + ".my"), {"read_local_manifest": True})
    _write(tree / entry["basedir"] / entry["plugins"] / ("%s.cnf" % name), {"read_local_config": True})
    _write(data / (program.name + ".my"), {"components": "file://%s" % name})
    # Where the server is started by root, it would be root's: it is opened before that changes.
    (data / "keyring").touch(mode=0o600)
    _write(data / ("%s.cnf" % name), {"path": str(pathlib.PurePosixPath(inside) / "keyring"), "read_only": False})


def _write(path, document):
    if path.exists():
        return
    # As a whole, since another server of the build may be starting.
    fd, fresh = tempfile.mkstemp(prefix=".", dir=path.parent)
    with os.fdopen(fd, "w") as handle:
        json.dump(document, handle)
        os.fchmod(fd, 0o644)
    os.rename(fresh, path)
