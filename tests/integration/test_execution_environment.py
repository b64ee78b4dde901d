# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment is built out of the artifact and used on a pair; in it every command of three guides is run as printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = "/usr/share/ansible/collections/ansible_collections/datain/azure_mysql/MANIFEST.json"
METRICS = "/var/lib/node_exporter/textfile"
# Where a machine needs an authority of its own to reach the package index, the build needs it too; nothing of it stays in the image.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def blocks(guide, language):
    """What a guide prints in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / guide).read_text(), re.MULTILINE | re.DOTALL)


def commands(guide):
    """Every command that a guide prints."""
    lines = "".join(blocks(guide, "console")).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines]


BUILD, RUN = commands("pipelines.md")[-2:]


class Inside:
    """A pair in containers, a project with its inventory, and the image between them."""

    def __init__(self, lab, home):
        self.source = lab("shop-db", "mariadb-10.11", "--backend", "container")
        self.replica = lab("shop-westeurope", "mariadb-10.11", "--service", "mariadb_server", "--backend", "container")
        self.environment = {**os.environ, "CONTAINERS_CONF": self.source.state["containers_conf"]}
        self.project, self.metrics = home / "project", home / "metrics"
        self.metrics.mkdir()
        shutil.copytree(ROOT / "examples" / "awx", self.project)
        # The user of the image is nobody's, and in the group of root.
        self.project.chmod(0o770)
        self.artifact = Path(self.here(str(ROOT / "tests" / "tools" / "build.sh"), str(home)).stdout.strip())
        self.image = self.build()

    def here(self, *words):
        done = subprocess.run(words, cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def build(self):
        """As the guide says, on the base that the lab's servers stand on: there is no registry here."""
        definition = self.project / "execution-environment.yml"
        [artifact] = [block for block in blocks("pipelines.md", "yaml") if "additional_build_files" in block]
        lines = yaml.safe_load(re.sub(r"datain-azure_mysql-[\d.]+\.tar\.gz", self.artifact.name, artifact))
        wanted = yaml.safe_load(definition.read_text())
        wanted["dependencies"].update(lines["dependencies"])
        wanted["additional_build_files"] = lines["additional_build_files"]
        definition.write_text(yaml.safe_dump(wanted))
        shutil.copy(self.artifact, self.project)
        options = ["--pull=never", "--network=host"]
        if AUTHORITIES.exists():
            configuration = self.artifact.parent / "pip.conf"
            configuration.write_text("[global]\ncert = /run/authorities.crt\n")
            options += [f"--volume={AUTHORITIES}:/run/authorities.crt:ro", f"--volume={configuration}:/etc/pip.conf:ro"]
        base = self.here("podman", "inspect", "--format", "{{.ImageName}}", self.source.state["container"]).stdout.strip()
        words = shlex.split(BUILD)
        self.here(*words, "--container-runtime", "podman", "--build-arg", f"EE_BASE_IMAGE={base}", f"--extra-build-cli-args={shlex.join(options)}")
        return words[words.index("--tag") + 1]

    def podman(self, *words):
        """A command in a container of the image, in the lab's network; return the finished process."""
        words = ["podman", "run", "--rm", "--network", self.source.state["network"], f"--volume={self.metrics}:{METRICS}", *words]
        done = subprocess.run(words, cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        # ansible-runner asks for colours, whoever reads them.
        done.stdout = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
        return done

    def run(self, command):
        """A command of a guide, as printed, where the inventory is."""
        return self.podman(f"--volume={self.project}:/runner/project", "--workdir=/runner/project", "--user=root", self.image, "sh", "-c", command)

    def write_inventory(self, **replica):
        def host(server):
            state = server.state
            return {
                "datain_login_host": state["network_host"],
                "datain_login_user": state["admin_user"],
                "datain_login_password": state["admin_password"],
                "datain_login_ca": Path(state["ca"]).read_text(),
            }

        account = {"datain_replication_user": "datain", "datain_replication_password": "Repl-4711", "datain_link_ca": Path(self.source.state["ca"]).read_text()}
        shop = {**host(self.source), **account}
        azure = {**host(self.replica), "datain_source": "shop-db", "datain_service": "mariadb_server", **replica}
        groups = {"datain_sources": {"hosts": {"shop-db": shop}}, "datain_replicas": {"hosts": {"shop-westeurope": azure}}}
        common = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        (self.project / "inventory.yml").write_text(yaml.safe_dump({"all": {"vars": common, "children": groups}}))

    def arrives(self, number):
        """Whether a row that the source gets is on the replica soon."""
        self.source.sql(f"INSERT INTO shop.orders VALUES ({number})")
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if self.replica.sql(f"SELECT id FROM shop.orders WHERE id = {number}"):
                return True
            time.sleep(0.1)
        return False

    def accounts(self):
        return {row[0] for row in self.replica.sql("SELECT CONCAT(user, '@', host) FROM mysql.user")}


@pytest.fixture(scope="module")
def inside(lab, tmp_path_factory):
    made = Inside(lab, tmp_path_factory.mktemp("environment"))
    made.source.sql(
        "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (1), (2);"
        "CREATE USER shop_app@'%' IDENTIFIED BY 'App-4711'; GRANT SELECT ON shop.* TO shop_app@'%'; CREATE USER report@'10.%' IDENTIFIED BY 'Report-4711';"
        "CREATE USER shop_test1@'%' IDENTIFIED BY 'Test-4711'"
    )
    made.write_inventory()
    yield made
    made.here("podman", "rmi", "--force", made.image)


# In this order: the pair is onboarded first.


def test_the_artifact_is_in_it(inside):
    with tarfile.open(inside.artifact) as archive:
        built = archive.extractfile("MANIFEST.json").read().decode()
    assert inside.podman(inside.image, "cat", MANIFEST).stdout == built


def test_onboarded_as_awx_does_it(inside):
    """By a file in a project, with ansible-runner, as the image's own user; MariaDB's clients of the image bring the data over."""
    runner = ["ansible-runner", "run", "/runner", "--playbook", "onboard.yml", "--inventory", "/runner/project/inventory.yml"]
    for changed in (True, False):
        done = inside.podman(f"--volume={inside.project}:/runner/project", inside.image, *runner)
        assert done.returncode == 0, done.stdout + done.stderr
        recap = re.findall(r"^(\S+?) .*changed=(\d+)", done.stdout.partition("PLAY RECAP")[2], re.MULTILINE)
        assert [host for host, _count in recap] == ["shop-db", "shop-westeurope"]
        assert any(count != "0" for _host, count in recap) is changed
    assert inside.replica.sql("SELECT id FROM shop.orders ORDER BY id") == [["1"], ["2"]]
    assert inside.arrives(3)


def test_status_as_the_guide_prints_it(inside):
    words = shlex.split(RUN.replace("$PWD", str(inside.project)))
    assert words[:3] == ["podman", "run", "--rm"]
    done = inside.podman(*words[3:])
    assert done.returncode == 0 and "All is well" in (inside.project / "datain-report" / "report.md").read_text(), done.stdout + done.stderr


def test_every_command_of_the_guide_to_reports(inside):
    check, check_all_the_same, graph, ask = commands("reports.md")
    inside.source.sql("CREATE TABLE shop.without_key (n INT)")
    blocked = inside.run(check)
    assert blocked.returncode == 2, blocked.stdout
    assert "shop-westeurope\n  schema.no_primary_key: " in inside.here("sh", "-c", ask).stdout
    assert "without_key" in (inside.project / "datain-report" / "report.html").read_text()
    assert inside.run(check_all_the_same).returncode == 0
    inside.source.sql("DROP TABLE shop.without_key")
    graphed = inside.run(graph)
    assert graphed.returncode == 0, graphed.stdout
    assert 'datain_healthy{host="shop-westeurope",role="replica"} 1' in (inside.metrics / "datain.prom").read_text()


def test_every_command_of_the_guide_to_accounts(inside):
    look, carry, look_what_goes, remove = commands("accounts.md")
    patterns, playbook = blocks("accounts.md", "yaml")
    inside.write_inventory(**yaml.safe_load(patterns))
    (inside.project / "accounts.yml").write_text(playbook)
    before = inside.accounts()
    shown = inside.run(look)
    assert shown.returncode == 0 and "shop_app" in shown.stdout and inside.accounts() == before, shown.stdout
    done = inside.run(carry)
    assert done.returncode == 0 and inside.accounts() == before | {"shop_app@%", "report@10.%"}, done.stdout
    assert inside.replica.as_user("shop_app", "App-4711", "SELECT COUNT(*) FROM shop.orders", f"--ssl-ca={inside.replica.state['ca']}").stdout.strip() == "3"
    inside.source.sql("DROP USER shop_app@'%'")
    shown = inside.run(look_what_goes)
    assert shown.returncode == 0 and "shop_app" in shown.stdout and "shop_app@%" in inside.accounts(), shown.stdout
    done = inside.run(remove)
    assert done.returncode == 0 and inside.accounts() == before | {"report@10.%"}, done.stdout
    assert not [secret for secret in ("App-4711", "Report-4711", "Repl-4711") if secret in shown.stdout + done.stdout]
