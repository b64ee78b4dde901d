# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test imports the collection from this working tree, under its real name."""

import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).parent / "tools"

sys.dont_write_bytecode = True
sys.path.insert(0, subprocess.run([TOOLS / "tree.sh"], check=True, capture_output=True, text=True).stdout.strip())
