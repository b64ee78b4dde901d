# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""Asks servers of the lab by the server's own client: what the lab's tests have in common."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

LAB = pathlib.Path(__file__).parent
BACKEND = os.environ.get("DATAIN_LAB_BACKEND", "process")
# Nobody listens, or nobody listens any more.
GONE = (2002, 2003)
ERROR = re.compile(r"ERROR (\d+)[^:]*: (.*)")
# 8.4 knows only the newer words; the tests are written in the older ones, which every other version knows.
NEWER = (("CHANGE MASTER", "CHANGE REPLICATION SOURCE"), ("MASTER_POS_WAIT", "SOURCE_POS_WAIT"), ("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"),
         ("RESET MASTER", "RESET BINARY LOGS AND GTIDS"), ("MASTER_", "SOURCE_"), ("START SLAVE", "START REPLICA"), ("STOP SLAVE", "STOP REPLICA"),
         ("SLAVE STATUS", "REPLICA STATUS"), ("RESET SLAVE", "RESET REPLICA"))


class SqlError(Exception):
    def __init__(self, code, text):
        super().__init__("%s: %s" % (code, text))
        self.code = code


def quote(text):
    return "'%s'" % str(text).replace("\\", "\\\\").replace("'", "''")


def lab(*words, check=True):
    done = subprocess.run([sys.executable, str(LAB), *words], capture_output=True, text=True, timeout=600, check=False)
    if check and done.returncode:
        raise AssertionError("lab %s: %s" % (" ".join(words), done.stderr))
    return done.stdout


def wait_until(check, seconds=15, pause=0.05):
    """What check gives, once that is true."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, found
        time.sleep(pause)


class Server:
    def __init__(self, name):
        self.name = name
        self.json = json.loads(lab("show", name))
        self.flavour = self.json["flavour"]
        self.version = tuple(int(part) for part in re.findall(r"\d+", self.json["version"])[:3])
        self.newer = self.flavour == "mysql" and self.version >= (8, 4)

    def words(self, text):
        for old, new in NEWER if self.newer else ():
            text = text.replace(old, new)
        return text

    def run(self, argv, text):
        done = subprocess.run([*argv, "-N", "-B"], input=self.words(text), capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            found = ERROR.search(done.stderr)
            code = int(found.group(1)) if found else None
            raise SqlError(code, done.stderr.strip() + (self.last_words() if code in GONE else ""))
        return [line.split("\t") for line in done.stdout.splitlines()]

    def last_words(self):
        """The end of the server's log: it goes with the server, so a test that meets one that has gone tells it."""
        log = pathlib.Path(self.json["error_log"] or "")
        return "; the log ends: " + " | ".join(log.read_text(errors="replace").splitlines()[-5:]) if log.is_file() else ""

    def root(self, text):
        return self.run(self.json["client"], text)

    def admin(self, text):
        return self.run(self.json["admin_client"], text)

    def login(self, user, password):
        """The words of the client for another account, by the socket."""
        off = [] if self.json["client_tls"] else ["--ssl-mode=DISABLED" if self.flavour == "mysql" else "--skip-ssl"]
        return [self.json["client"][0], "--no-defaults", "--socket=" + self.json["socket"], "--user=" + user, "--password=" + password, *off]

    def refused(self, text, who="admin"):
        """The number of the error that this statement ends in."""
        code = self.outcome(text, self.json["admin_client" if who == "admin" else "client"])
        assert code, "%s accepts %s" % (self.name, text)
        return code

    def outcome(self, text, who):
        """The number of the error, or None where the statement is accepted."""
        try:
            self.run(who, text)
        except SqlError as error:
            return error.code
        return None

    def status(self, client="admin_client"):
        """The replica's status under the older names of its columns."""
        done = subprocess.run([*self.json[client], "-E", "-e", self.words("SHOW SLAVE STATUS")], capture_output=True, text=True, check=True)
        rows = (line.partition(":") for line in done.stdout.splitlines())
        return {key.strip().replace("Source", "Master").replace("Replica_", "Slave_"): value.strip()
                for key, _colon, value in rows if not key.startswith("*")}

    def until(self, check, seconds=15):
        """The status once check accepts it."""
        end = time.monotonic() + seconds
        while True:
            status = self.status()
            if check(status):
                return status
            assert time.monotonic() < end, {key: value for key, value in status.items() if "Err" in key or "Running" in key}
            time.sleep(0.1)

    def running(self):
        return self.until(lambda status: status.get("Slave_IO_Running") == "Yes" and status.get("Slave_SQL_Running") == "Yes")

    def io_error(self):
        return int(self.until(lambda status: status.get("Last_IO_Errno", "0") != "0")["Last_IO_Errno"])

    def position(self):
        """Where the binary log ends: file and position."""
        return tuple(self.root("SHOW MASTER STATUS")[0][:2])


class Session:
    """A connection that stays: one client, spoken to again and again."""

    END = "-- end --"

    def __init__(self, server, argv=None):
        self.server = server
        self.process = subprocess.Popen([*(argv or server.json["client"]), "-N", "-B", "--force", "--unbuffered"], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.id = self.ask("SELECT CONNECTION_ID()")[0][0]

    def send(self, text):
        self.process.stdin.write(self.server.words(text) + ";\nSELECT '%s';\n" % self.END)
        self.process.stdin.flush()

    def receive(self):
        lines = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == self.END:
                failed = [ERROR.match(one) for one in lines]
                for found in failed:
                    if found:
                        raise SqlError(int(found.group(1)), found.group(2))
                return [one.split("\t") for one in lines if "[Warning]" not in one]
            lines.append(line)
        raise SqlError(2013, "the client has gone: %s" % " ".join(lines))

    def ask(self, text):
        self.send(text)
        return self.receive()

    def kill(self):
        """kill -9 of the client, as when its machine dies."""
        self.process.kill()
        self.process.wait()

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.kill()
        self.process.wait()
