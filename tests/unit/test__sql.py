# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._sql import MASK, Redactor, quote_account, quote_identifier, without_values

SECRET = "p'a\"ss\\wört%_$x"


@pytest.mark.parametrize(("name", "quoted"), [("shop", "`shop`"), ("a`b", "`a``b`"), ("a.b c", "`a.b c`"), ("ü%_", "`ü%_`")])
def test_identifier(name: str, quoted: str) -> None:
    assert quote_identifier(name) == quoted


def test_an_identifier_holds_no_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote_identifier("a\x00b")


@pytest.mark.parametrize(("user", "host", "quoted"), [("u", "%", "'u'@'%'"), ("o'b", "h", r"'o\'b'@'h'"), ("a\\", "h", r"'a\\'@'h'")])
def test_account(user: str, host: str, quoted: str) -> None:
    assert quote_account(user, host) == quoted


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        SECRET.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"'),
        SECRET.replace("'", "''"),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET),
        repr(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
    ],
)
def test_every_form_is_masked(text: str) -> None:
    masked = Redactor([SECRET]).text(f"before {text} after")
    assert MASK in masked and "wört" not in masked and "ss\\" not in masked
    assert SECRET.encode().hex() not in masked.lower()


def test_nested_values_are_masked_and_keys_stay() -> None:
    masked = Redactor(["hunter22"]).value({"hunter22": ["a hunter22", {"x": ("hunter22", 1, None)}]})
    assert masked == {"hunter22": [f"a {MASK}", {"x": [MASK, 1, None]}]}


def test_no_secret_and_too_short_a_secret_mask_nothing() -> None:
    assert Redactor([None, "", "abc"]).text("abc") == "abc"


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("UPDATE t1 SET a = 'it''s', b=\"x\\\"y\" WHERE\n\t id IN (1, 2.5e3, 0xFF)", "UPDATE t1 SET a = ?, b=? WHERE id IN (?, ?, ?)"),
        ("SET PASSWORD = 'cut o", "SET PASSWORD = ?"),
        ("SELECT " + "a, " * 100, "SELECT " + "a, " * 37 + "a,…"),
    ],
)
def test_a_statement_without_its_values(statement: str, left: str) -> None:
    assert without_values(statement) == left
