# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""The tests of the lab share `asking`, which stands beside them."""

from __future__ import annotations

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

# An engine is the same in a container: what is asked of it alone is asked once.
collect_ignore = ["test_engine_facts.py"] if os.environ.get("DATAIN_LAB_BACKEND") == "container" else []
