# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What a rule of the prerequisites is: one entry of a table with one small pure function. No rule connects."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ._dialect import Version
from ._facts import SHOWN, Facts, Named, Side, Unread
from ._model import Finding
from ._services import Service
from ._sql import quote_identifier

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (INFO, WARNING, ERROR)
PASSED, FAILED, WAIVED, NOT_APPLICABLE, UNKNOWN = "passed", "failed", "waived", "not_applicable", "unknown"

# The texts that rules come from. ``{service}`` is the page of the service at hand; a rule names it only if that page says so,
# whichever service it is.
PAGE = "{service}"
HOW_TO = "How to configure Data-in Replication (Microsoft)"
SERVER_PARAMETERS = "Server parameters (Microsoft)"
LIMITATIONS = "Limitations (Microsoft)"
VERSIONS = "Supported versions (Microsoft)"
CONTROL_PLANE = "Azure REST API reference (Microsoft)"
MANUAL = "Reference manual of the server"
MEASURED = "Measured on the lab's servers (docs/architecture.md)"

GIVE_CA = "give the CA of the source's certificate: datain_link_ca"


@dataclass(frozen=True)
class Outcome:
    """What one rule says about one pair of servers.

    :param seen: the value found, for a person
    :param required: what it must be, where that depends on the servers
    :param summary: one sentence, where the rule's own does not do
    :param severity: where this failure is of another severity than the rule
    :param remedy: where it depends on what was found; taken as it is
    :param words: what the rule's remedy is filled in with
    """

    status: str
    seen: str | None = None
    required: str | None = None
    summary: str | None = None
    objects: tuple[str, ...] = ()
    count: int = 0
    severity: str | None = None
    remedy: str | None = None
    words: t.Mapping[str, t.Any] = field(default_factory=dict)


def passed(seen: t.Any = None) -> Outcome:
    return Outcome(PASSED, None if seen is None else str(seen))


def failed(seen: t.Any = None, **more: t.Any) -> Outcome:
    return Outcome(FAILED, None if seen is None else str(seen), **more)


def not_applicable(why: str) -> Outcome:
    return Outcome(NOT_APPLICABLE, summary=why)


def unknown(why: str, remedy: str | None = None) -> Outcome:
    return Outcome(UNKNOWN, summary=why, remedy=remedy)


def check(right: bool, seen: t.Any = None, **more: t.Any) -> Outcome:
    return passed(seen) if right else failed(seen, **more)


def named(groups: t.Iterable[Named], *, quote: bool = True) -> dict[str, t.Any]:
    """Return the objects of some groups as an outcome takes them: the first few and the count."""
    groups = tuple(groups)
    pairs = sorted(pair for group in groups for pair in group.first)[:SHOWN]
    text = tuple(".".join(quote_identifier(part) if quote else part for part in pair) for pair in pairs)
    return {"objects": text, "count": sum(group.count for group in groups)}


def listed(objects: t.Iterable[str]) -> dict[str, t.Any]:
    """Return plain objects as an outcome takes them."""
    everything = sorted(objects)
    return {"objects": tuple(everything[:SHOWN]), "count": len(everything)}


@dataclass(frozen=True)
class Rule:
    """One documented requirement.

    :param id: stable; waivers and reports use it
    :param side: ``source``, ``replica`` or ``pair``
    :param title: what is true where the rule is kept
    :param document: the text that demands it
    :param evaluate: the facts to an outcome, without asking anything
    :param severity: ``error``, ``warning`` or ``info``; or a field of Service that holds it
    :param required: what is demanded, in short
    :param remedy: the command that mends it, with ``{group}``, ``{server}`` and the outcome's words filled in
    :param needs: the facts that it looks at, as ``side.field``; where one is unread the rule is unknown
    :param needs_login: needs the variables of its sides, which are there once a login worked
    :param must_know: unknown blocks like failed: to go on blindly could overwrite data
    :param all_needs: with those that every rule needs which needs a login
    """

    id: str
    side: str
    title: str
    document: str
    evaluate: t.Callable[[Facts], Outcome]
    severity: str = ERROR
    required: str | None = None
    remedy: str | None = None
    needs: tuple[str, ...] = ()
    needs_login: bool = True
    must_know: bool = False
    all_needs: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        sides = ("source", "replica") if self.side == "pair" else (self.side,)
        object.__setattr__(self, "all_needs", (*(f"{side}.variables" for side in sides if self.needs_login), *self.needs))

    def severity_for(self, service: Service) -> str:
        return self.severity if self.severity in SEVERITIES else str(getattr(service, self.severity))


def unread(facts: Facts, needs: t.Iterable[str]) -> Unread | None:
    """Return the first fact of some that could not be read."""
    for need in needs:
        side, _dot, name = need.partition(".")
        value = getattr(getattr(facts, side), name)
        if isinstance(value, Unread):
            return value
    return None


def judge(rule: Rule, facts: Facts) -> Finding:
    """Evaluate one rule; waivers come later."""
    missing = unread(facts, rule.all_needs)
    outcome = unknown(missing.reason, missing.remedy) if missing else rule.evaluate(facts)
    desired = facts.desired
    mends = outcome.status in (FAILED, UNKNOWN)
    remedy = outcome.remedy
    if remedy is None and outcome.status == FAILED and rule.remedy:
        words = {"group": desired.azure_resource_group, "server": desired.azure_server_name, **outcome.words}
        remedy = rule.remedy.format(**words)
    summary = outcome.summary or (rule.title if outcome.status == PASSED else f"Not met: {rule.title}")
    return Finding(
        rule=rule.id,
        side=rule.side,
        status=outcome.status,
        severity=outcome.severity or rule.severity_for(desired.service),
        summary=summary,
        seen=outcome.seen,
        required=outcome.required or rule.required,
        objects=outcome.objects,
        object_count=outcome.count,
        remedy=remedy if mends else None,
        document=rule.document.format(service=desired.service.document),
    )


def dotted(version: Version) -> str:
    return ".".join(map(str, version))


def set_on_replica(facts: Facts, name: str, value: str) -> str:
    """Return the command that sets a parameter of the managed server."""
    desired = facts.desired
    return desired.service.set_parameter.format(
        group=desired.azure_resource_group, server=desired.azure_server_name, name=name, value=value
    )


def set_on_source(facts: Facts, name: str, value: str, restart: bool = False) -> str:
    """Return how a variable of the source is set so that it stays so after a restart."""
    line = f"{name} = {value} below [mysqld] in the source's option file"
    text = value if value.isdigit() or value in ("ON", "OFF") else f"'{value}'"
    if restart:
        return f"{line}, then restart it (datain_source_restart: true lets onboard do that)"
    if facts.source.dialect.persistent:
        return f"SET PERSIST {name} = {text};"
    return f"SET GLOBAL {name} = {text}; and {line}"


def on_both(facts: Facts) -> tuple[Side, Side]:
    return facts.source, facts.replica
