# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source and a replica of the lab, an inventory for them, and a judge that asks the servers' own clients."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import yaml
from cuts.hook.cut_words import words

TESTS = Path(__file__).resolve().parents[1]
LAB = TESTS / "lab"
FLAVOURS = {
    "mysql": ("mysql-8.0.33", "mysql_flexible_server"),
    "mariadb": ("mariadb-10.11", "mariadb_server"),
}
PROGRAMS = {
    "mysql": {"dump": ("mysqldump",), "load": ("mysql",)},
    "mariadb": {"dump": ("mariadb-dump", "mysqldump"), "load": ("mariadb", "mysql")},
}
SYSTEM = ("mysql", "information_schema", "performance_schema", "sys", "datain_state")
PATIENCE = 30

# Small on purpose: every statement of dump and load is cut too. One table has no key, so that a row twice is seen.
DATA = """
CREATE DATABASE shop;
USE shop;
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(60), price DECIMAL(10,2), at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE journal (who INT, note VARCHAR(60));
CREATE VIEW latest AS SELECT id, what FROM orders;
INSERT INTO orders (what, price) VALUES ('it''s a book', 12.5), ('pen \\\\ "ink"', 3), ('Käse 🧀', 7.25);
INSERT INTO journal VALUES (1, 'opened'), (1, 'opened'), (2, 'closed');
"""


class Client:
    """The server's own client, kept open: to start one takes longer than most questions."""

    END = "-- that was all --"

    def __init__(self, server: Server, names: bool = False) -> None:
        self.name = server.name
        self._errors = tempfile.TemporaryFile()
        # The end is told by a question of our own, whose answer has a heading where names are shown.
        self._end = f"{self.END}\n".encode() * (2 if names else 1)
        self._process = subprocess.Popen(
            [*server.state["client"], *([] if names else ["-N"]), "-B", "--unbuffered", "--force"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=server.environment,
        )  # fmt: skip
        self._said = 0

    def ask(self, text: str) -> list[str]:
        """Return the lines of every result.

        :raises RuntimeError: the server refused, or does not answer
        """
        text = text.rstrip()
        if not text.endswith(("\\G", ";")):
            text += ";"
        self._process.stdin.write(f"{text}\nSELECT '{self.END}';\n".encode())
        self._process.stdin.flush()
        heard, end = b"", self._end
        while not (heard == end or heard.endswith(b"\n" + end)):
            if not select.select([self._process.stdout], [], [], 120)[0]:
                raise RuntimeError(f"{self.name}: its client does not answer")
            piece = os.read(self._process.stdout.fileno(), 1 << 16)
            if not piece:
                raise RuntimeError(f"{self.name}: its client has ended: {self._complaint()}")
            heard += piece
        complaint = self._complaint()
        if "ERROR" in complaint:
            raise RuntimeError(f"{self.name}: {complaint}")
        return heard[: -len(end)].decode("utf-8", "replace").splitlines()

    def _complaint(self) -> str:
        self._errors.seek(self._said)
        text = self._errors.read()
        self._said += len(text)
        return text.decode("utf-8", "replace").strip()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.close()


class Server:
    """One server of the lab."""

    def __init__(self, state: dict[str, t.Any], environment: dict[str, str]) -> None:
        self.state, self.environment = state, environment
        self.name, self.flavour, self.port = state["name"], state["flavour"], state["port"]
        self.mysql = self.flavour == "mysql"
        self._client: Client | None = None
        self._named: Client | None = None

    def run(self, text: str, *words: str, command: t.Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """SQL by the server's own client in a session of its own, as root unless a command is given."""
        return subprocess.run(
            [*(command or self.state["client"]), "-B", *words], input=text, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def sql(self, text: str) -> list[list[str]]:
        """SQL by the server's own client as root, in a session that stays."""
        if self._client is None:
            self._client = Client(self)
        return [line.split("\t") for line in self._client.ask(text)]

    def hang_up(self) -> None:
        for client in (self._client, self._named):
            if client:
                client.close()
        self._client = self._named = None

    def value(self, text: str) -> str | None:
        rows = self.sql(text)
        return rows[0][0] if rows else None

    def login_works(self, user: str, password: str) -> bool:
        """Whether an account can log in over TLS; the password is on nobody's command line."""
        quoted = password.replace("\\", "\\\\").replace('"', '\\"')
        options = f'[client]\nuser="{user}"\npassword="{quoted}"\nhost=127.0.0.1\nport={self.port}\nprotocol=tcp\nssl-ca={self.state["ca"]}\n'
        fd = os.memfd_create("login")
        os.fchmod(fd, 0o600)
        os.write(fd, options.encode())
        try:
            command = [self.state["client"][0], f"--defaults-file=/proc/{os.getpid()}/fd/{fd}"]
            return self.run("SELECT 1;", command=command).returncode == 0
        finally:
            os.close(fd)

    def status(self) -> dict[str, str]:
        """The replication status, or nothing where there is no channel; in the old words on both flavours."""
        if self._named is None:
            self._named = Client(self, names=True)
        found: dict[str, str] = {}
        for line in self._named.ask("SHOW REPLICA STATUS\\G" if self.mysql else "SHOW SLAVE STATUS\\G"):
            name, colon, value = line.strip().partition(":")
            if colon:
                found[name.replace("Source", "Master").replace("Replica", "Slave")] = value.strip()
        return found

    def end(self) -> tuple[str, int]:
        row = self.sql("SHOW MASTER STATUS")[0]
        return row[0], int(row[1])

    def log_size(self) -> int:
        log = Path(self.state["general_log"])
        return log.stat().st_size if log.exists() else 0

    def logged(self, since: int) -> str:
        """What the general log holds since it was so long."""
        log = Path(self.state["general_log"])
        if not log.exists():
            return ""
        with log.open("rb") as stream:
            stream.seek(since)
            return stream.read().decode("utf-8", "replace")

    def idle(self, *users: str) -> bool:
        """Wait until no session of these accounts does anything here any more."""
        listed = ", ".join(f"'{user}'" for user in users)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.value(f"SELECT COUNT(*) FROM information_schema.processlist WHERE user IN ({listed}) AND command NOT LIKE 'Binlog Dump%'") == "0":
                return True
            time.sleep(0.05)
        return False


class Writer:
    """Writes small transactions to the source until it is stopped: with a key, without one, several at once."""

    def __init__(self, source: Server, pause: float = 0.15) -> None:
        self.written = 0
        self._stop = threading.Event()
        self._process = subprocess.Popen(
            [*source.state["client"], "--force", "--unbuffered"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, env=source.environment,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._write, args=(pause,), daemon=True)
        self._thread.start()

    def _write(self, pause: float) -> None:
        while not self._stop.wait(pause):
            self.written += 1
            n = self.written
            self._process.stdin.write(
                f"BEGIN; INSERT INTO shop.orders (what, price) VALUES ('while {n}', {n % 50}); INSERT INTO shop.journal VALUES ({n % 3}, 'while');"
                f" UPDATE shop.orders SET price = price + 1 WHERE id = {n % 5 + 1}; COMMIT;\n"
            )
            self._process.stdin.flush()

    def stop(self) -> int:
        """Stop, wait until everything is written, and say how many transactions it was."""
        self._stop.set()
        self._thread.join()
        self._process.stdin.close()
        self._process.wait()
        return self.written


class Pair:
    """Both servers, and everything a run of the playbook needs.

    :ivar home: a short path: sockets are made below it
    """

    def __init__(self, flavour: str, home: Path, replicas: int = 1, name: str = "", lab: Path | None = None) -> None:
        self.flavour, self.home = flavour, home
        self.lab_environment = {**os.environ, **({"DATAIN_LAB_DIR": str(lab)} if lab else {})}
        server, service = FLAVOURS[flavour]
        prefix = name or flavour
        home.mkdir(parents=True, exist_ok=True)
        self.source = self._up(f"{prefix}-s", server)
        self.replicas = [self._up(f"{prefix}-r{number}", server, "--service", service) for number in range(1, replicas + 1)]
        self.replica = self.replicas[0]
        self.service = service
        self.user, self.password = "datain", "repl-Pa55 word"
        self.inventory = home / "inventory.yml"
        self.write_inventory()

    def _up(self, name: str, server: str, *words: str) -> Server:
        # One after the other: what both need is made once.
        if name not in [entry["name"] for entry in json.loads(self.lab("list", "--json"))]:
            self.lab("up", name, "--server", server, *words)
        return Server(json.loads(self.lab("show", name)), self.lab_environment)

    def lab(self, *words: str) -> str:
        """Run a command of the lab."""
        done = subprocess.run([sys.executable, LAB, *words], env=self.lab_environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"lab {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    @property
    def servers(self) -> list[Server]:
        return [self.source, *self.replicas]

    def down(self) -> None:
        for server in self.servers:
            server.hang_up()
        self.lab("down", *[server.name for server in self.servers])

    def fresh(self, data: str = DATA) -> None:
        """Bring both servers back to what they were, and give the source its data."""
        for server in self.servers:
            server.hang_up()
        self.lab("reset", *[server.name for server in self.servers])
        # Where the binary log begins is no position that a mistake could not hit by chance.
        self.source.sql("FLUSH BINARY LOGS;" + data)

    def watch(self, *, table: bool = False) -> None:
        """Switch the general log of all servers on."""
        for server in self.servers:
            output = "TABLE" if table else "FILE"
            server.sql(f"SET GLOBAL log_output='{output}', GLOBAL general_log=ON;" + ("TRUNCATE mysql.general_log;" if table else ""))

    def host(self, server: Server) -> dict[str, t.Any]:
        state = server.state
        return {
            "datain_login_host": state["host"],
            "datain_login_port": state["port"],
            "datain_login_user": state["admin_user"],
            "datain_login_password": state["admin_password"],
            "datain_login_ca": state["ca"],
            "datain_login_tls": "verify_identity",
        }

    def variables(self, *, source: dict[str, t.Any] | None = None, replica: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the inventory; the arguments change variables of the hosts, None takes one away."""
        # A table without a key is part of the test: there a row that is applied twice shows.
        waiver = {"rule": "schema.no_primary_key", "reason": "small, and watched", "until": "2099-12-31"}
        account = {"datain_waivers": [waiver], "datain_replication_user": self.user, "datain_replication_password": self.password}
        shop = {**self.host(self.source), **account, "datain_link_ca": self.source.state["ca"], **(source or {})}
        hosts = {}
        for number, server in enumerate(self.replicas, 1):
            own = {"datain_source": "shop", "datain_service": self.service, "datain_client_dir": server.state["bin_dir"]}
            hosts[f"azure{number}"] = {**self.host(server), **own, **(replica or {})}
        for host in (shop, *hosts.values()):
            for name in [name for name, value in host.items() if value is None]:
                del host[name]
        return {
            "all": {
                "vars": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                    "datain_report_dir": str(self.home / "report"),
                },
                "children": {"datain_sources": {"hosts": {"shop": shop}}, "datain_replicas": {"hosts": hosts}},
            }
        }

    def write_inventory(self, path: Path | None = None, **changes: t.Any) -> Path:
        path = path or self.inventory
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(self.variables(**changes), allow_unicode=True, sort_keys=False))
        return path

    # The judge

    def sessions(self, server: Server) -> tuple[dict[str, list[str]], dict[str, str]]:
        """The statements of each of our sessions by the server's general log, and why other sessions are none of ours."""
        rows = server.sql(
            "SELECT thread_id, user_host, command_type, REPLACE(REPLACE(LEFT(CONVERT(argument USING utf8mb4), 400), '\\n', ' '), '\\t', ' ')"
            " FROM mysql.general_log ORDER BY event_time"
        )
        threads: dict[str, list[tuple[str, str, str]]] = {}
        for row in rows:
            threads.setdefault(row[0], []).append((row[1], row[2], row[3] if len(row) > 3 else ""))
        ours, excluded = {}, {}
        for thread, entries in threads.items():
            user = entries[-1][0].partition("[")[0]
            if any(kind.startswith("Binlog Dump") for _user, kind, _text in entries):
                excluded[thread] = "the replica's own receiver"
            elif user == "root":
                excluded[thread] = "the judge's client"
            elif user in (self.user, *(each.state["admin_user"] for each in self.servers)):
                ours[thread] = [words(text) if kind != "Init DB" else f"command 2 {text}" for _user, kind, text in entries if kind in ("Query", "Init DB")]
            elif user in ("", "system user", "skip-grants user"):
                # The last is what MySQL's applier calls itself where it applies a statement about an account.
                excluded[thread] = "replication's own threads"
            else:
                ours[thread] = [f"{user!r}, nobody we know"]
        return ours, excluded

    def rows(self, server: Server) -> dict[str, list[list[str]]]:
        """Every row of every table that is the user's, a row that is there twice twice."""
        tables = server.sql(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            f" AND table_schema NOT IN ({', '.join(repr(name) for name in SYSTEM)}) ORDER BY 1, 2"
        )
        return {f"{schema}.{table}": sorted(server.sql(f"SELECT * FROM `{schema}`.`{table}`")) for schema, table in tables}

    def catch_up(self, replica: Server | None = None) -> str | None:
        """Wait until the replica has applied everything that the source has; return what is wrong."""
        replica = replica or self.replica
        file, position = self.source.end()
        wait = "SOURCE_POS_WAIT" if replica.mysql else "MASTER_POS_WAIT"
        answer = replica.value(f"SELECT {wait}('{file}', {position}, 20)")
        if answer in (None, "NULL", "-1"):
            return f"the replica did not reach {file}:{position} of its source ({wait} says {answer}): {_short(replica.status())}"
        return None

    def state(self, replica: Server | None = None) -> dict[str, t.Any]:
        """What a finished run leaves, without what differs from run to run."""
        replica = replica or self.replica
        return {"source": self._source_state(), "replica": self._replica_state(replica)}

    def accounts(self, server: Server) -> list[list[str]]:
        """Every account of a server, in a few words."""
        columns = "user, host, plugin, ssl_type, account_locked" if server.mysql else "user, host, plugin, ssl_type"
        return server.sql(f"SELECT {columns} FROM mysql.user ORDER BY 1, 2")

    def grants(self) -> list[str] | None:
        """What the replication account may do, or None where there is no account; hashes left out."""
        hosts = [row[0] for row in self.source.sql(f"SELECT host FROM mysql.user WHERE user = '{self.user}'")]
        if not hosts:
            return None
        found = []
        for host in hosts:
            for row in self.source.sql(f"SHOW GRANTS FOR '{self.user}'@'{host}'"):
                found.append(row[0].partition(" IDENTIFIED ")[0].partition(" REQUIRE ")[0])
        return sorted(found)

    def _source_state(self) -> dict[str, t.Any]:
        source = self.source
        return {
            "accounts": self.accounts(source),
            "grants": self.grants(),
            "login": source.login_works(self.user, self.password),
            "schemas": source.sql("SHOW DATABASES"),
            "channel": bool(source.status()),
            "variables": source.sql(
                "SHOW GLOBAL VARIABLES WHERE variable_name IN ('binlog_format', 'binlog_row_image', 'binlog_expire_logs_seconds',"
                " 'expire_logs_days', 'server_id', 'gtid_mode', 'read_only', 'super_read_only')"
            ),
        }

    def _replica_state(self, replica: Server) -> dict[str, t.Any]:
        status = replica.status()
        named = ("Master_Host", "Master_Port", "Master_User", "Slave_IO_Running", "Slave_SQL_Running", "Master_SSL_Allowed", "Auto_Position", "Using_Gtid",
                 "Last_IO_Errno", "Last_SQL_Errno", "Master_UUID", "Master_Server_Id")  # fmt: skip
        listed = ", ".join(repr(name) for name in SYSTEM)
        objects = replica.sql(
            f"SELECT 'table', table_schema, table_name, engine, table_collation FROM information_schema.tables WHERE table_schema NOT IN ({listed})"
            f" UNION ALL SELECT 'column', table_schema, table_name, CONCAT(ordinal_position, column_name), column_type FROM information_schema.columns"
            f" WHERE table_schema NOT IN ({listed})"
            f" UNION ALL SELECT 'routine', routine_schema, routine_name, definer, '' FROM information_schema.routines WHERE routine_schema NOT IN ({listed})"
            f" UNION ALL SELECT 'view', table_schema, table_name, definer, '' FROM information_schema.views WHERE table_schema NOT IN ({listed})"
            " ORDER BY 1, 2, 3, 4"
        )
        records = self.records(replica)
        return {
            "accounts": self.accounts(replica),
            "schemas": replica.sql("SHOW DATABASES"),
            "objects": objects,
            "channel": {name: status.get(name) for name in named},
            "records": {kind: document.get("phase") for kind, document in records.items()},
            "seed of the link": (records.get("link") or {}).get("seed") == (records.get("seed") or {}).get("id"),
            "method": (records.get("link") or {}).get("method"),
            "variables": replica.sql("SHOW GLOBAL VARIABLES WHERE variable_name IN ('read_only', 'super_read_only', 'server_id')"),
        }

    def records(self, replica: Server | None = None) -> dict[str, dict[str, t.Any]]:
        replica = replica or self.replica
        if not replica.sql("SELECT 1 FROM information_schema.tables WHERE table_schema = 'datain_state' AND table_name = 'record'"):
            return {}
        return {row[0]: json.loads(bytes.fromhex(row[1])) for row in replica.sql("SELECT kind, HEX(document) FROM datain_state.record")}


def _short(status: dict[str, str]) -> str:
    named = ("Slave_IO_Running", "Slave_SQL_Running", "Relay_Master_Log_File", "Exec_Master_Log_Pos", "Last_IO_Error", "Last_SQL_Error")
    return ", ".join(f"{name} {status.get(name)}" for name in named) if status else "no channel"


def difference(wanted: t.Any, found: t.Any, place: str = "") -> list[str]:
    """Say where two states differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [text for key in {**wanted, **found} for text in difference(wanted.get(key), found.get(key), f"{place}.{key}" if place else str(key))]
    if wanted == found:
        return []
    if isinstance(wanted, list) and isinstance(found, list):
        missing, more = [item for item in wanted if item not in found], [item for item in found if item not in wanted]
        if len(wanted) != len(found) or missing or more:
            return [f"{place}: {len(found)} instead of {len(wanted)}, missing {missing[:3]}, too many {more[:3]}"]
    return [f"{place}: {found!r} instead of {wanted!r}"]
