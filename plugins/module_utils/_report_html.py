# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The report as one HTML page that needs nothing beside it: no script, no font, no picture, no network."""

from __future__ import annotations

import html
import typing as t

from ._report_document import FAILED, OK, SOURCE, UNKNOWN, VERDICTS, WARNING, Document
from ._report_html_style import STYLE
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
    plural,
    visible,
    waiver_of,
)

_NAMES = {FAILED: "Action needed", UNKNOWN: "Not known", WARNING: "To look at", OK: "Well"}
_WAIVED = "waived"
_MARKS = {FAILED: "✕", UNKNOWN: "?", WARNING: "!", OK: "✓", _WAIVED: "–"}

# Nothing that a text could bring in is ever loaded or run.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#hosts">Skip to the hosts</a>
<header>
<p class="kicker">Data-in Replication report</p>
<h1 class="{verdict}"><span class="mark" aria-hidden="true">{mark}</span>{headline}</h1>
<p class="when">{count} as of <time datetime="{at}">{when}</time></p>
<dl class="tiles">{tiles}</dl>
</header>
<main>
{body}
</main>
<footer><p>Written by the Ansible collection datain.azure_mysql. The same report as data is in report.json beside this page.</p></footer>
</body>
</html>
"""


def _text(value: t.Any) -> str:
    return html.escape(visible(value))


def _name(value: t.Any) -> str:
    """Write a name from outside: letters that run from right to left do not turn their neighbours round."""
    return f"<bdi>{_text(value)}</bdi>"


def _pill(verdict: str, text: str) -> str:
    return f'<span class="pill {verdict}"><span aria-hidden="true">{_MARKS[verdict]}</span> {_text(text)}</span>'


def _tag(text: t.Any) -> str:
    return f'<span class="tag">{_text(text)}</span>'


def render(whole: Document) -> str:
    """Write the report as a page."""
    hosts = current(whole)
    verdict = whole["verdict"]
    body = [_overview(hosts), '<div id="hosts">', *(_host(number, host) for number, host in enumerate(hosts, 1)), "</div>"]
    return _PAGE.format(
        title=f"{HEADLINES[verdict]} – Data-in Replication",
        style=STYLE,
        verdict=verdict,
        mark=_MARKS[verdict],
        headline=HEADLINES[verdict],
        count=_count(hosts),
        at=_text(whole["at"]),
        when=minute(whole["at"]),
        tiles="".join(_tile(name, whole["summary"][name]) for name in VERDICTS),
        body="\n".join([*body, _departed(departed(whole))]),
    )


def _count(hosts: list[Document]) -> str:
    sources = sum(host["role"] == SOURCE for host in hosts)
    counts = ((len(hosts) - sources, "replica"), (sources, "source"))
    return " and ".join(plural(count, word) for count, word in counts if count) or "No host"


def _tile(verdict: str, count: int) -> str:
    return f'<div class="tile {verdict if count else "none"}"><dt>{_NAMES[verdict]}</dt><dd>{count}</dd></div>'


# The table of all hosts


def _overview(hosts: list[Document]) -> str:
    rows = "".join(_row(number, host) for number, host in enumerate(hosts, 1))
    return (
        '<section aria-labelledby="overview"><h2 id="overview">Overview</h2>'
        '<div class="scroll" role="region" aria-labelledby="overview" tabindex="0"><table>'
        "<thead><tr>"
        + "".join(f'<th scope="col">{name}</th>' for name in ("Host", "Verdict", "State", "Follows", "Service", "Lag", "Blocks", "Looked at"))
        + f"</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _row(number: int, host: Document) -> str:
    cells = (
        _pill(host["verdict"], _NAMES[host["verdict"]]),
        _text(host["state"]),
        _name(host["source"]) if host["source"] else _none(),
        _text(host["service"]) or ("source" if host["role"] == SOURCE else _none()),
        _text(lag(host)) or _none(),
        str(len(host["blocks"]) or "") or _none(),
        minute(host["at"]),
    )
    link = f'<th scope="row"><a href="#host-{number}">{_name(host["host"])}</a></th>'
    return f"<tr>{link}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _none() -> str:
    return '<span class="faint">–</span>'


# One host


def _host(number: int, host: Document) -> str:
    verdict = host["verdict"]
    found = findings_of(host)
    parts = [
        *(_finding(block, FAILED if verdict != UNKNOWN else UNKNOWN, "blocks") for block in blocks_of(host)),
        *(_finding(finding, WARNING, str(finding.get("severity"))) for finding in found.failed),
        _group("Waived", [_finding(finding, _WAIVED, "waived") for finding in found.waived], is_open=True),
        _group("Could not be judged", [_finding(finding, UNKNOWN, "unknown") for finding in found.unknown]),
        _group("Passed", [_line(finding) for finding in found.passed], listed=True),
        _group("Not applicable", [_line(finding) for finding in found.not_applicable], listed=True),
    ]
    body = "".join(parts) or f"<p class='calm'>{'Nothing is known yet.' if verdict == UNKNOWN else 'Nothing stands in the way.'}</p>"
    return (
        f'<article class="{verdict}" id="host-{number}" aria-labelledby="name-{number}">'
        f'<h2 id="name-{number}">{_name(host["host"])} {_pill(verdict, _NAMES[verdict])}</h2>'
        f"{_facts(host)}{body}</article>"
    )


_FACTS: tuple[tuple[str, t.Callable[[Document], str]], ...] = (
    ("State", lambda host: _text(host["state"])),
    ("Follows", lambda host: _name(host["source"]) if host["source"] else ""),
    ("Service", lambda host: _text(host["service"])),
    ("Version", lambda host: _text(host["version"])),
    ("Method", lambda host: _text(host["method"])),
    ("Lag", lambda host: _text(lag(host))),
    ("Applied", lambda host: _text(host["applied"])),
    ("Log end", lambda host: _text(host["log_end"])),
    ("Replicas", lambda host: _text(host["replicas"])),
    ("Looked at", lambda host: minute(host["at"])),
    ("Rules", lambda host: _text(counted(host))),
    ("Rules judged", lambda host: minute(host["findings_at"]) if host["findings_at"] not in (None, host["at"]) else ""),
)


def _facts(host: Document) -> str:
    return f'<dl class="facts">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _shown(host))}</dl>'


def _shown(host: Document) -> t.Iterator[tuple[str, str]]:
    for name, value in _FACTS:
        shown = value(host)
        if shown:
            yield name, shown


def _finding(finding: Document, verdict: str, word: str) -> str:
    rows = [
        ("Seen", f"<code>{_text(finding['seen'])}</code>" if finding.get("seen") else ""),
        ("Required", f"<code>{_text(finding['required'])}</code>" if finding.get("required") else ""),
        ("Objects", ", ".join(f"<code>{html.escape(name)}</code>" for name in objects_of(finding))),
        ("Waiver", _text(waiver_of(finding))),
        ("Asked by", _text(finding.get("document"))),
    ]
    details = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows if value)
    remedy = f'<p class="label">What mends it</p><pre tabindex="0">{_text(finding["remedy"])}</pre>' if finding.get("remedy") else ""
    return (
        f'<section class="finding {verdict}"><h3>{_text(finding.get("summary"))}</h3>'
        f"<p class='tags'>{_pill(verdict, word)}{_tag(finding.get('rule'))}</p>{remedy}"
        f'{f"<dl>{details}</dl>" if details else ""}</section>'
    )


def _line(finding: Document) -> str:
    return f"<li><span>{_text(finding.get('summary'))}</span> {_tag(finding.get('rule'))}</li>"


def _group(title: str, items: list[str], *, is_open: bool = False, listed: bool = False) -> str:
    if not items:
        return ""
    body = f"<ul>{''.join(items)}</ul>" if listed else "".join(items)
    return f'<details{" open" if is_open else ""}><summary>{title} <span class="count">{len(items)}</span></summary>{body}</details>'


def _departed(hosts: list[Document]) -> str:
    if not hosts:
        return ""
    items = "".join(f"<li>{_name(host['host'])}, {_text(host['state'])} on {minute(host['at'])}</li>" for host in hosts)
    return (
        '<section class="departed"><h2>No longer in the inventory</h2>'
        f"<p>These do not count. Taking a host out of the inventory unlinks nothing.</p><ul>{items}</ul></section>"
    )
