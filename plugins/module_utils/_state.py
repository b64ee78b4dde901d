# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What the servers forget: a few rows beside the data on the replica, and the two locks that keep two runs apart."""

from __future__ import annotations

import json
import time
import typing as t
from contextlib import contextmanager

from ._connection import Connection
from ._errors import ConnectionLost, LockHeld, Refused, StatementError
from ._model import Identity
from ._server import STATE_SCHEMA, Server

LINK_LOCK = "datain.link"
SOURCE_LOCK = "datain.source"
# Held by the session that loads, so that a loader that outlived its controller is seen. A lock of its own,
# in a session of its own: on MySQL 5.6 a second lock would release the first.
SEED_LOCK = "datain.seed"

# Seconds to wait for a lock: long enough for a call that outlives its client to end, short enough to answer a person.
LOCK_PATIENCE = 8

KINDS = ("seed", "link", "skip", "cutover")
_TABLE = f"{STATE_SCHEMA}.record"
_NOT_THERE = (1049, 1146)  # no such schema, no such table


def holder(connection: Connection, lock: str) -> dict[str, t.Any] | None:
    """Tell which session holds a lock, or None."""
    step = f"look who holds the lock {lock}"
    session = connection.value("SELECT IS_USED_LOCK(%s)", (lock,), step=step)
    if session is None:
        return None
    rows = connection.rows("SELECT USER AS user, HOST AS host, TIME AS seconds FROM information_schema.PROCESSLIST WHERE ID = %s", (session,), step=step)
    return {"id": session, **(rows[0] if rows else {"user": None, "host": None, "seconds": None})}


def _lock_held(connection: Connection, lock: str, found: dict[str, t.Any] | None) -> LockHeld:
    who = "another session"
    if found:
        who = f"session {found['id']}"
        if found.get("user"):
            who += f" of {found['user']} from {found['host']}"
    return LockHeld(
        f"another run is working on this server: {who} holds the lock {lock}",
        server=connection.login.label,
        step=f"take the lock {lock}",
        hint="wait until that run has ended and run again; nothing was changed by this one",
        details={"lock_holder": found},
    )


@contextmanager
def lock(connection: Connection, name: str) -> t.Iterator[None]:
    """Hold a lock through a block of changes. It goes away with the session, however that ends.

    :raises LockHeld: another session has it, and kept it for LOCK_PATIENCE seconds
    """
    got = connection.value("SELECT GET_LOCK(%s, %s)", (name, LOCK_PATIENCE), step=f"take the lock {name}")
    if got != 1:
        raise _lock_held(connection, name, holder(connection, name))
    try:
        yield
    finally:
        # When the connection is gone the lock is gone too, and the failure under way says more than this one could.
        try:
            connection.value("SELECT RELEASE_LOCK(%s)", (name,), step=f"release the lock {name}")
        except (StatementError, ConnectionLost):
            pass


def wait_free(connection: Connection, name: str) -> None:
    """Wait until nobody holds a lock: what is read while somebody does may change by itself a moment later.

    :raises LockHeld: somebody kept it for LOCK_PATIENCE seconds
    """
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        found = holder(connection, name)
        if found is None:
            return
        if time.monotonic() >= deadline:
            raise _lock_held(connection, name, found)
        time.sleep(0.2)


class Records:
    """The rows in datain_state.record on a replica: each of KINDS a JSON document.

    Each document carries the identities of both servers. One whose identities are not those of the servers in front
    of us counts as unknown: it belongs to another copy of the data.
    """

    def __init__(self, replica: Server) -> None:
        self.replica = replica
        self._there = False

    def read(self) -> dict[str, dict[str, t.Any]]:
        """Return every row, by kind. No schema or no table means no rows."""
        try:
            rows = self.replica.connection.rows(f"SELECT kind, document FROM {_TABLE}", step="read what was recorded here")
        except StatementError as error:
            if error.code in _NOT_THERE:
                return {}
            raise
        self._there = True
        return {row["kind"]: _document(row["document"]) for row in rows}

    def refusal(self, channels: int) -> str | None:
        """Tell why nothing may be written here now, or None.

        With strict GTIDs on MariaDB any write of our own, in domain 0, on a linked replica stops the applier (1950).
        """
        replica = self.replica
        if channels and replica.is_mariadb and replica.on("gtid_strict_mode") and replica.on("log_bin"):
            return "gtid_strict_mode is on and the replica is linked: a row written here would stop the applier (1950)"
        return None

    def write(self, kind: str, document: dict[str, t.Any]) -> None:
        """Write one row, making schema and table where they are missing."""
        connection = self.replica.connection
        step = f"record the state of the {kind}"
        text = json.dumps(document, sort_keys=True)
        if not self._there:
            connection.execute(f"CREATE DATABASE IF NOT EXISTS {STATE_SCHEMA} DEFAULT CHARACTER SET utf8mb4", step=step)
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {_TABLE} (kind VARCHAR(16) CHARACTER SET ascii NOT NULL PRIMARY KEY,"
                " document MEDIUMTEXT NOT NULL) ENGINE=InnoDB COMMENT='datain.azure_mysql keeps here what the servers forget'",
                step=step,
            )
            self._there = True
        connection.execute(f"REPLACE INTO {_TABLE} (kind, document) VALUES (%s, %s)", (kind, text), step=step)

    def remove(self, kind: str) -> None:
        if self._there:
            self.replica.connection.execute(f"DELETE FROM {_TABLE} WHERE kind = %s", (kind,), step=f"forget the state of the {kind}")


def _document(text: str) -> dict[str, t.Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Refused(
            "what was recorded here cannot be read",
            step="read what was recorded here",
            hint=f"look at the table {_TABLE} on the replica; drop the schema {STATE_SCHEMA} to forget everything recorded",
        ) from error
    return document if isinstance(document, dict) else {}


def identities(source: Identity, replica: Identity) -> dict[str, t.Any]:
    """Return what a document says about whom it belongs to."""
    return {"source": source.to_result(), "replica": replica.to_result()}


def belongs(document: dict[str, t.Any] | None, source: Identity, replica: Identity) -> bool:
    """Tell whether a document is about these two servers."""
    if not document:
        return False
    recorded = document.get("identities") or {}
    return source.same_as(Identity.from_result(recorded.get("source"))) and replica.same_as(Identity.from_result(recorded.get("replica")))
