# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""A server as this project sees it. What does not change during a session is read once per connection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace
from functools import cached_property

from . import _procedures
from ._connection import Connection, Login, Row
from ._dialect import Dialect, Version, dialect_for, parse_version
from ._errors import StatementError
from ._event import EventGroup, group_at, next_file
from ._model import MARIADB, Channel, ChannelError, Coordinates, Identity, number
from ._sql import without_credentials

# The schemas that belong to the server, by exact name; a user's ``mysql_app`` or ``system`` is not among them.
SYSTEM_SCHEMAS = ("information_schema", "mysql", "ndbinfo", "performance_schema", "sys")
STATE_SCHEMA = "datain_state"
# How many events of a log are asked for at once; as far a transaction is followed to find its end.
EVENTS_READ = 2000
# Schemas of the managed platform itself.
PLATFORM_SCHEMAS = ("__recommendation__", "__querystore__")

_RECEIVER = {"yes": "running", "no": "stopped"}
# Whole words only: Replicate_Wild_Ignore_Table has kept its name.
_SOURCE, _REPLICA = re.compile(r"Source(?![a-z])"), re.compile(r"Replica(?![a-z])")


class Server:
    """One server through one connection.

    :param connection: the only session this server gets in a run of a module
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def open(cls, login: Login) -> Server:
        return cls(Connection(login))

    def close(self) -> None:
        self.connection.close()

    @property
    def label(self) -> str:
        return self.connection.login.label

    # What is fixed while we look

    @cached_property
    def _version(self) -> tuple[str, Version]:
        row = self.connection.rows("SELECT VERSION() AS version, @@version_comment AS comment", step="read the server's version")[0]
        return parse_version(str(row["version"]), str(row["comment"]))

    @cached_property
    def variables(self) -> dict[str, str]:
        """Every global variable, by lower-case name.

        They come as one text: for so many rows the driver takes longer than the server. A server cuts long values off, and a
        set of GTIDs that has lost its end is another set, so those are read apart.
        """
        sets = self.dialect.gtid_sets
        text = "GROUP_CONCAT(VARIABLE_NAME, '=', COALESCE(VARIABLE_VALUE, '') SEPARATOR '\\0') AS variables"
        columns = ", ".join((text, *(f"@@GLOBAL.{name} AS {name}" for name in sets)))
        row = self.connection.rows(f"SELECT {columns} FROM {self.dialect.variables}", step="read the server's variables")[0]
        listed = (variable.partition("=") for variable in row["variables"].split("\0"))
        return {**{name.lower(): value for name, _equals, value in listed}, **{name: str(row[name] or "") for name in sets}}

    def forget(self) -> None:
        """Read again what was read before: something was changed by us."""
        for name in ("variables", "grants"):
            self.__dict__.pop(name, None)

    def number(self, variable: str, default: int = 0) -> int:
        """Return a variable as a whole number."""
        return number(self.variables.get(variable, ""), default)

    def on(self, variable: str) -> bool:
        return self.variables.get(variable, "").upper() in ("ON", "1", "YES", "TRUE")

    @property
    def flavour(self) -> str:
        return self._version[0]

    @property
    def version(self) -> Version:
        return self._version[1]

    @property
    def is_mariadb(self) -> bool:
        return self.flavour == MARIADB

    @cached_property
    def dialect(self) -> Dialect:
        return dialect_for(self.flavour, self.version)

    @property
    def identity(self) -> Identity:
        return Identity(self.number("server_id"), self.variables.get("server_uuid") or None)

    @cached_property
    def grants(self) -> tuple[str, ...]:
        """Our own rights, as the server writes them.

        ``information_schema.USER_PRIVILEGES`` does not know what comes through roles, so it is not asked.
        """
        rows = self.connection.rows("SHOW GRANTS", step="read the login's own rights")
        return tuple(str(next(iter(row.values()))) for row in rows)

    @property
    def recording_logs(self) -> list[str]:
        """The server's own logs that record every statement of a session, as a person would name them."""
        if self.variables.get("log_output", "").upper() == "NONE":
            return []
        found = ["general_log is ON"] if self.on("general_log") else []
        if self.on("slow_query_log") and float(self.variables.get("long_query_time") or 1) == 0:
            found.append("the slow log is at long_query_time=0")
        return found

    @cached_property
    def procedures(self) -> _procedures.Procedures:
        return _procedures.discover(self.connection)

    @cached_property
    def schemas(self) -> tuple[str, ...]:
        """The user's schemas: neither the server's, nor the platform's, nor our own."""
        rows = self.connection.rows("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA", step="list the schemas")
        return tuple(sorted(row["name"] for row in rows if not is_system_schema(row["name"])))

    # What moves

    def channels(self) -> list[Channel]:
        """Every replication channel that is a link. An empty list means that the query succeeded and there is none."""
        return [channel for channel in self.status() if not channel.probe]

    def remains(self) -> list[Channel]:
        """The channel that a check of the network has made and not removed yet: it is no link."""
        return [channel for channel in self.status() if channel.probe]

    def status(self) -> list[Channel]:
        """Every replication channel, of whatever kind."""
        rows = self.connection.rows(self.dialect.channels, step="read the state of replication")
        channels = [_channel(row) for row in rows]
        if self.dialect.worker_errors and any(channel.applier_error for channel in channels):
            channels = [self._with_worker_error(channel) for channel in channels]
        return channels

    def _with_worker_error(self, channel: Channel) -> Channel:
        """Put the worker's own words in the place of the coordinator's, who only says that a worker failed."""
        rows = self.connection.rows(
            "SELECT LAST_ERROR_NUMBER AS code, LAST_ERROR_MESSAGE AS message"
            " FROM performance_schema.replication_applier_status_by_worker"
            " WHERE LAST_ERROR_NUMBER <> 0 AND CHANNEL_NAME = %s LIMIT 1",
            (channel.name,),
            step="read the applier's error",
        )
        if not rows or not channel.applier_error:
            return channel
        return replace(channel, applier_error=ChannelError(int(rows[0]["code"]), without_credentials(rows[0]["message"]), channel.applier_error.at))

    def binlog_end(self) -> tuple[Coordinates | None, str | None]:
        """The end of the binary log and, on MySQL, the GTIDs executed; (None, None) where nothing is logged."""
        rows = self.connection.rows(self.dialect.binlog_status, step="read the end of the binary log")
        if not rows or not rows[0].get("File"):
            return None, None
        gtid = one_line(rows[0].get("Executed_Gtid_Set"))
        return Coordinates(rows[0]["File"], int(rows[0]["Position"])), gtid

    def binlog_files(self) -> dict[str, int]:
        """The binary log files that are still there, with their sizes in bytes; empty where nothing is logged."""
        try:
            rows = self.connection.rows("SHOW BINARY LOGS", step="list the binary log files")
        except StatementError as error:
            if error.code == 1381:  # not using binary logging
                return {}
            raise
        return {row["Log_name"]: int(row["File_size"]) for row in rows}

    def event_group(self, at: Coordinates) -> EventGroup | None:
        """The transaction after a place in the binary log; None where the log does not have it, or may not be read."""
        step = "read the event at which the applier stopped"
        try:
            rows = self.events(at, step)
            following = next_file(rows)
            return group_at(following, self.events(following, step)) if following else group_at(at, rows)
        except StatementError:
            return None

    def events(self, at: Coordinates, step: str) -> list[Row]:
        """The events after a place in the binary log, up to ``EVENTS_READ`` and to the end of that file."""
        return self.connection.rows(f"SHOW BINLOG EVENTS IN %s FROM %s LIMIT {EVENTS_READ}", (at.file, at.position), step=step)

    def attached_replicas(self) -> list[dict[str, t.Any]]:
        """The replicas that receive right now, by their dump threads: address, user, seconds since they connected."""
        rows = self.connection.rows(
            "SELECT ID AS id, USER AS user, HOST AS host, TIME AS seconds, COMMAND AS command FROM information_schema.PROCESSLIST"
            " WHERE COMMAND LIKE 'Binlog Dump%'",
            step="list the attached replicas",
        )
        return [{**row, "by_gtid": row["command"].endswith("GTID")} for row in rows]

    def gtid_position(self) -> str | None:
        """What this replica has applied: MySQL's executed set, MariaDB's position of every domain."""
        variable = "@@GLOBAL.gtid_slave_pos" if self.is_mariadb else "@@GLOBAL.gtid_executed"
        return one_line(self.connection.value(f"SELECT {variable}", step="read what is applied by GTID"))

    def has_executed(self, gtid: str) -> bool:
        """Tell whether a MySQL server counts a transaction as executed."""
        return bool(self.connection.value("SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed)", (gtid,), step="see whether it counts as executed"))

    def gtid_at(self, at: Coordinates) -> str | None:
        """The GTID position that a MariaDB source had at a place in its log."""
        return self.connection.value("SELECT BINLOG_GTID_POS(%s, %s)", (at.file, at.position), step="translate the position to a GTID") or None


def is_system_schema(name: str) -> bool:
    return name.lower() in SYSTEM_SCHEMAS or name in PLATFORM_SCHEMAS or name == STATE_SCHEMA


def one_line(gtids: t.Any) -> str | None:
    """Return a GTID set without the line breaks that MySQL prints after commas; None for the empty one."""
    return re.sub(r"\s+", "", str(gtids)) or None if gtids else None


def _channel(row: Row) -> Channel:
    """Put a status row of any flavour and version into our own words."""
    words = {_SOURCE.sub("Master", _REPLICA.sub("Slave", key)): value for key, value in row.items()}

    def get(name: str, default: t.Any = "") -> t.Any:
        value = words.get(name)
        return default if value is None else value

    def coordinates(file: str, position: str) -> Coordinates | None:
        try:
            return Coordinates(str(get(file)), int(get(position, 0)))
        except ValueError:
            return None

    def error(number: str, text: str, at: str) -> ChannelError | None:
        message = without_credentials(str(get(text)))
        return ChannelError(int(get(number)), message, str(get(at)) or None) if int(get(number, 0) or 0) else None

    lag = words.get("Seconds_Behind_Master")
    using_gtid = str(get("Using_Gtid", "No"))
    return Channel(
        name=str(get("Channel_Name") or get("Connection_name")),
        source_host=str(get("Master_Host")),
        source_port=int(get("Master_Port", 0)),
        source_user=str(get("Master_User")),
        source_id=int(get("Master_Server_Id", 0)),
        source_uuid=str(get("Master_UUID")) or None,
        receiver=_RECEIVER.get(str(get("Slave_IO_Running")).lower(), "connecting"),
        applier="running" if str(get("Slave_SQL_Running")).lower() == "yes" else "stopped",
        read=coordinates("Master_Log_File", "Read_Master_Log_Pos"),
        applied=coordinates("Relay_Master_Log_File", "Exec_Master_Log_Pos"),
        relay_file=str(get("Relay_Log_File")),
        relay_position=int(get("Relay_Log_Pos", 0)),
        lag=None if lag is None else int(lag),
        receiver_error=error("Last_IO_Errno", "Last_IO_Error", "Last_IO_Error_Timestamp"),
        applier_error=error("Last_SQL_Errno", "Last_SQL_Error", "Last_SQL_Error_Timestamp"),
        tls=str(get("Master_SSL_Allowed")).lower() == "yes",
        by_gtid=bool(int(get("Auto_Position", 0) or 0)) or using_gtid.lower() not in ("no", ""),
        gtid_retrieved=one_line(get("Retrieved_Gtid_Set")) or one_line(get("Gtid_IO_Pos")),
        gtid_executed=one_line(get("Executed_Gtid_Set")),
        ignored_tables=str(get("Replicate_Wild_Ignore_Table")) or None,
    )
