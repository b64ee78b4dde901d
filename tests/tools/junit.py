# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of tests as JUnit XML: written by the parts that are not pytest, read by the aggregator."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """One test: it passed when it has no reason."""

    name: str
    seconds: float = 0.0
    reason: str = ""


def write(path: Path, suite: str, results: Iterable[Result]) -> None:
    """Write the results in the form that pytest uses too."""
    root = ET.Element("testsuites")
    element = ET.SubElement(root, "testsuite", name=suite)
    for result in results:
        case = ET.SubElement(element, "testcase", classname=suite, name=result.name, time=f"{result.seconds:.3f}")
        if result.reason:
            failure = ET.SubElement(case, "failure", message=_printable(result.reason.strip().splitlines()[0]))
            failure.text = _printable(result.reason)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def read(path: Path) -> list[Result]:
    """Read every test of a file; a skipped one has not passed."""
    results = []
    for case in ET.parse(path).getroot().iter("testcase"):
        reason = ""
        for child in case:
            if child.tag in {"failure", "error", "skipped"}:
                message, text = (child.get("message") or "").strip(), (child.text or "").strip()
                # pytest's message is the whole exception; others have only the first line of the text there.
                message = text if text.startswith(message) else message
                message = message or "no reason given"
                reason = f"skipped: {message}" if child.tag == "skipped" else message
                break
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        results.append(Result(name, float(case.get("time") or 0), reason))
    return results


def _printable(text: str) -> str:
    """XML knows no control characters."""
    return "".join(char for char in text if char in "\n\t" or char >= " ")
