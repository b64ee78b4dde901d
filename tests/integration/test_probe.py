# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replica itself is asked whether it reaches the source; whatever it says, no link is left behind."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.datain.azure_mysql.plugins.module_utils import (
    _link_plan,
    _prerequisites,
    _probe,
    _procedures,
    _replica_info,
    _replica_link,
    _rules_reach,
    _state,
)
from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Connection, Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import ConnectionLost
from ansible_collections.datain.azure_mysql.plugins.module_utils._facts import Facts, Side
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import PROBE_USER
from ansible_collections.datain.azure_mysql.plugins.module_utils._rule import judge
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import Context

SERVERS = {"mysql": ("mysql-8.0.33", "mysql_flexible_server"), "mariadb": ("mariadb-10.11", "mariadb_server")}
SECRET = "probe-secret-0815"
ASKED, SECOND = "link.reachable_from_replica", "link.reachable_from_controller"


@dataclass
class Pair:
    source: object
    replica: object
    service: str
    perform: object

    @property
    def mariadb(self):
        return self.source.flavour == "mariadb"

    def options(self, **options):
        state = self.source.state
        return {
            "source": self.source.login(login_tls="required"),
            "service": self.service,
            "replication_user": "datain",
            "replication_password": SECRET,
            "link_host": state["host"],
            "link_port": state["port"],
            "link_ca": state["ca"] and open(state["ca"]).read(),
            "probe": True,
            **options,
        }

    def run(self, capability, check_mode=False, **options):
        result = self.perform(capability, self.replica.login(login_tls="required"), check_mode=check_mode, **self.options(**options))
        assert SECRET not in repr(result)
        return result

    def asked(self, check_mode=False, **options):
        """Return what is found about the way, by rule: what the prerequisites do, without the other rules."""
        login = self.replica.login(login_tls="required")
        spec = _prerequisites.CAPABILITY.argument_spec
        parameters = ArgumentSpecValidator(spec).validate({**login, **self.options(**options)}).validated_parameters
        context = Context(parameters, check_mode=check_mode)
        try:
            reach = _probe.look(context, tuple(context.replica.channels()))
            sides = Side("source"), Side("replica", channels=tuple(context.replica.channels()))
        except ConnectionLost as error:
            return {"lost": error}
        finally:
            context.close()
        facts = Facts(*sides, _prerequisites.desired_from(parameters), reach=reach)
        found = {rule.id: judge(rule, facts).to_result() for rule in _rules_reach.RULES}
        assert SECRET not in repr(found)
        return found

    def findings(self, **options):
        """All that the prerequisites find, by rule."""
        result = self.run(_prerequisites.CAPABILITY, fail_on="none", **options)
        assert result["changed"] is False
        return {finding["rule"]: finding for finding in result["findings"]}

    def link(self, **options):
        options = {key: value for key, value in self.options(**options).items() if key != "probe"}
        return self.perform(_replica_link.CAPABILITY, self.replica.login(login_tls="required"), **options)

    def status(self):
        """The replica's own status, by the server's own client."""
        return self.replica.sql("SHOW ALL SLAVES STATUS" if self.mariadb else "SHOW REPLICA STATUS")

    def state(self):
        """All that a check must not change: the log's end, the GTIDs, the schemas."""
        gtid = "SELECT @@gtid_slave_pos, @@gtid_binlog_pos" if self.mariadb else "SELECT @@gtid_executed"
        return self.replica.sql("SHOW MASTER STATUS"), self.replica.sql(gtid), self.replica.sql("SHOW DATABASES")

    def account(self):
        plugin = "" if self.mariadb else "WITH mysql_native_password"
        self.source.sql(
            f"CREATE USER 'datain'@'%' IDENTIFIED {plugin} BY '{SECRET}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO 'datain'@'%';"
        )

    def left_behind(self):
        """Leave what a run leaves that dies while the receiver is at work, by the service's procedures."""
        state = self.source.state
        self.replica.sql(
            f"CALL mysql.az_replication_change_master('{state['host']}', '{PROBE_USER}', 'x', {state['port']}, 'datain-probe.000001', 4, '');"
            "CALL mysql.az_replication_start"
        )
        assert self.status()


@pytest.fixture(params=sorted(SERVERS))
def pair(request, lab, perform):
    """A pair on which nothing is changed: a check leaves it as it was."""
    server, service = SERVERS[request.param]
    made = Pair(lab(f"plain-{request.param}", server), lab(f"managed-{request.param}", server, "--service", service), service, perform)
    assert made.status() == []
    yield made
    assert made.status() == []


@pytest.fixture
def scratch(pair):
    """The pair for a test that changes it."""
    yield pair
    pair.replica.reset()
    pair.source.reset()


@contextmanager
def frozen_port():
    """A port that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


def test_a_source_that_answers_is_reached(pair):
    before = pair.state()
    found = pair.findings()
    assert found[ASKED]["status"] == "passed"
    assert found[ASKED]["seen"].startswith("it answers, and sees 127.0.0.1")
    assert found[SECOND]["status"] == "passed" and found[SECOND]["severity"] == "info"
    assert pair.status() == [] and pair.state() == before


def test_it_is_reached_without_tls_too(pair):
    assert pair.asked(link_ca="")[ASKED]["status"] == "passed"
    assert pair.status() == []


@pytest.mark.parametrize(
    ("change", "code", "remedy"),
    [
        ({"link_port": 1}, "2003: ", "datain_probe: true"),
        ({"link_host": "no-such-source.invalid"}, "2005: ", "datain_link_host"),
        ({"link_ca": "wrong"}, "2026: ", "link.ca_matches"),
    ],
)
def test_a_way_that_is_closed(pair, change, code, remedy):
    if "link_ca" in change:
        change = {"link_ca": pair.source.state["wrong_ca"]}
    before = pair.state()
    found = pair.asked(**change)
    assert found[ASKED]["status"] == "failed" and found[ASKED]["severity"] == "error"
    assert found[ASKED]["seen"].startswith(code), found[ASKED]
    assert remedy in found[ASKED]["remedy"]
    assert pair.status() == [] and pair.state() == before
    if "link_ca" not in change:
        assert found[SECOND]["status"] == "failed" and found[SECOND]["severity"] == "info"
    assert pair.asked(probe=False, **change)[ASKED]["status"] == "unknown"


def test_a_source_that_says_nothing(pair, monkeypatch):
    monkeypatch.setattr(_probe, "PATIENCE", 1)
    monkeypatch.setattr(_probe, "CONNECT", 1)
    with frozen_port() as port:
        began = time.monotonic()
        found = pair.asked(link_port=port)
        assert time.monotonic() - began < 30
    assert found[ASKED]["status"] == "failed" and "no answer" in found[ASKED]["seen"]
    assert found[SECOND]["status"] == "failed" and found[SECOND]["seen"].startswith("2013: ")
    assert pair.status() == []


def test_a_source_that_refuses_tls(lab, perform):
    source = lab("plain-without-tls", "mysql-8.0.33", "--without-tls")
    pair = Pair(source, lab("managed-mysql", *SERVERS["mysql"][:1], "--service", SERVERS["mysql"][1]), SERVERS["mysql"][1], perform)
    wanted = {"source": source.login(login_tls="disabled"), "link_ca": open(source.state["ca"]).read()}
    found = pair.asked(**wanted)
    assert found[ASKED]["seen"].startswith("2026: "), found
    assert pair.asked(**{**wanted, "link_ca": ""})[ASKED]["status"] == "passed"
    assert pair.status() == []


def test_an_address_that_no_account_is_for(scratch):
    pair = scratch
    # The server's own table of accounts is what says whom an address may be; its root comes through the socket.
    table = "mysql.global_priv" if pair.mariadb else "mysql.user"
    pair.source.sql(f"DELETE FROM {table} WHERE Host = '%'; FLUSH PRIVILEGES")
    found = pair.asked()
    # Our own login is refused for the same reason, and is told as such; the replica's way is judged all the same.
    assert found[ASKED]["status"] == "failed" and found[ASKED]["seen"].startswith("1130: "), found
    assert "datain_replication_host" in found[ASKED]["remedy"]
    assert pair.status() == []


def test_nobody_asks_unasked(pair):
    for options in ({"probe": False}, {"check_mode": True}):
        before = pair.replica.value("SHOW GLOBAL STATUS LIKE 'Com_change_%'")
        found = pair.asked(**options)
        assert found[ASKED]["status"] == "unknown" and found[SECOND]["status"] == "passed"
        assert pair.replica.value("SHOW GLOBAL STATUS LIKE 'Com_change_%'") == before
    assert "datain_probe: true" in pair.asked(probe=False)[ASKED]["remedy"]


def test_a_link_is_never_disturbed(scratch):
    pair = scratch
    pair.account()
    file, position = pair.source.sql("SHOW MASTER STATUS")[0][:2]
    assert pair.link(coordinates={"file": file, "position": int(position)})["link"]["state"] == "running"
    before = pair.status()
    found = pair.findings()
    assert found[ASKED]["status"] == found[SECOND]["status"] == "passed" and found[ASKED]["seen"] == "the replica receives"
    assert pair.link(state="stopped", coordinates={"file": file, "position": int(position)})["changed"]
    found = pair.findings()
    assert found[ASKED]["status"] == "unknown" and "has a link already" in found[ASKED]["summary"]
    after = pair.status()
    assert len(after) == len(before) == 1 and "datain" in after[0]


def test_what_a_dead_run_has_left_is_no_link(pair):
    pair.left_behind()
    info = pair.perform(_replica_info.CAPABILITY, pair.replica.login(login_tls="required"))
    assert info["replica"]["link"]["state"] == "absent" and info["replica"]["channels"] == []
    assert pair.findings(probe=False)["replica.channels"]["seen"] == "not linked"
    plan = pair.run(_link_plan.CAPABILITY, probe=False, client_dir=pair.source.state["bin_dir"], check_mode=True)
    assert plan["link"]["state"] == "absent"
    assert pair.status(), "who only reads removes nothing"
    # The next that asks removes it, and asks.
    assert pair.asked()[ASKED]["status"] == "passed"
    assert pair.status() == []


def test_who_changes_the_link_removes_what_was_left(scratch):
    pair = scratch
    pair.account()
    pair.left_behind()
    file, position = pair.source.sql("SHOW MASTER STATUS")[0][:2]
    login = pair.replica.login(login_tls="required")
    options = {key: value for key, value in pair.options().items() if key != "probe"}
    planned = pair.perform(_replica_link.CAPABILITY, login, check_mode=True, **options, state="absent")
    assert planned["changed"] and pair.status()
    gone = pair.link(state="absent")
    assert gone["changed"] and gone["link"]["state"] == "absent" and pair.status() == []
    assert not pair.link(state="absent")["changed"]
    pair.left_behind()
    linked = pair.link(coordinates={"file": file, "position": int(position)})
    assert linked["link"]["state"] == "running" and linked["link"]["source"]["user"] == "datain"
    assert len(pair.status()) == 1
    # Refused for another reason, it is removed all the same.
    pair.link(state="absent")
    pair.replica.sql("DROP DATABASE datain_state")
    pair.left_behind()
    refused = pair.link()
    assert refused["failed"] and refused["row"] == 8 and pair.status() == []


def cutting(replica, at, after, cut):
    """Return a call that loses its session once, before or after one of the procedures, and notes it in ``cut``."""
    real = _procedures.call

    def call(connection, procedures, name, link=None):
        if name == at and not cut:
            if after:
                real(connection, procedures, name, link)
            cut.append(name)
            replica.sql(f"KILL {connection.value('SELECT CONNECTION_ID()', step='test')}")
        return real(connection, procedures, name, link)

    return call


def test_cut_in_the_middle_and_run_again(pair, monkeypatch):
    """The session dies around each call: whatever that leaves, the next run removes, and it is never a link."""
    for at in (_procedures.BY_POSITION, _procedures.START, _procedures.STOP, _procedures.REMOVE):
        for after in (False, True):
            cut = []

            monkeypatch.setattr(_procedures, "call", cutting(pair.replica, at, after, cut))
            pair.asked()
            monkeypatch.undo()
            assert cut == [at]
            nothing = (_procedures.BY_POSITION, False), (_procedures.REMOVE, True)
            assert bool(pair.status()) == ((at, after) not in nothing), (at, after)
            info = pair.perform(_replica_info.CAPABILITY, pair.replica.login(login_tls="required"))
            assert info["replica"]["link"]["state"] == "absent"
            assert pair.asked()[ASKED]["status"] == "passed"
            assert pair.status() == []


def test_another_run_holds_the_lock(pair, monkeypatch):
    monkeypatch.setattr(_state, "LOCK_PATIENCE", 1)
    state = pair.replica.state
    holder = Connection(Login("replica", state["host"], state["admin_user"], state["admin_password"], state["port"], "required"))
    holder.value("SELECT GET_LOCK('datain.link', 0)", step="test")
    found = pair.asked()
    holder.close()
    assert found[ASKED]["status"] == "unknown" and "another run" in found[ASKED]["summary"]
    assert pair.status() == []


def test_other_channels_are_not_taken_along(lab, perform):
    """The procedures act on every channel: a channel that somebody made beside what was left must not go with it."""
    server, service = SERVERS["mariadb"]
    pair = Pair(lab("plain-mariadb", server), lab("managed-mariadb", server, "--service", service), service, perform)
    pair.left_behind()
    pair.replica.sql("CHANGE MASTER 'theirs' TO MASTER_HOST='127.0.0.1', MASTER_USER='x', MASTER_LOG_FILE='binlog.000001', MASTER_LOG_POS=4")
    assert pair.asked()[ASKED]["status"] == "unknown"
    refused = pair.link(state="absent")
    assert refused["failed"] and "channel" in refused["msg"]
    assert len(pair.status()) == 2
    pair.replica.sql("STOP ALL SLAVES; RESET SLAVE 'theirs' ALL; RESET SLAVE ALL")
    pair.replica.reset()


@pytest.mark.parametrize("way", ["worker", "process"])
def test_a_playbook_asks(lab, play, way):
    server, service = SERVERS["mysql"]
    source, replica = lab("plain-mysql", server), lab("managed-mysql", server, "--service", service)
    pair = Pair(source, replica, service, None)
    options = {**replica.login(login_tls="required"), **pair.options(fail_on="none")}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    tasks = [
        {"name": "Ask", "datain.azure_mysql.prerequisites": options, "register": "asked"},
        {"name": "Say", "ansible.builtin.debug": {"msg": "{{ asked.findings | items2dict(key_name='rule', value_name='status') }}"}},
    ]
    head = {"name": way, "hosts": "localhost", "gather_facts": False, **({"environment": {"ANY": "thing"}} if way == "process" else {})}
    done = play([{**head, "tasks": tasks}], {"all": {"hosts": {"localhost": local}}})
    assert done.rc == 0, done.out
    assert f'"{ASKED}": "passed"' in done.out and SECRET not in done.out
    assert pair.status() == []
