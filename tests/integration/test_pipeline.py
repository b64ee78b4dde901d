# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline on a real git repository: each kind of change is committed, planned, applied, and then planned to nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.playbook import environment
from cuts.workshop import workshop

ROOT = Path(__file__).resolve().parents[2]
NOTHING, WORK, BLOCKED = 0, 3, 2


class Repository:
    """A repository as docs/pipelines.md tells to make it: two scripts, an inventory, and an encrypted file of secrets."""

    def __init__(self, pair, home):
        self.pair, self.home = pair, home
        home.mkdir()
        for script in ("plan", "apply"):
            shutil.copy(ROOT / "examples" / "gitops" / script, home)
        (home / "vault-password").write_text("not in the repository\n")
        (home / ".gitignore").write_text("vault-password\ndatain-report\n")
        self.environment = environment(pair.home, ANSIBLE_VAULT_PASSWORD_FILE=str(home / "vault-password"))
        variables = pair.variables()
        self.shop = variables["all"]["children"]["datain_sources"]["hosts"]["shop"]
        self.azure = variables["all"]["children"]["datain_replicas"]["hosts"]["azure1"]
        self.common = {name: value for name, value in variables["all"].get("vars", {}).items() if name != "datain_report_dir"}
        self.secrets = {
            "vault_shop_admin": self.shop["datain_login_password"],
            "vault_azure_admin": self.azure["datain_login_password"],
            "vault_replication": self.shop["datain_replication_password"],
        }
        self.shop.update(datain_login_password="{{ vault_shop_admin }}", datain_replication_password="{{ vault_replication }}")
        self.azure.update(datain_login_password="{{ vault_azure_admin }}")
        self.run("git", "init", "--quiet", "--initial-branch", "main")

    def run(self, *words):
        return subprocess.run(words, cwd=self.home, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def commit(self, what):
        """Write inventory and secrets, the latter encrypted, and commit them."""
        folder = self.home / "inventory" / "group_vars" / "all"
        folder.mkdir(parents=True, exist_ok=True)
        hosts = {
            "all": {
                "vars": self.common,
                "children": {"datain_sources": {"hosts": {"shop": self.shop}}, "datain_replicas": {"hosts": {"azure1": self.azure}}},
            }
        }
        (self.home / "inventory" / "hosts.yml").write_text(yaml.safe_dump(hosts, allow_unicode=True))
        (folder / "vault.yml").write_text(yaml.safe_dump(self.secrets, allow_unicode=True))
        for words in (
            ("ansible-vault", "encrypt", "inventory/group_vars/all/vault.yml"),
            ("git", "add", "--all"),
            ("git", "-c", "user.name=operator", "-c", "user.email=operator@example.com", "commit", "--quiet", "--message", what),
        ):
            done = self.run(*words)
            assert done.returncode == 0, done.stderr
        committed = self.run("git", "show", "--format=").stdout
        assert not [secret for secret in self.secrets.values() if secret in committed]

    def plan(self):
        return self.run("./plan", "inventory/")

    def apply(self):
        return self.run("./apply", "inventory/")

    def markdown(self):
        return (self.home / "datain-report" / "report.md").read_text()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    with workshop() as shop:
        pair = shop.pair("mysql")
        yield Repository(pair, tmp_path_factory.mktemp("pipeline") / "repository")


def both_certificates(repository):
    state = repository.pair.source.state
    return "".join(Path(state[name]).read_text() for name in ("ca", "wrong_ca"))


# In this order: each goes on from the one before. What changes, and what the link then is.
CHANGES = {
    "the pair": (lambda repository: None, {"Slave_IO_Running": "Yes", "Master_User": "datain"}),
    "stopped": (lambda repository: repository.azure.update(datain_state="stopped"), {"Slave_IO_Running": "No"}),
    "started": (lambda repository: repository.azure.update(datain_state="started"), {"Slave_IO_Running": "Yes"}),
    "another address": (lambda repository: repository.shop.update(datain_link_host="localhost"), {"Master_Host": "localhost"}),
    "another CA": (lambda repository: repository.shop.update(datain_link_ca=both_certificates(repository)), {"Slave_IO_Running": "Yes"}),
    "another account": (
        lambda repository: (
            repository.shop.update(datain_replication_user="second", datain_retired_users=["datain"]),
            repository.secrets.update(vault_replication="Rotated-4711"),
        ),
        {"Master_User": "second", "Slave_IO_Running": "Yes"},
    ),
    "out": (lambda repository: repository.azure.update(datain_state="absent"), {}),
    "back": (lambda repository: repository.azure.update(datain_state="started"), {"Slave_IO_Running": "Yes", "Master_User": "second"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_planned_applied_and_then_nothing(repository, what):
    change, link = CHANGES[what]
    change(repository)
    repository.commit(what)
    before = repository.pair.replica.status()
    planned = repository.plan()
    assert planned.returncode == WORK, planned.stdout + planned.stderr
    assert "azure1" in repository.markdown() and len(repository.markdown()) < 65536
    assert repository.pair.replica.status().keys() == before.keys(), "a plan changes nothing"
    applied = repository.apply()
    assert applied.returncode == NOTHING, applied.stdout + applied.stderr
    status = repository.pair.replica.status()
    assert {key: status.get(key) for key in link} == link and bool(status) == bool(link)
    again = repository.plan()
    assert again.returncode == NOTHING, again.stdout + again.stderr
    said = "".join(run.stdout + run.stderr for run in (planned, applied, again)) + repository.markdown()
    assert not [secret for secret in repository.secrets.values() if secret in said]


def test_drift_is_found(repository):
    repository.pair.replica.sql("CALL mysql.az_replication_stop")
    assert repository.plan().returncode == WORK
    assert repository.apply().returncode == NOTHING and repository.plan().returncode == NOTHING


def test_what_blocks_fails_the_plan_and_is_in_the_comment(repository):
    host = repository.shop["datain_link_host"]
    repository.shop.update(datain_link_host="localhost", datain_link_port=1)
    repository.commit("a port at which nobody listens")
    planned = repository.plan()
    assert planned.returncode == BLOCKED, planned.stdout
    assert "nobody here can see who answers" in repository.markdown()
    del repository.shop["datain_link_port"]
    repository.shop.update(datain_link_host=host)
    repository.commit("back")
    assert repository.plan().returncode == NOTHING
