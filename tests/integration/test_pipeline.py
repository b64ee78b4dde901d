# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipeline on a real git repository: each kind of change is committed, planned, applied, and then planned to nothing."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import typing as t
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

    def applies_at_once(self, count):
        """Start so many at the same time; give status and output of each."""
        started = [
            subprocess.Popen(
                ["./apply", "inventory/"], cwd=self.home, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for _number in range(count)
        ]  # fmt: skip
        said = [process.communicate()[0] for process in started]
        return list(zip([process.returncode for process in started], said))

    def markdown(self):
        return (self.home / "datain-report" / "report.md").read_text()

    def would_do(self):
        """What the comment says would be done, as a person reads it."""
        return self.markdown().partition("### What would be done")[2].partition("\n### ")[0].replace("\\", "").replace("<!-- -->", "")

    def follows(self):
        """Wait until the replica has all that the source has, and see that it is the same."""
        return self.pair.catch_up() is None and self.pair.rows(self.pair.source) == self.pair.rows(self.pair.replica)

    def logs_in_anew(self):
        """Let the link log in once more, without what the source remembers of its last login."""
        self.pair.source.sql("FLUSH PRIVILEGES")
        self.pair.replica.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
        return self.follows()


class Translation(socketserver.ThreadingTCPServer):
    """Another port that leads to a server, as an address translation has it."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), None)
        self.leads_to = port
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        with socket.create_connection(("127.0.0.1", self.leads_to)) as server:
            threading.Thread(target=_pass_on, args=(server, request), daemon=True).start()
            _pass_on(request, server)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def _pass_on(giver, taker):
    with contextlib.suppress(OSError):
        while data := giver.recv(1 << 16):
            taker.sendall(data)
        taker.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    with workshop() as shop:
        pair = shop.pair("mysql")
        yield Repository(pair, tmp_path_factory.mktemp("pipeline") / "repository")


def shop(**variables):
    return lambda repository: repository.shop.update(variables)


def azure(**variables):
    return lambda repository: repository.azure.update(variables)


def another_port(repository):
    repository.shop.update(datain_link_port=Translation(repository.pair.source.port).server_address[1])


def without_tls(repository):
    del repository.shop["datain_link_ca"]
    repository.shop.update(datain_waivers=[{"rule": "link.without_tls", "reason": "the network is ours", "until": "2099-12-31"}])


def with_tls(repository):
    """Of a link that stands still: while it follows without TLS, the account cannot demand it."""
    source, deadline = repository.pair.source, time.monotonic() + 10
    while source.value("SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'") != "0" and time.monotonic() < deadline:
        # A source sees that a session is gone when it sends something.
        source.sql("INSERT INTO shop.journal VALUES (7, 'meanwhile')")
        time.sleep(0.1)
    repository.shop.update(datain_link_ca=repository.pair.source.state["ca"])
    repository.azure.update(datain_state="started")


def two_authorities(repository):
    state = repository.pair.source.state
    repository.shop.update(datain_link_ca="".join(Path(state[name]).read_text() for name in ("ca", "wrong_ca")))


def password_in_place(repository):
    """Somebody has changed it on the source, and now the inventory says it too."""
    repository.pair.source.sql("ALTER USER datain@'%' IDENTIFIED BY 'In-place-4711'")
    repository.secrets.update(vault_replication="In-place-4711")


def second_account(repository):
    repository.shop.update(datain_replication_user="second", datain_retired_users=["datain"])
    repository.secrets.update(vault_replication="Rotated-0815")


def an_account(repository):
    repository.pair.source.sql("CREATE USER shop_app@'%' IDENTIFIED BY 'App-4711'; GRANT SELECT ON shop.* TO shop_app@'%'")
    repository.azure.update(datain_accounts=["shop_*"])


class Change(t.NamedTuple):
    """What is changed, how the comment names it, and what the link then is; no link where that is empty."""

    do: t.Callable[[Repository], None]
    named: str
    link: dict[str, str]


RUNS, STANDS = ({"Slave_IO_Running": word, "Slave_SQL_Running": word} for word in ("Yes", "No"))
# In this order: each goes on from the one before.
CHANGES = {
    "host name": Change(shop(datain_link_host="localhost"), "host '127.0.0.1' is to be 'localhost'", {"Master_Host": "localhost"}),
    "port": Change(another_port, r"port \d+ is to be \d+", {"Master_Host": "localhost"}),
    "no TLS demanded": Change(without_tls, "because of TLS", {"Master_SSL_Allowed": "No"}),
    "stopped": Change(azure(datain_state="stopped"), "the link is to be stopped", STANDS),
    "TLS demanded": Change(with_tls, "because of TLS", {"Master_SSL_Allowed": "Yes"}),
    "CA": Change(two_authorities, "because of CA", {"Master_SSL_Allowed": "Yes"}),
    "password in place": Change(password_in_place, "because of credentials", {"Master_User": "datain"}),
    "second user": Change(second_account, "user 'datain' is to be 'second'", {"Master_User": "second"}),
    "account added": Change(an_account, "create.*shop_app", {"Master_User": "second"}),
    "replica out": Change(azure(datain_state="absent"), "the link is to go", {}),
    "replica back": Change(azure(datain_state="started"), "link.*az_replication_change_master", {"Master_User": "second"}),
}


def test_two_runs_at_once_onboard_the_pair(repository):
    """One works, and the other waits for it or says who holds the lock."""
    repository.commit("the pair")
    planned = repository.plan()
    assert planned.returncode == WORK and "`copy_schema` shop" in repository.would_do(), planned.stdout
    runs = repository.applies_at_once(2)
    assert NOTHING in [status for status, _said in runs], runs
    for status, said in runs:
        assert status == NOTHING or (status == BLOCKED and re.search(r"session \d+ of \w+ from \S+ holds the lock datain\.", said)), said
    assert repository.follows()
    again = repository.plan()
    assert again.returncode == NOTHING, again.stdout


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_planned_applied_and_then_nothing(repository, what):
    change, named, link = CHANGES[what]
    change(repository)
    repository.commit(what)
    before = repository.pair.state()
    planned = repository.plan()
    assert planned.returncode == WORK, planned.stdout + planned.stderr
    assert "azure1" in repository.would_do() and re.search(named, repository.would_do()), repository.markdown()
    assert repository.pair.state() == before, "a plan changes nothing"
    applied = repository.apply()
    assert applied.returncode == NOTHING, applied.stdout + applied.stderr
    status, wanted = repository.pair.replica.status(), {**RUNS, **link} if link else {}
    assert {key: status.get(key) for key in wanted} == wanted and bool(status) == bool(link)
    assert "Yes" not in wanted.values() or repository.logs_in_anew()
    again = repository.plan()
    assert again.returncode == NOTHING, again.stdout + again.stderr
    said = "".join(run.stdout + run.stderr for run in (planned, applied, again)) + repository.markdown()
    assert not [secret for secret in repository.secrets.values() if secret in said]


def test_a_password_that_only_the_inventory_has_is_refused(repository):
    """The attached replica could not log in again with the old one: the comment says to take a second account, and nothing is touched."""
    account = repository.shop["datain_replication_user"]
    kept = repository.secrets["vault_replication"]
    repository.secrets.update(vault_replication="Nobody-knows-4711")
    repository.commit("another password")
    assert repository.plan().returncode == BLOCKED and "use a second account" in repository.markdown().replace("\\", "")
    assert repository.apply().returncode == BLOCKED
    assert repository.pair.source.login_works(account, kept) and repository.follows()
    repository.secrets.update(vault_replication=kept)
    repository.commit("the password as it was")
    assert repository.plan().returncode == NOTHING


def test_what_was_applied_is_what_was_meant(repository):
    """By the servers: the second account alone is left, and the carried one can log in on the replica."""
    users = [row[0] for row in repository.pair.source.sql("SELECT user FROM mysql.user WHERE user IN ('datain', 'second')")]
    assert users == ["second"] and repository.pair.source.login_works("second", "Rotated-0815")
    assert repository.pair.replica.login_works("shop_app", "App-4711")


def test_the_drift_job_finds_a_link_changed_by_hand(repository):
    replica = repository.pair.replica
    status = replica.status()
    place = f"SOURCE_LOG_FILE='{status['Relay_Master_Log_File']}', SOURCE_LOG_POS={status['Exec_Master_Log_Pos']}"
    replica.sql(f"STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', {place}; START REPLICA")
    found = repository.plan()
    assert found.returncode == WORK and "host '127.0.0.1' is to be 'localhost'" in repository.would_do(), found.stdout
    replica.sql("CALL mysql.az_replication_stop")
    assert repository.plan().returncode == WORK
    assert repository.apply().returncode == NOTHING and replica.status()["Master_Host"] == "localhost" and repository.follows()
    assert repository.plan().returncode == NOTHING


def test_an_inventory_that_means_nobody_is_not_one_that_is_right(repository):
    (repository.home / "empty").mkdir(exist_ok=True)
    misspelt = repository.home / "misspelt.yml"
    misspelt.write_text("all: {children: {datain_source: {hosts: {shop: {}}}}}\n")
    for name in ("nosuch/", "empty/", "misspelt.yml"):
        for script in ("./plan", "./apply"):
            done = repository.run(script, name)
            assert done.returncode not in (NOTHING, WORK), (script, name, done.stdout)


def test_how_the_run_is_shown_decides_nothing(repository):
    settings = repository.home / "ansible.cfg"
    settings.write_text("[defaults]\nstdout_callback = minimal\nforce_color = true\n")
    before = dict(repository.azure)
    repository.environment = {**repository.environment, "ANSIBLE_CONFIG": str(settings)}
    try:
        assert repository.plan().returncode == NOTHING
        repository.azure.update(datain_state="stopped")
        repository.commit("stop it")
        assert repository.plan().returncode == WORK
    finally:
        del repository.environment["ANSIBLE_CONFIG"]
        settings.unlink()
        repository.azure.clear()
        repository.azure.update(before)
        repository.commit("back")


def test_what_blocks_fails_the_plan_and_is_in_the_comment(repository):
    port = repository.shop["datain_link_port"]
    repository.shop.update(datain_link_port=1)
    repository.commit("a port at which nobody listens")
    planned = repository.plan()
    assert planned.returncode == BLOCKED, planned.stdout
    assert "nobody here can see who answers" in repository.markdown()
    repository.shop.update(datain_link_port=port)
    repository.commit("back")
    assert repository.plan().returncode == NOTHING
