# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the numbers mean that a replica, or this machine, is told on its way to the source."""

from __future__ import annotations

import ipaddress

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _probe, _rules_reach
from ansible_collections.datain.azure_mysql.plugins.module_utils._facts import Answer, Desired, Facts, Reach, Side, Unread
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import PROBE_USER, Channel, Finding
from ansible_collections.datain.azure_mysql.plugins.module_utils._rule import judge
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES

REPLICA, CONTROLLER = _rules_reach.RULES
DESIRED = Desired(service=SERVICES["mysql_flexible_server"], link_host="db.example.com")


def told(code: int | None, words: str = "", rule=REPLICA) -> Finding:
    answer = Answer(code, words)
    return judge(rule, Facts(Side("source"), Side("replica", channels=()), DESIRED, reach=Reach(answer, answer, ())))


MYSQL = "Error connecting to source 'datain_probe@10.0.0.4:3306'. This was attempt 1/86400, with a delay of 60 seconds between attempts. Message: "
MARIADB = "error connecting to master 'datain_probe@10.0.0.4:3306' - retry-time: 60  maximum-retries: 100000  message: "


@pytest.mark.parametrize("prefix", [MYSQL, MARIADB, ""])
def test_a_refused_login_is_an_answer_and_shows_the_address(prefix: str) -> None:
    found = told(1045, prefix + "Access denied for user 'datain_probe'@'52.1.2.3' (using password: YES)")
    assert found.status == "passed"
    assert found.seen == "it answers, and sees 52.1.2.3 (Access denied for user 'datain_probe'@'52.1.2.3' (using password: YES))"


@pytest.mark.parametrize("code", [0, 1040, 1045, 1203, 1226, 1698, 2054, 2059, 2061, 3159, 4151])
def test_reached(code: int) -> None:
    assert told(code, "x").status == "passed"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (None, "security groups"),
        (1129, "FLUSH HOSTS"),
        (1130, "datain_replication_host"),
        (2002, "security groups"),
        (2003, "db.example.com:3306"),
        (2005, "datain_link_host"),
        (2012, "firewall"),
        (2013, "frozen"),
        (2026, "datain_link_ca"),
        (2999, "firewall"),
    ],
)
def test_not_reached(code: int | None, remedy: str) -> None:
    found = told(code, MYSQL + "Can't connect")
    assert (found.status, found.severity) == ("failed", "error")
    assert found.remedy and remedy in found.remedy and "{" not in found.remedy
    assert found.seen == (f"{code}: Can't connect" if code else "Can't connect")
    second = told(code, rule=CONTROLLER)
    assert (second.status, second.severity) == ("failed", "info"), "this machine stands in another network"


def test_who_was_not_asked_says_why_and_how_to_ask() -> None:
    found = judge(REPLICA, Facts(Side("source"), Side("replica", channels=()), DESIRED, reach=Reach(Unread("not asked", "datain_probe: true"))))
    assert found.status == "unknown" and "not asked" in found.summary
    assert found.remedy == "from a machine in the network of the managed server: nc -vz db.example.com 3306; or datain_probe: true"


def test_hostile_words_are_cut() -> None:
    assert len(told(2003, "message: " + "x" * 9000).seen or "") < 400


def test_a_channel_is_known_by_its_account() -> None:
    values = dict.fromkeys(Channel.__dataclass_fields__)
    assert Channel(**{**values, "name": "", "source_user": PROBE_USER}).probe
    assert not Channel(**{**values, "name": "", "source_user": "datain"}).probe
    assert not Channel(**{**values, "name": "other", "source_user": PROBE_USER}).probe, "the procedures know the default channel only"


def test_names_are_resolved_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _probe._resolve("127.0.0.1") == (ipaddress.ip_address("127.0.0.1"),)
    for name in ("no-such-name.invalid", "", "x" * 300, "a\0b", "ä" * 80, "..", "-"):
        found = _probe._resolve(name)
        assert isinstance(found, (Unread, tuple))
    assert isinstance(_probe._resolve("no-such-name.invalid"), Unread)
    monkeypatch.setattr(_probe, "RESOLVE", 0.1)
    monkeypatch.setattr(_probe.socket, "getaddrinfo", lambda *args, **more: __import__("time").sleep(3) or [])
    assert isinstance(_probe._resolve("slow.example.com"), Unread)
