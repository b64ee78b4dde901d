# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another port behind which a server is, and which can be shut, or held so that nobody notices."""

from __future__ import annotations

import contextlib
import socket
import threading


class Door:
    """Passes on what it gets, both ways, while it is open.

    :ivar port: stays the same when it is opened again
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self.port = 0
        self._flows = threading.Event()
        self._flows.set()
        self.open()

    def open(self) -> None:
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener, self._ends), daemon=True).start()

    def _accept(self, listener: socket.socket, ends: list[socket.socket]) -> None:
        with contextlib.suppress(OSError):
            while True:
                here = listener.accept()[0]
                there = socket.create_connection(("127.0.0.1", self._behind))
                ends += here, there
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def shut(self) -> None:
        """Let nobody in any more, and end what goes on."""
        for end in (self._listener, *self._ends):
            _end(end)
        self._listener.close()

    def hold(self) -> None:
        """Pass on nothing more, and end nothing."""
        self._flows.clear()

    def let_go(self) -> None:
        self._flows.set()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                self._flows.wait()
                other.sendall(data)
        for end in (one, other):
            _end(end)


def _end(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
