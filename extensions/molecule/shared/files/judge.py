#!/usr/bin/env python
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the servers of the scenario say about themselves, asked through their own clients: nothing of the collection is used here.

  judge.py state SIDE [SIDE]    everything that a run could have changed, as JSON
  judge.py link                 the replica's channel, as JSON; null where there is none
  judge.py equal                wait until the replica has applied what the source has logged, then compare every row
  judge.py arrives              a row written to the source is on the replica shortly after
  judge.py stays-away           a row written to the source is not on the replica after a while
  judge.py writer               stop the writer, and tell how many of its transactions fell into the seed
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "inventory"))
import lab

SYSTEM = "('mysql', 'information_schema', 'performance_schema', 'sys', 'datain_state')"
# These move by themselves, with the binary log.
MOVING = re.compile(r"^(gtid_(executed|purged|owned|binlog_.*|current_pos|slave_pos)|timestamp|innodb_.*_debug)$", re.IGNORECASE)
PATIENCE = 60
DEFINITIONS = {
    "columns": "SELECT table_schema, table_name, column_name, column_type, collation_name, column_key, extra FROM information_schema.columns",
    "keys": "SELECT table_schema, table_name, index_name, column_name, seq_in_index FROM information_schema.statistics",
    "views": "SELECT table_schema, table_name FROM information_schema.views",
    "triggers": "SELECT trigger_schema AS table_schema, trigger_name, action_statement FROM information_schema.triggers",
    "routines": "SELECT routine_schema AS table_schema, routine_name, routine_definition FROM information_schema.routines",
    "events": "SELECT event_schema AS table_schema, event_name, event_definition FROM information_schema.events",
}


def client(server, text, *words):
    done = subprocess.run([*server["client"], *words], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{server['name']}: {done.stderr.strip()}")
    return done.stdout


def rows(server, text):
    return [line.split("\t") for line in client(server, text, "-N", "-B").splitlines()]


def link(server):
    """The words of SHOW SLAVE STATUS are the same on both flavours, and on all their versions."""
    return dict(re.findall(r"^ *(\w+): ?(.*)$", client(server, "SHOW SLAVE STATUS\\G"), re.MULTILINE)) or None


def tables(server):
    return [".".join(f"`{part}`" for part in row) for row in rows(
        server, f"SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN {SYSTEM} ORDER BY 1, 2"
    )]  # fmt: skip


def checksums(server):
    names = tables(server)
    return dict(row[:2] for row in rows(server, f"CHECKSUM TABLE {', '.join(names)} EXTENDED")) if names else {}


def state(server):
    channel = link(server) or {}
    return {
        "schemas": [row[0] for row in rows(server, "SELECT schema_name FROM information_schema.schemata ORDER BY 1")],
        "accounts": rows(server, "SELECT user, host, plugin, authentication_string, ssl_type, Repl_slave_priv, Super_priv FROM mysql.user ORDER BY 1, 2"),
        "variables": {row[0]: row[1] for row in rows(server, "SHOW GLOBAL VARIABLES") if len(row) > 1 and not MOVING.match(row[0])},
        "rows": checksums(server),
        "log": rows(server, "SHOW MASTER STATUS"),
        "link": {key: channel.get(key) for key in ("Master_Host", "Master_User", "Slave_IO_Running", "Slave_SQL_Running", "Exec_Master_Log_Pos")},
    }


def wait(check, what):
    deadline = time.monotonic() + PATIENCE
    while not check():
        if time.monotonic() > deadline:
            sys.exit(f"{what} within {PATIENCE} s")
        time.sleep(0.2)


def caught_up(source, replica):
    [[file, position, *_rest]] = rows(source, "SHOW MASTER STATUS")

    def check():
        channel = link(replica) or {}
        return (channel.get("Relay_Master_Log_File"), channel.get("Exec_Master_Log_Pos")) == (file, position)

    wait(check, f"the replica has not applied {file}:{position}; its channel says {json.dumps(link(replica))}; not")
    return f"{file}:{position}"


def definitions(server, kind):
    return sorted(rows(server, f"SELECT * FROM ({DEFINITIONS[kind]}) AS one WHERE table_schema NOT IN {SYSTEM}"))


def equal(source, replica):
    position = caught_up(source, replica)
    ours, theirs = checksums(source), checksums(replica)
    different = [name for name in sorted(set(ours) | set(theirs)) if ours.get(name) != theirs.get(name)]
    different += [kind for kind in DEFINITIONS if definitions(source, kind) != definitions(replica, kind)]
    if different or not ours or None in ours.values():
        sys.exit(f"at {position} these differ: {', '.join(different)}")
    # The writer's invariant: no copy holds half of a transaction.
    [[total]] = rows(replica, "SELECT SUM(balance) FROM shop.account")
    if total != "0":
        sys.exit(f"at {position} the sum of all accounts is {total}")
    return {"position": position, "tables": len(ours), "transfers": int(rows(replica, "SELECT COUNT(*) FROM shop.transfer")[0][0])}


def marked(source, replica):
    word = f"mark {time.time_ns()}"
    client(source, f"INSERT INTO shop.audit (what) VALUES ('{word}')")
    return word, lambda: rows(replica, f"SELECT COUNT(*) FROM shop.audit WHERE what = '{word}'") == [["1"]]


def arrives(source, replica):
    word, check = marked(source, replica)
    wait(check, f"the row {word!r} did not arrive")


def stays_away(source, replica):
    word, check = marked(source, replica)
    time.sleep(1.5)
    if check():
        sys.exit(f"the row {word!r} arrived, though the link is not to run")


def writer(source, replica):
    scratch = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / os.environ["MOLECULE_SCENARIO_NAME"]
    (scratch / "stop").touch()
    wait((scratch / "done").exists, "the writer did not end")
    written = (scratch / "done").read_text()
    if not written.isdigit():
        sys.exit(f"the writer failed: {written}; {(scratch / 'writer.log').read_text()}")
    [[document]] = rows(replica, "SELECT document FROM datain_state.record WHERE kind = 'seed'")
    seed = json.loads(document)
    began, ended = (seed[key].replace("T", " ").replace("Z", "").partition("+")[0] for key in ("began", "ended"))
    # Whole seconds, so the last one counts to its end.
    during = f"SET time_zone = '+00:00'; SELECT COUNT(*) FROM shop.transfer WHERE at BETWEEN '{began}' AND '{ended}' + INTERVAL 1 SECOND"
    return {"written": int(written), "during_the_seed": int(rows(source, during)[0][0])}


ACTS = {"equal": equal, "arrives": arrives, "stays-away": stays_away, "writer": writer}


def main(act, *sides):
    servers = lab.started()
    if act == "state":
        result = {side: state(servers[side]) for side in sides}
    elif act == "link":
        result = link(servers["replica"])
    else:
        result = ACTS[act](servers["source"], servers["replica"])
    print(json.dumps(result, indent=1, sort_keys=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
