# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about logging in, and about the versions of the two servers."""

from __future__ import annotations

import typing as t

from ._facts import Facts, Side
from ._model import MYSQL
from ._rule import (
    HOW_TO,
    MANUAL,
    PAGE,
    VERSIONS,
    WARNING,
    Outcome,
    Rule,
    check,
    dotted,
    failed,
    not_applicable,
    on_both,
    passed,
)

# Logins


def _login(side: str) -> t.Callable[[Facts], Outcome]:
    def evaluate(facts: Facts) -> Outcome:
        server: Side = getattr(facts, side)
        if isinstance(server.variables, dict):
            return passed(server.label)
        return failed(server.label, summary=server.variables.reason, remedy=server.variables.remedy)

    return evaluate


def _login_tls(side: str) -> t.Callable[[Facts], Outcome]:
    def evaluate(facts: Facts) -> Outcome:
        session = getattr(facts, side).tls
        if session is None:
            return failed("no TLS")
        return check(session.get("version") in ("TLSv1.2", "TLSv1.3"), f"{session.get('version')} {session.get('cipher')}")

    return evaluate


# Versions

# Releases between which the vendor supports replication, one step upwards at a time; innovation releases count as their major number.
_SERIES: dict[str, tuple[tuple[int, int], ...]] = {
    MYSQL: ((5, 5), (5, 6), (5, 7), (8, 0), (8, 4), (9, 0)),
}


def _series(side: Side) -> tuple[int, int]:
    """Return the release series: 8.0, 8.4, 9 as a whole, 10.11."""
    major, minor, _patch = side.version
    if side.is_mariadb:
        return major, minor
    return (major, 0) if major >= 9 else (8, 4) if (major, minor) > (8, 0) and major == 8 else (major, minor)


def _both_versions(facts: Facts) -> str:
    return f"source {dotted(facts.source.version)}, replica {dotted(facts.replica.version)}"


def _flavour(facts: Facts) -> Outcome:
    wanted = facts.desired.service.flavour
    found = {side.flavour for side in on_both(facts)}
    return check(found == {wanted}, f"source {facts.source.flavour}, replica {facts.replica.flavour}", required=wanted)


def _supported(facts: Facts) -> Outcome:
    oldest = facts.desired.service.oldest_source
    return check(facts.source.version >= oldest, dotted(facts.source.version), required=f"at least {oldest[0]}.{oldest[1]}")


def _same_version(facts: Facts) -> Outcome:
    return check(_series(facts.source) == _series(facts.replica), _both_versions(facts))


def _direction(facts: Facts) -> Outcome:
    if facts.source.flavour != facts.replica.flavour:
        return not_applicable("the servers are of different flavours")
    return check(_series(facts.source) <= _series(facts.replica), _both_versions(facts))


def _patch(facts: Facts) -> Outcome:
    if _series(facts.source) != _series(facts.replica):
        return not_applicable("the servers are of different series")
    return check(facts.source.version <= facts.replica.version, _both_versions(facts))


def _jump(facts: Facts) -> Outcome:
    known = _SERIES.get(facts.source.flavour, ())
    one, two = _series(facts.source), _series(facts.replica)
    if facts.source.flavour != facts.replica.flavour or one not in known or two not in known:
        return not_applicable("no steps between releases are known for these versions")
    return check(known.index(two) - known.index(one) <= 1, _both_versions(facts))


RULES: tuple[Rule, ...] = (
    Rule(
        "connection.source",
        "source",
        "The source lets us in",
        HOW_TO,
        _login("source"),
        needs_login=False,
        remedy="check datain_login_host, datain_login_port, datain_login_user and datain_login_password of the source",
    ),
    Rule(
        "connection.replica",
        "replica",
        "The managed server lets us in",
        HOW_TO,
        _login("replica"),
        needs_login=False,
        remedy="check datain_login_host, datain_login_port, datain_login_user and datain_login_password of the replica",
    ),
    Rule(
        "connection.source_tls",
        "source",
        "Our session with the source is encrypted, by TLS 1.2 or later",
        MANUAL,
        _login_tls("source"),
        WARNING,
        required="TLS 1.2 or later",
        remedy="datain_login_tls: required, on the source's host in the inventory",
    ),
    Rule(
        "connection.replica_tls",
        "replica",
        "Our session with the managed server is encrypted, by TLS 1.2 or later",
        HOW_TO,
        _login_tls("replica"),
        WARNING,
        required="TLS 1.2 or later",
        remedy="datain_login_tls: verify_identity, on the replica's host in the inventory",
    ),
    Rule(
        "version.flavour",
        "pair",
        "Both servers are of the flavour that the service is",
        PAGE,
        _flavour,
        remedy="choose the service whose flavour the source is: datain_service",
    ),
    Rule(
        "version.supported",
        "source",
        "The source is not older than the service allows",
        VERSIONS,
        _supported,
        remedy="upgrade the source",
    ),
    Rule(
        "version.pair",
        "pair",
        "Source and replica are of the same version",
        PAGE,
        _same_version,
        "same_version",
        required="the same release series",
        remedy="create the managed server in the version of the source",
    ),
    Rule(
        "version.direction",
        "pair",
        "The replica is not of an older series than the source",
        MANUAL,
        _direction,
        required="a replica of the same or a newer series",
        remedy="create the managed server in the version of the source, or upgrade it",
    ),
    Rule(
        "version.patch",
        "pair",
        "The replica is not of an older release of the same series than the source",
        MANUAL,
        _patch,
        WARNING,
        required="a replica of the same or a later release",
        remedy="upgrade the managed server in its next maintenance window",
    ),
    Rule(
        "version.jump",
        "pair",
        "The replica is at most one series newer than the source",
        MANUAL,
        _jump,
        WARNING,
        required="at most one step",
        remedy="upgrade the source to the series in between, or test the link with a copy",
    ),
)
