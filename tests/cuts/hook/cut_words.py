# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a statement is called: its first words without any value, the same for the hook, the relay and a server's log."""

from __future__ import annotations

import re

_VALUES = re.compile(r"""'(?:[^'\\]|\\.|'')*('|\Z)|"(?:[^"\\]|\\.|"")*("|\Z)""", re.S)
# How many rows a dump holds is the writer's doing.
_ROWS = re.compile(r"\A(INSERT INTO .*? VALUES)\b.*", re.S)
_NUMBERS = re.compile(r"\b0x[0-9a-fA-F]+\b|\b\d+\b")
LENGTH = 90


def words(sql: str | bytes) -> str:
    """Return a statement's first words; values are left out, so that two runs call it the same."""
    text = sql.decode("utf-8", "replace") if isinstance(sql, (bytes, bytearray)) else sql
    text = _VALUES.sub("?", text[:4000])
    text = _NUMBERS.sub("N", _ROWS.sub(r"\1", text))
    return " ".join(text.split())[:LENGTH]
