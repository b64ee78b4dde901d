# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Tables, and the objects beside them, grouped by the server itself: the answer is small whatever their number."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._facts import (
    AUTO_INCREMENT,
    COMPRESSED,
    ENCRYPTED,
    FILE,
    FOLLOWS,
    LONG_NAME,
    PARTITIONED,
    PREFIX,
    REFERENCE,
    RESERVED,
    ROW_ID,
    SHOWN,
    STRANGE_COLLATION,
    TRAITS,
    WIDE,
    Named,
    ObjectGroup,
    TableGroup,
)
from ._server import PLATFORM_SCHEMAS, STATE_SCHEMA, SYSTEM_SCHEMAS, Server


class Reader:
    """Statements of one server, each with its time limit.

    :param limit: seconds for each statement
    """

    def __init__(self, server: Server, limit: int) -> None:
        self.server = server
        self.limit = limit

    def rows(self, select: str, parameters: t.Sequence[t.Any] = (), *, step: str) -> list[dict[str, t.Any]]:
        """Run the rest of a SELECT under the limit that this server knows; the socket's own bound stands behind it."""
        begin = self.server.dialect.limited_select.format(seconds=self.limit, milliseconds=self.limit * 1000)
        return self.server.connection.rows(f"{begin} {select}", parameters, step=step, patience=self.limit + 5)

    @property
    def folded(self) -> bool:
        """Names of schemas and tables mean the same in any case."""
        return bool(self.server.number("lower_case_table_names"))


@dataclass(frozen=True)
class Wanted:
    """What to look for in columns and names: whatever this pair gives a reason for. Columns are the dearest of all scans.

    :param collations: those of the source that the replica lacks
    :param words: those that are free on the source and reserved on the replica, in lower case
    :param generated_keys: the replica makes invisible primary keys
    :param row_bytes: the longest row that the replica takes, where the source takes longer ones, or 0
    :param strict_keys: the replica refuses keys that the source takes
    :param fixed_keys: the service forbids to change the value of a primary key
    """

    collations: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    generated_keys: bool = False
    row_bytes: int = 0
    strict_keys: bool = False
    fixed_keys: bool = False


# Names are compared as bytes: in information_schema of MySQL 5.7 and MariaDB `a` and `A`, e and é would be one.
_EXACT = "CONVERT({0} USING utf8mb4) COLLATE utf8mb4_bin"


def exact(column: str) -> str:
    return _EXACT.format(column)


def scope(column: str, schemas: t.Sequence[str], folded: bool) -> tuple[str, list[str]]:
    """Return the condition that picks the user's schemas, or the ones asked for, and what is bound in it."""
    name = exact(column)
    if schemas:
        return (_among(f"LOWER({name})", [n.lower() for n in schemas]) if folded else _among(name, schemas)), [n.lower() if folded else n for n in schemas]
    own = (*PLATFORM_SCHEMAS, STATE_SCHEMA)
    return f"NOT {_among(f'LOWER({name})', SYSTEM_SCHEMAS)} AND NOT {_among(name, own)}", [*SYSTEM_SCHEMAS, *own]


def _among(what: str, values: t.Sequence[str]) -> str:
    """Return the condition that something is one of some values, which are to be bound; of none, it never is."""
    return f"({what} IN ({', '.join(['%s'] * len(values))}))" if values else "(0)"


def _names(count: t.Any, text: str | None) -> Named:
    """Read (schema, name) pairs: the character NUL, legal in no name, stands between all of them."""
    parts = (text or "").split("\0")
    pairs = tuple(zip(parts[::2], parts[1::2]))
    return Named(int(count), pairs[:SHOWN])


# Long enough for SHOWN pairs of the longest names and one more, so that a cut name is never shown.
_LIST = "LEFT(GROUP_CONCAT(s, '\\0', n ORDER BY s, n SEPARATOR '\\0'), 900) AS names"

# What InnoDB keeps of a column in the page itself at the worst: a long one is stored elsewhere from 40 bytes on.
_IN_ROW = (
    "CASE WHEN CHARACTER_OCTET_LENGTH IS NULL AND DATA_TYPE IN ('json', 'geometry', 'point', 'linestring', 'polygon', 'multipoint',"
    " 'multilinestring', 'multipolygon', 'geometrycollection', 'geomcollection', 'vector') THEN 41"
    " WHEN DATA_TYPE IN ('char', 'binary') AND CHARACTER_OCTET_LENGTH = CHARACTER_MAXIMUM_LENGTH THEN CHARACTER_OCTET_LENGTH"
    " WHEN DATA_TYPE = 'enum' THEN 2 WHEN DATA_TYPE = 'set' THEN 8"
    " WHEN CHARACTER_OCTET_LENGTH IS NOT NULL THEN LEAST(CHARACTER_OCTET_LENGTH, 40) + 1"
    " WHEN DATA_TYPE = 'tinyint' THEN 1 WHEN DATA_TYPE IN ('smallint', 'year') THEN 2 WHEN DATA_TYPE IN ('mediumint', 'date') THEN 3"
    " WHEN DATA_TYPE IN ('int', 'float') THEN 4 WHEN DATA_TYPE = 'decimal' THEN CEIL(NUMERIC_PRECISION / 2) ELSE 8 END"
)
# Of every row: two hidden columns and the header.
_ROW_FRAME = 18

# Traits that the options of a table tell.
_OPTIONS = {PARTITIONED: ("partitioned",), COMPRESSED: ("COMPRESSED",), ENCRYPTED: ("ENCRYPTION=''Y''", 'ENCRYPTION="Y"')}


def read_tables(reader: Reader, schemas: t.Sequence[str], wanted: Wanted) -> tuple[TableGroup, ...]:
    """Group all tables by what rules ask, in one scan each of TABLES, STATISTICS and, if there is a reason, COLUMNS.

    Joining the two, as the vendor's query does, is quadratic on MySQL 5.7 and MariaDB.
    """
    schema, name = exact("TABLE_SCHEMA"), exact("TABLE_NAME")
    condition, bound = scope("TABLE_SCHEMA", schemas, reader.folded)
    empty: dict[str, str] = {"kind": "NULL", "engine": "NULL", "collated": "NULL", "keyed": "0", **dict.fromkeys(TRAITS, "0")}
    parts: list[str] = []
    values: list[t.Any] = []

    def part(table: str, where: str, columns: dict[str, str], *given: t.Any) -> None:
        selected = ", ".join(f"{column} AS {alias}" for alias, column in {**empty, **columns}.items())
        parts.append(f"SELECT {schema} AS s, {name} AS n, {selected} FROM information_schema.{table} WHERE {where}")
        values.extend(given)

    options = {
        trait: " OR ".join(f"LOCATE('{word}', CREATE_OPTIONS) > 0" for word in words)
        for trait, words in _OPTIONS.items()
        if reader.server.dialect.table_options
    }
    part(
        "TABLES",
        condition,
        {
            "kind": "TABLE_TYPE",
            "engine": "ENGINE",
            "collated": "TABLE_COLLATION",
            **options,
            RESERVED: _among("LOWER(TABLE_NAME)", wanted.words),
        },
        *wanted.words,
        *bound,
    )
    part("STATISTICS", f"INDEX_NAME = 'PRIMARY' AND SEQ_IN_INDEX = 1 AND {condition}", {"keyed": "1"}, *bound)
    columns = {
        RESERVED: (_among("LOWER(COLUMN_NAME)", wanted.words), wanted.words),
        STRANGE_COLLATION: (_among("COLLATION_NAME", wanted.collations), wanted.collations),
        AUTO_INCREMENT: ("LOCATE('auto_increment', EXTRA) > 0", ()),
        ROW_ID: ("LOWER(COLUMN_NAME) = 'my_row_id'", ()),
    }
    reasons = [
        *([RESERVED] if wanted.words else []),
        *([STRANGE_COLLATION] if wanted.collations else []),
        *([AUTO_INCREMENT, ROW_ID] if wanted.generated_keys else []),
    ]
    looked = {trait: columns[trait][0] for trait in reasons}
    given = [value for trait in reasons for value in columns[trait][1]]
    if wanted.row_bytes:
        part("COLUMNS", condition, {**looked, WIDE: _IN_ROW}, *given, *bound)
    elif reasons:
        part("COLUMNS", f"({' OR '.join(looked.values())}) AND {condition}", looked, *given, *given, *bound)

    marks = {trait: f"MAX({trait})" for trait in TRAITS} | {WIDE: f"SUM({WIDE}) + {_ROW_FRAME} > {wanted.row_bytes or 'NULL'}"}
    traits = ", ".join(f"IF({mark}, '{trait}', NULL)" for trait, mark in marks.items())
    grouped = "kind, engine, collated, keyed, traits"
    rows = reader.rows(
        f"{grouped}, COUNT(*) AS tables, {_LIST} FROM ("
        " SELECT s, n, MAX(kind) AS kind, MAX(engine) AS engine, MAX(collated) AS collated, MAX(keyed) AS keyed,"
        f" CONCAT_WS(',', {traits}) AS traits FROM ({' UNION ALL '.join(parts)}) AS seen GROUP BY s, n"
        f") AS one WHERE kind IS NOT NULL GROUP BY {grouped} ORDER BY {grouped}",
        values,
        step="look at the tables",
    )
    return tuple(
        TableGroup(
            row["kind"],
            row["engine"] or None,
            row["collated"],
            bool(row["keyed"]),
            _names(row["tables"], row["names"]),
            frozenset(filter(None, (row.get("traits") or "").split(","))),
        )
        for row in rows
    )


# A table's own file is below a folder that has its schema's name; one that it shares, or that was put elsewhere, is not.
_ELSEWHERE = "path REGEXP '[.]ibd$' AND path NOT REGEXP '^[.]/[^/]+/'"
_BY_PREFIX = (
    "information_schema.PARTITIONS AS p JOIN information_schema.STATISTICS AS i ON i.TABLE_SCHEMA = p.TABLE_SCHEMA AND i.TABLE_NAME = p.TABLE_NAME"
    " WHERE p.PARTITION_METHOD IN ('KEY', 'LINEAR KEY') AND i.SUB_PART IS NOT NULL AND (LOCATE(CONCAT('`', i.COLUMN_NAME, '`'), p.PARTITION_EXPRESSION) > 0"
    " OR (COALESCE(p.PARTITION_EXPRESSION, '') = '' AND i.INDEX_NAME = 'PRIMARY'))"
)
# Where a table gets a longer name, up to 5.7 the names that the server gave its foreign keys grow with it, beyond what it takes from others.
_LONGEST = 64
_KEYS = "(SELECT SUBSTRING_INDEX(id, '/', 1) AS s, SUBSTRING(id, LOCATE('/', id) + 1) AS n FROM (SELECT {ids}) AS ids) AS f WHERE CHAR_LENGTH(f.n) > {longer}"
_NOT_UNIQUE = "information_schema.REFERENTIAL_CONSTRAINTS AS r WHERE r.UNIQUE_CONSTRAINT_NAME IS NULL"


def read_refused(reader: Reader, schemas: t.Sequence[str], wanted: Wanted) -> dict[str, Named]:
    """Look for what tables have that other servers refuse, in one statement; nobody tells whose a shared file is."""
    parts = [f"SELECT '{FILE}' AS kind, '' AS s, {exact('path')} AS n FROM (SELECT {reader.server.dialect.table_files}) AS files WHERE {_ELSEWHERE}"]
    values: list[str] = []
    names, following = reader.server.dialect.constraint_names, reader.server.dialect.following
    looked = [
        *([(PREFIX, "p.TABLE_SCHEMA", "p.TABLE_NAME", _BY_PREFIX)] if wanted.strict_keys else []),
        *([(REFERENCE, "r.CONSTRAINT_SCHEMA", "r.TABLE_NAME", _NOT_UNIQUE)] if wanted.strict_keys else []),
        *([(LONG_NAME, "f.s", "f.n", _KEYS.format(ids=names, longer=_LONGEST))] if names else []),
        *([(FOLLOWS, "f.s", "f.n", _KEYS.format(ids=following, longer=0))] if following and wanted.fixed_keys else []),
    ]
    for kind, schema, name, rest in looked:
        condition, bound = scope(schema, schemas, reader.folded)
        parts.append(f"SELECT DISTINCT '{kind}', {exact(schema)}, {exact(name)} FROM {rest} AND {condition}")
        values += bound
    rows = reader.rows(
        f"kind, COUNT(*) AS tables, {_LIST} FROM ({' UNION ALL '.join(parts)}) AS seen GROUP BY kind",
        values,
        step="look for what other servers refuse",
    )
    return {row["kind"]: _names(row["tables"], row["names"]) for row in rows}


def read_enabled_events(reader: Reader) -> Named:
    """Look for events of users that run here."""
    condition, bound = scope("EVENT_SCHEMA", (), False)
    seen = f"SELECT {exact('EVENT_SCHEMA')} AS s, {exact('EVENT_NAME')} AS n FROM information_schema.EVENTS WHERE STATUS = 'ENABLED' AND {condition}"
    rows = reader.rows(f"COUNT(*) AS events, {_LIST} FROM ({seen}) AS seen HAVING events > 0", bound, step="look for events that run here")
    return _names(rows[0]["events"], rows[0]["names"]) if rows else Named(0)


# kind, schema, name, state, collation, modes, table
_VIEWS = ("'view'", "TABLE_SCHEMA", "TABLE_NAME", "''", "COLLATION_CONNECTION", "''", "VIEWS")
_OBJECTS = (
    ("'trigger'", "TRIGGER_SCHEMA", "TRIGGER_NAME", "''", "COLLATION_CONNECTION", "SQL_MODE", "TRIGGERS"),
    ("LOWER(ROUTINE_TYPE)", "ROUTINE_SCHEMA", "ROUTINE_NAME", "''", "COLLATION_CONNECTION", "SQL_MODE", "ROUTINES"),
    ("'event'", "EVENT_SCHEMA", "EVENT_NAME", "STATUS", "COLLATION_CONNECTION", "SQL_MODE", "EVENTS"),
)


def read_objects(reader: Reader, schemas: t.Sequence[str], wanted: Wanted, *, views: bool) -> tuple[ObjectGroup, ...]:
    """Group views, triggers, routines and events by what rules ask, in one statement.

    :param views: there are any: to look for them opens every table on MariaDB and MySQL before 8.0
    """
    parts: list[str] = []
    bound: list[str] = []
    for row in (*([_VIEWS] if views else []), *_OBJECTS):
        *columns, table = (*row[:-1], "DEFINER", row[-1])
        condition, values = scope(row[1], schemas, reader.folded)
        selected = ", ".join(f"{exact(column)} AS {alias}" for column, alias in zip(columns, ("kind", "s", "n", "state", "collated", "modes", "definer")))
        parts.append(f"SELECT {selected}, {_among(f'LOWER({row[2]})', wanted.words)} AS reserved FROM information_schema.{table} WHERE {condition}")
        bound += [*wanted.words, *values]
    grouped = "kind, definer, state, collated, modes, reserved"
    rows = reader.rows(
        f"{grouped}, COUNT(*) AS objects, {_LIST} FROM ({' UNION ALL '.join(parts)}) AS seen GROUP BY {grouped} ORDER BY {grouped}",
        bound,
        step="look at views, routines, triggers and events",
    )
    return tuple(
        ObjectGroup(
            row["kind"],
            row["definer"],
            row["state"] or "",
            _names(row["objects"], row["names"]),
            row.get("collated") or "",
            row.get("modes") or "",
            bool(row.get("reserved")),
        )
        for row in rows
    )
