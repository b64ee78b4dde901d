# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What proves, without storing a secret, that a link holds a password, or that another server has the same history."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from ._account_read import known_accounts
from ._errors import StatementError
from ._link_start import mariadb_gap
from ._server import Server

# A session that is this much younger than the last change of its password was opened with the new one: both ages are whole seconds.
YOUNGER = 2


def password_held(source: Server, replica: Server, user: str, password: str, *, attached: bool) -> bool | None:
    """Tell whether the link holds this password: True and False are proven, None is unknown.

    The replica's own record decides where it can be read; else the session that the link has on the source does.

    :param attached: it has one: those of other replicas prove nothing about this one
    """
    held = _recorded_on(replica, password)
    return held if held is not None or not attached else _opened_with(source, user, password)


def _recorded_on(replica: Server, password: str) -> bool | None:
    """Compare with what the replica has stored, by a digest with a nonce: neither password nor digest can be used again.

    Servers that keep it in a file have no row, which does not mean that there is no link.
    """
    if replica.dialect.held_password is None:
        return None
    nonce = secrets.token_hex(16)
    try:
        digest = replica.connection.value(replica.dialect.held_password, (nonce,), step="compare the password that the link holds")
    except StatementError:
        return None  # not for this administrator to read
    if not digest:
        return None
    return hmac.compare_digest(str(digest), hashlib.sha256((nonce + password).encode()).hexdigest())


def _opened_with(source: Server, user: str, password: str) -> bool | None:
    """Tell whether every session of a replica under this name was opened with the password that the account has now, and it is this one.

    None where one is older than the last change, where a second password may have opened it, or where the source does not say.
    """
    if source.dialect.password_age is None or not password_fits(source, user, password):
        return None
    sessions = [row for row in source.attached_replicas() if row["user"] == user]
    try:
        accounts = source.connection.rows(source.dialect.password_age, (user,), step="read when the replicas' password was changed")
    except StatementError:
        return None
    if not sessions or not accounts or any(row["age"] is None or row["another"] for row in accounts):
        return None
    changed = min(int(row["age"]) for row in accounts)
    return True if all(int(session["seconds"]) + YOUNGER <= changed for session in sessions) else None


def password_fits(source: Server, user: str, password: str) -> bool:
    """Tell whether the password is the one of an account of this name, by the hash that the source stores."""
    try:
        return any(account.matches(password) for account in known_accounts(source, user))
    except StatementError:
        return False  # not for this administrator to read


def history_gap(source: Server, replica: Server) -> str:
    """Tell why a server cannot be followed by GTID by a replica that followed another one; empty where it can.

    It must have everything that the replica has applied, and must not have purged anything that the replica lacks.
    """
    return _mariadb_history(source, replica) if replica.is_mariadb else _mysql_history(source, replica)


def _mysql_history(source: Server, replica: Server) -> str:
    _end, executed = source.binlog_end()
    row = replica.connection.rows(
        "SELECT GTID_SUBSET(GTID_SUBTRACT(@@GLOBAL.gtid_executed, CONCAT(@@GLOBAL.server_uuid, ':1-9223372036854775806')), %s) AS there,"
        " GTID_SUBSET(%s, @@GLOBAL.gtid_executed) AS here",
        (executed or "", source.variables.get("gtid_purged", "")),
        step="compare the histories of replica and source",
    )[0]
    if not row["there"]:
        return "the replica has applied transactions that it lacks"
    return "" if row["here"] else "it has purged transactions that the replica lacks"


def _mariadb_history(source: Server, replica: Server) -> str:
    applied = replica.gtid_position() or ""
    state = str(source.connection.value("SELECT @@GLOBAL.gtid_binlog_state", step="read the GTIDs in the source's log") or "")
    there = {tuple(entry.split("-")[:2]): int(entry.split("-")[2]) for entry in state.split(",") if entry.count("-") == 2}
    for entry in filter(None, applied.split(",")):
        domain, server, number = entry.split("-")
        if there.get((domain, server), -1) < int(number):
            return f"the replica has applied {entry}, which it lacks"
    late = mariadb_gap(applied, oldest_gtids(source) or "")
    return "" if late is None else f"it has purged transactions of domain {late} that the replica lacks"


def oldest_gtids(source: Server) -> str | None:
    """Return the GTID position at which the oldest log file of a MariaDB source begins."""
    files = source.binlog_files()
    if not files:
        return None
    rows = source.connection.rows("SHOW BINLOG EVENTS IN %s LIMIT 4", (min(files),), step="read where the oldest log file begins")
    return next((str(row["Info"]) for row in rows if row["Event_type"] == "Gtid_list"), None)
