# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The rights of a login, parsed from SHOW GRANTS. Pure."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from dataclasses import dataclass

from ._server import is_system_schema


@dataclass(frozen=True)
class Grants:
    """A login's own rights, parsed from SHOW GRANTS, which also knows what active roles give.

    :param everywhere: privileges on ``*.*``, upper case
    :param schemas: privileges by schema pattern, as GRANT takes it: ``_`` and ``%`` are wildcards
    :param revoked: privileges taken away again, by schema (MySQL's partial revokes)
    :param callable: procedures that may be called one by one, as (schema, name in small letters)
    """

    everywhere: frozenset[str] = frozenset()
    schemas: tuple[tuple[str, frozenset[str]], ...] = ()
    revoked: tuple[tuple[str, frozenset[str]], ...] = ()
    may_grant: bool = False
    callable: frozenset[tuple[str, str]] = frozenset()

    def has(self, *alternatives: str) -> bool:
        """Tell whether one of some privileges is held everywhere."""
        return "ALL PRIVILEGES" in self.everywhere or bool(self.everywhere & set(alternatives))

    def has_in(self, schema: str, *alternatives: str) -> bool:
        """Tell whether one of some privileges is held in a schema."""
        everywhere = set(alternatives) if "ALL PRIVILEGES" in self.everywhere else self.everywhere & set(alternatives)
        if everywhere - self._revoked_in(schema):
            return True
        wanted = set(alternatives) | {"ALL PRIVILEGES"}
        return any(privileges & wanted and _like(pattern, schema) for pattern, privileges in self.schemas)

    def _revoked_in(self, schema: str) -> set[str]:
        return {privilege for name, privileges in self.revoked if name == schema for privilege in privileges}

    def withheld(self, schemas: t.Sequence[str], *alternatives: str) -> list[str]:
        """Return those of some schemas, or where none is given of all that are users', in which a privilege held everywhere is not held."""
        names = sorted({name for name, _privileges in self.revoked if (name in schemas if schemas else not is_system_schema(name))})
        return [name for name in names if not self.has_in(name, *alternatives)]

    def may_call(self, schema: str, procedure: str) -> bool:
        return (schema, procedure.lower()) in self.callable or self.has_in(schema, "EXECUTE")


_GRANT = re.compile(
    r"(?P<verb>GRANT|REVOKE) (?P<what>.+?) ON (?P<kind>TABLE |FUNCTION |PROCEDURE |PACKAGE |PACKAGE BODY )?"
    r"(?P<schema>\*|`(?:[^`]|``)*`)\.(?P<object>\*|`(?:[^`]|``)*`) (?:TO|FROM) (?P<tail>.*)",
    re.S,
)
_COLUMNS = re.compile(r"\((?:[^`)]|`(?:[^`]|``)*`)*\)")


def parse_grants(lines: t.Iterable[str]) -> Grants:
    """Parse what SHOW GRANTS prints. Roles, and rights on single objects that are no procedures, say nothing that a rule asks for."""
    everywhere: set[str] = set()
    schemas: list[tuple[str, frozenset[str]]] = []
    revoked: list[tuple[str, frozenset[str]]] = []
    procedures: set[tuple[str, str]] = set()
    may_grant = False
    for line in lines:
        match = _GRANT.match(line)
        if not match:
            continue
        privileges = frozenset(part.strip().upper() for part in _COLUMNS.sub("", match["what"]).split(","))
        if match["object"] != "*":
            if match["kind"] == "PROCEDURE " and "EXECUTE" in privileges:
                procedures.add((_plain(match["schema"]), _plain(match["object"]).lower()))
            continue
        if match["schema"] == "*":
            if match["verb"] == "GRANT":
                everywhere |= privileges
                may_grant = may_grant or "WITH GRANT OPTION" in match["tail"]
            continue
        (schemas if match["verb"] == "GRANT" else revoked).append((_plain(match["schema"]), privileges))
    return Grants(frozenset(everywhere), tuple(schemas), tuple(revoked), may_grant, frozenset(procedures))


def _plain(quoted: str) -> str:
    return quoted[1:-1].replace("``", "`")


def _like(pattern: str, name: str) -> bool:
    """Match a schema name against a pattern of GRANT."""
    translated, index = "", 0
    while index < len(pattern):
        letter = pattern[index]
        if letter == "\\" and index + 1 < len(pattern):
            index += 1
            letter = pattern[index]
            translated += f"[{letter}]" if letter in "*?[" else letter
        elif letter in "%_":
            translated += "*" if letter == "%" else "?"
        else:
            translated += f"[{letter}]" if letter in "*?[" else letter
        index += 1
    return fnmatch.fnmatchcase(name, translated)
