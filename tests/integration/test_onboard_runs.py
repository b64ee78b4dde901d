# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the onboard playbook does when it is run, run again, limited, or only checked; judged by the servers' own logs and clients."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.pair import difference
from cuts.playbook import play, start
from cuts.workshop import asked, workshop, writes

# The figures of the issue: results a converged run may cost, implicit ones included. The whole run has one more.
TASKS_A_SOURCE, TASKS_A_LINK = 1, 1
CONNECTIONS, STATEMENTS = 2, 40
# A connection that leads nowhere.
AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=1"}
DUMP_CLIENT = ("FLUSH", "LOCK", "UNLOCK", "SET", "/*!", "/*M!", "START TRANSACTION", "SAVEPOINT", "ROLLBACK", "RELEASE SAVEPOINT", "use ", "command 2")


@pytest.fixture(scope="module")
def shop():
    with workshop() as opened:
        yield opened


@pytest.fixture(params=["mysql", "mariadb"])
def pair(request, shop):
    return shop.pair(request.param)


def onboard(pair, *words, **other):
    return play(pair.home, pair.inventory, *words, **other)


def linked(pair, replica=None):
    status = (replica or pair.replica).status()
    return status.get("Slave_IO_Running") == "Yes" and status.get("Slave_SQL_Running") == "Yes"


def everything(pair):
    """All that a run could have changed, on all servers."""
    return [pair.state(), [pair.rows(server) for server in pair.servers], pair.source.sql("SHOW GLOBAL VARIABLES WHERE variable_name NOT LIKE '%timestamp%'"
            " AND variable_name NOT LIKE 'gtid_executed%' AND variable_name NOT LIKE 'innodb_%' AND variable_name NOT LIKE 'rand_%'")]  # fmt: skip


def test_check_mode_tells_the_plan_and_writes_nothing(pair):
    before = everything(pair)
    pair.watch(table=True)
    end = pair.source.end()
    run = onboard(pair, "--check", "--diff")
    assert run.status == 0, run.text
    for server in pair.servers:
        sessions, statements = asked(pair, server)
        assert sessions and statements, f"{server.name} was not even asked"
        assert writes(statements) == []
    assert pair.source.end() == end
    for server in pair.servers:
        server.sql("SET GLOBAL general_log=OFF; SET GLOBAL log_output='FILE'")
    pair.source.sql("SELECT 1")
    assert [text for index in (0, 1) for text in difference(before[index], everything(pair)[index])] == []
    # The plan: the account on the source, the copy, and the link.
    plan = run.text.lower()
    for word in (pair.user, "replication slave", "seed", "shop", "started"):
        assert word in plan, f"{word!r} is not in the plan:\n{run.text}"
    assert run.changed, "a plan with work in it must be told as one"
    assert pair.password not in run.text
    # And it is the plan that is then carried out.
    assert onboard(pair).status == 0
    assert linked(pair)


def test_a_second_run_changes_and_writes_nothing(pair):
    first = onboard(pair)
    assert first.status == 0 and linked(pair), first.text
    pair.watch(table=True)
    end = pair.source.end()
    again = onboard(pair, count=True)
    assert again.status == 0 and again.changed == 0, again.text
    for server in pair.servers:
        assert writes(asked(pair, server)[1]) == []
    assert pair.source.end() == end
    assert len(again.tasks["shop"]) <= TASKS_A_SOURCE + 1, again.tasks
    assert len(again.tasks["azure1"]) <= TASKS_A_LINK, again.tasks
    check = onboard(pair, "--check", "--diff")
    assert check.status == 0 and check.changed == 0, check.text


def test_a_converged_pair_is_asked_little(pair):
    assert onboard(pair).status == 0
    pair.watch(table=True)
    assert onboard(pair, "--limit", "azure1").changed == 0
    asked_of = {server.name: asked(pair, server) for server in pair.servers}
    sessions = sum(found[0] for found in asked_of.values())
    statements = sum(len(found[1]) for found in asked_of.values())
    print({name: (found[0], len(found[1])) for name, found in asked_of.items()})
    assert sessions <= CONNECTIONS, asked_of
    assert statements <= STATEMENTS, asked_of


def test_limited_to_a_replica_an_unready_source_is_left_alone(pair):
    before = pair.source.sql("SELECT user, host FROM mysql.user ORDER BY 1, 2")
    pair.watch(table=True)
    end = pair.source.end()
    run = onboard(pair, "--limit", "azure1")
    assert run.status != 0
    assert "--limit 'shop,azure1'" in run.text, run.text
    assert pair.source.end() == end and pair.source.sql("SELECT user, host FROM mysql.user ORDER BY 1, 2") == before
    for server in pair.servers:
        assert writes(asked(pair, server)[1]) == []
    assert onboard(pair, "--limit", "shop,azure1").status == 0
    assert linked(pair)


def test_an_empty_folder_of_the_report_is_none(shop):
    """A source that is right writes its own part only, so that what is merged was merged by the run's last task."""
    pair = shop.pair("mariadb")
    words = ("--limit", "shop", "--extra-vars", "datain_report_dir=")
    assert onboard(pair, *words).status == 0
    shutil.rmtree(pair.home / "datain-report")
    run = onboard(pair, *words)
    assert run.status == 0 and run.changed == 0, run.text
    assert [host["host"] for host in json.loads((pair.home / "datain-report" / "report.json").read_text())["hosts"]] == ["azure1", "shop"]
    shutil.rmtree(pair.home / "datain-report")


def test_limited_to_a_replica_a_ready_source_is_not_altered(pair):
    assert onboard(pair, "--limit", "shop").status == 0
    assert not pair.replica.status()
    account = pair.grants()
    pair.watch(table=True)
    end = pair.source.end()
    run = onboard(pair, "--limit", "azure1")
    assert run.status == 0 and linked(pair), run.text
    # Reading a consistent copy takes the dump client a moment's lock and a transaction; nothing else may differ from a read.
    odd = [statement for statement in writes(asked(pair, pair.source)[1]) if not statement.startswith(DUMP_CLIENT)]
    assert odd == []
    assert pair.source.end() == end and pair.grants() == account


def test_five_replicas_of_one_source(shop):
    pair = shop.pair("mariadb", 5)
    inventory = pair.variables()
    # Empty counts as not given: SQL is spoken from the controller, and nothing is asked of the database's own host.
    inventory["all"]["children"]["datain_replicas"]["hosts"]["azure5"].update(AWAY, datain_sql_host="")
    pair.inventory.write_text(yaml.safe_dump(inventory, allow_unicode=True))
    run = onboard(pair)
    assert run.status == 0, run.text
    for replica in pair.replicas:
        assert linked(pair, replica)
        assert pair.catch_up(replica) is None
        assert pair.rows(replica) == pair.rows(pair.source)
    pair.watch(table=True)
    again = onboard(pair, count=True)
    assert again.status == 0 and again.changed == 0, again.text
    # Its own play reads the source, and one replica for all five.
    assert asked(pair, pair.source)[0] == 2
    assert [asked(pair, replica)[0] for replica in pair.replicas] == [1] * 5
    assert len(again.tasks["shop"]) <= TASKS_A_SOURCE + 1, again.tasks
    assert {host: len(tasks) for host, tasks in again.tasks.items() if host != "shop" and len(tasks) > TASKS_A_LINK} == {}
    assert len(again.tasks) == 6
    # What another replica's worker has read on the source decides about nothing that is to be done.
    pair.replicas[2].sql("CALL mysql.az_replication_stop")
    pair.watch(table=True)
    mended = onboard(pair)
    assert mended.status == 0 and linked(pair, pair.replicas[2]), mended.text
    assert asked(pair, pair.source)[0] > 2
    # What is right ends there, whatever becomes of the others; what fails or is not reached is reported.
    inventory = pair.variables()
    hosts = inventory["all"]["children"]["datain_replicas"]["hosts"]
    hosts["azure2"]["datain_login_password"] = "not-this-one"
    hosts["azure4"]["datain_sql_host"] = "away"
    inventory["all"]["hosts"] = {"away": AWAY}
    pair.inventory.write_text(yaml.safe_dump(inventory, allow_unicode=True))
    partly = onboard(pair)
    assert partly.status != 0 and partly.changed == 0, partly.text
    ends = {host: (row["failed"], row["unreachable"]) for host, row in partly.recap.items()}
    assert ends == {"shop": (0, 0), "azure1": (0, 0), "azure2": (1, 0), "azure3": (0, 0), "azure4": (0, 1), "azure5": (0, 0)}
    report = json.loads((pair.home / "report" / "report.json").read_text())
    assert {host["host"]: host["verdict"] for host in report["hosts"] if host["verdict"] in ("failed", "unknown")} == {"azure2": "failed", "azure4": "unknown"}
    assert {host["host"]: host["state"] for host in report["hosts"]}["azure4"] == "unreachable"
    inventory = pair.variables()
    inventory["all"]["hosts"] = {"away": AWAY}
    inventory["all"]["children"]["datain_sources"]["hosts"]["shop"]["datain_sql_host"] = "away"
    pair.inventory.write_text(yaml.safe_dump(inventory, allow_unicode=True))
    without = onboard(pair)
    assert without.status == 4 and without.recap["shop"]["unreachable"] == 1 and without.changed == 0, without.text
    report = json.loads((pair.home / "report" / "report.json").read_text())
    assert {host["host"]: host["state"] for host in report["hosts"]}["shop"] == "unreachable"
    assert not [host for host, row in without.recap.items() if row["failed"]] and linked(pair, pair.replicas[1])
    # A host that is taken out of the inventory is nobody's business any more: its link runs on.
    inventory = pair.variables()
    del inventory["all"]["children"]["datain_replicas"]["hosts"]["azure2"]
    pair.inventory.write_text(yaml.safe_dump(inventory, allow_unicode=True))
    less = onboard(pair)
    assert less.status == 0 and less.changed == 0, less.text
    assert "azure2" not in less.recap
    assert linked(pair, pair.replicas[1])


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_two_replicas_of_one_server_id(shop, flavour):
    """The source cannot tell them apart before one of them receives, and both are planned before that: their own servers tell."""
    pair = shop.pair(flavour, 2)
    one, two = pair.replicas
    own = two.value("SELECT @@server_id")
    two.sql(f"SET GLOBAL server_id={one.value('SELECT @@server_id')}")
    schemas = [server.sql("SHOW DATABASES") for server in pair.replicas]
    run = onboard(pair)
    assert run.status != 0
    assert run.text.count("have the same server_id") >= 2 and "give one of them another server_id" in run.text, run.text
    assert [server.sql("SHOW DATABASES") for server in pair.replicas] == schemas and not any(server.status() for server in pair.replicas)
    report = json.loads((pair.home / "report" / "report.json").read_text())
    assert {host["host"]: [block["rule"] for block in host["blocks"]] for host in report["hosts"] if host["role"] == "replica"} == {
        "azure1": ["server_id.duplicate"],
        "azure2": ["server_id.duplicate"],
    }
    # One after the other, the second is found by what the source knows of the first; and it is not touched.
    assert onboard(pair, "--limit", "azure1").status == 0 and linked(pair, one)
    run = onboard(pair)
    assert run.status != 0 and run.recap["azure1"]["failed"] == 0 and run.recap["azure2"]["failed"] == 1, run.text
    assert "server_id.fan_out" in run.text and linked(pair, one) and not two.status()
    two.sql(f"SET GLOBAL server_id={own}")
    assert onboard(pair).status == 0
    assert linked(pair, one) and linked(pair, two)


def test_two_runs_at_once(pair):
    """One works; the other says who holds the lock, and harms nothing."""
    # Rows enough for the copy to take a while, so that the two surely meet.
    pair.source.sql("INSERT INTO shop.journal VALUES (3, REPEAT('x', 60)), (4, REPEAT('y', 60));" + "INSERT INTO shop.journal SELECT * FROM shop.journal;" * 15)
    first = start(pair.home, pair.inventory)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        held = pair.replica.value("SELECT COALESCE(IS_USED_LOCK('datain.link'), 0)")
        if held != "0":
            break
        time.sleep(0.02)
    assert held != "0", "the first run never took the lock"
    second = play(pair.home, pair.inventory, "--limit", "azure1")
    first_said = first.communicate(timeout=120)[0]
    ended = [(first.returncode, first_said), (second.status, second.text)]
    # Between its seed and its link a run lets go of the lock for a moment: the other one may come in there and link.
    assert 0 in [status for status, _text in ended], ended
    for status, text in ended:
        # Who has read the replica before the other one links it, and the source after, sees that too.
        assert not status or "holds the lock datain.link" in text or "another run has made the link" in text, text
    assert pair.catch_up() is None
    assert linked(pair) and pair.rows(pair.source) == pair.rows(pair.replica)
    third = onboard(pair)
    assert third.status == 0 and third.changed == 0, third.text


def test_the_one_that_comes_second_says_who_holds_the_lock(pair):
    """The lock is held for certain here: by a session of the administrator that does nothing else."""
    assert onboard(pair, "--limit", "shop").status == 0
    login = pair.replica.state["admin_client"]
    holding = start_client(login, pair, "SELECT GET_LOCK('datain.link', 0); SELECT SLEEP(40);")
    try:
        deadline = time.monotonic() + 20
        while pair.replica.value("SELECT COALESCE(IS_USED_LOCK('datain.link'), 0)") == "0" and time.monotonic() < deadline:
            time.sleep(0.05)
        session = pair.replica.value("SELECT IS_USED_LOCK('datain.link')")
        before = pair.state()
        run = onboard(pair)
        assert run.status != 0
        assert f"session {session} of {pair.replica.state['admin_user']} from 127.0.0.1" in run.text or (
            f"session {session} of {pair.replica.state['admin_user']} from localhost" in run.text
        ), run.text
        assert difference(before, pair.state()) == []
    finally:
        holding.kill()
        holding.wait()
    assert onboard(pair).status == 0
    assert linked(pair)
    assert onboard(pair).changed == 0


def start_client(command, pair, text):
    import subprocess

    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, env=pair.lab_environment)
    process.stdin.write(text)
    process.stdin.close()
    return process
