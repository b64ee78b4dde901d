# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""The tests of the lab share `asking`, which stands beside them."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from asking import BACKEND

# An engine, its commands and its dress are the same in a container: what is asked of them is asked once, of processes. Containers are
# tried with the two pairs of test_contract.py, and each server once with what differs in a container.
ONLY = {"process": ["test_engine_facts.py", "test_servers.py", "test_services.py"], "container": ["test_containers.py"]}
collect_ignore = [name for backend, names in ONLY.items() if backend != BACKEND for name in names]
