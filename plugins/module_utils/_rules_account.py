# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the account that the replica logs in with."""

from __future__ import annotations

from ._facts import Facts
from ._rule import (
    GIVE_CA,
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

LONGEST_PASSWORD = 32


def _password_length(facts: Facts) -> Outcome:
    password = facts.desired.replication_password
    if not password:
        return not_applicable("no password was given")
    return check(len(password) <= LONGEST_PASSWORD, f"{len(password)} characters")


def _password_alphabet(facts: Facts) -> Outcome:
    password = facts.desired.replication_password
    if not password:
        return not_applicable("no password was given")
    strange = sum(not " " < letter <= "~" for letter in password)
    return check(not strange, f"{strange} characters beyond printable ASCII")


def _tls_demanded(facts: Facts) -> Outcome:
    if facts.desired.link_ca:
        return passed("the link uses TLS")
    demands = ["require_secure_transport"] if facts.source.on("require_secure_transport") else []
    demands += [f"{account.user}@{account.host}: REQUIRE" for account in facts.source.replication_accounts if account.tls]
    return check(not demands, ", ".join(demands) or "nobody demands TLS", **listed(demands))


_TLS_PLUGINS = ("caching_sha2_password", "sha256_password")


def _plugin(facts: Facts) -> Outcome:
    if facts.desired.link_ca:
        return passed("the link uses TLS")
    found = [f"{account.user}@{account.host}: {account.plugin}" for account in facts.source.replication_accounts if account.plugin in _TLS_PLUGINS]
    if not facts.source.replication_accounts:
        return not_applicable("there is no account yet")
    return check(not found, ", ".join(found) or None, **listed(found))


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
        "The replication password means the same in every character set",
        MANUAL,
        _password_alphabet,
        WARNING,
        needs_login=False,
        required="printable ASCII without blanks",
        remedy="choose a datain_replication_password of letters, digits and punctuation",
    ),
    Rule(
        "link.tls_demanded",
        "source",
        "A source that demands TLS gets it",
        PAGE,
        _tls_demanded,
        needs=("source.replication_accounts",),
        remedy=GIVE_CA,
    ),
    Rule(
        "link.plugin_needs_tls",
        "source",
        "The account's plugin works on a link like this",
        MANUAL,
        _plugin,
        needs=("source.replication_accounts",),
        required="TLS, or mysql_native_password: the procedures cannot ask for the server's key (2061)",
        remedy=GIVE_CA,
    ),
)
