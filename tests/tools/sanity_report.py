# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns the JUnit files of ansible-test into one, and makes sure that no test was left out: sanity_report.py CORE STATUS FOLDER."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import junit

core, status, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
results = []
inapplicable = []
for path in sorted(folder.glob("*.xml")):
    name = re.sub(r"^.*?sanity-|\.xml$", "", path.name)
    for case in ET.parse(path).getroot().iter("testcase"):
        if any((child.text or "").strip() == "No tests applicable." for child in case.iter("skipped")):
            inapplicable.append(name)
            continue
        reason = next((f"{child.tag}: {child.get('message') or ''}\n{child.text or ''}" for child in case if child.tag in {"failure", "error", "skipped"}), "")
        results.append(junit.Result(name, float(case.get("time") or 0), reason))

listed = subprocess.run(["ansible-test", "sanity", "--list-tests"], capture_output=True, text=True, check=True).stdout.split()
done = {result.name for result in results} | set(inapplicable)
results += [junit.Result(name, reason="did not run") for name in listed if not any(name in other for other in done)]
if status and not any(result.reason for result in results):
    results.append(junit.Result("ansible-test", reason=f"ended with status {status}"))

for name in inapplicable:
    print(f"{core} {name}: the collection has no such file")
for result in results:
    if result.reason:
        print(f"FAILED {core} {result.name}: {result.reason.strip()}")
failed = sum(bool(result.reason) for result in results)
print(f"{len(results) - failed} passed, {failed} failed")
if os.environ.get("DATAIN_REPORT"):
    junit.write(Path(os.environ["DATAIN_REPORT"]), f"sanity-{core}", results)
sys.exit(bool(failed or not results))
