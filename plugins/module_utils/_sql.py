# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Quoting for the few places that cannot be bound, and masking of secrets in everything that leaves us."""

from __future__ import annotations

import json
import re
import typing as t

MASK = "********"
SHORTEST = 4  # a shorter text stands in too many harmless words to be masked


def quote_identifier(name: str) -> str:
    """Quote a schema, table, column or routine name; any character but NUL is legal in one."""
    if "\x00" in name:
        raise ValueError("an identifier cannot contain a NUL character")
    return "`" + name.replace("`", "``") + "`"


def quote_account(user: str, host: str) -> str:
    """Return ``'user'@'host'`` for people to read or paste; statements bind both parts."""
    return "@".join("'" + part.replace("\\", "\\\\").replace("'", "\\'") + "'" for part in (user, host))


# A password or its hash in a statement about an account. A server cuts long texts off, so that the closing quote may be missing.
_CREDENTIAL = re.compile(
    r"""(?is)(\b(?:BY|AS|USING|OR)\s+(?:PASSWORD\s*)?\(?\s*|\bPASSWORD\s*\(\s*|\bPASSWORD\b[^=;]*=\s*)"""
    r"""('(?:[^'\\]|\\.|'')*(?:'|$)|"(?:[^"\\]|\\.|"")*(?:"|$)|0x[0-9a-f]+)"""
)


def without_credentials(text: str) -> str:
    """Return a server's words about a statement without the passwords and hashes that an account statement holds."""
    return _CREDENTIAL.sub(rf"\1'{MASK}'", text)


# A text, or a number that stands by itself. The last text may have lost its end.
_VALUE = re.compile(r"""(?s)'(?:[^'\\]|\\.|'')*(?:'|$)|"(?:[^"\\]|\\.|"")*(?:"|$)|(?<![\w`$])\d[\w.]*""")


def without_values(statement: str, longest: int = 120) -> str:
    """Return the beginning of a statement without the values in it, on one line: somebody else's may hold anything."""
    text = " ".join(_VALUE.sub("?", statement).split())
    return text if len(text) <= longest else text[:longest] + "…"


def _forms(secret: str) -> t.Iterator[str]:
    """Yield the shapes in which a secret turns up in texts: plain, escaped for SQL, JSON, Python and shell, and hex."""
    yield secret
    yield secret.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield secret.replace("\\", "\\\\").replace("'", "\\'")
    yield secret.replace("'", "''")
    yield secret.replace("'", "'\"'\"'")
    yield repr(secret)[1:-1]
    encoded = secret.encode("utf-8")
    yield encoded.hex()
    yield encoded.hex().upper()


class Redactor:
    """Replaces secrets, in all their forms, in anything that JSON can hold.

    Ansible's own masking knows exact substrings only, and does not see the result of an action plugin at all.
    """

    def __init__(self, secrets: t.Iterable[str | None]) -> None:
        forms = {form for secret in secrets if secret and len(secret) >= SHORTEST for form in _forms(secret)}
        # Longest first, so that a form that contains another one is replaced whole.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """Return the text with every form of every secret masked."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def value(self, value: t.Any) -> t.Any:
        """Return a copy of nested lists and dictionaries with every text masked; keys are our own words and stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value
