# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be said about the files without running them: lint.py [CHECK ...].

Each check is one test; what it finds is its reason. Where DATAIN_REPORT names a file, the results are left there as JUnit XML.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import junit
import yaml

ROOT = Path(__file__).resolve().parents[2]
TREE = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":")[0]) / "ansible_collections" / "datain" / "azure_mysql"
ARTIFACT = {"CHANGELOG.md", "FILES.json", "LICENSES", "MANIFEST.json", "README.md", "docs", "meta", "playbooks", "plugins", "roles"}

Check = Callable[[], Iterator[str]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Enter a check under its function's name."""
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


def tool(name: str, *command: str | Path, cwd: Path = ROOT) -> None:
    """Enter a command as a check: it finds something when it does not end with 0."""

    def run() -> Iterator[str]:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            yield done.stdout.strip() or f"ended with status {done.returncode} and said nothing"

    CHECKS[name] = run


def git_files(*patterns: str) -> list[str]:
    """The files that git knows or would take."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def shell_scripts() -> list[str]:
    """Our shell scripts, by name or by first line."""
    found = []
    for name in git_files():
        with (ROOT / name).open("rb") as file:
            first = file.readline(80)
        if name.endswith(".sh") or (first.startswith(b"#!") and first.rstrip().endswith(b"sh")):
            found.append(name)
    return found


tool("ansible-lint", "ansible-lint", "--offline", "--strict", "--nocolor", cwd=TREE)
tool("ruff", "ruff", "check", "--no-cache", "--output-format", "concise", ".")
tool("yamllint", "yamllint", "--strict", ".")
tool("reuse", "reuse", "lint")
tool("shellcheck", "shellcheck", "--external-sources", *shell_scripts())
tool("plugin-docs", "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=self", "--disallow-unknown-collection-refs", TREE)
tool("changelog", "antsibull-changelog", "lint", cwd=TREE)
tool("rules-page", sys.executable, "tests/tools/rules.py", "--check")


@check
def action_group() -> Iterator[str]:
    """Every module is in the action group, documents it, and every action plugin has its module."""
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())
    members = runtime["action_groups"]["all"]
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("*.py") if not path.stem.startswith("_")}
    actions = {path.stem for path in (ROOT / "plugins/action").glob("*.py") if not path.stem.startswith("_")}
    if not modules:
        yield "there is no module"
    if members != sorted(members):
        yield "meta/runtime.yml: the action group is not in alphabetical order"
    for name in sorted(modules - set(members)):
        yield f"{name}: not in meta/runtime.yml's action group"
    for name in sorted(set(members) - modules):
        yield f"{name}: in meta/runtime.yml's action group, but there is no such module"
    for name in sorted(actions - modules):
        yield f"plugins/action/{name}.py has no module, which is where an action plugin is documented"
    if modules:
        names = [f"datain.azure_mysql.{name}" for name in sorted(modules)]
        listed = subprocess.run(["ansible-doc", "--json", *names], cwd=ROOT, capture_output=True, text=True, check=True)
        for name, entry in json.loads(listed.stdout).items():
            membership = entry["doc"].get("attributes", {}).get("action_group", {}).get("membership", [])
            if membership != ["datain.azure_mysql.all"]:
                yield f"{name}: its documentation does not say that it is in the action group datain.azure_mysql.all"


@check
def argument_specs() -> Iterator[str]:
    """A default that a role's argument specification tells is the one that is applied.

    It may be applied by the role's own defaults, by the inventory contract's code, or by a default filter in the role.
    """
    roles = sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir())
    if not roles:
        yield "there is no role"
    contract = _contract_defaults()
    for role in roles:
        name = role.name
        specs = _yaml_in(role / "meta", "argument_specs")
        if not specs:
            yield f"{name}: no meta/argument_specs.yml"
            continue
        defaults = _yaml_in(role / "defaults", "main") or {}
        filters = _filter_defaults(role)
        entries = specs.get("argument_specs") or {}
        options = {key: option for entry in entries.values() for key, option in (entry.get("options") or {}).items()}
        for key in sorted(set(defaults) - set(options)):
            yield f"{name}: {key} has a default, but is not in the argument specification"
        for key in sorted(set(filters) - set(options)):
            yield f"{name}: {key} is used, but is not in the argument specification"
        for key, option in sorted(options.items()):
            if not option.get("description"):
                yield f"{name}: {key} has no description"
            applied = [defaults[key]] if key in defaults else [*contract.get(key, []), *filters.get(key, [])]
            if option.get("required") and key in defaults:
                yield f"{name}: {key} is required and has a default"
            if "default" not in option:
                continue
            if not applied:
                yield f"{name}: {key} has a default in its specification only, where it is never applied"
            for value in applied:
                if value != option["default"] and not _templated(value):
                    yield f"{name}: {key} is {value!r} if not given, and {option['default']!r} by its specification"


def _contract_defaults() -> dict[str, list]:
    """What the inventory contract's code takes for a variable that is not given: the constants in calls of value() and either()."""
    found: dict[str, list] = {}
    code = ROOT / "plugins/plugin_utils/_inventory.py"
    if not code.exists():
        return found
    for node in ast.walk(ast.parse(code.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        arguments = node.args[1:] if called.endswith(".value") else node.args if called == "either" else []
        if len(arguments) != 2 or not all(isinstance(argument, (ast.Constant, ast.List)) for argument in arguments):
            continue
        # An empty text stands for "not given" where a value is only looked at, not used.
        variable, value = (ast.literal_eval(argument) for argument in arguments)
        if value != "" and value not in found.setdefault(f"datain_{variable}", []):
            found[f"datain_{variable}"].append(value)
    return found


def _filter_defaults(role: Path) -> dict[str, list]:
    """The constants of `datain_x | default(constant)` in a role's files."""
    found: dict[str, list] = {}
    for path in sorted(path for folder in ("tasks", "templates", "vars", "handlers") for path in (role / folder).glob("**/*") if path.is_file()):
        for variable, value in re.findall(r"\b(datain_\w+) *\| *(?:ansible\.builtin\.)?default\(([^(){}|]*?)(?:, *true)?\)", path.read_text()):
            found.setdefault(variable, [])
            with contextlib.suppress(ValueError, SyntaxError):
                constant = ast.literal_eval({"true": "True", "false": "False"}.get(value, value))
                if constant not in found[variable]:
                    found[variable].append(constant)
    return found


@check
def role_files() -> Iterator[str]:
    """Galaxy's importer refuses a role without a README."""
    for role in sorted((ROOT / "roles").glob("*/")):
        if role.is_dir() and not (role / "README.md").is_file():
            yield f"{role.name}: no README.md"


@check
def artifact() -> Iterator[str]:
    """The artifact holds what a user needs, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        built = subprocess.run([ROOT / "tests/tools/build.sh", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        archives = list(Path(folder).glob("*.tar.gz"))
        if built.returncode or not archives:
            yield built.stdout
            return
        with tarfile.open(archives[0]) as archive:
            names = archive.getnames()
    top = {name.split("/")[0] for name in names}
    for name in sorted(top - ARTIFACT):
        yield f"{name} is in the artifact"
    for name in sorted(ARTIFACT - top):
        yield f"{name} is missing from the artifact"
    for name in names:
        if "__pycache__" in name or any(part.startswith(".") for part in name.split("/")):
            yield f"{name} is in the artifact"


def _yaml_in(folder: Path, stem: str) -> dict | None:
    for suffix in (".yml", ".yaml"):
        if (folder / f"{stem}{suffix}").is_file():
            return yaml.safe_load((folder / f"{stem}{suffix}").read_text()) or {}
    return None


def _templated(value: object) -> bool:
    return "{{" in str(value)


def main(names: list[str]) -> int:
    """Run the checks that are named, or all."""
    unknown = set(names) - set(CHECKS)
    if unknown:
        print(f"there is no check {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
        return 2
    results = []
    for name in names or CHECKS:
        started = time.monotonic()
        try:
            found = "\n".join(CHECKS[name]())
        except Exception as error:  # a check that breaks has not passed, and the others go on
            found = f"broke: {error!r}"
        results.append(junit.Result(name, time.monotonic() - started, found))
        print(f"{'FAILED' if found else 'ok':<7}{name} ({results[-1].seconds:.1f} s)", flush=True)
        for line in found.splitlines():
            print(f"       {line}")
    failed = sum(bool(result.reason) for result in results)
    if os.environ.get("DATAIN_REPORT"):
        junit.write(Path(os.environ["DATAIN_REPORT"]), "lint", results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
