# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The replica holds a complete, consistent copy, and the coordinates that belong to it are recorded."""

from __future__ import annotations

import re
import typing as t

from ._clients import find_tools
from ._errors import InputError, Refused, ToolError
from ._model import MARIADB, MYSQL, Coordinates, Start
from ._run import SOURCE_OPTION, Capability, Context
from ._seed_apply import apply_seed
from ._seed_plan import SeedCurrent, SeedDesired, SeedPlan, plan_seed, refuse, shown, some
from ._seed_read import read_seed
from ._server import is_system_schema
from ._state import LINK_LOCK, lock

ENGINES = ("dump", "external", "none", "mydumper")


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


_MYSQL_GTID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(:[a-z_]\w{0,31})?(:\d+(-\d+)?(:[a-z_]\w{0,31})?)+"
_GTID_FORMS = {MYSQL: rf"{_MYSQL_GTID}(,{_MYSQL_GTID})*", MARIADB: r"\d+-\d+-\d+(,\d+-\d+-\d+)*"}


def explicit_start(value: dict[str, t.Any] | None, flavour: str) -> Start | None:
    """Return the coordinates that an operator gives, or None for none.

    :raises InputError: they are no coordinates, or two kinds at once
    """
    given = {key: item for key, item in (value or {}).items() if item not in (None, "")}
    if not given:
        return None
    hint = "give datain_link_coordinates as {file: binlog.000123, position: 4567} or as {gtid: …}"
    if set(given) not in ({"file", "position"}, {"gtid"}):
        raise InputError("coordinates are a file and a position, or a GTID, not " + " and ".join(sorted(given)), hint=hint)
    if "gtid" in given:
        gtid = re.sub(r"\s+", "", given["gtid"])
        if not re.fullmatch(_GTID_FORMS[flavour], gtid):
            raise InputError(f"{gtid!r} is no GTID of {'MariaDB' if flavour == MARIADB else 'MySQL'}", hint=hint)
        return Start(None, gtid, "explicit")
    try:
        return Start(Coordinates(given["file"], int(given["position"])), None, "explicit")
    except ValueError as error:
        raise InputError(f"{error}", hint=hint) from None


def desired_from(parameters: dict[str, t.Any], flavour: str) -> SeedDesired:
    """Return what the options ask for.

    :raises InputError: it cannot be meant
    """
    system = [name for name in parameters["schemas"] if is_system_schema(name)]
    if system:
        raise InputError(f"{some(system)} belongs to the server, not to a user", hint="leave it out of datain_schemas")
    coordinates = explicit_start(parameters["coordinates"], flavour)
    if parameters["engine"] == "external" and coordinates is None:
        raise InputError("datain_seed is external, but no coordinates are given", hint="give datain_link_coordinates")
    return SeedDesired(
        engine=parameters["engine"],
        schemas=tuple(dict.fromkeys(parameters["schemas"])),
        method=parameters["method"],
        coordinates=coordinates,
        reseed=parameters["reseed"],
    )


# What a plan for the whole pair takes beside its own options.
SEED_PLAN_OPTIONS: dict[str, t.Any] = {
    "seed": {"type": "str", "choices": list(ENGINES), "default": "dump"},
    "schemas": {"type": "list", "elements": "str", "default": []},
    "client_dir": {"type": "str", "default": ""},
    "reseed": {"type": "bool", "default": False},
}


def plan_for_pair(
    context: Context, options: dict[str, t.Any], *, linked: bool, records: dict[str, dict[str, t.Any]] | None = None
) -> SeedPlan | None:
    """Return the plan of the seed as a part of the plan for a pair; None where no seed is asked for.

    :param options: SEED_PLAN_OPTIONS, and ``method`` and ``coordinates`` of a link
    :param linked: the replica has a channel
    :param records: the rows kept beside the data, where the caller has read them already
    """
    if options["seed"] == "none":
        return None
    desired = desired_from({**options, "engine": options["seed"]}, context.source.flavour)
    current = read_seed(context.source, context.replica, desired, records=records, channels=int(linked))
    plan = plan_seed(current, desired)
    if plan.verb == "load":
        try:
            find_tools(current.flavours, options["client_dir"], context.source.dialect.dump_clients)
        except ToolError as error:
            return refuse(current, error.message, error.hint or "")
    return plan


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
    "coordinates": {
        "type": "dict",
        "options": {"file": {"type": "str"}, "position": {"type": "int"}, "gtid": {"type": "str"}},
    },
    "client_dir": {"type": "str", "default": ""},
    "reseed": {"type": "bool", "default": False},
}

CAPABILITY = Capability(name="replica_seed", options=OPTIONS, run=_run)
