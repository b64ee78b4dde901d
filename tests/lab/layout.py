# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""Where the lab keeps things, and the few words it says while it works."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import sys
import tempfile
import time


class LabError(Exception):
    """Something the person at the keyboard has to know; printed as one line."""


NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")


def say(text):
    print("lab: %s" % text, file=sys.stderr, flush=True)


def _home(variable, default):
    base = os.environ.get(variable) or os.path.join(os.path.expanduser("~"), *default)
    return pathlib.Path(base) / "datain-lab"


def state_dir():
    own = os.environ.get("DATAIN_LAB_DIR")
    path = pathlib.Path(own) if own else _home("XDG_STATE_HOME", (".local", "state"))
    return private(path.absolute())


def cache_dir():
    own = os.environ.get("DATAIN_LAB_CACHE")
    path = pathlib.Path(own) if own else _home("XDG_CACHE_HOME", (".cache",))
    path = path.absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def private(path):
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def lab_id():
    """Tells the labs of one machine apart (container names, sockets, networks)."""
    return hashlib.sha256(str(state_dir()).encode()).hexdigest()[:8]


def servers_dir():
    return private(state_dir() / "servers")


def server_dir(name):
    return servers_dir() / name


def check_name(name):
    if not NAME.match(name):
        raise LabError("%r is no name for a server: small letters, digits and hyphens, at most 40" % name)


def socket_path(name):
    """A unix socket's path may have 107 characters; long state folders get a short place instead."""
    path = server_dir(name) / "s.sock"
    if len(str(path)) <= 100:
        return path
    short = pathlib.Path(tempfile.gettempdir())
    if len(str(short)) > 40:
        short = pathlib.Path("/tmp")
    return private(short / ("datain-%d-%s" % (os.getuid(), lab_id()))) / ("%s.sock" % name)


def write_private(path, text):
    # A name of its own: two commands that start at the same time write the same file.
    fd, fresh = tempfile.mkstemp(prefix=".", dir=pathlib.Path(path).parent)
    with os.fdopen(fd, "w") as handle:
        handle.write(text)
    os.rename(fresh, path)


def save(state):
    write_private(server_dir(state["name"]) / "server.json", json.dumps(state, indent=1) + "\n")


def load(name):
    check_name(name)
    try:
        return json.loads((server_dir(name) / "server.json").read_text())
    except FileNotFoundError:
        raise LabError("no server called %s; there are: %s" % (name, ", ".join(names()) or "none")) from None


def states():
    """Every server's state; one that is taken down meanwhile is left out."""
    for name in names():
        with contextlib.suppress(LabError):
            yield load(name)


def names():
    return sorted(path.parent.name for path in servers_dir().glob("*/server.json"))


@contextlib.contextmanager
def lock(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def wait_for(check, seconds, pause=0.02):
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            return None
        time.sleep(pause)
