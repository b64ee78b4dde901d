# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What servers store in place of a password, computed here, so that no clear password stands in any statement.

Sources: the MySQL manual on both plugins; sha256-crypt as Ulrich Drepper specified it, but with a salt of 20 bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

NATIVE = "mysql_native_password"
CACHING_SHA2 = "caching_sha2_password"

# What the server takes where caching_sha2_password_digest_rounds is not raised.
DEFAULT_ROUNDS = 5000
SALT_BYTES = 20

_BASE64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# The order in which sha256-crypt takes three bytes of the digest for four letters; the last two stand alone.
_TRIPLES = (
    (0, 10, 20),
    (21, 1, 11),
    (12, 22, 2),
    (3, 13, 23),
    (24, 4, 14),
    (15, 25, 5),
    (6, 16, 26),
    (27, 7, 17),
    (18, 28, 8),
    (9, 19, 29),
)
_STORED_SHA2 = re.compile(rb"\$A\$([0-9A-Fa-f]{3})\$(.{20})([./0-9A-Za-z]{43})", re.DOTALL)
_STORED_NATIVE = re.compile(rb"\*[0-9A-Fa-f]{40}")


def native(password: str) -> str:
    """Return what mysql_native_password stores: ``*`` and the hex of SHA1(SHA1(password))."""
    inner = hashlib.sha1(password.encode("utf-8")).digest()
    return "*" + hashlib.sha1(inner).hexdigest().upper()


def _letters(value: int, count: int) -> str:
    return "".join(_BASE64[value >> 6 * place & 63] for place in range(count))


def _sha256_crypt(password: bytes, salt: bytes, rounds: int) -> str:
    """Return the 43 letters of sha256-crypt."""
    sha = hashlib.sha256
    length = len(password)
    other = sha(password + salt + password).digest()
    mixed = password + salt + (other * (length // 32 + 1))[:length]
    bits = length
    while bits:
        mixed += other if bits & 1 else password
        bits >>= 1
    digest = sha(mixed).digest()
    repeated_password = (sha(password * length).digest() * (length // 32 + 1))[:length]
    repeated_salt = (sha(salt * (16 + digest[0])).digest() * (len(salt) // 32 + 1))[: len(salt)]
    for number in range(rounds):
        odd = number & 1
        text = repeated_password if odd else digest
        if number % 3:
            text += repeated_salt
        if number % 7:
            text += repeated_password
        digest = sha(text + (digest if odd else repeated_password)).digest()
    letters = "".join(_letters(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _TRIPLES)
    return letters + _letters(digest[31] << 8 | digest[30], 3)


def caching_sha2(password: str, salt: bytes | None = None, rounds: int = DEFAULT_ROUNDS) -> bytes:
    """Return what caching_sha2_password stores.

    :param salt: 20 bytes; without one, fresh letters of which none needs quoting
    :param rounds: a multiple of 1000; the server writes their thousands as three hexadecimal digits
    :raises ValueError: the salt or the rounds cannot be stored
    """
    if salt is None:
        salt = "".join(secrets.choice(_BASE64) for _letter in range(SALT_BYTES)).encode("ascii")
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    if rounds % 1000 or not 1000 <= rounds <= 0xFFF * 1000:
        raise ValueError(f"{rounds} rounds cannot be stored")
    text = _sha256_crypt(password.encode("utf-8"), salt, rounds)
    return b"$A$%03X$" % (rounds // 1000) + salt + text.encode("ascii")


def stored_for(plugin: str, password: str) -> str:
    """Return a fresh value for an account with this plugin, in letters that need no escaping.

    :raises ValueError: the plugin is none of those that are known here
    """
    if plugin == NATIVE:
        return native(password)
    if plugin == CACHING_SHA2:
        return caching_sha2(password).decode("ascii")
    raise ValueError(f"no hash can be made for {plugin}")


def verifies(password: str, plugin: str, stored_hex: str) -> bool | None:
    """Tell whether a password belongs to what a server has stored, by the rounds and the salt of the stored value.

    :param stored_hex: ``HEX(authentication_string)``; the value itself may hold any byte
    :returns: None for a plugin or a format that is not known here
    """
    try:
        stored = bytes.fromhex(stored_hex)
    except ValueError:
        return None
    if plugin not in (NATIVE, CACHING_SHA2):
        return None
    if not stored:
        return not password
    if plugin == NATIVE:
        if not _STORED_NATIVE.fullmatch(stored):
            return None
        return hmac.compare_digest(native(password).encode("ascii"), stored.upper())
    found = _STORED_SHA2.fullmatch(stored)
    if not found:
        return None
    rounds = int(found[1], 16) * 1000
    return rounds > 0 and hmac.compare_digest(
        _sha256_crypt(password.encode("utf-8"), found[2], rounds).encode("ascii"), found[3]
    )
