# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What workers share: who asks, who finds an answer, and when each has to ask for itself."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _connection
from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import ConnectError, ConnectionLost, StatementError
from ansible_collections.datain.azure_mysql.plugins.plugin_utils import _sharing
from ansible_collections.datain.azure_mysql.plugins.plugin_utils._sharing import Board, SharedConnection

KEY, OTHER = b"k" * 32, b"o" * 32
LOGIN = Login("source", "db.example.com", "admin", "secret")


@pytest.fixture
def asked(monkeypatch):
    """What is asked of the server, by whichever session."""
    found = []

    class Driver:
        def close(self):
            found.append("closed")

    def run(self, sql, parameters, step, patience):
        assert self._driver
        found.append(sql)
        if sql == "refused":
            raise StatementError("no", code=1142)
        if sql == "dies":
            self.lost = ConnectionLost("gone")
            raise self.lost
        return [[{"value": len(found)}]]

    monkeypatch.setattr(_connection.Connection, "_open", lambda self, login: Driver())
    monkeypatch.setattr(_connection.Connection, "_run", run)
    return found


@pytest.fixture
def board():
    return Board(2**16)


def test_a_board_has_what_was_written_last(board):
    assert board.find(KEY) is None
    board.write(KEY, b"one")
    board.write(OTHER, b"two")
    board.write(KEY, b"three")
    assert (board.find(KEY), board.find(OTHER)) == (b"three", b"two")


def test_what_was_read_too_long_ago_does_not_count(board, monkeypatch):
    board.write(KEY, b"one")
    monkeypatch.setattr(_sharing, "FRESH", 0.0)
    assert board.find(KEY) is None


def test_what_has_no_room_is_not_written(board):
    board.write(KEY, b"one")
    board.write(KEY, b"x" * 2**16)
    assert board.find(KEY) == b"one"


def test_a_forked_worker_writes_for_the_others(board):
    worker = multiprocessing.get_context("fork").Process(target=board.write, args=(KEY, b"from a worker"))
    worker.start()
    worker.join()
    assert board.find(KEY) == b"from a worker"


def test_nobody_waits_for_ever_for_one_that_never_ends(board, monkeypatch):
    board.turn(KEY)
    monkeypatch.setattr(_sharing, "READING", 0.2)
    began = time.monotonic()
    leave = board.turn(KEY)
    assert 0.2 <= time.monotonic() - began < 5
    leave()


def test_the_second_worker_asks_nothing(asked, board):
    first = SharedConnection(LOGIN, board, "task")
    assert first.rows("version", step="read") == [{"value": 1}] and not first.shares
    assert first.value("clock", (1,), step="read") == 2
    first.close()
    second = SharedConnection(LOGIN, board, "task")
    assert second.shares and second.rows("version", step="read") == [{"value": 1}]
    assert second.value("clock", (1,), step="read") == 2 and second.tls is None and second.certificate_names == ()
    second.close()
    assert asked == ["version", "clock", "closed"]


def test_a_worker_asks_again_what_it_has_asked_itself(asked, board):
    session = SharedConnection(LOGIN, board, "task")
    assert [session.value("clock", step="read") for _time in range(2)] == [1, 2]


def test_what_nobody_knows_yet_is_asked_and_added(asked, board):
    for questions in (["version"], ["version", "more"], ["version", "more"]):
        session = SharedConnection(LOGIN, board, "task")
        for question in questions:
            session.rows(question, step="read")
        session.close()
    assert asked == ["version", "closed", "more", "closed"]


@pytest.mark.parametrize(
    "login, task",
    [(LOGIN, "another task"), (Login("source", "db.example.com", "admin", "changed"), "task"), (Login("source", "db2.example.com", "admin", "secret"), "task")],
)
def test_another_task_or_login_knows_nothing(asked, board, login, task):
    session = SharedConnection(LOGIN, board, "task")
    session.rows("version", step="read")
    session.close()
    assert not SharedConnection(login, board, task).shares


def test_another_run_knows_nothing(asked, board, monkeypatch):
    session = SharedConnection(LOGIN, board, "task")
    session.rows("version", step="read")
    session.close()
    monkeypatch.setattr(_sharing.os, "getppid", lambda: 1)
    assert not SharedConnection(LOGIN, board, "task").shares


def test_what_changes_something_is_always_sent(asked, board):
    for _worker in range(2):
        session = SharedConnection(LOGIN, board, "task")
        session.rows("version", step="read")
        session.execute("change", step="change")
        session.close()
    assert asked == ["version", "change", "closed", "change", "closed"]


def test_no_refusal_is_kept(asked, board):
    for _worker in range(2):
        session = SharedConnection(LOGIN, board, "task")
        session.rows("version", step="read")
        with pytest.raises(StatementError):
            session.rows("refused", step="read")
        session.close()
    assert asked.count("refused") == 2


def test_nothing_is_kept_of_a_session_that_died(asked, board):
    session = SharedConnection(LOGIN, board, "task")
    session.rows("version", step="read")
    with pytest.raises(ConnectionLost):
        session.rows("dies", step="read")
    session.close()
    assert not SharedConnection(LOGIN, board, "task").shares


def test_a_login_that_fails_later_counts_as_lost(asked, board, monkeypatch):
    session = SharedConnection(LOGIN, board, "task")
    session.rows("version", step="read")
    session.close()

    def refuse(self, login):
        raise ConnectError("no")

    monkeypatch.setattr(_connection.Connection, "_open", refuse)
    second = SharedConnection(LOGIN, board, "task")
    assert second.rows("version", step="read")
    with pytest.raises(ConnectError):
        second.rows("more", step="read")
    assert isinstance(second.lost, ConnectError)
    second.close()


def test_a_session_without_a_question_leaves_the_next_one_in(asked, board):
    SharedConnection(LOGIN, board, "task").close()
    began = time.monotonic()
    SharedConnection(LOGIN, board, "task").close()
    assert time.monotonic() - began < 1 and not asked
