# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the parts of the tests, a few at a time, and counts what they report.

python3 tests/tools/parts.py [PART ...]

A part that dies, reports nothing or takes too long is a failure with its reason. The last line is "N passed, N failed".
Needs nothing but Python, as it runs before any environment exists.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import junit

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests" / "output"
MINUTE = 60
TAIL = 25


@dataclass
class Part:
    """A part: its command, what it must have for itself, how long it may take, and what came of it."""

    name: str
    arguments: tuple[str, ...]
    limit: float
    # A part that starts servers gets a lab of its own: names and folders are its own, ports are taken as they are free.
    servers: bool = False
    environment: t.Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    passed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return OUTPUT / f"{self.name}.log"

    @property
    def report(self) -> Path:
        return OUTPUT / f"{self.name}.xml"


# In the order in which they start: the longest first, so that the others run beside it.
PARTS = (
    Part("integration-1", ("integration", "1/2"), 60 * MINUTE, servers=True),
    Part("integration-2", ("integration", "2/2"), 60 * MINUTE, servers=True),
    Part("lint", ("lint",), 10 * MINUTE),
    Part("unit", ("unit",), 5 * MINUTE),
    Part("contract-processes", ("contract",), 25 * MINUTE, servers=True, environment={"DATAIN_LAB_BACKEND": "process"}),
    Part("contract-containers", ("contract",), 25 * MINUTE, servers=True, environment={"DATAIN_LAB_BACKEND": "container"}),
    Part("sanity-2.18", ("sanity", "2.18"), 12 * MINUTE),
    Part("sanity-2.19", ("sanity", "2.19"), 12 * MINUTE),
    Part("sanity-2.20", ("sanity", "2.20"), 12 * MINUTE),
    Part("sanity-2.21", ("sanity", "2.21"), 12 * MINUTE),
    Part("molecule", ("molecule",), 40 * MINUTE, servers=True),
    Part("cuts", ("cuts",), 30 * MINUTE, servers=True),
)


def run(part: Part) -> None:
    """Run a part to its end or its limit, and read what it left."""
    started = time.monotonic()
    timed_out = False
    environment = {**os.environ, "DATAIN_REPORT": str(part.report), **part.environment}
    if part.servers:
        # A lab of its own: a part finds no server that another one, or a person, has left. The name is short, as sockets are made below it.
        environment["DATAIN_LAB_DIR"] = tempfile.mkdtemp(prefix="datain-")
    with part.log.open("wb") as log:
        process = subprocess.Popen(
            [ROOT / "tests" / "tools" / "part.sh", *part.arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        RUNNING[part.name] = process
        try:
            status = process.wait(part.limit)
        except subprocess.TimeoutExpired:
            timed_out = True
            stop(process)
            status = process.wait()
        finally:
            RUNNING.pop(part.name, None)
            if part.servers:
                clear(environment, log)
    part.seconds = time.monotonic() - started
    judge(part, status, timed_out)


def stop(process: subprocess.Popen) -> None:
    """End a part and what it started: politely first, so that it can clean up."""
    for number, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def clear(environment: dict[str, str], log: t.BinaryIO) -> None:
    """Take down the servers that a part has left, however it ended."""
    if (ROOT / "tests" / "lab" / "__main__.py").exists():
        command = ["python3", "tests/lab", "down", "--all"]
        subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, timeout=2 * MINUTE, check=False)
    shutil.rmtree(environment["DATAIN_LAB_DIR"], ignore_errors=True)


def judge(part: Part, status: int, timed_out: bool) -> None:
    """Count a part's results: from its JUnit file, or else from its last line "N passed, N failed"."""
    text = part.log.read_text(errors="replace")
    counted = re.findall(r"^(\d+) passed, (\d+) failed\s*$", text, re.MULTILINE)
    if part.report.exists():
        try:
            results = junit.read(part.report)
        except Exception as error:  # whatever is wrong with the file, the part has failed
            results = []
            part.failures.append((part.name, f"left a report that cannot be read: {error}"))
        part.passed = sum(not result.reason for result in results)
        part.failures += [(result.name, result.reason) for result in results if result.reason]
    elif counted:
        part.passed = int(counted[-1][0])
        failed = int(counted[-1][1])
        said = re.findall(r"^(?:FAILED|FAIL|not ok)[ :-]+(.*)$", text, re.MULTILINE)[-failed:] if failed else []
        part.failures += [(part.name, reason) for reason in said]
        part.failures += [(part.name, f"see {part.log}")] * (failed - len(said))
    tail = "\n".join(text.rstrip().splitlines()[-TAIL:])
    if timed_out:
        part.failures.append((part.name, f"stopped after {part.limit / MINUTE:.0f} minutes; its last lines:\n{tail}"))
    elif status and not part.failures:
        part.failures.append((part.name, f"ended with status {status}; its last lines:\n{tail}"))
    elif not part.passed and not part.failures:
        part.failures.append((part.name, f"ran no test; its last lines:\n{tail}"))


def schedule(parts: list[Part], workers: int) -> None:
    """Run all parts in their order, at most so many at a time."""
    waiting: queue.SimpleQueue[Part] = queue.SimpleQueue()
    for part in parts:
        waiting.put(part)

    def work() -> None:
        while True:
            try:
                part = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                if ENDED_BY:
                    part.failures.append((part.name, f"not run: ended by signal {ENDED_BY[0]}"))
                else:
                    print(f"{clock()}  {part.name} ...", flush=True)
                    run(part)
            except Exception as error:  # a part must never take the others with it
                part.failures.append((part.name, f"could not be run: {error!r}"))
            print(f"{clock()}  {part.name}: {part.passed} passed, {len(part.failures)} failed, {part.seconds:.0f} s", flush=True)

    threads = [threading.Thread(target=work, daemon=True) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


STARTED = time.monotonic()
RUNNING: dict[str, subprocess.Popen] = {}
ENDED_BY: list[int] = []


def clock() -> str:
    """The time since the start, for the lines of progress."""
    minutes, seconds = divmod(int(time.monotonic() - STARTED), MINUTE)
    return f"{minutes:3d}:{seconds:02d}"


def interrupted(number: int, frame: object) -> None:
    """Take the parts along when this run is ended; what they have left is still cleared and counted."""
    del frame
    ENDED_BY.append(number)
    for process in list(RUNNING.values()):
        stop(process)


def prepare() -> str:
    """Make the environment that almost every part needs, before two parts ask for it at once; say what went wrong."""
    made = subprocess.run([ROOT / "tests" / "tools" / "dev.sh"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return made.stdout if made.returncode else ""


def main(names: list[str]) -> int:
    """Run the parts that are named, or all."""
    unknown = set(names) - {part.name for part in PARTS}
    if unknown:
        print(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(part.name for part in PARTS)}")
        return 2
    parts = [part for part in PARTS if not names or part.name in names]
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupted)
    trouble = prepare()
    if trouble:
        print(f"the environment of the tests could not be made: {trouble}\n0 passed, 1 failed")
        return 1
    # One more than there are cores, of which at least two are counted on: a part waits for its servers a quarter of its time.
    schedule(parts, workers=3 if (os.cpu_count() or 1) > 1 else 1)
    return summarise(parts)


def summarise(parts: list[Part]) -> int:
    """Say why what failed did, then the table, then the one line."""
    for part in parts:
        for name, reason in part.failures:
            first, *rest = reason.strip().splitlines() or ["no reason given"]
            print(f"\nFAILED {part.name}: {name}\n    {first}")
            for line in rest[:TAIL]:
                print(f"    {line}")
    print(f"\n{'part':<20}{'passed':>8}{'failed':>8}{'seconds':>9}")
    for part in parts:
        print(f"{part.name:<20}{part.passed:>8}{len(part.failures):>8}{part.seconds:>9.0f}")
    passed = sum(part.passed for part in parts)
    failed = sum(len(part.failures) for part in parts)
    print(f"logs in {OUTPUT.relative_to(ROOT)}, {clock().strip()} minutes in all")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
