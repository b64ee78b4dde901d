# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The replication account as a value: what is wanted, and what a server prints about one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from ._connection import Row
from ._dialect import Dialect
from ._password_hash import NATIVE, verifies
from ._sql import quote_account

AUTO = "auto"


@dataclass(frozen=True)
class Desired:
    """What the account should be.

    :param plugin: ``auto`` keeps a plugin that a link can use
    :param require_tls: the account demands TLS, as a link with a CA offers it
    :param relink: every attached link is to be made again afterwards, so what it logs in with may change under it
    """

    user: str
    host: str
    password: str = field(repr=False, default="")
    require_tls: bool = False
    plugin: str = AUTO
    present: bool = True
    relink: bool = False

    @property
    def label(self) -> str:
        return quote_account(self.user, self.host)


@dataclass(frozen=True)
class Grant:
    """One line of SHOW GRANTS.

    :param kind: ``privilege``, ``role``, ``proxy`` or ``default_role``
    :param names: privileges, or roles, as the server quotes them
    :param on: the object, as the server quotes it; for a proxy the other account
    :param grantable: WITH GRANT OPTION
    """

    kind: str
    names: tuple[str, ...]
    on: str = ""
    grantable: bool = False

    def __str__(self) -> str:
        names = self.names + (("GRANT OPTION",) if self.grantable else ())
        if self.kind == "default_role":
            return f"DEFAULT ROLE {names[0]}"
        text = ", ".join(names)
        return f"{text} ON {self.on}" if self.on else text


@dataclass(frozen=True)
class Account:
    """An account as the server has it.

    :param methods: (plugin, stored hash in hex) of every way to log in; MariaDB has several
    :param tls: ``none``, ``any`` or ``specific`` (a certificate is demanded)
    :param second: the password before this one still works (RETAIN CURRENT PASSWORD)
    :param grants: None if a line was not understood
    :param proven: the password logged in, where the stored value is of no known form
    """

    user: str
    host: str
    methods: tuple[tuple[str, str], ...] = field(repr=False, default=())
    tls: str = "none"
    locked: bool = False
    expired: bool = False
    second: bool = False
    grants: tuple[Grant, ...] | None = ()
    proven: bool | None = None

    def matches(self, password: str, plugin: str | None = None) -> bool | None:
        """Tell whether the password opens the account, by the plugin or by any; None where that cannot be told."""
        answers = [verifies(password, name, stored) for name, stored in self.methods if plugin in (None, name)]
        if any(answers):
            return True
        return self.proven if None in answers else False


@dataclass(frozen=True)
class AccountState:
    """Everything the decision needs, read from the source.

    :param account: None if there is none with this host part
    :param hosts: host parts of other accounts of the same name
    :param attached: sessions of replicas under this name: address and seconds; all replicas count in ``replicas``
    :param all_seen: False if other people's sessions are hidden from us, None if nothing depends on it
    :param attached_tls: whether every one of them uses TLS; None is unknown, or of no matter
    :param native_active: mysql_native_password is to be had
    :param mandatory_roles: roles that every account has, and none can lose
    """

    dialect: Dialect
    mariadb: bool
    account: Account | None = None
    hosts: tuple[str, ...] = ()
    attached: tuple[Row, ...] = ()
    replicas: int = 0
    all_seen: bool | None = None
    attached_tls: bool | None = None
    native_active: bool = True
    mandatory_roles: tuple[str, ...] = ()


# What the server prints


_NAME = r"(?:`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'|[^\s`'\".,()@]+)"
_ACCOUNT = rf"{_NAME}(?:@{_NAME})?"
_PRIVILEGE = rf"[A-Za-z_][A-Za-z_ ]*?(?: \({_NAME}(?:, {_NAME})*\))?"
_OBJECT = rf"(?:(?:TABLE|FUNCTION|PROCEDURE|PACKAGE BODY|PACKAGE) )?{_NAME}\.{_NAME}"
_LINES = (
    (
        "proxy",
        re.compile(rf"GRANT (?P<names>PROXY) ON (?P<on>{_ACCOUNT}) TO (?P<to>{_ACCOUNT})(?P<tail>.*)", re.DOTALL),
    ),
    (
        "privilege",
        re.compile(
            rf"GRANT (?P<names>{_PRIVILEGE}(?:, ?{_PRIVILEGE})*) ON (?P<on>{_OBJECT}) TO (?P<to>{_ACCOUNT})(?P<tail>.*)",
            re.DOTALL,
        ),
    ),
    (
        "role",
        re.compile(rf"GRANT (?P<names>{_ACCOUNT}(?:, ?{_ACCOUNT})*) TO (?P<to>{_ACCOUNT})(?P<tail>.*)", re.DOTALL),
    ),
    (
        "default_role",
        re.compile(rf"SET DEFAULT ROLE (?P<names>{_ACCOUNT}) FOR (?P<to>{_ACCOUNT})(?P<tail>)", re.DOTALL),
    ),
)
_ITEMS = {"privilege": re.compile(_PRIVILEGE + r"(?=, ?|$)"), "role": re.compile(_ACCOUNT)}
_QUOTED = re.compile(r"`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'")


def parse_grant(line: str) -> Grant | None:
    """Return one line of SHOW GRANTS as a value; None for one that is not understood.

    A partial revoke takes away from what other lines give, and goes with them: it counts as nothing.
    """
    if line.startswith("REVOKE "):
        return Grant("privilege", ())
    for kind, pattern in _LINES:
        found = pattern.fullmatch(line)
        if not found:
            continue
        items = _ITEMS.get(kind)
        names = tuple(items.findall(found["names"])) if items else (found["names"],)
        if kind == "privilege":
            names = tuple(name.strip().upper() if "(" not in name else name.strip() for name in names)
        grantable = "WITH" in (tail := _QUOTED.sub("", found["tail"])) and (
            "GRANT OPTION" in tail or "ADMIN OPTION" in tail
        )
        return Grant(
            kind, tuple(name for name in names if name != "USAGE"), found.groupdict().get("on") or "", grantable
        )
    return None


def account_mysql(row: Row) -> Account:
    """Read a row of mysql.user of any version; 5.6 keeps native hashes in a column of their own."""
    words = {key.lower(): value for key, value in row.items()}
    stored = words.get("stored_hex") or str(words.get("password") or "").encode("ascii", "replace").hex()
    tls = {"": "none", "ANY": "any"}.get(str(words.get("ssl_type") or ""), "specific")
    return Account(
        user=words["user"],
        host=words["host"],
        methods=((words.get("plugin") or NATIVE, stored),),
        tls=tls,
        locked=words.get("account_locked") == "Y",
        expired=words.get("password_expired") == "Y",
        second="additional_password" in json.loads(words.get("user_attributes") or "{}"),
    )


def account_mariadb(row: Row) -> Account:
    """Read a row of mysql.global_priv (MariaDB 10.4 and later)."""
    document = json.loads(row["document"])
    # In auth_or the empty element stands for what is written beside it.
    ways = [way or document for way in document.get("auth_or") or [document]]
    return Account(
        user=row["User"],
        host=row["Host"],
        methods=tuple(
            (
                way.get("plugin") or NATIVE,
                str(way.get("authentication_string") or "").encode("utf-8", "surrogatepass").hex(),
            )
            for way in ways
        ),
        tls={0: "none", 1: "any"}.get(document.get("ssl_type", 0), "specific"),
        locked=bool(document.get("account_locked")),
        expired=document.get("password_last_changed") == 0,
    )
