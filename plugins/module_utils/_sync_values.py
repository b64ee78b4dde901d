# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""An account with all that belongs to it, as a value that is the same for every flavour and version."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import dataclass, field

from ._sql import quote_account, quote_identifier

# An account's name: user, and host in lower case.
Key = tuple[str, str]
# What stands for the host of a MariaDB role, which has none. On MySQL an account can have an empty one, and is another than that of '%'.
NO_HOST = "\0"

GRANT_OPTION = "GRANT OPTION"
# Kinds of objects that a right can be about. A routine's kind is the server's own word: FUNCTION, PROCEDURE, PACKAGE.
EVERYWHERE, SCHEMA, TABLE = "GLOBAL", "SCHEMA", "TABLE"


@dataclass(frozen=True, order=True)
class Scope:
    """What a right is about.

    :param schema: for the kind SCHEMA a pattern, in which a backslash takes the meaning away from ``%`` and ``_``
    """

    kind: str
    schema: str = ""
    name: str = ""

    def __str__(self) -> str:
        if self.kind == EVERYWHERE:
            return "*.*"
        schema = quote_identifier(self.schema)
        if self.kind == SCHEMA:
            return f"{schema}.*"
        place = f"{schema}.{quote_identifier(self.name)}"
        return place if self.kind == TABLE else f"{self.kind} {place}"


GLOBAL = Scope(EVERYWHERE)


@dataclass(frozen=True, order=True)
class Right:
    """One thing an account may do with an object.

    :param name: the privilege as GRANT spells it; the grant option of an object is a right of its own
    :param column: the right is about this column only
    :param grantable: it may be passed on; only for rights that have a grant option each, the dynamic ones of MySQL
    """

    name: str
    column: str = ""
    grantable: bool = False

    @property
    def dynamic(self) -> bool:
        """Tell whether it has a grant option of its own. The server's words for these have underscores, for others spaces."""
        return "_" in self.name

    def __str__(self) -> str:
        return f"{self.name} ({quote_identifier(self.column)})" if self.column else self.name


Grants = t.Mapping[Scope, frozenset[Right]]


@dataclass(frozen=True)
class Account:
    """An account, or a role.

    :param role: a role of MariaDB, or what CREATE ROLE of MySQL makes: locked, expired, and with no way to log in
    :param options: by part of the account what differs from the default; see PARTS
    :param roles: the roles that it has, and whether it may pass them on
    :param restrictions: by schema, the global rights that do not hold there
    :param proxies: accounts that it may act as
    :param second_factor: a password is not enough to log in
    """

    user: str
    host: str
    role: bool = False
    options: t.Mapping[str, t.Any] = field(default_factory=dict, repr=False)
    grants: Grants = field(default_factory=dict)
    roles: t.Mapping[Key, bool] = field(default_factory=dict)
    default_roles: frozenset[Key] = frozenset()
    restrictions: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    proxies: tuple[str, ...] = ()
    second_factor: bool = False

    @property
    def key(self) -> Key:
        return self.user, self.host.lower()

    @property
    def label(self) -> str:
        return label(self.key)

    def rights(self, scope: Scope) -> frozenset[Right]:
        return self.grants.get(scope, frozenset())


# The parts of an account, in the order in which they stand in a statement; a value that is not there is the default.
#   login     ((plugin, stored hash in hex), …), one for each way to log in
#   second    stored hash in hex of the password that was the account's before, and still works
#   tls       (type, cipher, issuer, subject); type is ANY, X509 or SPECIFIED
#   limits    ((word, number), …) without zeros
#   lifetime  days until the password expires, 0 is never; the default is the server's own default
#   reuse     (passwords, days) that must not be used again
#   current   Y or N: a change asks for the current password
#   failures  (attempts, days of lock)
#   attribute JSON text
#   expired   the password must be changed first
#   locked    nobody can log in
PARTS = ("login", "second", "tls", "limits", "lifetime", "reuse", "current", "failures", "attribute", "expired", "locked")
# From the least to the most that is demanded.
TLS_DEMANDS = ("", "ANY", "X509", "SPECIFIED")
# Parts that hold people off and that not every version has: an account that cannot have them must not be made without them.
GUARDS = ("expired", "locked")

ROLE_OPTIONS: t.Mapping[str, t.Any] = {"login": (("", ""),), "expired": True, "locked": True}


def label(key: Key) -> str:
    """Return an account's name for people to read or paste."""
    user, host = key
    return quote_account(user, "").rpartition("@")[0] if host == NO_HOST else quote_account(user, host)


def as_pattern(schema: str) -> str:
    """Return the pattern that only this schema matches."""
    return schema.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def pattern_parts(pattern: str) -> list[tuple[str, bool]]:
    """Return the characters of a schema pattern, each with whether it is a wildcard."""
    parts: list[tuple[str, bool]] = []
    escaped = False
    for letter in pattern:
        if letter == "\\" and not escaped:
            escaped = True
            continue
        parts.append((letter, letter in "%_" and not escaped))
        escaped = False
    return [*parts, ("\\", False)] if escaped else parts


def specificity(pattern: str) -> float:
    """Return a number by which MySQL orders the patterns that match one schema: only the one with the largest counts.

    It is the place of the first wildcard in bytes, escapes counted; one without any comes before all others.
    """
    escaped = False
    for place, letter in enumerate(pattern):
        if escaped or letter not in "\\%_":
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            return len(pattern[:place].encode())
    return math.inf


def matches_schema(pattern: str, schema: str) -> bool:
    """Tell whether a pattern means a schema, by the letter: a server that does not tell upper from lower case keeps both in lower."""
    text = "".join((".*" if letter == "%" else ".") if wild else re.escape(letter) for letter, wild in pattern_parts(pattern))
    return re.fullmatch(text, schema, re.DOTALL) is not None


def literal_schema(pattern: str) -> str | None:
    """Return the one schema that a pattern means, or None where it has wildcards."""
    parts = pattern_parts(pattern)
    return None if any(wild for _letter, wild in parts) else "".join(letter for letter, _wild in parts)


def describe(account: Account, login: str) -> dict[str, t.Any]:
    """Return an account for a diff: everything but what is a secret.

    :param login: what to say of its password, whose hash is a secret too
    """
    options = {name: value for name, value in account.options.items() if name not in ("login", "second")}
    plugins = [plugin for plugin, _stored in account.options.get("login", ()) if plugin]
    grants = [
        f"{', '.join(str(right) + (' WITH GRANT OPTION' if right.grantable else '') for right in sorted(rights))} ON {scope}"
        for scope, rights in sorted(account.grants.items())
    ]
    grants += [f"not {', '.join(sorted(names))} ON {schema}" for schema, names in sorted(account.restrictions.items())]
    return {
        "plugins": plugins,
        "password": login if plugins else "none",
        "second_password": "second" in account.options,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in sorted(options.items())},
        "grants": grants,
        "roles": [label(key) + (" WITH ADMIN OPTION" if admin else "") for key, admin in sorted(account.roles.items())],
        "default_roles": [label(key) for key in sorted(account.default_roles)],
    }
