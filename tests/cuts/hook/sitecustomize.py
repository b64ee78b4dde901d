# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts every statement that PyMySQL sends, in every process of a run, and cuts the run at one of them.

Python loads this file by itself where its folder is on PYTHONPATH. It does nothing where DATAIN_CUT_DIR is not set.
In that folder: ``cut.json`` says where to cut, ``journal`` gets a line for each statement.

  before  this process dies before the statement is sent
  after   this process dies when it is sent, with the answer not waited for
  lost    the server has answered; the answer is not read, and the connection is gone
  group   like after, and ansible-playbook with all its workers dies too
"""

from __future__ import annotations

import fcntl
import importlib.abc
import importlib.util
import io
import json
import os
import select
import signal
import socket
import sys

PATIENCE = 30


class Journal:
    """What was sent so far, by all processes of the run: one file, one lock."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def note(self, side: str, words: str, user: str) -> str | None:
        """Enter a statement, and return how to cut here, or None."""
        with open(os.path.join(self.folder, "journal"), "a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.seek(0)
            seen = sum(1 for line in stream if (entry := json.loads(line))["side"] == side and entry["words"] == words)
            cut = self._cut(side, words, seen + 1)
            entry = {"side": side, "words": words, "count": seen + 1, "user": user, "cut": cut}
            stream.write(json.dumps(entry).encode() + b"\n")
        return cut

    def _cut(self, side: str, words: str, count: int) -> str | None:
        try:
            with open(os.path.join(self.folder, "cut.json")) as stream:
                cut = json.load(stream)
        except FileNotFoundError:
            return None
        return cut["mode"] if [side, words, count] == cut["at"] else None


def _die(everybody: bool) -> None:
    if everybody:
        # Workers are sessions of their own since core 2.19: the group of ansible-playbook is not theirs.
        os.killpg(int(os.environ["DATAIN_CUT_GROUP"]), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _lose(connection) -> None:
    """Wait for the answer without reading it, then end the connection below the driver, which says 2013 by itself."""
    select.select([connection._sock], [], [], PATIENCE)
    with socket.socket(fileno=os.dup(connection._sock.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
    connection._rfile = io.BytesIO(b"")


def hook(connections) -> None:
    """Wrap the one function through which every command of the driver goes."""
    from cut_words import words

    inner = connections.Connection._execute_command
    command_query, command_init = 3, 2

    def outer(self, command, sql):
        folder = os.environ.get("DATAIN_CUT_DIR")
        if not folder or command not in (command_query, command_init):
            return inner(self, command, sql)
        user = self.user.decode("utf-8", "replace") if isinstance(self.user, bytes) else str(self.user)
        cut = Journal(folder).note(str(self.port), words(sql), user)
        if cut == "before":
            _die(False)
        result = inner(self, command, sql)
        if cut in ("after", "group"):
            _die(cut == "group")
        elif cut == "lost":
            _lose(self)
        return result

    connections.Connection._execute_command = outer


class Finder(importlib.abc.MetaPathFinder):
    """Waits until somebody imports the driver."""

    def find_spec(self, name, path=None, target=None):
        if name != "pymysql.connections":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            hook(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
