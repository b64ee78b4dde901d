# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Reads both servers, once, in a number of statements that does not grow with the tables."""

from __future__ import annotations

import datetime
import time
import typing as t
from dataclasses import replace

from ._certificates import Presented, fingerprints, read_certificates
from ._connection import Connection
from ._errors import CertificateError, ConnectError, ConnectionLost, DatainError, Refused, StatementError
from ._facts import NOT_READ, SHOWN, Abilities, Account, BinlogEnd, Desired, Facts, Maybe, Named, Side, Unread, on_rds
from ._facts_tables import Reader, Wanted, exact, read_enabled_events, read_objects, read_refused, read_tables, scope
from ._grants import parse_grants
from ._link_proofs import oldest_gtids
from ._model import Coordinates, Identity
from ._server import Server, is_system_schema, one_line
from ._state import Records

# Seconds for each statement: a server whose metadata is locked makes facts unknown, and never hangs a run.
LIMIT = 60

_TOO_LONG = (1205, 1317, 1969, 3024)
_RIGHTS = (1044, 1045, 1142, 1143, 1227, 1370, 1401)


def _reason(error: DatainError) -> Unread:
    """Say why something could not be read, without the server's label: the finding names the side."""
    if isinstance(error, ConnectionLost) or error.code in _TOO_LONG:
        return Unread(
            f"{error.step}: no answer within the time limit ({error.message})",
            "look for sessions that hold metadata locks (SHOW FULL PROCESSLIST), then run again",
        )
    if error.code in _RIGHTS:
        return Unread(f"{error.step}: a right is missing: {error.message}", "grant the login the right that the message names")
    return Unread(f"{error.step}: {error.message}", error.hint)


def _read(what: t.Callable[[], t.Any]) -> Maybe:
    try:
        return what()
    except (StatementError, ConnectionLost, ConnectError, Refused) as error:
        return _reason(error)


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


def _schemas(reader: Reader) -> dict[str, str]:
    """Return the user's schemas with their default collations."""
    rows = reader.rows("SCHEMA_NAME AS name, DEFAULT_COLLATION_NAME AS collated FROM information_schema.SCHEMATA", step="list the schemas")
    found = sorted((row["name"], row["collated"] or "") for row in rows)
    return {name: collation for name, collation in found if not is_system_schema(name)}


def _data(reader: Reader) -> dict[str, int]:
    """Count the tables and views of every schema that is a user's: only the names are asked for, which opens no table."""
    condition, bound = scope("TABLE_SCHEMA", (), False)
    name = exact("TABLE_SCHEMA")
    rows = reader.rows(
        f"{name} AS name, COUNT(*) AS tables FROM information_schema.TABLES WHERE {condition} GROUP BY {name} ORDER BY name",
        bound,
        step="look for data on the replica",
    )
    return {row["name"]: int(row["tables"]) for row in rows if not is_system_schema(row["name"])}


_ACCOUNT = ("User", "Host", "ssl_type", "plugin")
_ACCOUNTS = ", ".join(f"{exact(column)} AS {name}" for column, name in zip(_ACCOUNT, ("name", "host", "tls", "plugin")))
# What users make in the schema mysql. Procedures of platforms, and the two that MariaDB brings along, are nobody's.
_BESIDE = "".join(
    f" UNION ALL SELECT {exact(name)}, '', '', '', {kind} FROM {rest}"
    for kind, name, rest in (
        ("'function of a library'", "name", "mysql.func"),
        ("'server'", "Server_name", "mysql.servers"),
        (
            "LOWER(ROUTINE_TYPE)",
            "ROUTINE_NAME",
            "information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'mysql' AND NOT LOWER(ROUTINE_NAME) REGEXP '^(az|rds)_|^(add|drop)geometrycolumn$'",
        ),
    )
)


def _accounts(reader: Reader) -> tuple[Account, ...]:
    return _kept_in_mysql(reader, "")[0]


def _kept_in_mysql(reader: Reader, beside: str = _BESIDE) -> tuple[tuple[Account, ...], Named]:
    """Return the accounts, and what users have made beside them, in one statement."""
    rows = reader.rows(f"{_ACCOUNTS}, 'account' AS kind FROM mysql.user{beside}", step="look at the accounts")
    accounts = [row for row in rows if row["kind"] == "account"]
    others = sorted((str(row["kind"]), str(row["name"])) for row in rows if row["kind"] != "account")
    return (
        tuple(Account(str(row["name"]), str(row["host"]), str(row["tls"] or ""), str(row["plugin"] or "")) for row in accounts),
        Named(len(others), tuple(others[:SHOWN])),
    )


# Any zone will do: either all are there or none.
_ZONE = "Europe/Amsterdam"


def _abilities(reader: Reader) -> Abilities:
    """Read what the server knows by itself, in one statement that needs no right.

    Hundreds of names come as one text: the driver takes longer for a row than the server for all of them.
    """
    now = time.time()
    column, table = reader.server.dialect.collations
    (found,) = reader.rows(
        f"(SELECT GROUP_CONCAT({column} SEPARATOR '\\n') FROM information_schema.{table}) AS collations,"
        " (SELECT GROUP_CONCAT(PLUGIN_NAME SEPARATOR '\\n') FROM information_schema.PLUGINS"
        " WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE') AS plugins,"
        f" UNIX_TIMESTAMP() AS clock, CONVERT_TZ('2000-01-01', '+00:00', '{_ZONE}') AS zone",
        step="read collations, plugins and the clock",
    )
    names = {what: frozenset(str(found[what] or "").split("\n")) - {""} for what in ("collations", "plugins")}
    return Abilities(names["collations"], names["plugins"], found["zone"] is not None, float(found["clock"]) - now)


def _registered(server: Server) -> tuple[Identity, ...]:
    rows = server.connection.rows(server.dialect.attached, step="list the server ids of the replicas")
    told = [{name.lower().replace("slave", "replica"): value for name, value in row.items()} for row in rows]
    return tuple(Identity(int(row["server_id"]), row.get("replica_uuid") or None) for row in told)


def _rds_hours(server: Server) -> int | None:
    """Read how long Amazon RDS keeps the log: its own purge does not look at the variables."""
    if not on_rds(server.variables):
        return None
    rows = server.connection.rows("SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'", step="read how long RDS keeps the log")
    return int(rows[0]["value"] or 0) if rows else 0


def _oldest_gtids(server: Server, desired: Desired, channels: Maybe) -> str | None:
    """Read where a MariaDB source's log begins, if a link by GTID is to begin there or to go on."""
    stopped = not isinstance(channels, Unread) and any(channel.by_gtid and channel.receiver != "running" for channel in channels)
    return oldest_gtids(server) if server.is_mariadb and (stopped or (desired.gtid and not channels)) else None


def _longest_statement(reader: Reader) -> int:
    rows = reader.rows(
        "MAX(TIME) AS seconds FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute') AND ID <> CONNECTION_ID()"
        " AND USER NOT IN ('system user', 'event_scheduler')",
        step="look at what runs",
    )
    return int((rows[0]["seconds"] if rows else 0) or 0)


def _prepared(server: Server) -> int:
    statement = server.dialect.prepared
    return len(server.connection.rows(statement, step="list what is prepared")) if statement else 0


def _data_bytes(reader: Reader, schemas: t.Sequence[str]) -> int:
    condition, bound = scope("TABLE_SCHEMA", schemas, bool(reader.server.number("lower_case_table_names")))
    rows = reader.rows(
        f"SUM(DATA_LENGTH + INDEX_LENGTH) AS bytes FROM information_schema.TABLES WHERE {condition}", bound, step="add up the size of the data"
    )
    return int((rows[0]["bytes"] if rows else 0) or 0)


def _presented(server: Server, desired: Desired, trusted: frozenset[str], replica: Side) -> Presented | None:
    """Try whether the source's certificate comes from the link's CA, in a session of its own where ours has not shown it."""
    login = server.connection.login
    if trusted and login.tls in ("verify_ca", "verify_identity") and fingerprints(login.ca) == trusted:
        return Presented.to(server.connection)
    receives = not isinstance(replica.channels, Unread) and any(channel.tls and channel.receiver == "running" for channel in replica.channels)
    if not trusted or receives:
        return None
    try:
        with Connection(replace(login, tls="verify_ca", ca=desired.link_ca)) as session:
            return Presented.to(session)
    except CertificateError as error:
        return Presented(error.message)


def _ignored_tables(reader: Reader, channels: Maybe) -> Maybe:
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
        "login_user": server.connection.login.user,
        "variables": variables,
        "grants": _read(lambda: parse_grants(server.grants)),
    }


# Every fact that may be unread.
_FACTS = tuple(name for name, given in Side.__dataclass_fields__.items() if given.type == "Maybe")


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
        if not (all(grants.has_in(schema, *right) for schema in schemas) if schemas else grants.has(*right) and not grants.withheld((), *right))
    ]
    if not missing:
        return value
    what = ", ".join(missing)
    return Unread(f"the login may see only a part of it: it lacks {what}", f"grant the login {what} ON *.*")


def _whole(grants: Maybe, schemas: t.Sequence[str], *rights: tuple[str, ...]) -> t.Callable[[Maybe], Maybe]:
    return lambda value: _seen_whole(value, grants, rights, schemas)


def _wanted(server: Server, abilities: Maybe, replica: Side, desired: Desired) -> Wanted:
    """Compare the two servers: what one of them has and the other lacks is a reason to look for its use."""
    if isinstance(replica.variables, Unread) or server.flavour != replica.flavour:
        return Wanted()
    lacking: list[str] = []
    if not isinstance(abilities, Unread) and not isinstance(replica.abilities, Unread):
        lacking = sorted(name for name in abilities.collations - replica.abilities.collations if not replica.abilities.knows_collation(name))
    strict = replica.on("innodb_strict_mode") and not server.on("innodb_strict_mode")
    shorter = replica.number("innodb_page_size") < server.number("innodb_page_size")
    return Wanted(
        collations=tuple(lacking),
        words=tuple(sorted(replica.dialect.reserved_words - server.dialect.reserved_words)),
        generated_keys=replica.on("sql_generate_invisible_primary_key"),
        fixed_keys=desired.service.fixed_keys,
        strict_keys=replica.dialect.strict_keys and not server.dialect.strict_keys,
        row_bytes=min(replica.number("innodb_page_size"), 32768) // 2 - 66 if strict or shorter else 0,
    )


def _read_source(server: Server, desired: Desired, limit: int, given: t.Mapping[str, t.Any], replica: Side, trusted: frozenset[str]) -> Side:
    common = _side(server)
    if isinstance(common["variables"], Unread):
        return Side(**common)
    reader = Reader(server, limit)
    grants = common["grants"]
    abilities = _read(lambda: _abilities(reader))
    wanted = _wanted(server, abilities, replica, desired)
    see_tables = _whole(grants, desired.schemas, ("SELECT",))
    tables = _read(lambda: read_tables(reader, desired.schemas, wanted))
    views = isinstance(tables, Unread) or any("VIEW" in group.kind for group in tables)
    objects = _read(lambda: read_objects(reader, desired.schemas, wanted, views=views))
    see_processes = _whole(grants, (), ("PROCESS",))
    kept = _read(lambda: _kept_in_mysql(reader))
    # A login may be allowed to see the accounts and not what is beside them.
    accounts, in_mysql = (_read(lambda: _accounts(reader)), kept) if isinstance(kept, Unread) else kept
    return Side(
        **common,
        abilities=abilities,
        accounts=accounts,
        in_mysql=in_mysql,
        channels=_read(server.channels),
        binlog=_read(lambda: _binlog(server)),
        binlog_files=given["binlog_files"] if "binlog_files" in given else _read(server.binlog_files),
        rds_hours=_read(lambda: _rds_hours(server)),
        oldest_gtids=_read(lambda: _oldest_gtids(server, desired, replica.channels)),
        schemas=_whole(grants, desired.schemas, ("SELECT", "SHOW DATABASES"))(_read(lambda: _schemas(reader))),
        tables=see_tables(tables),
        objects=_whole(grants, desired.schemas, ("SELECT",), ("TRIGGER",), ("EVENT",))(objects),
        refused=see_tables(_read(lambda: read_refused(reader, desired.schemas, wanted))),
        attached=see_processes(_read(server.attached_replicas)),
        registered=_read(lambda: _registered(server)),
        longest_statement=see_processes(_read(lambda: _longest_statement(reader))),
        prepared=_read(lambda: _prepared(server)),
        presented=_read(lambda: _presented(server, desired, trusted, replica)),
        data_bytes=see_tables(_read(lambda: _data_bytes(reader, desired.schemas))) if desired.documents else NOT_READ,
    )


def _read_replica(server: Server, limit: int, given: t.Mapping[str, t.Any]) -> Side:
    common = _side(server)
    if isinstance(common["variables"], Unread):
        return Side(**common)
    reader = Reader(server, limit)
    channels = given["channels"] if "channels" in given else _read(server.channels)
    return Side(
        **common,
        abilities=_read(lambda: _abilities(reader)),
        accounts=_read(lambda: _accounts(reader)),
        channels=channels if isinstance(channels, Unread) else tuple(channels),
        procedures=_read(lambda: server.procedures),
        data=_whole(common["grants"], (), ("SELECT",))(_read(lambda: _data(reader))),
        records=given["records"] if "records" in given else _read(Records(server).read),
        enabled_events=_whole(common["grants"], (), ("EVENT",))(_read(lambda: read_enabled_events(reader))),
        ignored_tables=_ignored_tables(reader, channels),
    )


def read_facts(
    source: Server | DatainError,
    replica: Server | DatainError,
    desired: Desired,
    *,
    limit: int = LIMIT,
    given: t.Mapping[str, t.Any] | None = None,
    today: datetime.date | None = None,
) -> Facts:
    """Read both servers: at most sixteen statements on the source and ten on the replica, whatever the number of tables.

    Amazon RDS is asked one more, and a MariaDB source two where a link by GTID is to begin or to go on.

    :param source: the server, or the error that kept it from being reached: then all that is about it is unknown
    :param limit: seconds for each statement
    :param given: what the caller has read already: ``channels`` and ``records`` of the replica, ``binlog_files`` of the source
    """
    given = given or {}
    certificates, problem = read_certificates(desired.link_ca)
    trusted = frozenset(certificate.fingerprint for certificate in certificates)
    two = _failed("replica", replica) if isinstance(replica, DatainError) else _read_replica(replica, limit, given)
    one = _failed("source", source) if isinstance(source, DatainError) else _read_source(source, desired, limit, given, two, trusted)
    return Facts(one, two, desired, certificates, problem, today or datetime.datetime.now(datetime.timezone.utc).date())
