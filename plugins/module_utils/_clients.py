# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The servers' own dump and load clients: finding them, telling their flavour, and giving them secrets unseen."""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ._connection import Login, pem_text
from ._dialect import Version, dialect_for
from ._errors import InputError, ToolError
from ._model import MARIADB, MYSQL

DUMP = "dump"
LOAD = "load"

_PROGRAMS: dict[tuple[str, str], tuple[str, ...]] = {
    (DUMP, MYSQL): ("mysqldump",),
    (DUMP, MARIADB): ("mariadb-dump", "mysqldump"),
    (LOAD, MYSQL): ("mysql",),
    (LOAD, MARIADB): ("mariadb", "mysql"),
}
_PACKAGES = {MYSQL: "mysql-client", MARIADB: "mariadb-client"}
_NAMES = {MYSQL: "MySQL", MARIADB: "MariaDB"}

Versions = tuple[Version, Version]
ANY: Versions = ((0, 0, 0), (9999, 0, 0))

# The most that any client takes; a client's own default would break on one long row.
_PACKET = "1G"


class Process(subprocess.Popen):
    """A client that does not outlive the block it is started in, whatever ends the block.

    It runs in a session of its own: a key pressed at the terminal is for us, who end the clients in the right order, and
    what is installed as a client may be a script that starts the real one.
    """

    def __init__(self, arguments: t.Sequence[str], **options: t.Any) -> None:
        super().__init__(arguments, start_new_session=True, **options)

    def kill(self) -> None:
        if self.returncode is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended by itself a moment ago

    def __exit__(self, *_exc: t.Any) -> None:
        if self.poll() is None:
            self.kill()
        for stream in (self.stdin, self.stdout, self.stderr):
            try:
                if stream:
                    stream.close()
            except OSError:
                pass  # what could not be flushed is not wanted any more
        self.wait()


@dataclass(frozen=True)
class Client:
    """A program of a server's distribution."""

    path: str
    flavour: str
    version: Version

    def __str__(self) -> str:
        return f"{self.path} ({_NAMES[self.flavour]} {'.'.join(map(str, self.version))})"


@dataclass(frozen=True)
class Tools:
    """The two ends of the pipe."""

    dump: Client
    load: Client


def environment() -> dict[str, str]:
    """Return the environment of a client: no password, no option file, no login file of whoever runs this."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}


def parse_client_version(text: str) -> tuple[str, Version] | None:
    """Tell flavour and version from what ``--version`` prints; None where it prints something else.

    The program's own path comes first and may hold any word: only what follows ``Distrib``, ``from`` or ``Ver`` counts.
    """
    for word in ("Distrib", "from", "Ver"):
        found = re.search(rf"\b{word}\s+(\d+)\.(\d+)(?:\.(\d+))?(\S*)", text)
        if found:
            flavour = MARIADB if "mariadb" in found.group(4).lower() else MYSQL
            return flavour, (int(found.group(1)), int(found.group(2)), int(found.group(3) or 0))
    return None


def find_tools(flavours: tuple[str, str], client_dir: str = "", dump_versions: Versions = ANY) -> Tools:
    """Find the dump client of the source's flavour and the load client of the replica's.

    :param flavours: source, replica
    :param client_dir: a folder to look in before the PATH
    :param dump_versions: the dump clients that the source understands: from one version on, and below another
    :raises ToolError: one is missing; the message says what to install
    """
    return Tools(find_client(DUMP, flavours[0], client_dir, dump_versions), find_client(LOAD, flavours[1], client_dir))


def find_client(purpose: str, flavour: str, client_dir: str = "", versions: Versions = ANY) -> Client:
    """Find one client: by name, then by what it says about itself, since MariaDB's are also installed under MySQL's names.

    :raises ToolError: there is none of this flavour, or none of a version that will do
    """
    seen: list[str] = []
    folders = [os.path.expanduser(client_dir)] if client_dir else []
    for folder in [*folders, None]:
        for program in _PROGRAMS[purpose, flavour]:
            path = shutil.which(program, path=folder)
            if path is None:
                continue
            found = parse_client_version(_version_text(path))
            if found and found[0] == flavour and versions[0] <= found[1] < versions[1]:
                return Client(path, *found)
            seen.append(f"{path} is {_what(found, flavour, versions)}")
    names = " or ".join(_PROGRAMS[purpose, flavour])
    message = f"{_NAMES[flavour]}'s {purpose} client ({names}) is not to be found where this runs"
    raise ToolError(
        message + (f": {'; '.join(seen)}" if seen else ""),
        step=f"look for the {purpose} client",
        hint=f"install {_PACKAGES[flavour]} there, or set datain_client_dir to the folder that holds {names}",
    )


def _what(found: tuple[str, Version] | None, flavour: str, versions: Versions) -> str:
    if found is None:
        return "something else"
    if found[0] != flavour:
        return f"{_NAMES[found[0]]}'s"
    own, first, last = (".".join(map(str, version)) for version in (found[1], *versions))
    return f"of version {own}, and this server understands clients {f'from {first} on' if found[1] < versions[0] else f'older than {last}'}"


def _version_text(path: str) -> str:
    try:
        with Process(
            [path, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
        ) as process:
            return process.communicate(timeout=20)[0].decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return ""


# Secrets


class SecretFile:
    """A file in memory that a child can open by a path, or a file of our own user only where there is no such thing.

    :ivar fds: what the child must inherit
    """

    def __init__(self, stack: ExitStack, text: str) -> None:
        self.fds: tuple[int, ...] = ()
        create = getattr(os, "memfd_create", None)
        if create is not None and os.path.isdir("/proc/self/fd"):
            fd = create("datain")
            stack.callback(os.close, fd)
            # The clients leave out an option file that everybody could write to.
            os.fchmod(fd, 0o600)
            self.fds = (fd,)
            self.path = f"/proc/self/fd/{fd}"
        else:
            fd, self.path = tempfile.mkstemp(prefix="datain-")
            stack.callback(os.close, fd)
            stack.callback(os.unlink, self.path)
        content = text.encode("utf-8")
        while content:
            content = content[os.write(fd, content):]


def quote_option(value: str) -> str:
    """Quote a value for an option file: any character may stand in it."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b"}
    return '"' + "".join(escapes.get(character, character) for character in value) + '"'


def tls_options(mode: str, flavour: str, in_use: bool, ca: dict[str, str]) -> dict[str, str | None]:
    """Return the client's options for one of our TLS modes.

    :param in_use: what ``preferred`` came to in our own session, so that both sessions are alike
    :param ca: ``ssl-ca`` or ``ssl-capath``, for the modes that verify
    """
    if mode == "preferred":
        mode = "required" if in_use else "disabled"
    verifies = mode in ("verify_ca", "verify_identity")
    options: dict[str, str | None] = dict(ca) if verifies else {}
    if flavour == MYSQL:
        options["ssl-mode"] = mode.upper()
        if mode == "disabled":
            options["loose-get-server-public-key"] = None
    elif mode == "disabled":
        options["skip-ssl"] = None
    else:
        options["ssl"] = None
        # With a CA, the chain is verified in any case; this is about the name.
        options["ssl-verify-server-cert" if mode == "verify_identity" else "skip-ssl-verify-server-cert"] = None
    return options


def option_text(options: dict[str, str | None]) -> str:
    """Return an option file with one group."""
    lines = [name if value is None else f"{name}={quote_option(value)}" for name, value in options.items()]
    return "\n".join(["[client]", *lines, ""])


@dataclass(frozen=True)
class Credentials:
    """How a client logs in: what it is called with, and what it must inherit."""

    argument: str
    fds: tuple[int, ...]


@contextmanager
def credentials(login: Login, flavour: str, in_use: bool) -> t.Iterator[Credentials]:
    """Give a client a login without a trace in its arguments, its environment or the file system.

    :param flavour: the client's, since options differ
    :param in_use: whether our own session with this server is protected by TLS
    :raises InputError: certificates are to be verified and there are none to verify against
    """
    with ExitStack() as stack:
        ca, fds = _authorities(login, stack)
        options: dict[str, str | None] = {
            "user": login.user,
            "password": login.password,
            "host": login.host,
            "port": str(login.port),
            "protocol": "tcp",
            **tls_options(login.tls, flavour, in_use, ca),
        }
        secret = SecretFile(stack, option_text(options))
        yield Credentials(f"--defaults-file={secret.path}", secret.fds + fds)


def _authorities(login: Login, stack: ExitStack) -> tuple[dict[str, str], tuple[int, ...]]:
    if login.tls not in ("verify_ca", "verify_identity"):
        return {}, ()
    text = pem_text(login.ca, "login_ca")
    if text:
        file = SecretFile(stack, text)
        return {"ssl-ca": file.path}, file.fds
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return {"ssl-ca": paths.cafile}, ()
    if paths.capath:
        return {"ssl-capath": paths.capath}, ()
    raise InputError(
        "this system has no certificates to verify the server against",
        server=login.label,
        step="prepare the clients",
        hint="set datain_login_ca",
    )


# Arguments


def dump_arguments(client: Client, schemas: t.Sequence[str], *, gtid: bool) -> list[str]:
    """Return the arguments of a dump client: one snapshot, its coordinates, and everything in the schemas.

    :param gtid: the source is MySQL with GTIDs on: the snapshot's set is written beside the position
    """
    arguments = [
        "--single-transaction",
        dialect_for(client.flavour, client.version).dump_coordinates,
        "--routines",
        "--triggers",
        "--events",
        "--hex-blob",
        "--no-tablespaces",
        # Nothing that is there already may be dropped: a table that should not be there is an error.
        "--skip-add-drop-table",
        "--skip-add-locks",
        "--default-character-set=utf8mb4",
        f"--max-allowed-packet={_PACKET}",
    ]
    if client.flavour == MYSQL:
        arguments.append("--set-gtid-purged=" + ("COMMENTED" if gtid else "OFF"))
        if client.version >= (8, 0, 0):
            arguments.append("--column-statistics=0")
    return [*arguments, "--databases", "--", *schemas]


def load_arguments() -> list[str]:
    """Return the arguments of a load client.

    ``--binary-mode`` also switches the client's own commands off, so that no text of a dump can reach a shell here.
    Without ``--comments`` routines would lose theirs. A client that connects again by itself would go on in a session
    that is not prepared.
    """
    return [
        "--batch",
        "--binary-mode",
        "--unbuffered",
        "--skip-column-names",
        "--comments",
        "--loose-skip-reconnect",
        "--no-auto-rehash",
        "--default-character-set=utf8mb4",
        f"--max-allowed-packet={_PACKET}",
    ]


# Errors

# These texts of a server quote values or statements.
_TELLING = frozenset((1062, 1064, 1264, 1265, 1292, 1366, 1406))


def complaint(stderr: str) -> tuple[int | None, str]:
    """Return error number and text from what a client wrote when it failed, without values."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for line in lines:
        found = re.search(r"ERROR (\d+) \(\w+\)(?: at line \d+)?: (.*)", line) or re.search(r"rror:? (\d+):? (.*)", line)
        if found is None:
            found = re.search(r"()(Couldn't execute .*\((\d+)\))$", line)
            if found:
                return int(found.group(3)), found.group(2)[:500]
            continue
        code = int(found.group(1))
        return code, f"error {code}" if code in _TELLING else found.group(2)[:500]
    told = [line for line in lines if "[Warning]" not in line and not line.startswith("Warning")]
    return None, (told[-1] if told else "it said nothing")[:500]
