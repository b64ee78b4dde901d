# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The report in Prometheus' text format, for the folder of a node exporter's textfile collector.

What is not known has no sample: a lag that nobody knows is not zero.
"""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter

from ._report_document import OK, SOURCE, VERDICTS, WARNING, Document, as_dict, as_list
from ._report_words import current, visible

_Labels = dict[str, t.Any]
_Sample = tuple[_Labels, float]


def _hosts(hosts: list[Document], value: t.Callable[[Document], float | None]) -> t.Iterator[_Sample]:
    for host in hosts:
        number = value(host)
        if number is not None:
            yield {"host": host["host"], "role": host["role"]}, number


def _links(hosts: list[Document], value: t.Callable[[Document], float | None]) -> t.Iterator[_Sample]:
    for host in hosts:
        number = value(host) if host["role"] != SOURCE else None
        if number is not None:
            yield {name: host[name] for name in ("host", "source", "service")}, number


def _thread(name: str) -> t.Callable[[Document], float | None]:
    return lambda host: None if host[name] is None else float(host[name] == "running")


def _error(name: str) -> t.Callable[[Document], float | None]:
    """Return the number of a thread's last error, 0 for none, and nothing where the thread was not looked at."""
    return lambda host: None if host[name] is None else _number(as_dict(host[f"{name}_error"]).get("code") or 0)


def _number(value: t.Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _time(host: Document) -> float | None:
    try:
        return datetime.datetime.fromisoformat(str(host["at"])).timestamp()
    except ValueError:
        return None


def _by_severity(hosts: list[Document]) -> t.Iterator[_Sample]:
    for host in hosts:
        found = [as_dict(finding) for finding in as_list(host["findings"])]
        if host["summary"]:
            counts = Counter((finding.get("severity"), finding.get("status")) for finding in found)
            for severity in ("error", "warning", "info"):
                for status in ("failed", "unknown", "waived"):
                    labels = {"host": host["host"], "severity": severity, "status": status}
                    yield labels, float(counts[severity, status])


def _verdicts(hosts: list[Document]) -> t.Iterator[_Sample]:
    for host in hosts:
        for verdict in VERDICTS:
            yield {"host": host["host"], "role": host["role"], "verdict": verdict}, float(host["verdict"] == verdict)


_Metric = tuple[str, str, t.Callable[[list[Document]], t.Iterable[_Sample]]]
_METRICS: tuple[_Metric, ...] = (
    (
        "datain_healthy",
        "Whether the host is as the inventory wants it, as seen at datain_report_timestamp_seconds.",
        lambda hosts: _hosts(hosts, lambda host: float(host["verdict"] in (OK, WARNING))),
    ),
    ("datain_verdict", "The verdict on the host: 1 for the one that holds.", _verdicts),
    ("datain_report_timestamp_seconds", "When the host was looked at.", lambda hosts: _hosts(hosts, _time)),
    (
        "datain_link_lag_seconds",
        "How far the replica is behind its source, as the server says it.",
        lambda hosts: _links(hosts, lambda host: _number(host["lag_seconds"])),
    ),
    (
        "datain_link_max_lag_seconds",
        "The lag that the inventory tolerates.",
        lambda hosts: _links(hosts, lambda host: _number(host["max_lag_seconds"])),
    ),
    (
        "datain_link_receiver_up",
        "Whether the receiver runs and is connected to the source.",
        lambda hosts: _links(hosts, _thread("receiver")),
    ),
    ("datain_link_applier_up", "Whether the applier runs.", lambda hosts: _links(hosts, _thread("applier"))),
    (
        "datain_link_receiver_last_error_number",
        "Number of the receiver's last error, 0 for none.",
        lambda hosts: _links(hosts, _error("receiver")),
    ),
    (
        "datain_link_applier_last_error_number",
        "Number of the applier's last error, 0 for none.",
        lambda hosts: _links(hosts, _error("applier")),
    ),
    ("datain_findings", "Findings of the prerequisites that did not pass, when they were last judged.", _by_severity),
)


def render(whole: Document) -> str:
    """Write the report as metrics. Hosts that have left the inventory are not in it."""
    hosts = current(whole)
    lines = []
    for name, text, samples in _METRICS:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
        lines += [f"{name}{{{_labels(labels)}}} {_value(value)}" for labels, value in samples(hosts)]
    return "\n".join(lines) + "\n"


def _value(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)


def _labels(labels: _Labels) -> str:
    return ",".join(f'{name}="{_label(value)}"' for name, value in labels.items())


def _label(value: t.Any) -> str:
    return visible(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
