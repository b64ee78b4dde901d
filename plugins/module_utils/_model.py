# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The frozen values everything else speaks in."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

MYSQL = "mysql"
MARIADB = "mariadb"
# Whom a check of the network goes to a source as: an account that nobody has, and by which a channel is known to be no link.
PROBE_USER = "datain_probe"
_LOG_FILE = re.compile(r".+\.\d+")
_NUMBER = re.compile(r"\d+(\.\d+)?")


def number(text: str, default: int = 0) -> int:
    """Return the text of a variable as a whole number."""
    return int(float(text)) if _NUMBER.fullmatch(text) else default


@dataclass(frozen=True)
class Identity:
    """Who a server is, beyond its name: a restored or rebuilt server under the old name differs here.

    MariaDB has no server_uuid; its server_id is all there is to tell it by.
    """

    server_id: int
    server_uuid: str | None = None

    def to_result(self) -> dict[str, t.Any]:
        return {"server_id": self.server_id, "server_uuid": self.server_uuid}

    @classmethod
    def from_result(cls, value: dict[str, t.Any] | None) -> Identity | None:
        return cls(int(value["server_id"]), value.get("server_uuid")) if value else None

    def same_as(self, other: Identity | None) -> bool:
        """Tell whether both are one server; the uuid decides where both have one, since a server_id can be changed."""
        if other is None:
            return False
        if self.server_uuid and other.server_uuid:
            return self.server_uuid == other.server_uuid
        return self.server_id == other.server_id


@dataclass(frozen=True)
class Coordinates:
    """A place in a source's binary log. Files of one log are ordered by their number, not by their text."""

    file: str
    position: int

    def __post_init__(self) -> None:
        if not _LOG_FILE.fullmatch(self.file or "") or self.position < 4:
            raise ValueError(f"{self.file!r}:{self.position} is not a binary log file and a position of at least 4 in it")

    @property
    def base(self) -> str:
        return self.file.rpartition(".")[0]

    @property
    def number(self) -> int:
        return int(self.file.rpartition(".")[2])

    @property
    def order(self) -> tuple[int, int]:
        """What to compare by; only meaningful between coordinates of one log."""
        return self.number, self.position

    def __str__(self) -> str:
        return f"{self.file}:{self.position}"

    def to_result(self) -> dict[str, t.Any]:
        return {"file": self.file, "position": self.position}

    @classmethod
    def from_result(cls, value: dict[str, t.Any] | None) -> Coordinates | None:
        return cls(value["file"], int(value["position"])) if value and value.get("file") else None


@dataclass(frozen=True)
class Start:
    """Where a link starts: by position, by GTID, or both ways said, and where that knowledge comes from.

    :param gtid: on MySQL the set that is already applied, on MariaDB the position of every domain
    :param origin: ``seed``, ``record``, ``explicit`` or ``status``
    """

    coordinates: Coordinates | None = None
    gtid: str | None = None
    origin: str = "seed"

    def to_result(self) -> dict[str, t.Any]:
        place = self.coordinates.to_result() if self.coordinates else {"file": None, "position": None}
        return {**place, "gtid": self.gtid, "origin": self.origin}

    @classmethod
    def from_result(cls, value: dict[str, t.Any] | None) -> Start | None:
        if not value:
            return None
        return cls(Coordinates.from_result(value), value.get("gtid") or None, value.get("origin") or "seed")

    def __str__(self) -> str:
        return ", ".join(str(part) for part in (self.coordinates, self.gtid) if part) or "nowhere"


@dataclass(frozen=True)
class ChannelError:
    code: int
    message: str
    at: str | None = None

    def to_result(self) -> dict[str, t.Any]:
        return {"code": self.code, "message": self.message, "at": self.at}


@dataclass(frozen=True)
class Channel:
    """A replication channel in our own words, the same for every flavour and version.

    :param receiver: ``stopped``, ``connecting`` or ``running``
    :param applier: ``stopped`` or ``running``
    :param applied: position A of the decision table; exact only while both threads are stopped cleanly
    :param relay_position: 4 in the first relay file means: not connected since the last change
    :param lag: seconds, as the server says it; None is unknown, never zero
    """

    name: str
    source_host: str
    source_port: int
    source_user: str
    source_id: int
    source_uuid: str | None
    receiver: str
    applier: str
    read: Coordinates | None
    applied: Coordinates | None
    relay_file: str
    relay_position: int
    lag: int | None
    receiver_error: ChannelError | None
    applier_error: ChannelError | None
    tls: bool
    by_gtid: bool
    gtid_retrieved: str | None
    gtid_executed: str | None
    ignored_tables: str | None

    @property
    def state(self) -> str:
        """One word for the whole channel, after MySQL Shell's model."""
        if self.receiver_error and self.receiver != "running":
            return "connection_error"
        if self.applier_error and self.applier != "running":
            return "applier_error"
        if self.receiver == "stopped" and self.applier == "stopped":
            return "off"
        if self.receiver == "connecting":
            return "connecting"
        if self.receiver == "stopped":
            return "receiver_off"
        if self.applier == "stopped":
            return "applier_off"
        return "running"

    @property
    def stopped(self) -> bool:
        return self.receiver == "stopped" and self.applier == "stopped"

    @property
    def probe(self) -> bool:
        """No link, but what a check of the network has made."""
        return not self.name and self.source_user == PROBE_USER

    @property
    def running(self) -> bool:
        return self.receiver == "running" and self.applier == "running"

    @property
    def never_connected(self) -> bool:
        """Not connected since the last change of source: first relay file, at its first byte (engine fact R2)."""
        return self.relay_position <= 4 and self.relay_file.endswith("000001") or not self.relay_file

    def to_result(self) -> dict[str, t.Any]:
        return {
            "state": self.state,
            "source": {
                "host": self.source_host,
                "port": self.source_port,
                "user": self.source_user,
                "server_id": self.source_id or None,
                "server_uuid": self.source_uuid,
                "tls": self.tls,
            },
            "method": "gtid" if self.by_gtid else "position",
            "receiver": self.receiver,
            "applier": self.applier,
            "read": self.read.to_result() if self.read else None,
            "applied": self.applied.to_result() if self.applied else None,
            "gtid_retrieved": self.gtid_retrieved,
            "gtid_executed": self.gtid_executed,
            "lag_seconds": self.lag,
            "receiver_error": self.receiver_error.to_result() if self.receiver_error else None,
            "applier_error": self.applier_error.to_result() if self.applier_error else None,
            "ignored_tables": self.ignored_tables,
        }


@dataclass(frozen=True)
class Step:
    """One thing that a plan would do: a stable verb, what it is done to, and why. Never a statement with values in it."""

    action: str
    target: str
    reason: str = ""

    def to_result(self) -> dict[str, t.Any]:
        return {"action": self.action, "target": self.target, "reason": self.reason}


@dataclass(frozen=True)
class Plan:
    """What a planner decided, as data: it can be printed, compared, refused, or applied.

    :param steps: in order; empty means that nothing is to be done
    :param before: the state as it is, for a diff
    :param after: the state as it will be, for a diff
    :param refusal: why nothing may be done, or None
    :param hint: what mends the refusal
    :param findings: what a person should know, though it stops nothing
    """

    steps: tuple[Step, ...] = ()
    before: t.Any = None
    after: t.Any = None
    refusal: str | None = None
    hint: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.steps)

    def actions(self) -> list[dict[str, t.Any]]:
        return [step.to_result() for step in self.steps]


@dataclass(frozen=True)
class Finding:
    """The outcome of one rule on one side of a link.

    :param rule: stable identifier, such as ``binlog.format``
    :param side: ``source``, ``replica`` or ``pair``
    :param status: ``passed``, ``failed``, ``waived``, ``not_applicable`` or ``unknown``
    :param severity: ``error``, ``warning`` or ``info``
    :param objects: the first few of the objects concerned; ``object_count`` says how many there are
    :param remedy: a command that mends it
    :param document: where the rule comes from
    """

    rule: str
    side: str
    status: str
    severity: str
    summary: str
    seen: str | None = None
    required: str | None = None
    objects: tuple[str, ...] = ()
    object_count: int = 0
    remedy: str | None = None
    document: str | None = None
    waiver: dict[str, t.Any] | None = field(default=None)

    def to_result(self) -> dict[str, t.Any]:
        return {
            "rule": self.rule,
            "side": self.side,
            "status": self.status,
            "severity": self.severity,
            "summary": self.summary,
            "seen": self.seen,
            "required": self.required,
            "objects": list(self.objects),
            "object_count": self.object_count,
            "remedy": self.remedy,
            "document": self.document,
            "waiver": self.waiver,
        }
