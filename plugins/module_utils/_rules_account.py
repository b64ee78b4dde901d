# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the account that the replica logs in with."""

from __future__ import annotations

import typing as t

from ._facts import Account, Facts
from ._rule import (
    GIVE_CA,
    HOW_TO,
    INFO,
    MANUAL,
    PAGE,
    WARNING,
    Outcome,
    Rule,
    check,
    listed,
    not_applicable,
    passed,
)
from ._sql import quote_identifier

LONGEST_PASSWORD = 32


def _password_length(facts: Facts) -> Outcome:
    password = facts.desired.replication_password
    if not password:
        return not_applicable("no password was given")
    return check(len(password) <= LONGEST_PASSWORD, f"{len(password)} characters")


# What a procedure trips over that puts its statement together without quoting: nobody can look into those of a managed server.
_QUOTES = "'\"\\"


def _password_alphabet(facts: Facts) -> Outcome:
    password = facts.desired.replication_password
    if not password:
        return not_applicable("no password was given")
    strange, quotes = sum(not " " < letter <= "~" for letter in password), sum(letter in _QUOTES for letter in password)
    return check(not strange + quotes, f"{strange} characters beyond printable ASCII, {quotes} quotes and backslashes")


def _tls_demanded(facts: Facts) -> Outcome:
    if facts.desired.link_ca:
        return passed("the link uses TLS")
    demands = ["require_secure_transport"] if facts.source.on("require_secure_transport") else []
    demands += [f"{account.user}@{account.host}: REQUIRE" for account in facts.replication_accounts if account.tls]
    return check(not demands, ", ".join(demands) or "nobody demands TLS", **listed(demands))


_TLS_PLUGINS = ("caching_sha2_password", "sha256_password")


def _plugin(facts: Facts) -> Outcome:
    if facts.desired.link_ca:
        return passed("the link uses TLS")
    found = [f"{account.user}@{account.host}: {account.plugin}" for account in facts.replication_accounts if account.plugin in _TLS_PLUGINS]
    if not facts.replication_accounts:
        return not_applicable("there is no account yet")
    return check(not found, ", ".join(found) or None, **listed(found))


_OVER_THE_NETWORK = ("mysql_native_password", "caching_sha2_password", "sha256_password", "ed25519", "parsec")


def _remote_plugin(facts: Facts) -> Outcome:
    found = [f"{account.user}@{account.host}: {account.plugin}" for account in facts.replication_accounts if account.plugin]
    if not found:
        return not_applicable("there is no account yet")
    wrong = [text for text in found if text.rpartition(": ")[2] not in _OVER_THE_NETWORK]
    return check(not wrong, ", ".join(found), **listed(wrong))


# Accounts that a server makes for itself, or that only its own machine can use.
_OF_THE_SERVER = ("mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "root", "mysql", "")


def _of_users(facts: Facts) -> list[Account]:
    """The source's accounts that people and programs use: not the server's own, not ours, not the link's."""
    ours = {*_OF_THE_SERVER, facts.source.login_user, facts.desired.replication_user}
    return [account for account in facts.source.accounts if account.user not in ours and account.host]


def _shown(accounts: t.Iterable[Account]) -> dict[str, t.Any]:
    return listed(f"{quote_identifier(account.user)}@{quote_identifier(account.host)}" for account in accounts)


def _accounts(facts: Facts) -> Outcome:
    there = {(account.user, account.host) for account in facts.replica.accounts}
    lacking = [account for account in _of_users(facts) if (account.user, account.host) not in there]
    return check(not lacking, f"{len(lacking)} accounts" if lacking else "none is lacking", **_shown(lacking))


def _account_plugins(facts: Facts) -> Outcome:
    strange = [account for account in _of_users(facts) if account.plugin and account.plugin not in facts.replica.abilities.plugins]
    return check(not strange, ", ".join(sorted({account.plugin for account in strange})) or None, **_shown(strange))


RULES: tuple[Rule, ...] = (
    Rule(
        "link.password_length",
        "source",
        "The replication password fits",
        MANUAL,
        _password_length,
        needs_login=False,
        required=f"at most {LONGEST_PASSWORD} characters: some servers cut a longer one off in silence",
        remedy="choose a shorter datain_replication_password",
    ),
    Rule(
        "link.password_alphabet",
        "source",
        "The replication password means the same in every character set and in every statement",
        MANUAL,
        _password_alphabet,
        WARNING,
        needs_login=False,
        required="printable ASCII without blanks, quotes and backslashes",
        remedy="choose a datain_replication_password of letters, digits and other punctuation",
    ),
    Rule(
        "link.tls_demanded",
        "source",
        "A source that demands TLS gets it",
        HOW_TO,
        _tls_demanded,
        needs=("source.accounts",),
        remedy=GIVE_CA,
    ),
    Rule(
        "link.plugin_needs_tls",
        "source",
        "The account's plugin works on a link like this",
        MANUAL,
        _plugin,
        needs=("source.accounts",),
        required="TLS, or mysql_native_password: the procedures cannot ask for the server's key (2061)",
        remedy=GIVE_CA,
    ),
    Rule(
        "link.plugin",
        "source",
        "The account's plugin takes a password over the network",
        MANUAL,
        _remote_plugin,
        needs=("source.accounts",),
        required="mysql_native_password or caching_sha2_password",
        remedy="let the source's play make the account again, or ALTER USER it to mysql_native_password or caching_sha2_password",
    ),
    Rule(
        "accounts.missing",
        "pair",
        "The accounts of the source are there on the replica",
        PAGE,
        _accounts,
        INFO,
        needs=("source.accounts", "replica.accounts"),
        required="accounts and grants are not replicated",
        remedy="create those that the applications need on the replica too, before the cutover",
    ),
    Rule(
        "accounts.plugins",
        "pair",
        "The replica has the plugins that the accounts of the source log in by",
        MANUAL,
        _account_plugins,
        WARNING,
        needs=("source.accounts", "replica.abilities"),
        remedy="give these accounts another plugin and a new password on the replica: ALTER USER … IDENTIFIED WITH caching_sha2_password BY …",
    ),
)
