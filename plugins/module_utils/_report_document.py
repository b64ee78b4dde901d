# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What a report says: of one host, out of the results of a play; and of all hosts together. Pure.

The keys, their types and meaning are published in docs/report.schema.json. Keys may be added within a version of the schema.
"""

from __future__ import annotations

import typing as t

SCHEMA_VERSION = 1
OK, WARNING, FAILED, UNKNOWN = "ok", "warning", "failed", "unknown"
# The worst first: the order in which people want to read.
VERDICTS = (FAILED, UNKNOWN, WARNING, OK)
SOURCE, REPLICA = "source", "replica"
# What a link is where the inventory wants it so. A state that is not here was not looked at.
_AS_WANTED = {"started": "running", "stopped": "off", "absent": "absent"}
_NO_STATE_OF_A_LINK = ("ready", "blocked", "failed", "unreachable", "unknown")

BLANK: dict[str, t.Any] = {
    "schema_version": SCHEMA_VERSION,
    "host": None,
    "role": None,
    "service": None,
    "version": None,
    "source": None,
    "wanted": None,
    "state": None,
    "verdict": UNKNOWN,
    "method": None,
    "receiver": None,
    "applier": None,
    "receiver_error": None,
    "applier_error": None,
    "lag_seconds": None,
    "max_lag_seconds": None,
    "applied": None,
    "log_end": None,
    "replicas": None,
    "error": None,
    "blocks": [],
    "findings": [],
    "summary": None,
    "findings_at": None,
    "actions": [],
    "planned": False,
    "changed": False,
    "in_inventory": True,
    "at": None,
}

Document = dict[str, t.Any]


def as_dict(value: t.Any) -> Document:
    return value if isinstance(value, dict) else {}


def as_list(value: t.Any) -> list[t.Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _place(value: t.Any) -> str | None:
    """Write coordinates as one word."""
    if isinstance(value, str):
        return value or None
    place = as_dict(value)
    if place.get("file"):
        return f"{place['file']}:{place.get('position')}"
    return place.get("gtid") or None


def normalise(name: str, given: Document, now: str, **known: t.Any) -> Document:
    """Turn what a play knows about one host into the host's document; every key of the schema is there.

    :param given: keys of the schema as they are; and ``plan`` and ``results``, results of this collection's modules in the
        order in which they ran, out of which the missing keys are made; with ``planned`` they ran in check mode
    :param now: the time of the report, ISO 8601
    :param known: keys that count where neither says otherwise
    """
    parts = [as_dict(part) for part in [given.get("plan"), *as_list(given.get("results"))]]
    parts = [part for part in parts if part and not part.get("skipped")]
    planned = [as_dict(part.get("plan")) for part in parts]
    document: Document = {**BLANK, "blocks": [], "findings": [], "actions": [], "host": name, "at": now}
    document.update({key: value for key, value in known.items() if value not in (None, "")})
    for part in (*planned, *parts):
        document["findings"] = _findings(document["findings"], as_list(part.get("findings")))
        if isinstance(part.get("summary"), dict):
            document.update(summary=part["summary"], findings_at=now)
    for part in parts:
        document["actions"] += as_list(part.get("actions"))
        document["changed"] = document["changed"] or bool(part.get("changed"))
        if part.get("failed") or part.get("unreachable"):
            document["error"] = str(part.get("msg") or "failed")
            document["blocks"] += _blocks_of(part, document["findings"])
    if given.get("planned"):
        # Nobody has done what a plan says, and what comes after it is told on top of that.
        plans = [as_dict(part.get("plan")) for part in parts if part.get("changed")]
        document["actions"] = [step for plan in plans for step in as_list(plan.get("actions"))] + document["actions"]
    for part in (*parts, *planned):
        _from_link(document, part)
    for part in (*parts, *planned):
        _from_source(document, part)
    document["role"] = document["role"] or given.get("role")
    document["state"] = document["state"] or _state_without_a_link(document, parts)
    document.update({key: value for key, value in given.items() if key in BLANK and key not in ("schema_version", "host")})
    document["blocks"] += _blocks_of_link(document)
    document["verdict"] = _verdict(document)
    return document


def _from_link(document: Document, part: Document) -> None:
    replica = as_dict(part.get("replica"))
    link = as_dict(replica.get("link")) or as_dict(part.get("link"))
    if replica.get("version"):
        document["version"] = replica["version"]
    if not link.get("state"):
        return
    document.update({key: link.get(key) for key in ("state", "method", "receiver", "applier", "lag_seconds")})
    document.update({key: as_dict(link.get(key)) or None for key in ("receiver_error", "applier_error")})
    document["applied"] = (link.get("gtid_executed") if link.get("method") == "gtid" else None) or _place(link.get("applied"))


def _from_source(document: Document, part: Document) -> None:
    source = as_dict(part.get("source"))
    if source.get("version"):
        document["version"] = source["version"]
    if source.get("coordinates"):
        document["log_end"] = _place(source["coordinates"])
    if isinstance(source.get("replicas"), (list, tuple)):
        document["replicas"] = len(source["replicas"])


def _state_without_a_link(document: Document, parts: list[Document]) -> str:
    if any(part.get("unreachable") for part in parts):
        return "unreachable"
    if document["summary"]:
        return "ready" if document["summary"].get("ready") else "blocked"
    if document["error"]:
        return "failed"
    return "ready" if document["role"] == SOURCE and parts else "unknown"


# What stands in the way


def _block(rule: str, summary: str, remedy: str | None) -> Document:
    return {"rule": rule, "summary": summary, "remedy": remedy}


def _findings(before: list[t.Any], now: list[t.Any]) -> list[t.Any]:
    """Return a later task's findings in the place of an earlier one's, or beside them where they are about something else."""
    rules = {as_dict(finding).get("rule") for finding in before}
    return now if any(as_dict(finding).get("rule") in rules for finding in now) else before + now


def _blocks_of(part: Document, findings: list[t.Any]) -> list[Document]:
    """Return what a failed task says stands in the way: as blocks of a plan, as findings, or as its one error."""
    planned = [as_dict(block) for block in as_list(as_dict(part.get("plan")).get("blocks"))]
    by_rule = {finding.get("rule"): finding for finding in map(as_dict, findings)}
    if planned:
        said = [_block(str(block.get("code")), str(block.get("message")), block.get("hint")) for block in planned]
        return [_as_found(block, by_rule.get(block["rule"])) for block in said]
    blocked_by = as_list(as_dict(part.get("summary")).get("blocked_by"))
    if blocked_by:
        return [_as_found(_block(str(rule), str(rule), None), by_rule.get(rule)) for rule in blocked_by]
    error = as_dict(part.get("error"))
    if error.get("message"):
        words = (error.get("server"), error.get("step"), error["message"])
        return [_block(f"error.{error.get('kind')}", ": ".join(str(word) for word in words if word), part.get("hint"))]
    kind = "error.unreachable" if part.get("unreachable") else "error.task"
    return [_block(kind, str(part.get("msg") or "a task failed and said nothing"), None)]


def _as_found(block: Document, finding: Document | None) -> Document:
    """Say a block in the words of its finding, which other renderings show whole."""
    return _block(block["rule"], str(finding.get("summary")), finding.get("remedy")) if finding else block


def _blocks_of_link(document: Document) -> list[Document]:
    """Return what is wrong with a link as it is; a task that failed has said why already."""
    if document["blocks"]:
        return []
    found = []
    for who in ("receiver", "applier"):
        error = as_dict(document[f"{who}_error"])
        if error:
            said = f"{error.get('code')}: {error.get('message')}"
            way_out = "; ".join(str(error[key]) for key in ("cause", "remedy") if error.get(key))
            found.append(_block(f"link.{who}", f"the {who} reports {said}", way_out or None))
            document["error"] = document["error"] or said
    wanted = document["wanted"] or "started"
    state = document["state"]
    if found or document["role"] == SOURCE or state in _NO_STATE_OF_A_LINK:
        return found
    if state == _AS_WANTED.get(wanted):
        return _block_of_lag(document) if wanted == "started" else []
    remedy = f"ansible-playbook datain.azure_mysql.onboard --limit '{document['host']}'"
    if state == "connecting":
        remedy = "wait a minute and look again; then see whether the replica reaches its source"
    return [_block("link.state", f"the link is {state}, and the inventory wants it {wanted}", remedy)]


def _block_of_lag(document: Document) -> list[Document]:
    lag, most = document["lag_seconds"], document["max_lag_seconds"]
    if lag is None or most is None or lag <= most:
        return []
    text = f"the replica is {lag} s behind its source, and the inventory tolerates {most} s"
    return [_block("link.lag", text, "look again in a while: where it grows, the replica needs primary keys, more applier workers or a larger tier")]


def _verdict(document: Document) -> str:
    if document["state"] == "unreachable":
        return UNKNOWN
    if document["blocks"] or document["error"]:
        return FAILED
    if document["state"] == "unknown":
        return UNKNOWN
    found = [finding for finding in map(as_dict, document["findings"]) if finding.get("status") == "failed"]
    if as_dict(document["summary"]).get("blocked_by") or any(finding.get("severity") != "info" for finding in found):
        return WARNING
    return OK


# All hosts together


def with_earlier_findings(document: Document, before: Document | None) -> Document:
    """Keep the findings of an earlier run where this one has not judged all rules; they no longer count for the verdict."""
    if document["summary"] or not before or not before.get("summary"):
        return document
    own = {as_dict(finding).get("rule") for finding in document["findings"]}
    earlier = [finding for finding in before["findings"] if as_dict(finding).get("rule") not in own]
    return {**document, "findings": document["findings"] + earlier, **{key: before[key] for key in ("summary", "findings_at")}}


def not_looked_at(replica: str) -> Document:
    """Return the document of a replica about which nothing is known yet."""
    return {**BLANK, "host": replica, "role": REPLICA, "state": "unknown"}


def merge(parts: t.Iterable[Document], fleet: Document | None) -> Document:
    """Put the hosts' documents into one, with its summary; the worst first.

    :param fleet: ``sources`` and ``replicas``, the names of the inventory's hosts; any other has left. Each replica is in the
        report, also where nothing is known of it; a source is judged with its links too, so it is there once it was looked
        at by itself. Without a fleet every document counts.
    """
    hosts = {str(part["host"]): part for part in parts}
    if fleet is not None:
        sources, replicas = as_list(fleet.get("sources")), as_list(fleet.get("replicas"))
        names = {*sources, *replicas}
        hosts = {name: {**part, "in_inventory": name in names} for name, part in hosts.items()}
        hosts.update({name: not_looked_at(name) for name in replicas if name not in hosts})
    ordered = sorted(hosts.values(), key=_order)
    counting = [host for host in ordered if host["in_inventory"]]
    return {
        "schema_version": SCHEMA_VERSION,
        "at": max((str(host["at"]) for host in ordered if host["at"]), default=None),
        "verdict": min((host["verdict"] for host in counting), key=VERDICTS.index, default=UNKNOWN),
        "summary": {verdict: sum(host["verdict"] == verdict for host in counting) for verdict in VERDICTS},
        "hosts": ordered,
    }


def _order(host: Document) -> tuple[t.Any, ...]:
    return (not host["in_inventory"], VERDICTS.index(host["verdict"]), host["role"] == SOURCE, str(host["host"]))
