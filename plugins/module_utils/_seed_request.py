# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What the inventory wants of a seed, and the seed's part of the plan for a whole pair."""

from __future__ import annotations

import typing as t

from ._clients import find_tools
from ._coordinates import explicit_start
from ._errors import InputError, ToolError
from ._run import Context
from ._seed_plan import SeedDesired, SeedPlan, plan_seed, refuse, some
from ._seed_read import read_seed
from ._server import is_system_schema

ENGINES = ("dump", "external", "none", "mydumper")


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
