# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The contract of the managed service's procedures: names, order of arguments, arity, and rows that mean failure.

No other file names a procedure.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ._connection import Connection
from ._errors import Refused, StatementError
from ._model import MARIADB

_SCHEMA = "mysql"
_PREFIX = "az_replication_"
BY_POSITION = "change_master"
BY_GTID = "change_master_with_gtid"
START = "start"
STOP = "stop"
REMOVE = "remove_master"
SKIP = "skip_counter"
SKIP_BY_GTID = "skip_gtid_transaction"

# A procedure stops or starts threads before it answers: a long transaction holds it up.
PATIENCE = 180

# Slots in the order of the arguments. One name, two lists: the GTID form takes the position only on MariaDB.
_ARGUMENTS: dict[tuple[str, int], tuple[str, ...]] = {
    (BY_POSITION, 7): ("host", "user", "password", "port", "file", "position", "ca"),
    (BY_GTID, 5): ("host", "user", "password", "port", "ca"),
    (BY_GTID, 6): ("host", "user", "password", "port", "gtid", "ca"),
    (START, 0): (),
    (STOP, 0): (),
    (REMOVE, 0): (),
    (SKIP, 0): (),
    (SKIP_BY_GTID, 1): ("gtid",),
}

_FAILURE_COLUMNS = ("exception", "error", "message", "result", "status")
_FAILURE_WORDS = re.compile(r"\b(error|fail(ed|ure)?|exception|denied|cannot|can't|not (allowed|supported|found)|invalid)\b", re.I)


@dataclass(frozen=True)
class Procedures:
    """What the server at hand offers: procedure to number of arguments."""

    arity: dict[str, int]

    def has(self, name: str) -> bool:
        return name in self.arity

    def full_name(self, name: str) -> str:
        return f"{_SCHEMA}.{_PREFIX}{name}"

    def usable(self, name: str) -> bool:
        """Tell whether the procedure exists with a list of arguments that we know."""
        return (name, self.arity.get(name, -1)) in _ARGUMENTS

    def missing(self) -> list[str]:
        """Name the procedures without which no link can be managed here."""
        wanted = [START, STOP, REMOVE]
        if not self.usable(BY_GTID):
            wanted.append(BY_POSITION)
        return [self.full_name(name) for name in wanted if not self.usable(name)]

    def to_result(self) -> dict[str, int]:
        return {self.full_name(name): count for name, count in sorted(self.arity.items())}


def discover(connection: Connection) -> Procedures:
    """Read names and numbers of arguments from the server's own catalogue, in one statement.

    Arity must be discovered, never assumed: the GTID form has 5 arguments on MySQL and 6 on MariaDB.
    """
    rows = connection.rows(
        "SELECT r.ROUTINE_NAME AS name, COUNT(p.SPECIFIC_NAME) AS arity"
        " FROM information_schema.ROUTINES r LEFT JOIN information_schema.PARAMETERS p"
        " ON p.SPECIFIC_SCHEMA = %s AND p.SPECIFIC_NAME = r.SPECIFIC_NAME AND p.ORDINAL_POSITION > 0"
        " WHERE r.ROUTINE_SCHEMA = %s AND r.ROUTINE_TYPE = 'PROCEDURE' AND r.ROUTINE_NAME LIKE %s"
        " GROUP BY r.ROUTINE_NAME",
        # MariaDB reads the parameters of all routines unless their schema is a constant.
        (_SCHEMA, _SCHEMA, _PREFIX.replace("_", r"\_") + "%"),
        step="look up the replication procedures",
    )
    return Procedures({row["name"][len(_PREFIX):]: int(row["arity"]) for row in rows})


@dataclass(frozen=True)
class LinkArguments:
    """What a link is made of, by name; the order belongs to the procedure."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    ca: str = ""
    file: str | None = None
    position: int | None = None
    gtid: str | None = None


@dataclass(frozen=True)
class SkipArguments:
    """The one transaction that is to count as executed."""

    gtid: str | None


def call(connection: Connection, procedures: Procedures, name: str, given: LinkArguments | SkipArguments | None = None) -> None:
    """Call a procedure, drain what it returns, and fail where it says that it failed, by error or by row.

    :raises Refused: the procedure is not there, or its arguments are not those we know
    :raises StatementError: it failed
    :raises ConnectionLost: whether it took effect is not known
    """
    full_name = procedures.full_name(name)
    slots = _ARGUMENTS.get((name, procedures.arity.get(name, -1)))
    if slots is None:
        found = procedures.arity.get(name)
        raise Refused(
            f"{full_name} " + ("does not exist" if found is None else f"takes {found} arguments, which is no list known here"),
            server=connection.login.label,
            step=f"call {full_name}",
            hint="check datain_service and the pricing tier: the Basic tier has no replication procedures",
        )
    values = [getattr(given, slot) for slot in slots]
    if any(value is None for value in values):
        raise Refused(f"no start coordinates for {full_name}", server=connection.login.label, step=f"call {full_name}")
    step = f"call {full_name}"
    results = connection.execute(f"CALL {full_name}({', '.join(['%s'] * len(slots))})", values, step=step, patience=PATIENCE)
    problem = reported_failure(results)
    if problem:
        raise StatementError(problem, server=connection.login.label, step=step, hint=f"see what {full_name} says")


def reported_failure(results: list[list[dict[str, t.Any]]]) -> str | None:
    """Find the failure in a procedure's result rows, if there is one: some report it as a row, not as an error."""
    for rows in results:
        for row in rows:
            for column, value in row.items():
                if value is None or column.lower() not in _FAILURE_COLUMNS:
                    continue
                if column.lower() in ("exception", "error") and str(value).strip() not in ("", "0"):
                    return str(value)
                if _FAILURE_WORDS.search(str(value)):
                    return str(value)
    return None


def gtid_needs_position(flavour: str) -> bool:
    """Tell whether the GTID procedure of this flavour takes the position to start from."""
    return flavour == MARIADB
