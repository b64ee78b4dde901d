# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The statements that make accounts what a plan says, so that a run cut anywhere leaves none more open than it should be.

All that an account must lose goes before anything is given, and a lock comes before all else. A new account is locked until
it is complete, where the version has locks; one without a lock is made with everything that holds people off, and gets its
rights after that.
"""

from __future__ import annotations

import json
import typing as t
from collections import defaultdict
from dataclasses import dataclass

from ._sql import quote_identifier
from ._sync_plan import Change
from ._sync_translate import Target
from ._sync_values import GRANT_OPTION, NO_HOST, ROLE_OPTIONS, SCHEMA, TLS_DEMANDS, Account, Key, Right, Scope, literal_schema


@dataclass(frozen=True)
class Statement:
    """One statement with what is bound to it.

    :param takes: it takes a right or a role; that it cannot must not keep anything else from being taken, or a password from being changed
    """

    text: str
    values: tuple[t.Any, ...]
    step: str
    takes: bool = False


def _bound(text: str) -> str:
    """Return text that stands in a statement by itself, safe beside what is bound."""
    return text.replace("%", "%%")


def _merge_patch(before: t.Mapping[str, t.Any], now: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what makes the one object the other where objects are merged (RFC 7396): null takes a key away."""
    patch: dict[str, t.Any] = dict.fromkeys(before)
    for name, value in now.items():
        old = before.get(name)
        patch[name] = _merge_patch(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return patch


def _who(key: Key) -> tuple[str, tuple[str, ...]]:
    """Return how an account is named in a statement, and the values for that."""
    return ("%s", key[:1]) if key[1] == NO_HOST else ("%s@%s", key)


def _list(rights: t.Iterable[Right]) -> str:
    """Return rights as GRANT takes them, the columns of one right together."""
    rights = sorted(rights)
    columns: defaultdict[str, list[str]] = defaultdict(list)
    for right in rights:
        if right.column:
            columns[right.name].append(quote_identifier(right.column))
    plain = [right.name for right in rights if not right.column]
    return ", ".join(plain + [f"{name} ({', '.join(found)})" for name, found in columns.items()])


class _Writer:
    """The statements about one account."""

    def __init__(self, change: Change, target: Target) -> None:
        self.change = change
        self.target = target
        self.who, self.key = _who(change.account.key)
        self.locks = "locked" in target.dialect.account_parts and not self._hostless
        self.statements: list[Statement] = []

    @property
    def _hostless(self) -> bool:
        return self.change.account.host == NO_HOST

    def add(self, text: str, step: str, *values: t.Any, takes: bool = False) -> None:
        self.statements.append(Statement(text, values, f"{step} {self.change.account.label}", takes))

    # Clauses of CREATE USER and ALTER USER

    def _login(self, ways: t.Sequence[tuple[str, str]]) -> tuple[str, tuple[str, ...]]:
        dialect = self.target.dialect
        texts: list[str] = []
        values: list[str] = []
        for number, (plugin, stored) in enumerate(ways):
            clause = dialect.identified.format(plugin=plugin or dialect.tls_plugin)
            if number:
                clause = "OR " + clause.split(" ", 2)[2]
            if dialect.hash_as_hex and stored:
                clause = clause.replace("%s", f"0x{stored}")
            else:
                values.append(bytes.fromhex(stored).decode("utf-8"))
            texts.append(clause)
        return " ".join(texts), tuple(values)

    def _clauses(self, parts: t.Collection[str], options: t.Mapping[str, t.Any], before: Account | None) -> tuple[str, tuple[t.Any, ...]]:
        """Return the clauses of these parts, in the order of the grammar; ``expired`` and ``locked`` are not among them."""
        texts: list[str] = []
        values: list[t.Any] = []

        def clause(text: str, *bound: t.Any) -> None:
            texts.append(text)
            values.extend(bound)

        if "login" in parts and options.get("login"):
            text, bound = self._login(options["login"])
            clause(text, *bound)
        if "tls" in parts:
            kind, *demands = options.get("tls", ("",))
            words = [f"{word} %s" for word, demand in zip(("CIPHER", "ISSUER", "SUBJECT"), demands) if demand]
            plain = {"": "NONE", "ANY": "SSL", "X509": "X509"}
            clause(f"REQUIRE {plain.get(kind) or ' AND '.join(words)}", *(demand for demand in demands if demand))
        if "limits" in parts:
            gone = {word: 0 for word, _number in before.options.get("limits", ())} if before else {}
            limits = {**gone, **dict(options.get("limits", ()))}
            clause("WITH " + " ".join(f"{word} {number}" for word, number in limits.items()))
        if "lifetime" in parts:
            days = options.get("lifetime")
            clause("PASSWORD EXPIRE " + ("DEFAULT" if days is None else f"INTERVAL {days} DAY" if days else "NEVER"))
        if "reuse" in parts:
            passwords, days = options.get("reuse", (None, None))
            clause("PASSWORD HISTORY " + ("DEFAULT" if passwords is None else str(passwords)))
            clause("PASSWORD REUSE INTERVAL " + ("DEFAULT" if days is None else f"{days} DAY"))
        if "current" in parts:
            words = {None: "CURRENT DEFAULT", "Y": "CURRENT", "N": "CURRENT OPTIONAL"}
            clause("PASSWORD REQUIRE " + words[options.get("current")])
        if "failures" in parts:
            attempts, days = options.get("failures", (0, 0))
            clause(f"FAILED_LOGIN_ATTEMPTS {attempts} PASSWORD_LOCK_TIME {'UNBOUNDED' if days < 0 else days}")
        return " ".join(texts), tuple(values)

    def _attribute(self, parts: t.Collection[str]) -> None:
        """Write comment and attributes: what is not named stays, so what is to go is named as nothing."""
        if "attribute" not in parts:
            return
        before = json.loads((self.change.current.options.get("attribute") if self.change.current else None) or "{}")
        now = json.loads(self.change.account.options.get("attribute") or "{}")
        text = json.dumps(_merge_patch(before, now))
        self.add(f"ALTER USER {self.who} ATTRIBUTE %s", "describe", *self.key, text)

    def _second(self, parts: t.Collection[str]) -> None:
        """Set the old password that still works, by way of making it the account's for a moment."""
        if "second" not in parts:
            return
        second = self.change.account.options.get("second")
        if not second:
            self.add(f"ALTER USER {self.who} DISCARD OLD PASSWORD", "take the old password of", *self.key)
            return
        ((plugin, stored),) = self.change.account.options["login"]
        for number, one in enumerate((second, stored)):
            text, values = self._login([(plugin, one)])
            keep = " RETAIN CURRENT PASSWORD" if number else ""
            self.add(f"ALTER USER {self.who} {text}{keep}", "set both passwords of", *self.key, *values)

    # Rights

    def _on(self, scope: Scope) -> str:
        """Return what a right is about as a statement names it; where names have no wildcards, they have no escapes either."""
        name = literal_schema(scope.schema) if self.target.literal and scope.kind == SCHEMA else None
        return str(scope if name is None else Scope(SCHEMA, name))

    def _grant(self, scope: Scope, rights: t.Iterable[Right]) -> None:
        rights = set(rights)
        kinds = (
            {right for right in rights if not right.dynamic},
            {right for right in rights if right.dynamic and not right.grantable},
            {right for right in rights if right.dynamic and right.grantable},
        )
        for kind in kinds:
            option = Right(GRANT_OPTION) in kind or any(right.grantable for right in kind)
            words = _list(right for right in kind if right.name != GRANT_OPTION) or "USAGE"
            if kind:
                tail = " WITH GRANT OPTION" if option else ""
                self.add(f"GRANT {_bound(f'{words} ON {self._on(scope)}')} TO {self.who}{tail}", "grant rights to", *self.key)

    def _revoke(self, scope: Scope, rights: t.Iterable[Right]) -> None:
        # Dynamic rights first: after a REVOKE with GRANT OPTION, MySQL 8.0.33 does nothing when the session next revokes one.
        for dynamic in (True, False):
            kind = [right for right in rights if right.dynamic is dynamic]
            if kind:
                self.add(f"REVOKE {_bound(f'{_list(kind)} ON {self._on(scope)}')} FROM {self.who}", "take rights from", *self.key, takes=True)

    def _restrict(self, verb: str, word: str, schemas: t.Mapping[str, frozenset[str]]) -> None:
        for schema, names in sorted(schemas.items()):
            where = Scope(SCHEMA, schema)
            plain = names - {GRANT_OPTION}
            if plain:
                self.add(f"{verb} {_bound(f'{_list(map(Right, plain))} ON {where}')} {word} {self.who}", "restrict", *self.key)
            # In a statement of its own: revoked beside others, MySQL 8.0.33 leaves it as it was.
            if plain != names and verb == "GRANT":
                self.add(f"GRANT USAGE ON {_bound(str(where))} TO {self.who} WITH GRANT OPTION", "restrict", *self.key)
            elif plain != names:
                self.add(f"REVOKE GRANT OPTION ON {_bound(str(where))} FROM {self.who}", "restrict", *self.key)

    # In order

    def narrow(self) -> list[Statement]:
        """All that takes something from an account that exists, or holds people off it."""
        change = self.change
        if change.desired is None:
            kind = "ROLE" if self._hostless else "USER"
            self.add(f"DROP {kind} {self.who}", "remove", *self.key)
            return self.statements
        if change.current is None:
            return []
        parts = set(change.parts)
        if "locked" in change.desired.options if "locked" in parts else self._held:
            self.add(f"ALTER USER {self.who} ACCOUNT LOCK", "lock", *self.key)
        for role in change.leave:
            name, values = _who(role)
            self.add(f"REVOKE {name} FROM {self.who}", "take a role from", *values, *self.key, takes=True)
        for scope, rights in change.revoke.items():
            self._revoke(scope, rights)
        text, values = self._clauses(parts, change.desired.options, change.current)
        if text:
            self.add(f"ALTER USER {self.who} {text}", "change", *self.key, *values)
        self._second(parts)
        self._attribute(parts)
        if "expired" in change.desired.options and parts & {"expired", "login"}:
            self.add(f"ALTER USER {self.who} PASSWORD EXPIRE", "change", *self.key)
        return self.statements

    @property
    def _held(self) -> bool:
        """Tell whether an account is locked while it changes, since between two of the statements it would be more open than before and after.

        That is between a right and what restricts it, between a password and its end, and between an easier way in and what is taken.
        """
        change = self.change
        options, parts = (change.desired.options if change.desired else {}), set(change.parts)
        expires = "expired" in options and bool(parts & {"expired", "login"})
        before = change.current.options if change.current else {}
        demanded, demands = (TLS_DEMANDS.index(one.get("tls", ("",))[0]) for one in (before, options))
        opens = demands < demanded or ("expired" in parts and "expired" not in options)
        return self.locks and bool(change.restrict or expires or (opens and (change.revoke or change.leave)))

    def widen(self) -> list[Statement]:
        """All that gives something; a new account is made here."""
        change = self.change
        if change.desired is None:
            return []
        unlock = self._held or "locked" in change.parts
        if change.current is None:
            self._create()
            unlock = self.locks and not change.desired.role
        for scope, rights in change.grant.items():
            self._grant(scope, rights)
        self._restrict("REVOKE", "FROM", change.restrict)
        self._restrict("GRANT", "TO", change.unrestrict)
        for role in change.join:
            name, values = _who(role)
            admin = " WITH ADMIN OPTION" if change.desired.roles[role] else ""
            self.add(f"GRANT {name} TO {self.who}{admin}", "give a role to", *values, *self.key)
        if change.default_roles:
            names = [_who(role) for role in sorted(change.desired.default_roles)]
            values = [value for _name, found in names for value in found]
            text = self.target.dialect.default_role.format(roles=", ".join(name for name, _values in names) or "NONE", account=self.who)
            self.add(text, "set the default roles of", *values, *self.key)
        if unlock and "locked" not in change.desired.options:
            self.add(f"ALTER USER {self.who} ACCOUNT UNLOCK", "unlock", *self.key)
        return self.statements

    def _create(self) -> None:
        desired = t.cast(Account, self.change.desired)
        parts = set(self.change.parts)
        if desired.role:
            self.add(f"CREATE ROLE {self.who}", "create", *self.key)
            text, values = self._clauses(parts - ROLE_OPTIONS.keys(), desired.options, None)
            if text:
                self.add(f"ALTER USER {self.who} {text}", "change", *self.key, *values)
        else:
            options = desired.options
            if "second" in parts:
                options = {**options, "login": ((options["login"][0][0], options["second"]),)}
            text, values = self._clauses(parts, options, None)
            clauses = [*([text] if text else []), *(["ACCOUNT LOCK"] if self.locks else [])]
            self.add(f"CREATE USER {self.who} {' '.join(clauses)}", "create", *self.key, *values)
            if "second" in parts:
                text, values = self._login(desired.options["login"])
                self.add(f"ALTER USER {self.who} {text} RETAIN CURRENT PASSWORD", "set both passwords of", *self.key, *values)
            if "expired" in parts:
                self.add(f"ALTER USER {self.who} PASSWORD EXPIRE", "change", *self.key)
        self._attribute(parts)


def statements(change: Change, target: Target) -> tuple[list[Statement], list[Statement]]:
    """Return what takes from an account, and what gives to it."""
    return _Writer(change, target).narrow(), _Writer(change, target).widen()
