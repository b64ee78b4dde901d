# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker, module process and asynchronous job: one way in is as good as another, for good input and for bad."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._password_hash import native

MODULES = sorted(path.stem for path in (Path(__file__).parents[2] / "plugins" / "modules").glob("[a-z]*.py"))
FLAVOURS = {"mysql": ("mysql-8.0.33", "mysql_flexible_server"), "mariadb": ("mariadb-10.11", "mariadb_server")}
SECRET = "Both-ways-secret-4711"
DATA = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, word VARCHAR(20)); INSERT INTO shop.t VALUES (1, 'one'), (2, 'two');"
WAYS = {"worker": {}, "process": {"environment": {"ANY": "thing"}}, "job": {}}
# Jobs report in a folder of the account's home, which need not be what HOME says: both sides are told where to look.
JOBS = tempfile.mkdtemp(prefix="datain-jobs-")
atexit.register(shutil.rmtree, JOBS, ignore_errors=True)
LOCALHOST = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_async_dir": JOBS}
LOCAL = {"all": {"hosts": {"localhost": LOCALHOST}}}
JOB = {"async": 90, "poll": 1}
# What Ansible itself adds to a result, each way in its own.
FRAME = {"invocation", "ansible_facts", "exception", "deprecations", "ansible_job_id", "finished", "started", "results_file", "stdout", "stdout_lines",
         "stderr", "stderr_lines", "failed_when_result", "module_stdout", "module_stderr", "ansible_async_watchdog_pid"}  # fmt: skip
# What is another one in each run: times, random ids, ports of sessions.
MOVING = [
    (re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?"), "<time>"),
    (re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"), "<minute>"),
    (re.compile(r"clock is [+-]\d+ s"), "clock is about the same"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"127\.0\.0\.1:[3-6]\d{4}\b"), "<session>"),
    (re.compile(r'"(id|seconds)": \d+'), r'"\1": 0'),
]


class Pair:
    def __init__(self, flavour, lab):
        server, self.service = FLAVOURS[flavour]
        self.source = lab(f"ways-{flavour}-source", server)
        self.replica = lab(f"ways-{flavour}-replica", server, "--service", self.service)
        self.on_source = self.source.login(login_tls="required")
        self.on_replica = self.replica.login(login_tls="verify_ca", login_ca=self.replica.state["ca"])
        self.account = {"name": "datain", "password": SECRET, "require_tls": True}
        self.link = {
            **self.on_replica,
            "source": self.on_source,
            "service": self.service,
            "replication_user": "datain",
            "replication_password": SECRET,
            "link_host": self.source.state["host"],
            "link_port": self.source.state["port"],
            "link_ca": self.source.state["ca"],
        }
        self.seed = {**self.on_replica, "source": self.on_source, "schemas": ["shop"], "client_dir": self.source.state["bin_dir"]}

    def reset(self):
        # The replica first: else it is back at the source before the source has forgotten its account.
        self.replica.reset()
        self.source.reset()
        self.source.sql(DATA)
        self.source.sql("SET GLOBAL binlog_row_image='MINIMAL'")
        # A hash without a random salt: the sizes of the logs are compared.
        self.source.sql(f"CREATE USER shopkeeper@'%' IDENTIFIED WITH mysql_native_password AS '{native(SECRET)}'; GRANT SELECT ON shop.* TO shopkeeper@'%'")

    def own(self, module):
        """Options with which a module succeeds, or at least would if nothing were wrong with its login."""
        plan = {**self.link, "require_tls": True, "client_dir": self.source.state["bin_dir"]}
        return {
            "account_sync": {**self.on_replica, "source": self.on_source, "service": self.service, "replication_user": "datain", "accounts": ["shop*"]},
            "binlog_config": self.on_source,
            "link_plan": plan,
            "link_report": {"report_dir": "report", "name": "shop", "document": {"role": "replica", "plan": {}, "results": []}},
            "prerequisites": self.link,
            "replica_info": self.on_replica,
            "replica_link": self.link,
            "replica_seed": self.seed,
            "replication_user": {**self.on_source, **self.account},
            "source_info": self.on_source,
            "source_plan": {**self.on_source, "replication_user": "datain", "replication_password": SECRET, "require_tls": True},
        }[module]

    def seen(self):
        """A source whose log is another one's."""
        return {"identity": {"server_id": int(self.source.value("SELECT @@server_id"))}, "binlog_files": [{"name": "gone.000001", "size": 1}]}

    def story(self):
        """From two servers to a link and back, every module, what changes and what does not: module, options, task keywords."""
        for module, extra, words in (
            ("source_info", {}, {}),
            ("source_plan", {}, {}),
            ("binlog_config", {}, {"check_mode": True}),
            ("binlog_config", {}, {}),
            ("binlog_config", {}, {}),
            ("replication_user", {}, {"check_mode": True}),
            ("replication_user", {}, {}),
            ("replication_user", {}, {}),
            ("prerequisites", {"fail_on": "none"}, {}),
            ("link_plan", {}, {}),
            ("link_plan", {}, {"check_mode": True}),
            ("replica_seed", {}, {"check_mode": True}),
            ("replica_seed", {}, {}),
            ("replica_seed", {}, {}),
            ("replica_link", {}, {"check_mode": True}),
            ("replica_link", {}, {}),
            ("replica_link", {}, {}),
            ("replica_info", {}, {}),
            ("replica_info", {"source_seen": self.seen()}, {}),
            ("account_sync", {}, {"check_mode": True}),
            ("account_sync", {}, {}),
            ("account_sync", {}, {}),
            ("source_info", {}, {}),
            ("link_report", {}, {}),
            ("replication_user", {"password": SECRET + "-new"}, {}),
            ("replica_link", {"state": "stopped"}, {}),
            ("replica_link", {"state": "absent"}, {}),
            ("replication_user", {"name": "other", "password": SECRET}, {}),
            ("replication_user", {"name": "other", "state": "absent"}, {}),
        ):
            yield module, {**self.own(module), **extra}, words

    def mistakes(self):
        """Bad input for every module: none of it may change anything."""
        for module in MODULES:
            own = self.own(module)
            yield module, {**own, "no_such_option": 1}
            # Without any option a report is put together.
            yield module, {"name": "shop"} if module == "link_report" else {}
            if module != "link_report":
                yield module, {**own, "login_port": 1}
                yield module, {**own, "login_password": "not-this-one"}
        for module in ("source_info", "replica_link"):
            own = self.own(module)
            yield module, {**own, "login_port": "many"}
            yield module, {**own, "login_tls": "sometimes"}
            yield module, {**own, "login_tls": "verify_ca", "login_ca": self.source.state["wrong_ca"]}
            yield module, {**own, "login_tls": "verify_ca", "login_ca": "-----BEGIN CERTIFICATE----- flat -----END CERTIFICATE-----"}
        yield "replica_link", {**self.link, "source": {**self.on_source, "login_password": "not-this-one"}}
        yield "replica_link", {**self.link, "source": {"login_host": "x"}}
        yield "replica_link", {**self.link, "source": "x"}
        yield "replication_user", {**self.own("replication_user"), "password": "x" * 33}
        yield "binlog_config", {**self.own("binlog_config"), "retention": -1}
        yield "replica_link", {**self.link, "service": "oracle"}
        yield "replica_link", {**self.link, "link_ca": "/no/such/file.pem"}
        yield "replica_link", {**self.link, "coordinates": {"file": "binlog.000001"}}
        yield "replica_seed", {**self.seed, "engine": "external"}
        yield "account_sync", {**self.own("account_sync"), "accounts": ["!shop*"]}
        yield "account_sync", {**self.own("account_sync"), "service": "mariadb_server"}


@pytest.fixture(params=FLAVOURS)
def pair(request, lab):
    return Pair(request.param, lab)


@pytest.fixture
def perform_all(play, tmp_path):
    """Give a function that runs tasks one way and returns their results in order."""

    def run(way, tasks):
        written = []
        for number, (module, options, *words) in enumerate(tasks):
            task = {"name": f"Task {number}", f"datain.azure_mysql.{module}": options, "register": f"result_{number}", "ignore_errors": True}
            written.append({**task, **(words[0] if words else {}), **(JOB if way == "job" else {})})
        results = "{{ [" + ", ".join(f"result_{number}" for number in range(len(written))) + "] | to_json }}"
        written.append({"name": "Keep", "ansible.builtin.copy": {"content": results, "dest": str(tmp_path / f"{way}.json"), "mode": "0600"}})
        head = {"name": way, "hosts": "localhost", "gather_facts": False, "diff": True, **WAYS[way]}
        # Kept, each module process leaves its file: the way was really taken.
        left = tmp_path / f"{way}-files"
        kept = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TEMP": str(left)}
        shutil.rmtree(tmp_path / "report", ignore_errors=True)
        done = play([{**head, "tasks": written}], LOCAL, **kept)
        assert done.rc == 0, done.out
        assert SECRET not in done.out
        processes = [path for path in left.rglob("AnsiballZ_*.py") if path.stem.partition("_")[2] in MODULES]
        assert len(processes) == (0 if way == "worker" else len(tasks)), [way, processes]
        return json.loads((tmp_path / f"{way}.json").read_text())

    return run


def comparable(result):
    text = json.dumps({key: value for key, value in result.items() if key not in FRAME}, sort_keys=True)
    for pattern, word in MOVING:
        text = pattern.sub(word, text)
    return json.loads(text)


def unlike(one, other, place=""):
    """Where two results differ, as lines that a person can read."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from unlike(one.get(key, "<missing>"), other.get(key, "<missing>"), f"{place}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (first, second) in enumerate(zip(one, other)):
            yield from unlike(first, second, f"{place}[{number}]")
    elif one != other:
        yield f"{place}: {one!r} / {other!r}"


def differences(tasks, one, other):
    for (module, options, *_words), first, second in zip(tasks, one, other):
        for line in unlike(comparable(first), comparable(second)):
            yield f"{module} {sorted(options)}{line}"


def test_the_same_story(pair, perform_all):
    story = list(pair.story())
    assert {module for module, *_rest in story} == set(MODULES)
    told = {}
    for way in ("worker", "process"):
        pair.reset()
        told[way] = perform_all(way, story)
    assert list(differences(story, told["worker"], told["process"])) == []
    # And the story is one in which things happen.
    outcomes = [(module, bool(result.get("failed")), result["changed"]) for (module, *_rest), result in zip(story, told["worker"])]
    assert [outcome for outcome in outcomes if outcome[1]] == [("replication_user", True, False)], told["worker"]
    assert sum(changed for _module, _failed, changed in outcomes) == 16, outcomes


def test_the_same_story_as_jobs(lab, perform_all):
    """Each takes a second at least, so those that change something, once."""
    pair = Pair("mysql", lab)
    story = [task for task in pair.story() if task[0] in ("replication_user", "replica_seed", "replica_link") and not task[2]]
    told = {}
    for way in ("worker", "job"):
        pair.reset()
        told[way] = perform_all(way, story)
    assert all("ansible_job_id" in result for result in told["job"])
    assert list(differences(story, told["worker"], told["job"])) == []


def test_the_same_mistakes(lab, perform_all):
    pair = Pair("mysql", lab)
    pair.reset()
    mistakes = list(pair.mistakes())
    before = [server.sql("SHOW MASTER STATUS") for server in (pair.source, pair.replica)]
    told = {way: perform_all(way, mistakes) for way in ("worker", "process")}
    assert [task for task, result in zip(mistakes, told["worker"]) if not result.get("failed") or result["changed"]] == []
    assert list(differences(mistakes, told["worker"], told["process"])) == []
    assert [server.sql("SHOW MASTER STATUS") for server in (pair.source, pair.replica)] == before
    for result in told["worker"]:
        assert result["msg"] and "Traceback" not in result["msg"]


def test_a_job_that_nobody_waits_for(lab, play, tmp_path):
    """A seed may take hours: with poll 0 it goes on by itself, and async_status hands over the same result."""
    pair = Pair("mysql", lab)
    pair.reset()
    tasks = [
        {"name": "Start", "datain.azure_mysql.replica_seed": pair.seed, "async": 120, "poll": 0, "register": "job"},
        {
            "name": "Wait",
            "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
            "register": "seeded",
            "until": "seeded.finished",
            "retries": 60,
            "delay": 1,
        },
        {"name": "Say", "ansible.builtin.assert": {"that": ["seeded.changed", "seeded.seed.phase == 'complete'"]}},
    ]
    done = play([{"name": "Job", "hosts": "localhost", "gather_facts": False, "tasks": tasks}], LOCAL)
    assert done.rc == 0, done.out
    assert pair.replica.sql("SELECT * FROM shop.t ORDER BY id") == [["1", "one"], ["2", "two"]]
