# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Status rows of every generation become the same words."""

from __future__ import annotations

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Coordinates
from ansible_collections.datain.azure_mysql.plugins.module_utils._server import _channel, is_system_schema, one_line

OLD = {
    "Slave_IO_State": "Waiting for master to send event",
    "Master_Host": "db",
    "Master_User": "datain",
    "Master_Port": 3306,
    "Master_Log_File": "binlog.000003",
    "Read_Master_Log_Pos": 500,
    "Relay_Log_File": "relay.000002",
    "Relay_Log_Pos": 320,
    "Relay_Master_Log_File": "binlog.000003",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Exec_Master_Log_Pos": 400,
    "Seconds_Behind_Master": 3,
    "Last_IO_Errno": 0,
    "Last_IO_Error": "",
    "Last_SQL_Errno": 0,
    "Last_SQL_Error": "",
    "Master_Server_Id": 7,
    "Master_UUID": "u",
    "Master_SSL_Allowed": "Yes",
    "Auto_Position": 0,
    "Executed_Gtid_Set": "",
    "Replicate_Wild_Ignore_Table": "mysql.%",
    "Channel_Name": "",
}
NEW = {key.replace("Master", "Source").replace("Slave_", "Replica_"): value for key, value in OLD.items()}


@pytest.mark.parametrize("row", [OLD, NEW], ids=["slave", "replica"])
def test_both_vocabularies_say_the_same(row: dict) -> None:
    channel = _channel(row)
    assert channel.state == "running" and channel.lag == 3 and channel.tls and not channel.by_gtid
    assert channel.read == Coordinates("binlog.000003", 500) and channel.applied == Coordinates("binlog.000003", 400)
    assert (channel.source_host, channel.source_uuid, channel.source_id) == ("db", "u", 7)
    assert channel.ignored_tables == "mysql.%"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "running"),
        ({"Slave_IO_Running": "No", "Slave_SQL_Running": "No"}, "off"),
        ({"Slave_IO_Running": "Connecting"}, "connecting"),
        ({"Slave_IO_Running": "Preparing"}, "connecting"),
        ({"Slave_IO_Running": "Connecting", "Last_IO_Errno": 2003, "Last_IO_Error": "no"}, "connection_error"),
        ({"Slave_IO_Running": "No"}, "receiver_off"),
        ({"Slave_SQL_Running": "No"}, "applier_off"),
        ({"Slave_SQL_Running": "No", "Last_SQL_Errno": 1062, "Last_SQL_Error": "dup"}, "applier_error"),
    ],
)
def test_state(changes: dict, state: str) -> None:
    assert _channel({**OLD, **changes}).state == state


def test_unknown_lag_is_not_zero() -> None:
    assert _channel({**OLD, "Seconds_Behind_Master": None}).lag is None


def test_mariadb_by_gtid() -> None:
    row = {key: value for key, value in OLD.items() if key not in ("Auto_Position", "Channel_Name", "Master_UUID")}
    channel = _channel({**row, "Connection_name": "", "Using_Gtid": "Slave_Pos", "Gtid_IO_Pos": "0-1-7"})
    assert channel.by_gtid and channel.gtid_retrieved == "0-1-7" and channel.source_uuid is None


def test_a_channel_that_never_connected() -> None:
    fresh = {**OLD, "Relay_Log_File": "relay.000001", "Relay_Log_Pos": 4, "Master_UUID": "", "Master_Server_Id": 0}
    assert _channel(fresh).never_connected and not _channel(OLD).never_connected


@pytest.mark.parametrize(
    ("name", "system"),
    [("mysql", True), ("SYS", True), ("datain_state", True), ("mysql_app", False), ("system", False), ("sys_shop", False), ("Performance_Schema", True)],
)
def test_system_schemas(name: str, system: bool) -> None:
    assert is_system_schema(name) == system


def test_gtids_on_one_line() -> None:
    assert one_line("a:1-2,\nb:3") == "a:1-2,b:3" and one_line("") is None and one_line(None) is None
