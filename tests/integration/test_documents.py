# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of the control plane in a playbook: read on the controller, judged in the worker and in a module process alike."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

DOCUMENTS = Path(__file__).parents[1] / "unit" / "documents"
CANARY = "canary-state-password"
SECRET = "documents-secret-0815"
WAYS = {"worker": {}, "process": {"environment": {"ANY": "thing"}}}


@pytest.fixture
def check(lab, play, tmp_path):
    """Give a function that runs the role's check of a link whose inventory has some documents; it returns the run and the findings."""
    source = lab("plain-mysql", "mysql-8.0.33")
    replica = lab("managed-mysql", "mysql-8.0.33", "--service", "mysql_flexible_server")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}

    def login(server):
        return {f"datain_{name}": value for name, value in server.login(login_tls="required").items()}

    def run(way, documents, *words, **variables):
        shop = {**login(source), "datain_replication_user": "datain", "datain_replication_password": SECRET, "datain_link_ca": source.state["ca"]}
        west = {
            **login(replica),
            **local,
            "datain_source": "shop",
            "datain_service": "mysql_flexible_server",
            "datain_azure_server_name": "shop",
            "datain_azure_documents": documents,
            "datain_fail_on": "none",
            **variables,
        }
        inventory = {"datain_sources": {"hosts": {"shop": {**shop, **local}}}, "datain_replicas": {"hosts": {"west": west}}}
        kept = tmp_path / "findings.json"
        kept.unlink(missing_ok=True)
        tasks = [
            {"name": "Check", "ansible.builtin.import_role": {"name": "datain.azure_mysql.preflight", "tasks_from": "findings"}},
            {"name": "Keep", "ansible.builtin.copy": {"content": "{{ __preflight_findings.findings | to_json }}", "dest": str(kept), "mode": "0600"}},
        ]
        files = tmp_path / f"files-{way}"
        done = play(
            [{"name": way, "hosts": "datain_replicas", "gather_facts": False, **WAYS[way], "tasks": tasks}],
            inventory,
            *words,
            ANSIBLE_KEEP_REMOTE_FILES="1",
            ANSIBLE_REMOTE_TEMP=str(files),
        )
        processes = list(files.rglob("AnsiballZ_prerequisites.py"))
        findings = {finding["rule"]: finding for finding in json.loads(kept.read_text())} if kept.exists() else None
        return done, findings, processes

    return run


def changed(name, **changes):
    return {**json.loads((DOCUMENTS / name).read_text()), **changes}


@pytest.mark.parametrize("way", WAYS)
def test_documents_of_the_inventory_are_judged(check, way, tmp_path):
    stopped = tmp_path / "server.json"
    stopped.write_text(json.dumps(changed("flexible_az.json", state="Stopped", highAvailability={"mode": "ZoneRedundant"})))
    parameters = str(DOCUMENTS / "flexible_parameters_az.json")
    done, findings, processes = check(way, [str(stopped), parameters])
    assert done.rc == 0, done.out
    assert len(processes) == (way == "process")
    statuses = {rule: finding["status"] for rule, finding in findings.items() if rule.startswith("azure.")}
    assert statuses["azure.document"] == statuses["azure.private_access"] == statuses["azure.pending_restart"] == statuses["azure.filter"] == "passed"
    assert statuses["azure.state"] == statuses["azure.high_availability"] == "failed"
    assert statuses["azure.version"] == statuses["azure.storage_size"] == statuses["azure.storage"] == "passed"
    assert findings["azure.storage_size"]["seen"].endswith("64.0 GiB of storage")
    # The server itself runs with other values than the document says.
    assert "binlog_expire_logs_seconds: 604800 there, 0 on the server" in findings["azure.parameters"]["objects"]
    if way == "worker":
        done, findings, _processes = check(way, [str(DOCUMENTS / "flexible_az.json"), parameters], datain_fail_on="error")
        assert done.rc == 0, done.out
        assert {findings[rule]["status"] for rule in statuses if rule != "azure.parameters"} <= {"passed", "not_applicable"}


@pytest.mark.parametrize("way", WAYS)
def test_what_blocks_fails_the_check(check, way):
    document = changed("flexible_az.json", highAvailability={"mode": "SameZone"})
    done, _findings, _processes = check(way, [document], datain_fail_on="error", datain_link_method="position")
    assert done.rc == 2
    ((_host, result),) = done.failures
    assert result["summary"]["blocked_by"] == ["azure.high_availability"]
    assert "--high-availability Disabled" in result["msg"]


@pytest.mark.parametrize("way", WAYS)
def test_a_document_of_another_server_is_refused(check, way):
    done, _findings, _processes = check(way, [str(DOCUMENTS / "flexible_az.json")], datain_fail_on="error", datain_azure_server_name="depot")
    assert done.rc == 2
    assert done.failures[0][1]["summary"]["blocked_by"] == ["azure.document"]
    assert "shop (Microsoft.DBforMySQL/flexibleServers)" in done.failures[0][1]["msg"]


@pytest.mark.parametrize("way", WAYS)
def test_the_secrets_of_a_state_stay_on_the_controller(check, way, tmp_path):
    state = json.loads((DOCUMENTS / "flexible_terraform_state.json").read_text())
    assert CANARY in json.dumps(state)
    done, findings, processes = check(way, [state], "-vvv")
    assert done.rc == 0, done.out
    assert findings["azure.document"]["status"] == findings["azure.filter"]["status"] == "passed"
    assert len(processes) == (way == "process")
    assert [line for line in done.out.splitlines() if CANARY in line] == []
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "inventory.json":
            assert CANARY.encode() not in path.read_bytes(), path


def test_a_document_that_is_none_is_one_clear_error_both_ways(play, tmp_path):
    whole = (DOCUMENTS / "flexible_az.json").read_text()
    bad = {"truncated": whole[:500], "empty": "", "deep": "[" * 100_000, "PostgreSQL": whole.replace("DBforMySQL", "DBforPostgreSQL")}
    # No server is touched: none is there.
    nobody = {"login_host": "127.0.0.1", "login_port": 1, "login_user": "nobody"}
    options = {**nobody, "source": nobody, "service": "mysql_flexible_server", "replication_user": "x", "replication_password": SECRET, "link_host": "x"}
    tasks = []
    for name, text in bad.items():
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        tasks.append({"name": name, "datain.azure_mysql.prerequisites": {**options, "azure_documents": [str(path)]}, "ignore_errors": True})
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    plays = [{"name": way, "hosts": "localhost", "gather_facts": False, **WAYS[way], "tasks": tasks} for way in WAYS]
    done = play(plays, {"all": {"hosts": {"localhost": local}}})
    assert done.rc == 0 and "Traceback" not in done.out, done.out
    told = [result["msg"] for _host, result in done.failures]
    assert len(told) == 2 * len(bad) and told[: len(bad)] == told[len(bad) :]
    for name, message in zip(bad, told):
        assert str(tmp_path / f"{name}.json") in message and "Remedy" in message
