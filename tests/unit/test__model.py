# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Coordinates, Identity, Start


@pytest.mark.parametrize(("file", "position"), [("", 4), ("binlog", 4), ("binlog.000001", 3), ("binlog.x", 4)])
def test_what_is_no_place(file: str, position: int) -> None:
    with pytest.raises(ValueError, match="binary log"):
        Coordinates(file, position)


def test_files_are_ordered_by_number() -> None:
    assert Coordinates("binlog.999999", 4).order < Coordinates("binlog.1000000", 4).order
    assert Coordinates("a.b.000002", 9).base == "a.b"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Identity(1, "a"), Identity(2, "a"), True),
        (Identity(1, "a"), Identity(1, "b"), False),
        (Identity(1), Identity(1), True),
        (Identity(1), Identity(2), False),
        (Identity(1, "a"), None, False),
    ],
)
def test_identity(one: Identity, other: Identity | None, same: bool) -> None:
    assert one.same_as(other) == same


def test_a_start_survives_its_record() -> None:
    start = Start(Coordinates("binlog.000002", 200), "u:1-5", "record")
    assert Start.from_result(start.to_result()) == start
    assert Start.from_result(Start(None, "0-1-2").to_result()) == Start(None, "0-1-2")
    assert Start.from_result(None) is None
