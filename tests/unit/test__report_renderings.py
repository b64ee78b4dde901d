# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The renderings of a report: what each says of every kind of host, and that nothing in a text breaks out of it.

Each is read back by a reader of its format that is not ours.
"""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.datain.azure_mysql.plugins.module_utils import (
    _report_document,
    _report_html,
    _report_junit,
    _report_markdown,
    _report_prometheus,
    _report_text,
)

NOW = "2026-11-21T10:00:00+00:00"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
RENDERINGS = (_report_html, _report_junit, _report_markdown, _report_prometheus, _report_text)

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'; DROP TABLE x; -- \\",
    "]]>--><!--",
    "a|b|c\n| d",
    "line\nbreak\r\ttab",
    "bell\x07null\x00escape\x1b[31m",
    "``` `code` ``",
    "@somebody and #12, www.evil.example https://evil.example",
    "turn\u202eround\u200f\u2066 zero\u200bwidth",
    "emoji 👩\u200d💻 ünï 漢字",
    "lone\udc80surrogate \ufffe",
    "{braces} {0} %s $x",
    "x" * 5000,
    "&amp; &lt; &#64;",
)


def finding(rule="binlog.format", status="failed", severity="error", **more):
    blank = {"side": "source", "seen": None, "required": None, "objects": [], "object_count": 0, "remedy": None, "document": None, "waiver": None}
    return {"rule": rule, "status": status, "severity": severity, "summary": f"about {rule}", **blank, **more}


WAIVER = {"reason": "the disk is replaced", "until": "2030-12-31", "ended": False}
FINDINGS = [
    finding(seen="MIXED", required="ROW", remedy="SET PERSIST binlog_format = 'ROW';", objects=["`a`.`b`"], object_count=3, document="a manual"),
    finding("replica.empty", "unknown", remedy="grant it"),
    finding("objects.primary_key", severity="warning"),
    finding("binlog.retention", "waived", waiver=WAIVER),
    finding("azure.tier", "unknown", "warning"),
    finding("gtid.mode", "not_applicable"),
    finding("version.pair", "passed"),
]
SUMMARY = {"passed": 1, "failed": 2, "waived": 1, "not_applicable": 1, "unknown": 2, "ready": False, "blocked_by": ["binlog.format", "replica.empty"]}
JUDGED = {"findings": FINDINGS, "summary": SUMMARY}
LINK = {
    "state": "running",
    "method": "position",
    "receiver": "running",
    "applier": "running",
    "lag_seconds": 7,
    "applied": {"file": "binlog.000003", "position": 15524},
    "receiver_error": None,
    "applier_error": None,
}
DENIED = {"code": 1045, "message": "Access denied", "at": None}
BROKEN = {**LINK, "state": "connection_error", "receiver": "connecting", "lag_seconds": None, "receiver_error": DENIED}


def host(name, given, role="replica", now=NOW, source="shop-db", service="mysql_flexible_server"):
    known = {"service": service, "source": source, "wanted": "started"} if role == "replica" else {}
    return _report_document.normalise(name, {"role": role, **given}, now, **known)


HOSTS = [
    host("blocked", {"plan": {"failed": True, "msg": "2 of 7", **JUDGED}}),
    host("broken", {"plan": {"replica": {"version": "8.0.33", "link": BROKEN}}}),
    host("watched", {"plan": {"link": LINK, **JUDGED}}),
    host("well", {"max_lag_seconds": 60, "plan": {"replica": {"version": "8.0.33", "link": LINK}}}),
    host("shop-db", {"plan": {"source": {"version": "8.0.33", "coordinates": {"file": "b.000001", "position": 4}, "replicas": [{}]}}}, role="source"),
    host("away", {"plan": {"unreachable": True, "msg": "no ssh"}}, role="source"),
    host("retired-shop", {"plan": {"link": LINK}}, now="2025-01-01T00:00:00+00:00"),
]
FLEET = {"sources": ["shop-db", "away"], "replicas": ["blocked", "broken", "watched", "well", "never"]}
WHOLE = _report_document.merge(HOSTS, FLEET)


def nasty(text):
    """A report in which every text that comes from outside is this one."""
    found = [
        {**item, "rule": item["rule"], "summary": text, "seen": text, "required": text, "objects": [text], "remedy": text, "document": text}
        for item in [*FINDINGS, finding("info.only", severity="info")]
    ]
    found[3]["waiver"] = {"reason": text, "until": text, "ended": False}
    hosts = [
        host(text, {"plan": {"failed": True, "msg": text, "findings": found, "summary": SUMMARY}}, source=text, service=text),
        host(f"{text}2", {"plan": {"replica": {"version": text, "link": {**BROKEN, "receiver_error": {"code": 1, "message": text, "at": text}}}}}, source=text),
        host(f"{text}3", {"plan": {"failed": True, "msg": text}}),
        host(f"{text}4", {"plan": {"link": LINK}}),
    ]
    return _report_document.merge(hosts, {"sources": [], "replicas": [f"{text}{end}" for end in ("", "2", "3")]})


# The document


@pytest.mark.parametrize("whole", [WHOLE, _report_document.merge([], None), *map(nasty, HOSTILE)])
def test_schema(whole):
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMA, format_checker=None if whole is not WHOLE else checker).validate(json.loads(json.dumps(whole)))


def test_the_schema_is_one_and_names_every_key():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["$defs"]["host"]["properties"]) == set(_report_document.BLANK)
    assert SCHEMA["properties"]["schema_version"]["const"] == _report_document.SCHEMA_VERSION


@pytest.mark.parametrize("broken", [{"verdict": "fine"}, {"hosts": [{}]}, {"schema_version": 2}, {"summary": {}}])
def test_the_schema_can_fail(broken):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**WHOLE, **broken}, SCHEMA)


# What each says


@pytest.mark.parametrize("module", RENDERINGS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_host_and_what_matters_is_everywhere(module):
    text = module.render(WHOLE)
    for name in FLEET["sources"] + FLEET["replicas"]:
        assert name in text
    if module is _report_prometheus:
        return
    for word in ("binlog.format", "about binlog.format", "replica.empty", "binlog.retention", "the disk is replaced", "objects.primary_key", "azure.tier"):
        assert word in text.replace("\\", ""), word
    assert "2030-12-31" in text.replace("\\", "")
    for word in ("MIXED", "SET PERSIST binlog_format", "a`.`b", "and 2 more", "1045"):
        assert word in text.replace("&#x27;", "'").replace("\\", ""), word


@pytest.mark.parametrize("module", [_report_html, _report_markdown, _report_text])
def test_who_has_left_is_said_apart(module):
    text = module.render(WHOLE)
    assert text.index("retired-shop") > max(text.rindex(name) for name in ("blocked", "never"))
    assert "2025-01-01" in text and "inventory" in text


@pytest.mark.parametrize("module", [_report_junit, _report_prometheus])
def test_who_has_left_is_nobodys_business(module):
    assert "retired-shop" not in module.render(WHOLE)


# The table


def test_table():
    lines = _report_text.table(_report_document.merge([HOSTS[3]], None))
    assert lines[0].split() == ["replica", "source", "service", "state", "lag", "applied", "verdict"]
    assert lines[2].split() == ["well", "shop-db", "mysql_flexible", "running", "7", "s", "binlog.000003:15524", "ok"]
    assert lines[-1] == "1 well; 2026-11-21 10:00 UTC"


def test_a_lag_that_is_unknown_is_not_zero():
    assert " 0 s " not in _report_text.render(_report_document.merge([HOSTS[1]], None))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_is_never_wider_than_a_screen_and_holds_no_control_characters(text):
    for whole in (WHOLE, nasty(text)):
        assert all(len(line) <= 100 and line.replace("\u200d", "").isprintable() for line in _report_text.table(whole))


# JUnit XML


def cases(whole):
    root = ElementTree.fromstring(_report_junit.render(whole).encode("utf-8"))
    assert root.tag == "testsuites"
    for suite in root:
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"), ("tests", None)):
            assert int(suite.get(attribute)) == (len(suite.findall(f"testcase/{tag}")) if tag else len(suite))
    for attribute in ("tests", "failures", "errors", "skipped"):
        assert int(root.get(attribute)) == sum(int(suite.get(attribute)) for suite in root)
    found = {}
    for case in root.iter("testcase"):
        outcome = (case[0].tag, case[0].get("message")) if len(case) else ("passed", "")
        found[case.get("classname"), case.get("name")] = outcome
    return found


def test_junit():
    found = cases(WHOLE)
    outcome = {rule: found["blocked", rule] for rule in (item["rule"] for item in FINDINGS)}
    assert {rule: status for rule, (status, _message) in outcome.items()} == {
        "binlog.format": "failure",
        "replica.empty": "error",
        "objects.primary_key": "skipped",
        "binlog.retention": "skipped",
        "azure.tier": "skipped",
        "gtid.mode": "skipped",
        "version.pair": "passed",
    }
    assert outcome["binlog.retention"][1] == "waived until 2030-12-31: the disk is replaced (about binlog.retention)"
    assert found["broken", "link.receiver"][0] == "failure"
    assert found["away", "error.unreachable"][0] == "error"
    assert found["never", "looked at"][0] == "skipped"
    assert found["well", "state"] == ("passed", "")


def test_junit_is_red_only_where_the_run_failed():
    red = {name for (name, _rule), (status, _message) in cases(WHOLE).items() if status in ("failure", "error")}
    assert red == {item["host"] for item in WHOLE["hosts"] if item["in_inventory"] and item["blocks"]}


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_holds_hostile_texts(text):
    found = cases(nasty(text))
    assert sum(status == "failure" for status, _message in found.values()) == 3


# Prometheus


def samples(whole):
    families = list(text_string_to_metric_families(_report_prometheus.render(whole)))
    assert all(family.documentation and family.type == "gauge" for family in families)
    assert all(re.fullmatch("datain_[a-z_]+", family.name) for family in families)
    return {(sample.name, sample.labels["host"], *sorted(value for key, value in sample.labels.items() if key in ("severity", "status"))): sample.value
            for family in families for sample in family.samples if sample.name != "datain_verdict"}  # fmt: skip


def test_prometheus():
    found = samples(WHOLE)
    assert found["datain_link_lag_seconds", "well"] == 7
    assert ("datain_link_lag_seconds", "broken") not in found, "what is unknown is not zero"
    assert found["datain_link_max_lag_seconds", "well"] == 60
    assert ("datain_link_max_lag_seconds", "broken") not in found, "what the inventory does not say has no sample"
    assert (found["datain_link_receiver_up", "broken"], found["datain_link_applier_up", "broken"]) == (0, 1)
    assert (found["datain_link_receiver_last_error_number", "broken"], found["datain_link_receiver_last_error_number", "well"]) == (1045, 0)
    healthy = {name: found["datain_healthy", name] for name in ("well", "watched", "broken", "away", "never")}
    assert healthy == {"well": 1, "watched": 1, "broken": 0, "away": 0, "never": 0}
    assert found["datain_findings", "blocked", "error", "failed"] == 1
    assert ("datain_findings", "well", "error", "failed") not in found
    assert found["datain_report_timestamp_seconds", "well"] == 1795255200
    assert ("datain_report_timestamp_seconds", "never") not in found


def test_prometheus_says_one_verdict_a_host():
    families = {family.name: family for family in text_string_to_metric_families(_report_prometheus.render(WHOLE))}
    held = {sample.labels["host"]: sample.labels["verdict"] for sample in families["datain_verdict"].samples if sample.value}
    assert held == {item["host"]: item["verdict"] for item in WHOLE["hosts"] if item["in_inventory"]}


@pytest.mark.parametrize("text", HOSTILE)
def test_prometheus_holds_hostile_labels(text):
    written = _report_prometheus.render(nasty(text))
    written.encode("utf-8")
    assert all(line.startswith(("#", "datain_")) for line in written.splitlines())
    names = {key[1] for key in samples(nasty(text))}
    assert len(names) == 3
    if text.isprintable():
        assert text in names


# HTML


class Page(html.parser.HTMLParser):
    """What a browser would make of it: elements, attributes, and text outside the style."""

    VOID = {"meta", "br", "link", "img"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open, self.ids = [], set(), [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.update(name for name, _value in attrs)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return "".join(self.texts)


def test_html_stands_alone_and_is_whole():
    written = _report_html.render(WHOLE)
    page = Page(written)
    assert page.open == [], "an element was not closed"
    assert len(page.ids) == len(set(page.ids))
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not {"src", "onclick", "onload", "style"} & page.attributes
    assert "url(" not in written and "@import" not in written and "http:" not in written and "https:" not in written
    assert "Content-Security-Policy" in written and 'lang="en"' in written and "prefers-color-scheme: dark" in written and "@media print" in written


def test_html_orders_by_what_needs_a_person():
    text = Page(_report_html.render(WHOLE)).text
    assert text.index("Something stands in the way") < text.index("blocked") < text.index("well") < text.rindex("retired-shop")


@pytest.mark.parametrize("text", HOSTILE)
def test_html_holds_hostile_texts(text):
    page = Page(_report_html.render(nasty(text)))
    plain = Page(_report_html.render(nasty("plain")))
    assert page.tags == plain.tags and page.attributes == plain.attributes and page.open == []
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u200f]", page.text)
    if text.isprintable():
        assert text in page.text


@pytest.mark.parametrize("count", [0, 1, 50])
def test_html_of_any_fleet(count):
    whole = _report_document.merge([{**HOSTS[index % 5], "host": f"host-{index}"} for index in range(count)], None)
    page = Page(_report_html.render(whole))
    assert page.tags.count("article") == count and page.open == []


# Markdown


def tokens(text):
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    return [child for token in parser.parse(text) for child in [token, *(token.children or ())]]


def test_markdown():
    text = _report_markdown.render(WHOLE)
    assert text.index("What blocks") < text.index("binlog.format") < text.index("What does not block")
    kinds = {token.type for token in tokens(text)}
    assert {"table_open", "heading_open", "bullet_list_open", "code_inline"} <= kinds
    rows = [token for token in tokens(text) if token.type == "tr_open"]
    assert len(rows) == 1 + 7


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_holds_hostile_texts(text):
    written = _report_markdown.render(nasty(text))
    found = tokens(written)
    plain = tokens(_report_markdown.render(nasty("plain")))
    assert [token.content for token in found if token.type in ("html_inline", "html_block") and token.content != "<!-- -->"] == []
    assert sum(token.type == "tr_open" for token in found) == sum(token.type == "tr_open" for token in plain)
    assert sum(token.type == "td_open" for token in found) == sum(token.type == "td_open" for token in plain)
    assert not {"link_open", "image", "strong_open", "em_open", "s_open"} & {token.type for token in found}
    for token in found:
        if token.type == "text":
            assert not re.search(r"@\w|#\d|https?://|www\.\w", token.content), token.content


def test_markdown_is_cut_where_a_comment_ends():
    many = _report_document.merge([{**HOSTS[index % 5], "host": f"host-{index}"} for index in range(400)], None)
    text = _report_markdown.render(many)
    assert len(text) <= 65_536 and "Cut here" in text
    assert text.index("❌") < text.index("✅")
    assert "Cut here" not in _report_markdown.render(WHOLE)


@pytest.mark.parametrize("limit", [300, 700, 1500])
def test_markdown_fits_any_limit(limit):
    text = _report_markdown.render(WHOLE, limit)
    assert len(text) <= limit and "Cut here" in text and "Something stands in the way" in text


def test_a_plan_in_check_mode_says_what_would_be_done():
    steps = [{"action": "link", "target": "mysql.az_replication_change_master", "reason": "made again because of <user>"}]
    account = {"action": "create", "target": "app@%", "reason": "account"}
    plan = {"changed": True, "plan": {"actions": steps}}
    would = host("shop-azure", {"planned": True, "plan": plan, "results": [{"changed": True, "actions": [account]}]})
    did = host("shop-azure", {"plan": {"plan": {"actions": steps}}, "results": [{"changed": True, "actions": steps}, {"changed": True, "actions": [account]}]})
    assert (would["planned"], did["planned"]) == (True, False) and would["actions"] == did["actions"] == [*steps, account]
    only = host("shop-azure", {"planned": True, "plan": {"plan": {"actions": []}}, "results": [{"changed": True, "actions": [account]}]})
    assert only["planned"] and only["actions"] == [account]
    for made, title in ((would, "What would be done"), (did, "What was done")):
        text = _report_markdown.render(_report_document.merge([made], None))
        assert f"### {title}" in text and "\\<user\\>" in text
