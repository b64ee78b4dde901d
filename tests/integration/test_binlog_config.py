# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source's binary log on real servers of both flavours, judged by the server's own client."""

from __future__ import annotations

import subprocess
import time

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _binlog as module

WEEK = 7 * 86400


@pytest.fixture(params=["mysql-8.0.33", "mariadb-10.11"])
def source(request, lab):
    server = lab("plain-" + request.param.split("-")[0], request.param)
    yield server
    server.reset()


@pytest.fixture
def mysql(lab):
    server = lab("plain-mysql", "mysql-8.0.33")
    yield server
    server.reset()


@pytest.fixture
def configure(perform):
    def call(server, check_mode=False, login=None, **options):
        return perform(module.CAPABILITY, login or server.login(), check_mode, **options)

    return call


def variables(server, *names):
    listed = ", ".join(f"'{name}'" for name in names)
    return dict(server.sql(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({listed})"))


def settings(result):
    return {setting["name"]: setting for setting in result["binlog"]["settings"]}


NAMES = ("binlog_format", "binlog_row_image", "binlog_expire_logs_seconds", "expire_logs_days", "server_id", "gtid_mode")
SPOILT = "SET GLOBAL binlog_format='MIXED'; SET GLOBAL binlog_row_image='MINIMAL'; SET GLOBAL binlog_expire_logs_seconds=3600"


def test_a_log_that_will_do_is_left_alone(source, configure):
    before = variables(source, *NAMES)
    result = configure(source)
    assert not result["changed"], result
    assert variables(source, *NAMES) == before
    assert result["binlog"]["enabled"] and not result["binlog"]["restart_required"] and result["binlog"]["option_file"] == {}
    assert {setting["change"] for setting in result["binlog"]["settings"]} == {"none"}
    # MySQL 8 keeps thirty days, MariaDB for ever: neither is lowered.
    assert result["binlog"]["retention_seconds"] == (2592000 if source.flavour == "mysql" else None)


def test_what_can_be_set_live_is_set_live(source, configure):
    source.sql(SPOILT)
    spoilt = variables(source, *NAMES)
    position = source.sql("SHOW MASTER STATUS")[0][:2]
    checked = configure(source, check_mode=True)
    assert checked["changed"] and variables(source, *NAMES) == spoilt
    result = configure(source)
    assert {key: result[key] for key in ("changed", "binlog", "actions", "diff")} == {
        key: checked[key] for key in ("changed", "binlog", "actions", "diff")
    }
    now = variables(source, *NAMES)
    assert (now["binlog_format"], now["binlog_row_image"], now["binlog_expire_logs_seconds"]) == ("ROW", "FULL", str(WEEK))
    assert result["diff"]["after"]["binlog_format"] == "ROW"
    assert any("sessions that begin from now on" in text for text in result["warnings"])
    wanted = {"binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_expire_logs_seconds": str(WEEK)}
    if source.flavour == "mysql":
        assert result["binlog"]["option_file"] == {}
        persisted = dict(source.sql("SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.persisted_variables"))
        assert {name: persisted.get(name) for name in wanted} == wanted
    else:
        assert wanted.items() <= result["binlog"]["option_file"].items()
        kept = {"server_id": spoilt["server_id"], "log_bin": source.value("SELECT @@log_bin_basename")}
        assert kept.items() <= result["binlog"]["option_file"].items()
        assert not settings(result)["binlog_format"]["durable"]
    again = configure(source)
    assert not again["changed"] and again["binlog"]["option_file"] == {}
    assert source.sql("SHOW MASTER STATUS")[0][:2] == position


def test_a_longer_retention_is_kept_and_a_shorter_one_raised(source, configure):
    source.sql(f"SET GLOBAL binlog_expire_logs_seconds={2 * WEEK}")
    assert not configure(source, retention=WEEK)["changed"]
    result = configure(source, retention=3 * WEEK)
    assert [action["target"] for action in result["actions"]] == [f"binlog_expire_logs_seconds={3 * WEEK}"]
    assert variables(source, "binlog_expire_logs_seconds") == {"binlog_expire_logs_seconds": str(3 * WEEK)}


def test_the_older_variable_makes_way(mysql, configure):
    mysql.sql("SET GLOBAL binlog_expire_logs_seconds=0; SET GLOBAL expire_logs_days=2")
    result = configure(mysql)
    assert [action["target"] for action in result["actions"]] == ["expire_logs_days=0", f"binlog_expire_logs_seconds={WEEK}"]
    assert not configure(mysql)["changed"]
    mysql.sql("SET GLOBAL binlog_expire_logs_seconds=0; SET GLOBAL expire_logs_days=8")
    assert not configure(mysql)["changed"]
    mysql.sql("SET GLOBAL expire_logs_days=0")


def test_without_a_log_a_restart_is_asked_for(lab, configure, request):
    for server in ("mysql-8.0.33", "mariadb-10.11"):
        source = lab("unlogged-" + server.partition("-")[0], server, "--set", "skip-log-bin")
        result = configure(source)
        assert not result["changed"] and not result.get("failed")
        assert not result["binlog"]["enabled"] and result["binlog"]["restart_required"]
        assert result["binlog"]["option_file"]["log_bin"] == "binlog"
        assert result["binlog"]["flavour"] == source.flavour
        # What is returned is what mends it.
        with open(source.state["option_file"], "a", encoding="utf-8") as stream:
            stream.write("\n[mysqld]\n" + "".join(f"{name} = {value}\n" for name, value in result["binlog"]["option_file"].items()))
        subprocess.run(["python3", "tests/lab", "restart", source.state["name"]], env=source.environment, check=True)
        result = configure(source)
        assert result["binlog"]["enabled"] and result["binlog"]["option_file"] == {} and not result["changed"]


def test_gtids_are_switched_on_step_by_step(mysql, configure):
    checked = configure(mysql, check_mode=True, gtid=True)
    assert [action["target"] for action in checked["actions"]][-3:] == [
        "gtid_mode=OFF_PERMISSIVE",
        "gtid_mode=ON_PERMISSIVE",
        "gtid_mode=ON",
    ]
    assert variables(mysql, "gtid_mode") == {"gtid_mode": "OFF"}
    # A run that died half way is finished by the next.
    mysql.sql("SET PERSIST enforce_gtid_consistency=ON; SET PERSIST gtid_mode=OFF_PERMISSIVE; SET PERSIST gtid_mode=ON_PERMISSIVE")
    result = configure(mysql, gtid=True)
    assert [action["target"] for action in result["actions"]] == ["gtid_mode=ON"]
    assert variables(mysql, "gtid_mode", "enforce_gtid_consistency") == {"gtid_mode": "ON", "enforce_gtid_consistency": "ON"}
    assert not configure(mysql, gtid=True)["changed"]


def test_gtids_wait_for_what_is_open(mysql, configure, monkeypatch):
    monkeypatch.setattr(module, "ANONYMOUS_PATIENCE", 1)
    mysql.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY)")
    other = subprocess.Popen(mysql.state["client"], stdin=subprocess.PIPE, text=True)
    try:
        other.stdin.write("BEGIN; INSERT INTO d.t VALUES (1);\n")
        other.stdin.flush()
        while not mysql.sql("SELECT 1 FROM information_schema.INNODB_TRX"):
            time.sleep(0.1)
        result = configure(mysql, gtid=True)
        # An open transaction counts only once it is being committed; either way the mode stands in the end.
        assert result["changed"] or result["error"]["kind"] == "timeout"
    finally:
        other.communicate("COMMIT;\n")
    configure(mysql, gtid=True)
    assert variables(mysql, "gtid_mode") == {"gtid_mode": "ON"}


def test_a_missing_right_is_named(source, configure):
    secret = "Helper-secret-9"
    source.sql(f"SET GLOBAL binlog_row_image='MINIMAL'; CREATE USER helper@'%' IDENTIFIED BY '{secret}'")
    result = configure(source, login=source.login(login_user="helper", login_password=secret))
    assert result["failed"] and ("SYSTEM_VARIABLES_ADMIN" if source.flavour == "mysql" else "BINLOG ADMIN") in result["hint"]
    assert result["error"]["step"] == "set binlog_row_image"
    assert variables(source, "binlog_row_image") == {"binlog_row_image": "MINIMAL"}


@pytest.mark.parametrize("options", [{"retention": -1}, {"server_id": 0}, {"server_id": 2**32}])
def test_what_cannot_be_meant_touches_nothing(source, configure, options):
    result = configure(source, login=source.login(login_port=1), **options)
    assert result["failed"] and result["error"]["kind"] == "input"


def test_server_id_as_asked(source, configure):
    result = configure(source, server_id=4242)
    assert result["changed"] and variables(source, "server_id") == {"server_id": "4242"}
    assert result["binlog"]["option_file"].get("server_id") == (None if source.flavour == "mysql" else "4242")
    assert not configure(source, server_id=4242)["changed"]
