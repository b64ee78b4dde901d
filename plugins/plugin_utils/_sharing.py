# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What one worker has read on a source, for the workers that run the same task for its other replicas.

Workers are forked from the process that imports this, so they have this memory and these locks in common, and nobody else has
them: nothing is written to a file. Only answers to questions are kept, by task and login, for as long as it takes a fleet's
workers to come by; a worker that finds all its answers there opens no session. Where there is no room, or the one that reads
takes too long, each worker reads for itself.
"""

from __future__ import annotations

import hmac
import json
import mmap
import multiprocessing
import os
import secrets
import struct
import time
import typing as t
from dataclasses import astuple

from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Connection, Login, Row
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import ConnectError

# Bytes of address space: a page is taken when something is written there.
SIZE = 64 * 2**20
# Seconds for which an answer counts.
FRESH = 30.0
# Seconds to wait for the worker that reads, and for one that is writing down what it has read.
READING, WRITING = 10.0, 1.0
# Of those that read. More than there are cores, so that workers for different sources seldom wait for each other.
_LOCKS = 32
# As Ansible starts its workers, whatever Python would do by itself.
_FORK = multiprocessing.get_context("fork")

_END, _HEAD = struct.Struct("Q"), struct.Struct("32sdQ")


class Board:
    """Texts under keys of 32 bytes; of two under one key the later counts."""

    def __init__(self, size: int = SIZE) -> None:
        self._memory = mmap.mmap(-1, size)
        self._size = size
        self._writer = _FORK.Lock()
        self._readers = [_FORK.Lock() for _number in range(_LOCKS)]
        _END.pack_into(self._memory, 0, _END.size)

    def find(self, key: bytes) -> bytes | None:
        """Return what was written last under a key, if that was not too long ago."""
        found, place = None, _END.size
        (end,) = _END.unpack_from(self._memory, 0)
        while place < end:
            name, written, length = _HEAD.unpack_from(self._memory, place)
            place += _HEAD.size + length
            if name == key and time.monotonic() - written < FRESH:
                found = self._memory[place - length : place]
        return found

    def write(self, key: bytes, text: bytes) -> None:
        """Write a text down, if there is room."""
        if not self._writer.acquire(timeout=WRITING):
            return
        try:
            (end,) = _END.unpack_from(self._memory, 0)
            begin = end + _HEAD.size
            if begin + len(text) <= self._size:
                self._memory[begin : begin + len(text)] = text
                _HEAD.pack_into(self._memory, end, key, time.monotonic(), len(text))
                # Last of all, since others read up to here.
                _END.pack_into(self._memory, 0, begin + len(text))
        finally:
            self._writer.release()

    def turn(self, key: bytes) -> t.Callable[[], None]:
        """Wait for whoever reads what belongs to a key, but not for long. Return what lets the next one in."""
        lock = self._readers[key[0] % _LOCKS]
        return lock.release if lock.acquire(timeout=READING) else lambda: None


class SharedConnection(Connection):
    """A session that is opened by the first question to which no worker has had an answer yet.

    :param board: where workers find and leave answers
    :param task: the workers of one task share their answers, since nothing that a task's play has changed can be older
    """

    def __init__(self, login: Login, board: Board, task: str) -> None:
        super().__init__(login, later=True)
        self._board = board
        # A worker's parent is the run. Where that was forked too, by what runs one playbook after another, the next one has this memory as well.
        self._key = hmac.digest(_SECRET, repr((os.getppid(), task, astuple(login))).encode(), "sha256")
        self._leave = board.turn(self._key)
        found = board.find(self._key)
        if found:
            self._leave()
        self._known: dict[str, t.Any] = json.loads(found) if found else {"shown": {}, "answers": {}}
        self._asked: dict[str, list[Row]] = {}
        self.shares = found is not None

    def rows(self, sql: str, parameters: t.Sequence[t.Any] = (), *, step: str, patience: int | None = None) -> list[Row]:
        question = json.dumps((sql, *parameters))
        if question in self._known["answers"]:
            return t.cast("list[Row]", self._known["answers"][question])
        try:
            answer = self._asked[question] = super().rows(sql, parameters, step=step, patience=patience)
        except ConnectError as error:
            self.lost = error
            raise
        return answer

    @property
    def shown(self) -> Row:
        return super().shown if self._session else t.cast("Row", self._known["shown"])

    def close(self) -> None:
        try:
            if self._asked and not self.lost:
                learnt = {"shown": self.shown, "answers": {**self._known["answers"], **self._asked}}
                self._board.write(self._key, json.dumps(learnt).encode())
        finally:
            if not self.shares:
                self._leave()
            super().close()


_SECRET = secrets.token_bytes(32)
BOARD = Board()
