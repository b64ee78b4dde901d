# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Asks the replica itself whether it reaches the source: a link with an account that nobody has, made, watched and removed.

The account's name is all that is needed to know such a link again: it is in the status from the first moment to the last,
so a run that died half way leaves what every later run recognises (``Channel.probe``), and nothing is written elsewhere.
No source lets that account in, so no transaction is ever fetched, whatever the coordinates are.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
import time
import typing as t
from dataclasses import replace

from . import _procedures
from ._connection import Connection
from ._errors import ConnectError, ConnectionLost, DatainError, InputError, LockHeld, Refused, StatementError, Timeout
from ._facts import Answer, Reach, Unread
from ._model import PROBE_USER, Channel, Step
from ._run import Context
from ._server import Server
from ._state import LINK_LOCK, lock

# Seconds to wait for the receiver's first answer: where packets are dropped it says nothing for a minute.
PATIENCE = 20
# Seconds for a name to be resolved, a connection to stand, and the threads of a probe to stop.
RESOLVE = 5
CONNECT = 5
STOP = 90
POLL = 0.2
# A place in no log: were the account let in against all odds, the source would find nothing to send.
_NOWHERE = ("datain-probe.000001", 4)

SWEEP = Step("remove", "the channel that a check of the network has left", "it is no link, and never was")

PROBE_OPTIONS: dict[str, t.Any] = {"probe": {"type": "bool", "default": False}}


def look(context: Context, channels: t.Sequence[Channel] | Unread) -> Reach:
    """Return what the replica and this machine meet when they go to the source.

    :param channels: the replica's links; where one receives nobody needs to ask
    """
    if not isinstance(channels, Unread) and any(channel.receiver == "running" for channel in channels):
        return Reach()
    addresses = _resolve(context.parameters["link_host"])
    return Reach(_ask_replica(context, channels), _ask_from_here(context, addresses), addresses)


# The replica


def _ask_replica(context: Context, channels: t.Sequence[Channel] | Unread) -> Answer | Unread:
    if not context.parameters.get("probe"):
        return Unread("the replica was not asked", "let it try, with datain_probe: true")
    if context.check_mode:
        return Unread("the replica is not asked in check mode, since that writes to it")
    if isinstance(channels, Unread):
        return channels
    if channels:
        return Unread("the replica has a link already, which says whether it reaches its source")
    try:
        return probe(context)
    except (ConnectionLost, LockHeld, Refused, StatementError, Timeout, InputError) as error:
        return Unread(f"{error.step or 'ask the replica'}: {error.message}", error.hint)


def probe(context: Context) -> Answer:
    """Let the replica go to the source as nobody, and return what it was told.

    :raises LockHeld: another run is at work
    :raises Refused: there is a link, or no procedure with which one could be made without harm
    :raises ConnectionLost: what is left of the probe is removed by the next run
    """
    replica, options = context.replica, context.parameters
    procedures = replica.procedures
    name = _procedures.BY_POSITION
    if not procedures.usable(name):
        # MariaDB's other procedure would overwrite the position that the replica has applied.
        name = "" if replica.is_mariadb else _procedures.BY_GTID
    if not procedures.usable(name):
        raise Refused("there is no procedure to ask the replica with", server=replica.label, step="ask the replica")
    file, position = _NOWHERE
    arguments = _procedures.LinkArguments(
        host=options["link_host"],
        port=options["link_port"],
        user=PROBE_USER,
        password=secrets.token_urlsafe(15),
        ca=options["link_ca"],
        file=file,
        position=position,
    )
    with lock(replica.connection, LINK_LOCK):
        sweep(replica)
        if replica.channels():
            raise Refused("it was linked by somebody else meanwhile", server=replica.label, step="ask the replica")
        context.progress(f"asking the replica whether it reaches {arguments.host}:{arguments.port}")
        try:
            _procedures.call(replica.connection, procedures, name, arguments)
            _procedures.call(replica.connection, procedures, _procedures.START)
            return _first_answer(replica)
        finally:
            # Where the session is gone, the failure under way says more than this one could.
            if not replica.connection.lost:
                sweep(replica)


def _first_answer(replica: Server) -> Answer:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for channel in replica.remains():
            if channel.receiver_error:
                return Answer(channel.receiver_error.code, channel.receiver_error.message)
            if channel.receiver == "running":
                return Answer(0, "it was let in")
        time.sleep(POLL)
    return Answer(None, f"no answer within {PATIENCE} s")


def sweep(replica: Server) -> bool:
    """Remove what a probe has left, and tell whether there was anything; the caller holds the lock.

    :raises Refused: there are other channels, which the procedures would take along
    :raises Timeout: its threads do not stop
    """
    deadline = time.monotonic() + STOP
    found = False
    while True:
        remains = replica.remains()
        if not remains:
            return found
        found = True
        if replica.channels():
            raise Refused(
                f"besides links there is the channel of {PROBE_USER}, which a check of the network has left",
                server=replica.label,
                step="remove what a probe has left",
                hint="remove the other channels, whom the service's procedures would remove too",
            )
        if time.monotonic() > deadline:
            raise Timeout(f"it did not stop within {STOP} s", server=replica.label, step="remove what a probe has left", hint="run again")
        stopped = all(channel.stopped for channel in remains)
        _procedures.call(replica.connection, replica.procedures, _procedures.REMOVE if stopped else _procedures.STOP)
        if not stopped and not all(channel.stopped for channel in replica.remains()):
            time.sleep(POLL)


# This machine


def _resolve(host: str) -> tuple[t.Any, ...] | Unread:
    """Return the addresses that a name has here, in bounded time: the system's resolver knows no limit of ours."""
    found: list[t.Any] = []

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(dict.fromkeys(ipaddress.ip_address(entry[4][0].partition("%")[0]) for entry in entries))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(RESOLVE)
    return tuple(found) or Unread(f"the name {host} has no address here", "nothing, if the managed server's network knows it")


def _ask_from_here(context: Context, addresses: tuple[t.Any, ...] | Unread) -> Answer | Unread:
    """Go to the source as the replica would; a second opinion, since this machine stands in another network."""
    if isinstance(addresses, Unread):
        return Answer(2005, addresses.reason)
    options = context.parameters
    login = context.login("source")
    try:
        if (login.host, login.port) == (options["link_host"], options["link_port"]):
            # Where our own login is refused, that is an answer too.
            return Answer(0, f"our own session with {context.source.label} goes there")
        as_replica = replace(
            login,
            host=options["link_host"],
            port=options["link_port"],
            user=options["replication_user"],
            password=options["replication_password"],
            ca=options["link_ca"] or "",
            tls="verify_ca" if options["link_ca"] else "disabled",
            connect_timeout=min(CONNECT, login.connect_timeout),
            read_timeout=min(CONNECT, login.read_timeout),
        )
        Connection(as_replica).close()
    except ConnectError as error:
        return Answer(error.code or 2003, error.message)
    except DatainError as error:
        return Unread(error.message, error.hint)
    return Answer(0, "a login works")
