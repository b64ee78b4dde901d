# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about a seed, and what may be given to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Coordinates, Identity, Start
from ansible_collections.datain.azure_mysql.plugins.module_utils._seed import seed_result
from ansible_collections.datain.azure_mysql.plugins.module_utils._seed_plan import (
    SeedCurrent,
    SeedDesired,
    SeedFacts,
    Table,
    log_danger,
    plan_seed,
)
from ansible_collections.datain.azure_mysql.plugins.module_utils._seed_read import _may
from ansible_collections.datain.azure_mysql.plugins.module_utils._state import identities

SOURCE, REPLICA, OTHER = Identity(1, "uuid-1"), Identity(2, "uuid-2"), Identity(3, "uuid-3")
UTF8 = ("utf8mb4", "utf8mb4_0900_ai_ci")
START = Start(Coordinates("b.000001", 400), None, "explicit")


def row(phase="complete", engine="dump", source=SOURCE, **other):
    return {
        "id": "abc", "phase": phase, "engine": engine, "identities": identities(source, REPLICA),
        "schemas": ["shop"], "created": ["shop"], "start": START.to_result(), **other,
    }


def facts(**other):
    return replace(
        SeedFacts(
            schemas={"source": {"shop": UTF8, "blog": UTF8}, "replica": {}},
            tables=(Table("shop", "orders", "BASE TABLE", "InnoDB", 5 << 20), Table("blog", "posts", "BASE TABLE", "InnoDB", 1 << 20)),
            occupied={},
        ),
        **other,
    )


def on_replica(**schemas):
    """Facts where these schemas are on the replica, with this many things in each."""
    return facts(
        schemas={"source": {"shop": UTF8, "blog": UTF8}, "replica": dict.fromkeys(schemas, UTF8)},
        occupied={name: count for name, count in schemas.items() if count},
    )


def current(**other):
    return replace(SeedCurrent(("mysql", "mysql"), SOURCE, REPLICA, 0, {}, facts=facts()), **other)


def verbs(plan):
    return [(step.action, step.target) for step in plan.steps]


def test_a_fresh_pair():
    plan = plan_seed(current(), SeedDesired())
    assert plan.verb == "load"
    assert verbs(plan) == [("copy_schema", "blog"), ("copy_schema", "shop"), ("record", "the seed")]
    assert "1 tables, about 5 MB" in plan.steps[1].reason
    assert (plan.schemas, plan.created, plan.drop) == (("blog", "shop"), ("blog", "shop"), ())
    assert plan.before == {"phase": None, "engine": None, "schemas": None, "start": None}
    assert plan.after["phase"] == "complete"


def test_only_some_schemas():
    assert plan_seed(current(), SeedDesired(schemas=("shop",))).schemas == ("shop",)


def test_an_empty_source_has_coordinates_too():
    plan = plan_seed(current(facts=facts(schemas={"source": {}, "replica": {}}, tables=())), SeedDesired())
    assert verbs(plan) == [("record", "the seed")]


def test_complete_is_complete():
    for desired in (SeedDesired(), SeedDesired(schemas=("other",)), SeedDesired(engine="external", coordinates=START)):
        plan = plan_seed(current(records={"seed": row()}, facts=None), desired)
        assert (plan.verb, plan.changed, plan.refusal) == ("keep", False, None)


def test_a_record_of_another_source_counts_for_nothing():
    plan = plan_seed(current(records={"seed": row(source=OTHER)}, facts=on_replica(shop=3)), SeedDesired())
    assert "already holds data in shop" in plan.refusal


def test_an_interrupted_seed_is_dropped_and_made_anew():
    plan = plan_seed(current(records={"seed": row("loading", created=["shop", "gone"])}, facts=on_replica(shop=3)), SeedDesired())
    assert verbs(plan)[0] == ("drop_schema", "shop")
    assert plan.drop == ("shop",)
    assert plan.created == ("blog", "gone", "shop")
    assert plan.before["phase"] == "loading"


def test_an_interrupted_seed_drops_nothing_else():
    plan = plan_seed(current(records={"seed": row("loading", created=["shop"])}, facts=on_replica(shop=3, blog=1)), SeedDesired())
    assert "already holds data in blog" in plan.refusal
    plan = plan_seed(current(records={"seed": row("loading")}, facts=on_replica(shop=3, blog=1)), SeedDesired(schemas=("shop",)))
    assert plan.drop == ("shop",)


@pytest.mark.parametrize("here", [{"shop": 3}, {"shop": 1, "blog": 0}])
def test_foreign_data(here):
    plan = plan_seed(current(facts=on_replica(**here)), SeedDesired())
    assert plan.refusal == "the replica already holds data in shop, and nothing says that it is a copy of this source"
    for way_out in ("drop these schemas", "datain_schemas", "external", "datain_reseed"):
        assert way_out in plan.hint
    assert not plan.changed


def test_an_empty_schema_is_no_data():
    plan = plan_seed(current(facts=on_replica(shop=0)), SeedDesired())
    assert (plan.verb, plan.drop, plan.align) == ("load", (), ())


def test_an_empty_schema_gets_the_source_s_character_set():
    here = facts(schemas={"source": {"shop": UTF8}, "replica": {"shop": ("latin1", "latin1_swedish_ci")}})
    plan = plan_seed(current(facts=here), SeedDesired())
    assert plan.align == (("shop", *UTF8),)
    assert verbs(plan)[0] == ("alter_schema", "shop")


def test_names_in_small_letters():
    here = facts(schemas={"source": {"Shop": UTF8}, "replica": {"shop": UTF8}}, occupied={"shop": 1}, fold=True)
    assert "holds data in Shop" in plan_seed(current(facts=here), SeedDesired()).refusal
    plan = plan_seed(current(facts=here, records={"seed": row("loading")}), SeedDesired())
    assert (plan.schemas, plan.drop) == (("Shop",), ("shop",))


class TestReseed:
    DESIRED = SeedDesired(reseed=True)

    def test_it_makes_a_complete_one_anew(self):
        plan = plan_seed(current(records={"seed": row()}, facts=on_replica(shop=3)), self.DESIRED)
        assert verbs(plan)[0] == ("drop_schema", "shop")

    def test_it_may_drop_what_others_made(self):
        assert plan_seed(current(facts=on_replica(shop=3, blog=1, mine=1)), self.DESIRED).drop == ("blog", "shop")

    def test_not_while_linked(self):
        plan = plan_seed(current(records={"seed": row()}, channels=1, facts=None), self.DESIRED)
        assert "is linked" in plan.refusal

    def test_it_makes_a_promoted_server_a_replica_again(self):
        records = {"cutover": {"phase": "promoted", "identities": identities(SOURCE, REPLICA)}, "seed": row()}
        assert "promoted" in plan_seed(current(records=records, facts=None), SeedDesired()).refusal
        plan = plan_seed(current(records=records, facts=on_replica(shop=2)), self.DESIRED)
        assert plan.forget and plan.drop == ("shop",)

    def test_one_that_was_cut_goes_on_without_being_asked_again(self):
        records = {"cutover": {"phase": "promoted", "identities": identities(SOURCE, REPLICA)}, "seed": row("loading")}
        plan = plan_seed(current(records=records, facts=on_replica(shop=2)), SeedDesired())
        assert plan.forget and plan.verb == "load"


class TestLinked:
    def test_a_link_by_hand_is_left_alone(self):
        assert plan_seed(current(channels=1, facts=None), SeedDesired()).verb == "keep"

    def test_a_link_on_half_a_copy_is_not(self):
        assert "interrupted" in plan_seed(current(channels=1, records={"seed": row("loading")}, facts=None), SeedDesired()).refusal


class TestExternal:
    DESIRED = SeedDesired(engine="external", coordinates=START)

    def test_it_is_recorded(self):
        plan = plan_seed(current(facts=on_replica(shop=3, blog=1)), self.DESIRED)
        assert (plan.verb, plan.start) == ("record", START)
        assert plan.after["engine"] == "external"

    def test_the_copy_must_be_there(self):
        assert "no schema blog" in plan_seed(current(facts=on_replica(shop=3)), self.DESIRED).refusal
        assert plan_seed(current(facts=on_replica(shop=3)), replace(self.DESIRED, schemas=("shop",))).verb == "record"

    def test_other_coordinates_count_until_a_link_was_made(self):
        other = replace(self.DESIRED, coordinates=Start(Coordinates("b.000002", 4), None, "explicit"))
        records = {"seed": row(engine="external")}
        assert plan_seed(current(records=records, facts=None), self.DESIRED).verb == "keep"
        assert plan_seed(current(records=records, facts=on_replica(shop=1, blog=1)), other).verb == "record"
        records["link"] = {"phase": "removed", "seed": "abc", "identities": identities(SOURCE, REPLICA)}
        assert plan_seed(current(records=records, facts=None), other).verb == "keep"

    def test_half_a_copy_of_ours_is_not_vouched_for(self):
        plan = plan_seed(current(records={"seed": row("loading")}, facts=on_replica(shop=3, blog=1)), self.DESIRED)
        assert "interrupted seed has left" in plan.refusal


def test_none_and_mydumper():
    assert plan_seed(current(facts=None), SeedDesired(engine="none")).verb == "keep"
    assert "not there yet" in plan_seed(current(facts=None), SeedDesired(engine="mydumper")).refusal


@pytest.mark.parametrize(
    ("change", "desired", "says"),
    [
        ({"logs": False}, SeedDesired(), "no binary log"),
        ({"gtid_mode": "OFF"}, SeedDesired(method="gtid"), "gtid_mode is OFF"),
        ({"may_lock": False}, SeedDesired(), "lacks RELOAD"),
        ({"broken_names": ("shop.a\nb",)}, SeedDesired(), r"line break in them: shop.a\\nb"),
        ({"programs": (("trigger", "shop", "t"),), "may_program": False}, SeedDesired(), "1419"),
        ({}, SeedDesired(schemas=("shop", "nope")), "no schema nope"),
    ],
)
def test_what_cannot_be_dumped(change, desired, says):
    plan = plan_seed(current(facts=facts(**change)), desired)
    assert plan.refusal and plan.hint
    assert says.replace("\\\\", "\\") in plan.refusal


def test_procedures_alone_need_no_right():
    assert plan_seed(current(facts=facts(programs=(("procedure", "shop", "p"), ("event", "shop", "e")), may_program=False)), SeedDesired()).changed


def test_two_flavours():
    assert "not of one flavour" in plan_seed(current(flavours=("mariadb", "mysql")), SeedDesired()).refusal


def test_strict_gtids_on_a_linked_replica():
    assert "cannot be recorded" in plan_seed(current(not_writable="strict", facts=None), SeedDesired()).refusal


def test_tables_outside_the_snapshot_are_said():
    plan = plan_seed(current(facts=facts(tables=(Table("shop", "x", "BASE TABLE", "MyISAM", 1),))), SeedDesired())
    assert plan.findings[0].objects == ("shop.x",)
    assert plan.changed


@pytest.mark.parametrize(
    ("grants", "held"),
    [
        (("GRANT USAGE ON *.* TO `a`@`%`",), False),
        (("GRANT SELECT, RELOAD ON *.* TO `a`@`%`",), True),
        (("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`",), True),
        (("GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`",), False),
        (("GRANT USAGE ON *.* TO `a`@`%`", "GRANT FLUSH_TABLES,XA_RECOVER_ADMIN ON *.* TO `a`@`%`"), True),
        (("GRANT USAGE ON *.* TO `a`@`%`", "GRANT `dba`@`%` TO `a`@`%`"), True),
    ],
)
def test_rights(grants, held):
    assert _may(grants, "RELOAD", "FLUSH_TABLES") is held


class TestLogDanger:
    START = Coordinates("b.000002", 4)
    FILES = {"b.000002": 10, "b.000003": 10}

    def test_gone(self):
        assert "has purged b.000002" in log_danger(self.START, {"b.000003": 10}, 1, 0, 0.5)

    @pytest.mark.parametrize(
        ("files", "seconds", "retention", "fraction", "danger"),
        [
            (FILES, 900, 1000, 0.5, True),  # 900 s more, in 100 s it is gone
            (FILES, 900, 1000, 0.95, False),  # 47 s more
            (FILES, 700, 1000, 0.1, False),  # too early to tell
            (FILES, 900, 0, 0.1, False),  # kept for ever
            ({"b.000002": 10}, 900, 1000, 0.1, False),  # the file that is written is not purged
            ({"b.000001": 10, **FILES}, 900, 1000, 0.1, False),  # an older one is still there
        ],
    )
    def test_soon(self, files, seconds, retention, fraction, danger):
        assert bool(log_danger(self.START, files, seconds, retention, fraction)) is danger


def test_results_always_have_every_key():
    empty, full = seed_result(None), seed_result(row(notes={"tables": 1, "definers": [{}]}))
    assert empty.keys() == full.keys()
    assert empty["start"] == {"file": None, "position": None, "gtid": None, "origin": None}
    assert full["start"]["position"] == 400
