# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
"""The lab's commands on every server that it has, asked by the server's own client."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

import catalogue
import pytest
from asking import BACKEND, LAB, Server, lab

SERVERS = sorted(name for name, entry in catalogue.SERVERS.items() if entry["flavour"])
EXECUTED = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"


@contextlib.contextmanager
def _up(server, *words):
    name = "server-%s-%d" % (server.replace(".", ""), os.getpid())
    try:
        lab("up", name, "--server", server, "--backend", BACKEND, *words)
        yield Server(name)
    finally:
        lab("down", name, check=False)


@pytest.mark.parametrize("server", SERVERS)
def test_commands(server):
    entry = catalogue.SERVERS[server]
    with _up(server, *(["--set", "gtid_mode=ON"] if entry["flavour"] == "mysql" else [])) as it:
        assert it.root("SELECT VERSION()")[0][0].startswith(entry["version"])
        assert it.json["client_tls"] is entry.get("client_tls", True)
        assert (it.admin("SHOW STATUS LIKE 'Ssl_version'")[0][1:] in ([], [""])) is not it.json["client_tls"]

        before = [it.root("SHOW DATABASES"), it.root("SELECT user, host FROM mysql.user ORDER BY 1, 2"), it.position()]
        it.admin("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (42); "
                 "CREATE USER extra@'%' IDENTIFIED BY 'x'; SET GLOBAL max_connections = 77")
        for command in ("restart", "stop", "start", "kill", "start"):
            lab(command, it.name)
            assert json.loads(lab("show", it.name))["running"] is (command not in ("stop", "kill"))
        assert it.admin("SELECT id FROM shop.orders") == [["42"]]

        lab("reset", it.name)
        assert [it.root("SHOW DATABASES"), it.root("SELECT user, host FROM mysql.user ORDER BY 1, 2"), it.position()] == before
        assert it.root("SELECT @@max_connections") == [["200"]]
        if it.flavour == "mysql":
            lab("gtid-reset", it.name, EXECUTED)
            assert it.root("SELECT @@GLOBAL.gtid_executed") == [[EXECUTED]]


@pytest.mark.parametrize("server", SERVERS)
def test_without_a_binary_log(server):
    with _up(server, "--set", "skip-log-bin", "--without-tls") as it:
        assert it.admin("SELECT @@log_bin") == [["0"]]
        lab("reset", it.name)


@pytest.mark.parametrize("server", SERVERS)
def test_with_a_keyring(server):
    """One server of a build has it, and its neighbours are as they were."""
    if "keyring" not in catalogue.SERVERS[server]:
        done = subprocess.run([sys.executable, LAB, "up", "never", "--server", server, "--keyring"], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "%s has no keyring" % server in done.stderr
        return
    loaded = "SELECT STATUS_VALUE FROM performance_schema.keyring_component_status WHERE STATUS_KEY = 'Component_status'"
    with _up(server, "--keyring") as it:
        assert it.root(loaded) == [["Active"]]
        it.root("SET GLOBAL binlog_encryption = ON; CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY) ENCRYPTION = 'Y'; "
                "INSERT INTO shop.orders VALUES (42)")
        assert it.root("SHOW BINARY LOGS")[-1][2] == "Yes"
        lab("restart", it.name)
        assert it.root("SELECT id FROM shop.orders") == [["42"]]
        lab("reset", it.name)
        assert it.root("SELECT @@GLOBAL.binlog_encryption") == [["0"]]
    with _up(server) as it:
        assert it.root(loaded) == []
