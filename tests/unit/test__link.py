# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision table, row by row: what is seen, what is wanted, what is decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._event import EventGroup
from ansible_collections.datain.azure_mysql.plugins.module_utils._link import plan_link
from ansible_collections.datain.azure_mysql.plugins.module_utils._link_channel import broken
from ansible_collections.datain.azure_mysql.plugins.module_utils._link_model import Alignment, LinkCurrent, LinkDesired, Skip
from ansible_collections.datain.azure_mysql.plugins.module_utils._link_start import log_gap, mariadb_gap
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import (
    MARIADB,
    MYSQL,
    Channel,
    ChannelError,
    Coordinates,
    Identity,
    Start,
)
from ansible_collections.datain.azure_mysql.plugins.module_utils._procedures import Procedures
from ansible_collections.datain.azure_mysql.plugins.module_utils._state import identities

SOURCE = Identity(7, "source-uuid")
REPLICA = Identity(9, "replica-uuid")
S = Start(Coordinates("binlog.000002", 200))
A = Start(Coordinates("binlog.000003", 300), origin="status")
FILES = {"binlog.000002": 1000, "binlog.000003": 1000}
PROCEDURES = Procedures({"change_master": 7, "change_master_with_gtid": 5, "start": 0, "stop": 0, "remove_master": 0})
DESIRED = LinkDesired(state="started", host="db", port=3306, user="datain", ca="PEM", ca_fingerprint="f00d")
CURRENT = LinkCurrent(
    flavour=MYSQL,
    version=(8, 0, 33),
    channels=(),
    procedures=PROCEDURES,
    records={},
    source=SOURCE,
    replica=REPLICA,
    source_files=FILES,
    password_held=True,
)
RUNNING = Channel(
    name="",
    source_host="db",
    source_port=3306,
    source_user="datain",
    source_id=7,
    source_uuid="source-uuid",
    receiver="running",
    applier="running",
    read=A.coordinates,
    applied=A.coordinates,
    relay_file="relay.000002",
    relay_position=500,
    lag=0,
    receiver_error=None,
    applier_error=None,
    tls=True,
    by_gtid=False,
    gtid_retrieved=None,
    gtid_executed=None,
    ignored_tables="mysql.%",
)
OFF = replace(RUNNING, receiver="stopped", applier="stopped", lag=None)
FRESH = replace(
    OFF, source_id=0, source_uuid=None, relay_file="relay.000001", relay_position=4, read=S.coordinates, applied=S.coordinates
)
OURS = identities(SOURCE, REPLICA)
SEED = {"id": "1", "phase": "complete", "identities": OURS, "start": S.to_result()}
LINK = {"phase": "linked", "identities": OURS, "seed": None, "start": S.to_result(), "arguments": {"ca_fingerprint": "f00d"}}


def error(code: int, message: str = "") -> ChannelError:
    return ChannelError(code, message)


def current(*channels: Channel, **changes: object) -> LinkCurrent:
    return replace(CURRENT, channels=channels, **changes)


def with_link(**changes: object) -> dict:
    return {"link": {**LINK, **changes}}


def to_gtid(**changes: object) -> LinkCurrent:
    """A MySQL link by position that may go on by GTID."""
    proven = {"records": with_link(), "login": "", "gtid_modes": ("ON", "ON"), "alignment": Alignment()}
    return replace(current(RUNNING), **{**proven, **changes})


RELINK = ("stop", "link", "start")
LATE = {"binlog.000003": 1000}
GTID_ELSEWHERE = replace(RUNNING, source_uuid="other", by_gtid=True)
TABLE = {
    "2 several channels": (current(RUNNING, replace(RUNNING, name="b")), {}, 2, "refuse", ()),
    "2 a named channel": (current(replace(RUNNING, name="b")), {}, 2, "refuse", ()),
    "2 a read replica of the platform": (current(RUNNING, read_only=True), {}, 2, "refuse", ()),
    "3 promoted": (current(records={"cutover": {"phase": "promoted", "identities": OURS}}), {}, 3, "refuse", ()),
    "3 promoted elsewhere": (
        current(records={"cutover": {"phase": "promoted", "identities": identities(SOURCE, Identity(1, "x"))}}), {}, 8, "refuse", (),
    ),
    "4 absent already": (current(), {"state": "absent"}, 4, "keep", ()),
    "4 absent, running": (current(RUNNING), {"state": "absent"}, 4, "remove", ("stop", "record", "remove")),
    "4 absent, stopped": (current(OFF), {"state": "absent"}, 4, "remove", ("record", "remove")),
    "5 removed by us": (current(records=with_link(phase="removed", start=A.to_result())), {}, 5, "link", ("link", "start")),
    "5 intent": (current(records=with_link(phase="intended")), {}, 5, "link", ("link", "start")),
    "5 removed, then purged": (
        current(records=with_link(phase="removed", start=A.to_result()), source_files={"binlog.000009": 10}), {}, 5, "refuse", (),
    ),
    "5 removed, beyond the end": (
        current(records=with_link(phase="removed", start=A.to_result()), source_files={"binlog.000003": 299}), {}, 5, "refuse", (),
    ),
    "6 a seed": (current(records={"seed": SEED}), {}, 6, "link", ("link", "start")),
    "6 a seed, wanted stopped": (current(records={"seed": SEED}), {"state": "stopped"}, 6, "link", ("link",)),
    "6 a new seed after an old link": (current(records={"seed": SEED, **with_link(seed="0")}), {}, 6, "link", ("link", "start")),
    "7 the operator vouches": (current(), {"explicit": S}, 7, "link", ("link", "start")),
    "8 nothing known": (current(), {}, 8, "refuse", ()),
    "8 an interrupted seed": (current(records={"seed": {**SEED, "phase": "loading"}}), {"explicit": S}, 8, "refuse", ()),
    "8 another source's seed": (
        current(records={"seed": {**SEED, "identities": identities(Identity(7, "other"), REPLICA)}}), {}, 8, "refuse", (),
    ),
    "8 a consumed seed": (current(records={"seed": SEED, **with_link(seed="1")}), {}, 8, "refuse", ()),
    "9 another server under the name": (current(replace(RUNNING, source_uuid="other")), {}, 9, "refuse", ()),
    "9 another server by GTID, not asked for": (current(GTID_ELSEWHERE, login="", answers=SOURCE, history=""), {}, 9, "refuse", ()),
    "9 another server by GTID, another history": (
        current(GTID_ELSEWHERE, login="", answers=SOURCE, history="it lacks 1-9"), {"retarget": True}, 9, "refuse", (),
    ),
    "9 another server by position, asked for": (
        current(replace(RUNNING, source_uuid="other"), login="", answers=SOURCE, history=""), {"retarget": True}, 9, "refuse", (),
    ),
    "9 another server by GTID, the same history": (
        current(GTID_ELSEWHERE, login="", answers=SOURCE, history=""), {"retarget": True}, 9, "relink", RELINK,
    ),
    "9 another server by GTID, and another method": (
        current(GTID_ELSEWHERE, login="", answers=SOURCE, history=""), {"retarget": True, "method": "position"}, 9, "relink", RELINK,
    ),
    "10 at its start": (current(FRESH, records={"seed": SEED}), {}, 10, "start", ("start", "record")),
    "10 not at its start": (
        current(replace(FRESH, read=A.coordinates, applied=A.coordinates), records={"seed": SEED}), {}, 10, "link", ("link", "start"),
    ),
    "10 wrong password, mended": (
        current(replace(FRESH, receiver="connecting", receiver_error=error(1045)), records=with_link(phase="intended"), login=""),
        {}, 10, "link", ("stop", "link", "start"),
    ),
    "10 wrong password still": (
        current(replace(FRESH, receiver="connecting", receiver_error=error(1045)), records=with_link(phase="intended"), login="denied"),
        {}, 10, "refuse", (),
    ),
    "10 wrong host, mended": (
        current(replace(FRESH, source_host="old"), records=with_link(phase="intended")), {}, 10, "link", ("link", "start"),
    ),
    "10 connecting": (
        current(replace(FRESH, receiver="connecting", applier="running", receiver_error=error(2003)), records=with_link(phase="intended")),
        {}, 10, "keep", ("record",),
    ),
    "11 another method": (current(RUNNING, records=with_link()), {"method": "gtid"}, 11, "refuse", ()),
    "11 MySQL to GTID, aligned, not asked for": (to_gtid(), {"method": "gtid"}, 11, "refuse", ()),
    "11 MySQL to GTID, asked for, not aligned": (to_gtid(alignment=Alignment("1-9 are lacking")), {"method": "gtid", "relink": True}, 11, "refuse", ()),
    "11 MySQL to GTID, asked for, nobody looked": (to_gtid(alignment=None), {"method": "gtid", "relink": True}, 11, "refuse", ()),
    "11 MySQL to GTID, asked for, one side has none": (to_gtid(gtid_modes=("ON", "OFF")), {"method": "gtid", "relink": True}, 11, "refuse", ()),
    "11 MySQL to GTID, asked for, no such procedure": (
        to_gtid(procedures=Procedures({"change_master": 7})), {"method": "gtid", "relink": True}, 11, "refuse", (),
    ),
    "14 another user, no procedure for the method": (
        to_gtid(procedures=Procedures({"change_master_with_gtid": 5}), channels=(replace(RUNNING, source_user="old"),)), {}, 14, "refuse", (),
    ),
    "14 another method, MySQL to GTID, aligned": (to_gtid(), {"method": "gtid", "relink": True}, 14, "relink", RELINK),
    "12 another method, MySQL to GTID, aligned, the applier is broken": (
        to_gtid(channels=(replace(RUNNING, applier="stopped", applier_error=error(1062)),)), {"method": "gtid", "relink": True}, 12, "refuse", (),
    ),
    "14 another method, MySQL from GTID": (
        current(replace(RUNNING, by_gtid=True), records=with_link(), login=""), {"method": "position", "relink": True}, 14, "relink", RELINK,
    ),
    "12 another user, the applier is broken": (
        current(replace(RUNNING, source_user="old", applier="stopped", applier_error=error(1062)), records=with_link(), login=""),
        {}, 12, "refuse", (),
    ),
    "13 another user, purged but in the relay logs": (
        current(replace(RUNNING, source_user="old", applied=S.coordinates), records=with_link(), login="", source_files=LATE),
        {}, 13, "relink", ("drain", *RELINK),
    ),
    "13 another user, purged for good": (
        current(replace(RUNNING, source_user="old", applied=S.coordinates, read=S.coordinates), records=with_link(), login="", source_files=LATE),
        {}, 13, "refuse", (),
    ),
    "14 another user": (current(replace(RUNNING, source_user="old"), records=with_link(), login=""), {}, 14, "relink", RELINK),
    "14 another user, stopped": (current(replace(OFF, source_user="old"), records=with_link(), login=""), {}, 14, "relink", RELINK[1:]),
    "14 another user, to be stopped": (
        current(replace(RUNNING, source_user="old"), records=with_link(), login=""), {"state": "stopped"}, 14, "relink", RELINK[:2],
    ),
    "14 another user, who may not log in": (
        current(replace(RUNNING, source_user="old"), records=with_link(), login="denied"), {}, 14, "refuse", (),
    ),
    "14 another user, nobody tried": (current(replace(RUNNING, source_user="old"), records=with_link()), {}, 14, "refuse", ()),
    "14 another host, where the source answers": (
        current(replace(RUNNING, source_host="old"), records=with_link(), login="", answers=SOURCE), {}, 14, "relink", RELINK,
    ),
    "14 another host, where another server answers": (
        current(replace(RUNNING, source_host="old"), records=with_link(), login="", answers=REPLICA), {"relink": True}, 14, "refuse", (),
    ),
    "14 another host, that nobody here reaches": (
        current(replace(RUNNING, source_host="old"), records=with_link(), login="", address="no route"), {}, 14, "refuse", (),
    ),
    "14 another host, vouched for": (
        current(replace(RUNNING, source_host="old"), records=with_link(), login="", address="no route"), {"relink": True}, 14, "relink", RELINK,
    ),
    "14 without TLS": (current(replace(RUNNING, tls=False), records=with_link(), login=""), {}, 14, "relink", RELINK),
    "14 another CA": (
        current(RUNNING, records=with_link(arguments={"ca_fingerprint": "beef"}), login=""), {}, 14, "relink", RELINK,
    ),
    "14 another password": (current(RUNNING, records=with_link(), password_held=False, login=""), {}, 14, "relink", RELINK),
    "14 a password that nothing proves, forced": (
        current(RUNNING, records=with_link(), password_held=None, login=""), {"relink": True}, 14, "relink", RELINK,
    ),
    "16 a password that is proven, forced": (current(RUNNING, records=with_link(), login=""), {"relink": True}, 16, "keep", ()),
    "15 to be stopped": (current(RUNNING, records=with_link()), {"state": "stopped"}, 15, "stop", ("stop",)),
    "15 stopped": (current(OFF, records=with_link()), {"state": "stopped"}, 15, "keep", ()),
    "15 stopped with an error": (
        current(replace(OFF, applier_error=error(1062)), records=with_link()), {"state": "stopped"}, 15, "keep", (),
    ),
    "16 runs": (current(RUNNING, records=with_link()), {}, 16, "keep", ()),
    "16 runs, old coordinates given": (current(RUNNING, records=with_link()), {"explicit": S}, 16, "keep", ()),
    "16 runs, made by hand": (current(RUNNING), {}, 16, "keep", ("record",)),
    "16 runs, intent open": (current(RUNNING, records=with_link(phase="intended")), {}, 16, "keep", ("record",)),
    "16 runs, nothing may be written": (current(RUNNING, not_writable="strict"), {}, 16, "keep", ()),
    "17 stopped": (current(OFF, records=with_link()), {}, 17, "start", ("start",)),
    "17 one thread stopped": (current(replace(RUNNING, applier="stopped"), records=with_link()), {}, 17, "start", ("start",)),
    "17 stopped, recorded as removed": (current(OFF, records=with_link(phase="removed")), {}, 17, "start", ("start", "record")),
    "18 the network": (
        current(replace(RUNNING, receiver="connecting", receiver_error=error(2003)), records=with_link()), {}, 18, "keep", (),
    ),
    "18 denied, and we too": (
        current(
            replace(RUNNING, receiver="connecting", receiver_error=error(1045)), records=with_link(), password_held=None, login="no"
        ), {}, 18, "refuse", (),
    ),
    "14 denied, and we not": (
        current(replace(RUNNING, receiver="connecting", receiver_error=error(1045)), records=with_link(), password_held=None, login=""),
        {}, 14, "relink", RELINK,
    ),
    "19 purged": (
        current(replace(RUNNING, receiver="stopped", receiver_error=error(1236)), records=with_link(), source_files={"binlog.000009": 9}),
        {}, 19, "refuse", (),
    ),
    "20 the applier": (current(replace(RUNNING, applier="stopped", applier_error=error(1062)), records=with_link()), {}, 20, "refuse", ()),
}


@pytest.mark.parametrize(("seen", "wanted", "row", "verb", "steps"), TABLE.values(), ids=TABLE.keys())
def test_row(seen: LinkCurrent, wanted: dict, row: int, verb: str, steps: tuple) -> None:
    plan = plan_link(seen, replace(DESIRED, **wanted))
    assert (plan.row, plan.verb, tuple(step.action for step in plan.steps)) == (row, verb, steps)
    assert (plan.refusal is None) == (verb != "refuse")
    if verb == "refuse":
        assert plan.hint


def test_a_seed_is_linked_where_it_says() -> None:
    plan = plan_link(current(records={"seed": SEED}), DESIRED)
    assert plan.at == S and plan.method == "position"


def test_removed_goes_on_where_it_was() -> None:
    plan = plan_link(current(records=with_link(phase="removed", start=A.to_result())), DESIRED)
    assert plan.at.coordinates == A.coordinates


def test_high_availability_leaves_gtid_only() -> None:
    gtid = Start(S.coordinates, "source-uuid:1-9")
    seen = current(
        records={"seed": {**SEED, "start": gtid.to_result()}},
        procedures=Procedures({**PROCEDURES.arity, "change_master": -1}),
        gtid_modes=("ON", "ON"),
        seed_included=True,
        purged_applied=True,
    )
    assert plan_link(seen, DESIRED).method == "gtid"
    refused = plan_link(replace(seen, seed_included=False), replace(DESIRED, gtid_reset="reset to {gtid}"))
    assert refused.verb == "refuse" and refused.hint == "reset to source-uuid:1-9" and refused.align == "source-uuid:1-9"
    assert plan_link(replace(seen, purged_applied=False), DESIRED).verb == "refuse"
    assert plan_link(replace(seen, gtid_modes=("ON", "OFF")), DESIRED).verb == "refuse"


def test_gtids_are_aligned_only_before_a_first_link() -> None:
    gtid = Start(S.coordinates, "source-uuid:1-9").to_result()
    more = {"gtid_modes": ("ON", "ON"), "seed_included": False, "purged_applied": True}
    desired = replace(DESIRED, method="gtid")
    seeded = current(records={"seed": {**SEED, "start": gtid}}, **more)
    assert plan_link(seeded, desired).align == "source-uuid:1-9"
    assert plan_link(replace(seeded, gtid_modes=("ON", "OFF")), desired).align is None
    linked_before = plan_link(current(records=with_link(phase="removed", start=gtid), **more), desired)
    assert linked_before.verb == "refuse" and linked_before.align is None


MARIADB_PROCEDURES = Procedures({**PROCEDURES.arity, "change_master_with_gtid": 6})
MARIADB_SOURCE, MARIADB_REPLICA = Identity(7), Identity(9)


def mariadb(**changes: object) -> LinkCurrent:
    base = replace(
        CURRENT, flavour=MARIADB, version=(10, 11, 0), procedures=MARIADB_PROCEDURES, source=MARIADB_SOURCE, replica=MARIADB_REPLICA
    )
    return replace(base, **changes)


def mariadb_seed(**changes: object) -> dict:
    start = Start(S.coordinates, "0-7-20")
    return {
        "seed": {"id": "1", "phase": "complete", "identities": identities(MARIADB_SOURCE, MARIADB_REPLICA), "start": start.to_result(), **changes}
    }


def test_mariadb_links_by_gtid_when_the_service_says_so() -> None:
    desired = replace(DESIRED, service_method="gtid")
    assert plan_link(mariadb(records=mariadb_seed()), desired).method == "gtid"
    assert plan_link(mariadb(records=mariadb_seed(start=S.to_result())), desired).method == "position"


def test_mariadb_that_has_applied_something_since_its_seed_is_refused() -> None:
    moved = plan_link(mariadb(records=mariadb_seed(), applied="0-7-25"), DESIRED)
    assert (moved.row, moved.verb) == (8, "refuse")
    assert plan_link(mariadb(records=mariadb_seed(), applied="0-7-20"), DESIRED).verb == "link"
    assert plan_link(mariadb(records=mariadb_seed(applied="0-3-3"), applied="0-3-3"), DESIRED).verb == "link"


MARIA = {"flavour": MARIADB, "source": Identity(7), "replica": Identity(9)}
MARIA_OURS = identities(Identity(7), Identity(9))
MARIA_S = Start(S.coordinates, "0-7-5")


def maria(**link: object) -> dict:
    return {"link": {**LINK, "identities": MARIA_OURS, "start": MARIA_S.to_result(), "method": "gtid", **link}}


def test_a_mariadb_link_that_could_not_connect_is_not_one_that_never_did() -> None:
    """Its relay logs are gone in both cases; what it has applied by GTID tells."""
    denied = replace(FRESH, by_gtid=True, receiver="connecting", applier="running", receiver_error=error(1045), source_id=7)
    seen = {**MARIA, "records": maria(phase="intended", applied=None), "login": "", "password_held": None}
    plan = plan_link(current(denied, applied="0-7-5", **seen), DESIRED)
    assert (plan.row, plan.verb, plan.at) == (10, "link", MARIA_S)
    plan = plan_link(current(denied, applied="0-7-11", **seen), DESIRED)
    assert (plan.row, plan.verb) == (14, "relink")
    # And one that was made to this source and has not connected shows the id of the server of before.
    other = replace(denied, source_id=8, receiver_error=error(2003))
    assert plan_link(current(other, applied="0-8-3", **{**seen, "records": maria(phase="intended", applied="0-8-3")}), DESIRED).row == 10
    assert plan_link(current(other, applied="0-8-4", **{**seen, "records": maria(phase="intended", applied="0-8-3")}), DESIRED).row == 9


def test_mariadb_that_has_applied_something_since_its_link_was_removed_is_refused() -> None:
    seen = {**MARIA, "records": maria(phase="removed", applied="0-7-5")}
    assert plan_link(current(applied="0-7-5", **seen), DESIRED).verb == "link"
    assert (plan_link(current(applied="0-7-6", **seen), DESIRED).row, plan_link(current(applied="0-7-6", **seen), DESIRED).verb) == (8, "refuse")


def test_a_link_that_went_comes_back_by_gtid_only_where_that_is_proven() -> None:
    seen = current(records=with_link(phase="removed", method="position"), gtid_modes=("ON", "ON"), applied="u:1-9", seed_included=True, purged_applied=True)
    for wanted in (replace(DESIRED, method="gtid"), replace(DESIRED, service_method="gtid")):
        assert plan_link(seen, wanted).row == 11 and plan_link(seen, wanted).verb == "refuse"
        assert plan_link(replace(seen, alignment=Alignment("u:1-5 would be fetched again")), wanted).refusal.endswith("u:1-5 would be fetched again")
        assert plan_link(replace(seen, gtid_modes=("ON", "OFF"), alignment=Alignment()), wanted).verb == "refuse"
        proven = plan_link(replace(seen, alignment=Alignment()), wanted)
        assert (proven.row, proven.verb, proven.method) == (5, "link", "gtid")
    assert plan_link(seen, DESIRED).method == "position"


def test_a_link_stays_where_what_it_has_applied_cannot_be_recorded() -> None:
    plan = plan_link(current(RUNNING, not_writable="it is strict"), replace(DESIRED, state="absent"))
    assert (plan.row, plan.verb) == (4, "refuse") and "it is strict" in (plan.refusal or "")


def test_a_ca_counts_as_told_only_once_its_row_is_closed() -> None:
    def decided(**arguments: object) -> int:
        records = with_link(phase="intended", arguments=arguments)
        return plan_link(current(RUNNING, records=records, login=""), DESIRED).row

    assert decided(ca_fingerprint="f00d") == 16
    assert decided(ca_fingerprint="f00d", ca_before="01d") == 14
    assert decided(ca_fingerprint="f00d", ca_before="unknown") == 14
    assert decided(ca_fingerprint="f00d", ca_before="f00d") == 16


@pytest.mark.parametrize(
    ("code", "changes", "verb"),
    [
        (1593, {}, "start"),
        (13117, {"gtid_modes": ("ON", "ON")}, "start"),
        (13117, {"gtid_modes": ("ON", "OFF")}, "refuse"),
        (1593, {"replica": Identity(7, "replica-uuid")}, "refuse"),
        (1236, {}, "refuse"),
    ],
)
def test_what_stopped_the_receiver_may_have_been_mended(code: int, changes: dict, verb: str) -> None:
    stopped = replace(RUNNING, receiver="stopped", receiver_error=error(code))
    plan = plan_link(current(stopped, **{"records": with_link(identities=identities(SOURCE, changes.get("replica", REPLICA))), **changes}), DESIRED)
    assert (plan.row, plan.verb) == (19, verb)
    assert plan_link(current(stopped, **changes), replace(DESIRED, state="stopped")).row == 15


def test_mariadb_is_told_apart_by_server_id() -> None:
    other = replace(RUNNING, source_id=8, source_uuid=None)
    assert plan_link(mariadb(channels=(other,)), DESIRED).row == 9
    assert plan_link(mariadb(channels=(replace(other, source_id=7),)), DESIRED).row == 16


def test_a_running_link_says_so_when_the_coordinates_given_are_ahead() -> None:
    ahead = Start(Coordinates("binlog.000009", 4), origin="explicit")
    plan = plan_link(current(RUNNING, records=with_link()), replace(DESIRED, explicit=ahead))
    assert [finding.rule for finding in plan.findings] == ["link.coordinates_ahead"] and not plan.changed


@pytest.mark.parametrize(
    ("at", "files", "gap"),
    [
        (Coordinates("b.000002", 4), {"b.000002": 4}, False),
        (Coordinates("b.000001", 4), {"b.000002": 4}, True),
        (Coordinates("b.000002", 5), {"b.000002": 4}, True),
        (Coordinates("b.000002", 5), {}, True),
        (None, {"b.000002": 4}, True),
    ],
)
def test_log_gap(at: Coordinates | None, files: dict, gap: bool) -> None:
    assert (log_gap(at, files) is not None) == gap


@pytest.mark.parametrize(
    ("wanted", "oldest", "domain"),
    [("0-1-25", "[0-1-20]", None), ("0-1-15", "[0-1-20]", "0"), ("0-1-25", "[0-1-20,3-2-7]", "3"), ("0-1-25,3-2-7", "[3-2-7]", None), ("", "[]", None)],
)
def test_mariadb_gap(wanted: str, oldest: str, domain: str | None) -> None:
    assert mariadb_gap(wanted, oldest) == domain


def test_a_running_link_whose_password_nothing_proves_says_so() -> None:
    plan = plan_link(current(RUNNING, records=with_link(), password_held=None), DESIRED)
    assert [finding.rule for finding in plan.findings] == ["link.credentials_unproven"] and plan.verb == "keep"


def test_mariadb_changes_over_either_way_when_asked() -> None:
    by_gtid = mariadb(channels=(replace(RUNNING, source_uuid=None, by_gtid=True),), login="")
    by_position = mariadb(channels=(replace(RUNNING, source_uuid=None),), login="")
    assert plan_link(by_gtid, replace(DESIRED, method="position")).row == 11
    assert plan_link(by_gtid, replace(DESIRED, method="position", relink=True)).method == "position"
    assert plan_link(by_position, replace(DESIRED, method="gtid", relink=True)).method == "gtid"


def test_what_keeps_a_link_from_going_on_by_gtid_is_told_with_what_mends_it() -> None:
    desired = replace(DESIRED, method="gtid", relink=True)
    for_good = plan_link(to_gtid(alignment=Alignment("1-9 are lacking")), desired)
    assert "1-9 are lacking" in for_good.refusal and "datain_reseed" in for_good.hint and "datain_link_method: position" in for_good.hint
    for_now = plan_link(to_gtid(alignment=Alignment("too many", "run again later")), desired)
    assert for_now.hint.startswith("run again later") and "datain_reseed" not in for_now.hint
    assert plan_link(to_gtid(), desired).method == "gtid"


def test_a_replica_with_the_gtid_procedure_only_is_told_to_use_it() -> None:
    only = Procedures({"change_master_with_gtid": 5})
    plan = plan_link(to_gtid(procedures=only, channels=(replace(RUNNING, source_user="old"),)), DESIRED)
    assert "change_master" in plan.refusal and plan.hint == "set datain_link_method: gtid and datain_relink: true"
    assert plan_link(to_gtid(procedures=only), replace(DESIRED, method="gtid", relink=True)).verb == "relink"
    neither = plan_link(to_gtid(procedures=Procedures({"change_master": 7})), replace(DESIRED, method="gtid", relink=True))
    assert neither.hint == "set datain_link_method: position"


def test_a_server_that_took_over_is_followed_by_gtid_whatever_method_is_wanted() -> None:
    plan = plan_link(current(GTID_ELSEWHERE, login="", answers=SOURCE, history=""), replace(DESIRED, retarget=True, method="position"))
    assert plan.method == "gtid" and plan.after["method"] == "gtid"


def test_broken_sees_what_does_not_heal() -> None:
    assert broken(current(replace(RUNNING, receiver="connecting", receiver_error=error(2003))), DESIRED) is None
    assert broken(current(replace(RUNNING, receiver="stopped", receiver_error=error(1236))), DESIRED).row == 19
    assert broken(current(replace(RUNNING, applier="stopped", applier_error=error(1062))), DESIRED).row == 20


# Row 20 with an entry of datain_skip
ALTER = EventGroup(A.coordinates, Coordinates("binlog.000003", 500), "3e11fa47-71ca-11e1-9e33-c80aa9429562:23", ("shop.item",))
FAILED = "Worker 1 failed executing transaction '{gtid}' at source log binlog.000003, end_log_pos {end}; Could not execute Write_rows event on table shop.item"
WITH_SKIPS = Procedures({**PROCEDURES.arity, "skip_counter": 0, "skip_gtid_transaction": 1})
ENTRY = Skip(1062, "added by hand", position=A.coordinates)
BY_NAME = Skip(1062, "added by hand", gtid=ALTER.gtid)


def broken_applier(code: int = 1062, end: int = 450, gtid: str = "ANONYMOUS") -> Channel:
    return replace(RUNNING, applier="stopped", applier_error=error(code, FAILED.format(gtid=gtid, end=end)))


def stuck(channel: Channel, **changes: object) -> LinkCurrent:
    return current(channel, **{"procedures": WITH_SKIPS, "failed": ALTER, **changes})


GTIDS = {"gtid_modes": ("ON", "ON")}
USED = {"skip": {"identities": OURS, "entries": [{"entry": str(ENTRY), "phase": "done"}]}}
BEGUN = {"skip": {"identities": OURS, "entries": [{"entry": str(ENTRY), "phase": "intended"}]}}
SKIPS = {
    "by position": (stuck(broken_applier()), (ENTRY,), "az_replication_skip_counter"),
    "by GTID": (stuck(broken_applier(gtid=ALTER.gtid), **GTIDS), (BY_NAME,), "az_replication_skip_gtid_transaction"),
    "a place on a server with GTIDs": (stuck(broken_applier(gtid=ALTER.gtid), **GTIDS), (ENTRY,), "az_replication_skip_gtid_transaction"),
    "a GTID, and a position that lags behind": (
        stuck(broken_applier(end=900, gtid=ALTER.gtid), failed=None, **GTIDS), (BY_NAME,), "az_replication_skip_gtid_transaction",
    ),
    "MariaDB by GTID": (stuck(broken_applier(), flavour=MARIADB, **GTIDS), (BY_NAME,), "az_replication_skip_counter"),
    "begun and cut off": (stuck(broken_applier(), records=BEGUN), (ENTRY,), "az_replication_skip_counter"),
    "before a change of the link": (stuck(replace(broken_applier(), source_port=1)), (ENTRY,), "az_replication_skip_counter"),
}
NO_SKIPS = {
    "another error": (stuck(broken_applier(1032)), (ENTRY,), "it is about the error 1062"),
    "another place": (stuck(broken_applier()), (Skip(1062, "x", position=S.coordinates),), "stopped after binlog.000003:300"),
    "another transaction": (stuck(broken_applier()), (Skip(1062, "x", gtid=f"{ALTER.gtid}4"),), "stopped after"),
    "carried out before": (stuck(broken_applier(), records=USED), (ENTRY,), "carried out before"),
    "a position that lags behind": (stuck(broken_applier(end=900)), (ENTRY,), "is not what failed"),
    "another GTID": (stuck(broken_applier(gtid=f"{ALTER.gtid}4"), **GTIDS), (BY_NAME,), "stopped after"),
    "a position that lags behind, where GTIDs are on": (stuck(broken_applier(end=900, gtid=f"{ALTER.gtid}4"), **GTIDS), (ENTRY,), "is not what failed"),
    "an end that is not known": (stuck(broken_applier(), failed=replace(ALTER, end=None)), (ENTRY,), "is not what failed"),
    "a log that is gone": (stuck(broken_applier(), failed=None), (ENTRY,), "does not show what comes next"),
    "no procedure": (stuck(broken_applier(), procedures=PROCEDURES), (ENTRY,), "no procedure mysql.az_replication_skip_counter"),
    "no name": (stuck(broken_applier(), failed=replace(ALTER, gtid=None), **GTIDS), (ENTRY,), "nothing tells the GTID"),
    "nothing is asked for": (stuck(broken_applier()), (), "stopped after"),
}


@pytest.mark.parametrize("state, skips, procedure", SKIPS.values(), ids=SKIPS)
def test_an_event_that_is_named_is_skipped(state: LinkCurrent, skips: tuple, procedure: str) -> None:
    plan = plan_link(state, replace(DESIRED, skips=skips))
    assert (plan.row, plan.verb, plan.skip) == (20, "skip", skips[0]), plan.refusal
    assert [step.target.rpartition(".")[2] for step in plan.steps] == [procedure, "az_replication_start"]
    assert "added by hand" in plan.steps[0].reason


@pytest.mark.parametrize("state, skips, words", NO_SKIPS.values(), ids=NO_SKIPS)
def test_nothing_else_is_ever_skipped(state: LinkCurrent, skips: tuple, words: str) -> None:
    plan = plan_link(state, replace(DESIRED, skips=skips))
    assert (plan.row, plan.verb, plan.skip) == (20, "refuse", None)
    assert words in (plan.refusal or "")


def test_a_link_that_is_to_be_stopped_skips_nothing() -> None:
    plan = plan_link(stuck(broken_applier()), replace(DESIRED, skips=(ENTRY,), state="stopped"))
    assert (plan.row, plan.skip) == (15, None)


def test_the_refusal_prints_no_entry_that_would_be_another() -> None:
    hint = plan_link(stuck(broken_applier(end=900)), DESIRED).hint or ""
    assert "datain_skip" not in hint and "replica_parallel_workers" in hint


def test_the_refusal_prints_the_entry_that_fits() -> None:
    hint = plan_link(stuck(broken_applier()), DESIRED).hint or ""
    assert "compare shop.item on both servers" in hint
    assert "datain_skip: [{position: 'binlog.000003:300', error: 1062, reason: ...}]" in hint
    assert f"gtid: '{ALTER.gtid}'" in (plan_link(stuck(broken_applier(gtid=ALTER.gtid), **GTIDS), DESIRED).hint or "")
