# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook without its start: imports once, then forks for each run.

Reads a line of JSON for each run: {arguments, environment, output}; answers with {pid}, and with {status} when it has ended.
Each run is a process group of its own, as if a shell had started it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import warnings

# What ansible-playbook imports on its way; missing it only costs time.
PRELOADED = (
    "pymysql",
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.module_utils.basic",
    "ansible.executor.task_executor",
    "ansible.executor.process.worker",
    "ansible.module_utils.connection",
    "ansible.playbook.handler_task_include",
    "ansible.playbook.role_include",
    "ansible.plugins.connection.local",
    "ansible.plugins.inventory.yaml",
    "multiprocessing.popen_fork",
    "multiprocessing.shared_memory",
    "multiprocessing.synchronize",
    "xml.dom.minidom",
)
COLLECTION = "ansible_collections.datain.azure_mysql.plugins"


def child(request: dict) -> None:
    """Be ansible-playbook."""
    os.setsid()
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    with open(request["output"], "wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.update(request["environment"], DATAIN_CUT_GROUP=str(os.getpid()))
    sys.argv = request["arguments"]
    # Only this program configures the collection loader twice.
    warnings.filterwarnings("ignore", message="AnsibleCollectionFinder")
    from ansible.cli.playbook import PlaybookCLI

    PlaybookCLI.cli_executor(request["arguments"])


def preload_collection() -> None:
    """Ansible compiles a collection's files anew in each process, as it keeps no byte code of them."""
    from ansible.plugins import loader
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()
    for kind in ("callback", "connection", "inventory", "shell", "strategy", "become", "cache", "vars", "filter", "test", "lookup"):
        list(getattr(loader, f"{kind}_loader").all(class_only=True) if kind not in ("filter", "test") else getattr(loader, f"{kind}_loader").all())
    for folder in ("module_utils", "plugin_utils"):
        package = importlib.import_module(f"{COLLECTION}.{folder}")
        for path in package.__path__:
            for name in sorted(os.listdir(path)):
                if name.endswith(".py") and name != "__init__.py":
                    importlib.import_module(f"{COLLECTION}.{folder}.{name[:-3]}")


def main() -> None:
    """Import what every run imports, then serve."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    preload_collection()
    gc.collect()
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            status = 250
            try:
                child(request)
                status = 0
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        print(json.dumps({"pid": pid}), flush=True)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"status": status}), flush=True)


if __name__ == "__main__":
    main()
