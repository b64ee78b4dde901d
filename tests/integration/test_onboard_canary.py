# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets unlike any other text, and a search for them in everything that a run of onboard leaves or shows."""

from __future__ import annotations

import base64
import os
import secrets
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.playbook import play
from cuts.workshop import workshop

PLAIN = b"canary: nothing of this is secret"


class Canary:
    """A secret with every character that somebody's quoting might forget, around a core that no quoting changes."""

    def __init__(self, extras="'\"\\%s$é"):
        self.core = "Q" + secrets.token_hex(7) + "z"
        half = len(self.core) // 2
        # The core is whole, so that any escaping of the rest still shows it.
        self.text = extras + self.core + extras[:3]
        self.forms = set(self._forms(half))

    def _forms(self, half):
        core = self.core.encode()
        yield core
        yield core.hex().encode()
        yield core.hex().upper().encode()
        for before in (b"", b"x", b"xx"):
            # Base64 of the core wherever it begins in a longer text: the letters at both ends depend on neighbours.
            yield base64.b64encode(before + core)[4 if before else 0: -4]
        # A secret cut in two by a line that is folded, or by a message that ends.
        yield core[: half + 4]
        yield core[half - 4:]

    def seen_in(self, data: bytes) -> bool:
        return any(form in data for form in self.forms)


class Canaries:
    """One for each secret, and a search for all of them at once."""

    def __init__(self):
        self.source, self.replica, self.link = Canary(), Canary(), Canary("'\"\\%$")
        self.all = {"source's administrator": self.source, "replica's administrator": self.replica, "replication account": self.link}

    def seen_in(self, data: bytes) -> list[str]:
        return [name for name, canary in self.all.items() if canary.seen_in(data)]

    def seen_in_files(self, *places: Path) -> list[str]:
        """Return every file below the places that holds one."""
        found = []
        for place in places:
            for path in [place, *place.rglob("*")] if place.is_dir() else [place]:
                if path.is_file() and not path.is_symlink():
                    found += [f"{name} in {path}" for name in self.seen_in(path.read_bytes())]
        return found


class Watcher:
    """Looks at the arguments and the environment of every process, and at temporary files, again and again while a run goes on."""

    def __init__(self, canaries, *places):
        self.canaries, self.places = canaries, places
        self.found, self.looks, self.clients = set(), 0, set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        own = str(os.getpid())
        while not self._stop.wait(0.004):
            self.looks += 1
            for entry in os.scandir("/proc"):
                if entry.name.isdigit() and entry.name != own:
                    self._look(entry.name)
            if self.looks % 5 == 0:
                for place in self.places:
                    self._files(place)

    def _look(self, pid):
        for what in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{what}", "rb") as stream:
                    data = stream.read()
            except OSError:
                continue
            if what == "cmdline" and b"--defaults-file=/proc/self/fd" in data:
                # What follows the options of a loader that starts a client is the client.
                self.clients.add(Path(data.partition(b"--defaults-file")[0].rstrip(b"\0").rpartition(b"\0")[2].decode()).name)
            self.found.update(f"{name} in the {what} of {data[:60]!r}" for name in self.canaries.seen_in(data))

    def _files(self, place):
        for folder, _folders, files in os.walk(place):
            for name in files:
                try:
                    data = Path(folder, name).read_bytes()
                except OSError:
                    continue
                self.found.update(f"{who} in {folder}/{name}" for who in self.canaries.seen_in(data))


@pytest.fixture(scope="module")
def shop():
    with workshop() as opened:
        yield opened


@pytest.fixture(params=["mysql", "mariadb"])
def pair(request, shop):
    return shop.pair(request.param)


def literal(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.fixture
def canaries(pair):
    """Every password of the pair is a canary; the servers got theirs without a trace in a binary log."""
    found = Canaries()
    for server, canary in ((pair.source, found.source), (pair.replica, found.replica)):
        server.sql(f"SET SESSION sql_log_bin=0; ALTER USER '{server.state['admin_user']}'@'%' IDENTIFIED BY {literal(canary.text)}; SET SESSION sql_log_bin=1")
    return found


def write_inventory(pair, canaries, path=None, source=None, replica=None):
    return pair.write_inventory(
        path,
        source={"datain_login_password": canaries.source.text, "datain_replication_password": canaries.link.text, **(source or {})},
        replica={"datain_login_password": canaries.replica.text, **(replica or {})},
    )


def binary_logs(server):
    """The files of a server's binary log."""
    folder = Path(server.state["option_file"]).parent / "data"
    files = [folder / row[0] for row in server.sql("SHOW BINARY LOGS")]
    assert files and all(file.exists() for file in files)
    return files


def fresh_in_tmp(since):
    """Files at the top of the temporary folder that are younger than the run; folders of other tests are left out."""
    for entry in os.scandir("/tmp"):
        try:
            if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime >= since and entry.stat().st_size < 1 << 22:
                yield Path(entry.path)
        except OSError:
            continue


def test_a_run_leaves_and_shows_no_secret(pair, canaries):
    # Enough to load for the clients to be seen at work.
    pair.source.sql("INSERT INTO shop.journal VALUES (3, REPEAT('x', 60));" + "INSERT INTO shop.journal SELECT * FROM shop.journal;" * 14)
    write_inventory(pair, canaries)
    began = time.time()
    temporary = pair.home / "tmp"
    temporary.mkdir(exist_ok=True)
    with Watcher(canaries, temporary, pair.home / "report") as watcher:
        run = play(pair.home, pair.inventory, "-vvvv", "--diff")
        again = play(pair.home, pair.inventory, "-vvvv", "--check", "--diff")
    assert run.status == 0, run.tail
    assert again.status == 0 and again.changed == 0, again.tail
    # Was there anything to be seen? The run logged in with these secrets, and the clients were caught at work.
    assert watcher.looks > 20 and len(watcher.clients) >= 2, (watcher.looks, watcher.clients)
    assert pair.source.login_works(pair.user, canaries.link.text)
    assert pair.replica.status()["Slave_IO_Running"] == "Yes"
    found = canaries.seen_in(run.text.encode()) + canaries.seen_in(again.text.encode()) + sorted(watcher.found)
    found += canaries.seen_in_files(temporary, pair.home / "report", pair.home / "ansible", *fresh_in_tmp(began))
    for server in pair.servers:
        server.sql("FLUSH BINARY LOGS")
        found += canaries.seen_in_files(*binary_logs(server))
        found += canaries.seen_in_files(Path(server.state["error_log"]))
    rows = pair.replica.sql("SELECT kind, HEX(document) FROM datain_state.record")
    assert {row[0] for row in rows} >= {"seed", "link"}
    found += [f"record {row[0]}" for row in rows if canaries.seen_in(bytes.fromhex(row[1]))]
    assert found == []


@pytest.mark.parametrize("way", ["wrong_ca", "wrong_link_ca", "wrong_password", "wrong_source_password", "long_password", "no_port"])
def test_a_run_that_fails_shows_no_secret(pair, canaries, way):
    wrong = {
        "wrong_ca": {"replica": {"datain_login_ca": pair.replica.state["wrong_ca"]}},
        "wrong_link_ca": {"source": {"datain_link_ca": pair.source.state["wrong_ca"]}},
        # Wrong, and a secret all the same.
        "wrong_password": {"replica": {"datain_login_password": canaries.replica.text + "x"}},
        "wrong_source_password": {"source": {"datain_login_password": "x" + canaries.source.text}},
        "long_password": {"source": {"datain_replication_password": canaries.link.text + "0123456789"}},
        "no_port": {"source": {"datain_login_port": -1}},
    }[way]
    write_inventory(pair, canaries, **wrong)
    temporary = pair.home / "tmp"
    temporary.mkdir(exist_ok=True)
    with Watcher(canaries, temporary) as watcher:
        run = play(pair.home, pair.inventory, "-vvvv", "--diff")
    assert run.status != 0, f"{way} went unnoticed"
    found = canaries.seen_in(run.text.encode()) + sorted(watcher.found) + canaries.seen_in_files(temporary, pair.home / "report", pair.home / "ansible")
    assert found == []


MODULE_PLAY = [
    {
        "hosts": "datain_sources:datain_replicas",
        "gather_facts": False,
        # With an environment the capability does not run in the worker, but as a module of its own.
        "environment": {"DATAIN_SOMETHING": "set"},
        "tasks": [
            {"name": "source", "datain.azure_mysql.replication_user": {}, "delegate_to": "localhost", "when": "inventory_hostname == 'shop'"},
            {"name": "link", "datain.azure_mysql.link_plan": {}, "delegate_to": "localhost", "when": "inventory_hostname != 'shop'"},
        ],
    }
]


def test_the_other_way_in_shows_no_secret(pair, canaries):
    write_inventory(pair, canaries)
    playbook = pair.home / "modules.yml"
    playbook.write_text(yaml.safe_dump(MODULE_PLAY))
    with Watcher(canaries) as watcher:
        run = play(pair.home, pair.inventory, "-vvvv", "--diff", playbook=str(playbook))
    assert run.status == 0, run.tail
    assert "AnsiballZ" in run.text, "no module process: this tests nothing"
    found = canaries.seen_in(run.text.encode()) + sorted(watcher.found)
    found += canaries.seen_in_files(pair.home / "tmp", pair.home / "ansible")
    assert found == []


def test_a_log_that_will_hold_a_secret_is_warned_of(pair, canaries):
    write_inventory(pair, canaries)
    pair.replica.sql("SET GLOBAL slow_query_log=ON; SET GLOBAL long_query_time=0; SET GLOBAL general_log=ON")
    run = play(pair.home, pair.inventory, "--diff")
    pair.replica.sql("SET GLOBAL general_log=OFF; SET GLOBAL slow_query_log=OFF")
    assert run.status == 0, run.tail
    assert "general_log" in run.text, run.text
    assert canaries.seen_in(run.text.encode()) == []
    if pair.flavour == "mariadb":
        # The warning is not idle: this server writes down what it is told.
        assert canaries.link.seen_in(Path(pair.replica.state["general_log"]).read_bytes())


PLANTS = [
    {
        "hosts": "shop",
        "gather_facts": False,
        "tasks": [
            {"name": "in the output", "ansible.builtin.debug": {"msg": "{{ datain_login_password }}"}},
            {"name": "in a file", "ansible.builtin.copy": {"content": "{{ datain_replication_password }}", "dest": "{{ place }}", "mode": "0600"}},
            {
                "name": "in an environment",
                "ansible.builtin.command": {"argv": ["sleep", "0.5"]},
                "environment": {"SECRET": "{{ datain_login_password }}"},
            },
        ],
    }
]


def test_the_search_itself_can_fail(pair, canaries):
    """Plant each of them where the others look, and see it found."""
    write_inventory(pair, canaries)
    playbook = pair.home / "plants.yml"
    playbook.write_text(yaml.safe_dump(PLANTS))
    place = pair.home / "tmp" / "planted"
    with Watcher(canaries, pair.home / "tmp") as watcher:
        run = play(pair.home, pair.inventory, "-e", f"place={place}", playbook=str(playbook))
    assert run.status == 0, run.text
    assert canaries.seen_in(run.text.encode())
    assert canaries.seen_in_files(pair.home / "tmp") == [f"replication account in {place}"]
    place.unlink()
    assert any("environ" in text for text in watcher.found), watcher.found
    assert any(str(place) in text for text in watcher.found), watcher.found
    planted = literal(canaries.link.text)
    pair.source.sql(f"CREATE DATABASE planted; CREATE TABLE planted.t (t VARCHAR(200)); INSERT INTO planted.t VALUES ({planted}); FLUSH BINARY LOGS")
    assert canaries.seen_in_files(*binary_logs(pair.source))
    canary = canaries.link
    encoded = canary.text.encode()
    for form in (canary.text, encoded.hex(), base64.b64encode(b"user:" + encoded).decode(), repr(canary.text), planted):
        assert canary.seen_in(PLAIN + form.encode()), form
    assert not canary.seen_in(PLAIN)
