# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: documents out of results, all hosts together, and files that many workers write."""

from __future__ import annotations

import json
import multiprocessing
import stat

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _report, _report_document
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import ToolError
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run

LINK = {
    "state": "running",
    "method": "position",
    "lag_seconds": 0,
    "receiver": "running",
    "applier": "running",
    "applied": {"file": "binlog.000003", "position": 15524},
    "receiver_error": None,
    "applier_error": None,
}
NOW = "2026-11-21T10:00:00+00:00"


def document(name="shop", now=NOW, service="mysql_flexible_server", source="shop-db", **given):
    return _report_document.normalise(name, {"role": "replica", **given}, now, service=service, source=source)


def link(**more):
    return {"link": {**LINK, **more}}


def write(folder, *args, check_mode=False, fleet=None, prometheus=None, **more):
    return _report.Report(str(folder), fleet, prometheus).add(document(*args, **more), check_mode=check_mode)


# Documents


def test_every_key_is_there_and_nothing_else():
    assert set(document()) == set(_report_document.BLANK)
    assert document()["schema_version"] == 1


def test_a_link_that_was_only_read():
    made = document(plan={"replica": {"version": "8.0.33", **link()}, "changed": False})
    assert (made["state"], made["method"], made["lag_seconds"], made["applied"]) == ("running", "position", 0, "binlog.000003:15524")
    assert (made["version"], made["changed"], made["error"]) == ("8.0.33", False, None)


def test_what_was_done_counts_after_what_was_planned():
    made = document(
        plan={"plan": {"work": True}, **link(state="absent", lag_seconds=None), "findings": [{"rule": "a"}], "summary": {"ready": True}},
        results=[{"changed": True, "actions": [{"action": "load"}]}, {"skipped": True}, {}, {"changed": True, "actions": [{"action": "start"}], **link()}],
    )
    assert made["state"] == "running"
    assert [action["action"] for action in made["actions"]] == ["load", "start"]
    assert (made["changed"], made["findings"], made["summary"]) == (True, [{"rule": "a"}], {"ready": True})


def test_an_absent_link():
    assert document(plan={"replica": {"link": dict.fromkeys(LINK) | {"state": "absent"}}})["state"] == "absent"


def test_a_link_by_gtid():
    assert document(plan=link(method="gtid", gtid_executed="0-1-7"))["applied"] == "0-1-7"


def test_a_failure():
    made = document(plan={"failed": True, "msg": "something is in the way"})
    assert (made["state"], made["error"]) == ("failed", "something is in the way")


def test_an_error_of_the_link():
    made = document(plan=link(state="connection_error", receiver_error={"code": 1045, "message": "Access denied"}))
    assert (made["state"], made["error"]) == ("connection_error", "1045: Access denied")


def test_a_source():
    source = {"version": "8.0.33", "coordinates": {"file": "binlog.000003", "position": 4}, "replicas": [{}, {}]}
    made = document(role="source", service=None, source=None, plan={"source": source})
    assert (made["state"], made["log_end"], made["replicas"], made["version"]) == ("ready", "binlog.000003:4", 2, "8.0.33")


def test_keys_of_the_schema_count_as_they_are():
    assert document(state="stopped", source="elsewhere", host="ignored", schema_version=9)["source"] == "elsewhere"
    assert document(host="ignored")["host"] == "shop"


@pytest.mark.parametrize(
    "odd", [{}, {"plan": None}, {"plan": "text"}, {"results": "text"}, {"results": [None, 7, []]}, {"plan": {"link": "text", "plan": 3, "findings": 4}}]
)
def test_odd_results(odd):
    assert document(**odd)["state"] == "unknown"


FINDING = {"rule": "binlog.format", "status": "failed", "severity": "error", "summary": "Not met", "remedy": "SET PERSIST"}
BLOCKED = {"ready": False, "blocked_by": ["binlog.format"]}


def test_findings_that_block():
    made = document(plan={"failed": True, "msg": "1 of 1", "findings": [FINDING], "summary": BLOCKED})
    assert made["blocks"] == [{"rule": "binlog.format", "summary": "Not met", "remedy": "SET PERSIST"}]
    assert (made["state"], made["verdict"], made["findings_at"]) == ("blocked", "failed", NOW)


def test_a_plan_that_was_refused_says_its_blocks_and_their_findings():
    blocks = [
        {"code": "link.row_8", "message": "seed first", "hint": "set datain_seed"},
        {"code": "binlog.format", "message": "binlog.format: x", "hint": None},
    ]
    judged = {"findings": [FINDING], "summary": BLOCKED}
    made = document(plan={"failed": True, "msg": "2 things", "plan": {"blocks": blocks}, **judged, **link(state="absent")})
    assert made["blocks"] == [
        {"rule": "link.row_8", "summary": "seed first", "remedy": "set datain_seed"},
        {"rule": "binlog.format", "summary": "Not met", "remedy": "SET PERSIST"},
    ]


def test_an_error_says_where_and_what_mends_it():
    error = {"kind": "connect", "message": "no route", "server": "replica a:3306", "step": "log in"}
    made = document(plan={"failed": True, "msg": "long", "error": error, "hint": "check the firewall"})
    assert made["blocks"] == [{"rule": "error.connect", "summary": "replica a:3306: log in: no route", "remedy": "check the firewall"}]


def test_unreachable_is_not_known():
    made = document(plan={"unreachable": True, "msg": "no ssh"})
    assert (made["state"], made["verdict"], made["blocks"][0]["rule"]) == ("unreachable", "unknown", "error.unreachable")


@pytest.mark.parametrize(
    ("wanted", "state", "verdict"),
    [
        ("started", "running", "ok"),
        (None, "running", "ok"),
        ("started", "off", "failed"),
        ("started", "absent", "failed"),
        ("started", "connecting", "failed"),
        ("started", "receiver_off", "failed"),
        ("stopped", "off", "ok"),
        ("stopped", "running", "failed"),
        ("absent", "absent", "ok"),
        ("absent", "off", "failed"),
    ],
)
def test_a_link_is_judged_by_what_is_wanted(wanted, state, verdict):
    made = document(wanted=wanted, plan={"replica": {"link": {**LINK, "state": state}}})
    assert made["verdict"] == verdict
    assert [block["rule"] for block in made["blocks"]] == ([] if verdict == "ok" else ["link.state"])


@pytest.mark.parametrize(
    ("lag", "most", "state", "rules"),
    [
        (31, 30, "running", ["link.lag"]),
        (30, 30, "running", []),
        (1, 0, "running", ["link.lag"]),
        (31, None, "running", []),
        (None, 0, "running", []),
        (31, 30, "receiver_off", ["link.state"]),
    ],
)
def test_a_link_is_judged_by_the_lag_that_is_tolerated(lag, most, state, rules):
    made = document(max_lag_seconds=most, plan=link(lag_seconds=lag, state=state))
    assert [block["rule"] for block in made["blocks"]] == rules
    assert made["verdict"] == ("failed" if rules else "ok")


def test_the_lag_of_a_link_that_shall_stand_still_does_not_count():
    assert document(wanted="stopped", max_lag_seconds=0, plan=link(lag_seconds=9, state="off"))["verdict"] == "ok"


@pytest.mark.parametrize(("severity", "verdict"), [("info", "ok"), ("warning", "warning"), ("error", "warning")])
def test_what_does_not_block_a_link_that_runs(severity, verdict):
    found = {"findings": [{**FINDING, "severity": severity}], "summary": {"ready": True, "blocked_by": []}}
    assert document(plan={**link(), **found})["verdict"] == verdict


def test_a_running_link_that_could_not_be_made_again_is_no_failure():
    assert document(plan={**link(), "findings": [FINDING], "summary": BLOCKED})["verdict"] == "warning"


# All hosts together


def test_all_hosts_of_the_inventory_are_there_and_others_do_not_count():
    gone = document("gone", plan=link(state="off"))
    whole = _report_document.merge([document("b", plan=link()), gone], {"sources": ["s"], "replicas": ["a", "b"]})
    assert [(host["host"], host["verdict"], host["in_inventory"]) for host in whole["hosts"]] == [
        ("a", "unknown", True),
        ("b", "ok", True),
        ("gone", "failed", False),
    ]
    assert (whole["verdict"], whole["summary"]) == ("unknown", {"failed": 0, "unknown": 1, "warning": 0, "ok": 1})


def test_without_an_inventory_every_host_counts():
    whole = _report_document.merge([document("b", plan=link()), document("c", plan=link(state="off"))], None)
    assert whole["verdict"] == "failed" and [host["host"] for host in whole["hosts"]] == ["c", "b"]


def test_findings_stay_where_a_run_judges_none(tmp_path):
    write(tmp_path, plan={"findings": [FINDING], "summary": BLOCKED, "failed": True, "msg": "1 of 1"})
    made = write(tmp_path, now="2027-01-01T00:00:00+00:00", plan=link())["document"]
    assert (made["findings"], made["findings_at"], made["verdict"]) == ([FINDING], NOW, "ok")
    assert made["blocks"] == []


def test_what_a_run_has_judged_itself_goes_before_what_an_earlier_one_had(tmp_path):
    slow, other = {"rule": "link.received", "status": "failed", "severity": "warning"}, {"rule": "network.port", "status": "failed", "severity": "info"}
    write(tmp_path, plan={"findings": [slow, other], "summary": {"ready": True}})
    made = write(tmp_path, plan={**link(), "findings": [slow]})["document"]
    assert (made["findings"], made["verdict"], made["summary"]) == ([slow, other], "warning", {"ready": True})
    well = {**slow, "status": "passed"}
    made = write(tmp_path, plan={**link(), "findings": [well]})["document"]
    assert (made["findings"], made["verdict"]) == ([well, other], "ok")


# Files


def test_files(tmp_path):
    folder = tmp_path / "deep" / "report"
    result = write(folder, plan=link())
    assert result["changed"] and result["file"] == str(folder / "report.json")
    whole = json.loads((folder / "report.json").read_text())
    summary = {"failed": 0, "unknown": 0, "warning": 0, "ok": 1}
    assert whole == {"schema_version": 1, "at": NOW, "verdict": "ok", "summary": summary, "hosts": [result["document"]]}
    assert "shop " in (folder / "report.txt").read_text()
    assert "table" not in result, "it is in the file"
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.rglob("*")} == {".lock", "hosts", "shop.json", "report.json", "report.txt", "report.html", "report.md", "junit.xml"}


def test_a_second_time_only_the_times_differ(tmp_path):
    write(tmp_path, plan=link())
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    result = write(tmp_path, now="2026-11-21T11:00:00+00:00", plan=link())
    assert not result["changed"]
    after = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert after != before, "a report says when it looked"
    assert {path: text.replace("T11:00", "T10:00").replace(" 11:00", " 10:00") for path, text in after.items()} == before


def test_prometheus_reads_what_another_user_wrote(tmp_path):
    (tmp_path / "textfile").mkdir()
    write(tmp_path / "report", plan=link(), prometheus=str(tmp_path / "textfile"))
    (written,) = (tmp_path / "textfile").iterdir()
    assert written.name == "datain.prom" and stat.S_IMODE(written.stat().st_mode) == 0o644
    assert 'datain_link_lag_seconds{host="shop"' in written.read_text()


def test_a_folder_for_prometheus_is_not_made(tmp_path):
    with pytest.raises(ToolError) as caught:
        write(tmp_path / "report", plan=link(), prometheus=str(tmp_path / "mistyped"))
    assert "datain_prometheus_dir" in caught.value.hint


def test_what_moves_by_itself_is_written_but_is_no_change(tmp_path):
    write(tmp_path, plan={**link(), "changed": True, "actions": [{"action": "start"}]})
    result = write(tmp_path, plan=link(lag_seconds=9, applied={"file": "binlog.000009", "position": 9}))
    assert not result["changed"]
    assert "binlog.000009:9" in (tmp_path / "report.txt").read_text()
    assert write(tmp_path, plan=link(state="off"))["changed"]


def test_hosts_come_together_and_stay(tmp_path):
    write(tmp_path, "b", plan=link())
    write(tmp_path, "a", plan=link())
    table = (tmp_path / "report.txt").read_text()
    assert [line.split()[0] for line in table.splitlines()[2:4]] == ["a", "b"]
    write(tmp_path, "b", plan=link())
    assert (tmp_path / "report.txt").read_text() == table, "a limited run leaves the others where they were"


def test_check_mode_writes_nothing(tmp_path):
    folder = tmp_path / "report"
    result = write(folder, check_mode=True, plan=link())
    assert result["changed"] and result["table"][2].startswith("shop ")
    assert not folder.exists()
    write(folder, "a", plan=link())
    before = sorted(tmp_path.rglob("*"))
    assert [line.split()[0] for line in write(folder, check_mode=True, plan=link())["table"][2:4]] == ["a", "shop"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../../escape", "a/b", "..", ".hidden", "spaces in it", "üñï", "n" * 80])
def test_names_stay_in_the_folder(tmp_path, name):
    folder = tmp_path / "report"
    write(folder, name, plan=link())
    assert write(folder, name, plan=link())["changed"] is False
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    assert len(list((folder / "hosts").iterdir())) == 1
    assert json.loads((folder / "report.json").read_text())["hosts"][0]["host"] == name


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": "x"}', '{"schema_version": 2, "host": "x"}'])
def test_a_file_that_is_no_report_is_left_out_and_told(tmp_path, text):
    write(tmp_path, plan=link())
    (tmp_path / "hosts" / "other.json").write_text(text)
    warnings = []
    _report.Report(str(tmp_path)).add(document(plan=link()), check_mode=False, warn=warnings.append)
    assert (tmp_path / "report.txt").read_text().splitlines()[-1].startswith("1 well") and "other.json" in warnings[0]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError) as caught:
        write(tmp_path / "file", plan=link())
    assert "datain_report_dir" in caught.value.hint


def _worker(arguments):
    folder, number = arguments
    for _turn in range(5):
        _report.Report(folder).add(document(f"host-{number}", plan=link(lag_seconds=_turn)), check_mode=False)


def test_many_workers(tmp_path):
    with multiprocessing.get_context("fork").Pool(8) as pool:
        pool.map(_worker, [(str(tmp_path), number) for number in range(16)], chunksize=1)
    whole = json.loads((tmp_path / "report.json").read_text())
    assert [item["host"] for item in whole["hosts"]] == sorted(f"host-{number}" for number in range(16))
    assert {item["lag_seconds"] for item in whole["hosts"]} == {4}
    assert not list(tmp_path.rglob(".report-*"))


def test_who_finds_another_at_it_leaves_its_part(tmp_path, monkeypatch):
    """A part that comes while all are merged is left to the one that does it, and is in the report when that one is done."""
    merged = []

    def slow(self, whole):
        merged.append([host["host"] for host in whole["hosts"]])
        if len(merged) == 1:
            write(tmp_path, "late", plan=link())
        original(self, whole)

    original = _report.Report._write_all
    monkeypatch.setattr(_report.Report, "_write_all", slow)
    write(tmp_path, "early", plan=link())
    assert merged == [["early"], ["early", "late"]]
    assert [host["host"] for host in json.loads((tmp_path / "report.json").read_text())["hosts"]] == ["early", "late"]


def test_hosts_that_leave_merging_to_what_comes_after_them(tmp_path):
    for name in ("one", "other"):
        _report.Report(str(tmp_path)).add(document(name, plan=link()), check_mode=False, merge_now=False)
    assert not (tmp_path / "report.json").exists()
    planned = _report.Report(str(tmp_path)).put_together(check_mode=True)
    assert planned["table"][-1].startswith("2 well") and not (tmp_path / "report.json").exists()
    assert _report.Report(str(tmp_path)).put_together(check_mode=False)["changed"] is False
    assert [host["host"] for host in json.loads((tmp_path / "report.json").read_text())["hosts"]] == ["one", "other"]


def test_nothing_to_put_together(tmp_path):
    assert _report.Report(str(tmp_path / "none")).put_together(check_mode=False)["changed"] is False
    assert list(tmp_path.iterdir()) == []


# The capability


def test_run(tmp_path):
    given = {"report_dir": str(tmp_path), "name": "shop", "document": {"role": "replica", 7: {1, 2}}, "source_name": "shop-db"}
    parameters = {**dict.fromkeys(_report.CAPABILITY.argument_spec), **given}
    result = run(_report.CAPABILITY, parameters, check_mode=False, diff=True)
    assert result["changed"] and result["document"]["source"] == "shop-db"
    assert "login_host" not in _report.CAPABILITY.argument_spec
    assert run(_report.CAPABILITY, {**parameters, "name": " "}, check_mode=False, diff=True)["failed"]
