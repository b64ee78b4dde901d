# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for, parse_version
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import MARIADB, MYSQL


@pytest.mark.parametrize(
    ("text", "comment", "flavour", "version"),
    [
        ("8.0.33", "MySQL Community Server - GPL", MYSQL, (8, 0, 33)),
        ("8.0.42-azure", "Source distribution", MYSQL, (8, 0, 42)),
        ("5.7.44-azure-log", "", MYSQL, (5, 7, 44)),
        ("8.0.mysql_aurora.3.04.0", "", MYSQL, (8, 0, 0)),
        ("10.11.6-MariaDB-0+deb12u1-log", "Debian 12", MARIADB, (10, 11, 6)),
        ("5.5.5-10.6.18-MariaDB", "", MARIADB, (10, 6, 18)),
        ("10.2.11", "MariaDB Server", MARIADB, (10, 2, 11)),
        ("9.7.4", "", MYSQL, (9, 7, 4)),
        ("", "", MYSQL, (0, 0, 0)),
    ],
)
def test_version(text: str, comment: str, flavour: str, version: tuple) -> None:
    assert parse_version(text, comment) == (flavour, version)


@pytest.mark.parametrize(
    ("flavour", "version", "channels", "end"),
    [
        (MYSQL, (5, 6, 24), "SHOW SLAVE STATUS", "SHOW MASTER STATUS"),
        (MYSQL, (8, 0, 21), "SHOW SLAVE STATUS", "SHOW MASTER STATUS"),
        (MYSQL, (8, 0, 22), "SHOW REPLICA STATUS", "SHOW MASTER STATUS"),
        (MYSQL, (8, 4, 0), "SHOW REPLICA STATUS", "SHOW BINARY LOG STATUS"),
        (MYSQL, (9, 7, 4), "SHOW REPLICA STATUS", "SHOW BINARY LOG STATUS"),
        (MARIADB, (10, 2, 11), "SHOW ALL SLAVES STATUS", "SHOW MASTER STATUS"),
        (MARIADB, (11, 8, 0), "SHOW ALL SLAVES STATUS", "SHOW MASTER STATUS"),
    ],
)
def test_verbs(flavour: str, version: tuple, channels: str, end: str) -> None:
    dialect = dialect_for(flavour, version)
    assert (dialect.channels, dialect.binlog_status) == (channels, end)


@pytest.mark.parametrize(
    ("version", "word", "reserved"),
    [
        ((8, 0, 15), "persist", True),
        ((8, 0, 16), "persist", False),
        ((8, 0, 30), "intersect", False),
        ((8, 0, 31), "intersect", True),
        ((8, 4, 5), "manual", True),
        ((9, 6, 0), "parallel", True),
        ((9, 7, 0), "manual", False),
        ((9, 7, 0), "qualify", True),
    ],
)
def test_reserved_words(version: tuple, word: str, reserved: bool) -> None:
    assert (word in dialect_for(MYSQL, version).reserved_words) is reserved
