# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The report as JUnit XML: a host is a test suite, a rule is a test case.

What blocks is a failure, or an error where it could not be judged; what does not block is skipped with its reason, so that
a pipeline is red exactly where the playbook's exit status is.
"""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree

from ._report_document import UNKNOWN, Document
from ._report_words import blocks_of, current, findings_of, minute, objects_of, visible, waiver_of


class _Case(t.NamedTuple):
    """One test case.

    :param outcome: ``failure``, ``error``, ``skipped``, or empty for one that passed
    """

    name: str
    outcome: str = ""
    message: str = ""
    text: str = ""


def render(whole: Document) -> str:
    """Write the report as JUnit XML. Hosts that have left the inventory are not in it."""
    suites = ElementTree.Element("testsuites", name="datain.azure_mysql")
    for host in current(whole):
        _suite(suites, host)
    for outcome in ("tests", "failures", "errors", "skipped"):
        suites.set(outcome, str(sum(int(suite.get(outcome, "0")) for suite in suites)))
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(suites: ElementTree.Element, host: Document) -> None:
    name = visible(host["host"])
    cases = _cases(host)
    suite = ElementTree.SubElement(suites, "testsuite", name=name, tests=str(len(cases)))
    for attribute, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.outcome == outcome for case in cases)))
    if host["at"]:
        suite.set("timestamp", visible(host["at"])[:19])
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", name=visible(case.name), classname=name)
        if case.outcome:
            ElementTree.SubElement(element, case.outcome, message=case.message).text = case.text or None


def _cases(host: Document) -> list[_Case]:
    found = findings_of(host)
    cases = [_blocking(block, host) for block in blocks_of(host)]
    cases += [_Case(rule, "skipped", f"{severity}, does not block: {why}", text) for rule, severity, why, text in map(_said, found.failed)]
    cases += [_Case(rule, "skipped", f"unknown: {why}", text) for rule, _severity, why, text in map(_said, found.unknown)]
    cases += [
        _Case(_said(finding)[0], "skipped", f"{waiver_of(finding)} ({_said(finding)[2]})", _said(finding)[3])
        for finding in found.waived
    ]
    cases += [_Case(rule, "skipped", f"not applicable: {why}") for rule, _severity, why, _text in map(_said, found.not_applicable)]
    cases += [_Case(str(finding.get("rule"))) for finding in found.passed]
    if host["verdict"] == UNKNOWN and not host["blocks"]:
        return [_Case("looked at", "skipped", f"nothing is known yet; last looked at: {minute(host['at'])}"), *cases]
    return cases or [_Case("state")]


def _blocking(block: Document, host: Document) -> _Case:
    unjudged = block.get("status") == "unknown" or host["verdict"] == UNKNOWN
    rule, _severity, why, text = _said(block)
    return _Case(rule, "error" if unjudged else "failure", why, text)


def _said(finding: Document) -> tuple[str, str, str, str]:
    """Return a finding's rule, severity, sentence, and all the rest as text."""
    lines = [f"{label}: {visible(finding[key])}" for label, key in _REST if finding.get(key)]
    if finding.get("objects"):
        lines.append(f"objects: {', '.join(objects_of(finding))}")
    return str(finding.get("rule")), visible(finding.get("severity")), visible(finding.get("summary")), "\n".join(lines)


_REST = (("seen", "seen"), ("required", "required"), ("mended by", "remedy"), ("asked by", "document"))
