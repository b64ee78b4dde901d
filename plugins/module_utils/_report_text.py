# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The report as a table for the terminal."""

from __future__ import annotations

import textwrap
import typing as t

from ._report_document import SOURCE, Document
from ._report_words import blocks_of, current, departed, findings_of, lag, minute, objects_of, tally, visible, waiver_of

WIDTH = 100


def _cell(value: t.Any) -> str:
    return visible(value) or "-"


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text.ljust(width)
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


# Columns: heading, value of a document, and the width below which it is never cut.
_Column = tuple[str, t.Callable[[Document], t.Any], int]
_LINKS: tuple[_Column, ...] = (
    ("replica", lambda d: d["host"], 20),
    ("source", lambda d: d["source"], 12),
    ("service", lambda d: str(d["service"] or "-").replace("_server", ""), 10),
    ("state", lambda d: d["state"], 16),
    ("lag", lag, 8),
    ("applied", lambda d: d["applied"], 12),
    ("verdict", lambda d: d["verdict"], 7),
)
_SOURCES: tuple[_Column, ...] = (
    ("source", lambda d: d["host"], 20),
    ("version", lambda d: d["version"], 12),
    ("state", lambda d: d["state"], 16),
    ("log end", lambda d: d["log_end"], 16),
    ("replicas", lambda d: d["replicas"], 8),
    ("verdict", lambda d: d["verdict"], 7),
)


def _widths(columns: tuple[_Column, ...], rows: list[list[str]]) -> list[int]:
    widths = [max(len(name), *(len(row[index]) for row in rows)) for index, (name, _value, _least) in enumerate(columns)]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        spare = [width - max(least, len(name)) for width, (name, _value, least) in zip(widths, columns)]
        widest = max(range(len(widths)), key=spare.__getitem__)
        if spare[widest] <= 0:
            break
        widths[widest] -= 1
    return widths


def _section(columns: tuple[_Column, ...], hosts: list[Document]) -> list[str]:
    rows = [[_cell(value(host)) for _name, value, _least in columns] for host in hosts]
    widths = _widths(columns, rows)
    lines = ["  ".join(_cut(name, width) for (name, _value, _least), width in zip(columns, widths)).rstrip()]
    lines.append("  ".join("-" * width for width in widths))
    for host, row in zip(hosts, rows):
        lines.append("  ".join(_cut(text, width) for text, width in zip(row, widths)).rstrip())
        lines += _below(host)
    return lines


def _below(host: Document) -> list[str]:
    """Say below a row what blocks and what mends it in full, and the rest by its name."""
    lines: list[str] = []
    for block in blocks_of(host):
        lines += _wrap("blocks", f"{visible(block['rule'])}: {visible(block['summary'])}{_seen(block)}")
        if block.get("remedy"):
            lines += _wrap("  mend", visible(block["remedy"]))
    found = findings_of(host)
    for label, some in (("to see", found.failed), ("unknown", found.unknown)):
        if some:
            lines += _wrap(label, ", ".join(visible(finding.get("rule")) for finding in some))
    for finding in found.waived:
        lines += _wrap("waived", f"{visible(finding.get('rule'))}: {waiver_of(finding)}")
    if found and host["findings_at"] != host["at"]:
        lines += _wrap("judged", minute(host["findings_at"]))
    return lines


def _seen(block: Document) -> str:
    seen = f" (seen: {visible(block['seen'])})" if block.get("seen") else ""
    objects = ", ".join(objects_of(block))
    return f"{seen} [{objects}]" if objects else seen


def _wrap(label: str, text: str) -> list[str]:
    return textwrap.wrap(f"{label}: {text}", WIDTH, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)


def render(whole: Document) -> str:
    """Write the report as aligned text, at most WIDTH columns wide."""
    return "\n".join(table(whole)) + "\n"


def table(whole: Document) -> list[str]:
    """Return the lines of the text."""
    lines: list[str] = []
    hosts = current(whole)
    for columns, chosen in (
        (_LINKS, [host for host in hosts if host["role"] != SOURCE]),
        (_SOURCES, [host for host in hosts if host["role"] == SOURCE]),
    ):
        if chosen:
            lines += [*_section(columns, chosen), ""]
    for host in departed(whole):
        lines += _wrap("left the inventory", f"{visible(host['host'])}, {visible(host['state'])} on {minute(host['at'])}")
    return [*lines, f"{tally(whole)}; {minute(whole['at'])}"]
