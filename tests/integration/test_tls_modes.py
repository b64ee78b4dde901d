# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a session is protected, in every mode, against servers with and without TLS; and how long a frozen server is waited for."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _source_info
from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Connection, Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import ConnectError, ConnectionLost

FLAVOURS = {"mysql": "mysql-8.0.33", "mariadb": "mariadb-10.11"}
# Another way to write 127.0.0.1, which stands in no certificate.
OTHER_NAME = "127.1"


@pytest.fixture(params=FLAVOURS)
def server(request, lab):
    return lab(f"tls-{request.param}", FLAVOURS[request.param])


@pytest.fixture(params=FLAVOURS)
def plain(request, lab):
    return lab(f"plain-tls-{request.param}", FLAVOURS[request.param], "--without-tls")


@pytest.fixture
def ask(perform):
    """Log in, and return the protection of the session, or the message."""

    def call(server, **login):
        result = perform(_source_info.CAPABILITY, server.login(**login))
        return result["msg"] if result.get("failed") else result["source"]["tls"]

    return call


@pytest.mark.parametrize("mode", ["preferred", "required"])
def test_tls_without_verification(server, ask, mode):
    assert ask(server, login_tls=mode)["version"].startswith("TLSv1.")
    # Whatever the CA and the name are: nothing is verified.
    assert ask(server, login_tls=mode, login_ca=server.state["wrong_ca"], login_host=OTHER_NAME)["cipher"]


def test_disabled(server, plain, ask):
    assert ask(plain, login_tls="disabled") is None
    told = ask(server, login_tls="disabled")
    # MySQL's default plugin sends no password in clear text over a session in clear text; with a warm cache it does not need to.
    assert told is None or "login_tls" in told, told


def test_verify_ca(server, ask):
    ca = server.state["ca"]
    assert ask(server, login_tls="verify_ca", login_ca=ca)["version"]
    assert ask(server, login_tls="verify_ca", login_ca=ca, login_host=OTHER_NAME)["version"]
    with open(ca, encoding="ascii") as file:
        assert ask(server, login_tls="verify_ca", login_ca=file.read())["version"]


def test_verify_identity(server, ask):
    ca = server.state["ca"]
    assert ask(server, login_tls="verify_identity", login_ca=ca)["version"]
    assert ask(server, login_tls="verify_identity", login_ca=ca, login_host="localhost")["version"]
    told = ask(server, login_tls="verify_identity", login_ca=ca, login_host=OTHER_NAME)
    assert "certificate was not accepted" in told and "Remedy: check datain_login_tls" in told, told


@pytest.mark.parametrize("mode", ["verify_ca", "verify_identity"])
def test_the_wrong_ca(server, ask, mode):
    for ca in (server.state["wrong_ca"], ""):
        told = ask(server, login_tls=mode, login_ca=ca)
        assert "certificate was not accepted" in told and "log in as dba" in told and "datain_login_ca" in told, told


def test_a_server_without_tls(plain, ask):
    assert ask(plain, login_tls="preferred") is None
    for mode in ("required", "verify_ca", "verify_identity"):
        told = ask(plain, login_tls=mode, login_ca=plain.state["ca"])
        assert isinstance(told, str) and "does not support it" in told.replace("n't", " not") and "Remedy: check datain_login_tls" in told, told


def test_a_server_that_demands_tls(lab, ask):
    managed = lab("tls-managed", "mysql-8.0.33", "--service", "mysql_flexible_server")
    assert ask(managed, login_tls="preferred")["version"]
    told = ask(managed, login_tls="disabled")
    assert "log in as azadmin" in told and "set datain_login_tls to required" in told, told


class Frozen:
    """A server that the kernel still accepts connections for, and that never says a word."""

    def __init__(self, server):
        self.process = server.state["pid"]

    def __enter__(self):
        os.kill(self.process, signal.SIGSTOP)
        # Each thread stops when the kernel comes to it; one that has not could still answer.
        while any(thread.read_text().rpartition(")")[2].split()[0] != "T" for thread in Path(f"/proc/{self.process}/task").glob("*/stat")):
            time.sleep(0.01)
        return time.monotonic()

    def __exit__(self, *_exc):
        os.kill(self.process, signal.SIGCONT)


@pytest.mark.parametrize("mode", ["disabled", "preferred", "verify_identity"])
def test_a_frozen_server_ends_the_login_in_time(server, ask, mode):
    with Frozen(server) as began:
        told = ask(server, login_tls=mode, login_ca=server.state["ca"], connect_timeout=2, read_timeout=2)
        seconds = time.monotonic() - began
    assert "Remedy:" in told and "did not answer within 2 s" in told, told
    assert 1.5 < seconds < 8
    assert ask(server, login_tls="required")["version"]


def test_a_server_that_freezes_ends_the_statement_in_time(server):
    state = server.state
    login = Login("source", state["host"], state["admin_user"], state["admin_password"], state["port"], "required", read_timeout=2)
    with Connection(login) as connection:
        assert connection.value("SELECT 1", step="ask") == 1
        with Frozen(server) as began:
            with pytest.raises(ConnectionLost) as lost:
                connection.value("SELECT 2", step="ask again")
            assert time.monotonic() - began < 6
    assert "whether the statement took effect is not known" in str(lost.value) and "ask again" in str(lost.value)


def test_a_host_that_does_not_answer(ask):
    """Packets that vanish: an address of documentation, which is routed nowhere, or not at all."""
    login = Login("source", "192.0.2.1", "dba", "x", connect_timeout=2)
    began = time.monotonic()
    with pytest.raises(ConnectError) as error:
        Connection(login)
    assert time.monotonic() - began < 6
    assert "192.0.2.1:3306" in str(error.value) and "Remedy: check datain_login_host" in str(error.value)


@pytest.mark.parametrize("environment", [{}, {"ANY": "thing"}], ids=["worker", "process"])
def test_no_option_file_by_surprise(server, play, tmp_path, environment):
    """A ~/.my.cnf that gives another server and another password, or the right password, changes nothing."""
    (tmp_path / ".my.cnf").write_text('[client]\nhost=192.0.2.1\nport=1\nuser=nobody\npassword="wrong"\nssl-mode=DISABLED\n')
    login = server.login(login_tls="required")
    tasks = [
        {"name": "Log in", "datain.azure_mysql.source_info": login, "register": "first"},
        {"name": "See", "ansible.builtin.assert": {"that": ["first.source.tls.version is truthy"]}},
        {
            "name": "Write an option file that has the password",
            "ansible.builtin.copy": {"dest": "{{ home }}/.my.cnf", "content": "{{ right }}", "mode": "0600"},
        },
        {
            "name": "Log in without one",
            "datain.azure_mysql.source_info": {key: value for key, value in login.items() if key != "login_password"},
            "register": "second",
            "ignore_errors": True,
        },
        {"name": "See", "ansible.builtin.assert": {"that": ["second is failed", "'using password: NO' in second.msg"]}},
    ]
    right = f'[client]\nuser={login["login_user"]}\npassword="{login["login_password"]}"\n'
    variables = {"home": str(tmp_path), "right": right}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    plays = [{"name": "Home", "hosts": "localhost", "gather_facts": False, "vars": variables, "environment": environment, "tasks": tasks}]
    done = play(plays, {"all": {"hosts": {"localhost": local}}}, HOME=str(tmp_path))
    assert done.rc == 0, done.out
