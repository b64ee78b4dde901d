# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The report of a run: one file for each host, merged into one document and one table, whoever writes last.

Hosts report one by one, in workers that know nothing of each other, with ``serial`` and ``--limit``: so each writes its
own file, and whoever holds the lock merges what is there.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import tempfile
import textwrap
import typing as t
import urllib.parse
from contextlib import contextmanager

from ._errors import InputError, ToolError
from ._run import Capability, Context

SCHEMA_VERSION = 1
WIDTH = 100
# What is asked of a report: has anything changed that somebody set? The rest is observed, and moves by itself.
_STABLE = ("host", "role", "service", "source", "state")
_BLANK: dict[str, t.Any] = {
    "schema_version": SCHEMA_VERSION,
    "host": None,
    "role": None,
    "service": None,
    "version": None,
    "source": None,
    "state": None,
    "method": None,
    "lag_seconds": None,
    "applied": None,
    "log_end": None,
    "replicas": None,
    "error": None,
    "findings": [],
    "summary": None,
    "actions": [],
    "changed": False,
    "at": None,
}

Document = dict[str, t.Any]


def _dict(value: t.Any) -> Document:
    return value if isinstance(value, dict) else {}


def _list(value: t.Any) -> list[t.Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _place(value: t.Any) -> str | None:
    """Write coordinates as one word."""
    if isinstance(value, str):
        return value or None
    place = _dict(value)
    if place.get("file"):
        return f"{place['file']}:{place.get('position')}"
    return place.get("gtid") or None


def _channel_error(link: Document) -> str | None:
    for name in ("receiver_error", "applier_error"):
        error = _dict(link.get(name))
        if error:
            return f"{error.get('code')}: {error.get('message')}"
    return None


def normalise(name: str, given: Document, now: str, **known: str | None) -> Document:
    """Turn what a play knows about one host into the host's document; every key of the schema is there.

    :param given: keys of the schema as they are; and ``plan`` and ``results``, results of this collection's modules in the
        order in which they ran, out of which the missing keys are made
    :param now: the time of the report, ISO 8601
    :param known: keys that count where neither says otherwise
    """
    parts = [_dict(part) for part in [given.get("plan"), *_list(given.get("results"))]]
    parts = [part for part in parts if part and not part.get("skipped")]
    planned = [_dict(part.get("plan")) for part in parts]
    document: Document = {**_BLANK, "findings": [], "actions": [], "host": name, "at": now}
    document.update({key: value for key, value in known.items() if value})
    for part in (*planned, *parts):
        findings = _list(part.get("findings"))
        document["findings"] = findings or document["findings"]
        if isinstance(part.get("summary"), dict):
            document["summary"] = part["summary"]
    for part in parts:
        document["actions"] += _list(part.get("actions"))
        document["changed"] = document["changed"] or bool(part.get("changed"))
        if part.get("failed"):
            document["error"] = str(part.get("msg") or "failed")
    for part in (*parts, *planned):
        _from_link(document, part)
    for part in (*parts, *planned):
        _from_source(document, part)
    if document["role"] is None:
        document["role"] = given.get("role")
    if document["state"] is None:
        document["state"] = (
            "failed" if document["error"] else ("ready" if given.get("role") == "source" and parts else "unknown")
        )
    document.update(
        {key: value for key, value in given.items() if key in _BLANK and key not in ("schema_version", "host")}
    )
    return document


def _from_link(document: Document, part: Document) -> None:
    replica = _dict(part.get("replica"))
    link = _dict(replica.get("link")) or _dict(part.get("link"))
    if replica.get("version"):
        document["version"] = replica["version"]
    if not link.get("state"):
        return
    document.update(
        state=link["state"],
        method=link.get("method"),
        lag_seconds=link.get("lag_seconds"),
        applied=(link.get("gtid_executed") if link.get("method") == "gtid" else None) or _place(link.get("applied")),
    )
    document["error"] = document["error"] or _channel_error(link)


def _from_source(document: Document, part: Document) -> None:
    source = _dict(part.get("source"))
    if source.get("version"):
        document["version"] = source["version"]
    if source.get("coordinates"):
        document["log_end"] = _place(source["coordinates"])
    if isinstance(source.get("replicas"), (list, tuple)):
        document["replicas"] = len(source["replicas"])


# The table


def _cell(value: t.Any) -> str:
    """Write a value in one line; a control character in a table could hide the rest of it."""
    text = "-" if value is None or value == "" else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text.ljust(width)
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def _short(value: t.Any) -> str:
    """Shorten an error to what fits in a column; the whole text stands below the row."""
    return "-" if not value else "below"


# Columns: heading, value of a document, and the width below which it is never cut.
_Column = tuple[str, t.Callable[[Document], t.Any], int]
_LINKS: tuple[_Column, ...] = (
    ("replica", lambda d: d["host"], 12),
    ("source", lambda d: d["source"], 10),
    ("service", lambda d: str(d["service"] or "-").replace("_server", ""), 14),
    ("state", lambda d: d["state"], 16),
    ("method", lambda d: d["method"], 8),
    ("lag", lambda d: None if d["lag_seconds"] is None else f"{d['lag_seconds']} s", 7),
    ("applied", lambda d: d["applied"], 16),
    ("error", lambda d: _short(d["error"]), 5),
)
_SOURCES: tuple[_Column, ...] = (
    ("source", lambda d: d["host"], 12),
    ("version", lambda d: d["version"], 12),
    ("state", lambda d: d["state"], 16),
    ("log end", lambda d: d["log_end"], 16),
    ("replicas", lambda d: d["replicas"], 8),
    ("error", lambda d: _short(d["error"]), 5),
)


def _section(columns: tuple[_Column, ...], documents: list[Document]) -> list[str]:
    rows = [[_cell(value(document)) for _name, value, _least in columns] for document in documents]
    widths = [
        max(len(name), *(len(row[index]) for row in rows)) for index, (name, _value, _least) in enumerate(columns)
    ]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        spare = [width - max(least, len(name)) for width, (name, _value, least) in zip(widths, columns)]
        widest = max(range(len(widths)), key=spare.__getitem__)
        if spare[widest] <= 0:
            break
        widths[widest] -= 1
    lines = ["  ".join(_cut(name, width) for (name, _value, _least), width in zip(columns, widths)).rstrip()]
    lines.append("  ".join("-" * width for width in widths))
    for document, row in zip(documents, rows):
        lines.append("  ".join(_cut(text, width) for text, width in zip(row, widths)).rstrip())
        for label, text in (("error", document["error"]), ("blocks", _blocks(document))):
            if text:
                lines += textwrap.wrap(
                    f"{label}: {_cell(text)}", WIDTH, initial_indent="    ", subsequent_indent="      "
                )
    return lines


def _blocks(document: Document) -> str | None:
    return ", ".join(str(rule) for rule in _list(_dict(document.get("summary")).get("blocked_by"))) or None


def table(documents: t.Iterable[Document]) -> list[str]:
    """Write the hosts as aligned text, at most WIDTH columns wide, errors in full below their rows."""
    documents = list(documents)
    lines: list[str] = []
    for columns, chosen in (
        (_LINKS, [document for document in documents if document["role"] != "source"]),
        (_SOURCES, [document for document in documents if document["role"] == "source"]),
    ):
        if chosen:
            lines += ([""] if lines else []) + _section(columns, chosen)
    return lines


# Files


def _text(value: t.Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _write(path: str, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    handle, temporary = tempfile.mkstemp(prefix=".report-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _load(path: str) -> Document | None:
    """Return one host's document; None where it is none: another program's file, or one from before a crash."""
    try:
        with open(path, encoding="utf-8") as stream:
            document = json.load(stream)
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION or not document.get("host"):
        return None
    return {**_BLANK, **document}


@contextmanager
def _locked(folder: str) -> t.Iterator[None]:
    """Hold the report's lock; it goes away with the process."""
    handle = os.open(os.path.join(folder, ".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read_all(folder: str, warn: t.Callable[[str], None]) -> dict[str, Document]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        return {}
    found: dict[str, Document] = {}
    for name in names:
        document = _load(os.path.join(folder, name))
        if document is None:
            warn(f"{os.path.join(folder, name)} is no report of a host and was left out")
        else:
            found[str(document["host"])] = document
    return found


def _without_time(document: Document | None) -> Document | None:
    return None if document is None else {key: value for key, value in document.items() if key != "at"}


def report(
    folder: str, document: Document, *, check_mode: bool, warn: t.Callable[[str], None] = lambda text: None
) -> Document:
    """Write one host's document and merge all of them.

    What is observed (lag, positions, findings, errors) is written down but is no change; who follows whom in what state is.

    :raises ToolError: the folder cannot be written
    """
    folder = os.path.abspath(os.path.expanduser(folder))
    hosts = os.path.join(folder, "hosts")
    own = os.path.join(hosts, urllib.parse.quote(document["host"], safe="") + ".json")
    path = os.path.join(folder, "report.json")

    def merged() -> tuple[Document | None, list[Document]]:
        everything = _read_all(hosts, warn)
        before = everything.get(document["host"])
        if _without_time(before) != _without_time(document):
            everything[document["host"]] = document
        return before, [everything[name] for name in sorted(everything)]

    try:
        if check_mode:
            before, documents = merged()
        else:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.makedirs(hosts, mode=0o700, exist_ok=True)
            with _locked(folder):
                before, documents = merged()
                if document in documents:
                    _write(own, _text(document))
                whole = {
                    "schema_version": SCHEMA_VERSION,
                    "at": max(str(item["at"]) for item in documents),
                    "hosts": documents,
                }
                _write(path, _text(whole))
                _write(os.path.join(folder, "report.txt"), "\n".join(table(documents)) + "\n")
    except OSError as error:
        raise ToolError(
            f"the report cannot be written: {error.strerror}: {error.filename}",
            step=f"write the report to {folder}",
            hint="set datain_report_dir to a folder that you may write to",
        ) from error
    changed = before is None or any(before.get(key) != document.get(key) for key in _STABLE)
    return {"changed": changed, "file": path, "table": table(documents), "document": document}


def _run(context: Context) -> dict[str, t.Any]:
    options = context.parameters
    if not options["name"].strip():
        raise InputError("a report needs the name of a host", hint="give name")
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()
    document = normalise(
        options["name"], options["document"], now, service=options["service"], source=options["source_name"]
    )
    # What cannot be written as JSON cannot come from a task, but its keys may be numbers: in the file they are texts.
    document = json.loads(json.dumps(document, default=str))
    return report(options["report_dir"], document, check_mode=context.check_mode, warn=context.warnings.append)


CAPABILITY = Capability(
    name="link_report",
    options={
        "report_dir": {"type": "path", "default": "datain-report"},
        "name": {"type": "str", "required": True},
        "document": {"type": "dict", "required": True},
        "service": {"type": "str"},
        "source_name": {"type": "str"},
    },
    run=_run,
    logs_in=False,
)
