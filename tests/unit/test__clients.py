# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients are told by what they say, and given secrets that nobody sees."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _clients
from ansible_collections.datain.azure_mysql.plugins.module_utils._clients import (
    DUMP,
    LOAD,
    Client,
    Process,
    complaint,
    credentials,
    dump_arguments,
    environment,
    find_client,
    load_arguments,
    option_text,
    parse_client_version,
    quote_option,
    tls_options,
)
from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Login
from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import InputError, ToolError

MYSQL_80 = Client("/x/mysqldump", "mysql", (8, 0, 33))
MYSQL_57 = Client("/x/mysqldump", "mysql", (5, 7, 22))
MARIADB = Client("/x/mariadb-dump", "mariadb", (10, 11, 19))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysqldump  Ver 8.0.33 for Linux on x86_64 (MySQL Community Server - GPL)", ("mysql", (8, 0, 33))),
        ("mysqldump  Ver 10.13 Distrib 5.7.22, for Linux (x86_64)", ("mysql", (5, 7, 22))),
        ("mysqldump  Ver 8.0.35-27 for Linux on x86_64 (Percona Server (GPL))", ("mysql", (8, 0, 35))),
        ("/opt/mariadb/bin/mysql  Ver 9.7.0 for Linux on x86_64", ("mysql", (9, 7, 0))),
        ("mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)", ("mariadb", (10, 11, 19))),
        ("mysqldump  Ver 10.16 Distrib 10.1.48-MariaDB, for Linux (x86_64)", ("mariadb", (10, 1, 48))),
        ("mariadb-dump from 11.8.3-MariaDB, client 10.20 for debian-linux-gnu (x86_64)", ("mariadb", (11, 8, 3))),
        ("mydumper 0.10.1, built against MySQL 10.5.8", None),
        ("", None),
    ],
)
def test_versions(text, expected):
    assert parse_client_version(text) == expected


def fake(folder, name, says):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


class TestFinding:
    OURS = "mysqldump  Ver 8.0.33 for Linux on x86_64"
    THEIRS = "mysqldump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)"

    def test_the_folder_comes_first(self, tmp_path, monkeypatch):
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        first = fake(tmp_path / "a", "mysqldump", self.OURS)
        second = fake(tmp_path / "b", "mysqldump", self.OURS)
        monkeypatch.setenv("PATH", str(tmp_path / "b") + ":/bin:/usr/bin")
        assert find_client(DUMP, "mysql", str(tmp_path / "a")).path == first
        assert find_client(DUMP, "mysql").path == second

    def test_the_other_flavour_under_the_same_name_is_passed_over(self, tmp_path, monkeypatch):
        (tmp_path / "a").mkdir()
        wrong = fake(tmp_path / "a", "mysqldump", self.THEIRS)
        right = fake(tmp_path, "mysqldump", self.OURS)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        assert find_client(DUMP, "mysql", str(tmp_path / "a")).path == right
        assert find_client(DUMP, "mariadb", str(tmp_path / "a")) == Client(wrong, "mariadb", (10, 11, 19))

    def test_the_other_flavour_alone_is_named(self, tmp_path, monkeypatch):
        path = fake(tmp_path, "mysqldump", self.THEIRS)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        with pytest.raises(ToolError) as caught:
            find_client(DUMP, "mysql")
        assert f"{path} is MariaDB's" in caught.value.message
        assert "install mysql-client" in caught.value.hint
        assert "datain_client_dir" in caught.value.hint

    def test_one_of_a_version_that_the_server_does_not_understand_is_passed_over(self, tmp_path, monkeypatch):
        (tmp_path / "a").mkdir()
        old = fake(tmp_path / "a", "mysqldump", self.OURS)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        new_server, old_server = (dialect_for("mysql", version).dump_clients for version in ((8, 4, 0), (8, 0, 33)))
        with pytest.raises(ToolError, match="of version 8.0.33, and this server understands clients from 8.4.0 on"):
            find_client(DUMP, "mysql", str(tmp_path / "a"), new_server)
        new = fake(tmp_path, "mysqldump", "mysqldump  Ver 9.7.4 for Linux on x86_64")
        assert find_client(DUMP, "mysql", str(tmp_path / "a"), new_server).path == new
        assert find_client(DUMP, "mysql", str(tmp_path / "a"), old_server).path == old
        Path(old).unlink()
        with pytest.raises(ToolError, match="of version 9.7.4, and this server understands clients older than 8.4.0"):
            find_client(DUMP, "mysql", versions=old_server)

    def test_none(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ToolError, match="MariaDB's load client \\(mariadb or mysql\\) is not to be found"):
            find_client(LOAD, "mariadb", str(tmp_path))


class TestSecrets:
    SECRET = 'p"a\\s\'s # [client] ü€😀;=\t x'

    def login(self, **other):
        return Login(**{"side": "replica", "host": "db", "user": "adm`in", "password": self.SECRET, "port": 3307, **other})

    def test_a_child_reads_it_and_nobody_sees_it(self, monkeypatch):
        monkeypatch.setenv("MYSQL_PWD", "from outside")
        with credentials(self.login(tls="disabled"), "mysql", False) as given:
            assert self.SECRET not in given.argument
            path = given.argument.partition("=")[2]
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            done = subprocess.run(["cat", path, path], pass_fds=given.fds, env=environment(), capture_output=True, text=True, check=True)
            assert done.stdout.count("[client]\n") == 2
        for descriptor in given.fds:
            with pytest.raises(OSError):
                os.fstat(descriptor)
        assert not any("PWD" in name or name.startswith("MYSQL") for name in environment())
        assert environment()["HOME"] == "/nonexistent"

    def test_a_file_of_our_own_where_there_is_no_memory_file(self, monkeypatch):
        monkeypatch.delattr(os, "memfd_create", raising=False)
        with credentials(self.login(), "mysql", True) as given:
            path = given.argument.partition("=")[2]
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            assert given.fds == ()
        assert not os.path.exists(path)

    def test_quoting(self):
        assert quote_option('a"b\\c\nd') == '"a\\"b\\\\c\\nd"'
        assert option_text({"user": "x", "skip-ssl": None}) == '[client]\nuser="x"\nskip-ssl\n'

    def test_certificates_of_the_system(self, monkeypatch):
        class Paths:
            cafile = None
            capath = "/etc/certs"

        monkeypatch.setattr(_clients.ssl, "get_default_verify_paths", Paths)
        with credentials(self.login(tls="verify_ca"), "mysql", True) as given:
            with open(given.argument.partition("=")[2], encoding="utf-8") as stream:
                assert 'ssl-capath="/etc/certs"\nssl-mode="VERIFY_CA"\n' in stream.read()
        Paths.capath = None
        with pytest.raises(InputError, match="no certificates"), credentials(self.login(tls="verify_identity"), "mysql", True):
            pass


@pytest.mark.parametrize(
    ("mode", "in_use", "mysql", "mariadb"),
    [
        ("disabled", False, {"ssl-mode": "DISABLED", "loose-get-server-public-key": None}, {"skip-ssl": None}),
        ("preferred", False, {"ssl-mode": "DISABLED", "loose-get-server-public-key": None}, {"skip-ssl": None}),
        ("preferred", True, {"ssl-mode": "REQUIRED"}, {"ssl": None, "skip-ssl-verify-server-cert": None}),
        ("required", True, {"ssl-mode": "REQUIRED"}, {"ssl": None, "skip-ssl-verify-server-cert": None}),
        ("verify_ca", True, {"ssl-ca": "/c", "ssl-mode": "VERIFY_CA"}, {"ssl-ca": "/c", "ssl": None, "skip-ssl-verify-server-cert": None}),
        ("verify_identity", True, {"ssl-ca": "/c", "ssl-mode": "VERIFY_IDENTITY"}, {"ssl-ca": "/c", "ssl": None, "ssl-verify-server-cert": None}),
    ],
)
def test_tls(mode, in_use, mysql, mariadb):
    assert tls_options(mode, "mysql", in_use, {"ssl-ca": "/c"}) == mysql
    assert tls_options(mode, "mariadb", in_use, {"ssl-ca": "/c"}) == mariadb


class TestArguments:
    def test_coordinates_are_asked_for_in_the_client_s_own_words(self):
        assert "--source-data=2" in dump_arguments(MYSQL_80, ["s"], gtid=False)
        assert "--master-data=2" in dump_arguments(MYSQL_57, ["s"], gtid=False)
        assert "--master-data=2" in dump_arguments(MARIADB, ["s"], gtid=False)

    def test_what_only_one_flavour_knows(self):
        assert "--column-statistics=0" in dump_arguments(MYSQL_80, ["s"], gtid=False)
        assert "--column-statistics=0" not in dump_arguments(MYSQL_57, ["s"], gtid=False)
        assert not [word for word in dump_arguments(MARIADB, ["s"], gtid=True) if "gtid" in word or "column" in word]

    def test_gtids(self):
        assert "--set-gtid-purged=COMMENTED" in dump_arguments(MYSQL_80, ["s"], gtid=True)
        assert "--set-gtid-purged=OFF" in dump_arguments(MYSQL_80, ["s"], gtid=False)

    def test_schemas_cannot_be_taken_for_options(self):
        assert dump_arguments(MYSQL_80, ["-p", "--all-databases"], gtid=False)[-4:] == ["--databases", "--", "-p", "--all-databases"]

    def test_a_dump_cannot_reach_a_shell(self):
        assert "--binary-mode" in load_arguments()


@pytest.mark.parametrize(
    ("stderr", "code", "text"),
    [
        ("ERROR 1227 (42000) at line 12: Access denied; you need SUPER\n", 1227, "Access denied; you need SUPER"),
        ("ERROR 1062 (23000) at line 12: Duplicate entry 'secret' for key 'x'\n", 1062, "error 1062"),
        ("ERROR 1064 (42000) at line 1: near 'IDENTIFIED BY secret'\n", 1064, "error 1064"),
        ("mysql: [Warning] x\nERROR 2013 (HY000): Lost connection\n", 2013, "Lost connection"),
        ("mysqldump: Got error: 1045: Access denied for user 'x' when trying to connect\n", 1045, "Access denied for user 'x' when trying to connect"),
        ("mariadb-dump: Got error: 1049: \"Unknown database 'x'\" when selecting the database", 1049, "\"Unknown database 'x'\" when selecting the database"),
        ("mysqldump: Error 2013: Lost connection when dumping table `t` at row: 5\n", 2013, "Lost connection when dumping table `t` at row: 5"),
        ("mysqldump: Couldn't execute 'FLUSH TABLES': Access denied (1227)\n", 1227, "Couldn't execute 'FLUSH TABLES': Access denied (1227)"),
        ("Warning: A partial dump\n", None, "it said nothing"),
        ("Error: Server has GTIDs disabled.\n", None, "Error: Server has GTIDs disabled."),
        ("", None, "it said nothing"),
    ],
)
def test_complaints(stderr, code, text):
    assert complaint(stderr) == (code, text)


def test_complaints_are_short():
    assert len(complaint("ERROR 1000 (HY000): " + "x" * 5000)[1]) == 500


def test_a_process_ends_with_its_block():
    began = time.monotonic()
    with pytest.raises(KeyError), Process([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE) as process:
        raise KeyError
    assert process.returncode == -9
    assert time.monotonic() - began < 5


def test_a_script_around_a_client_ends_with_what_it_started(tmp_path):
    note = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {note}.new; mv {note}.new {note}; wait"
    with Process(["sh", "-c", script], stdin=subprocess.DEVNULL):
        end = time.monotonic() + 10
        while not note.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
    inner = int(note.read_text())
    while os.path.exists(f"/proc/{inner}"):
        with open(f"/proc/{inner}/stat", encoding="ascii") as stream:
            if stream.read().rpartition(")")[2].split()[0] == "Z":
                break
        assert time.monotonic() < end
