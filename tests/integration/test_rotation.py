# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password is rotated by a second account: every replica moves to it, and only then the old one goes. In place once that is asked for.

That a rotation may be cut off at any statement is proved by tests/cuts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.playbook import ROTATE, play
from cuts.workshop import workshop

# How many replicas the source has.
FLAVOURS = {"mysql": 2, "mariadb": 5}
both = pytest.mark.parametrize("pair", FLAVOURS, indirect=True)
RELINK = ("--extra-vars", "datain_relink=true")


@pytest.fixture(scope="module")
def shop():
    with workshop() as opened:
        yield opened


@pytest.fixture
def pair(request, shop):
    """A source and its replicas, linked by the first account."""
    flavour = getattr(request, "param", "mysql")
    made = shop.pair(flavour, replicas=FLAVOURS[flavour])
    run = play(made.home, made.inventory)
    assert run.status == 0, run.text
    return made


def rotated(pair):
    return pair.write_inventory(
        source={"datain_replication_user": "second", "datain_replication_password": "Rotated-4711", "datain_retired_users": [pair.user]}
    )


def accounts(pair):
    return {row[0] for row in pair.source.sql("SELECT user FROM mysql.user")}


def follow_by(pair, servers=None):
    statuses = [server.status() for server in servers or pair.replicas]
    return [(status["Master_User"], status["Slave_IO_Running"], status["Slave_SQL_Running"]) for status in statuses]


def all_moved(pair):
    """Whether all follow by the second account with every row there once, and the first is gone."""
    pair.source.sql("INSERT INTO shop.journal VALUES (3, 'rotated')")
    for server in pair.replicas:
        assert pair.catch_up(server) is None
        assert pair.rows(server) == pair.rows(pair.source)
    return follow_by(pair) == [("second", "Yes", "Yes")] * len(pair.replicas) and accounts(pair) & {"second", pair.user} == {"second"}


@both
def test_every_replica_moves_and_then_the_old_account_goes(pair):
    inventory = rotated(pair)
    planned = play(pair.home, inventory, "--check", "--diff", playbook=ROTATE)
    assert planned.status == 0, planned.text
    assert "second" in planned.text and "Rotated-4711" not in planned.text
    assert follow_by(pair) == [(pair.user, "Yes", "Yes")] * len(pair.replicas) and "second" not in accounts(pair)
    run = play(pair.home, inventory, playbook=ROTATE)
    assert run.status == 0, run.text
    assert all_moved(pair)
    again = play(pair.home, inventory, playbook=ROTATE)
    assert again.status == 0 and again.changed == 0, again.text


@both
def test_the_old_account_stays_while_a_replica_cannot_be_reached(pair):
    """Nothing is attached then, and the replica would want the old account again as soon as it is back."""
    inventory = rotated(pair)
    *others, away = pair.replicas
    name = f"azure{len(pair.replicas)}"
    away.hang_up()
    pair.lab("stop", away.name)
    try:
        left = play(pair.home, inventory, playbook=ROTATE)
    finally:
        pair.lab("start", away.name)
    assert left.status != 0 and f"{name} has not moved" in left.text, left.text
    assert left.recap[name]["failed"] == 1 and all(left.recap[f"azure{n}"]["failed"] == 0 for n in range(1, len(pair.replicas)))
    assert follow_by(pair, others) == [("second", "Yes", "Yes")] * len(others) and pair.user in accounts(pair)
    run = play(pair.home, inventory, playbook=ROTATE)
    assert run.status == 0, run.text
    assert all_moved(pair)


def test_the_old_account_stays_while_a_replica_fails(pair):
    inventory = rotated(pair)
    first, *others = pair.replicas
    first.sql("INSERT INTO shop.orders (id) VALUES (77)")
    pair.source.sql("INSERT INTO shop.orders (id) VALUES (77)")
    left = play(pair.home, inventory, playbook=ROTATE)
    assert left.status != 0 and "azure1 has not moved" in left.text and "1062" in left.text, left.text
    assert first.status()["Master_User"] == pair.user and pair.user in accounts(pair)
    assert follow_by(pair, others) == [("second", "Yes", "Yes")] * len(others)
    first.sql("DELETE FROM shop.orders WHERE id = 77; CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
    run = play(pair.home, inventory, playbook=ROTATE)
    assert run.status == 0, run.text
    assert all_moved(pair)


def test_the_old_account_stays_while_a_replica_is_left_out(pair):
    inventory = rotated(pair)
    left = play(pair.home, inventory, "--limit", "shop,azure1", playbook=ROTATE)
    assert left.status != 0 and "azure2" in left.text and "has not moved" in left.text, left.text
    others = len(pair.replicas) - 1
    assert follow_by(pair) == [("second", "Yes", "Yes"), *[(pair.user, "Yes", "Yes")] * others] and pair.user in accounts(pair)
    assert play(pair.home, inventory, playbook=ROTATE).status == 0
    assert all_moved(pair)


def test_the_old_account_stays_while_a_replica_that_nobody_names_is_attached(pair):
    """The source itself knows who is attached, also what is in no inventory."""
    stranger = pair.replicas.pop()
    try:
        left = play(pair.home, rotated(pair), playbook=ROTATE)
        assert left.status != 0 and "a replica is attached with it" in left.text, left.text
        assert pair.user in accounts(pair)
    finally:
        pair.replicas.append(stranger)


def test_the_account_in_use_cannot_be_the_one_that_goes(pair):
    inventory = pair.write_inventory(source={"datain_retired_users": [pair.user]})
    run = play(pair.home, inventory, playbook=ROTATE)
    assert run.status != 0 and "datain_retired_users" in run.text
    assert pair.user in accounts(pair)


def follows_after_a_new_login(pair):
    """Whether every replica follows once its receiver had to log in again."""
    for server in pair.replicas:
        server.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
    pair.source.sql("INSERT INTO shop.journal VALUES (4, 'in place')")
    for server in pair.replicas:
        assert pair.catch_up(server) is None
        assert pair.rows(server) == pair.rows(pair.source)
    return True


@both
def test_the_password_in_place_once_it_is_asked_for(pair):
    inventory = pair.write_inventory(source={"datain_replication_password": "Rotated-4711"})
    refused = play(pair.home, inventory)
    assert refused.status != 0 and "datain_relink=true" in refused.text, refused.text
    planned = play(pair.home, inventory, "--check", "--diff", *RELINK)
    assert planned.status == 0 and planned.recap["shop"]["changed"] == 1 and "differs" in planned.text, planned.text
    assert "Rotated-4711" not in planned.text
    assert pair.source.login_works(pair.user, pair.password) and not pair.source.login_works(pair.user, "Rotated-4711")
    run = play(pair.home, inventory, *RELINK)
    assert run.status == 0 and "Rotated-4711" not in run.text, run.text
    assert pair.source.login_works(pair.user, "Rotated-4711") and not pair.source.login_works(pair.user, pair.password)
    assert follows_after_a_new_login(pair)
    again = play(pair.home, inventory)
    assert again.status == 0 and again.changed == 0, again.text


def test_a_change_in_place_that_reached_the_source_only_is_finished_by_the_next_run(pair):
    """As if the run had been cut off between the two."""
    inventory = pair.write_inventory(source={"datain_replication_password": "Rotated-4711"})
    assert play(pair.home, inventory, "--limit", "shop", *RELINK).status == 0
    assert pair.source.login_works(pair.user, "Rotated-4711")
    assert follow_by(pair) == [(pair.user, "Yes", "Yes")] * len(pair.replicas), "the sessions outlive the change"
    assert play(pair.home, inventory).status == 0
    assert follows_after_a_new_login(pair)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_tls_is_demanded_in_place_once_it_is_asked_for(shop, flavour):
    pair = shop.pair(flavour)
    waiver = {"rule": "link.without_tls", "reason": "so it was before", "until": "2099-12-31"}
    first = play(pair.home, pair.write_inventory(source={"datain_link_ca": ""}, replica={"datain_waivers": [waiver]}))
    assert first.status == 0, first.text
    assert pair.replica.status()["Master_SSL_Allowed"] == "No"
    inventory = pair.write_inventory()
    refused = play(pair.home, inventory)
    assert refused.status != 0 and "datain_relink=true" in refused.text, refused.text
    assert pair.replica.status()["Master_SSL_Allowed"] == "No" and follow_by(pair) == [(pair.user, "Yes", "Yes")]
    run = play(pair.home, inventory, *RELINK)
    assert run.status == 0, run.text
    assert pair.replica.status()["Master_SSL_Allowed"] == "Yes"
    assert pair.source.value(f"SELECT ssl_type FROM mysql.user WHERE user = '{pair.user}'") == "ANY"
    assert follows_after_a_new_login(pair)
    again = play(pair.home, inventory)
    assert again.status == 0 and again.changed == 0, again.text
