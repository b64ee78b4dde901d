# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands between a dump or load client and its server, sees every command through TLS, and cuts at one of them.

It holds the server's own certificate, so the client verifies what it would verify without it.

  before  worker and client die before the command is passed on
  after   the command is passed on, then the worker dies; the client lives on, as an orphan does
  lost    the server has answered; the client does not get it, and its connection is gone
  alone   only the client dies, before the command is passed on
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import ssl
import struct
import threading
from pathlib import Path

from cuts.hook.cut_words import words

QUIT, QUERY = 1, 3
CLIENT_SSL = 0x800
PATIENCE = 30


class Relay:
    """Listens for one kind of client, ``dump`` or ``load``.

    :ivar seen: (words, count) of every command so far, since ``begin``
    :ivar fired: whether the cut came to be
    """

    def __init__(self, side: str, port: int, tls: Path, who: Path) -> None:
        self.side, self._server_port, self._who = side, port, who
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server_tls.load_cert_chain(tls / "server-cert.pem", tls / "server-key.pem")
        self._client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client_tls.check_hostname = False
        self._client_tls.verify_mode = ssl.CERT_NONE
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.trouble: list[str] = []
        self.begin(None, "")
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, at: tuple[str, int] | None, mode: str) -> None:
        """Start to count anew, and cut where ``at`` says."""
        self._at, self._mode = at, mode
        self.fired = False
        self.seen: list[tuple[str, int]] = []

    def _accept(self) -> None:
        while True:
            client, _address = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server_port))
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pump(*self._handshake(client, server))
        except (OSError, EOFError, ConnectionError):
            pass  # one side is gone, and the other learns it now
        except Exception as error:
            self.trouble.append(repr(error))
            raise
        finally:
            for wire in (client, server):
                with contextlib.suppress(OSError):
                    wire.close()

    def _handshake(self, client: socket.socket, server: socket.socket) -> tuple[socket.socket, socket.socket]:
        client.sendall(_packet(server))
        answer = _packet(client)
        server.sendall(answer)
        if len(answer) == 36 and struct.unpack("<I", answer[4:8])[0] & CLIENT_SSL:
            # Nothing of the TLS handshake was read with the packet: it was read byte by byte.
            return self._server_tls.wrap_socket(client, server_side=True), self._client_tls.wrap_socket(server)
        return client, server

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        waiting = b""
        while True:
            for wire in _readable(client, server):
                data = _read(wire)
                if data is None:
                    continue
                if not data:
                    return
                if wire is server:
                    client.sendall(data)
                    continue
                waiting += data
                while len(waiting) >= 4 and len(waiting) >= (size := 4 + int.from_bytes(waiting[:3], "little")):
                    packet, waiting = waiting[:size], waiting[size:]
                    if not self._pass(packet, client, server):
                        return

    def _pass(self, packet: bytes, client: socket.socket, server: socket.socket) -> bool:
        """Pass one packet of the client on; return whether the connection goes on."""
        if packet[3] != 0 or packet[4] == QUIT:
            server.sendall(packet)
            return True
        name = _name(packet[4], packet[5:])
        count = sum(1 for other, _count in self.seen if other == name) + 1
        self.seen.append((name, count))
        cut = self._mode if (name, count) == self._at and not self.fired else ""
        self.fired = self.fired or bool(cut)
        if cut == "before":
            self._kill("worker", "client")
            return False
        if cut == "alone":
            self._kill("client")
            return False
        server.sendall(packet)
        if cut == "after":
            self._kill("worker")
        elif cut == "lost":
            select.select([server], [], [], PATIENCE)
            return False
        return True

    def _kill(self, *victims: str) -> None:
        pid, parent = (int(word) for word in self._who.read_text().split())
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(parent if victim == "worker" else pid, signal.SIGKILL)


def _name(command: int, rest: bytes) -> str:
    if command != QUERY:
        return f"command {command} {rest[:60].decode('utf-8', 'replace')}"
    # MySQL's clients announce query attributes: none, in one set.
    return words(rest[2:] if rest.startswith(b"\0\1") else rest)


def _packet(wire: socket.socket) -> bytes:
    head = _exactly(wire, 4)
    return head + _exactly(wire, int.from_bytes(head[:3], "little"))


def _exactly(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = wire.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _readable(*wires: socket.socket) -> list[socket.socket]:
    ready = [wire for wire in wires if isinstance(wire, ssl.SSLSocket) and wire.pending()]
    return ready or select.select(wires, [], [])[0]


def _read(wire: socket.socket) -> bytes | None:
    """Read what is there; None where that was TLS's own, such as a session ticket."""
    wire.setblocking(False)
    try:
        return wire.recv(1 << 16)
    except (ssl.SSLWantReadError, BlockingIOError):
        return None
    finally:
        wire.setblocking(True)
