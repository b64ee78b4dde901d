# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Decides which accounts the replica should have, and what is to be done about each. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ._sync_translate import Note, Target, translate
from ._sync_values import GLOBAL, NO_HOST, PARTS, Account, Grants, Key, Right, Scope, describe, label

# Accounts of the servers themselves. What a distribution adds logs in by its socket, and cannot be carried anyway.
_SYSTEM = frozenset(("root", "mysql", "mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "PUBLIC"))

Accounts = t.Mapping[Key, Account]


@dataclass(frozen=True)
class Change:
    """What is to be done about one account.

    :param current: the account as it is; None if it is to be made
    :param desired: the account as it should be; None if it is to be removed
    :param parts: the options that differ
    :param revoke: rights that it must lose, and grant: rights that it lacks
    :param unrestrict: global rights that are to hold in a schema again, and restrict: those that are not to
    :param leave: roles that it must lose, and join: roles that it lacks
    :param default_roles: they differ
    """

    current: Account | None
    desired: Account | None
    parts: tuple[str, ...] = ()
    revoke: Grants = field(default_factory=dict)
    grant: Grants = field(default_factory=dict)
    restrict: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    unrestrict: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    leave: tuple[Key, ...] = ()
    join: tuple[Key, ...] = ()
    default_roles: bool = False

    @property
    def account(self) -> Account:
        return self.desired or self.current  # type: ignore[return-value]

    @property
    def action(self) -> str:
        return "remove" if self.desired is None else "create" if self.current is None else "change"

    @property
    def reason(self) -> str:
        """What differs, in words; never a value that is a secret."""
        if self.action == "remove":
            return "the source has no such account"
        words = list(self.parts) if self.current else ["role" if self.account.role else "account"]
        words += [f"without {', '.join(map(str, sorted(rights)))} ON {scope}" for scope, rights in sorted(self.revoke.items())]
        words += [f"{', '.join(map(str, sorted(rights)))} ON {scope}" for scope, rights in sorted(self.grant.items())]
        words += [f"restrictions in {schema}" for schema in sorted({*self.restrict, *self.unrestrict})]
        words += [f"without role {label(key)}" for key in self.leave] + [f"role {label(key)}" for key in self.join]
        return "; ".join(words + (["default roles"] if self.default_roles else []))


@dataclass(frozen=True)
class SyncPlan:
    """What is to be done about all accounts.

    :param selected: how many accounts and roles of the source the patterns mean, with the roles that these have
    :param changes: in an order in which a role comes before who has it
    :param notes: what will not be on the replica as it is on the source
    :param unmatched: patterns that mean no account of the source that could be carried
    """

    selected: int
    changes: tuple[Change, ...]
    notes: tuple[Note, ...]
    unmatched: tuple[str, ...] = ()

    @property
    def objects(self) -> frozenset[tuple[Scope, str]]:
        """The tables, columns and routines that rights to be granted are about; an empty column is the object itself."""
        found = ((scope, right) for change in self.changes for scope, rights in change.grant.items() for right in rights)
        return frozenset((scope, column) for scope, right in found if scope.name for column in ("", right.column))

    def diff(self) -> dict[str, dict[str, t.Any]]:
        before: dict[str, t.Any] = {}
        after: dict[str, t.Any] = {}
        for change in self.changes:
            name = change.account.label
            if change.current:
                before[name] = describe(change.current, "another" if "login" in change.parts else "as on the source")
            if change.desired:
                after[name] = describe(change.desired, "as on the source")
        return {"before": before, "after": after}


def _matches(pattern: str, key: Key) -> bool:
    user, separator, host = pattern.rpartition("@")
    return fnmatchcase(key[0], user if separator else pattern) and (not separator or fnmatchcase(key[1], host.lower()))


def matched(patterns: t.Sequence[str], key: Key) -> bool:
    """Tell whether patterns mean an account: one of them does, and none that begins with ``!``."""
    return any(_matches(pattern, key) for pattern in patterns if not pattern.startswith("!")) and not _excluded(patterns, key)


def _excluded(patterns: t.Sequence[str], key: Key) -> bool:
    return any(_matches(pattern[1:], key) for pattern in patterns if pattern.startswith("!"))


def select(accounts: Accounts, patterns: t.Sequence[str], foreign: t.Collection[str]) -> list[Key]:
    """Return the accounts that are meant, with all roles that they have and that are not excluded, each role before who has it.

    :param foreign: names of accounts that are the servers' and ours
    """
    order: list[Key] = []
    seen: set[Key] = set()

    def add(key: Key) -> None:
        if key in seen or key not in accounts or _is_system(key, foreign) or _excluded(patterns, key):
            return
        seen.add(key)
        for role in sorted(accounts[key].roles):
            add(role)
        order.append(key)

    for key in sorted(accounts):
        if matched(patterns, key):
            add(key)
    return order


def _is_system(key: Key, foreign: t.Collection[str]) -> bool:
    return key[0] in foreign or key[0] in _SYSTEM


def _with_roles(account: Account, carried: t.Collection[Key], target: Target) -> tuple[Account, list[Note]]:
    """Return the account with those of its roles that are on the replica too."""
    lacking = target.dialect.role_right and target.dialect.role_right not in target.rights
    why = f"our own login lacks {lacking}" if lacking else "the role is not carried"
    roles = {role: admin for role, admin in account.roles.items() if role in carried and not lacking}
    notes = [Note("accounts.role", account.key, f"role {label(role)}", why) for role in sorted(account.roles) if role not in roles]
    return replace(account, roles=roles, default_roles=account.default_roles & roles.keys()), notes


def _without(rights: frozenset[Right], others: frozenset[Right]) -> frozenset[Right]:
    """Return the rights that are not among others; what may be passed on there is here without that too."""
    return frozenset(right for right in rights if right not in others and replace(right, grantable=True) not in others)


def compare(current: Account | None, desired: Account, target: Target) -> tuple[Change | None, list[Note]]:
    """Return what makes the one account the other, or None, and what the login may not take away."""
    now = current or Account(desired.user, desired.host, desired.role)
    parts = {part for part in PARTS if now.options.get(part) != desired.options.get(part)}
    if "expired" in parts and "expired" not in desired.options:
        # Only a password that is set again has not expired.
        parts.add("login")
    if "login" in parts and "second" in desired.options:
        parts.add("second")
    scopes = sorted({*now.grants, *desired.grants})
    lost = {scope: _without(now.rights(scope), desired.rights(scope)) for scope in scopes}
    notes = [
        Note("accounts.extra", now.key, f"{right} ON {scope}", "our own login may not take it away")
        for scope, rights in lost.items()
        for right in sorted(rights)
        if right.name not in target.rights
    ]
    revoke = {scope: frozenset(right for right in rights if right.name in target.rights) for scope, rights in lost.items()}
    # With a right on a table goes the same right on single columns of it, also on MariaDB.
    again = {scope: frozenset(right for right in desired.rights(scope) if right.column and Right(right.name) in revoke[scope]) for scope in scopes}
    grant = {scope: (desired.rights(scope) - now.rights(scope)) | again[scope] for scope in scopes}
    held = {right.name for right in now.rights(GLOBAL)}
    schemas = sorted({*now.restrictions, *desired.restrictions})
    # What the login's own restrictions take away comes and goes with the right itself.
    restrict = {
        schema: desired.restrictions.get(schema, frozenset())
        - (now.restrictions.get(schema, frozenset()) if current else frozenset())
        - target.restrictions.get(schema, frozenset())
        for schema in schemas
    }
    unrestrict = {
        schema: (now.restrictions.get(schema, frozenset()) & held & {right.name for right in desired.rights(GLOBAL)})
        - desired.restrictions.get(schema, frozenset())
        - target.restrictions.get(schema, frozenset())
        for schema in schemas
    }
    change = Change(
        current,
        desired,
        tuple(part for part in PARTS if part in parts),
        {scope: rights for scope, rights in revoke.items() if rights},
        {scope: rights for scope, rights in grant.items() if rights},
        {schema: names for schema, names in restrict.items() if names},
        {schema: names for schema, names in unrestrict.items() if names},
        tuple(role for role, admin in sorted(now.roles.items()) if role not in desired.roles or (admin and not desired.roles[role])),
        tuple(role for role, admin in sorted(desired.roles.items()) if now.roles.get(role) is not admin),
        now.default_roles != desired.default_roles,
    )
    if change.leave and desired.default_roles:
        change = replace(change, default_roles=True)
    empty = replace(change, current=None, desired=None) == Change(None, None)
    return (None if current and empty else change), notes


def plan_accounts(
    source: Accounts,
    replica: Accounts,
    target: Target,
    *,
    patterns: t.Sequence[str],
    foreign: t.Collection[str] = (),
    remove: bool = False,
) -> SyncPlan:
    """Decide what makes the accounts that are meant on the replica what they are on the source.

    :param foreign: names of accounts that are the servers' and ours
    :param remove: accounts that the source does not have are to go, where the patterns mean them
    """
    chosen = select(source, patterns, foreign)
    notes: list[Note] = []
    desired: dict[Key, Account] = {}
    for key in chosen:
        account, found = translate(source[key], target)
        notes += found
        if account:
            desired[key], found = _with_roles(account, desired, target)
            notes += found
    changes: list[Change] = []
    for key, account in desired.items():
        current = replica.get(key)
        if current and current.role is not account.role and current.host == NO_HOST:
            notes.append(Note("accounts.account", key, "role", "the replica has an account of this name"))
            continue
        change, found = compare(current, account, target)
        notes += found
        if change:
            changes.append(change)
    if remove:
        changes += [
            Change(account, None) for key, account in sorted(replica.items()) if key not in source and matched(patterns, key) and not _is_system(key, foreign)
        ]
    everybody = source.get(("PUBLIC", NO_HOST))
    if everybody and everybody.grants and matched(patterns, everybody.key):
        notes.append(Note("accounts.account", everybody.key, "role", "what everybody may do is the replica's own affair"))
    unmatched = tuple(pattern for pattern in patterns if not pattern.startswith("!") and not any(_matches(pattern, key) for key in chosen))
    return SyncPlan(len(chosen), tuple(changes), tuple(notes), unmatched)
