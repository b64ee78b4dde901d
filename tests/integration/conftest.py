# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers of the lab, and a capability run on them; the judge is always the server's own client."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

LAB = Path(__file__).parents[1] / "lab"


class LabServer:
    """One server: its own client for the judge, and a login for the module under test."""

    def __init__(self, state, environment, forget):
        self.state = state
        self.environment = environment
        self.forget = forget

    @property
    def flavour(self):
        return self.state["flavour"]

    def client(self, *words, text=None, command=None):
        """Run the server's own client, as root unless a command is given; return the finished process."""
        words = [*(command or self.state["client"]), *words]
        return subprocess.run(words, input=text, env=self.environment, capture_output=True, text=True, check=False)

    def sql(self, text):
        """SQL as root; what it prints, as lists of fields."""
        done = self.client("-N", "-B", text=text)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def as_admin(self, text):
        """SQL as the administrator that the modules log in as."""
        done = self.client("-N", "-B", text=text, command=self.state["admin_client"])
        assert done.returncode == 0, done.stderr

    def value(self, text):
        rows = self.sql(text)
        return rows[0][0] if rows else None

    def login(self, **other):
        state = self.state
        return {
            "login_host": state["host"],
            "login_port": state["port"],
            "login_user": state["admin_user"],
            "login_password": state["admin_password"],
            **other,
        }

    def as_user(self, user, password, text, *words):
        """SQL over TCP as somebody, the password on a channel of its own; return the finished process."""
        state = self.state
        with tempfile.NamedTemporaryFile("w", suffix=".cnf") as options:
            quoted = password.replace("\\", "\\\\").replace('"', '\\"')
            options.write(f'[client]\nuser="{user}"\npassword="{quoted}"\nhost={state["host"]}\nport={state["port"]}\nprotocol=tcp\n')
            options.flush()
            return self.client(*words, "-N", "-B", "-e", text, command=[state["client"][0], f"--defaults-file={options.name}"])

    def reset(self):
        _lab(self.environment, "reset", self.state["name"])

    def purge(self):
        """Purge the log but for its last file. MariaDB keeps a file, without a word, until its engines have a checkpoint after it."""
        files = self.sql("SHOW BINARY LOGS")
        end = time.monotonic() + 30
        while self.sql(f"PURGE BINARY LOGS TO '{files[-1][0]}'; SHOW BINARY LOGS")[0][0] != files[-1][0]:
            assert time.monotonic() < end, "the log is not purged"
            time.sleep(0.2)

    def restart(self, meanwhile=lambda: None):
        """Stop it and start it again; what is done meanwhile may change its files."""
        _lab(self.environment, "stop", self.state["name"])
        meanwhile()
        _lab(self.environment, "start", self.state["name"])

    def gtid_reset(self, gtids):
        """Do what the control plane of a managed server does."""
        _lab(self.environment, "gtid-reset", self.state["name"], gtids)

    def down(self):
        """Take it down before the session ends; its name can be used again."""
        _lab(self.environment, "down", self.state["name"])
        self.forget()


def _lab(environment, *words):
    done = subprocess.run([sys.executable, LAB, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def lab():
    """Give a function that starts a server, or hands out the one that was started under this name."""
    # A short path: the name of a socket has a limit.
    home = tempfile.mkdtemp(prefix="dit-")
    environment = dict(os.environ, DATAIN_LAB_DIR=home)
    servers = {}

    def up(name, server, *words):
        if name not in servers:
            state = json.loads(_lab(environment, "up", name, "--server", server, *words, "--json"))
            servers[name] = LabServer(state, environment, lambda: servers.pop(name))
        return servers[name]

    yield up
    _lab(environment, "down", "--all")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def perform():
    """Give a function that runs a capability as a task would, with the defaults filled in and the options judged."""
    from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run

    def call(capability, login, check_mode=False, **options):
        validation = ArgumentSpecValidator(capability.argument_spec, **capability.rules).validate({**login, **options})
        assert not validation.error_messages, validation.error_messages
        return run(capability, validation.validated_parameters, check_mode=check_mode, diff=True)

    return call


class Run:
    """What came of a playbook: its status, its output, and by host the results of the tasks that failed."""

    def __init__(self, done):
        self.rc = done.returncode
        self.out = done.stdout + done.stderr
        self.failures = [(host.partition(" ")[0], json.loads(result)) for host, result in _FATAL.findall(done.stdout)]
        self.changed = sum(map(int, re.findall(r"\bchanged=(\d+)", done.stdout)))


_FATAL = re.compile(r"^fatal: \[(.*?)\]: (?:FAILED|UNREACHABLE)! => (\{.*\})$", re.MULTILINE)


def _play(folder, playbook, inventory, *words, **environment):
    (folder / "inventory.json").write_text(json.dumps(inventory))
    if not isinstance(playbook, str):
        (folder / "plays.json").write_text(json.dumps(playbook))
        playbook = str(folder / "plays.json")
    quiet = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOST_PATTERN_MISMATCH": "error", "ANSIBLE_LOCALHOST_WARNING": "0"}
    command = ["ansible-playbook", playbook, "--inventory", str(folder / "inventory.json"), *words]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **quiet, **environment}, capture_output=True, text=True, check=False)
    return Run(done)


@pytest.fixture
def play(tmp_path):
    """Give a function that runs a playbook of ours, or plays of the test's own, as an operator does."""
    return functools.partial(_play, tmp_path)


@pytest.fixture(scope="session")
def play_in():
    """Give what ``play`` gives to fixtures that outlive a test: the folder to run in comes first."""
    return _play
