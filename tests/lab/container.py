# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""Servers in containers of podman, without a registry: one small image per Debian suite, the server mounted into it.

The server is not process 1, so that a restart through `service` works; its option file is /etc/mysql/my.cnf.
Name lookup: every container answers to its server's name on the lab's network.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import time

import catalogue
import certificates
import dress
import fetch
import keyring
import process
from layout import LabError, cache_dir, lab_id, lock, private, save, say, server_dir, socket_path, state_dir, wait_for, write_private

UID = 990
HERE = pathlib.Path(__file__).parent / "image"
write_client_files = process.write_client_files
client = process.client


# ---------------------------------------------------------------- podman


def _configuration():
    """A containers.conf of the lab's own: some hosts need it (toolchain facts), none is changed by it."""
    files = subprocess.run(["sh", "-c", "ulimit -Hn"], capture_output=True, text=True, check=True).stdout.strip()
    files = files if files.isdigit() else "1048576"
    path = state_dir() / "containers.conf"
    text = ('[containers]\ndefault_ulimits = ["nofile=%s:%s", "nproc=32768:32768"]\n\n[engine]\nruntime = "runc"\n\n'
            '[network]\nnetwork_backend = "netavark"\n' % (files, files))
    if not path.exists() or path.read_text() != text:
        write_private(path, text)
    return path


def _podman(*words, check=True, text=True, **more):
    if not shutil.which("podman"):
        raise LabError("podman is missing; what the container backend needs stands in tests/lab/packages.txt")
    done = subprocess.run(["podman", *map(str, words)], env=dict(os.environ, CONTAINERS_CONF=str(_configuration())),
                          capture_output=True, text=text, check=False, **more)
    if check and done.returncode:
        raise LabError("podman %s: %s" % (words[0], done.stderr.strip()))
    return done


def network():
    name = "datain-lab-%s" % lab_id()
    with lock(state_dir() / "network.lock"):
        if _podman("network", "exists", name, check=False).returncode:
            _podman("network", "create", "--label", "datain-lab=%s" % lab_id(), name)
    return name


def remove_network():
    if shutil.which("podman"):
        _podman("network", "rm", "datain-lab-%s" % lab_id(), check=False)


# ---------------------------------------------------------------- the image


def image(kind):
    """The image's name, built when its definition has none yet."""
    table = catalogue.IMAGES[kind]
    definition = [repr(sorted(table.items())), str(UID)] + [path.read_text() for path in sorted(HERE.iterdir())]
    name = "localhost/datain-lab-%s:%s" % (kind, hashlib.sha256("\0".join(definition).encode()).hexdigest()[:12])
    with lock(cache_dir() / "image.lock"):
        if _podman("image", "exists", name, check=False).returncode:
            _build(name, table)
    return name


def _build(name, table):
    start = time.monotonic()
    say("building the image %s" % name)
    hooks = [
        'chroot "$1" groupadd -g {uid} mysql', 'chroot "$1" useradd -u {uid} -g mysql -d /var/lib/mysql -s /usr/sbin/nologin mysql',
        'mkdir -p "$1"/opt/server "$1"/etc/mysql "$1"/etc/datain-lab "$1"/var/log/mysql "$1"/run/sshd',
        'cp {here}/lab-init "$1"/sbin/', 'cp {here}/lab-server "$1"/etc/init.d/mysql', 'cp {here}/lab-server "$1"/etc/init.d/mariadb',
        'ln -s /opt/server/client/* "$1"/usr/local/bin/ 2>/dev/null || true',
        'rm -f "$1"/etc/ssh/ssh_host_*; mkdir -p -m 700 "$1"/root/.ssh',
    ]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(table["packages"]),
               "--aptopt=Acquire::Languages \"none\"", "--aptopt=Acquire::Check-Valid-Until \"false\""]
    command += ["--dpkgopt=path-exclude=/usr/share/%s/*" % folder for folder in ("man", "doc", "locale", "info")]
    command += ["--customize-hook=" + hook.replace("{uid}", str(UID)).replace("{here}", str(HERE)) for hook in hooks]
    tar = cache_dir() / ("image-%d.tar" % os.getpid())
    try:
        done = subprocess.run([*command, table["suite"], str(tar)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError("mmdebstrap: %s" % done.stderr.strip()[-1500:])
        _podman("import", "--change", "CMD [\"/sbin/lab-init\"]", tar, name)
    finally:
        tar.unlink(missing_ok=True)
    say("image ready (%.1f s)" % (time.monotonic() - start))


# ---------------------------------------------------------------- a server


def _container_name(name):
    """The server's own name, unless another lab on this machine has a container of that name."""
    taken = _podman("container", "exists", name, check=False).returncode == 0
    return "%s-%s" % (name, lab_id()) if taken else name


def _give(path):
    for found in [path, *path.rglob("*")]:
        os.chown(found, UID, UID, follow_symlinks=False)


def create(state, entry, tree, settings, without_tls):
    if os.getuid() != 0:
        raise LabError("the container backend needs root (a bridge network); the process backend does not")
    name, home = state["name"], server_dir(state["name"])
    state.update({"container": _container_name(name), "network": network(), "network_host": name, "host": "127.0.0.1",
                  "containers_conf": str(_configuration()), "image": image(entry["image"]), "tree": str(tree) if tree else None})
    lab = private(home / "lab")
    publish, mounts, services = [], ["%s:/etc/datain-lab:ro" % lab], []
    if entry["flavour"]:
        mounts += _database(state, entry, tree, settings, without_tls)
        publish += ["-p", "127.0.0.1:%d:3306" % state["port"]]
        services.append(entry["service_name"])
        (lab / "daemon").write_text("/opt/server/%s\n" % fetch.DAEMON)
    if state.get("ssh"):
        state["ssh"] = dict(_ssh(lab), port=process.free_port())
        publish += ["-p", "127.0.0.1:%d:22" % state["ssh"]["port"]]
        mounts += ["%s:/root/.ssh/authorized_keys:ro" % (lab / "authorized_keys")]
        mounts += ["%s:/etc/ssh/%s:ro" % (lab / key, key) for key in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub")]
        services.append("ssh")
    (lab / "services").write_text(" ".join(services) + "\n")
    volumes = [word for mount in mounts for word in ("-v", mount)]
    _podman("create", "--name", state["container"], "--hostname", name, "--network", "%s:alias=%s" % (state["network"], name),
            "--label", "datain-lab=%s" % lab_id(), "--label", "datain-lab-server=%s" % name, *publish, *volumes, state["image"])


def _database(state, entry, tree, settings, without_tls):
    name, home = state["name"], server_dir(state["name"])
    for folder in ("files", "etc/tls", "etc/conf.d", "log", "tmp"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    run = private(socket_path(name).parent / ("run" if socket_path(name).name == "s.sock" else name))
    subprocess.run(["cp", "-a", "--reflink=auto", str(process.template(entry, tree, settings)), str(home / "data")], check=True)
    if state["keyring"]:
        keyring.give(entry, tree, home / "data", "/var/lib/mysql")
    if not without_tls:
        certificates.server(name, home / "etc/tls")
    inside = pathlib.PurePosixPath("/opt/server")
    state.update({
        "port": process.free_port(), "network_port": 3306, "socket": str(run / "mysqld.sock"), "run_dir": str(run),
        "option_file": "/etc/mysql/my.cnf", "option_file_here": str(home / "etc/my.cnf"), "error_log": str(home / "log/error.log"),
        "general_log": str(home / "log/general.log"), "files_dir": "/var/lib/mysql-files", "service_name": entry["service_name"],
    }, **process.clients(entry, home, tree))
    places = dict(process.basics(entry, inside), **{
        "datadir": "/var/lib/mysql", "tmpdir": "/var/lib/mysql-tmp", "socket": "/run/mysqld/mysqld.sock", "port": "3306",
        "bind_address": "0.0.0.0", "pid_file": "/run/mysqld/mysqld.pid", "log_error": "/var/log/mysql/error.log",
        "general_log_file": "/var/log/mysql/general.log", "slow_query_log_file": "/var/log/mysql/slow.log",
        "secure_file_priv": "/var/lib/mysql-files", "server_id": str(dress.server_id(name, lab_id())),
        "ssl_ca": "/etc/mysql/tls/ca.pem", "ssl_cert": "/etc/mysql/tls/server-cert.pem", "ssl_key": "/etc/mysql/tls/server-key.pem"})
    text = dress.option_file(dress.options(state, entry, settings, places, without_tls))
    (home / "etc/my.cnf").write_text("# The option file of the server %s\n%s\n!includedir /etc/mysql/conf.d/\n" % (name, text))
    write_client_files(state, "")
    (home / "log/error.log").touch(mode=0o600)
    for folder in ("data", "files", "log", "tmp"):
        _give(home / folder)
    _give(run)
    if not without_tls:
        os.chown(home / "etc/tls/server-key.pem", UID, UID)
    return ["%s:/opt/server:ro" % tree, "%s:/etc/mysql" % (home / "etc"), "%s:/var/lib/mysql" % (home / "data"),
            "%s:/var/lib/mysql-files" % (home / "files"), "%s:/var/lib/mysql-tmp" % (home / "tmp"), "%s:/var/log/mysql" % (home / "log"),
            "%s:/run/mysqld" % run]


def _ssh(lab):
    """One key pair for the lab's people, one host key for this container."""
    key = private(state_dir() / "ssh") / "id_ed25519"
    with lock(state_dir() / "ssh" / "lock"):
        if not key.exists():
            _keygen(key)
    _keygen(lab / "ssh_host_ed25519_key")
    shutil.copy(str(key) + ".pub", lab / "authorized_keys")
    os.chmod(lab / "authorized_keys", 0o600)
    return {"host": "127.0.0.1", "user": "root", "key": str(key), "host_key": (lab / "ssh_host_ed25519_key.pub").read_text().strip()}


def _keygen(path):
    if not shutil.which("ssh-keygen"):
        raise LabError("ssh-keygen is missing: apt-get install openssh-client")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "datain-lab", "-f", str(path)], check=True)


def alive(state):
    if state.get("socket"):
        return process.greets(state["socket"], 1)
    return _podman("inspect", "-f", "{{.State.Running}}", state["container"], check=False).stdout.strip() == "true"


def start(state):
    _podman("start", state["container"])
    state["pid"] = int(_podman("inspect", "-f", "{{.State.Pid}}", state["container"]).stdout)
    save(state)
    if state.get("socket"):
        _ready(state)
    elif not wait_for(lambda: alive(state), 10):
        raise LabError("%s does not start: %s" % (state["name"], _podman("logs", state["container"], check=False).stderr.strip()))


def _ready(state):
    """Ready, or what its log says; a server that gave up has left a word in the container's own log."""
    def gave_up():
        logs = _podman("logs", state["container"], check=False)
        return "does not start" in logs.stderr or "does not start" in logs.stdout
    checked = [time.monotonic()]

    def check():
        if process.greets(state["socket"], 1):
            return "ready"
        if time.monotonic() - checked[0] > 1:
            checked[0] = time.monotonic()
            return gave_up() and "gave up"
        return None
    if wait_for(check, process.START_SECONDS) != "ready":
        log = pathlib.Path(state["error_log"])
        said = log.read_text(errors="replace").splitlines() if log.exists() else []
        wrong = [line for line in said[-40:] if "[ERROR]" in line] or said[-3:]
        raise LabError("%s does not start: %s (%s)" % (state["name"], " | ".join(wrong), log))


def restart(state):
    if not state.get("socket") or not alive(state):
        stop(state)
        start(state)
        return
    # As whoever administers the host would do it.
    _podman("exec", state["container"], "service", state["service_name"], "restart")
    _ready(state)


def stop(state):
    _podman("stop", "-t", process.STOP_SECONDS, state["container"])


def kill(state):
    _podman("kill", state["container"], check=False)


def remove(state):
    if state.get("container"):
        _podman("rm", "-f", "-t", "0", state["container"], check=False)
    if state.get("run_dir"):
        shutil.rmtree(state["run_dir"], ignore_errors=True)
    shutil.rmtree(server_dir(state["name"]), ignore_errors=True)
