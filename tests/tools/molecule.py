# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the artifact, installs it into an empty place and lets Molecule test that: molecule.py [SCENARIO ...].

Every step of every scenario is one test. A scenario of which nothing was reported is a failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import junit

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "extensions" / "molecule"
# Creates and destroys for all the others.
SHARED = "default"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
STEP = re.compile(r"^(?P<scenario>\S+) ➜ (?P<step>[a-z_]+): Executed: (?P<outcome>.*)$")
EXCERPT = 8
OPTIONAL = {"prepare", "cleanup", "side_effect"}


def install(folder: Path) -> None:
    """Put the built artifact where nothing else of this collection is."""
    artifact = subprocess.run([ROOT / "tests/tools/build.sh", folder / "artifact"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    command = ["ansible-galaxy", "collection", "install", "--offline", "--no-deps", "--collections-path", folder / "collections", artifact]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(folder / "collections")})


def molecule(names: list[str], environment: dict[str, str]) -> tuple[int, list[str]]:
    """Run the scenarios, showing what they say, and return status and lines. It only finds its configuration from the root."""
    workers = os.environ.get("DATAIN_MOLECULE_WORKERS", "2")
    command = ["molecule", "test", "--report", "--workers", workers, "--continue-on-failure", *(f"--scenario-name={name}" for name in names)]
    lines = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            lines.append(ANSI.sub("", line.rstrip("\n")))
            print(lines[-1], flush=True)
    return process.returncode, lines


def said(lines: list[str]) -> list[str]:
    """What Ansible printed of each task that failed; of a loop it says `failed`, not `fatal`."""
    found: list[str] = []
    for number, line in enumerate(lines):
        if re.match(r"[│ ]*(fatal|failed): \[", line):
            found += [line.lstrip("│ ")[:2000] for line in lines[number:number + EXCERPT]]
    return found


def judge(names: list[str], status: int, lines: list[str]) -> list[junit.Result]:
    """One result for each step of Molecule's report."""
    start = max((number for number, line in enumerate(lines) if line.startswith("DETAILS")), default=len(lines))
    fatal = said(lines[:start])
    results = []
    reported = set()
    for line in lines[start:]:
        match = STEP.match(line.strip())
        if not match:
            continue
        scenario, step, outcome = match["scenario"], match["step"], match["outcome"]
        if outcome.startswith("Missing playbook") and step in OPTIONAL:
            continue
        reported.add(scenario)
        reason = "" if outcome.startswith("Successful") else "\n".join([outcome, *fatal])
        results.append(junit.Result(f"{scenario}::{step}", reason=reason))
    results += [junit.Result(name, reason="\n".join(["Molecule reported nothing of it", *lines[-10:]])) for name in names if name not in reported]
    if status and not any(result.reason for result in results):
        results.append(junit.Result("molecule", reason="\n".join([f"ended with status {status}", *lines[-10:]])))
    return results


def main(asked: list[str]) -> int:
    """Run the scenarios that are named, or all."""
    there = sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml") if path.parent.name != SHARED)
    names = asked or there
    unknown = set(names) - set(there)
    if unknown or not names:
        print(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(there) or 'none'}")
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="datain-molecule-") as folder:
        place = Path(folder)
        install(place)
        podman = os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":")[-1]
        status, lines = molecule(names, os.environ | {"ANSIBLE_COLLECTIONS_PATH": f"{place / 'collections'}:{podman}"})
    results = judge(names, status, lines)
    failed = sum(bool(result.reason) for result in results)
    if os.environ.get("DATAIN_REPORT"):
        junit.write(Path(os.environ["DATAIN_REPORT"]), "molecule", results)
    print(f"{time.monotonic() - started:.0f} seconds\n{len(results) - failed} passed, {failed} failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
