# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes against what a real MySQL 8.0.33 stored."""

from __future__ import annotations

import re

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _password_hash as hashes

# CREATE USER … BY 'hello' on 8.0.33; the salt holds 0x01, 0x19, 0x7F and 0x14.
HELLO = "244124303035240138197F23373D146A7C3D77473E463622426F2D6D796C492F627176535872626E396A3572786A68557467522F7A674835425370385033357442526A422E43"
HELLO_NATIVE = "*6B4F89A54E2D27ECD7E8DA05B4AB8FD9D1D8B119"


def test_native_is_what_the_server_stores():
    assert hashes.native("hello") == HELLO_NATIVE
    assert hashes.verifies("hello", hashes.NATIVE, HELLO_NATIVE.encode().hex()) is True
    assert hashes.verifies("hello", hashes.NATIVE, HELLO_NATIVE.lower().encode().hex()) is True
    assert hashes.verifies("Hello", hashes.NATIVE, HELLO_NATIVE.encode().hex()) is False


def test_caching_sha2_is_what_the_server_stores():
    salt = bytes.fromhex(HELLO)[7:27]
    assert hashes.caching_sha2("hello", salt).hex().upper() == HELLO
    assert hashes.verifies("hello", hashes.CACHING_SHA2, HELLO) is True
    assert hashes.verifies("hellp", hashes.CACHING_SHA2, HELLO) is False


@pytest.mark.parametrize("password", ["", "x", "pä€", "a" * 31, "a" * 32, "a" * 33, "a" * 64, "a" * 200])
def test_what_is_made_is_verified(password):
    for rounds in (1000, 5000, 10000):
        stored = hashes.caching_sha2(password, rounds=rounds).hex()
        assert hashes.verifies(password, hashes.CACHING_SHA2, stored) is True
        assert hashes.verifies(password + "x", hashes.CACHING_SHA2, stored) is False


def test_rounds_are_hexadecimal_thousands():
    assert hashes.caching_sha2("x", b"s" * 20, 10000).startswith(b"$A$00A$")


def test_salts_are_fresh_and_need_no_quoting():
    made = {hashes.stored_for(hashes.CACHING_SHA2, "hello") for _time in range(5)}
    assert len(made) == 5
    assert all(re.fullmatch(r"\$A\$005\$[./0-9A-Za-z]{63}", stored) for stored in made)


@pytest.mark.parametrize(
    ("plugin", "stored"),
    [
        ("sha256_password", HELLO),
        (hashes.CACHING_SHA2, HELLO[:-2]),
        (hashes.CACHING_SHA2, "not hex"),
        (hashes.CACHING_SHA2, "2442" + HELLO[4:]),
        (hashes.NATIVE, "00"),
        (hashes.NATIVE, HELLO),
    ],
)
def test_what_is_not_known_is_not_guessed(plugin, stored):
    assert hashes.verifies("hello", plugin, stored) is None


def test_no_password():
    assert hashes.verifies("", hashes.NATIVE, "") is True
    assert hashes.verifies("hello", hashes.CACHING_SHA2, "") is False


@pytest.mark.parametrize(("salt", "rounds"), [(b"short", 5000), (b"s" * 20, 5001), (b"s" * 20, 0), (b"s" * 20, 5000000)])
def test_what_cannot_be_stored(salt, rounds):
    with pytest.raises(ValueError):
        hashes.caching_sha2("hello", salt, rounds)


def test_an_unknown_plugin_gets_no_hash():
    with pytest.raises(ValueError):
        hashes.stored_for("ed25519", "hello")
