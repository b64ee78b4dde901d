# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""The lab: real servers, started, listed and removed by one command each.

  up NAME --server mysql-8.0.33 [--service mysql_flexible_server] [--set variable=value] [--json]
  list · show NAME · client NAME … · log NAME · start, stop, restart, kill NAME
  reset NAME            back to what it was right after up, by SQL
  gtid-reset NAME SET   what the control plane of a Flexible Server does
  down NAME … | --all · fetch SERVER …
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

import catalogue
import certificates
import dress
import fetch
import keyring
import process
import service
from layout import LabError, check_name, load, names, save, say, server_dir, servers_dir, states, write_private

# What scripts may rely on; the rest of a state is the lab's own.
SHOWN = ("name", "server", "flavour", "version", "service", "with", "backend", "host", "port", "network_host", "network_port", "admin_user",
         "admin_password", "ca", "wrong_ca", "socket", "container", "client", "admin_client", "bin_dir", "option_file", "error_log",
         "general_log", "settings", "tls", "client_tls", "keyring", "pid", "running", "network", "containers_conf", "ssh")


def backend_of(state):
    if state["backend"] == "process":
        return process
    import container
    return container


def shown(state):
    backend = backend_of(state)
    return {key: backend.alive(state) if key == "running" else state.get(key) for key in SHOWN}


def sql(state, text, force=False):
    """SQL as root through the server's own client; what it prints, as lines of fields."""
    command = backend_of(state).client(state, ["-N", "-B"] + ["--force"] * force)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode and not force:
        raise LabError("%s: %s" % (state["name"], done.stderr.strip()))
    return [line.split("\t") for line in done.stdout.splitlines()]


# ---------------------------------------------------------------- commands


def up(args):
    check_name(args.name)
    entry = catalogue.SERVERS.get(args.server)
    if entry is None:
        raise LabError("no server %r in the table; there are: %s" % (args.server, ", ".join(sorted(catalogue.SERVERS))))
    if not entry["flavour"]:
        args.backend = "container"
    service.check(args.server, args.service, args.switches)
    if args.keyring:
        keyring.check(args.server)
    state = {"name": args.name, "server": args.server, "flavour": entry["flavour"], "version": entry["version"],
             "service": args.service, "with": args.switches, "backend": args.backend, "settings": args.set, "tls": not args.without_tls,
             "client_tls": not args.without_tls and entry.get("client_tls", True), "network_host": None, "network_port": None,
             "admin_user": "azadmin" if args.service else "dba", "admin_password": dress.password(), "pid": None,
             "ca": str(certificates.ca()), "wrong_ca": str(certificates.wrong_ca()), "keyring": args.keyring, "ssh": args.ssh or not entry["flavour"]}
    if state["ssh"] and state["backend"] != "container":
        raise LabError("ssh is for containers: --backend container")
    servers_dir()
    try:
        server_dir(args.name).mkdir(mode=0o700)
    except FileExistsError:
        if args.name in names():
            raise LabError("there is already a server called %s" % args.name) from None
        shutil.rmtree(server_dir(args.name))
        server_dir(args.name).mkdir(mode=0o700)
    backend = backend_of(state)
    try:
        tree = fetch.server_tree(args.server) if entry["flavour"] else None
        state["daemon"] = str(tree / fetch.DAEMON) if tree else None
        _create_and_start(backend, state, entry, tree, args)
        if tree:
            _first_words(backend, state)
            _let_in(state)
        save(state)
    except BaseException:
        if not args.keep:
            backend.remove(state)
        raise
    if args.json:
        print(json.dumps(shown(state), indent=1))
    else:
        _line(state)
    return 0


def _create_and_start(backend, state, entry, tree, args):
    for attempt in (1, 2, 3):
        backend.create(state, entry, tree, args.set, args.without_tls)
        save(state)
        try:
            backend.start(state)
            return
        except LabError as error:
            # Somebody else took the port in between: once more, with another one.
            if "in use" not in str(error) or attempt == 3:
                raise
            backend.remove(state)
            server_dir(state["name"]).mkdir(mode=0o700)


def _first_words(backend, state):
    secret, words = dress.password(), dress.grammar(catalogue.SERVERS[state["server"]])
    text = dress.dressing(state) + words["set_password"] % {"account": "'root'@'localhost'", "password": dress.literal(secret)}
    rows = sql(state, text + "\nSELECT 'log_bin', @@GLOBAL.log_bin, VERSION();\n")
    state["version"] = rows[-1][2].partition("-")[0]
    backend.write_client_files(state, secret)
    logging = rows[-1][1] == "1"
    rows = sql(state, (words["empty_log"] if logging else "") + "%s; SELECT '%s'; SHOW GLOBAL VARIABLES;\n" % (SYSTEM_TABLES, MARK))
    at = rows.index([MARK])
    original = {"tables": [row[0] for row in rows[:at]], "variables": dict(row[:2] for row in rows[at + 1:] if len(row) > 1),
                "option_file": pathlib.Path(state["option_file_here"]).read_text()}
    write_private(server_dir(state["name"]) / "original.json", json.dumps(original))
    save(state)


def _let_in(state):
    """The administrator gets in by the port. That the socket answers does not tell whether what is sent to the port arrives here."""
    done = subprocess.run([*state["admin_client"], "-e", "DO 0"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError("%s does not let its administrator in: %s" % (state["name"], done.stderr.strip()))


def _line(state):
    running = "up" if backend_of(state).alive(state) else "down"
    role = state["service"] or ("source" if state["flavour"] else "-")
    port = state.get("port") or state["ssh"]["port"]
    print("%-20s %-14s %-22s %-9s %s:%s  %s" % (state["name"], state["server"], role, state["backend"], state["host"], port, running))


def list_(args):
    if args.json:
        print(json.dumps([shown(state) for state in states()], indent=1))
    else:
        for state in states():
            _line(state)
    return 0


def show(args):
    print(json.dumps(shown(load(args.name)), indent=1))
    return 0


def down(args):
    containers = False
    wanted = names() if args.all else args.names
    if not wanted and not args.all:
        raise LabError("which server? a name, or --all")
    for name in wanted:
        check_name(name)
        if name not in names():
            shutil.rmtree(server_dir(name), ignore_errors=True)
            continue
        state = load(name)
        backend_of(state).remove(state)
        containers |= state["backend"] == "container"
    if args.all and containers:
        import container
        container.remove_network()
    if args.all:
        shutil.rmtree(servers_dir(), ignore_errors=True)
    return 0


def _acting(verb):
    def act(args):
        for name in args.names:
            state = load(name)
            backend = backend_of(state)
            getattr(backend, verb)(state)
            save(state)
        return 0
    return act


def client(args):
    state = load(args.name)
    command = backend_of(state).client(state, args.words)
    os.execvp(command[0], command)


def log(args):
    print(load(args.name)["error_log"])
    return 0


MARK = "-- next --"
SYSTEM_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'mysql'"


def reset(args):
    for name in args.names:
        state = load(name)
        original = json.loads((server_dir(name) / "original.json").read_text())
        (server_dir(name) / "control-plane.json").unlink(missing_ok=True)
        option_file = pathlib.Path(state["option_file_here"])
        if option_file.read_text() != original["option_file"]:
            option_file.write_text(original["option_file"])
            backend_of(state).restart(state)
            save(state)
        questions = ["SHOW DATABASES", "SELECT user, host FROM mysql.user",
                     "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user <> 'system user' "
                     "AND user <> 'event_scheduler'", "SELECT 'log_bin', @@GLOBAL.log_bin", SYSTEM_TABLES, "SHOW GLOBAL VARIABLES"]
        rows = sql(state, "".join("%s; SELECT '%s';\n" % (question, MARK) for question in questions))
        parts = [[]]
        for row in rows:
            if row == [MARK]:
                parts.append([])
            else:
                parts[-1].append(row)
        databases, accounts, connections, logging, tables, variables = parts[:6]
        sql(state, "".join("KILL %s;\n" % row[0] for row in connections), force=True)
        text = dress.clearing(state, [row[0] for row in databases], accounts, [row[0] for row in tables if row[0] not in original["tables"]],
                              logging[0][1] == "1")
        text += "\n".join(dress.restoring(original["variables"], dict(row[:2] for row in variables if len(row) > 1))) + "\n"
        sql(state, text + dress.dressing(state))
    return 0


def gtid_reset(args):
    state = load(args.name)
    if state["flavour"] != "mysql":
        raise LabError("%s is a MariaDB server: its GTID position is set when it is linked" % args.name)
    words = dress.grammar(catalogue.SERVERS[state["server"]])
    sql(state, "%s\nSET GLOBAL gtid_purged=%s;\n" % (words["empty_log"], dress.literal(args.set)))
    return 0


def fetch_(args):
    for server in args.servers:
        fetch.server_tree(server)
    return 0


def parser():
    result = argparse.ArgumentParser(prog="python3 tests/lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = result.add_subparsers(dest="command", required=True, metavar="command")

    def add(name, run, text, *, many=False, one=False):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        if many:
            command.add_argument("names", nargs="+", metavar="NAME")
        if one:
            command.add_argument("name", metavar="NAME")
        return command

    command = add("up", up, "start a fresh server", one=True)
    command.add_argument("--server", required=True, help="one of: %s" % ", ".join(sorted(catalogue.SERVERS)))
    command.add_argument("--service", choices=sorted(catalogue.SERVICES), help="dress it as a managed server; without: a plain source")
    command.add_argument("--with", action="append", default=[], dest="switches", choices=sorted(catalogue.SWITCHES), metavar="SWITCH",
                         help="what is different about this managed server: %(choices)s")
    command.add_argument("--backend", choices=("process", "container"), default="process")
    command.add_argument("--set", action="append", default=[], metavar="VARIABLE=VALUE", help="an option of the server, also skip-log-bin")
    command.add_argument("--without-tls", action="store_true", help="a server that offers no TLS")
    command.add_argument("--keyring", action="store_true", help="a server that can encrypt its files")
    command.add_argument("--ssh", action="store_true", help="with an ssh server (containers only)")
    command.add_argument("--keep", action="store_true", help="leave what is there when it does not come up")
    command.add_argument("--json", action="store_true")
    add("list", list_, "all servers of this lab").add_argument("--json", action="store_true")
    add("show", show, "one server, as JSON", one=True).add_argument("--json", action="store_true", help="always so")
    command = add("down", down, "remove servers and their data")
    command.add_argument("names", nargs="*", metavar="NAME")
    command.add_argument("--all", action="store_true")
    for verb, text in (("start", "start a stopped server"), ("stop", "shut it down"), ("restart", "stop and start, with its option file as it is now"),
                       ("kill", "kill -9")):
        add(verb, _acting(verb), text, many=True)
    add("reset", reset, "back to the state right after up", many=True)
    add("gtid-reset", gtid_reset, "empty the binary log and set gtid_purged", one=True).add_argument("set", metavar="SET")
    add("client", client, "the server's own client as root", one=True).add_argument("words", nargs=argparse.REMAINDER)
    add("log", log, "where its error log is", one=True)
    add("fetch", fetch_, "only fetch a server into the cache").add_argument("servers", nargs="+", metavar="SERVER")
    return result


def main():
    args = parser().parse_args()
    try:
        return args.run(args)
    except (LabError, OSError, subprocess.SubprocessError) as error:
        if os.environ.get("DATAIN_LAB_DEBUG"):
            raise
        say(error)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
