# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error that a link is known to end in has a cause and a way out, and no credentials in it."""

from __future__ import annotations

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._advice import advice
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import ChannelError
from ansible_collections.datain.azure_mysql.plugins.module_utils._sql import without_credentials

KNOWN = (1062, 1032, 1146, 1396, 1236, 1593, 2003, 2026, 1045, 1130, 2061, 1068, 1075, 4109, 13117, 1021, 1595, 13122, 3185)


@pytest.mark.parametrize("code", KNOWN)
def test_a_known_error_has_a_way_out(code: int) -> None:
    found = advice(ChannelError(code, ""))
    assert found.cause != advice(ChannelError(9999, "")).cause
    assert found.remedy and "{" not in found.remedy.replace("{table}", "{")


@pytest.mark.parametrize(
    "code, message, words",
    [
        (1236, "Could not find first log file name in binary log index file", "purged"),
        (1236, "Client requested source to start replication from impossible position", "crashed"),
        (1236, "A replica with the same server_uuid/server_id as this replica has connected", "same id"),
        (1236, "log event entry exceeded max_allowed_packet", "max_allowed_packet"),
        (1593, "source and replica have equal MySQL server ids", "same id"),
        (1593, "The replication receiver thread cannot start because the source has GTID_MODE = ON", "GTID modes"),
        (1030, "Got error 28 from storage engine (errno: 28 - No space left on device)", "storage is full"),
        (3, "Error writing file '/tmp/x' (Errcode: 28 - No space left on device)", "storage is full"),
        (1595, "Relay log write failure: could not queue event from master", "checksum"),
        (1060, "Duplicate column name 'my_row_id'", "invisible primary key"),
        (1060, "Duplicate column name 'price'", "nothing is known"),
    ],
)
def test_one_number_with_several_causes(code: int, message: str, words: str) -> None:
    assert words in advice(ChannelError(code, message)).cause


def test_the_remedy_names_the_table() -> None:
    assert "compare shop.item on" in advice(ChannelError(1062, "Could not execute Write_rows event on table shop.item; Duplicate")).remedy


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE USER 'eve'@'%' IDENTIFIED BY 'S3cret'",
        "CREATE USER 'eve'@'%' IDENTIFIED BY PASSWORD 'S3cret'",
        "CREATE USER 'eve'@'%' IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$it''s\\'S3cret'",
        "ALTER USER eve IDENTIFIED VIA mysql_native_password USING 'S3cret' OR unix_socket",
        "CREATE USER eve IDENTIFIED VIA mysql_native_password USING PASSWORD('S3cret')",
        "CREATE USER eve IDENTIFIED WITH caching_sha2_password AS 0x53C3E7",
        "SET PASSWORD FOR 'eve'@'%'='S3cret'",
        "SET PASSWORD = PASSWORD('S3cret')",
        "GRANT USAGE ON *.* TO 'eve'@'%' IDENTIFIED BY \"S3cret\"",
        "CREATE USER 'eve'@'%' IDENTIFIED BY 'S3cret and so on, cut off by the serv",
    ],
)
def test_credentials_leave_the_words_of_a_server(statement: str) -> None:
    said = without_credentials(f"Error 'Operation CREATE USER failed' on query. Default database: ''. Query: '{statement}'")
    assert "S3cret" not in said and "53C3E7" not in said and "********" in said
    assert "eve" in said or "SET PASSWORD =" in said


def test_other_words_stay() -> None:
    text = "Could not execute Write_rows event on table shop.item; Duplicate entry 'by hand' for key 'item.PRIMARY', Error_code: 1062"
    assert without_credentials(text) == text
