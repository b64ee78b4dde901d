# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""The tests of the lab share `asking`, which stands beside them."""

from __future__ import annotations

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

# An engine, its commands and its dress are the same in a container: what is asked of them is asked once, of processes, and
# containers are tried with the two pairs of test_contract.py.
OF_PROCESSES = ["test_engine_facts.py", "test_servers.py", "test_services.py"]
collect_ignore = OF_PROCESSES if os.environ.get("DATAIN_LAB_BACKEND") == "container" else []
