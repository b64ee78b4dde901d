# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The link is ``started``, ``stopped`` or ``absent``, to this source."""

from __future__ import annotations

import typing as t

from ._errors import DatainError, Refused
from ._link import plan_link
from ._link_apply import apply_link
from ._link_read import read_link
from ._link_request import LINK_OPTIONS, alignment, request_from
from ._link_result import link_result
from ._link_skip_apply import apply_skip
from ._model import Step
from ._probe import SWEEP, sweep
from ._run import Capability, Context
from ._state import LINK_LOCK, lock, wait_free


def _run(context: Context) -> dict[str, t.Any]:
    request = request_from(context.parameters)
    wait_free(context.replica.connection, LINK_LOCK)
    current = read_link(context, request)
    plan = plan_link(current, request.desired)
    channel = current.channel
    skipped: tuple[Step, ...] = ()
    # Not the table's matter: to that, what a check of the network has left does not exist.
    swept = (SWEEP,) if current.remains else ()
    if (swept or (plan.refusal is None and plan.work)) and not context.check_mode:
        with lock(context.replica.connection, LINK_LOCK):
            if swept:
                sweep(context.replica)
            # What was read before the lock was ours may have changed since.
            current = read_link(context, request)
            plan = plan_link(current, request.desired)
            try:
                while plan.skip:
                    # Each is passed before what comes after it can be judged.
                    apply_skip(context, request, plan, current)
                    skipped += plan.steps
                    current = read_link(context, request)
                    plan = plan_link(current, request.desired)
                channel = current.channel
                if plan.refusal is None and plan.work:
                    channel = apply_link(context, request, plan, current)
            except DatainError as error:
                error.details.setdefault("row", plan.row)
                raise
    if plan.refusal:
        first = alignment(plan, context.parameters)
        raise Refused(
            plan.refusal,
            server=context.replica.label,
            step="decide about the link",
            hint=plan.hint,
            details={
                "row": plan.row,
                "link": link_result(current.channel),
                # What was done before it came to this stays done.
                **({"actions": [step.to_result() for step in skipped]} if skipped else {}),
                **({"control_plane": first} if first else {}),
            },
        )
    return {
        "changed": plan.changed or bool(swept or skipped),
        "row": plan.row,
        "link": link_result(channel),
        "actions": [*(step.to_result() for step in (*swept, *skipped)), *plan.actions()],
        "findings": [finding.to_result() for finding in plan.findings],
        "diff": {"before": plan.before, "after": plan.after},
    }


CAPABILITY = Capability(
    name="replica_link",
    options={
        **LINK_OPTIONS,
        "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
        "wait_timeout": {"type": "int", "default": 120},
    },
    run=_run,
)
