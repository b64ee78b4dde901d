# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The filter between a dump client and a load client: pure, on bytes, and blind to rows.

What a managed server refuses is taken out or put differently, and what belongs to the snapshot is remembered. Rows pass
untouched and unread. Everything else is cut into whole statements as the load client will cut them, so that nothing inside
a string, a comment or a routine's body is ever taken for a statement.
"""

from __future__ import annotations

import re
import typing as t

from ._model import Coordinates
from ._server import one_line


class DumpFormatError(Exception):
    """The dump holds something that cannot be understood, and guessing would be wrong."""


_QUOTED = rb"""(?:`(?:[^`]|``)*`|"(?:[^"]|"")*"|'(?:[^'\\]|\\.|'')*')"""
_NAME = rb"(?:" + _QUOTED + rb"|[^\s@`\"'*.(;]+)"
_OPEN = rb"(?:/\*M?!\d+\s+)?"
_CLOSE = rb"\s*(?:\*/)?\s*"

# The head of everything that has a definer, in all the shapes that the dump clients write:
#   CREATE DEFINER=… PROCEDURE …  ·  /*!50003 CREATE*/ /*!50017 DEFINER=…*/ /*!50003 TRIGGER …
#   /*!50001 CREATE ALGORITHM=… */ /*!50013 DEFINER=… SQL SECURITY … */ /*!50001 VIEW …
_HEAD = re.compile(
    rb"\A(?P<before>\s*" + _OPEN + rb"CREATE(?:\s+OR\s+REPLACE)?(?:\s+ALGORITHM\s*=\s*\w+)?" + _CLOSE + _OPEN + rb")"
    rb"(?:DEFINER\s*=\s*(?P<user>" + _NAME + rb")(?:@(?P<host>" + _NAME + rb"))?)?"
    rb"(?P<after>(?:\s*SQL\s+SECURITY\s+\w+)?" + _CLOSE + _OPEN + rb"\s*"
    rb"(?P<kind>(?:AGGREGATE\s+)?FUNCTION|PROCEDURE|PACKAGE\s+BODY|PACKAGE|TRIGGER|EVENT|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rb"(?:(?P<schema>" + _NAME + rb")\s*\.\s*)?(?P<name>" + _NAME + rb"))",
    re.I | re.S,
)
_EVENT = re.compile(
    rb"\A\s*ON\s+SCHEDULE\s+(?:[^'`\"]|'(?:[^'\\]|\\.|'')*')*?\s+ON\s+COMPLETION\s+(?:NOT\s+)?PRESERVE\s+"
    rb"(?P<status>DISABLE\s+ON\s+(?:SLAVE|REPLICA)|DISABLE|ENABLE)\b",
    re.I | re.S,
)
_CREATES = re.compile(rb"\A\s*" + _OPEN + rb"CREATE\b", re.I)
_CREATE_TABLE = re.compile(
    rb"\A\s*" + _OPEN + rb"CREATE\s+(?:OR\s+REPLACE\s+)?(TABLE|SEQUENCE|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + _QUOTED + rb")", re.I | re.S
)
_USE = re.compile(rb"\A\s*USE\s+(" + _QUOTED + rb")", re.I | re.S)
_NOT_HERE = re.compile(
    rb"\A\s*" + _OPEN + rb"(?:SET\s+(?:@@|@)?(?:SESSION[.\s]\s*|GLOBAL[.\s]\s*)?(?:@@|@)?"
    rb"(?:MYSQLDUMP_TEMP_LOG_BIN|SQL_LOG_BIN|GTID_PURGED|GTID_SLAVE_POS)\b|CHANGE\s+(?:MASTER|REPLICATION\s+SOURCE)\b)",
    re.I,
)
_SQL_MODE = re.compile(rb"(?<![@\w.])SQL_MODE\s*=\s*('[^']*'|@)", re.I)
_SANDBOX = re.compile(rb"\A/\*M?!\d+\\- ")
_GTIDS = re.compile(rb"GTID_PURGED\s*=\s*(?:/\*!\d+ '\+'\*/)?\s*'\+?([^']*)'", re.I | re.S)
_COORDINATES = re.compile(
    rb"\A-- CHANGE (?:MASTER|REPLICATION SOURCE) TO (?:MASTER|SOURCE)_LOG_FILE='([^']+)', (?:MASTER|SOURCE)_LOG_POS=(\d+)"
)
_END = b"-- Dump completed"

# What the load client looks at while it searches for the end of a statement, and each of them whole.
_INTERESTING = re.compile(rb"['\"`#;]|--(?=[\s])|/\*")
_COMMENT = rb"|/\*(?!M?!).*?\*/|/\*M?!|(?:--(?=\s)|#)[^\n]*\n"
_ESCAPES = re.compile(rb"'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"|`[^`]*`" + _COMMENT, re.S)
_ANSI = re.compile(rb"'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"]*\"|`[^`]*`" + _COMMENT, re.S)
_NO_ESCAPES = re.compile(rb"'[^']*'|\"[^\"]*\"|`[^`]*`" + _COMMENT, re.S)


def unquote(name: bytes) -> str:
    """Return a name as the server means it, from the way in which a dump writes it."""
    for quote in (b"`", b'"', b"'"):
        if name.startswith(quote):
            name = name[1:-1].replace(quote + quote, quote)
            break
    return name.decode("utf-8", "replace")


class DumpFilter:
    """Takes a dump in pieces of any size and returns what the load client shall get.

    :param event_status: how an event is created that is not to run on a replica
    :param removed_modes: words of sql_mode that the replica refuses; routines, triggers and events carry theirs with them

    :ivar coordinates: where the snapshot is in the source's log, once the dump has said so
    :ivar gtid: MySQL: the set of transactions that the snapshot holds
    :ivar tables: (schema, name) of every table, view and sequence in the dump
    :ivar definers: every object whose definer was left out: it belongs to the login that loads now
    :ivar events: every event that runs on the source and is created so that it does not run here
    :ivar placeholders: views that stand in the dump as placeholders only. Each is made twice, first as one so that other
        views can refer to it. A mysqldump that loses its connection between the two takes that for an empty list of views,
        writes its end marker and exits with 0.
    """

    def __init__(self, event_status: str = "DISABLE ON SLAVE", removed_modes: frozenset[str] = frozenset()) -> None:
        self.coordinates: Coordinates | None = None
        self.gtid: str | None = None
        self.tables: set[tuple[str, str]] = set()
        self.definers: list[dict[str, str]] = []
        self.events: list[dict[str, str]] = []
        self.placeholders: set[tuple[str, str]] = set()
        self._ended = False
        self._event_status = event_status.encode("ascii")
        self._removed_modes = removed_modes
        self._schema = ""
        self._modes: frozenset[str] = frozenset()
        self._delimiter = b";"
        self._buffer = b""
        self._scanned = 0
        self._state: t.Callable[[list[bytes]], bool] = self._between

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece and return what can be passed on.

        :raises DumpFormatError: something in it cannot be understood
        """
        self._buffer += chunk
        out: list[bytes] = []
        while self._buffer and self._state(out):
            pass
        return b"".join(out)

    @property
    def complete(self) -> bool:
        """Whether the dump client has written its end marker, and everything before it."""
        return self._ended and not self.placeholders

    @property
    def unfinished(self) -> bool:
        """Whether the dump so far ends inside a statement."""
        return bool(self._buffer.strip()) or self._state != self._between

    def _take(self, length: int) -> bytes:
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    # The states. Each returns whether to go on with what is in the buffer.

    def _between(self, out: list[bytes]) -> bool:
        """Between two statements."""
        if self._delimiter == b";" and self._buffer.startswith(b"INSERT "):
            self._state = self._rows
            return True
        end = self._buffer.find(b"\n")
        if end < 0:
            return False
        line = self._buffer[: end + 1]
        if line.startswith(b"--"):
            self._remark(self._take(end + 1))
        elif not line.strip() or _SANDBOX.match(line):
            self._take(end + 1)
        elif line.startswith(b"/* "):
            close = self._buffer.find(b"*/")
            if close < 0:
                return False
            self._note_gtids(self._take(close + 2))
        elif line.startswith(b"DELIMITER "):
            self._delimiter = line.split()[1]
            out.append(self._take(end + 1))
        else:
            self._scanned = 0
            self._state = self._statement
        return True

    def _rows(self, out: list[bytes]) -> bool:
        """Inside an INSERT: the clients escape line breaks in values, so the first one after a semicolon is its end."""
        end = self._buffer.find(b";\n")
        if end < 0:
            out.append(self._take(len(self._buffer) - 1))
            return False
        out.append(self._take(end + 2))
        self._state = self._between
        return True

    def _statement(self, out: list[bytes]) -> bool:
        """Inside any other statement: wait for all of it."""
        token = _ESCAPES
        if "NO_BACKSLASH_ESCAPES" in self._modes:
            token = _NO_ESCAPES
        elif "ANSI_QUOTES" in self._modes:
            token = _ANSI
        while True:
            found = _INTERESTING.search(self._buffer, self._scanned)
            if found is None:
                # The last two bytes may be the beginning of something interesting.
                self._scanned = max(self._scanned, len(self._buffer) - 2)
                return False
            start = found.start()
            if found.group() == b";":
                if len(self._buffer) < start + len(self._delimiter):
                    self._scanned = start
                    return False
                if not self._buffer.startswith(self._delimiter, start):
                    self._scanned = start + 1
                    continue
                out.append(self._whole(self._take(start + len(self._delimiter))))
                self._state = self._between
                return True
            whole = token.match(self._buffer, start)
            if whole is None:
                self._scanned = start
                return False
            self._scanned = whole.end()

    # What is done with the pieces

    def _remark(self, line: bytes) -> None:
        found = _COORDINATES.match(line)
        if found and self.coordinates is None and not self._schema:
            self.coordinates = Coordinates(found.group(1).decode("utf-8", "replace"), int(found.group(2)))
        elif line.startswith(_END):
            self._ended = True

    def _note_gtids(self, text: bytes) -> None:
        found = _GTIDS.search(text)
        if found and self.gtid is None and not self._schema:
            self.gtid = one_line(found.group(1).decode("ascii", "replace"))

    def _whole(self, text: bytes) -> bytes:
        """Return what to pass on of one whole statement."""
        if _NOT_HERE.match(text):
            self._note_gtids(text)
            return b""
        use = _USE.match(text)
        if use:
            self._schema = unquote(use.group(1))
        elif _CREATES.match(text):
            text = self._create(text)
        else:
            text = self._mode(text)
        return text + b"\n"

    def _mode(self, text: bytes) -> bytes:
        mode = _SQL_MODE.search(text)
        if mode is None:
            return text
        words = mode.group(1).strip(b"'").decode("ascii", "replace").upper().split(",")
        self._modes = frozenset(words)
        if not self._modes & self._removed_modes:
            return text
        kept = ",".join(word for word in words if word not in self._removed_modes)
        return text[: mode.start(1)] + f"'{kept}'".encode("ascii") + text[mode.end(1):]

    def _create(self, text: bytes) -> bytes:
        table = _CREATE_TABLE.match(text)
        if table:
            name = (self._schema, unquote(table.group(2)))
            self.tables.add(name)
            if table.group(1).upper() == b"VIEW":
                self.placeholders.add(name)
            return text
        head = _HEAD.match(text)
        if head is None:
            return text
        kind = b" ".join(head.group("kind").split()).decode("ascii").lower()
        thing = {
            "object": kind,
            "schema": unquote(head.group("schema")) if head.group("schema") else self._schema,
            "name": unquote(head.group("name")),
        }
        rest = text[head.end():]
        if head.group("user") is not None:
            definer = unquote(head.group("user")) + ("@" + unquote(head.group("host")) if head.group("host") else "")
            self.definers.append({**thing, "definer": definer})
        if kind == "view":
            self.placeholders.discard((thing["schema"], thing["name"]))
        if kind == "event":
            rest = self._event(thing, rest)
        return head.group("before") + head.group("after").lstrip() + rest

    def _event(self, thing: dict[str, str], rest: bytes) -> bytes:
        found = _EVENT.match(rest)
        if found is None:
            raise DumpFormatError(f"the schedule of the event {thing['schema']}.{thing['name']} cannot be understood")
        if found.group("status").upper() != b"ENABLE":
            return rest
        self.events.append({"schema": thing["schema"], "name": thing["name"]})
        return rest[: found.start("status")] + self._event_status + rest[found.end("status"):]
