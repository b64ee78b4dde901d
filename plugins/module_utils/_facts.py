# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""What the prerequisites are judged by: both servers, read once, in a number of statements that does not grow with the tables.

What cannot be read is an ``Unread`` with its reason: the rules that need it are unknown, and all others still count.
"""

from __future__ import annotations

import datetime
import fnmatch
import hashlib
import re
import ssl
import typing as t
from dataclasses import dataclass, field

from ._connection import pem_certificates, pem_text
from ._dialect import Dialect, Version
from ._errors import ConnectionLost, DatainError, InputError, Refused, StatementError
from ._model import MARIADB, Channel, Coordinates, Identity
from ._procedures import BY_POSITION
from ._server import PLATFORM_SCHEMAS, STATE_SCHEMA, SYSTEM_SCHEMAS, Server, is_system_schema, one_line
from ._services import Service
from ._state import Records, belongs

# Seconds for each statement: a server whose metadata is locked makes facts unknown, and never hangs a run.
LIMIT = 60
# How many objects a finding names.
SHOWN = 5

_TOO_LONG = (1205, 1317, 1969, 3024)
_RIGHTS = (1044, 1045, 1142, 1143, 1227, 1370)


@dataclass(frozen=True)
class Unread:
    """A fact that could not be read.

    :param reason: why, for a person
    :param remedy: what would make it readable
    """

    reason: str
    remedy: str | None = None


NOT_READ = Unread("it was not read")


@dataclass(frozen=True)
class Desired:
    """What the inventory says about a link, as far as rules care.

    :param schemas: those to take over; empty means all that are the user's
    :param retention: seconds to keep the log; 0 means the service's advice
    :param coordinates: where the operator says that a link by position starts
    :param siblings: server ids of the other replicas of the same source
    :param azure_server: what the control plane says about the replica, as ``az … show`` prints it
    """

    service: Service
    method: str = "auto"
    schemas: tuple[str, ...] = ()
    link_host: str = ""
    link_port: int = 3306
    link_ca: str = ""
    replication_user: str = ""
    replication_password: str = field(default="", repr=False)
    retention: int = 0
    seed: str = "dump"
    siblings: tuple[int, ...] = ()
    coordinates: Coordinates | None = None
    azure_resource_group: str = "<resource group>"
    azure_server_name: str = "<server name>"
    azure_server: t.Mapping[str, t.Any] | None = None

    @property
    def loads(self) -> bool:
        """The replica is filled by us, through its administrator."""
        return self.seed in ("dump", "mydumper")


@dataclass(frozen=True)
class Grants:
    """A login's own rights, parsed from SHOW GRANTS, which also knows what active roles give.

    :param everywhere: privileges on ``*.*``, upper case
    :param schemas: privileges by schema pattern, as GRANT takes it: ``_`` and ``%`` are wildcards
    :param revoked: privileges taken away again, by schema (MySQL's partial revokes)
    """

    everywhere: frozenset[str] = frozenset()
    schemas: tuple[tuple[str, frozenset[str]], ...] = ()
    revoked: tuple[tuple[str, frozenset[str]], ...] = ()
    may_grant: bool = False

    def has(self, *alternatives: str) -> bool:
        """Tell whether one of some privileges is held everywhere."""
        return "ALL PRIVILEGES" in self.everywhere or bool(self.everywhere & set(alternatives))

    def has_in(self, schema: str, *alternatives: str) -> bool:
        """Tell whether one of some privileges is held in a schema."""
        if any(name == schema and set(alternatives) <= privileges for name, privileges in self.revoked):
            return False
        if self.has(*alternatives):
            return True
        wanted = set(alternatives) | {"ALL PRIVILEGES"}
        return any(privileges & wanted and _like(pattern, schema) for pattern, privileges in self.schemas)


_GRANT = re.compile(
    r"(?P<verb>GRANT|REVOKE) (?P<what>.+?) ON (?:TABLE |FUNCTION |PROCEDURE |PACKAGE |PACKAGE BODY )?"
    r"(?P<schema>\*|`(?:[^`]|``)*`)\.(?P<object>\*|`(?:[^`]|``)*`) (?:TO|FROM) (?P<tail>.*)",
    re.S,
)
_COLUMNS = re.compile(r"\((?:[^`)]|`(?:[^`]|``)*`)*\)")


def parse_grants(lines: t.Iterable[str]) -> Grants:
    """Parse what SHOW GRANTS prints. Roles and rights on single objects say nothing that a rule asks for."""
    everywhere: set[str] = set()
    schemas: list[tuple[str, frozenset[str]]] = []
    revoked: list[tuple[str, frozenset[str]]] = []
    may_grant = False
    for line in lines:
        match = _GRANT.match(line)
        if not match or match["object"] != "*":
            continue
        privileges = frozenset(part.strip().upper() for part in _COLUMNS.sub("", match["what"]).split(","))
        if match["schema"] == "*":
            if match["verb"] == "GRANT":
                everywhere |= privileges
                may_grant = may_grant or "WITH GRANT OPTION" in match["tail"]
            continue
        name = match["schema"][1:-1].replace("``", "`")
        (schemas if match["verb"] == "GRANT" else revoked).append((name, privileges))
    return Grants(frozenset(everywhere), tuple(schemas), tuple(revoked), may_grant)


def _like(pattern: str, name: str) -> bool:
    """Match a schema name against a pattern of GRANT."""
    translated, index = "", 0
    while index < len(pattern):
        letter = pattern[index]
        if letter == "\\" and index + 1 < len(pattern):
            index += 1
            letter = pattern[index]
            translated += f"[{letter}]" if letter in "*?[" else letter
        elif letter in "%_":
            translated += "*" if letter == "%" else "?"
        else:
            translated += f"[{letter}]" if letter in "*?[" else letter
        index += 1
    return fnmatch.fnmatchcase(name, translated)


@dataclass(frozen=True)
class Named:
    """Some objects of a kind: how many, and the first few as (schema, name)."""

    count: int
    first: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TableGroup:
    """Tables that are alike.

    :param kind: the server's word, such as ``BASE TABLE`` or ``VIEW``
    :param engine: None where the server cannot say, and for a view
    :param keyed: they have a primary key; a UNIQUE NOT NULL column is none
    """

    kind: str
    engine: str | None
    collation: str | None
    keyed: bool
    tables: Named

    @property
    def holds_rows(self) -> bool:
        return self.kind in ("BASE TABLE", "SYSTEM VERSIONED")


@dataclass(frozen=True)
class ObjectGroup:
    """Views, routines, triggers or events of one definer.

    :param kind: ``view``, ``trigger``, ``function``, ``procedure``, ``event`` …
    :param state: an event's state, such as ``ENABLED``
    """

    kind: str
    definer: str
    state: str
    objects: Named


@dataclass(frozen=True)
class BinlogEnd:
    """The end of the binary log, and the schemas that it is told to take or to leave out."""

    coordinates: Coordinates | None
    gtid: str | None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    user: str
    host: str
    tls: str = ""
    plugin: str = ""


@dataclass(frozen=True)
class Certificate:
    """One certificate of the PEM for the link.

    :param ends: the last moment of its validity, or None where the library tells it of authorities only
    """

    fingerprint: str
    authority: bool
    subject: str = ""
    ends: datetime.datetime | None = None


Maybe = t.Any  # the value, or Unread


@dataclass(frozen=True)
class Side:
    """What was read on one server. Every field from ``variables`` on may be ``Unread``."""

    label: str
    flavour: str = ""
    version: Version = (0, 0, 0)
    version_text: str = ""
    identity: Identity = Identity(0)
    dialect: Dialect = Dialect()
    tls: t.Mapping[str, t.Any] | None = None
    login_tls: str = "preferred"
    login_ca: frozenset[str] = frozenset()
    variables: Maybe = NOT_READ
    grants: Maybe = NOT_READ
    channels: Maybe = NOT_READ
    # source only
    binlog: Maybe = NOT_READ
    binlog_files: Maybe = NOT_READ
    schemas: Maybe = NOT_READ
    tables: Maybe = NOT_READ
    objects: Maybe = NOT_READ
    attached: Maybe = NOT_READ
    replication_accounts: Maybe = NOT_READ
    # replica only
    procedures: Maybe = NOT_READ
    data: Maybe = NOT_READ
    records: Maybe = NOT_READ
    collations: Maybe = NOT_READ
    accounts: Maybe = NOT_READ
    ignored_tables: Maybe = NOT_READ

    @property
    def is_mariadb(self) -> bool:
        return self.flavour == MARIADB

    @property
    def series(self) -> tuple[int, int]:
        """What the vendor calls the version: 8.0, 10.11. MySQL's innovation releases count as one series by their major number."""
        return self.version[:2]

    def value(self, name: str, default: str = "") -> str:
        return self.variables.get(name, default)

    def on(self, name: str) -> bool:
        return self.value(name).upper() in ("ON", "1", "YES", "TRUE")

    def number(self, name: str) -> int:
        text = self.value(name)
        return int(float(text)) if re.fullmatch(r"\d+(\.\d+)?", text) else 0


@dataclass(frozen=True)
class Facts:
    """Everything that rules may look at.

    :param today: the day that certificates and waivers are judged by
    """

    source: Side
    replica: Side
    desired: Desired
    certificates: tuple[Certificate, ...] = ()
    certificate_problem: str | None = None
    today: datetime.date = datetime.date(1970, 1, 1)

    @property
    def records_of_pair(self) -> dict[str, dict[str, t.Any]]:
        """The recorded rows that are about these two servers; the others belong to another copy of the data."""
        pair = (self.source.identity, self.replica.identity)
        return {kind: document for kind, document in self.replica.records.items() if belongs(document, *pair)}

    @property
    def channel(self) -> Channel | None:
        """The one channel that the service's procedures know."""
        return next((channel for channel in self.replica.channels if not channel.name), None)

    @property
    def linked(self) -> bool:
        """The replica has a channel whose source is this source, or that was set up to go to it."""
        channel = self.channel
        return channel is not None and follows(channel, self.source.identity, self.desired)

    @property
    def running(self) -> bool:
        return self.linked and self.channel is not None and self.channel.receiver == "running"

    @property
    def method(self) -> str:
        """By position or by GTID; what ``auto`` means is the service's choice, where its procedure is there."""
        if self.desired.method != "auto":
            return self.desired.method
        if self.channel is not None:
            return "gtid" if self.channel.by_gtid else "position"
        procedures = self.replica.procedures
        if not isinstance(procedures, Unread) and not procedures.usable(BY_POSITION):
            return "gtid"
        return self.desired.service.method


def follows(channel: Channel, source: Identity, desired: Desired) -> bool:
    """Tell whether a channel goes to a source; one that never connected is known by the address only."""
    if channel.source_uuid and source.server_uuid:
        return channel.source_uuid == source.server_uuid
    if channel.source_id:
        return channel.source_id == source.server_id
    return (channel.source_host, channel.source_port) == (desired.link_host, desired.link_port)


# Reading


def _reason(error: DatainError) -> Unread:
    """Say why something could not be read, without the server's label: the finding names the side."""
    if isinstance(error, ConnectionLost) or error.code in _TOO_LONG:
        return Unread(
            f"{error.step}: no answer within the time limit ({error.message})",
            "look for sessions that hold metadata locks (SHOW FULL PROCESSLIST), then run again",
        )
    if error.code in _RIGHTS:
        return Unread(
            f"{error.step}: a right is missing: {error.message}", "grant the login the right that the message names"
        )
    return Unread(f"{error.step}: {error.message}", error.hint)


def _read(what: t.Callable[[], t.Any]) -> Maybe:
    try:
        return what()
    except (StatementError, ConnectionLost, Refused) as error:
        return _reason(error)


class _Reader:
    """Statements of one server, each with its time limit."""

    def __init__(self, server: Server, limit: int) -> None:
        self.server = server
        self.limit = limit

    def rows(self, select: str, parameters: t.Sequence[t.Any] = (), *, step: str) -> list[dict[str, t.Any]]:
        """Run the rest of a SELECT under the limit that this server knows; the socket's own bound stands behind it."""
        begin = self.server.dialect.limited_select.format(seconds=self.limit, milliseconds=self.limit * 1000)
        return self.server.connection.rows(f"{begin} {select}", parameters, step=step, patience=self.limit + 5)


# Names are compared as bytes: in information_schema of MySQL 5.7 and MariaDB `a` and `A`, e and é would be one.
_EXACT = "CONVERT({0} USING utf8mb4) COLLATE utf8mb4_bin"


def _scope(column: str, schemas: t.Sequence[str], folded: bool) -> tuple[str, list[str]]:
    """Return the condition that picks the user's schemas, or the ones asked for, and what is bound in it."""
    exact = _EXACT.format(column)
    if schemas:
        marks = ", ".join(["%s"] * len(schemas))
        return (
            (f"LOWER({exact}) IN ({marks})", [name.lower() for name in schemas])
            if folded
            else (f"{exact} IN ({marks})", list(schemas))
        )
    own = (*PLATFORM_SCHEMAS, STATE_SCHEMA)
    condition = f"LOWER({exact}) NOT IN ({', '.join(['%s'] * len(SYSTEM_SCHEMAS))}) AND {exact} NOT IN ({', '.join(['%s'] * len(own))})"
    return condition, [*SYSTEM_SCHEMAS, *own]


def _names(count: t.Any, text: str | None) -> Named:
    """Read (schema, name) pairs: the character NUL, legal in no name, stands between all of them."""
    parts = (text or "").split("\0")
    pairs = tuple(zip(parts[::2], parts[1::2]))
    return Named(int(count), pairs[:SHOWN])


# Long enough for SHOWN pairs of the longest names and one more, so that a cut name is never shown.
_LIST = "LEFT(GROUP_CONCAT(s, '\\0', n ORDER BY s, n SEPARATOR '\\0'), 900) AS names"


def _tables(reader: _Reader, desired: Desired) -> tuple[TableGroup, ...]:
    """Group all tables by what rules ask, in one scan of TABLES and one of STATISTICS; joining the two is quadratic on 5.7 and MariaDB."""
    schema, name = _EXACT.format("TABLE_SCHEMA"), _EXACT.format("TABLE_NAME")
    scope, bound = _scope("TABLE_SCHEMA", desired.schemas, bool(reader.server.number("lower_case_table_names")))
    rows = reader.rows(
        f"kind, engine, collated, keyed, COUNT(*) AS tables, {_LIST} FROM ("
        " SELECT s, n, MAX(kind) AS kind, MAX(engine) AS engine, MAX(collated) AS collated, MAX(keyed) AS keyed FROM ("
        f" SELECT {schema} AS s, {name} AS n, TABLE_TYPE AS kind, ENGINE AS engine, TABLE_COLLATION AS collated, 0 AS keyed"
        f" FROM information_schema.TABLES WHERE {scope}"
        f" UNION ALL SELECT {schema}, {name}, NULL, NULL, NULL, 1"
        f" FROM information_schema.STATISTICS WHERE INDEX_NAME = 'PRIMARY' AND SEQ_IN_INDEX = 1 AND {scope}"
        ") AS seen GROUP BY s, n) AS one WHERE kind IS NOT NULL GROUP BY kind, engine, collated, keyed ORDER BY kind, engine, collated, keyed",
        [*bound, *bound],
        step="look at the tables",
    )
    return tuple(
        TableGroup(
            row["kind"], row["engine"] or None, row["collated"], bool(row["keyed"]), _names(row["tables"], row["names"])
        )
        for row in rows
    )


_OBJECTS = (
    ("'view'", "TABLE_SCHEMA", "TABLE_NAME", "''", "VIEWS"),
    ("'trigger'", "TRIGGER_SCHEMA", "TRIGGER_NAME", "''", "TRIGGERS"),
    ("LOWER(ROUTINE_TYPE)", "ROUTINE_SCHEMA", "ROUTINE_NAME", "''", "ROUTINES"),
    ("'event'", "EVENT_SCHEMA", "EVENT_NAME", "STATUS", "EVENTS"),
)


def _objects(reader: _Reader, desired: Desired) -> tuple[ObjectGroup, ...]:
    """Group views, triggers, routines and events by definer and state, in one statement."""
    folded = bool(reader.server.number("lower_case_table_names"))
    parts: list[str] = []
    bound: list[str] = []
    for row in _OBJECTS:
        columns = (*row[:-1], "DEFINER")
        scope, values = _scope(row[1], desired.schemas, folded)
        selected = ", ".join(
            f"{_EXACT.format(column)} AS {alias}"
            for column, alias in zip(columns, ("kind", "s", "n", "state", "definer"))
        )
        parts.append(f"SELECT {selected} FROM information_schema.{row[-1]} WHERE {scope}")
        bound += values
    rows = reader.rows(
        f"kind, definer, state, COUNT(*) AS objects, {_LIST} FROM ({' UNION ALL '.join(parts)}) AS seen"
        " GROUP BY kind, definer, state ORDER BY kind, definer, state",
        bound,
        step="look at views, routines, triggers and events",
    )
    return tuple(
        ObjectGroup(row["kind"], row["definer"], row["state"] or "", _names(row["objects"], row["names"]))
        for row in rows
    )


def _binlog(server: Server) -> BinlogEnd:
    rows = server.connection.rows(server.dialect.binlog_status, step="read the end of the binary log")
    if not rows or not rows[0].get("File"):
        return BinlogEnd(None, None)
    row = rows[0]

    def listed(column: str) -> tuple[str, ...]:
        return tuple(part for part in str(row.get(column) or "").split(",") if part)

    return BinlogEnd(
        Coordinates(row["File"], int(row["Position"])),
        one_line(row.get("Executed_Gtid_Set")),
        listed("Binlog_Do_DB"),
        listed("Binlog_Ignore_DB"),
    )


def _data(reader: _Reader) -> dict[str, int]:
    """Count the tables and views of every schema that is a user's: only the names are asked for, which opens no table."""
    scope, bound = _scope("TABLE_SCHEMA", (), False)
    exact = _EXACT.format("TABLE_SCHEMA")
    rows = reader.rows(
        f"{exact} AS name, COUNT(*) AS tables FROM information_schema.TABLES WHERE {scope} GROUP BY {exact} ORDER BY name",
        bound,
        step="look for data on the replica",
    )
    return {row["name"]: int(row["tables"]) for row in rows if not is_system_schema(row["name"])}


def _accounts(reader: _Reader, user: str | None = None) -> tuple[Account, ...]:
    rows = reader.rows(
        "User AS name, Host AS host, ssl_type AS tls, plugin FROM mysql.user"
        + ("" if user is None else " WHERE User = %s"),
        () if user is None else (user,),
        step="look at the accounts",
    )
    return tuple(
        Account(str(row["name"]), str(row["host"]), str(row["tls"] or ""), str(row["plugin"] or "")) for row in rows
    )


def _ignored_tables(reader: _Reader, channels: Maybe) -> Maybe:
    """Return the replica's wild-ignore filter, from the one of three places that this server shows it in."""
    server = reader.server
    if not isinstance(channels, Unread) and channels:
        return channels[0].ignored_tables or ""
    if "replicate_wild_ignore_table" in server.variables:
        return server.variables["replicate_wild_ignore_table"]
    if not server.dialect.filters:
        return Unread("this version shows its filters only while it is linked")
    rows = _read(lambda: reader.rows(server.dialect.filters or "", step="read the replication filters"))
    return rows if isinstance(rows, Unread) else ",".join(str(row["filter"]) for row in rows)


def _side(server: Server) -> dict[str, t.Any]:
    """Return what both sides have in common, or the reason why not even the variables could be read."""
    login = server.connection.login
    variables = _read(lambda: server.variables)
    if isinstance(variables, Unread):
        return _unreachable(server.label, variables)
    return {
        "label": server.label,
        "flavour": server.flavour,
        "version": server.version,
        "version_text": variables.get("version", ""),
        "identity": server.identity,
        "dialect": server.dialect,
        "tls": server.connection.tls,
        "login_tls": login.tls,
        "login_ca": _fingerprints(login.ca),
        "variables": variables,
        "grants": _read(lambda: parse_grants(server.grants)),
    }


_FACTS = (
    "variables",
    "grants",
    "channels",
    "binlog",
    "binlog_files",
    "schemas",
    "tables",
    "objects",
    "attached",
    "replication_accounts",
    "procedures",
    "data",
    "records",
    "collations",
    "accounts",
    "ignored_tables",
)


def _unreachable(label: str, why: Unread) -> dict[str, t.Any]:
    return {"label": label, **dict.fromkeys(_FACTS, why)}


def _failed(side: str, error: DatainError) -> Side:
    return Side(**_unreachable(error.server or side, Unread(f"{error.step or 'connect'}: {error.message}", error.hint)))


def _seen_whole(value: Maybe, grants: Maybe, rights: tuple[tuple[str, ...], ...], schemas: t.Sequence[str]) -> Maybe:
    """Return a fact only if the login sees all of it: information_schema leaves out, without a word, what one has no right on."""
    if isinstance(value, Unread) or isinstance(grants, Unread):
        return value
    missing = [
        right[0]
        for right in rights
        if not (all(grants.has_in(schema, *right) for schema in schemas) if schemas else grants.has(*right))
    ]
    if not missing:
        return value
    what = ", ".join(missing)
    return Unread(f"the login may see only a part of it: it lacks {what}", f"grant the login {what} ON *.*")


def _read_source(server: Server, desired: Desired, limit: int, given: t.Mapping[str, t.Any]) -> Side:
    common = _side(server)
    if isinstance(common["variables"], Unread):
        return Side(**common)
    reader = _Reader(server, limit)
    grants = common["grants"]
    accounts: Maybe = ()
    if desired.replication_user:
        accounts = _read(lambda: _accounts(reader, desired.replication_user))
    return Side(
        **common,
        channels=_read(server.channels),
        binlog=_read(lambda: _binlog(server)),
        binlog_files=given["binlog_files"] if "binlog_files" in given else _read(server.binlog_files),
        schemas=_seen_whole(_read(lambda: server.schemas), grants, (("SELECT", "SHOW DATABASES"),), desired.schemas),
        tables=_seen_whole(_read(lambda: _tables(reader, desired)), grants, (("SELECT",),), desired.schemas),
        objects=_seen_whole(
            _read(lambda: _objects(reader, desired)), grants, (("SELECT",), ("TRIGGER",), ("EVENT",)), desired.schemas
        ),
        attached=_seen_whole(_read(server.attached_replicas), grants, (("PROCESS",),), ()),
        replication_accounts=accounts,
    )


def _read_replica(server: Server, limit: int, given: t.Mapping[str, t.Any], definers: bool) -> Side:
    common = _side(server)
    if isinstance(common["variables"], Unread):
        return Side(**common)
    reader = _Reader(server, limit)
    channels = given["channels"] if "channels" in given else _read(server.channels)
    collations = _read(lambda: reader.rows(server.dialect.collations, step="list the collations"))
    return Side(
        **common,
        channels=channels if isinstance(channels, Unread) else tuple(channels),
        procedures=_read(lambda: server.procedures),
        data=_seen_whole(_read(lambda: _data(reader)), common["grants"], (("SELECT",),), ()),
        records=given["records"] if "records" in given else _read(Records(server).read),
        collations=collations if isinstance(collations, Unread) else frozenset(row["name"] for row in collations),
        accounts=_read(lambda: _accounts(reader)) if definers else (),
        ignored_tables=_ignored_tables(reader, channels),
    )


def _fingerprints(ca: str) -> frozenset[str]:
    """Tell certificates apart; a CA that cannot be read has stopped the login already."""
    try:
        return frozenset(
            hashlib.sha256(der).hexdigest() for der in pem_certificates(pem_text(ca, "login_ca"), "login_ca")
        )
    except InputError:
        return frozenset()


def read_certificates(ca: str) -> tuple[tuple[Certificate, ...], str | None]:
    """Return the certificates of the link's CA, and what is wrong with it, or None."""
    try:
        encoded = pem_certificates(pem_text(ca, "link_ca"), "link_ca")
    except InputError as error:
        return (), error.message
    found = []
    for der in encoded:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=der)
        # The library describes authorities only; a server's own certificate stays without a date.
        described = context.get_ca_certs()
        certificate = Certificate(hashlib.sha256(der).hexdigest(), bool(described))
        if described:
            words = ["=".join(pair) for part in described[0].get("subject", ()) for pair in part]
            ends = ssl.cert_time_to_seconds(str(described[0]["notAfter"]))
            certificate = Certificate(
                certificate.fingerprint,
                True,
                ", ".join(words),
                datetime.datetime.fromtimestamp(ends, datetime.timezone.utc),
            )
        found.append(certificate)
    return tuple(found), None


def read_facts(
    source: Server | DatainError,
    replica: Server | DatainError,
    desired: Desired,
    *,
    limit: int = LIMIT,
    given: t.Mapping[str, t.Any] | None = None,
    today: datetime.date | None = None,
) -> Facts:
    """Read both servers, at most ten statements each, whatever the number of tables.

    :param source: the server, or the error that kept it from being reached: then all that is about it is unknown
    :param limit: seconds for each statement
    :param given: what the caller has read already: ``channels`` and ``records`` of the replica, ``binlog_files`` of the source
    """
    given = given or {}
    one = _failed("source", source) if isinstance(source, DatainError) else _read_source(source, desired, limit, given)
    definers = not isinstance(one.objects, Unread) and bool(one.objects)
    two = (
        _failed("replica", replica)
        if isinstance(replica, DatainError)
        else _read_replica(replica, limit, given, definers)
    )
    certificates, problem = read_certificates(desired.link_ca)
    return Facts(one, two, desired, certificates, problem, today or datetime.datetime.now(datetime.timezone.utc).date())
