# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate that only the control plane opens: the GTIDs of the seed, by the operator, by az, by tasks of their own.

`az` is the lab's stand-in, found in PATH as the real one would be; the judge is the replica's own client.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(__file__).parents[1] / "lab" / "bin"
DATA = "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (1), (2);"
COST = "it invalidates all existing backups of that server"
GTID = ("--set", "gtid_mode=ON")
STATUS = "SELECT service_state, (SELECT service_state FROM performance_schema.replication_applier_status) FROM performance_schema.replication_connection_status"


class Pair:
    """A source and a Flexible Server with an inventory; plays find the lab's az first."""

    def __init__(self, source, replica, folder, play):
        self.source, self.replica = source, replica
        self._folder, self._play = folder, play
        self.source.sql(DATA)

    def login(self, server):
        login = {f"datain_{key}": value for key, value in server.login().items()}
        return {**login, "datain_login_tls": "verify_identity", "datain_login_ca": server.state["ca"]}

    def inventory(self, **options):
        source = {**self.login(self.source), "datain_replication_user": "datain", "datain_replication_password": "repl-Pa55"}
        source["datain_link_ca"] = self.source.state["ca"]
        replica = {
            **self.login(self.replica),
            "datain_source": "shop-db",
            "datain_service": "mysql_flexible_server",
            "datain_link_method": "gtid",
            "datain_client_dir": self.source.state["bin_dir"],
            "datain_azure_resource_group": "shop-rg",
            "datain_azure_server_name": self.replica.state["name"],
            **options,
        }
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "datain_report_dir": str(self._folder / "report")}
        hosts = {"datain_sources": {"hosts": {"shop-db": source}}, "datain_replicas": {"hosts": {"shop-azure": replica}}}
        return {"all": {"vars": common, "children": hosts}}

    def environment(self):
        return {"PATH": f"{BIN}:{os.environ['PATH']}", "DATAIN_LAB_DIR": self.source.environment["DATAIN_LAB_DIR"]}

    def onboard(self, *words, playbook="datain.azure_mysql.onboard", **options):
        return self._play(playbook, self.inventory(**options), *words, **self.environment())

    def az(self, *words):
        environment = {**os.environ, **self.environment()}
        return subprocess.run([BIN / "az", *words], env=environment, capture_output=True, text=True, check=False)

    def gtids(self, server):
        return server.value("SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')")

    def follows(self):
        assert self.replica.sql(STATUS) == [["ON", "ON"]]
        self.source.sql("INSERT INTO shop.orders VALUES (3)")
        at = self.gtids(self.source)
        assert self.replica.value(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{at}', 20)") == "0"
        assert self.replica.sql("SELECT id FROM shop.orders ORDER BY id") == [["1"], ["2"], ["3"]]
        return True

    def linked(self):
        return self.replica.sql("SHOW REPLICA STATUS") != []


@pytest.fixture
def pair(lab, tmp_path, play):
    found = Pair(
        lab("gate-source", "mysql-8.0.33", *GTID), lab("gate-replica", "mysql-8.0.33", "--service", "mysql_flexible_server", *GTID), tmp_path, play
    )
    yield found
    found.source.reset()
    found.replica.reset()


def messages(run):
    return " ".join(result.get("msg", "") + result.get("stderr", "") for _host, result in run.failures)


def test_none_stops_with_the_command_and_the_next_run_goes_on(pair):
    stopped = pair.onboard()
    assert stopped.rc != 0 and not pair.linked()
    command = re.search(r"az mysql (flexible-server gtid reset --resource-group shop-rg --server-name gate-replica --gtid-set (\S+) --yes)", messages(stopped))
    assert command and COST in messages(stopped), messages(stopped)
    # What it says, given as it is, by a person who read it.
    assert pair.az("mysql", *shlex.split(command[1])).returncode == 0
    assert pair.gtids(pair.replica) == command[2].strip("'")
    assert pair.onboard().rc == 0 and pair.follows()


def test_nothing_is_aligned_where_the_source_has_purged_what_comes_after_the_seed(pair):
    """The command would cost the backups, and the link could still not be made."""
    assert "gtid reset" in messages(pair.onboard())
    pair.source.sql("INSERT INTO shop.orders VALUES (3); FLUSH BINARY LOGS")
    last = pair.source.sql("SHOW BINARY LOGS")[-1][0]
    pair.source.sql(f"PURGE BINARY LOGS TO '{last}'")
    before = pair.gtids(pair.replica)
    for gate in ("none", "az"):
        stopped = pair.onboard(datain_control_plane=gate)
        assert stopped.rc != 0 and not pair.linked() and pair.gtids(pair.replica) == before
        assert "has purged transactions that the seed lacks" in messages(stopped) and "gtid reset" not in messages(stopped), messages(stopped)


def test_the_plan_says_beforehand_what_it_costs(pair):
    gates = {"none": "the run has to stop for it", "az": "the run does it by itself"}
    show = "{{ made.findings | selectattr('rule', 'eq', 'link.gtid_reset') | map(attribute='summary') }}"
    tasks = []
    for gate in gates:
        plan = {"datain.azure_mysql.link_plan": {"control_plane": gate}, "register": "made", "check_mode": True}
        tasks += [plan, {"ansible.builtin.debug": {"msg": show}}]
    said = pair.onboard(playbook=[{"hosts": "datain_replicas", "gather_facts": False, "tasks": tasks}])
    assert said.rc == 0 and said.out.count(COST) == 2 and all(who in said.out for who in gates.values()), said.out
    assert pair.replica.sql("SHOW DATABASES LIKE 'shop'") == []


def test_az_goes_through_in_one_run(pair):
    before = pair.az("mysql", "flexible-server", "show", "-g", "shop-rg", "-n", "gate-replica").stdout
    run = pair.onboard(datain_control_plane="az")
    assert run.rc == 0 and pair.follows(), run.out
    assert COST in run.out and "repl-Pa55" not in run.out
    assert pair.az("mysql", "flexible-server", "show", "-g", "shop-rg", "-n", "gate-replica").stdout != before
    backups = pair.az("mysql", "flexible-server", "show", "-g", "shop-rg", "-n", "gate-replica").stdout
    again = pair.onboard(datain_control_plane="az")
    assert again.rc == 0 and again.changed == 0
    assert pair.az("mysql", "flexible-server", "show", "-g", "shop-rg", "-n", "gate-replica").stdout == backups


def test_az_goes_on_where_an_earlier_run_stopped(pair):
    assert pair.onboard().rc != 0
    before = pair.gtids(pair.replica)
    checked = pair.onboard("--check", datain_control_plane="az")
    assert checked.rc == 0 and not pair.linked() and pair.gtids(pair.replica) == before, checked.out
    role = [{"hosts": "datain_replicas", "gather_facts": False, "roles": ["datain.azure_mysql.replica"]}]
    checked = pair.onboard("--check", playbook=role, datain_control_plane="az")
    assert checked.rc == 0 and COST in checked.out and not pair.linked() and pair.gtids(pair.replica) == before, checked.out
    assert pair.onboard(datain_control_plane="az").rc == 0 and pair.follows()


def test_a_file_of_tasks(pair, tmp_path):
    reset = "az mysql flexible-server gtid reset -g {{ datain_azure_resource_group }} -s {{ datain_azure_server_name }} --gtid-set {{ datain_gtid_set }} --yes"
    tasks = tmp_path / "align.yml"
    tasks.write_text(f"- name: Ask our own automation\n  ansible.builtin.command: {reset}\n  delegate_to: localhost\n")
    run = pair.onboard(datain_control_plane=str(tasks))
    assert run.rc == 0 and pair.follows(), run.out


@pytest.mark.parametrize(("switch", "said"), [
    ("geo-backup", "Cannot reset GTID set because geo-redundant backup is enabled"),
    ("read-replicas", "GtidResetServerHasReadReplica"),
])
def test_az_refuses(lab, tmp_path, play, switch, said):
    replica = lab(f"gate-{switch}", "mysql-8.0.33", "--service", "mysql_flexible_server", "--with", switch, *GTID)
    pair = Pair(lab("gate-source", "mysql-8.0.33", *GTID), replica, tmp_path, play)
    try:
        for _time in range(2):
            run = pair.onboard(datain_control_plane="az")
            assert run.rc != 0 and said in messages(run), run.out
            assert not pair.linked()
            # The copy is there and stays; the second run does not make it again.
            assert replica.sql("SELECT id FROM shop.orders") == [["1"], ["2"]]
    finally:
        replica.down()
        pair.source.reset()


def test_high_availability_goes_by_gtid_without_being_told(lab, tmp_path, play):
    replica = lab("gate-ha", "mysql-8.0.33", "--service", "mysql_flexible_server", "--with", "ha")
    pair = Pair(lab("gate-source", "mysql-8.0.33", *GTID), replica, tmp_path, play)
    try:
        run = pair.onboard(datain_control_plane="az", datain_link_method="auto")
        assert run.rc == 0 and pair.follows(), run.out
    finally:
        replica.down()
        pair.source.reset()
