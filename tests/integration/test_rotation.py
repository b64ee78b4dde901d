# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password is rotated by a second account: every replica moves to it, the old one goes, and a run that is cut off is run again."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.playbook import play, start
from cuts.workshop import workshop

ROTATE = "datain.azure_mysql.rotate_password"


@pytest.fixture(scope="module")
def shop():
    with workshop() as opened:
        yield opened


@pytest.fixture
def pair(request, shop):
    made = shop.pair(getattr(request, "param", "mariadb"), replicas=2)
    made.write_inventory()
    run = play(made.home, made.inventory)
    assert run.status == 0, run.text
    return made


def rotated(pair):
    return pair.write_inventory(
        source={"datain_replication_user": "second", "datain_replication_password": "Rotated-4711", "datain_retired_users": [pair.user]}
    )


def accounts(pair):
    return {row[0] for row in pair.source.sql("SELECT user FROM mysql.user")}


def follow_by(pair):
    return [(status["Master_User"], status["Slave_IO_Running"], status["Slave_SQL_Running"]) for status in (server.status() for server in pair.replicas)]


@pytest.mark.parametrize("pair", ["mysql", "mariadb"], indirect=True)
def test_every_replica_moves_and_then_the_old_account_goes(pair):
    inventory = rotated(pair)
    planned = play(pair.home, inventory, "--check", "--diff", playbook=ROTATE)
    assert planned.status == 0, planned.text
    assert "second" in planned.text and "Rotated-4711" not in planned.text
    assert follow_by(pair) == [(pair.user, "Yes", "Yes")] * 2 and "second" not in accounts(pair)
    run = play(pair.home, inventory, playbook=ROTATE)
    assert run.status == 0, run.text
    assert follow_by(pair) == [("second", "Yes", "Yes")] * 2
    assert "second" in accounts(pair) and pair.user not in accounts(pair)
    again = play(pair.home, inventory, playbook=ROTATE)
    assert again.status == 0 and again.changed == 0, again.text


def test_cut_at_any_moment_it_arrives(pair):
    inventory = rotated(pair)
    for seconds in (2.0, 3.5):
        process = start(pair.home, inventory, playbook=ROTATE)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # While one follows by the old account, that account is there.
        assert pair.user in accounts(pair) or {user for user, _receiver, _applier in follow_by(pair)} == {"second"}
    run = play(pair.home, inventory, playbook=ROTATE)
    assert run.status == 0, run.text
    assert follow_by(pair) == [("second", "Yes", "Yes")] * 2 and pair.user not in accounts(pair)
    assert play(pair.home, inventory, playbook=ROTATE).changed == 0


def test_the_old_account_stays_while_a_replica_is_left_behind(pair):
    inventory = rotated(pair)
    left = play(pair.home, inventory, "--limit", "shop,azure1", playbook=ROTATE)
    assert left.status != 0 and "a replica is attached with it" in left.text, left.text
    assert follow_by(pair) == [("second", "Yes", "Yes"), (pair.user, "Yes", "Yes")] and pair.user in accounts(pair)
    assert play(pair.home, inventory, playbook=ROTATE).status == 0
    assert follow_by(pair) == [("second", "Yes", "Yes")] * 2 and pair.user not in accounts(pair)


def test_the_account_in_use_cannot_be_the_one_that_goes(pair):
    inventory = pair.write_inventory(source={"datain_retired_users": [pair.user]})
    run = play(pair.home, inventory, playbook=ROTATE)
    assert run.status != 0 and "datain_retired_users" in run.text
    assert pair.user in accounts(pair)
