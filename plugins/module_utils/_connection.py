# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The only file that knows the driver: TLS modes, time-outs, draining, normalised rows, and errors in our own words."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import functools
import os
import ssl
import traceback
import typing as t
from dataclasses import dataclass, field

from ._errors import CertificateError, ConnectError, ConnectionLost, DatainError, InputError, StatementError

try:
    import pymysql
    from pymysql import err as driver_errors
except ImportError:
    pymysql = None
    DRIVER_PROBLEM = traceback.format_exc()
else:
    DRIVER_PROBLEM = None

TLS_MODES = ("disabled", "preferred", "required", "verify_ca", "verify_identity")

# What the driver reports when the session is gone, whatever the statement did: 2006 gone away, 2013 lost, 2014 out of
# sync, 2055 lost with a system error, 0 the driver's own word for a socket that is closed already.
_LOST = frozenset((0, 2006, 2013, 2014, 2055, 4031))
_REMEDIES = {
    1040: "the server has no free connection: raise max_connections or end idle sessions",
    1044: "grant the account access",
    1045: "check datain_login_user and datain_login_password, and that the account may log in from this address",
    1130: "allow this address: the account's host part, or the server's firewall",
    1203: "the account has reached max_user_connections",
    1227: "log in as an administrator that has the privilege",
    1142: "log in as an administrator that has the privilege",
    2003: "check datain_login_host, datain_login_port, the firewall, and that the server runs",
    2013: "see whether the server is frozen or overloaded, and the network between",
    2026: "check datain_login_tls and datain_login_ca",
    2061: "the account's authentication plugin needs TLS: set datain_login_tls to required or better",
    3159: "the server demands TLS: set datain_login_tls to required or better",
    9000: "add this address to the firewall rules of the managed server",
    9002: "the server demands TLS: set datain_login_tls to required or better",
}


@dataclass(frozen=True)
class Login:
    """How to log in to one server.

    :param ca: PEM text or the path of a file; empty means the system's certificates
    :param connect_timeout: seconds until the TCP connection stands
    :param read_timeout: seconds to wait for an answer, the handshake included: a frozen server accepts connections
    :param write_timeout: seconds to wait until a statement is sent
    """

    side: str
    host: str
    user: str
    password: str = field(repr=False, default="")
    port: int = 3306
    tls: str = "preferred"
    ca: str = ""
    connect_timeout: int = 10
    read_timeout: int = 30
    write_timeout: int = 30

    @property
    def label(self) -> str:
        return f"{self.side} {self.host}:{self.port}"


def pem_text(value: str, what: str) -> str:
    """Return the PEM text that an option holds or names.

    Line ends are normalised, since a carriage return breaks a certificate on some servers.

    :raises InputError: the file cannot be read, or the text is not one or more whole certificates
    """
    if not value.strip():
        return ""
    text = value
    if "-----BEGIN" not in value:
        path = os.path.expanduser(value.strip())
        try:
            with open(path, encoding="ascii") as stream:
                text = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{what} is neither PEM text nor a readable file: {error}",
                hint=f"give {what} as the text of a PEM certificate or the path of one",
            ) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n"
    certificates = pem_certificates(text, what)
    if not certificates:
        raise InputError(f"{what} holds no certificate", hint=f"give {what} as the text of a PEM certificate or the path of one")
    return text


def pem_certificates(text: str, what: str) -> list[bytes]:
    """Return the certificates of a PEM text in DER form.

    :raises InputError: a block is cut, flattened to one line, or not base64
    """
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    hint = f"keep the line breaks of the PEM in {what}: in YAML write it as a block with '|'"
    found: list[bytes] = []
    rest = text
    while begin in rest:
        body, closed, rest = rest.partition(begin)[2].partition(end)
        if not closed:
            raise InputError(f"{what} is cut off: a certificate has no end", hint=hint)
        if not body.startswith("\n"):
            raise InputError(f"{what} has lost its line breaks: a server would refuse it", hint=hint)
        try:
            found.append(_der(f"{begin}{body}{end}"))
        except ssl.SSLError as error:
            raise InputError(f"{what} holds a certificate that cannot be read: {error.reason}", hint=hint) from error
        except ValueError as error:
            raise InputError(f"{what} holds a certificate that is not one: {error}", hint=hint) from error
    return found


# Nothing is verified with it: it only reads certificates. To make one for each would take longer than to read them.
_PARSER = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@functools.lru_cache(maxsize=64)
def _der(pem: str) -> bytes:
    """Return one certificate in DER form; a fleet's hosts name the same few again and again.

    :raises ValueError: it is not base64
    :raises ssl.SSLError: it is no certificate
    """
    der = ssl.PEM_cert_to_DER_cert(pem)
    _PARSER.load_verify_locations(cadata=der)
    return der


def authority(certificate: bytes) -> dict[str, t.Any] | None:
    """Return what the library says about a certificate that ``pem_certificates`` has read; None unless it is an authority's."""
    return dict(zip(_PARSER.get_ca_certs(binary_form=True), _PARSER.get_ca_certs())).get(certificate)


def _tls_context(login: Login) -> ssl.SSLContext | None:
    if login.tls == "disabled":
        return None
    ca = pem_text(login.ca, "login_ca")
    if login.tls not in ("verify_ca", "verify_identity"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context = ssl.create_default_context(cadata=ca or None)
    # Certificates that the servers make for themselves at their first start do not pass the strict checks of Python 3.13.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
    context.check_hostname = login.tls == "verify_identity"
    return context


def prepare_tls() -> None:
    """Begin a handshake with nobody: the library then has looked up its ciphers, which takes it longer than the handshake itself."""
    session = _PARSER.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()


def _plain(value: t.Any) -> t.Any:
    """Turn what the driver returns into what JSON can hold."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return ",".join(sorted(value))
    return value


Row = dict[str, t.Any]


class Connection:
    """One session. Every result set of every statement is drained, so that a late error belongs to its own statement.

    :param later: log in with the first statement, not at once
    """

    def __init__(self, login: Login, *, later: bool = False) -> None:
        if pymysql is None:
            raise InputError("the Python package PyMySQL is missing where SQL is spoken from", hint="pip install PyMySQL")
        self.login = login
        self.lost: DatainError | None = None  # set once the session has died: what was read since is not whole
        self._session = None if later else self._open(login)

    @property
    def _driver(self) -> t.Any:
        if self._session is None:
            self._session = self._open(self.login)
        return self._session

    def _open(self, login: Login) -> t.Any:
        context = _tls_context(login)
        try:
            return self._connect(login, context)
        except driver_errors.MySQLError as error:
            if login.tls == "preferred" and self._is_tls_problem(error):
                # Preferred means: without TLS where TLS is not to be had. The driver does not fall back by itself.
                try:
                    return self._connect(login, None)
                except driver_errors.MySQLError as second:
                    error = second
            raise self._connect_error(login, error) from None

    @staticmethod
    def _connect(login: Login, context: ssl.SSLContext | None) -> t.Any:
        arguments: dict[str, t.Any] = {"ssl": context} if context else {"ssl_disabled": True}
        return pymysql.connect(
            host=login.host,
            port=login.port,
            user=login.user,
            password=login.password.encode("utf-8"),  # the driver would encode a str as latin1
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=login.connect_timeout,
            read_timeout=login.read_timeout,
            write_timeout=login.write_timeout,
            program_name="datain.azure_mysql",
            # Nothing of a server's own settings may change what our statements mean, or let one wait for ever.
            init_command="SET SESSION sql_mode='', time_zone='+00:00', lock_wait_timeout=20, group_concat_max_len=1048576",
            **arguments,
        )

    @staticmethod
    def _is_tls_problem(error: Exception) -> bool:
        cause = getattr(error, "original_exception", None)
        code = error.args[0] if error.args else None
        return isinstance(cause, ssl.SSLError) or code == 2026 or "SSL" in str(error)

    @staticmethod
    def _connect_error(login: Login, error: Exception) -> ConnectError:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else None
        cause = getattr(error, "original_exception", None)
        message = str(error.args[1]) if len(error.args) > 1 else str(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            code, message = 2026, f"the server's certificate was not accepted: {cause.verify_message}"
        elif isinstance(cause, ssl.SSLError):
            code, message = 2026, f"no TLS session could be agreed on: {cause.reason}"
        elif isinstance(cause, TimeoutError):
            message = f"no answer within {login.connect_timeout} s"
        elif isinstance(cause, OSError):
            message = f"cannot be reached: {cause.strerror or cause}"
        elif code == 2013:
            message = f"accepted the connection but did not answer within {login.read_timeout} s"
        kind = CertificateError if isinstance(cause, ssl.SSLCertVerificationError) else ConnectError
        return kind(message, server=login.label, step=f"log in as {login.user}", code=code, hint=_REMEDIES.get(code or 0))

    def _run(self, sql: str, parameters: t.Sequence[t.Any], step: str, patience: int | None) -> list[list[Row]]:
        results: list[list[Row]] = []
        # The driver reads this attribute before every statement; there is no public way to let one statement take longer.
        self._driver._read_timeout = patience or self.login.read_timeout
        try:
            with self._driver.cursor() as cursor:
                cursor.execute(sql, tuple(parameters) or None)
                while True:
                    if cursor.description:
                        names = [column[0] for column in cursor.description]
                        results.append([dict(zip(names, map(_plain, row))) for row in cursor.fetchall()])
                    if not cursor.nextset():
                        return results
        except driver_errors.MySQLError as error:
            raise self._statement_error(error, step) from None
        finally:
            self._driver._read_timeout = self.login.read_timeout

    def _statement_error(self, error: Exception, step: str) -> Exception:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        # A server quotes the text near a syntax error, which may be a secret: its own words are kept for other errors only.
        message = str(error.args[1]) if len(error.args) > 1 and code != 1064 else "the server could not parse the statement"
        if code in _LOST or isinstance(error, driver_errors.InterfaceError):
            self.lost = ConnectionLost(
                f"the connection was lost ({message or 'closed'}); whether the statement took effect is not known",
                server=self.login.label,
                step=step,
                code=code or None,
                hint="run the playbook again: it reads the servers first and goes on from what it finds",
            )
            return self.lost
        return StatementError(message, server=self.login.label, step=step, code=code, hint=_REMEDIES.get(code))

    def rows(self, sql: str, parameters: t.Sequence[t.Any] = (), *, step: str, patience: int | None = None) -> list[Row]:
        """Run a statement and return the rows of its first result set.

        :param step: what this is for, in an operator's words; it stands in every error
        :param patience: seconds to wait for the answer, where the login's read time-out is too short
        """
        results = self._run(sql, parameters, step, patience)
        return results[0] if results else []

    def value(self, sql: str, parameters: t.Sequence[t.Any] = (), *, step: str, patience: int | None = None) -> t.Any:
        """Return the first column of the first row, or None."""
        rows = self.rows(sql, parameters, step=step, patience=patience)
        return next(iter(rows[0].values())) if rows else None

    def execute(self, sql: str, parameters: t.Sequence[t.Any] = (), *, step: str, patience: int | None = None) -> list[list[Row]]:
        """Run a statement for what it does; return every result set, since procedures may report failures as rows."""
        return self._run(sql, parameters, step, patience)

    @property
    def shown(self) -> Row:
        """What the session itself has shown: TLS, or None without; of the certificate, if it was verified, its names and its last second."""
        sock = getattr(self._session, "_sock", None)
        if not isinstance(sock, ssl.SSLSocket):
            return {"tls": None, "names": (), "ends": None}
        cipher, certificate = sock.cipher(), t.cast("dict[str, t.Any]", sock.getpeercert() or {})
        common = tuple(value for part in certificate.get("subject", ()) for key, value in part if key == "commonName")
        ends = certificate.get("notAfter")
        return {
            "tls": {"version": sock.version(), "cipher": cipher[0] if cipher else None},
            "names": tuple(str(value) for _kind, value in certificate.get("subjectAltName", ())) or common,
            "ends": ssl.cert_time_to_seconds(str(ends)) if ends else None,
        }

    @property
    def tls(self) -> dict[str, t.Any] | None:
        """The protocol and cipher agreed on, or None without TLS."""
        return t.cast("dict[str, t.Any] | None", self.shown["tls"])

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """The names and addresses in the server's certificate; none where it was not verified."""
        return tuple(self.shown["names"])

    @property
    def certificate_ends(self) -> float | None:
        """The last second of the server's certificate; None where it was not verified."""
        return t.cast("float | None", self.shown["ends"])

    def close(self) -> None:
        try:
            if self._session is not None:
                self._session.close()
        except driver_errors.MySQLError:
            pass  # it was closed by the other side: that is what we wanted

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_exc: t.Any) -> None:
        self.close()
