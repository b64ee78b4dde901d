# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Everything that onboarding would do to a source, read through one connection: the planners of its capabilities in one."""

from __future__ import annotations

import typing as t

from ._account import Desired
from ._account_plan import plan_account, validate
from ._account_read import read_account
from ._binlog import BINLOG_OPTIONS, read_binlog
from ._binlog_plan import DesiredBinlog, binlog_report, plan_binlog
from ._binlog_plan import validate as validate_binlog
from ._errors import DatainError, InputError, Refused, StatementError
from ._model import Plan
from ._replication_user import ACCOUNT_OPTIONS, account_report
from ._report import PLAN_OPTION
from ._run import Capability, Context
from ._server import Server

_EMPTY_ACCOUNT = ("plugin", "require_tls", "grants", "password", "locked", "attached")


def _block(capability: str, kind: str, message: str, hint: str | None) -> dict[str, t.Any]:
    return {"code": f"{capability}.{kind}", "message": message, "hint": hint}


def _refused(capability: str, plan: Plan) -> list[dict[str, t.Any]]:
    return [_block(capability, "refused", plan.refusal, plan.hint)] if plan.refusal else []


def _problem(capability: str, error: DatainError) -> list[dict[str, t.Any]]:
    return [_block(capability, "input" if isinstance(error, InputError) else "unreadable", error.message, error.hint)]


def _binlog_part(source: Server, desired: DesiredBinlog) -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """Return the report of binlog_config, and what is in its way."""
    state = read_binlog(source, desired)
    plan = plan_binlog(state, desired)
    return binlog_report(state, desired, plan), _refused("binlog", plan)


def _account_part(source: Server, desired: Desired) -> tuple[dict[str, t.Any], list[dict[str, t.Any]]]:
    """Return the report of replication_user, and what is in its way; an account that cannot be read is unknown."""
    unknown = {"user": desired.user, "host": desired.host, "present": None, **dict.fromkeys(_EMPTY_ACCOUNT)}
    report = {
        "changed": False,
        "account": unknown,
        "actions": [],
        "findings": [],
        "diff": {"before": None, "after": None},
    }
    try:
        validate(desired)
        state = read_account(source, desired)
    except (InputError, StatementError) as error:
        return report, _problem("account", error)
    plan = plan_account(state, desired)
    return {**account_report(plan), "account": plan.before}, _refused("account", plan)


def plan_source(source: Server, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return everything that onboarding would do to a source; what is in the way is in ``blocks``.

    :param options: SOURCE_PLAN_OPTIONS, validated
    :raises InputError: a retention or a server_id that cannot be meant
    """
    wanted = DesiredBinlog(options["retention"], options["gtid"], options["server_id"], options["source_service"])
    desired = Desired(
        user=options["replication_user"],
        host=options["replication_host"],
        password=options["replication_password"],
        require_tls=options["require_tls"],
        plugin=options["replication_plugin"],
        relink=options["relink"],
    )
    validate_binlog(wanted)
    log, log_blocks = _binlog_part(source, wanted)
    account, account_blocks = _account_part(source, desired)
    binlog = log["binlog"]
    binlog_work = log["changed"] or binlog["option_file_required"] or binlog["restart_required"]
    return {
        "work": not log_blocks and not account_blocks and (binlog_work or account["changed"]),
        "flavour": source.flavour,
        "binlog": binlog,
        "account": account["account"],
        "binlog_work": binlog_work,
        "account_work": account["changed"],
        "option_file": binlog["option_file"],
        "option_file_required": binlog["option_file_required"],
        "restart_required": binlog["restart_required"],
        "actions": log["actions"] + account["actions"],
        "findings": log["findings"] + account["findings"],
        "blocks": log_blocks + account_blocks,
        "difference": {
            "before": {"binlog": log["diff"]["before"], "account": account["diff"]["before"]},
            "after": {"binlog": log["diff"]["after"], "account": account["diff"]["after"]},
        },
    }


def _run(context: Context) -> dict[str, t.Any]:
    source = context.source
    plan = plan_source(source, context.parameters)
    difference = plan.pop("difference")
    blocks = plan["blocks"]
    # In check mode this is the task that says what would change: it is what --diff shows.
    result = {"changed": context.check_mode and plan["work"], "plan": plan, "diff": difference}
    if blocks:
        words = " ".join(f"({number}) {block['message']}. Remedy: {block['hint']}." for number, block in enumerate(blocks, 1))
        raise Refused(
            f"{len(blocks)} thing(s) in the way: {words}", server=source.label, step="plan the source", details=result
        )
    context.warnings += [f"{source.label}: {finding['summary']}" for finding in plan["findings"]]
    return result


SOURCE_PLAN_OPTIONS: dict[str, t.Any] = {
    **BINLOG_OPTIONS,
    "replication_user": {"type": "str", "required": True},
    "replication_password": {"type": "str", "required": True, "no_log": True},
    "replication_host": ACCOUNT_OPTIONS["host"],
    "require_tls": ACCOUNT_OPTIONS["require_tls"],
    "replication_plugin": ACCOUNT_OPTIONS["plugin"],
    "relink": ACCOUNT_OPTIONS["relink"],
}

CAPABILITY = Capability(name="source_plan", options={**SOURCE_PLAN_OPTIONS, **PLAN_OPTION}, run=_run, side="source")
