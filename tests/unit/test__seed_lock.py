# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a dump's wait for its lock is ended, and what is said of it. No server is asked."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _seed_lock
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import StatementError, Timeout
from ansible_collections.datain.azure_mysql.plugins.module_utils._seed_lock import LockWatch


def session(number, seconds, statement, state="executing", process=None):
    return {"id": number, "user": "app", "seconds": seconds, "state": state, "statement": statement, "process": process}


OURS = session(9, 31, "FLUSH TABLES WITH READ LOCK", "Waiting for table flush", str(os.getpid()))
SLOW = session(4, 90, "SELECT 'kanari', SLEEP(99)\n FROM t1")
VICTIM = session(11, 31, "INSERT INTO t1 VALUES (5)", "Waiting for global read lock")


class Source:
    """A server whose process list is given, and that remembers what was ended."""

    label = "source host:3306"

    def __init__(self, *rows, is_mariadb=False, code=None):
        self.is_mariadb = is_mariadb
        self.connection = self
        self.seen, self.killed, self._rows, self._code = 0, [], list(rows), code

    def rows(self, sql, *, step):
        self.seen += 1
        return self._rows

    def execute(self, sql, *, step):
        self.killed.append(sql)
        if self._code:
            raise StatementError("no", code=self._code)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(_seed_lock, "PATIENCE", 0.0)


def watch(source, coordinates=None, group=None):
    LockWatch(source, group or os.getpgid(0), SimpleNamespace(coordinates=coordinates)).beat()


def test_the_wait_is_ended_and_what_it_waited_for_is_named():
    source = Source(SLOW, OURS, VICTIM, session(12, 2, "SELECT 1"))
    with pytest.raises(Timeout) as raised:
        watch(source)
    assert source.killed == ["KILL 9"]
    text = str(raised.value)
    assert "session 4 of app, for 90 s: SELECT ?, SLEEP(?) FROM t1" in text and "KILL 4;" in text
    assert "goes on waiting until it has ended" in text
    assert "kanari" not in text and "session 11" not in text and "session 12" not in text


def test_nothing_that_runs_is_to_be_seen():
    with pytest.raises(Timeout, match="LOCK TABLES"):
        watch(Source(OURS))


@pytest.mark.parametrize(
    "row",
    [
        {**OURS, "process": None},
        {**OURS, "process": "1"},
        {**OURS, "process": "not a number"},
        {**OURS, "process": "999999999"},
        {**OURS, "statement": "SELECT 1"},
    ],
    ids=["no attribute", "another process", "nonsense", "no process", "no lock"],
)
def test_a_session_that_is_not_the_waiting_dump_is_left_alone(row):
    source = Source(SLOW, row)
    watch(source)
    assert source.killed == []


def test_nobody_looks_once_the_place_is_known_or_before_it_is_time(monkeypatch):
    for source, place in ((Source(OURS), "a place"), (Source(OURS, is_mariadb=True), None)):
        watch(source, place)
        assert source.seen == 0
    monkeypatch.setattr(_seed_lock, "PATIENCE", 30.0)
    source = Source(OURS)
    watch(source)
    assert source.seen == 0


def test_a_dump_that_has_ended_meanwhile_says_itself_how():
    source = Source(SLOW, OURS, code=1094)
    watch(source)
    assert source.killed == ["KILL 9"]
    with pytest.raises(StatementError):
        watch(Source(SLOW, OURS, code=1095))


def test_what_may_not_be_read_ends_no_copy():
    def refuse(sql, *, step):
        raise StatementError("SELECT command denied", code=1142)

    source = Source(OURS)
    source.rows = refuse
    watch(source)
    assert source.killed == []
