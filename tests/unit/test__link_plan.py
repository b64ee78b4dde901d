# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What blocks a pair, and what does not, across the plans of all capabilities."""

from __future__ import annotations

from ansible_collections.datain.azure_mysql.plugins.module_utils import _link_plan, _prerequisites
from ansible_collections.datain.azure_mysql.plugins.module_utils._link import LinkPlan
from ansible_collections.datain.azure_mysql.plugins.module_utils._link_plan import PairPlan, actions, blocks
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Finding, Plan, Step

FRESH = LinkPlan(row=8, verb="refuse", refusal="nothing says where to start", hint="seed")
RUNS = LinkPlan(row=16, verb="keep")
SEED = Plan(steps=(Step("copy_schema", "shop"),), before={}, after={"phase": "complete"})
DONE = Plan(before={}, after={})
READY: dict = {"binlog_work": False, "account_work": False, "blocks": [], "actions": []}
NOT_READY: dict = {**READY, "account_work": True, "actions": [{"action": "create"}]}


def finding(rule: str, status: str = "failed", severity: str = "error") -> Finding:
    return Finding(rule=rule, side="source", status=status, severity=severity, summary="no", remedy="mend it")


def codes(plan: PairPlan, fail_on: str = "error", check_mode: bool = False) -> list[str]:
    return [block.code for block in blocks(plan, fail_on=fail_on, check_mode=check_mode, hosts=("db", "az"))]


def test_a_link_waits_for_its_seed() -> None:
    plan = PairPlan(FRESH, SEED, READY)
    assert plan.seed_work and plan.link_work and codes(plan) == []
    assert [step["action"] for step in actions(plan, False)] == ["copy_schema", "link"]


def test_without_a_seed_the_link_says_why() -> None:
    assert codes(PairPlan(FRESH, None, READY)) == ["link.row_8"]


def test_a_refused_seed_is_told_once() -> None:
    assert codes(PairPlan(FRESH, Plan(refusal="foreign data", hint="drop it"), READY)) == ["seed"]


def test_a_seed_made_anew_overrules_what_the_old_one_says() -> None:
    purged = LinkPlan(row=6, verb="refuse", refusal="the source no longer has it", hint="set datain_reseed: true")
    assert codes(PairPlan(purged, SEED, READY)) == []
    assert codes(PairPlan(purged, DONE, READY)) == ["link.row_6"]


def test_a_ca_that_does_not_fit_is_told_before_anything_is_copied() -> None:
    assert codes(PairPlan(FRESH, SEED, READY, certificate="no")) == ["link.certificate"]
    assert codes(PairPlan(RUNS, DONE, READY, certificate="no")) == []


def test_a_running_link_is_not_broken_by_findings_nor_by_its_source() -> None:
    plan = PairPlan(RUNS, DONE, NOT_READY, (finding("schema.no_primary_key"),))
    assert codes(plan) == [] and not plan.link_work


def test_findings_block_a_new_link() -> None:
    found = (finding("schema.engines"), finding("variables.sql_mode", severity="warning"), finding("binlog.format", status="passed"))
    assert codes(PairPlan(FRESH, SEED, READY, found)) == ["schema.engines"]
    assert codes(PairPlan(FRESH, SEED, READY, found), fail_on="warning") == ["schema.engines", "variables.sql_mode"]
    assert codes(PairPlan(FRESH, SEED, READY, found), fail_on="none") == []


def test_a_source_that_is_not_ready() -> None:
    found = (finding("binlog.format"), finding("schema.engines"))
    plan = PairPlan(FRESH, SEED, NOT_READY, found)
    assert codes(plan) == ["source.not_ready", "binlog.format", "schema.engines"]
    hint = blocks(plan, fail_on="error", check_mode=False, hosts=("db", "az"))[0].hint
    assert hint == "run with --limit 'db,az'"
    # In check mode the source's own play has told its part already.
    assert codes(plan, check_mode=True) == ["schema.engines"]


def test_what_the_source_mends_are_real_rules() -> None:
    assert set(_prerequisites.BY_ID) >= _link_plan._MENDED_BY_THE_SOURCE
