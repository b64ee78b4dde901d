#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's inventory of the scenario that is running: the servers that the lab has started for it, as a person would write them down.

Nothing of it is written to a file. For a real Azure server put another inventory in this one's place: the scenarios ask for the same names.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

MOLECULE = Path(__file__).resolve().parents[1]
LAB = MOLECULE.parents[1] / "tests" / "lab"
SCENARIO = os.environ.get("MOLECULE_SCENARIO_NAME", "")
HOSTS = {"source": "shop", "replica": "shop-azure"}


def lab_name(side):
    """The lab's name of a server; destroy knows the servers of all scenarios by how it begins."""
    return f"molecule-{SCENARIO.replace('_', '-')}-{side}"


def started():
    """The servers of this scenario that are there."""
    listed = subprocess.run([sys.executable, LAB, "list", "--json"], stdout=subprocess.PIPE, check=True).stdout
    servers = {server["name"]: server for server in json.loads(listed)}
    return {side: servers[lab_name(side)] for side in HOSTS if lab_name(side) in servers}


def login(server):
    return {
        "datain_login_host": server["host"],
        "datain_login_port": server["port"],
        "datain_login_user": server["admin_user"],
        "datain_login_password": server["admin_password"],
        "datain_login_ca": server["ca"],
    }


def source_vars(server):
    return {
        **login(server),
        "datain_replication_user": "datain",
        # Unlike any other text, the same in every step, written nowhere.
        "datain_replication_password": hashlib.sha256(server["admin_password"].encode()).hexdigest()[:28],
        "datain_link_host": server["network_host"],
        "datain_link_port": server["network_port"],
        "datain_link_ca": server["ca"],
    }


def replica_vars(server):
    return {**login(server), "datain_source": HOSTS["source"], "datain_service": server["service"], "datain_client_dir": server["bin_dir"]}


def inventory():
    servers = started()
    wanted = yaml.safe_load((MOLECULE / "servers.yml").read_text()).get(SCENARIO, {})
    given = wanted.get("inventory", {})
    variables = {}
    for side, make in (("source", source_vars), ("replica", replica_vars)):
        if side in servers:
            variables[HOSTS[side]] = {**make(servers[side]), **given.get(side, {})}
    if wanted.get("connection") == "container" and "source" in servers:
        inside = {"ansible_connection": "containers.podman.podman", "ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3"}
        variables[HOSTS["source"]].update(ansible_host=servers["source"]["container"], **inside)
    groups = {
        "datain_sources": {"hosts": [HOSTS["source"]] if "source" in servers else []},
        "datain_replicas": {"hosts": [HOSTS["replica"]] if "replica" in servers else []},
        "all": {"vars": {"lab": servers, "lab_wanted": wanted, "lab_names": {side: lab_name(side) for side in HOSTS}}},
    }
    return {**groups, "_meta": {"hostvars": variables}}


if __name__ == "__main__":
    print(json.dumps(inventory(), indent=1))
