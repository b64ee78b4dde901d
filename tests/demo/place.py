# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the demonstration keeps things, and how what it started is found again."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = "DATAIN_DEMO"
PATIENCE = 15


class PlaceError(Exception):
    """Something the person at the keyboard has to know; printed as one line."""


def _base(variable: str, *default: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given if os.path.isabs(given) else os.path.join(os.path.expanduser("~"), *default))


OURS = _base("XDG_STATE_HOME", ".local", "state") / "datain-azure-mysql"
STATE = OURS / "demo"
LOCK = OURS / "demo.lock"
_CACHE = _base("XDG_CACHE_HOME", ".cache")
CACHES = [_CACHE / "datain-azure-mysql", Path(os.environ.get("DATAIN_LAB_CACHE") or _CACHE / "datain-lab")]


def mark() -> dict[str, str]:
    """Return the variable by which every process of the demonstration is known."""
    return {MARK: str(STATE)}


def short(path: Path) -> str:
    """Write a path as a shell takes it."""
    return shlex.quote(str(path))


def private(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, mode), encoding="utf-8") as file:
        file.write(text)


# ---------------------------------------------------------------- processes


def marked() -> list[int]:
    """Return the processes of this user that carry our mark."""
    wanted = f"{MARK}={STATE}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if folder.stat().st_uid == os.getuid() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended, or is none of ours
    return found


def end_marked() -> None:
    """End every process that carries our mark: politely, then not."""
    for number, patience in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 10.0)):
        end = time.monotonic() + patience
        for pid in marked():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while marked():
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        else:
            return
    raise PlaceError(f"these processes do not end: {' '.join(map(str, marked()))}")


# ---------------------------------------------------------------- files


def _sockets() -> Path:
    """The lab's place for sockets where our own path is too long for one."""
    lab = hashlib.sha256(str(STATE / "lab").encode()).hexdigest()[:8]
    return Path("/tmp") / f"datain-{os.getuid()}-{lab}"


def remove_state() -> None:
    # A last write of a process that was just ended may still be on its way.
    for _attempt in range(20):
        shutil.rmtree(STATE, ignore_errors=True)
        if not STATE.exists():
            break
        time.sleep(0.1)
    else:
        raise PlaceError(f"{STATE} cannot be removed")
    with contextlib.suppress(OSError):
        _sockets().rmdir()


# ---------------------------------------------------------------- one at a time


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Be the only demonstration of this user, and say who it is."""
    while True:
        private(OURS)
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise PlaceError(f"another demonstration is running (process {_holder() or 'unknown'}); make demo-down ends it") from None
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == LOCK.stat().st_ino:
                break
        os.close(descriptor)  # it was removed in between
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder() -> int | None:
    """Return who holds the lock, if anybody does."""
    try:
        with open(LOCK, encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read()
                return int(text) if text.isdigit() else None
    except FileNotFoundError:
        pass
    return None


def interrupt_running() -> None:
    """End a demonstration that is running, so that what it started can be removed."""
    for number, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 5)):
        end = time.monotonic() + patience
        pid = _holder()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while _holder():
            if time.monotonic() > end:
                break
            time.sleep(0.1)
        else:
            return


def remove_lock() -> None:
    LOCK.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        OURS.rmdir()
