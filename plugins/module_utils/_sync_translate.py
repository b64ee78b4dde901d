# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What an account of the source is on the replica: as much of it as fits, never more, and a note for whatever does not fit."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass, field, replace

from ._dialect import Dialect
from ._services import Service
from ._sync_values import (
    GLOBAL,
    GRANT_OPTION,
    GUARDS,
    SCHEMA,
    TABLE,
    Account,
    Key,
    Right,
    Scope,
    as_pattern,
    label,
    literal_schema,
    matches_schema,
    specificity,
)

# Ways to log in that depend on nothing but what is stored with the account; others ask the source's own system.
_CARRIED = (
    "mysql_native_password",
    "caching_sha2_password",
    "sha256_password",
    "ed25519",
    "parsec",
    "mysql_no_login",
)
_READING = frozenset(("SELECT", "SHOW VIEW", "EXECUTE", GRANT_OPTION))
# Schemas that the server makes of itself. Nothing can be granted on the first, which everybody reads; on the second no more than this (1044).
_INFORMATION, _PERFORMANCE = "information_schema", "performance_schema"
_OF_PERFORMANCE = frozenset(("SELECT", "LOCK TABLES", GRANT_OPTION))


@dataclass(frozen=True)
class Note:
    """Something of an account that is not on the replica as it is on the source.

    :param rule: which finding it belongs to
    :param what: the part of the account
    """

    rule: str
    account: Key
    what: str
    why: str

    def to_result(self) -> dict[str, t.Any]:
        return {"rule": self.rule, "account": label(self.account), "what": self.what, "why": self.why}


@dataclass(frozen=True)
class Target:
    """What the replica takes.

    :param plugins: the authentication plugins that are active
    :param rights: the global rights that the login may pass on
    :param restrictions: by schema, those of them that do not hold there; whoever gets them from the login gets that too
    :param literal: names of schemas in grants have no wildcards (partial_revokes)
    :param lower_case: names of schemas and tables are kept in lower case
    :param schemas: the schemas of the source, for patterns where there are no wildcards
    :param missing: what grants are about and the replica does not have: a scope with a column, or an empty one
    """

    dialect: Dialect
    service: Service
    plugins: frozenset[str] = frozenset()
    rights: frozenset[str] = frozenset()
    restrictions: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    literal: bool = False
    lower_case: bool = False
    schemas: tuple[str, ...] = ()
    missing: frozenset[tuple[Scope, str]] = frozenset()


class _Translation:
    """One account under way; every method keeps what fits and notes what does not."""

    def __init__(self, account: Account, target: Target) -> None:
        self.account = account
        self.target = target
        self.notes: list[Note] = []

    def note(self, rule: str, what: t.Any, why: str) -> None:
        self.notes.append(Note(rule, self.account.key, str(what), why))

    # The account itself

    def obstacle(self) -> tuple[str, str] | None:
        """Tell what of the account keeps all of it from being carried, and why."""
        account, dialect = self.account, self.target.dialect
        if account.role and not dialect.default_role:
            return "role", "this version has no roles"
        if len(account.user) > dialect.account_name:
            return "name", f"it has {len(account.user)} characters; this version takes {dialect.account_name}"
        if account.second_factor:
            return "second factor", "with its first factor alone the account would be more open than on the source"
        for part in GUARDS:
            if part in account.options and part not in dialect.account_parts:
                return part, "this version cannot have it, and without it the account would be more open than on the source"
        ways = account.options.get("login", ())
        if ways and not any(self._usable(plugin, stored) for plugin, stored in ways):
            return "login", "; ".join(self._why(plugin) for plugin, _stored in ways)
        return None

    def _usable(self, plugin: str, stored: str) -> bool:
        if not plugin:
            return True
        writable = self.target.dialect.hash_as_hex or bytes.fromhex(stored).isascii()
        return plugin in _CARRIED and plugin in self.target.plugins and writable

    def _why(self, plugin: str) -> str:
        if plugin not in _CARRIED:
            return f"{plugin} depends on the source's own system"
        if plugin not in self.target.plugins:
            return f"the plugin {plugin} is not active"
        return f"{plugin}: this version takes no hash with such characters"

    def options(self) -> dict[str, t.Any]:
        known = self.target.dialect.account_parts | {"login", "tls", "limits"}
        kept = dict(self.account.options)
        for part in sorted(set(kept) - known):
            self.note("accounts.part", part.replace("second", "second password"), "this version cannot have it")
            del kept[part]
        ways = kept.get("login", ())
        for plugin, stored in ways:
            if not self._usable(plugin, stored):
                self.note("accounts.login", plugin, self._why(plugin))
        usable = tuple(way for way in ways if self._usable(*way))
        if usable:
            kept["login"] = usable
        if any(plugin and not stored and plugin != "mysql_no_login" for plugin, stored in usable) and "locked" not in kept:
            self.note("accounts.open", "no password", "anybody who knows its name can log in, as on the source")
        return kept

    # What it may do

    def _passed(self, rights: t.Iterable[Right], scope: Scope, *, schema: str = "") -> frozenset[Right]:
        """Return the rights that the login may pass on, about a scope."""
        target = self.target
        here = target.rights - target.restrictions.get(schema, frozenset())
        kept: set[Right] = set()
        left: defaultdict[str, list[Right]] = defaultdict(list)
        for right in sorted(rights):
            for name in dict(target.dialect.renamed_rights).get(right.name, (right.name,)):
                now = replace(right, name=name)
                if schema in target.service.read_only_schemas and name not in _READING:
                    left[f"nobody may write to the schema {schema} there"].append(now)
                elif schema == _PERFORMANCE and name not in _OF_PERFORMANCE:
                    left[f"nobody is given that on {schema}"].append(now)
                elif name in here:
                    kept.add(now)
                elif name in target.service.withheld:
                    left["the service gives it to nobody"].append(now)
                else:
                    left["our own login may not pass it on"].append(now)
        for why, those in left.items():
            self.note("accounts.privilege", f"{', '.join(map(str, those))} ON {scope}", why)
        return frozenset(kept)

    def everywhere(self) -> tuple[frozenset[Right], dict[str, frozenset[str]]]:
        """Return the global rights, and by schema those that do not hold there."""
        rights = self._passed(self.account.rights(GLOBAL), GLOBAL)
        restricted = self.account.restrictions
        if not self.target.literal:
            for schema, names in sorted(restricted.items()):
                for right in sorted(right for right in rights if right.name in names):
                    why = f"on the source it does not hold in {schema}, which needs partial_revokes on the replica"
                    self.note("accounts.privilege", f"{right} ON {GLOBAL}", why)
                    rights -= {right}
            return rights, {}
        names = {right.name for right in rights}
        both: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
        for mapping in (restricted, self.target.restrictions):
            for schema, held in mapping.items():
                both[self._case(schema)] |= held & names
        return rights, {schema: held for schema, held in both.items() if held}

    def _case(self, name: str) -> str:
        return name.lower() if self.target.lower_case else name

    def _schemas(self) -> t.Iterator[tuple[Scope, str, str, frozenset[Right]]]:
        """Yield the rights on schemas: what they are about on the source and on the replica, the one schema that this is, if it is one, and the rights."""
        patterns = {scope: rights for scope, rights in sorted(self.account.grants.items()) if scope.kind == SCHEMA}
        for scope, rights in patterns.items():
            literal = literal_schema(scope.schema)
            if literal is not None:
                name = self._case(literal)
                yield scope, (as_pattern(name) if self.target.literal else self._case(scope.schema)), name, rights
            elif not self.target.literal:
                yield scope, self._case(scope.schema), "", rights
            else:
                found = [name for name in self.target.schemas if name != _INFORMATION and scope in _deciding(patterns, name)]
                if found != [scope.schema]:
                    now = ", ".join(found) or "no schema"
                    self.note("accounts.pattern", scope, f"with partial_revokes there are no wildcards: now it is {now}")
                for name in found:
                    # Of patterns that are equally narrow it is not said which counts: what all of them give is never too much.
                    of_all = frozenset.intersection(*(patterns[one] for one in _deciding(patterns, name)))
                    yield scope, as_pattern(self._case(name)), self._case(name), of_all

    def _there(self, scope: Scope, rights: frozenset[Right]) -> frozenset[Right]:
        """Return the rights about an object, or a column, that the replica has."""
        missing = self.target.missing
        why = "it is not there yet; the next run grants it when it is"
        if (scope, "") in missing and not (scope.kind == TABLE and Right("CREATE") in rights):
            self.note("accounts.object", f"{', '.join(map(str, sorted(rights)))} ON {scope}", why)
            return frozenset()
        gone = {right for right in rights if right.column and (scope, right.column) in missing}
        for right in sorted(gone):
            self.note("accounts.object", f"{right} ON {scope}", why)
        return rights - gone

    def grants(self, everywhere: frozenset[Right]) -> dict[Scope, frozenset[Right]]:
        found: defaultdict[Scope, frozenset[Right]] = defaultdict(frozenset)
        found[GLOBAL] = everywhere
        for scope, pattern, name, rights in self._schemas():
            found[Scope(SCHEMA, pattern)] |= self._passed(rights, scope, schema=name)
        for scope, rights in sorted(self.account.grants.items()):
            if scope.kind != SCHEMA and scope != GLOBAL:
                schema = self._case(scope.schema)
                here = Scope(scope.kind, schema, self._case(scope.name) if scope.kind == TABLE else scope.name)
                found[here] |= self._there(here, self._passed(rights, here, schema=schema))
        return {scope: rights for scope, rights in found.items() if rights}


def _deciding(patterns: t.Collection[Scope], schema: str) -> list[Scope]:
    """Return those of an account's patterns that decide about a schema: MySQL looks at the narrowest that matches, and at no other."""
    matching = [scope for scope in patterns if matches_schema(scope.schema, schema)]
    narrowest = max((specificity(scope.schema) for scope in matching), default=0)
    return [scope for scope in matching if specificity(scope.schema) == narrowest]


def translate(account: Account, target: Target) -> tuple[Account | None, list[Note]]:
    """Return what an account should be on the replica, or None if it cannot be there, and what is different.

    Roles are those of the source; which of them are there is not for one account to know.
    """
    under_way = _Translation(account, target)
    obstacle = under_way.obstacle()
    if obstacle:
        under_way.note("accounts.account", *obstacle)
        return None, under_way.notes
    options = under_way.options()
    everywhere, restrictions = under_way.everywhere()
    grants = under_way.grants(everywhere)
    for other in account.proxies:
        under_way.note("accounts.privilege", f"PROXY ON {other}", "our own login may not pass it on")
    return replace(account, options=options, grants=grants, restrictions=restrictions, proxies=()), under_way.notes
