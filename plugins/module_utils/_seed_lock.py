# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Ends a dump's wait for the source's tables before everybody who writes there has waited for long.

A dump takes a lock of all tables at its start. It waits for every statement that runs, and all writes wait behind it. The clients
have no time limit for that, and one that is killed leaves its wait on the server. What the server does not take back is its wish
to close the tables that a running statement uses: until that has ended, others wait for these, and only for these.
"""

from __future__ import annotations

import os
import re
import time
import typing as t

from ._dump_stream import DumpFilter
from ._errors import StatementError, Timeout
from ._server import Server
from ._sql import without_values

# Seconds: a writer's own patience with a lock (innodb_lock_wait_timeout) is 50 by default, and most programs have not much more.
PATIENCE = 30.0
LOOK_EVERY = 1.0

_FEW = 3  # statements that a message names
_NO_SUCH_THREAD = 1094

# Everybody may read the attributes of the account's own sessions; the client's process is among them.
_RUNNING = (
    "SELECT p.ID AS id, p.USER AS user, p.TIME AS seconds, COALESCE(p.STATE, '') AS state, COALESCE(p.INFO, '') AS statement, a.ATTR_VALUE AS process"
    " FROM information_schema.PROCESSLIST AS p LEFT JOIN performance_schema.session_account_connect_attrs AS a"
    " ON a.PROCESSLIST_ID = p.ID AND a.ATTR_NAME = '_pid'"
    " WHERE p.COMMAND IN ('Query', 'Execute') AND p.ID <> CONNECTION_ID() ORDER BY p.TIME DESC, p.ID"
)

_STILL = "; whatever else uses its tables goes on waiting until it has ended"

Row = dict[str, t.Any]


def _belongs(process: t.Any, group: int) -> bool:
    """Tell whether a session's process is one of a client's on this machine: what is installed as a client may be a script."""
    try:
        return os.getpgid(int(process)) == group
    except (TypeError, ValueError, OSError):
        return False


def _waits_for_lock(row: Row) -> bool:
    return bool(re.match(r"\s*FLUSH\b", row["statement"], re.I))


def blockers(rows: t.Sequence[Row], waiting: Row) -> list[Row]:
    """Return the statements that a waiting one may wait for: those that began before it, and do not wait themselves."""
    return [
        row for row in rows if row["id"] != waiting["id"] and int(row["seconds"]) >= int(waiting["seconds"]) and not row["state"].startswith("Waiting for ")
    ]


def gave_up(source: Server, rows: t.Sequence[Row], waiting: Row) -> Timeout:
    """Return what a run says whose dump got no lock."""
    found = blockers(rows, waiting)[:_FEW]
    named = "; ".join(f"session {row['id']} of {row['user']}, for {row['seconds']} s: {without_values(row['statement']) or 'no text'}" for row in found)
    seen = f"what runs is {named}" if found else "no statement that runs so long is to be seen: a session may hold LOCK TABLES"
    ends = " ".join(f"KILL {row['id']};" for row in found) or "SHOW FULL PROCESSLIST; KILL <id>;"
    return Timeout(
        f"the dump's lock was not to be had in {PATIENCE:.0f} s ({waiting['state'] or 'it waited'}), and writers wait behind it, so its wait was ended;"
        f" {seen}{_STILL if found else ''}",
        server=source.label,
        step="lock the tables for the snapshot",
        hint=f"wait until that has ended, or end it on the source ({ends}), then run again",
    )


class LockWatch:
    """Looks at the source while the dump has not said yet where it is: after that it holds no lock.

    :param group: the process group of the dump client
    """

    def __init__(self, source: Server, group: int, dump: DumpFilter) -> None:
        self._source, self._group, self._dump = source, group, dump
        self._due = time.monotonic() + PATIENCE

    def beat(self) -> None:
        """End the dump's session if it still waits for the lock.

        :raises Timeout: it did
        """
        # MariaDB's client reads position and snapshot as one, without a lock.
        if self._source.is_mariadb or self._dump.coordinates is not None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LOOK_EVERY
        try:
            rows = self._source.connection.rows(_RUNNING, step="look what the dump waits for")
        except StatementError:
            return  # not for this login to read: no reason to end a copy that may be well
        waiting = next((row for row in rows if _waits_for_lock(row) and _belongs(row["process"], self._group)), None)
        if waiting is None:
            return
        try:
            self._source.connection.execute(f"KILL {int(waiting['id'])}", step="end the dump's wait for its lock")
        except StatementError as error:
            if error.code == _NO_SUCH_THREAD:
                return  # it has ended by itself, and its exit code says how
            raise
        raise gave_up(self._source, rows, waiting)
