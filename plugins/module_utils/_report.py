# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The report of a run: one file for each host, merged into one document and its renderings.

Hosts report one by one, in workers that know nothing of each other, with ``serial`` and ``--limit``: so each writes its
own file, and one of them merges what is there. Who finds another at it leaves its file to that one, which looks again when it
is done: so many hosts at once are merged a few times, not once for each. A playbook with a task that comes after all hosts
lets that one merge them.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import tempfile
import typing as t
import urllib.parse
from contextlib import contextmanager

from . import _report_html, _report_junit, _report_markdown, _report_prometheus, _report_text
from ._errors import InputError, ToolError
from ._report_document import BLANK, SCHEMA_VERSION, VERDICTS, Document, merge, normalise, with_earlier_findings
from ._run import Capability, Context

# What is asked of a report: has anything changed that somebody set? The rest is observed, and moves by itself.
_STABLE = ("host", "role", "service", "source", "state")


def _json(value: t.Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) + "\n"


_RENDERINGS: dict[str, t.Callable[[Document], str]] = {
    "report.json": _json,
    "report.txt": _report_text.render,
    "report.html": _report_html.render,
    "report.md": _report_markdown.render,
    "junit.xml": _report_junit.render,
}
PROMETHEUS_FILE = "datain.prom"


def _write(path: str, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step."""
    handle, temporary = tempfile.mkstemp(prefix=".report-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            os.fchmod(stream.fileno(), mode)
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
    whole = {**BLANK, **document}
    return whole if whole["verdict"] in VERDICTS else None


@contextmanager
def _lock(folder: str) -> t.Iterator[bool]:
    """Hold the report's lock, and tell whether nobody else has it; it goes away with the process."""
    handle = os.open(os.path.join(folder, ".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _what_is_there(folder: str) -> frozenset[tuple[str, int, int]]:
    """Tell the hosts' files apart from those of another time, without reading them: each is replaced by a new one."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".json")]
    return frozenset((name, status.st_ino, status.st_mtime_ns) for name, status in found)


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


class Report(t.NamedTuple):
    """Where a report is, and what is in it beside the host at hand.

    :param folder: absolute
    :param fleet: names of the inventory's hosts; see ``merge``
    :param prometheus: folder of a node exporter's textfile collector, or nothing
    """

    folder: str
    fleet: Document | None = None
    prometheus: str | None = None

    @property
    def _hosts(self) -> str:
        return os.path.join(self.folder, "hosts")

    def add(
        self, document: Document, *, check_mode: bool, merge_now: bool = True, warn: t.Callable[[str], None] = lambda text: None
    ) -> Document:
        """Write one host's document and see that all of them are merged, or in check mode return the table that would be.

        What is observed (lag, positions, findings, errors) is written down but is no change; who follows whom in what state
        is.

        :param merge_now: false leaves merging to whoever comes after all hosts
        :raises ToolError: the folder cannot be written
        """
        path = os.path.join(self._hosts, urllib.parse.quote(document["host"], safe="") + ".json")
        before = _load(path)
        own = with_earlier_findings(document, before)
        changed = before is None or any(before.get(key) != own.get(key) for key in _STABLE)
        result = {"changed": changed, "file": self._file, "document": own}
        if check_mode:
            return {**result, "table": self._table({own["host"]: own}, warn)}
        with self._writing():
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            os.makedirs(self._hosts, mode=0o700, exist_ok=True)
            _write(path, _json(own))
            if merge_now:
                self._merge(warn)
        return result

    def put_together(self, *, check_mode: bool, warn: t.Callable[[str], None] = lambda text: None) -> Document:
        """Merge what the hosts have written, or in check mode return the table that would be.

        :raises ToolError: the folder cannot be written
        """
        result: Document = {"changed": False, "file": self._file}
        if check_mode:
            return {**result, "table": self._table({}, warn)}
        if os.path.isdir(self._hosts):
            with self._writing():
                self._merge(warn)
        return result

    @property
    def _file(self) -> str:
        return os.path.join(self.folder, "report.json")

    def _table(self, more: dict[str, Document], warn: t.Callable[[str], None]) -> list[str]:
        return _report_text.table(merge({**_read_all(self._hosts, warn), **more}.values(), self.fleet))

    @contextmanager
    def _writing(self) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ToolError(
                f"the report cannot be written: {error.strerror}: {error.filename}",
                step=f"write the report to {self.folder}",
                hint="set datain_report_dir, and datain_prometheus_dir if you use it, to folders that you may write to",
            ) from error

    def _merge(self, warn: t.Callable[[str], None]) -> None:
        """Merge the hosts' files, again while others come.

        What was written before the lock was found taken is seen by who has it: that one looks once more after letting go.
        """
        merged = None
        while merged != _what_is_there(self._hosts):
            with _lock(self.folder) as alone:
                if not alone:
                    return
                merged = _what_is_there(self._hosts)
                self._write_all(merge(_read_all(self._hosts, warn).values(), self.fleet))

    def _write_all(self, whole: Document) -> None:
        for name, render in _RENDERINGS.items():
            _write(os.path.join(self.folder, name), render(whole))
        if self.prometheus:
            # The exporter is another user.
            _write(os.path.join(self.prometheus, PROMETHEUS_FILE), _report_prometheus.render(whole), mode=0o644)


def _run(context: Context) -> dict[str, t.Any]:
    options = context.parameters
    report = Report(os.path.abspath(os.path.expanduser(options["report_dir"])), options["fleet"], options["prometheus_dir"])
    if options["document"] is None:
        return report.put_together(check_mode=context.check_mode, warn=context.warnings.append)
    if not options["name"].strip():
        raise InputError("a report needs the name of a host", hint="give name")
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()
    known = {"service": options["service"], "source": options["source_name"], "wanted": options["wanted"], "max_lag_seconds": options["max_lag"]}
    document = normalise(options["name"], options["document"], now, **known)
    # What cannot be written as JSON cannot come from a task, but its keys may be numbers: in the file they are texts.
    document = json.loads(json.dumps(document, default=str))
    return report.add(document, check_mode=context.check_mode, merge_now=options["merge"], warn=context.warnings.append)


# Whether a planner writes the report of a host that is right; its action does, on the controller.
PLAN_OPTION: dict[str, t.Any] = {"report": {"type": "bool", "default": False}}

CAPABILITY = Capability(
    name="link_report",
    options={
        "report_dir": {"type": "path", "default": "datain-report"},
        "name": {"type": "str"},
        "document": {"type": "dict"},
        "merge": {"type": "bool", "default": True},
        "service": {"type": "str"},
        "source_name": {"type": "str"},
        "wanted": {"type": "str", "choices": ["started", "stopped", "absent"]},
        "max_lag": {"type": "int"},
        "fleet": {
            "type": "dict",
            "options": {
                "sources": {"type": "list", "elements": "str", "default": []},
                "replicas": {"type": "list", "elements": "str", "default": []},
            },
        },
        "prometheus_dir": {"type": "path"},
    },
    run=_run,
    logs_in=False,
    rules={"required_together": [("name", "document")]},
)
