# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Evaluates every rule on both sides of a link, at once: facts are read, then judged, and nothing is written."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, replace

from . import (
    _documents,
    _probe,
    _rules_account,
    _rules_binlog,
    _rules_gtid,
    _rules_identity,
    _rules_link,
    _rules_objects,
    _rules_platform,
    _rules_reach,
    _rules_replica,
    _rules_rights,
    _rules_schema,
    _rules_storage,
    _rules_tls,
    _rules_variables,
    _rules_version,
)
from ._coordinates import explicit_start
from ._errors import ConnectError, DatainError, InputError
from ._facts import Desired, Facts
from ._facts_read import LIMIT, read_facts
from ._link_request import LINK_OPTIONS
from ._model import Finding
from ._rule import FAILED, NOT_APPLICABLE, PASSED, SEVERITIES, UNKNOWN, WAIVED, Rule, judge
from ._run import Capability, Context
from ._server import Server
from ._services import SERVICES

# In the order in which a person would look: can we see, what are the servers, how do they log, what do they hold.
_CATALOGUE = (
    _rules_version,
    _rules_rights,
    _rules_binlog,
    _rules_identity,
    _rules_gtid,
    _rules_variables,
    _rules_replica,
    _rules_account,
    _rules_tls,
    _rules_reach,
    _rules_link,
    _rules_platform,
    _rules_schema,
    _rules_storage,
    _rules_objects,
)
RULES: tuple[Rule, ...] = tuple(rule for part in _CATALOGUE for rule in part.RULES)
BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}

STATUSES = (PASSED, FAILED, WAIVED, NOT_APPLICABLE, UNKNOWN)
_NEVER = len(SEVERITIES)


@dataclass(frozen=True)
class Waiver:
    """Somebody's word that a finding is accepted for a time.

    :param until: the last day on which it counts
    """

    rule: str
    reason: str
    until: datetime.date


def parse_waivers(values: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Waiver, ...]:
    """Return waivers from options. Of two for one rule the later counts: a replica's own follow its source's.

    :raises InputError: no such rule, no reason, or no end date
    """
    found: dict[str, Waiver] = {}
    for value in values:
        rule, reason, until = (str(value.get(name) or "").strip() for name in ("rule", "reason", "until"))
        hint = "write datain_waivers as [{rule: binlog.retention, reason: why it is accepted, until: 2030-12-31}]"
        if rule not in BY_ID:
            raise InputError(
                f"a waiver names the rule {rule!r}, which does not exist",
                hint="see the list of rules in the documentation",
            )
        if not reason:
            raise InputError(f"the waiver of {rule} gives no reason", hint=hint)
        try:
            found[rule] = Waiver(rule, reason, datetime.date.fromisoformat(until))
        except ValueError as error:
            raise InputError(
                f"the waiver of {rule} has no end date of the form YYYY-MM-DD: {until!r}", hint=hint
            ) from error
    return tuple(found.values())


def waive(finding: Finding, waiver: Waiver | None, today: datetime.date) -> Finding:
    """Let a waiver stand for a finding while it lasts; one that has ended is shown, and the finding counts again."""
    if waiver is None or finding.status not in (FAILED, UNKNOWN):
        return finding
    ended = waiver.until < today
    shown = {"reason": waiver.reason, "until": waiver.until.isoformat(), "ended": ended}
    if ended:
        return replace(
            finding, waiver=shown, summary=f"{finding.summary} (its waiver ended on {waiver.until.isoformat()})"
        )
    return replace(finding, waiver=shown, status=WAIVED)


def evaluate(facts: Facts, waivers: t.Iterable[Waiver] = ()) -> list[Finding]:
    """Judge the facts by every rule. Every rule gives exactly one finding, in the order of the table."""
    by_rule = {waiver.rule: waiver for waiver in waivers}
    return [waive(judge(rule, facts), by_rule.get(rule.id), facts.today) for rule in RULES]


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else _NEVER


def blocking(findings: t.Iterable[Finding], fail_on: str = "error") -> list[Finding]:
    """Return the findings that block.

    Failed ones of at least this severity; and unknown ones among the few without which nobody can tell whether data would
    be overwritten. Any other unknown is shown and does not block. With ``none`` the question is answered as for ``error``.
    """
    least = _rank("error" if fail_on == "none" else fail_on)
    return [
        finding
        for finding in findings
        if _rank(finding.severity) >= least
        and (finding.status == FAILED or (finding.status == UNKNOWN and BY_ID[finding.rule].must_know))
    ]


def summarise(findings: t.Sequence[Finding], fail_on: str = "error") -> dict[str, t.Any]:
    """Count the findings by status and say whether the pair is ready."""
    blocked_by = [finding.rule for finding in blocking(findings, fail_on)]
    counts = {status: sum(finding.status == status for finding in findings) for status in STATUSES}
    return {**counts, "ready": not blocked_by, "blocked_by": blocked_by}


_GIVEN = (
    "method",
    "link_host",
    "link_port",
    "link_ca",
    "replication_user",
    "replication_password",
    "retention",
    "seed",
    "azure_resource_group",
    "azure_server_name",
)


def desired_from(parameters: dict[str, t.Any]) -> Desired:
    """Turn options into what rules care about.

    :raises InputError: the coordinates are half, or of no form that a server knows; a document is none
    """
    service = SERVICES[parameters["service"]]
    start = explicit_start(parameters.get("coordinates"), service.flavour)
    return Desired(
        service=service,
        schemas=tuple(parameters.get("schemas") or ()),
        siblings=tuple(parameters.get("siblings") or ()),
        coordinates=start.coordinates if start else None,
        gtid=(start.gtid if start else None) or "",
        documents=_documents.read(parameters.get("azure_documents") or ()),
        replica_host=parameters.get("login_host") or "",
        **{name: parameters[name] for name in _GIVEN if parameters.get(name)},
    )


def findings_for_pair(
    context: Context, parameters: dict[str, t.Any], *, given: t.Mapping[str, t.Any] | None = None
) -> list[Finding]:
    """Read both servers, whose logins have worked, and judge them.

    :param given: what was read already; see ``read_facts``
    :raises InputError: a waiver or the coordinates cannot be meant
    """
    return _findings(context, context.source, context.replica, parameters, given)


def _findings(
    context: Context,
    source: Server | DatainError,
    replica: Server | DatainError,
    parameters: dict[str, t.Any],
    given: t.Mapping[str, t.Any] | None = None,
) -> list[Finding]:
    waivers = parse_waivers(parameters.get("waivers") or ())
    limit = parameters.get("statement_timeout") or LIMIT
    facts = read_facts(source, replica, desired_from(parameters), limit=limit, given=given)
    return evaluate(replace(facts, reach=_probe.look(context, facts.replica.channels)), waivers)


def _open(context: Context, side: str) -> Server | DatainError:
    """Return the server, or what kept us from it: a finding like others, so that the other side is still looked at."""
    try:
        return context.source if side == "source" else context.replica
    except ConnectError as error:
        return error


def _run(context: Context) -> dict[str, t.Any]:
    options = context.parameters
    # What cannot be meant is said before a server is touched.
    parse_waivers(options["waivers"])
    desired_from(options)
    findings = _findings(context, _open(context, "source"), _open(context, "replica"), options)
    summary = summarise(findings, options["fail_on"])
    result: dict[str, t.Any] = {
        "changed": False,
        "findings": [finding.to_result() for finding in findings],
        "summary": summary,
    }
    if summary["blocked_by"] and options["fail_on"] != "none":
        result.update(failed=True, msg=message(findings, options["fail_on"]))
    return result


def sentence(finding: Finding) -> str:
    """Say in one line what a finding found; the remedy is for the caller to add."""
    text = f"{finding.rule}: {finding.summary}"
    if finding.seen:
        text += f" (seen: {finding.seen})"
    if finding.objects:
        rest = finding.object_count - len(finding.objects)
        text += f" [{', '.join(finding.objects)}{f' and {rest} more' if rest > 0 else ''}]"
    return text


def message(findings: t.Sequence[Finding], fail_on: str) -> str:
    """Say in one text what blocks, why, and what mends it."""
    blocked = blocking(findings, fail_on)
    lines = [f"{len(blocked)} of {len(findings)} rules block this link:"]
    lines += [sentence(finding) + (f" Remedy: {finding.remedy}" if finding.remedy else "") for finding in blocked]
    return "\n".join(lines)


PREREQUISITE_OPTIONS: dict[str, t.Any] = {
    **LINK_OPTIONS,
    "schemas": {"type": "list", "elements": "str", "default": []},
    "retention": {"type": "int", "default": 0},
    "seed": {"type": "str", "choices": ["dump", "external", "none", "mydumper"], "default": "dump"},
    "siblings": {"type": "list", "elements": "int", "default": []},
    "fail_on": {"type": "str", "choices": ["error", "warning", "none"], "default": "error"},
    "waivers": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "rule": {"type": "str", "required": True},
            "reason": {"type": "str", "required": True},
            "until": {"type": "str", "required": True},
        },
    },
    "statement_timeout": {"type": "int", "default": LIMIT},
    **_documents.DOCUMENT_OPTIONS,
    **_probe.PROBE_OPTIONS,
}

CAPABILITY = Capability(name="prerequisites", options=PREREQUISITE_OPTIONS, run=_run, prepare=_documents.prepare)
