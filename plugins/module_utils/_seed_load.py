# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The copy itself: dump client, filter and load client as one pipe. Nothing of the data touches a disk."""

from __future__ import annotations

import queue
import subprocess
import tempfile
import threading
import time
import typing as t
from contextlib import ExitStack
from dataclasses import dataclass, field

from ._clients import Client, Process, Tools, complaint, credentials, dump_arguments, environment, load_arguments
from ._connection import Login
from ._dump_stream import DumpFilter, DumpFormatError
from ._errors import LockHeld, StatementError, ToolError
from ._seed_lock import LockWatch
from ._server import Server
from ._state import SEED_LOCK

_CHUNK = 1 << 16
PROGRESS_EVERY = 2.0  # seconds
WATCH_EVERY = 15.0  # seconds
_FAREWELL = "datain.complete"

_HINTS = {
    1044: "grant the login its rights on the schemas",
    1045: "the client could not log in as we did: check the account's authentication plugin and its TLS demand",
    1114: "the replica is out of space: raise its storage",
    1142: "grant the login the right named here",
    1146: "it was dropped while it was copied; or its name is beyond ASCII, which a source older than 8.0 takes from a newer dump client"
    " only with character_set_server=utf8mb4",
    1153: "raise max_allowed_packet on the replica: a row is longer",
    1205: "something on the replica holds a lock on what is loaded: end that session",
    1227: "the login lacks a right: on the source the dump needs RELOAD (or FLUSH_TABLES), LOCK TABLES, SHOW VIEW, TRIGGER and EVENT",
    1273: "source and replica know different collations: the replica's version must not be older than the source's",
    1286: "a table uses a storage engine that the replica does not have: change it to InnoDB on the source",
    1412: "a table was altered on the source while it was copied: run again while nobody alters tables",
    1419: "set the server parameter log_bin_trust_function_creators to ON on the replica",
    1664: "a table uses a storage engine that the replica does not allow: change it to InnoDB on the source",
    2006: "raise max_allowed_packet on the replica, and see the server's log",
    2013: "the session broke off: see the server's log; on the source raise net_write_timeout if the replica is slow",
    2026: "the client does not accept the server's certificate: check datain_login_tls and datain_login_ca",
    3159: "the server demands TLS: set datain_login_tls to required or better",
    3161: "a table uses a storage engine that the replica does not allow: change it to InnoDB on the source",
    3750: "a table has no primary key and the replica demands one: set sql_require_primary_key to OFF, or add a key on the source",
    4109: "a table meets the replica's generated primary keys: set sql_generate_invisible_primary_key to OFF on the replica",
}
_AGAIN = "mend this and run again: the unfinished copy is dropped and made anew"


@dataclass
class Copy:
    """What was copied, and how far it is.

    :ivar received: bytes that the dump client has written
    :ivar expected: bytes that the source thinks its tables take: near, never exact
    """

    filter: DumpFilter
    expected: int
    expected_tables: int
    received: int = 0
    began: float = field(default_factory=time.monotonic)
    problem: str | None = None

    @property
    def seconds(self) -> int:
        return int(time.monotonic() - self.began)

    @property
    def fraction(self) -> float:
        """How much is done, between 0 and 1; an estimate until the end."""
        return min(self.received / self.expected, 0.99) if self.expected else 0.0

    def line(self) -> str:
        mega = 1024 * 1024
        return (
            f"loading: {self.fraction:.0%} ({self.received / mega:.0f} of about {self.expected / mega:.0f} MB,"
            f" {len(self.filter.tables)} of {self.expected_tables} tables), {self.seconds} s"
        )


class _Pipe:
    """The two clients and the thread between them."""

    def __init__(self, stack: ExitStack, source: Server, replica: Server, tools: Tools) -> None:
        self._stack = stack
        self._source, self._replica, self._tools = source, replica, tools
        self._errors: dict[str, t.IO[bytes]] = {}
        self.answers: queue.Queue[str | None] = queue.Queue()
        self.emptied = False

    def _start(self, client: Client, server: Server, arguments: list[str], stdin: int) -> Process:
        login = server.connection.login
        secret = self._stack.enter_context(credentials(login, client.flavour, server.connection.tls is not None))
        errors = self._errors[login.side] = self._stack.enter_context(tempfile.TemporaryFile(prefix="datain-"))
        try:
            process = Process(
                [client.path, secret.argument, *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=secret.fds,
                env=environment(),
                cwd="/",
            )
        except OSError as error:
            raise ToolError(f"{client.path} does not start: {error.strerror}", server=server.label, step="start the client") from error
        return self._stack.enter_context(process)

    def start_loader(self) -> None:
        self.loader = self._start(self._tools.load, self._replica, load_arguments(), subprocess.PIPE)
        threading.Thread(target=self._listen, args=(self.loader.stdout,), daemon=True).start()

    def _listen(self, stream: t.IO[bytes]) -> None:
        try:
            for line in stream:
                self.answers.put(line.decode("utf-8", "replace").strip())
        except (OSError, ValueError):
            pass  # closed under our hands: the pipe is being ended
        self.answers.put(None)

    def start_dump(self, schemas: t.Sequence[str], gtid: bool) -> None:
        arguments = dump_arguments(self._tools.dump, schemas, gtid=gtid)
        self.dump = self._start(self._tools.dump, self._source, arguments, subprocess.DEVNULL)

    def send(self, text: bytes) -> None:
        """Write to the load client; that it is gone shows in its exit code."""
        stdin = t.cast("t.IO[bytes]", self.loader.stdin)
        try:
            stdin.write(text)
            stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def farewell(self) -> None:
        """End the load client's input, with a last question whose answer says that it came so far."""
        self.send(f"SELECT '{_FAREWELL}';\n".encode("ascii"))
        try:
            t.cast("t.IO[bytes]", self.loader.stdin).close()
        except OSError:
            pass  # it is gone, and its exit code says why

    def pump(self, copy: Copy) -> None:
        """Move everything from one client to the other. Runs in a thread of its own, and touches no connection."""
        stdout = t.cast("t.IO[bytes]", self.dump.stdout)
        stdin = t.cast("t.IO[bytes]", self.loader.stdin)
        try:
            while True:
                chunk = stdout.read1(_CHUNK)  # type: ignore[attr-defined]
                if not chunk:
                    self.emptied = True
                    return
                passed = copy.filter.feed(chunk)
                copy.received += len(chunk)
                if passed:
                    stdin.write(passed)
                    stdin.flush()
        except DumpFormatError as error:
            copy.problem = str(error)
        except (OSError, ValueError):
            return  # the load client is gone, and its exit code says more

    def failure(self, server: Server, client: Client, step: str) -> ToolError:
        """Return what a client that failed had to say, without the text of a statement."""
        stream = self._errors[server.connection.login.side]
        stream.seek(0)
        code, text = complaint(stream.read(1 << 16).decode("utf-8", "replace"))
        process = self.loader if server is self._replica else self.dump
        if code is None and (process.poll() or 0) < 0:
            text = f"it was ended by signal {-process.returncode}"
        hint = _HINTS.get(code or 0)
        return ToolError(
            f"{client.path} failed: {text}", server=server.label, step=step, code=code, hint=f"{hint}; then run again" if hint else _AGAIN
        )


def may_switch_off_generated_keys(replica: Server) -> bool | None:
    """Tell whether a session of this login can keep the replica from adding primary keys of its own; None: it adds none."""
    if not replica.on("sql_generate_invisible_primary_key"):
        return None
    try:
        replica.connection.execute(
            "SET SESSION sql_generate_invisible_primary_key = OFF", step="look whether generated primary keys can be switched off"
        )
    except StatementError:
        return False
    return True


def _greeting(generated_keys: bool | None) -> bytes:
    """Return what the load session is prepared with. Its first line is answered, so that we know who is there."""
    lines = [
        f"SELECT CONCAT_WS(' ', GET_LOCK('{SEED_LOCK}', 0), @@GLOBAL.server_id);",
        "SET SESSION wait_timeout=86400, net_read_timeout=3600, lock_wait_timeout=120, foreign_key_checks=0, unique_checks=0;",
    ]
    if generated_keys:
        lines.append("SET SESSION sql_generate_invisible_primary_key=OFF;")
    return "".join(line + "\n" for line in lines).encode("ascii")


def copy_schemas(
    source: Server,
    replica: Server,
    tools: Tools,
    schemas: t.Sequence[str],
    copy: Copy,
    *,
    gtid: bool,
    generated_keys: bool | None,
    progress: t.Callable[[str], None],
    watch: t.Callable[[Copy], None],
) -> None:
    """Copy whole schemas in one snapshot, and fill in ``copy``.

    :param watch: called at the start and every WATCH_EVERY seconds; what it raises ends the copy
    :raises ToolError: a client failed, or the dump was not whole
    :raises LockHeld: a load client of an earlier run is still at work on the replica
    :raises Timeout: the dump waited too long for its lock on the source
    """
    with ExitStack() as stack:
        pipe = _Pipe(stack, source, replica, tools)
        pipe.start_loader()
        pipe.send(_greeting(generated_keys))
        _greet(pipe, replica, tools)
        pipe.start_dump(schemas, gtid)
        pump = threading.Thread(target=pipe.pump, args=(copy,), daemon=True)
        pump.start()
        # Ends the clients, then the thread, in this order: it waits for them.
        stack.callback(pump.join, 30)
        stack.callback(pipe.dump.kill)
        stack.callback(pipe.loader.kill)
        rhythm = _Rhythm(copy, progress, watch)
        lock = LockWatch(source, pipe.dump.pid, copy.filter)
        while pump.is_alive() and pipe.loader.poll() is None:
            pump.join(0.2)
            rhythm.beat()
            lock.beat()
        _check_dump(pipe, copy, source, replica, tools, pump)
        pipe.farewell()
        while pipe.loader.poll() is None:
            time.sleep(0.1)
            rhythm.beat()
        heard = list(iter(pipe.answers.get, None))
        if pipe.loader.returncode or _FAREWELL not in heard:
            raise pipe.failure(replica, tools.load, "load the copy")
        watch(copy)


def _greet(pipe: _Pipe, replica: Server, tools: Tools) -> None:
    login: Login = replica.connection.login
    try:
        answer = pipe.answers.get(timeout=login.connect_timeout + login.read_timeout)
    except queue.Empty:
        answer = None
    if answer is None:
        if pipe.loader.poll() is None:
            pipe.loader.kill()
        pipe.loader.wait()
        raise pipe.failure(replica, tools.load, "log in with the load client")
    got, _space, server_id = answer.partition(" ")
    if got != "1":
        raise LockHeld(
            "a load client of an earlier run is still at work on this server",
            server=replica.label,
            step=f"take the lock {SEED_LOCK}",
            hint="wait until it has ended and run again",
        )
    if server_id != str(replica.identity.server_id):
        raise ToolError(
            f"the load client reached another server (server_id {server_id}) than we did ({replica.identity.server_id})",
            server=replica.label,
            step="log in with the load client",
            hint="give the server by a name that leads to one server only",
        )


def _check_dump(pipe: _Pipe, copy: Copy, source: Server, replica: Server, tools: Tools, pump: threading.Thread) -> None:
    """Raise unless the dump is whole. The load client is still waiting: at the end of its input it would run half a statement."""
    if pipe.loader.poll() is not None:
        raise pipe.failure(replica, tools.load, "load the copy")
    pump.join()
    if copy.problem:
        raise ToolError(copy.problem, server=source.label, step="read the dump", hint="report this, with the version of the dump client")
    if not pipe.emptied:
        try:
            # It has closed its input, and is about to end.
            pipe.loader.wait(timeout=10)
        except subprocess.TimeoutExpired:
            pipe.loader.kill()
        raise pipe.failure(replica, tools.load, "load the copy")
    if pipe.dump.wait():
        raise pipe.failure(source, tools.dump, "dump the source")
    if copy.filter.placeholders:
        views = ", ".join(sorted(".".join(view) for view in copy.filter.placeholders)[:5])
        raise ToolError(f"the dump holds no more than a placeholder of {views}", server=source.label, step="dump the source", hint=_AGAIN)
    if not copy.filter.complete or copy.filter.unfinished:
        raise ToolError("the dump ended without its end marker", server=source.label, step="dump the source", hint=_AGAIN)
    if copy.filter.coordinates is None:
        raise ToolError("the dump holds no coordinates", server=source.label, step="dump the source", hint="switch on the source's binary log")


class _Rhythm:
    """Tells a person how far it is, and lets the watch look, each in its own time."""

    def __init__(self, copy: Copy, progress: t.Callable[[str], None], watch: t.Callable[[Copy], None]) -> None:
        self._copy, self._progress, self._watch = copy, progress, watch
        self._told = time.monotonic()
        self._watched = time.monotonic() - WATCH_EVERY

    def beat(self) -> None:
        now = time.monotonic()
        if now - self._told >= PROGRESS_EVERY:
            self._told = now
            self._progress(self._copy.line())
        if now - self._watched >= WATCH_EVERY and self._copy.filter.coordinates is not None:
            self._watched = now
            self._watch(self._copy)
