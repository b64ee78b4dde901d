# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The certificates of a link: what is in the PEM that is given."""

from __future__ import annotations

import datetime
import hashlib
import ssl
from dataclasses import dataclass

from ._connection import Connection, authority, pem_certificates, pem_text
from ._errors import InputError


@dataclass(frozen=True)
class Certificate:
    """One certificate of the PEM for the link.

    :param ends: the last moment of its validity, or None where the library tells it of authorities only
    """

    fingerprint: str
    authority: bool
    subject: str = ""
    ends: datetime.datetime | None = None


@dataclass(frozen=True)
class Presented:
    """What the source showed to a session of ours that verified with the link's CA.

    :param problem: why the certificate was not accepted, or None
    :param names: the names and addresses in the certificate
    :param ends: the last moment of its validity
    """

    problem: str | None = None
    names: tuple[str, ...] = ()
    ends: datetime.datetime | None = None

    @classmethod
    def to(cls, session: Connection) -> Presented:
        """Return what a session that has verified the certificate was shown."""
        return cls(None, session.certificate_names, _moment(session.certificate_ends))

    def covers(self, host: str) -> bool:
        """Tell whether the certificate is one for this name or address; a star stands for one part of a name."""
        wanted = host.lower().rstrip(".")
        return any(name.lower() in (wanted, f"*.{wanted.partition('.')[2]}") for name in self.names)


def _moment(seconds: float | None) -> datetime.datetime | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def fingerprints(ca: str) -> frozenset[str]:
    """Tell certificates apart; a CA that cannot be read has stopped the login already."""
    try:
        return frozenset(hashlib.sha256(der).hexdigest() for der in pem_certificates(pem_text(ca, "login_ca"), "login_ca"))
    except InputError:
        return frozenset()


def _certificate(encoded: bytes) -> Certificate:
    described = authority(encoded)
    fingerprint = hashlib.sha256(encoded).hexdigest()
    if not described:
        return Certificate(fingerprint, authority=False)
    words = ["=".join(pair) for part in described.get("subject", ()) for pair in part]
    return Certificate(fingerprint, True, ", ".join(words), _moment(ssl.cert_time_to_seconds(str(described["notAfter"]))))


def read_certificates(ca: str) -> tuple[tuple[Certificate, ...], str | None]:
    """Return the certificates of the link's CA, and what is wrong with it, or None."""
    try:
        encoded = pem_certificates(pem_text(ca, "link_ca"), "link_ca")
    except InputError as error:
        return (), error.message
    return tuple(map(_certificate, encoded)), None
