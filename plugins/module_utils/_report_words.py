# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The words that all renderings of a report share: what a host's findings are, in what order, and how any text is shown."""

from __future__ import annotations

import typing as t
import unicodedata

from ._report_document import FAILED, OK, UNKNOWN, WARNING, Document, as_dict, as_list

_SEVERITIES = ("error", "warning", "info")
# Format characters that emoji and scripts are written with, and that hide nothing.
_HARMLESS = "\u200c\u200d"
HEADLINES = {
    OK: "All is well",
    WARNING: "It works, with something to look at",
    FAILED: "Something stands in the way",
    UNKNOWN: "Not all could be looked at",
}


def visible(value: t.Any, keep: str = "") -> str:
    """Write a value so that no character in it hides or turns round what stands beside it.

    :param keep: control characters that the caller's format can hold
    """
    text = "" if value is None else str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if letter in keep or not _hides(letter) else _escape(letter) for letter in text)


def _hides(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and letter not in _HARMLESS


def _escape(letter: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter)
    code = ord(letter)
    return short or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")


def minute(at: t.Any) -> str:
    """Write a time of the report to the minute."""
    text = visible(at)
    return f"{text[:10]} {text[11:16]} UTC" if text[10:11] == "T" else text or "never"


def plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


class Findings(t.NamedTuple):
    """A host's findings, by what they ask of a person."""

    failed: list[Document]
    unknown: list[Document]
    waived: list[Document]
    passed: list[Document]
    not_applicable: list[Document]

    def __bool__(self) -> bool:
        return any(tuple(self))


def findings_of(host: Document) -> Findings:
    """Sort a host's findings; what blocks is not among the failed and unknown again."""
    blocking = {block["rule"] for block in blocks_of(host)}
    by_status: dict[str, list[Document]] = {name: [] for name in Findings._fields}
    for finding in map(as_dict, as_list(host["findings"])):
        status = finding.get("status")
        if status in by_status and not (status in ("failed", "unknown") and finding.get("rule") in blocking):
            by_status[status].append(finding)
    by_status["failed"].sort(key=severity_rank)
    return Findings(**by_status)


def counted(host: Document) -> str:
    """Count the rules that ask nothing of a person; only what judged all of them names each."""
    summary = as_dict(host["summary"])
    return f"{plural(summary['passed'], 'rule')} passed, {summary.get('not_applicable', 0)} not applicable" if summary.get("passed") else ""


def severity_rank(finding: Document) -> int:
    severity = finding.get("severity")
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def blocks_of(host: Document) -> list[Document]:
    """Return what blocks, each with all that its finding says."""
    by_rule = {finding.get("rule"): finding for finding in map(as_dict, as_list(host["findings"]))}
    return [{**by_rule.get(block.get("rule"), {}), **block} for block in map(as_dict, as_list(host["blocks"]))]


def objects_of(finding: Document) -> list[str]:
    """Name the first objects of a finding, and how many more there are."""
    names = [visible(name) for name in as_list(finding.get("objects"))]
    rest = (finding.get("object_count") or 0) - len(names)
    return [*names, f"and {rest} more"] if names and rest > 0 else names


def waiver_of(finding: Document) -> str:
    """Say until when and why a finding is accepted, or was."""
    waiver = as_dict(finding.get("waiver"))
    if not waiver:
        return ""
    verb = "was waived until" if waiver.get("ended") else "waived until"
    return f"{verb} {visible(waiver.get('until'))}: {visible(waiver.get('reason'))}"


def lag(host: Document) -> str:
    return "" if host["lag_seconds"] is None else f"{visible(host['lag_seconds'])} s"


def tally(whole: Document) -> str:
    """Count the hosts in one line."""
    summary = whole["summary"]
    words = ((FAILED, "in need of action"), (UNKNOWN, "not known"), (WARNING, "with something to look at"), (OK, "well"))
    return ", ".join(f"{summary[verdict]} {text}" for verdict, text in words if summary[verdict]) or "no host"


def current(whole: Document) -> list[Document]:
    """Return the hosts that the inventory has."""
    return [host for host in whole["hosts"] if host["in_inventory"]]


def departed(whole: Document) -> list[Document]:
    """Return the hosts that have left the inventory."""
    return [host for host in whole["hosts"] if not host["in_inventory"]]
