# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""Servers as ordinary processes of whoever calls: no root, no container engine, ready in two seconds."""

from __future__ import annotations

import errno
import hashlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

import catalogue
import certificates
import dress
import fetch
import keyring
from layout import LabError, cache_dir, lab_id, lock, private, save, server_dir, socket_path, wait_for, write_private

START_SECONDS = 90
STOP_SECONDS = 60
PORTS = (21000, 29999)  # below what the kernel hands out by itself


def _environment(tree):
    return dict(os.environ, LC_ALL="C.UTF-8", HOME=str(tree))


def _as_root():
    return {"user": "root"} if os.getuid() == 0 else {}


def basics(entry, tree):
    base = tree / entry["basedir"]
    share = base / entry["share"]
    return {"basedir": str(base), "lc_messages_dir": str(share), "character_sets_dir": str(share / "charsets"), "plugin_dir": str(base / entry["plugins"])}


def template(entry, tree, settings):
    """An initialised data folder, made once for all servers that differ in nothing that it fixes, and copied for each."""
    given = (setting.partition("=") for setting in settings)
    small = dict(catalogue.OPTIONS["initialise"], **{name: value for name, _equals, value in given if name in catalogue.FIXED})
    values = dict(basics(entry, tree), **small)
    key = hashlib.sha256(repr([tree.name, sorted(small.items())]).encode()).hexdigest()[:8]
    template = cache_dir() / "templates" / ("%s-%s" % (tree.name, key))
    if template.exists():
        return template
    with lock(cache_dir() / "template.lock"):
        if template.exists():
            return template
        fresh = template.with_name(template.name + ".part")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        scratch = fresh / "scratch"
        scratch.mkdir()
        values.update({"datadir": str(fresh / "data"), "tmpdir": str(scratch), "secure_file_priv": str(scratch)}, **_as_root())
        (fresh / "my.cnf").write_text(dress.option_file(values))
        words, text = (["--initialize-insecure"], None) if entry["initialise"] == "initialize" else _bootstrap(entry, tree, fresh / "data")
        done = subprocess.run([str(tree / fetch.DAEMON), "--defaults-file=%s" % (fresh / "my.cnf"), *words], input=text,
                              env=_environment(tree), cwd=fresh, capture_output=True, text=True, errors="surrogateescape", check=False)
        if done.returncode:
            raise LabError("%s cannot initialise a data folder: %s" % (entry["daemon"], (done.stderr + done.stdout)[-2000:]))
        (fresh / "data" / "auto.cnf").unlink(missing_ok=True)
        (fresh / "data").rename(template)
        shutil.rmtree(fresh)
    return template


def _bootstrap(entry, tree, data):
    """What mariadb-install-db and mysql_install_db do, without their guesses about where things are."""
    (data / "mysql").mkdir(parents=True)
    share = tree / entry["basedir"] / entry["share"]
    texts = ["CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
             "SET @skip_auth_anonymous=1;\n"]
    for name in ("m*_system_tables.sql", "m*_performance_tables.sql", "m*_system_tables_data.sql",
                 "fill_help_tables.sql", "maria_add_gis_sp_bootstrap.sql", "m*_sys_schema.sql"):
        texts += [found.read_text(errors="surrogateescape") for found in share.glob(name)]
    accounts = "global_priv" if "global_priv" in "".join(texts) else "user"
    texts.append("DELETE FROM %s WHERE User = '' OR User = 'root' AND Host <> 'localhost';\n" % accounts)
    return ["--bootstrap", "--max_allowed_packet=8M", "--net_buffer_length=16K"], "\n".join(texts)


def free_port():
    """A port that nobody listens on and that is passed on to nobody: of a container that is gone a rule may stay, which no bind sees."""
    for _attempt in range(200):
        address = ("127.0.0.1", random.randint(*PORTS))
        with socket.socket() as taken, socket.socket() as answered:
            answered.settimeout(1)
            try:
                taken.bind(address)
            except OSError:
                continue
            if answered.connect_ex(address) == errno.ECONNREFUSED:
                return address[1]
    raise LabError("no free port between %d and %d" % PORTS)


def clients(entry, home, tree):
    """Where the programs are that speak to a server, and their first words: root by the socket, the administrator by TCP."""
    folder = (fetch.server_tree(entry["clients_of"]) if "clients_of" in entry else tree) / "client"
    return {"bin_dir": str(folder), "client": [str(folder / entry["flavour"]), "--defaults-file=%s" % (home / "root.cnf")],
            "admin_client": [str(folder / entry["flavour"]), "--defaults-file=%s" % (home / "admin.cnf")]}


def create(state, entry, tree, settings, without_tls):
    """Everything on disk for a new server; nothing runs yet."""
    name = state["name"]
    home = server_dir(name)
    for folder in ("tls", "tmp", "files"):
        private(home / folder)
    fresh = template(entry, tree, settings)
    subprocess.run(["cp", "-a", "--reflink=auto", str(fresh), str(home / "data")], check=True)
    if state["keyring"]:
        keyring.give(entry, tree, home / "data", home / "data")
    (home / "error.log").touch(mode=0o600)
    if not without_tls:
        certificates.server(name, home / "tls")
    state.update({
        "host": "127.0.0.1", "port": free_port(), "container": None, "tree": str(tree), "socket": str(socket_path(name)),
        "option_file": str(home / "my.cnf"), "option_file_here": str(home / "my.cnf"), "error_log": str(home / "error.log"),
        "general_log": str(home / "general.log"), "files_dir": str(home / "files"),
    }, **clients(entry, home, tree))
    places = dict(basics(entry, tree), **{
        "datadir": str(home / "data"), "tmpdir": str(home / "tmp"), "socket": state["socket"], "port": str(state["port"]),
        "bind_address": "127.0.0.1", "pid_file": str(home / "mysqld.pid"), "log_error": state["error_log"],
        "general_log_file": state["general_log"], "slow_query_log_file": str(home / "slow.log"), "secure_file_priv": state["files_dir"],
        "server_id": str(dress.server_id(name, lab_id())), "ssl_ca": str(home / "tls/ca.pem"),
        "ssl_cert": str(home / "tls/server-cert.pem"), "ssl_key": str(home / "tls/server-key.pem"),
    }, **_as_root())
    values = dress.options(state, entry, settings, places, without_tls)
    write_private(home / "my.cnf", dress.option_file(values))
    write_client_files(state, "")


def write_client_files(state, root_password):
    home = server_dir(state["name"])
    mysql = state["flavour"] == "mysql"
    common = {"default-character-set": "utf8mb4"}
    # This client knows DELIMITER and \\G only if it is told to; older ones do not know the option.
    newer = catalogue.SERVERS[state["server"]]["grammar"] == "mysql-8.4"
    commands = dress.option_file({"commands": "ON"}, ("mysql",)) if newer else ""
    if not state["client_tls"]:
        common.update({"ssl-mode": "DISABLED"} if mysql else {"skip-ssl": None})
    write_private(home / "root.cnf", dress.option_file(
        dict(common, user="root", password=root_password, socket=state["socket"]), ("client",)) + commands)
    admin = dict(common, user=state["admin_user"], password=state["admin_password"], host=state["host"], port=state["port"], protocol="tcp")
    if state["client_tls"]:
        admin.update({"ssl-ca": state["ca"]}, **({"ssl-mode": "VERIFY_CA"} if mysql else {"ssl-verify-server-cert": None}))
    elif mysql:
        admin["get-server-public-key"] = None
    write_private(home / "admin.cnf", dress.option_file(admin, ("client",)) + commands)


def alive(state):
    pid = state.get("pid")
    if not pid:
        return False
    try:
        command = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes()
        status = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state["option_file"].encode() in command and status not in "ZX"


def greets(path, seconds=5):
    """A server that is ready says hello (a packet that does not begin with 0xff)."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(seconds)
        try:
            probe.connect(path)
            packet = probe.recv(5)
        except OSError:
            return False
    return len(packet) == 5 and packet[4] != 0xff


def start(state):
    if alive(state):
        return
    tree = pathlib.Path(state["tree"])
    home = server_dir(state["name"])
    log = pathlib.Path(state["error_log"])
    # A killed server that its parent has not buried yet would still seem to hold the socket.
    for stale in (state["socket"], state["socket"] + ".lock"):
        pathlib.Path(stale).unlink(missing_ok=True)
    before = log.stat().st_size if log.exists() else 0
    with open(log, "ab") as output:
        daemon = subprocess.Popen([state["daemon"], "--defaults-file=%s" % state["option_file"]], cwd=home, env=_environment(tree),
                                  stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    state["pid"] = daemon.pid
    save(state)
    ready = wait_for(lambda: daemon.poll() is not None or greets(state["socket"]), START_SECONDS)
    if daemon.poll() is not None or not ready:
        with open(log, "rb") as handle:
            handle.seek(before)
            said = handle.read().decode(errors="replace")
        wrong = [line for line in said.splitlines() if "[ERROR]" in line] or said.splitlines()[-3:]
        if not ready:
            kill(state)
        raise LabError("%s does not start: %s (%s)" % (state["name"], " | ".join(wrong), log))


def stop(state):
    if alive(state):
        os.kill(state["pid"], signal.SIGTERM)
        if not wait_for(lambda: not alive(state), STOP_SECONDS):
            raise LabError("%s did not stop within %d s" % (state["name"], STOP_SECONDS))


def restart(state):
    stop(state)
    start(state)


def kill(state):
    if alive(state):
        os.kill(state["pid"], signal.SIGKILL)
        wait_for(lambda: not alive(state), 10)


def remove(state):
    kill(state)
    for leftover in ("", ".lock"):
        pathlib.Path(str(socket_path(state["name"])) + leftover).unlink(missing_ok=True)
    # A last write may still be on its way into the folder.
    for _attempt in range(5):
        shutil.rmtree(server_dir(state["name"]), ignore_errors=True)
        if not server_dir(state["name"]).exists():
            return
        time.sleep(0.1)
    shutil.rmtree(server_dir(state["name"]))


def client(state, words):
    return [*state["client"], *words]
