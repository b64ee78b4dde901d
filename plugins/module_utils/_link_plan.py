# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Everything that onboarding would do to one pair, read through one connection a server: the planners of all capabilities in one."""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass, replace

from . import _prerequisites, _source_plan
from ._errors import Refused
from ._link import plan_link
from ._link_change import WRONG_ADDRESS
from ._link_model import LinkPlan
from ._link_model import finding as link_finding
from ._link_read import WRONG_CA, read_link, wrong_address, wrong_certificate
from ._link_request import BACKUPS, LINK_OPTIONS, alignment, request_from, reset_command
from ._link_result import link_result
from ._link_start import wanted_method
from ._model import Finding, Plan, Step
from ._report import PLAN_OPTION
from ._rule import FAILED, UNKNOWN, WAIVED
from ._run import Capability, Context
from ._seed_request import SEED_PLAN_OPTIONS, plan_for_pair
from ._services import SERVICES
from ._state import LINK_LOCK, wait_free

# Rows of the table for a replica that has no link: what they say changes once a seed is made.
_WITHOUT_A_LINK = (3, 5, 6, 7, 8)
# Rules about what the source's own play sets right before the replica's begins.
_MENDED_BY_THE_SOURCE = frozenset(
    (
        "binlog.enabled",
        "binlog.format",
        "binlog.row_image",
        "binlog.retention",
        "binlog.retention_for_seed",
        "binlog.coordinates_present",
        "server_id.zero",
        "gtid.modes",
        "gtid.mode",
        "gtid.consistency",
        "link.tls_demanded",
        "link.plugin",
        "link.plugin_needs_tls",
    )
)
# What somebody may have to look at. The rest, which the summary counts, is most of it: a fleet's run would carry it about in each result.
_SHOWN = (FAILED, UNKNOWN, WAIVED)


@dataclass(frozen=True)
class Block:
    """One thing that keeps a pair from being linked."""

    code: str
    message: str
    hint: str | None

    def to_result(self) -> dict[str, t.Any]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


@dataclass(frozen=True)
class PairPlan:
    """The plans of all capabilities for one pair.

    :param seed: None where no seed is asked for
    :param source: what the source's play would do, as source_plan returns it
    :param certificate: why the link could never come up with the CA that is given, or None
    :param address: that another server answers where the link is to go, or None
    :param gate: the control plane has to align the GTIDs before the link can be made: by what, or ``none`` where that is the operator
    :param by_gtid: a link that is yet to be made would be one by GTID for which the control plane is needed
    """

    link: LinkPlan
    seed: Plan | None
    source: dict[str, t.Any]
    findings: tuple[Finding, ...] = ()
    certificate: str | None = None
    address: str | None = None
    gate: str = "none"
    by_gtid: bool = False

    @property
    def aligns(self) -> bool:
        """The control plane has to align the GTIDs, now or once the seed is there."""
        return self.by_gtid and (self.link_waits or self.link.align is not None)

    @property
    def aligned_by_run(self) -> bool:
        """The data is there, and the run itself asks the control plane to align it: no reason to stop."""
        return self.aligns and not self.link_waits and self.gate != "none"

    @property
    def seed_work(self) -> bool:
        return bool(self.seed and self.seed.changed and not self.seed.refusal)

    @property
    def link_waits(self) -> bool:
        """The link is judged once the seed is there: what is recorded now is about a copy that goes."""
        return self.seed_work and self.link.row in _WITHOUT_A_LINK

    @property
    def link_work(self) -> bool:
        return self.link_waits or self.aligned_by_run or (self.link.refusal is None and self.link.work)

    @property
    def makes(self) -> bool:
        """Data or a link would come about: only then do prerequisites block; a link that runs is not broken by them."""
        return self.seed_work or self.link_waits or self.aligned_by_run or self.link.verb == "link"

    @property
    def source_work(self) -> bool:
        return bool(self.source.get("binlog_work") or self.source.get("account_work"))


def blocks(plan: PairPlan, *, fail_on: str, check_mode: bool, hosts: tuple[str, str]) -> list[Block]:
    """Return what keeps the pair from being linked, all of it.

    :param hosts: names of source and replica in the inventory, for the command that mends it
    """
    found: list[Block] = []
    if plan.link.refusal and not plan.link_waits and not plan.aligned_by_run and not _seed_says_it(plan):
        found.append(Block(f"link.row_{plan.link.row}", plan.link.refusal, plan.link.hint))
    if plan.seed and plan.seed.refusal and plan.link.row in _WITHOUT_A_LINK:
        found.append(Block("seed", plan.seed.refusal, plan.seed.hint))
    if not plan.makes:
        return found
    if plan.certificate:
        found.append(Block("link.certificate", plan.certificate, WRONG_CA))
    if plan.address:
        found.append(Block("link.address", plan.address, WRONG_ADDRESS))
    found += [Block(f"source.{block['code']}", block["message"], block["hint"]) for block in plan.source.get("blocks", ())]
    pending = plan.source_work and check_mode
    if plan.source_work and not check_mode:
        found.append(
            Block(
                "source.not_ready",
                f"the source {hosts[0]} is not ready for replicas, and only its own play changes it",
                f"run with --limit '{hosts[0]},{hosts[1]}'",
            )
        )
    for finding in _prerequisites.blocking(plan.findings, fail_on) if fail_on != "none" else ():
        if not (pending and finding.rule in _MENDED_BY_THE_SOURCE):
            found.append(Block(finding.rule, _prerequisites.sentence(finding), finding.remedy))
    return found


def _seed_says_it(plan: PairPlan) -> bool:
    """Tell whether the seed's own refusal is the reason of the link's."""
    return bool(plan.link.row == 8 and plan.seed and plan.seed.refusal)


def actions(plan: PairPlan, check_mode: bool) -> list[dict[str, t.Any]]:
    """Return every step in order, across the capabilities."""
    steps: list[dict[str, t.Any]] = list(plan.source.get("actions", ())) if check_mode else []
    if plan.seed_work and plan.seed:
        steps += plan.seed.actions()
    if plan.aligns:
        steps.append(Step("align", "the control plane", f"the replica has to count the seed's transactions as executed; {BACKUPS}").to_result())
    if plan.link_waits or plan.aligned_by_run:
        steps.append(Step("link", "the replica", "where the seed says").to_result())
    elif plan.link.refusal is None:
        steps += plan.link.actions()
    return steps


def _backups(plan: PairPlan, options: dict[str, t.Any]) -> list[Finding]:
    """Return the warning that goes before the one step that cannot be taken back."""
    if not plan.aligns:
        return []
    who = "the run has to stop for it" if plan.gate == "none" else "the run does it by itself (datain_control_plane)"
    summary = f"the control plane has to give the replica the GTIDs of the seed, and {BACKUPS}; {who}"
    command = alignment(plan.link, options) or {"command": reset_command(options, "<GTIDs of the seed>")}
    return [link_finding("link.gtid_reset", "warning", summary, remedy=shlex.join(command["command"]))]


def _difference(plan: PairPlan) -> dict[str, t.Any]:
    before: dict[str, t.Any] = {"link": plan.link.before}
    after: dict[str, t.Any] = {"link": {"state": "started"} if plan.link_waits or plan.aligned_by_run else plan.link.after}
    if plan.seed:
        before["seed"], after["seed"] = plan.seed.before, plan.seed.after if plan.seed_work else plan.seed.before
    return {"before": before, "after": after}


def _stand_still(context: Context) -> None:
    """See that nobody has made the link meanwhile: then half of what was read is of before, and what it tells is of no use.

    :raises LockHeld: another run is at it
    :raises Refused: another run has made it
    """
    wait_free(context.replica.connection, LINK_LOCK)
    if context.replica.channels():
        raise Refused(
            "another run has made the link while this one was reading", server=context.replica.label, step="plan the link", hint="run again"
        )


def _run(context: Context) -> dict[str, t.Any]:
    options = context.parameters
    request = request_from(options)
    wait_free(context.replica.connection, LINK_LOCK)
    current = read_link(context, request)
    link = plan_link(current, request.desired)
    if request.desired.state == "absent":
        plan = PairPlan(link, None, {})
    else:
        source = _source_plan.plan_source(context.source, options)
        if context.check_mode and source["account_work"] and current.login:
            # The source's own play would have made the account by now, and who answers at the link's address is asked with that.
            current = replace(current, login="", answers=current.answers or context.source.identity)
            link = plan_link(current, request.desired)
        seed = plan_for_pair(context, options, linked=current.channel is not None, records=current.records)
        given = {"channels": list(current.channels), "records": current.records, "binlog_files": current.source_files}
        plan = PairPlan(link, seed, source, tuple(_prerequisites.findings_for_pair(context, options, given=given)))
        for server in (context.source, context.replica):
            if server.connection.lost:
                # To the rules that is a fact they could not read; to a plan it is the lack of one.
                raise server.connection.lost
        if plan.makes and request.desired.ca:
            plan = replace(plan, certificate=wrong_certificate(context, request))
        if plan.makes:
            plan = replace(plan, address=wrong_address(context, request))
        by_gtid = SERVICES[options["service"]].control_plane_gtid and wanted_method(current, request.desired) == "gtid"
        plan = replace(plan, gate=options["control_plane"], by_gtid=by_gtid)
    hosts = (options["source_name"] or context.source.label, options["replica_name"] or context.replica.label)
    found = blocks(plan, fail_on=options["fail_on"], check_mode=context.check_mode, hosts=hosts)
    if found and current.channel is None:
        _stand_still(context)
    work = not found and (plan.seed_work or plan.link_work)
    result = {
        # In check mode this is the task that says what would change: it is what --diff shows.
        "changed": context.check_mode and work,
        "plan": {
            "work": work,
            "seed_work": plan.seed_work,
            "link_work": plan.link_work,
            "source_work": plan.source_work,
            "row": link.row,
            "actions": actions(plan, context.check_mode),
            "blocks": [block.to_result() for block in found],
        },
        "link": link_result(current.channel),
        "identity": context.replica.identity.to_result(),
        "findings": [finding.to_result() for finding in (*plan.findings, *link.findings, *_backups(plan, options)) if finding.status in _SHOWN],
        "summary": _prerequisites.summarise(plan.findings, options["fail_on"]),
        "diff": _difference(plan),
    }
    if found:
        words = " ".join(f"({number}) {block.message}. Remedy: {block.hint or 'see the finding'}." for number, block in enumerate(found, 1))
        raise Refused(
            f"{len(found)} thing(s) in the way: {words}", server=context.replica.label, step="plan the link", details=result
        )
    return result


CAPABILITY = Capability(
    name="link_plan",
    options={
        **_prerequisites.PREREQUISITE_OPTIONS,
        **_source_plan.SOURCE_PLAN_OPTIONS,
        **SEED_PLAN_OPTIONS,
        **LINK_OPTIONS,
        "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
        "wait_timeout": {"type": "int", "default": 120},
        "control_plane": {"type": "str", "default": "none"},
        "source_name": {"type": "str"},
        "replica_name": {"type": "str"},
        **PLAN_OPTION,
    },
    run=_run,
)
