# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
"""Every server that the lab has, dressed and in a container: it comes up, lets its clients in, restarts, is reset and goes."""

from __future__ import annotations

import json
import os

import catalogue
import pytest
from asking import Server, lab

SERVERS = sorted(name for name, entry in catalogue.SERVERS.items() if entry["flavour"])


@pytest.mark.parametrize("server", SERVERS)
def test_in_a_container(server):
    service = next(name for name, entry in catalogue.SERVICES.items() if server in entry["servers"])
    name = "box-%s-%d" % (server.replace(".", ""), os.getpid())
    try:
        lab("up", name, "--server", server, "--service", service, "--backend", "container")
        it = Server(name)
        assert it.root("SELECT VERSION()")[0][0].startswith(catalogue.SERVERS[server]["version"])
        assert it.refused("CALL mysql.az_replication_start") == 1200
        before = it.root("SHOW DATABASES"), it.root("SELECT user, host FROM mysql.user ORDER BY 1, 2"), it.position()
        it.admin("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (42)")
        # As whoever administers the host does it, with `service`.
        lab("restart", name)
        assert it.admin("SELECT id FROM shop.orders") == [["42"]]
        lab("reset", name)
        assert (it.root("SHOW DATABASES"), it.root("SELECT user, host FROM mysql.user ORDER BY 1, 2"), it.position()) == before
    finally:
        lab("down", name, check=False)
    assert name not in [entry["name"] for entry in json.loads(lab("list", "--json"))]
