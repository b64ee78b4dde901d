# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/link-states.md says about tests is so: each row has one, and each named one runs on both flavours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "link-states.md").read_text()
FOLDER = "tests/integration"
ROWS = set(range(1, 21))
WALKED = [
    (int(row), f"{FOLDER}/{file}::{test}")
    for row, file, tests in re.findall(r"^\| (\d+) \| `(test_\w+\.py)` \| (.+) \|$", DOCUMENT, re.M)
    for test in re.findall(r"`(test_\w+)`", tests)
]


@pytest.fixture(scope="module")
def collected():
    """Every test of the files that are named, as pytest itself finds it, with its parameters."""
    files = sorted({test.partition("::")[0] for _row, test in WALKED})
    done = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^(\S+::test_\w+)\[(.+)\]$", done.stdout, re.M)


def test_every_row_is_described_and_walked():
    described = [int(row) for row in re.findall(r"^\| (\d{1,2}) \| (?!`test_)", DOCUMENT, re.M)]
    assert described == sorted(ROWS) and {row for row, _test in WALKED} == ROWS


@pytest.mark.parametrize("test", sorted({test for _row, test in WALKED}))
def test_a_named_test_runs_on_both_flavours(test, collected):
    flavours = {word for name, parameters in collected if name == test for word in parameters.split("-")}
    assert {"mysql", "mariadb"} <= flavours
