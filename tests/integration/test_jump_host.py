# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL spoken from a jump host over ssh: the controller itself reaches no server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ONBOARD = "datain.azure_mysql.onboard"
SECRET = "Jump-host-secret-0815"


class Net:
    """A pair in a network that only the jump host is in; the lab's published ports are for the judge."""

    def __init__(self, lab, known_hosts):
        self.source = lab("jump-source", "mysql-8.0.33", "--backend", "container")
        self.replica = lab("jump-replica", "mysql-8.0.33", "--service", "mysql_flexible_server", "--backend", "container")
        self.jump = lab("jump", "jump")
        self.known_hosts = known_hosts
        ssh = self.jump.state["ssh"]
        known_hosts.write_text(f"[{ssh['host']}]:{ssh['port']} {ssh['host_key']}\n")
        self.install_clients()
        for server in (self.source, self.replica):
            server.sql("SET GLOBAL general_log=ON")
        self.source.sql(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, word VARCHAR(20)); INSERT INTO shop.t VALUES (1, 'one'), (2, 'two')"
        )

    def install_clients(self):
        """Put there what `apt-get install mysql-client` would, with the libraries that the jump host lacks."""
        tree = Path(self.source.state["bin_dir"]).parent
        container = self.jump.state["container"]
        self.on_jump("mkdir", "-p", "/opt/mysql/bin", "/opt/mysql/libs")
        self.podman("cp", str(tree / "client"), f"{container}:/opt/mysql/client")
        libraries = set()
        for program in ("mysql", "mysqldump"):
            self.podman("cp", str(tree / "bin" / program), f"{container}:/opt/mysql/bin/{program}")
            needed = subprocess.run(
                ["ldd", tree / "bin" / program], env={**os.environ, "LD_LIBRARY_PATH": str(tree / "libs")}, check=True, capture_output=True, text=True
            ).stdout
            libraries |= set(re.findall(r"=> (/\S+)", needed))
        for library in sorted(libraries):
            # The C library is its own, and must be.
            if not re.search(r"/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so", library):
                self.podman("cp", str(Path(library).resolve()), f"{container}:/opt/mysql/libs/{Path(library).name}")

    def podman(self, *words):
        environment = {**os.environ, "CONTAINERS_CONF": self.jump.state["containers_conf"]}
        return subprocess.run(["podman", *words], env=environment, check=True, capture_output=True, text=True).stdout

    def on_jump(self, *words):
        return self.podman("exec", self.jump.state["container"], *words)

    def inventory(self):
        ssh = self.jump.state["ssh"]
        logins = {}
        for side in ("source", "replica"):
            state = getattr(self, side).state
            logins[side] = {
                "datain_login_host": state["network_host"],
                "datain_login_port": state["network_port"],
                "datain_login_user": state["admin_user"],
                "datain_login_password": state["admin_password"],
                # The jump host has no such file: the text goes over.
                "datain_login_ca": Path(state["ca"]).read_text(),
            }
        shop = {
            **logins["source"],
            "datain_login_tls": "verify_identity",
            "datain_replication_user": "datain",
            "datain_replication_password": SECRET,
            "datain_link_ca": logins["source"]["datain_login_ca"],
        }
        azure = {**logins["replica"], "datain_source": "shop", "datain_service": "mysql_flexible_server", "datain_client_dir": "/opt/mysql/client"}
        jump = {
            "ansible_host": ssh["host"],
            "ansible_port": ssh["port"],
            "ansible_user": ssh["user"],
            "ansible_connection": "ssh",
            "ansible_ssh_private_key_file": ssh["key"],
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes -o ControlMaster=no",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "datain_sql_host": "{{ groups.others | first }}"}
        return {"all": {"children": {
            "datain_sources": {"hosts": {"shop": shop}, "vars": local},
            "datain_replicas": {"hosts": {"shop-azure": azure}, "vars": local},
            "others": {"hosts": {"jump": jump}},
        }}}  # fmt: skip

    def visitors(self, server, user):
        """From where an account has logged in, by the server's own log."""
        log = Path(server.state["general_log"]).read_text(errors="replace")
        return set(re.findall(rf" Connect\t{user}@(\S+) on", log))


@pytest.fixture(scope="module")
def net(lab, tmp_path_factory):
    return Net(lab, tmp_path_factory.mktemp("ssh") / "known_hosts")


def test_onboard_through_a_jump_host(net, play):
    address = net.on_jump("hostname", "-i").split()[0]

    checked = play(ONBOARD, net.inventory(), "--check", "--diff")
    assert checked.rc == 0, checked.out
    assert net.replica.value("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name IN ('shop', 'datain_state')") == "0"

    done = play(ONBOARD, net.inventory())
    assert done.rc == 0, done.out
    assert done.changed > 0 and SECRET not in done.out
    status = net.replica.client("-e", "SHOW REPLICA STATUS\\G").stdout
    for words in ("Replica_IO_Running: Yes", "Replica_SQL_Running: Yes", "Source_Host: jump-source", "Source_SSL_Allowed: Yes"):
        assert words in status, status
    rows = "SELECT * FROM shop.t ORDER BY id"
    assert net.replica.sql(rows) == net.source.sql(rows)

    again = play(ONBOARD, net.inventory())
    assert again.rc == 0 and again.changed == 0, again.out

    # Both servers have seen the jump host, and nobody else.
    for server, user in ((net.source, "dba"), (net.replica, "azadmin")):
        assert net.visitors(server, user) == {address}, server.state["name"]
    # And nothing is left on it, neither a secret nor a file.
    left = net.on_jump("sh", "-c", f"ls -A /root/.ansible/tmp /tmp; grep -rl '{SECRET}' /root /tmp /var/tmp || true").split()
    assert [word for word in left if not word.endswith(":")] == []

    stopped = play("datain.azure_mysql.unlink", net.inventory(), "--limit", "shop-azure")
    assert stopped.rc == 0, stopped.out
    assert net.replica.client("-e", "SHOW REPLICA STATUS\\G").stdout == ""


def test_what_is_missing_on_the_jump_host_is_said(net, play):
    """The driver is looked for where SQL is spoken from, and the message says so."""
    net.on_jump("sh", "-c", "mv /usr/lib/python3/dist-packages/pymysql /usr/lib/python3/dist-packages/pymysql-away")
    try:
        done = play(ONBOARD, net.inventory())
    finally:
        net.on_jump("sh", "-c", "mv /usr/lib/python3/dist-packages/pymysql-away /usr/lib/python3/dist-packages/pymysql")
    assert done.rc == 2
    assert "PyMySQL is missing where SQL is spoken from" in done.failures[0][1]["msg"], done.out
