# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about the binary log."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _binlog_plan as module
from ansible_collections.datain.azure_mysql.plugins.module_utils._binlog_plan import BinlogState, DesiredBinlog
from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import InputError
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES

WEEK = 7 * 86400
COMMON = {"log_bin": "ON", "log_bin_basename": "/data/own-name", "server_id": "7", "binlog_format": "ROW", "binlog_row_image": "FULL"}
GTID_OFF = {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"}
SERVERS = {
    "8.0": ("mysql", (8, 0, 33), {"binlog_expire_logs_seconds": "2592000", "expire_logs_days": "0", "server_uuid": "u-1", **GTID_OFF}),
    "5.7": ("mysql", (5, 7, 22), {"expire_logs_days": "0", "server_uuid": "u-1", **GTID_OFF}),
    "8.4": ("mysql", (8, 4, 0), {"binlog_expire_logs_seconds": "2592000", "server_uuid": "u-1", **GTID_OFF}),
    "10.11": ("mariadb", (10, 11, 5), {"binlog_expire_logs_seconds": "0", "expire_logs_days": "0.000000"}),
    "10.2": ("mariadb", (10, 2, 11), {"expire_logs_days": "0"}),
}


def state(server, replicas=None, **variables):
    flavour, version, own = SERVERS[server]
    return BinlogState(dialect_for(flavour, version), flavour == "mariadb", {**COMMON, **own, **variables}, "db:3306", replicas)


def targets(found, desired=None):
    return [step.target for step in module.plan_binlog(found, desired or DesiredBinlog()).steps]


def file_of(found, desired=None):
    return module.binlog_result(found, desired or DesiredBinlog())["option_file"]


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_a_log_that_will_do(server):
    found = state(server)
    result = module.binlog_result(found, DesiredBinlog())
    assert targets(found) == [] and result["option_file"] == {} and not result["restart_required"] and not result["option_file_required"]
    assert result["enabled"] and all(setting["durable"] and setting["change"] == "none" for setting in result["settings"])


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_a_wrong_format_is_set_live(server):
    found = state(server, binlog_format="MIXED", binlog_row_image="MINIMAL")
    assert targets(found) == ["binlog_format=ROW", "binlog_row_image=FULL"]
    lasting = server.startswith("8.")
    file = file_of(found)
    assert file.get("binlog_format") == (None if lasting else "ROW")
    if not lasting:
        # All of it, as it is: the file may replace an earlier one. A log keeps its name.
        assert file["log_bin"] == "/data/own-name" and file["server_id"] == "7" and file["binlog_row_image"] == "FULL"
        assert "expire_logs_days" not in file
    plan = module.plan_binlog(found, DesiredBinlog())
    assert [finding.rule for finding in plan.findings] == ["binlog.binlog_format", "binlog.binlog_row_image"]
    assert plan.before["binlog_format"] == "MIXED" and plan.after["binlog_format"] == "ROW"


def test_where_nothing_persists_the_file_is_asked_for():
    found = state("8.0", binlog_format="MIXED", persisted_globals_load="OFF")
    assert file_of(found)["binlog_format"] == "ROW" and not found.persistent
    assert file_of(found)["binlog_expire_logs_seconds"] == "2592000"


@pytest.mark.parametrize(
    ("server", "variables", "retention", "expected"),
    [
        ("8.0", {"binlog_expire_logs_seconds": "3600"}, 0, [f"binlog_expire_logs_seconds={WEEK}"]),
        ("8.0", {"binlog_expire_logs_seconds": "3600"}, 1800, []),
        ("8.0", {"binlog_expire_logs_seconds": "0"}, 0, []),
        ("8.0", {"binlog_expire_logs_seconds": "3600", "binlog_expire_logs_auto_purge": "OFF"}, 0, []),
        ("8.0", {"binlog_expire_logs_seconds": "0", "expire_logs_days": "8"}, 0, []),
        (
            "8.0",
            {"binlog_expire_logs_seconds": "0", "expire_logs_days": "2"},
            0,
            ["expire_logs_days=0", f"binlog_expire_logs_seconds={WEEK}"],
        ),
        ("8.0", {}, 3000000, ["binlog_expire_logs_seconds=3000000"]),
        ("8.4", {"binlog_expire_logs_seconds": "60"}, 0, [f"binlog_expire_logs_seconds={WEEK}"]),
        ("5.7", {"expire_logs_days": "3"}, 0, ["expire_logs_days=7"]),
        ("5.7", {"expire_logs_days": "7"}, WEEK + 1, ["expire_logs_days=8"]),
        ("5.7", {"expire_logs_days": "99"}, 200 * 86400, []),
        ("10.11", {"binlog_expire_logs_seconds": "43200", "expire_logs_days": "0.500000"}, 0, [f"binlog_expire_logs_seconds={WEEK}"]),
        ("10.2", {"expire_logs_days": "1"}, 0, ["expire_logs_days=7"]),
    ],
)
def test_retention_is_raised_and_never_lowered(server, variables, retention, expected):
    assert targets(state(server, **variables), DesiredBinlog(retention=retention)) == expected


def test_without_a_log():
    found = state("10.11", log_bin="OFF", server_id="0")
    result = module.binlog_result(found, DesiredBinlog())
    assert not result["enabled"] and result["restart_required"] and result["option_file_required"]
    assert result["option_file"]["log_bin"] == "binlog" and int(result["option_file"]["server_id"]) > 0
    assert result["option_file"] == file_of(found)
    gtid = module.binlog_result(state("8.0", log_bin="OFF"), DesiredBinlog(gtid=True))
    assert {"log_bin": "binlog", "gtid_mode": "ON", "enforce_gtid_consistency": "ON"}.items() <= gtid["option_file"].items()
    assert targets(state("8.0", log_bin="OFF"), DesiredBinlog(gtid=True)) == []


@pytest.mark.parametrize(
    ("running", "wanted", "expected"), [("7", None, []), ("7", 7, []), ("7", 9, ["server_id=9"]), ("0", 9, ["server_id=9"])]
)
def test_server_id(running, wanted, expected):
    assert targets(state("5.7", server_id=running), DesiredBinlog(server_id=wanted)) == expected


@pytest.mark.parametrize(
    ("mode", "consistency", "expected"),
    [
        ("OFF", "OFF", ["enforce_gtid_consistency=ON", "gtid_mode=OFF_PERMISSIVE", "gtid_mode=ON_PERMISSIVE", "gtid_mode=ON"]),
        ("OFF", "WARN", ["enforce_gtid_consistency=ON", "gtid_mode=OFF_PERMISSIVE", "gtid_mode=ON_PERMISSIVE", "gtid_mode=ON"]),
        ("ON_PERMISSIVE", "ON", ["gtid_mode=ON"]),
        ("ON", "ON", []),
    ],
)
def test_gtid_mode_goes_step_by_step(mode, consistency, expected):
    found = state("8.0", gtid_mode=mode, enforce_gtid_consistency=consistency)
    assert targets(found, DesiredBinlog(gtid=True)) == expected
    assert targets(found) == []


def test_gtids_are_not_switched_on_under_replicas():
    plan = module.plan_binlog(state("8.0", replicas=2, binlog_format="MIXED"), DesiredBinlog(gtid=True))
    assert "2 replicas" in plan.refusal and plan.hint and not plan.changed
    assert not module.plan_binlog(state("8.0", replicas=2, gtid_mode="ON", enforce_gtid_consistency="ON"), DesiredBinlog(gtid=True)).refusal


def test_mariadb_has_gtids_always():
    assert targets(state("10.11"), DesiredBinlog(gtid=True)) == []


@pytest.mark.parametrize("desired", [DesiredBinlog(retention=-1), DesiredBinlog(server_id=0), DesiredBinlog(server_id=2**32)])
def test_what_cannot_be_meant(desired):
    with pytest.raises(InputError):
        module.validate(desired)


def test_a_managed_source_is_set_up_by_its_control_plane():
    own = {"binlog_expire_logs_seconds": "0", "binlog_row_image": "MINIMAL"}
    wanted = DesiredBinlog(gtid=True)
    assert module.plan_binlog(state("8.0", **own), wanted).refusal is None
    managed = replace(state("8.0", **own), endpoint="shop.mysql.database.azure.com:3306", service=SERVICES["mysql_flexible_server"])
    plan = module.plan_binlog(managed, wanted)
    assert not plan.changed and "binlog_expire_logs_seconds is 0" in plan.refusal
    commands = plan.hint.split("; ")
    assert all("az mysql flexible-server parameter set" in command and "--server-name shop " in command for command in commands)
    assert [command.partition("--value ")[2] for command in commands] == ["'FULL'", "'604800'", "'ON'", "'OFF_PERMISSIVE'", "'ON_PERMISSIVE'", "'ON'"]
    result = module.binlog_result(managed, wanted)
    assert not result["option_file_required"] and not result["restart_required"]
    right = replace(managed, variables={**managed.variables, "binlog_expire_logs_seconds": "604800", "binlog_row_image": "FULL"})
    assert module.plan_binlog(right, DesiredBinlog()).refusal is None


def test_gtids_on_mysql_56_take_a_restart():
    found = BinlogState(dialect_for("mysql", (5, 6, 24)), False, {**COMMON, "expire_logs_days": "0", "log_slave_updates": "OFF", **GTID_OFF})
    result = module.binlog_result(found, DesiredBinlog(gtid=True))
    assert targets(found, DesiredBinlog(gtid=True)) == [] and result["restart_required"]
    assert {name: result["option_file"][name] for name in ("gtid_mode", "enforce_gtid_consistency", "log_slave_updates")} == {
        "gtid_mode": "ON", "enforce_gtid_consistency": "ON", "log_slave_updates": "ON",
    }  # fmt: skip
    assert targets(state("5.7"), DesiredBinlog(gtid=True))[-1] == "gtid_mode=ON"
