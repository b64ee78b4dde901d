# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own client, kept open: the judge of what the playbook has done, and the customers of the shop."""

from __future__ import annotations

import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

Rows = list[list[str]]
MARK = "--- that was all ---"


class ClientError(Exception):
    """The server said no, or is gone."""


class Client:
    """One connection of a server's own client; statements go in by a pipe, so that nothing of them stands in its arguments."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [*command, "--batch", "--skip-column-names", "--unbuffered"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C at the terminal is not for it
        )

    def ask(self, statements: str) -> Rows:
        """Return the rows of all statements, which end with a semicolon (or another delimiter) themselves.

        :raises ClientError: a statement failed; the client has ended
        """
        assert self._process.stdin and self._process.stdout
        rows: Rows = []
        try:
            self._process.stdin.write(f"{statements}\nSELECT '{MARK}';\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise ClientError(self._said()) from None
        for line in self._process.stdout:
            fields = line.rstrip("\n").split("\t")
            if fields == [MARK]:
                return rows
            rows.append(fields)
        raise ClientError(self._said())

    def value(self, statement: str) -> str:
        """Return the first field of the first row."""
        rows = self.ask(statement)
        if not rows:
            raise ClientError(f"no row came back for: {statement}")
        return rows[0][0]

    def _said(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        return self._errors.read().strip() or f"the client ended with status {self._process.returncode}"

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe:
                    pipe.close()
            except BrokenPipeError:
                pass
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


class Customers:
    """Orders, one after the other, at a steady pace, until told to stop.

    :ivar placed: orders so far
    :ivar longest: the longest that one of them took, in seconds
    """

    def __init__(self, client: Client, a_second: float) -> None:
        self.placed = 0
        self.longest = 0.0
        self.error: str | None = None
        self._client = client
        self._pause = 1 / a_second
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        chance = random.Random(1)
        due = time.monotonic()
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._client.ask(f"CALL shop.place_order({chance.randint(1, 5000)}, {chance.randint(1, 500)});")
            except ClientError as error:
                self.error = None if self._stop.is_set() else str(error)
                return
            self.placed += 1
            self.longest = max(self.longest, time.monotonic() - began)
            # Who was held up does not hurry afterwards.
            due = max(due + self._pause, time.monotonic())
            self._stop.wait(due - time.monotonic())

    @property
    def rate(self) -> float:
        return self.placed / max(time.monotonic() - self._began, 0.001)

    def check(self) -> None:
        """:raises ClientError: an order was refused"""
        if self.error:
            raise ClientError(f"the shop could not take an order: {self.error}")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)


@contextmanager
def standing_still(client: Client) -> Iterator[tuple[str, str]]:
    """Let nobody write for a moment; yield the place in the log at which everything stands still."""
    client.ask("FLUSH TABLES WITH READ LOCK;")
    try:
        file, position = client.ask("SHOW MASTER STATUS;")[0][:2]
        yield file, position
    finally:
        client.ask("UNLOCK TABLES;")
