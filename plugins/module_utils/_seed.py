# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The replica holds a complete, consistent copy, and the coordinates that belong to it are recorded."""

from __future__ import annotations

import typing as t

from ._clients import find_tools
from ._coordinates import COORDINATES_OPTION
from ._errors import Refused
from ._model import Start
from ._run import SOURCE_OPTION, Capability, Context
from ._seed_apply import apply_seed
from ._seed_plan import SeedCurrent, SeedDesired, SeedPlan, plan_seed, shown, some
from ._seed_read import read_seed
from ._seed_request import ENGINES, desired_from
from ._state import LINK_LOCK, lock


def seed_result(document: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Return a seed in our own keys; every key is always there."""
    document = document or {}
    notes = document.get("notes") or {}
    return {
        "phase": document.get("phase"),
        "engine": document.get("engine"),
        "schemas": list(document.get("schemas") or ()),
        "start": document.get("start") or Start(origin="").to_result() | {"origin": None},
        "tables": notes.get("tables"),
        "bytes": notes.get("bytes"),
        "seconds": notes.get("seconds"),
        "definers": list(notes.get("definers") or ()),
        "events": list(notes.get("events") or ()),
    }


def _planned(context: Context, desired: SeedDesired) -> tuple[SeedCurrent, SeedPlan]:
    current = read_seed(context.source, context.replica, desired)
    plan = plan_seed(current, desired)
    if plan.refusal:
        raise Refused(
            plan.refusal,
            server=context.replica.label,
            step="plan the seed",
            hint=plan.hint,
            details={"seed": seed_result(current.seed), "actions": []},
        )
    return current, plan


def _run(context: Context) -> dict[str, t.Any]:
    parameters = context.parameters
    desired = desired_from(parameters, context.source.flavour)
    current, plan = _planned(context, desired)
    tools = None
    if plan.verb == "load":
        tools = find_tools(current.flavours, parameters["client_dir"], context.source.dialect.dump_clients)
    document = current.seed
    if context.check_mode and plan.changed:
        document = {**plan.after, "notes": {}}
    elif plan.changed:
        with lock(context.replica.connection, LINK_LOCK):
            current, plan = _planned(context, desired)
            document = current.seed
            if plan.changed:
                document = apply_seed(context, current, desired, plan, tools)
    for finding in plan.findings:
        context.warnings.append(f"{finding.summary}: {some(finding.objects)}. {finding.remedy}")
    after = plan.after if context.check_mode else shown(document)
    return {
        "changed": plan.changed,
        "seed": seed_result(document),
        "actions": plan.actions(),
        "diff": {"before": plan.before, "after": after},
    }


OPTIONS: dict[str, t.Any] = {
    "source": SOURCE_OPTION,
    "engine": {"type": "str", "choices": list(ENGINES), "default": "dump"},
    "schemas": {"type": "list", "elements": "str", "default": []},
    "method": {"type": "str", "choices": ["auto", "position", "gtid"], "default": "auto"},
    "coordinates": COORDINATES_OPTION,
    "client_dir": {"type": "str", "default": ""},
    "reseed": {"type": "bool", "default": False},
}

CAPABILITY = Capability(name="replica_seed", options=OPTIONS, run=_run)
