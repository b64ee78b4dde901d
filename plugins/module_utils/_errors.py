# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The error tree: every failure that reaches a person says what was tried, on which server, why, and what to do."""

from __future__ import annotations

import typing as t


class DatainError(Exception):
    """A failure with a place and a remedy.

    :param message: what was wrong, one sentence, never with a secret in it
    :param server: which server, as ``source host:port`` or ``replica host:port``
    :param step: what was being done
    :param hint: what mends it, a command or an inventory line where possible
    :param code: the server's or the driver's error number
    :param sqlstate: the server's SQLSTATE
    """

    kind = "error"

    def __init__(
        self,
        message: str,
        *,
        server: str | None = None,
        step: str | None = None,
        hint: str | None = None,
        code: int | None = None,
        sqlstate: str | None = None,
        details: dict[str, t.Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.server = server
        self.step = step
        self.hint = hint
        self.code = code
        self.sqlstate = sqlstate
        self.details = details or {}

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.server, self.step) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text.rstrip('.')}. Remedy: {self.hint}" if self.hint else text

    def to_result(self) -> dict[str, t.Any]:
        """Return the failure as the keys every module returns when it fails."""
        return {
            "msg": str(self),
            "error": {
                "kind": self.kind,
                "code": self.code,
                "sqlstate": self.sqlstate,
                "message": self.message,
                "server": self.server,
                "step": self.step,
            },
            "hint": self.hint,
            **self.details,
        }


class InputError(DatainError):
    """What the user asked for cannot be meant; nothing was touched."""

    kind = "input"


class ConnectError(DatainError):
    """No session could be had: name, network, TLS or login."""

    kind = "connect"


class CertificateError(ConnectError):
    """The server showed a certificate that the given CA did not sign, or that has another name or has ended."""


class StatementError(DatainError):
    """The server refused a statement."""

    kind = "statement"


class ConnectionLost(DatainError):
    """The session died under a statement: whether that statement took effect is unknown."""

    kind = "lost"


class Refused(DatainError):
    """We decided not to act, because acting could lose, skip or double a transaction."""

    kind = "refused"


class LockHeld(DatainError):
    """Another run is changing this server."""

    kind = "locked"


class Timeout(DatainError):
    """Something did not happen in time; ``details`` holds the last state seen."""

    kind = "timeout"


class ToolError(DatainError):
    """A program of the servers' own distribution is missing, or failed."""

    kind = "tool"
