# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many writes a second, whose real rate is counted by the server that takes them."""

from __future__ import annotations

import subprocess
import threading
import time
import typing as t

# One table without a key, where a row twice is seen; one whose rows are changed again and again.
TABLES = ("w", "nokey", "counter")
DATA = (
    "CREATE TABLE shop.w (id INT AUTO_INCREMENT PRIMARY KEY, n INT); CREATE TABLE shop.nokey (n INT);"
    " CREATE TABLE shop.counter (id INT PRIMARY KEY, n INT);"
    + "".join(f" INSERT INTO shop.counter VALUES ({number}, 0);" for number in range(40))
)
CLIENTS, TICK, EACH = 4, 0.1, 25


class _Client:
    """One of those who write: the server's own client, which gets its statements in small heaps."""

    def __init__(self, source: t.Any, number: int) -> None:
        self._number, self._count = number, 0
        self._stop = threading.Event()
        self._process = subprocess.Popen(source.state["client"], stdin=subprocess.PIPE, text=True, env=source.environment)
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += TICK
            self._process.stdin.write("".join(self._statement() for _turn in range(EACH)))
            self._process.stdin.flush()

    def _statement(self) -> str:
        self._count += 1
        unique = self._number * 10_000_000 + self._count
        if self._count % 5 == 0:
            return f"UPDATE shop.counter SET n = n + 1 WHERE id = {unique % 40};\n"
        return f"INSERT INTO shop.{'w (n)' if self._count % 2 else 'nokey'} VALUES ({unique});\n"

    def end(self) -> int:
        """Write what is waiting, and return how the client has ended."""
        self._stop.set()
        self._thread.join()
        self._process.stdin.close()
        return self._process.wait()


class Load:
    """Writes to a server of the lab as long as a block lasts: a thousand times a second where the machine can.

    :ivar rate: writes a second while the block lasted, each a transaction of its own
    """

    def __init__(self, source: t.Any) -> None:
        self._source = source
        self.rate = 0.0

    def __enter__(self) -> Load:
        # Before, and not after, the first count: a client takes its time to start.
        self._clients = [_Client(self._source, number) for number in range(1, CLIENTS + 1)]
        time.sleep(0.5)
        self._began, self._before = time.monotonic(), self._written()
        return self

    def _written(self) -> int:
        rows = self._source.sql("SHOW GLOBAL STATUS WHERE variable_name IN ('Com_insert', 'Com_update')")
        return sum(int(row[1]) for row in rows)

    def __exit__(self, *why: object) -> None:
        try:
            self.rate = (self._written() - self._before) / (time.monotonic() - self._began)
        finally:
            ended = [client.end() for client in self._clients]
        if any(ended):
            raise RuntimeError(f"those who write have ended with {ended}")
