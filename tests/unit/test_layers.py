# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports point down only, and what only one file may know, only that file knows.

The rules are data; each is also shown a made-up file that breaks it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLLECTION = "ansible_collections.datain.azure_mysql"

# From the lowest to the highest. A file of module_utils that is not named is a capability.
# Files of one layer may import each other, but never in a circle.
CAPABILITY = "capability"
LAYERS = (
    ("module_utils/_errors", "module_utils/_model", "module_utils/_event", "module_utils/_sql", "module_utils/_password_hash"),
    ("module_utils/_connection", "module_utils/_dialect"),
    ("module_utils/_services",),
    ("module_utils/_procedures",),
    ("module_utils/_server",),
    ("module_utils/_state",),
    # The frame that a capability is run in: the only one of them that knows what Ansible is.
    ("module_utils/_run",),
    (CAPABILITY,),
    ("plugin_utils", "filter"),
    ("modules", "action"),
)
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# What only looks. Nothing that seeds or links may come with it, not even unused.
READING = ("module_utils/_link_plan", "module_utils/_prerequisites", "module_utils/_replica_info", "module_utils/_source_info")
CHANGING = re.compile(r"module_utils/\w+_(apply|load|lock)")
DRIVER = {"module_utils/_connection"}
PROCEDURES = {"module_utils/_procedures"}
# What may be imported of Ansible, by the beginning of the importing file's name; the longest that fits counts.
ANSIBLE = {
    "module_utils": (),
    "module_utils/_run": ("ansible.module_utils",),
    "modules": ("ansible.module_utils",),
    "plugin_utils": ("ansible",),
    "action": ("ansible",),
    "filter": ("ansible",),
}
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
SQL = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|(CREATE|ALTER|DROP)\s+\w+|GRANT\s|REVOKE\s|SHOW\s+\w+"
    r"|SET\s+(GLOBAL|SESSION|PERSIST|@)|CALL\s+\S+|FLUSH\s+\w+|CHANGE\s+\w+|(START|STOP|RESET)\s+(SLAVE|REPLICA|MASTER|TRANSACTION)|LOCK\s+\w+|PURGE\s)"
)


@dataclass(frozen=True)
class Source:
    """A Python file below plugins/, named as in 'module_utils/_link'."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def rank(self) -> int:
        folder = self.name.split("/")[0]
        return RANKS.get(self.name, RANKS.get(folder, RANKS[CAPABILITY]))

    @cached_property
    def imports(self) -> tuple[tuple[int, str], ...]:
        """Line and full dotted name of everything that is imported, also below functions."""
        package = f"{COLLECTION}.plugins.{self.name}".replace("/", ".").split(".")[:-1]
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"importlib.import_module", "import_module", "__import__"}:
                found += [(node.lineno, arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant)]
        return tuple(found)

    @cached_property
    def strings(self) -> tuple[tuple[int, str], ...]:
        """Line and text of every string that is not documentation."""
        documentation = set()
        for node in ast.walk(self.tree):
            body = getattr(node, "body", None)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and body and isinstance(body[0], ast.Expr):
                documentation.add(id(body[0].value))
            if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id in DOCUMENTATION for target in node.targets):
                documentation.update(id(child) for child in ast.walk(node.value))
        return tuple(
            (node.lineno, node.value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
        )


def sources() -> dict[str, Source]:
    """Every Python file of the plugins."""
    plugins = ROOT / "plugins"
    found = {}
    for path in sorted(plugins.rglob("*.py")):
        name = path.relative_to(plugins).with_suffix("").as_posix()
        if not name.startswith("doc_fragments/"):
            found[name] = Source(name, path.read_text())
    return found


def own_imports(source: Source, everything: dict[str, Source]) -> Iterator[tuple[int, str]]:
    """The files of this collection that a file imports."""
    prefix = f"{COLLECTION}.plugins."
    for line, imported in source.imports:
        if not imported.startswith(prefix):
            continue
        parts = imported[len(prefix) :].split(".")
        # The last part may be a name in the file.
        for length in range(len(parts), 0, -1):
            name = "/".join(parts[:length])
            if name in everything:
                yield line, name
                break


def upward_imports(source: Source, everything: dict[str, Source]) -> list[str]:
    """Imports of a layer above."""
    return [f"line {line} imports {name}, which is above" for line, name in own_imports(source, everything) if everything[name].rank > source.rank]


def ways(source: Source, everything: dict[str, Source], ends: Callable[[str], object]) -> list[str]:
    """The ways from a file to those that are looked for."""
    found = []

    def follow(name: str, way: tuple[str, ...]) -> None:
        for _line, below in own_imports(everything[name], everything):
            if ends(below):
                found.append(" imports ".join((*way, below)))
            elif below not in seen:
                seen.add(below)
                follow(below, (*way, below))

    seen: set[str] = set()
    follow(source.name, (source.name,))
    return found


def circular_imports(source: Source, everything: dict[str, Source]) -> list[str]:
    """The ways that lead back to the file itself."""
    return ways(source, everything, lambda name: name == source.name)


def changing_imports(source: Source, everything: dict[str, Source]) -> list[str]:
    """The ways from a file that only looks to one that seeds or links."""
    return ways(source, everything, CHANGING.fullmatch) if source.name in READING else []


def foreign_imports(source: Source, everything: dict[str, Source]) -> list[str]:
    """The driver and Ansible where they must not be known."""
    del everything
    fitting = max((name for name in ANSIBLE if source.name == name or source.name.startswith(f"{name}/")), key=len, default="")
    allowed = ANSIBLE.get(fitting, ())
    found = []
    for line, imported in source.imports:
        top = imported.split(".")[0]
        if top == "pymysql" and source.name not in DRIVER:
            found.append(f"line {line} imports the driver")
        if top == "ansible" and not any(imported == name or imported.startswith(f"{name}.") for name in allowed):
            found.append(f"line {line} imports {imported}")
    return found


def procedure_names(source: Source, everything: dict[str, Source]) -> list[str]:
    """The managed service's procedures named anywhere but in their table."""
    del everything
    if source.name in PROCEDURES:
        return []
    return [f"line {line} names a procedure" for line, text in source.strings if "az_replication" in text]


def statements(source: Source, everything: dict[str, Source]) -> list[str]:
    """SQL in the files that only lead to a capability."""
    del everything
    if source.rank <= RANKS[CAPABILITY]:
        return []
    return [f"line {line} holds SQL: {text.strip()[:40]}" for line, text in source.strings if SQL.match(text)]


RULES = (upward_imports, circular_imports, changing_imports, foreign_imports, procedure_names, statements)
SOURCES = sources()


def test_there_is_something_to_look_at():
    assert {"module_utils/_connection", "module_utils/_procedures", "module_utils/_run"} <= set(SOURCES)
    named = {name for name in RANKS if name.startswith("module_utils/")}
    assert named <= set(SOURCES), "the table of layers names files that do not exist"
    assert any(list(own_imports(source, SOURCES)) for source in SOURCES.values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_layers(source, rule):
    assert rule(source, SOURCES) == []


BAD = (
    (upward_imports, "module_utils/_errors", "from ._server import Server"),
    (upward_imports, "module_utils/_server", "from . import _run"),
    (upward_imports, "module_utils/_connection", "def late():\n    from ._state import Records"),
    (upward_imports, "module_utils/_run", "from ._made_up import plan"),
    (upward_imports, "module_utils/_made_up", f"from {COLLECTION}.plugins.plugin_utils._action import CapabilityAction"),
    (upward_imports, "plugin_utils/_made_up", f"import {COLLECTION}.plugins.action.source_info"),
    (circular_imports, "module_utils/_made_up", "from ._made_up_too import plan"),
    (changing_imports, "module_utils/_prerequisites", "from ._replica_link import LINK_OPTIONS"),
    (foreign_imports, "module_utils/_server", "import pymysql.cursors"),
    (foreign_imports, "modules/made_up", "from pymysql import err"),
    (foreign_imports, "module_utils/_server", "import importlib\nimportlib.import_module('pymysql')"),
    (foreign_imports, "module_utils/_made_up", "from ansible.module_utils.basic import AnsibleModule"),
    (foreign_imports, "module_utils/_run", "from ansible.plugins.action import ActionBase"),
    (foreign_imports, "modules/made_up", "import ansible.constants"),
    (procedure_names, "module_utils/_made_up", "CALL = 'mysql.az_replication_start'"),
    (procedure_names, "modules/made_up", "def main(verb):\n    return f'mysql.az_replication_{verb}'"),
    (statements, "modules/made_up", "QUERY = 'SELECT 1'"),
    (statements, "action/made_up", "def run(name):\n    return f'SET GLOBAL {name} = 1'"),
)


@pytest.mark.parametrize(("rule", "name", "text"), BAD)
def test_a_bad_file_is_found(rule, name, text):
    other = Source("module_utils/_made_up_too", "from ._made_up import read")
    bad = Source(name, text)
    everything = {"module_utils/_made_up": Source("module_utils/_made_up", ""), **SOURCES, other.name: other, name: bad}
    assert rule(bad, everything) != []


def test_documentation_may_name_what_code_may_not():
    text = '"""Calls mysql.az_replication_start."""\nEXAMPLES = r"""SELECT mysql.az_replication_stop"""\n# mysql.az_replication_stop\n'
    source = Source("modules/made_up", text)
    assert [rule(source, SOURCES | {source.name: source}) for rule in RULES] == [[]] * len(RULES)
