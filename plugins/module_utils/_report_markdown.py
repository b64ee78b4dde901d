# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The report as Markdown for a comment on a pull request: what blocks first, and cut where a comment must end."""

from __future__ import annotations

import functools
import re
import typing as t

from ._report_document import FAILED, OK, UNKNOWN, WARNING, Document, as_dict
from ._report_words import (
    HEADLINES,
    blocks_of,
    counted,
    current,
    departed,
    findings_of,
    lag,
    minute,
    objects_of,
    tally,
    visible,
    waiver_of,
)

# What GitHub takes as one comment, in characters; others take more.
LIMIT = 65_536
# One hostile text must not push all others out.
_LONGEST = 2_000
_MARKS = {FAILED: "❌", UNKNOWN: "❔", WARNING: "⚠️", OK: "✅"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:$=\"'])")


def _clip(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _prose(value: t.Any) -> str:
    """Write text so that nothing in it is markup, a link, or calls for somebody."""
    return _escaped(_clip(visible(value)))


# The hosts of a fleet have the same to say.
@functools.lru_cache(maxsize=1024)
def _escaped(text: str) -> str:
    text = _SPECIAL.sub(r"\\\1", text)
    # An escape is undone before mentions and addresses are looked for: only something between takes them apart.
    return re.sub(r"@|(?<=\\#)|(?<=\\:)(?=//)|(?i:(?<=www))(?=\\\.)", lambda found: f"{found[0]}<!-- -->", text)


def _code(value: t.Any, *, in_table: bool = False) -> str:
    """Write text as code, in which nothing is markup, behind as many backticks as it needs."""
    text = _clip(visible(value)) or "-"
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    if in_table:
        text = text.replace("|", "\\|")
    return f"{fence}{pad}{text}{pad}{fence}"


def _row(host: Document) -> str:
    cells = [_code(host["host"], in_table=True)]
    cells += [_code(host[key], in_table=True) if host[key] else "" for key in ("source", "state")]
    cells += [_prose(lag(host)), str(len(host["blocks"]) or ""), minute(host["at"])]
    return f"| {_MARKS[host['verdict']]} | {' | '.join(cells)} |"


def _item(finding: Document, why: str) -> list[str]:
    lines = [f"- {_code(finding.get('rule'))} {why}"]
    seen = [f"{label} {_code(finding[label])}" for label in ("seen", "required") if finding.get(label)]
    objects = objects_of(finding)
    if seen:
        lines.append(f"  - {', '.join(seen)}")
    if objects:
        lines.append(f"  - {', '.join(map(_code, objects))}")
    if finding.get("remedy"):
        lines.append(f"  - mended by {_code(finding['remedy'])}")
    return lines


def _section(host: Document, findings: t.Iterable[tuple[Document, str]]) -> list[str]:
    items = ["\n".join(_item(finding, why)) for finding, why in findings]
    return [f"\n#### {_code(host['host'])}\n", *items] if items else []


def _blocks(host: Document) -> list[str]:
    return _section(host, [(block, _prose(block.get("summary"))) for block in blocks_of(host)])


def _rest(host: Document) -> list[str]:
    found = findings_of(host)
    said = [(finding, f"{_prose(finding.get('severity'))}: {_prose(finding.get('summary'))}") for finding in found.failed]
    said += [(finding, f"{_prose(waiver_of(finding))} ({_prose(finding.get('summary'))})") for finding in found.waived]
    said += [(finding, f"unknown: {_prose(finding.get('summary'))}") for finding in found.unknown]
    lines = _section(host, said)
    return [*lines, *([f"- {counted(host)}"] if counted(host) else [])] if lines else []


def _steps(host: Document) -> list[str]:
    steps = [
        f"- {_code(step.get('action'))} {_prose(step.get('target'))}" + (f": {_prose(step['reason'])}" if step.get("reason") else "")
        for step in map(as_dict, host["actions"])
    ]
    return [f"\n#### {_code(host['host'])}\n", *steps] if steps else []


def render(whole: Document, limit: int = LIMIT) -> str:
    """Write the report as Markdown of at most so many characters; a note says where it was cut."""
    hosts = current(whole)
    pieces = [f"### {_MARKS[whole['verdict']]} Data-in Replication: {HEADLINES[whole['verdict']]}\n"]
    pieces.append(f"{tally(whole)}; {minute(whole['at'])}\n")
    pieces += ["|  | host | source | state | lag | blocks | looked at |\n|---|---|---|---|--:|--:|---|", *map(_row, hosts)]
    steps = "What would be done" if any(host["planned"] for host in hosts) else "What was done"
    for title, section in (("What blocks, and what mends it", _blocks), (steps, _steps), ("What does not block", _rest)):
        found = [line for host in hosts for line in section(host)]
        pieces += [f"\n### {title}", *found] if found else []
    left = [f"- {_code(host['host'])} has left the inventory; {_code(host['state'])} on {minute(host['at'])}" for host in departed(whole)]
    return _fit([*pieces, *(["", *left] if left else [])], limit)


def _fit(pieces: list[str], limit: int) -> str:
    """Put pieces one below the other while they fit."""
    note = "\n> Cut here, since a comment holds no more: the whole is in the pipeline's artifacts.\n"
    whole = "\n".join(pieces) + "\n"
    if len(whole) <= limit:
        return whole
    kept, length = [], len(note)
    for piece in pieces:
        length += len(piece) + 1
        if length > limit:
            break
        kept.append(piece)
    return "\n".join(kept) + "\n" + note
