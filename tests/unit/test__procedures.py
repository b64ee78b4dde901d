# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._procedures import Procedures, reported_failure


@pytest.mark.parametrize(
    ("results", "problem"),
    [
        ([], None),
        ([[]], None),
        ([[{"message": "Replication started"}]], None),
        ([[{"message": "Replication failed: no source"}]], "Replication failed: no source"),
        ([[{"message": "ok"}], [{"exception": "1198"}]], "1198"),
        ([[{"exception": ""}]], None),
        ([[{"Exception": None}]], None),
        ([[{"other": "failed"}]], None),
        ([[{"result": "The certificate cannot be written"}]], "The certificate cannot be written"),
    ],
)
def test_rows_that_mean_failure(results: list, problem: str | None) -> None:
    assert reported_failure(results) == problem


def test_what_is_missing() -> None:
    assert Procedures({}).missing() == [
        f"mysql.az_replication_{name}" for name in ("start", "stop", "remove_master", "change_master")
    ]
    rest = {"start": 0, "stop": 0, "remove_master": 0}
    assert Procedures({**rest, "change_master_with_gtid": 5}).missing() == []
    assert Procedures({**rest, "change_master": 6}).missing() == ["mysql.az_replication_change_master"]
