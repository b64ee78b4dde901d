# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule of the prerequisites, shown a pair that keeps it and one that breaks it. No server is asked."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _prerequisites, _rule, _rules_platform, _rules_reach
from ansible_collections.datain.azure_mysql.plugins.module_utils._certificates import Certificate, Presented
from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for
from ansible_collections.datain.azure_mysql.plugins.module_utils._facts import (
    AUTO_INCREMENT,
    COMPRESSED,
    ENCRYPTED,
    FILE,
    FOLLOWS,
    LONG_NAME,
    PARTITIONED,
    PREFIX,
    REFERENCE,
    RESERVED,
    ROW_ID,
    STRANGE_COLLATION,
    WIDE,
    Abilities,
    Account,
    BinlogEnd,
    Desired,
    Facts,
    Named,
    ObjectGroup,
    Side,
    TableGroup,
    Unread,
)
from ansible_collections.datain.azure_mysql.plugins.module_utils._grants import Grants
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Channel, Coordinates, Identity
from ansible_collections.datain.azure_mysql.plugins.module_utils._procedures import Procedures
from ansible_collections.datain.azure_mysql.plugins.module_utils._rule import judge
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES

TODAY = datetime.date(2026, 11, 21)
UUIDS = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222")

# A pair that keeps every rule.
BOTH = {
    "version": "8.0.33",
    "log_bin": "ON",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_value_options": "",
    "binlog_checksum": "CRC32",
    "binlog_transaction_compression": "OFF",
    "binlog_encryption": "OFF",
    "binlog_expire_logs_seconds": "2592000",
    "expire_logs_days": "0",
    "log_replica_updates": "ON",
    "gtid_mode": "OFF",
    "enforce_gtid_consistency": "OFF",
    "gtid_executed": "",
    "gtid_purged": "",
    "lower_case_table_names": "1",
    "sql_mode": "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
    "time_zone": "SYSTEM",
    "system_time_zone": "UTC",
    "character_set_server": "utf8mb4",
    "collation_server": "utf8mb4_0900_ai_ci",
    "explicit_defaults_for_timestamp": "ON",
    "transaction_isolation": "REPEATABLE-READ",
    "innodb_strict_mode": "ON",
    "innodb_page_size": "16384",
    "default_storage_engine": "InnoDB",
    "max_allowed_packet": "67108864",
    "tls_version": "TLSv1.2,TLSv1.3",
    "have_ssl": "YES",
    "general_log": "OFF",
    "slow_query_log": "OFF",
    "long_query_time": "10.000000",
    "log_output": "FILE",
    "read_only": "OFF",
}
SOURCE: dict[str, str] = {}
REPLICA = {
    "log_bin_trust_function_creators": "ON",
    "sql_generate_invisible_primary_key": "OFF",
    "relay_log_recovery": "ON",
    "event_scheduler": "ON",
    "sync_master_info": "1",
    "sync_relay_log_info": "1",
}
PROCEDURES = {"change_master": 7, "change_master_with_gtid": 5, "start": 0, "stop": 0, "remove_master": 0}
EVERYTHING = Grants(frozenset({"ALL PRIVILEGES"}), may_grant=True)
ACCOUNT = Account("datain", "%", "ANY", "mysql_native_password")
ABILITIES = Abilities(frozenset({"utf8mb4_0900_ai_ci"}), frozenset({"mysql_native_password", "caching_sha2_password"}))
CA = Certificate("f" * 64, True, "CN=lab", datetime.datetime(2036, 1, 1, tzinfo=datetime.UTC))


def table(name: str = "item", **more: Any) -> TableGroup:
    group = TableGroup("BASE TABLE", "InnoDB", "utf8mb4_0900_ai_ci", True, Named(1, (("shop", name),)))
    return replace(group, **more)


def objects(kind: str, definer: str = "dba@%", state: str = "") -> ObjectGroup:
    return ObjectGroup(kind, definer, state, Named(1, (("shop", f"an_{kind}"),)))


def channel(**more: Any) -> Channel:
    values = {name.name: None for name in dataclasses.fields(Channel)}
    values.update(
        name="",
        source_host="db.example.com",
        source_port=3306,
        source_user="datain",
        source_id=1,
        source_uuid=UUIDS[0],
        receiver="running",
        applier="running",
        read=Coordinates("binlog.000003", 400),
        applied=Coordinates("binlog.000003", 400),
        relay_file="relay.000002",
        relay_position=400,
        lag=0,
        tls=True,
        by_gtid=False,
    )
    return Channel(**{**values, **more})


def attached(*ids: int, uuid: str | None = None) -> tuple[Identity, ...]:
    return tuple(Identity(number, uuid) for number in ids)


def record(**more: Any) -> dict[str, Any]:
    return {"identities": {"source": {"server_id": 1, "server_uuid": UUIDS[0]}, "replica": {"server_id": 2, "server_uuid": UUIDS[1]}}, **more}


def make(
    source: Mapping[str, str | None] | None = None,
    replica: Mapping[str, str | None] | None = None,
    s: Mapping[str, Any] | None = None,
    r: Mapping[str, Any] | None = None,
    d: Mapping[str, Any] | None = None,
    f: Mapping[str, Any] | None = None,
    service: str = "mysql_flexible_server",
) -> Facts:
    """Facts of a good pair, changed: variables of either side, fields of either side, of what is desired, and of the facts."""
    chosen = SERVICES[service]
    sides = []
    for number, (label, own, variables, fields) in enumerate((("source", SOURCE, source, s), ("replica", REPLICA, replica, r)), 1):
        merged = {**BOTH, **own, "server_id": str(number), "server_uuid": UUIDS[number - 1], **(variables or {})}
        values: dict[str, Any] = {
            "label": f"{label} host:3306",
            "flavour": chosen.flavour,
            "version": (8, 0, 33) if chosen.flavour == "mysql" else (10, 11, 5),
            "identity": Identity(number, UUIDS[number - 1] if chosen.flavour == "mysql" else None),
            "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384"},
            "variables": {name: value for name, value in merged.items() if value is not None},
            "grants": EVERYTHING,
            "channels": (),
            "binlog": BinlogEnd(Coordinates("binlog.000003", 400), None),
            "binlog_files": {"binlog.000002": 900, "binlog.000003": 400},
            "rds_hours": None,
            "oldest_gtids": None,
            "schemas": {"shop": "utf8mb4_0900_ai_ci"},
            "tables": (table(),),
            "objects": (objects("view"),),
            "refused": {},
            "in_mysql": Named(0),
            "attached": [],
            "registered": (),
            "longest_statement": 0,
            "prepared": 0,
            "presented": None,
            "procedures": Procedures(PROCEDURES),
            "data": {},
            "records": {},
            "abilities": ABILITIES,
            "accounts": (ACCOUNT, Account("dba", "%", plugin="caching_sha2_password")) if number == 1 else (Account("dba", "%"),),
            "enabled_events": Named(0),
            "ignored_tables": "mysql.%",
            **(fields or {}),
        }
        values.setdefault("dialect", dialect_for(values["flavour"], values["version"]))
        sides.append(Side(**values))
    wanted = {"link_host": "db.example.com", "link_ca": "PEM", "replication_user": "datain", "replication_password": "p" * 20, **(d or {})}
    return Facts(sides[0], sides[1], Desired(service=chosen, **wanted), **{"certificates": (CA,), "today": TODAY, **(f or {})})


def own_events(position: str, strict: str) -> dict[str, Any]:
    return {"service": "mariadb_server", "source": {"gtid_binlog_pos": "0-1-5"}, "replica": {"gtid_binlog_pos": position, "gtid_strict_mode": strict}}


def linked(receiver: str = "running", **more: Any) -> dict[str, Any]:
    return {"channels": (channel(receiver=receiver, **more),)}


def rights(*names: str, may_grant: bool = True) -> Grants:
    return Grants(frozenset(names), may_grant=may_grant)


SEEDED = {"records": {"seed": record(phase="complete", schemas=["shop"], notes={"seconds": 4000})}}
KEYS = {"sql_generate_invisible_primary_key": "ON"}
STRICT_KEYS = {"restrict_fk_on_non_standard_key": "ON"}


@dataclass(frozen=True)
class Case:
    """One rule and what it is shown.

    :param broken: facts that break it
    :param kept: facts that keep it; the good pair if not given
    :param objects: what the finding must name
    """

    rule: str
    broken: dict[str, Any]
    kept: dict[str, Any] = field(default_factory=dict)
    severity: str | None = None
    objects: tuple[str, ...] | None = None


GTID = {"source": {"gtid_mode": "ON", "enforce_gtid_consistency": "ON"}, "replica": {"gtid_mode": "ON", "enforce_gtid_consistency": "ON"}}


ONLY_BY_POSITION = Procedures({name: number for name, number in PROCEDURES.items() if name != "change_master_with_gtid"})
GALERA = {"wsrep_on": "ON", "wsrep_provider": "/usr/lib/galera/libgalera_smm.so"}


def apart(replica: Mapping[str, Any] | None = None, log: Mapping[str, Any] | None = None, schemas: tuple[str, ...] = ("shop",)) -> dict[str, Any]:
    """A source with two schemas, of which one is wanted."""
    return {"d": {"schemas": schemas}, "s": {"schemas": {"shop": "", "crm": ""}, "binlog": BinlogEnd(None, None, **(log or {}))}, "r": replica or {}}


def gtid(source: Mapping[str, str] | None = None, replica: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"source": {**GTID["source"], **(source or {})}, "replica": {**GTID["replica"], **(replica or {})}, "d": {"method": "gtid"}, **more}


# Of a MariaDB source whose oldest log file begins here.
OLDEST = {"oldest_gtids": "[0-1-5]"}
FROM_5 = {"gtid": f"{UUIDS[0]}:1-5"}


def goes_on(position: str) -> dict[str, Any]:
    """A stopped link of MariaDB by GTID."""
    return {"service": "mariadb_server", "s": OLDEST, "r": linked("stopped", by_gtid=True), "replica": {"gtid_slave_pos": position}}


def begins(position: str) -> dict[str, Any]:
    return {"service": "mariadb_server", "s": OLDEST, "d": {"gtid": position}}


def alike(name: str, other: str, *more: dict[str, Any]) -> list[Case]:
    return [Case(f"variables.{name}", {"replica": {name: other}}), *(Case(f"variables.{name}", {"replica": {name: other}}, kept) for kept in more)]


OFF_TRUST = {"log_bin_trust_function_creators": "OFF"}
NO_SUPER = rights("SELECT", "EXECUTE")
CALLABLE = frozenset(("mysql", f"az_replication_{name}") for name in ("change_master", "start", "stop", "remove_master"))


def ends(*day: int) -> dict[str, Any]:
    """A source whose certificate was verified, and ends on a day."""
    return {"s": {"presented": Presented(ends=datetime.datetime(*day, tzinfo=datetime.UTC))}}


def received(file: str, position: int) -> dict[str, Any]:
    """A link that runs, and has received the source's log up to a place."""
    files = {"binlog.000003": 1 << 30, "binlog.000009": 900, "binlog.000010": 20 << 20}
    return {"s": {"binlog_files": files}, "r": linked(read=Coordinates(file, position))}


def keys(trait: str) -> dict[str, Any]:
    """A table without a key, for which the replica cannot make one."""
    return {"replica": KEYS, "s": {"tables": (table(keyed=False, traits=frozenset({trait})),)}}


CASES: tuple[Case, ...] = (
    Case("connection.source", {"s": {"variables": Unread("log in: refused", "check the password")}}),
    Case("connection.replica", {"r": {"variables": Unread("log in: refused")}}),
    Case("connection.source_tls", {"s": {"tls": None}}),
    Case("connection.source_tls", {"s": {"tls": {"version": "TLSv1.1", "cipher": "x"}}}, {"s": {"tls": {"version": "TLSv1.2", "cipher": "x"}}}),
    Case("connection.replica_tls", {"r": {"tls": None}}),
    Case("version.flavour", {"s": {"flavour": "mariadb"}}),
    Case("version.flavour", {"service": "mariadb_server", "r": {"flavour": "mysql"}}, {"service": "mariadb_server"}),
    Case("version.supported", {"s": {"version": (5, 6, 51)}}, {"s": {"version": (5, 7, 0)}}),
    Case("version.supported", {"s": {"version": (10, 1, 48)}, "service": "mariadb_server"}, {"s": {"version": (10, 2, 0)}, "service": "mariadb_server"}),
    Case("version.pair", {"s": {"version": (5, 7, 44)}}, {"s": {"version": (8, 0, 15)}}, severity="warning"),
    Case("version.pair", {"s": {"version": (10, 6, 1)}, "service": "mariadb_server"}, {"service": "mariadb_server"}, severity="error"),
    Case("version.direction", {"s": {"version": (8, 4, 0)}}, {"s": {"version": (5, 7, 44)}}),
    Case("version.direction", {"s": {"version": (9, 4, 0)}, "r": {"version": (8, 4, 5)}}, {"s": {"version": (9, 4, 0)}, "r": {"version": (9, 7, 0)}}),
    Case("version.patch", {"s": {"version": (8, 0, 40)}}, {"s": {"version": (8, 0, 15)}}),
    Case("version.jump", {"s": {"version": (5, 6, 51)}}, {"s": {"version": (5, 7, 44)}}),
    Case("binlog.enabled", {"source": {"log_bin": "OFF"}}),
    Case("binlog.format", {"source": {"binlog_format": "STATEMENT"}}, severity="error"),
    Case("binlog.format", {"source": {"binlog_format": "MIXED"}}, {"source": {"binlog_format": None}}, severity="warning"),
    Case("binlog.row_image", {"source": {"binlog_row_image": "MINIMAL"}}),
    Case("binlog.row_value_options", {"source": {"binlog_row_value_options": "PARTIAL_JSON"}}),
    Case("binlog.checksum", {"source": {"binlog_checksum": "NONE"}}, severity="warning"),
    Case("binlog.checksum", {"source": {"binlog_checksum": None}}),
    *(
        Case("binlog.checksum", {"replica": {f"{name}_sql_verify_checksum": "OFF"}}, {"replica": {f"{name}_sql_verify_checksum": "ON"}})
        for name in ("replica", "slave")
    ),
    Case(
        "binlog.compression",
        {"source": {"binlog_transaction_compression": "ON"}, "r": {"version": (8, 0, 19)}},
        {"source": {"binlog_transaction_compression": "ON"}},
    ),
    Case(
        "binlog.compression",
        {"service": "mariadb_server", "source": {"log_bin_compress": "ON"}, "r": {"version": (10, 2, 2)}},
        {"service": "mariadb_server", "source": {"log_bin_compress": "ON"}},
    ),
    Case("binlog.encryption", {"source": {"binlog_encryption": "ON"}}, severity="info"),
    Case(
        "binlog.encryption",
        {"service": "mariadb_server", "source": {"encrypt_binlog": "ON"}},
        {"service": "mariadb_server", "source": {"encrypt_binlog": "OFF"}},
        severity="info",
    ),
    Case("binlog.retention", {"source": {"binlog_expire_logs_seconds": "3600"}}, {"source": {"binlog_expire_logs_seconds": "0"}}),
    Case(
        "binlog.retention", {"source": {"binlog_expire_logs_seconds": "86400"}}, {"source": {"binlog_expire_logs_seconds": "86400"}, "d": {"retention": 86400}}
    ),
    Case(
        "binlog.retention",
        {"source": {"binlog_expire_logs_seconds": "0", "azure_server_name": "other"}},
        {"source": {"binlog_expire_logs_seconds": "604800", "azure_server_name": "other"}},
    ),
    Case(
        "binlog.retention",
        {"s": {"version": (5, 7, 44)}, "source": {"binlog_expire_logs_seconds": None, "expire_logs_days": "1"}},
        {"s": {"version": (5, 7, 44)}, "source": {"binlog_expire_logs_seconds": None, "expire_logs_days": "7"}},
    ),
    Case("binlog.retention", {"s": {"rds_hours": 0}}, {"s": {"rds_hours": 168}}),
    Case("binlog.retention_for_seed", {"r": SEEDED, "s": {"rds_hours": 1}}, {"r": SEEDED, "s": {"rds_hours": 24}}, severity="error"),
    Case(
        "binlog.retention_for_seed",
        {"r": SEEDED, "source": {"binlog_expire_logs_seconds": "0", "azure_server_name": "other"}},
        {"r": SEEDED, "source": {"binlog_expire_logs_seconds": "12000", "azure_server_name": "other"}},
        severity="error",
    ),
    Case(
        "binlog.retention_for_seed",
        {"r": SEEDED, "source": {"binlog_expire_logs_seconds": "4000"}},
        {"r": SEEDED, "source": {"binlog_expire_logs_seconds": "12000"}},
        severity="error",
    ),
    Case(
        "binlog.retention_for_seed",
        {"r": SEEDED, "source": {"binlog_expire_logs_seconds": "11999"}},
        {"r": SEEDED, "source": {"binlog_expire_logs_seconds": "0"}},
        severity="warning",
    ),
    Case("binlog.size_limit", {"source": {"max_binlog_total_size": "1073741824"}}),
    Case("binlog.filters", {"s": {"binlog": BinlogEnd(None, None, without=("shop",))}}, objects=("shop",), severity="error"),
    Case("binlog.filters", {"s": {"binlog": BinlogEnd(None, None, without=("other",))}}, objects=(), severity="warning"),
    Case("binlog.filters", {"s": {"binlog": BinlogEnd(None, None, only=("other",))}}, objects=("shop",), severity="error"),
    Case("binlog.filters", {"s": {"binlog": BinlogEnd(None, None, only=("shop",))}}, objects=(), severity="warning"),
    Case("binlog.filters", {"s": {"binlog": BinlogEnd(None, None, without=("b",))}, "d": {"schemas": ("a", "b")}}, objects=("b",), severity="error"),
    Case("binlog.filters", {"s": {"binlog": BinlogEnd(None, None, without=("b",))}, "d": {"schemas": ("a",)}}, objects=(), severity="warning"),
    Case("binlog.position_kept", {"r": linked("stopped", read=Coordinates("binlog.000001", 4))}, {"r": linked("stopped")}),
    Case("binlog.position_kept", goes_on("0-1-4,1-1-9"), goes_on("0-1-5,1-1-3")),
    Case("binlog.position_kept", goes_on(""), {**goes_on(""), "r": linked(by_gtid=True)}),
    Case("binlog.coordinates_present", begins("0-1-4,1-1-9"), begins("0-1-5")),
    Case("binlog.coordinates_present", gtid({"gtid_purged": f"{UUIDS[0]}:1-9"}, d=FROM_5), gtid({"gtid_purged": f"{UUIDS[0]}:1-4"}, d=FROM_5)),
    Case("binlog.coordinates_present", {"d": {"coordinates": Coordinates("binlog.000001", 4)}}, {"d": {"coordinates": Coordinates("binlog.000002", 900)}}),
    Case("binlog.coordinates_present", {"d": {"coordinates": Coordinates("binlog.000003", 401)}}, {"d": {"coordinates": Coordinates("binlog.000003", 400)}}),
    Case("server_id.zero", {"s": {"identity": Identity(0, UUIDS[0])}}),
    Case("server_id.duplicate", {"s": {"identity": Identity(2, UUIDS[0])}}),
    Case("server_id.duplicate", {"d": {"siblings": (3, 2)}}, {"d": {"siblings": (3, 4)}}),
    Case("server_id.fan_out", {"s": {"registered": attached(7, 2)}}, {"s": {"registered": attached(7, 2)}, "r": linked()}),
    Case("server_id.fan_out", {"s": {"registered": attached(2)}}, {"s": {"registered": attached(2)}, "r": {"records": {"link": record(phase="removed")}}}),
    Case("server_id.fan_out", {"s": {"registered": attached(2)}, "r": linked("stopped")}, {"s": {"registered": attached(3)}}),
    Case("uuid.duplicate", {"s": {"identity": Identity(1, UUIDS[1])}}),
    Case("uuid.fan_out", {"s": {"registered": attached(7, uuid=UUIDS[1])}}, {"s": {"registered": attached(7, uuid=UUIDS[0])}}),
    Case("uuid.fan_out", {"s": {"registered": attached(2, uuid=UUIDS[1])}}, {"s": {"registered": attached(2, uuid=UUIDS[1])}, "r": linked()}),
    Case("source.is_replica", {"s": {"channels": (channel(),)}, "source": {"log_replica_updates": "OFF"}}, {"s": {"channels": (channel(),)}}),
    Case(
        "source.commit_order",
        {"s": {"channels": (channel(),)}, "source": {"replica_parallel_workers": "4", "replica_preserve_commit_order": "OFF"}},
        {"s": {"channels": (channel(),)}, "source": {"replica_parallel_workers": "4", "replica_preserve_commit_order": "ON"}},
    ),
    Case(
        "source.commit_order",
        {"s": {"channels": (channel(),)}, "source": {"slave_parallel_workers": "4"}},
        {"s": {"channels": (channel(),)}, "source": {"slave_parallel_workers": "0"}},
    ),
    Case("source.read_only", {"source": {"super_read_only": "ON"}}, severity="info"),
    Case("source.long_statements", {"s": {"longest_statement": 61}}, {"s": {"longest_statement": 59}}),
    Case("source.is_replica", {"source": {**GALERA, "log_replica_updates": "OFF"}}, {"source": GALERA}),
    Case("server_id.upstream", {"s": {"channels": (replace(channel(), source_id=2, source_uuid=None),)}}, {"s": {"channels": (channel(),)}}),
    Case("server_id.upstream", {"s": {"channels": (replace(channel(), source_id=9, source_uuid=UUIDS[1]),)}}, {"s": {"channels": (channel(),)}}),
    Case("source.prepared_xa", {"s": {"prepared": 1}}, {"s": {"prepared": 0}}),
    Case("source.chain_runs", {"s": {"channels": (channel(applier="stopped"),)}}, {"s": {"channels": (channel(),)}}),
    Case("source.chain_lag", {"s": {"channels": (channel(lag=60),)}}, {"s": {"channels": (channel(lag=59),)}}),
    Case("source.chain_lag", {"s": {"channels": (channel(lag=None),)}}, {"s": {"channels": (channel(receiver="stopped", lag=None), channel())}}),
    Case("source.replica_count", {"service": "mysql_data_sync", "s": {"attached": [{}] * 5}}, {"service": "mysql_data_sync", "s": {"attached": [{}] * 4}}),
    Case(
        "source.replica_count",
        {"service": "mysql_data_sync", "s": {"attached": [{}] * 6}, "r": linked()},
        {"service": "mysql_data_sync", "s": {"attached": [{}] * 5}, "r": linked()},
    ),
    Case(
        "source.replica_count",
        {"service": "mysql_data_sync", "s": {"attached": [{}] * 5, "registered": attached(2)}},
        {"service": "mysql_data_sync", "s": {"attached": [{}] * 5, "registered": attached(2)}, "r": {"records": {"link": record(phase="removed")}}},
    ),
    Case("gtid.modes", {"source": {"gtid_mode": "ON"}}, {"source": {"gtid_mode": "OFF_PERMISSIVE"}}),
    Case("gtid.modes", {"replica": {"gtid_mode": "ON"}}, gtid()),
    Case("gtid.mode", gtid({"gtid_mode": "ON_PERMISSIVE"}), gtid()),
    Case("gtid.offered", {"service": "mysql_data_sync", "d": {"method": "gtid"}}, {"d": {"method": "gtid"}}, severity="error"),
    Case("gtid.offered", {"service": "mysql_single_server", "d": {"method": "gtid"}}, {"service": "mariadb_server"}, severity="warning"),
    Case("gtid.own_events", own_events("0-2-9", "ON"), own_events("0-2-4", "ON"), severity="error", objects=("0-2-9",)),
    Case("gtid.own_events", own_events("0-2-9,1-2-1", "OFF"), own_events("0-1-9,1-2-4", "ON"), severity="warning", objects=("0-2-9",)),
    Case("gtid.consistency", gtid({"enforce_gtid_consistency": "WARN"}), gtid()),
    Case(
        "gtid.purged_gap",
        gtid({"gtid_purged": f"{UUIDS[0]}:1-9"}, {"gtid_executed": f"{UUIDS[0]}:1-5"}, r=linked(by_gtid=True)),
        gtid({"gtid_purged": f"{UUIDS[0]}:1-9"}, {"gtid_executed": f"{UUIDS[0]}:1-20"}, r=linked(by_gtid=True)),
    ),
    Case(
        "gtid.errant",
        gtid({}, {"gtid_executed": f"{UUIDS[0]}:1-5,{UUIDS[1]}:1-3"}, r=linked(by_gtid=True)),
        gtid({}, {"gtid_executed": f"{UUIDS[0]}:1-5"}, r=linked(by_gtid=True)),
        objects=(UUIDS[1],),
    ),
    Case("variables.lower_case_table_names", {"source": {"lower_case_table_names": "0"}}),
    Case("variables.max_allowed_packet", {"replica": {"max_allowed_packet": "1048576"}}, {"replica": {"max_allowed_packet": "1073741824"}}),
    Case("variables.max_allowed_packet", {"replica": {"slave_max_allowed_packet": "1048576"}}, {"replica": {"replica_max_allowed_packet": "1073741824"}}),
    Case(
        "variables.time_zone_tables",
        {"r": {"abilities": replace(ABILITIES, zones=False)}},
        {"r": {"abilities": replace(ABILITIES, zones=False)}, "s": {"abilities": replace(ABILITIES, zones=False)}},
    ),
    Case("variables.clock", {"s": {"abilities": replace(ABILITIES, clock=3600.0)}}, {"s": {"abilities": replace(ABILITIES, clock=2.0)}}, severity="info"),
    Case(
        "variables.log_bin_trust_function_creators",
        {"replica": OFF_TRUST, "s": {"objects": (objects("trigger"),)}, "r": {"grants": NO_SUPER}},
        {"s": {"objects": (objects("trigger"),)}},
        severity="error",
    ),
    Case(
        "variables.log_bin_trust_function_creators",
        {"replica": OFF_TRUST, "s": {"objects": (objects("function"),)}, "r": {"grants": NO_SUPER}, "d": {"seed": "external"}},
        {"replica": OFF_TRUST, "s": {"objects": (objects("function"),)}},
        severity="warning",
    ),
    *alike("sql_mode", "ANSI_QUOTES", {"replica": {"sql_mode": "no_engine_substitution,STRICT_TRANS_TABLES"}}),
    *alike("time_zone", "Europe/Amsterdam", {"replica": {"time_zone": "+00:00"}}),
    *alike("character_set_server", "latin1", {"source": {"character_set_server": "utf8"}, "replica": {"character_set_server": "utf8mb3"}}),
    *alike("collation_server", "utf8mb4_bin"),
    *alike("explicit_defaults_for_timestamp", "OFF"),
    *alike("transaction_isolation", "READ-COMMITTED", {"source": {"transaction_isolation": None, "tx_isolation": "REPEATABLE-READ"}}),
    *alike("innodb_strict_mode", "OFF"),
    *alike("innodb_page_size", "8192"),
    Case(
        "rights.source_status",
        {"s": {"grants": rights("PROCESS")}},
        {"s": {"grants": rights("PROCESS", "REPLICATION CLIENT")}},
        objects=("REPLICATION CLIENT",),
    ),
    Case(
        "rights.source_status",
        {"service": "mariadb_server", "s": {"grants": rights("PROCESS", "SUPER")}},
        {"service": "mariadb_server", "s": {"grants": rights("PROCESS", "BINLOG MONITOR")}},
    ),
    Case("rights.source_accounts", {"s": {"grants": rights("CREATE USER")}}, {"s": {"grants": rights("CREATE USER", "REPLICATION SLAVE")}}),
    Case("rights.source_accounts", {"s": {"grants": rights("CREATE USER", "REPLICATION SLAVE", may_grant=False)}}),
    Case("rights.source_settings", {"s": {"grants": rights("SELECT")}}, {"s": {"grants": rights("SYSTEM_VARIABLES_ADMIN")}}, severity="warning"),
    Case("rights.source_settings", {"s": {"grants": rights("SELECT")}, "source": {"binlog_format": "MIXED"}}, severity="error"),
    Case("rights.source_settings", {"s": {"grants": rights("SELECT")}, "d": {"method": "gtid"}}, severity="error"),
    Case("rights.source_settings", {"s": {"grants": rights("SELECT")}, "source": {"log_bin": "OFF"}}, severity="warning"),
    Case("rights.source_settings", {"s": {"grants": rights("SELECT")}, "source": {"azure_server_name": "x", "binlog_format": "MIXED"}}, severity="warning"),
    Case(
        "rights.source_dump",
        {"s": {"grants": rights("SELECT", "SHOW VIEW", "TRIGGER", "RELOAD")}},
        {"s": {"grants": rights("SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "RELOAD")}},
        objects=("EVENT",),
    ),
    Case(
        "rights.source_dump",
        {"s": {"grants": replace(EVERYTHING, revoked=(("pay", frozenset({"SELECT"})),))}},
        {"s": {"grants": replace(EVERYTHING, revoked=(("pay", frozenset({"SELECT"})),))}, "d": {"schemas": ("shop",)}},
        severity="error",
    ),
    Case(
        "rights.source_dump",
        {"source": {"basedir": "/rdsdbbin/mysql-8.0.33.R2/"}},
        {"source": {"basedir": "/rdsdbbin/mariadb-10.11.5/"}, "service": "mariadb_server"},
        severity="warning",
    ),
    Case("rights.replica_status", {"r": {"grants": rights("SELECT")}}, {"r": {"grants": rights("REPLICATION CLIENT")}}),
    Case(
        "rights.replica_status",
        {"service": "mariadb_server", "r": {"grants": rights("BINLOG MONITOR")}},
        {"service": "mariadb_server", "r": {"grants": rights("SLAVE MONITOR")}},
    ),
    Case("rights.replica_execute", {"r": {"grants": rights("SELECT")}}, {"r": {"grants": Grants(schemas=(("mysql", frozenset({"EXECUTE"})),))}}),
    Case(
        "rights.replica_execute",
        {"r": {"grants": Grants(callable=CALLABLE - {("mysql", "az_replication_stop")})}, "d": {"method": "position"}},
        {"r": {"grants": Grants(callable=CALLABLE)}, "d": {"method": "position"}},
        objects=("mysql.az_replication_stop",),
    ),
    Case(
        "rights.replica_execute",
        {"r": {"grants": Grants(callable=CALLABLE)}, "d": {"method": "gtid"}},
        {"r": {"grants": Grants(callable=CALLABLE | {("mysql", "az_replication_change_master_with_gtid")})}, "d": {"method": "gtid"}},
    ),
    Case("rights.replica_load", {"r": {"grants": rights("SELECT", "INSERT")}}),
    Case("replica.relay_log_recovery", {"replica": {"relay_log_recovery": "OFF"}}),
    Case("replica.procedures", {"r": {"procedures": Procedures({})}}),
    # What auto means where the service's own way is not there: by position on a MariaDB server without the procedure for GTIDs.
    Case(
        "replica.procedures",
        {"service": "mariadb_server", "d": {"method": "gtid"}, "r": {"procedures": ONLY_BY_POSITION}},
        {"service": "mariadb_server", "r": {"procedures": ONLY_BY_POSITION}},
    ),
    Case("replica.procedures", {"r": {"procedures": Procedures({**PROCEDURES, "change_master": 6, "change_master_with_gtid": 9})}}),
    Case(
        "replica.procedures",
        {"r": {"procedures": Procedures({k: v for k, v in PROCEDURES.items() if k != "change_master"})}, "d": {"method": "position"}},
        {"r": {"procedures": Procedures({k: v for k, v in PROCEDURES.items() if k != "change_master"})}},
    ),
    Case("replica.channels", {"r": linked(source_uuid=UUIDS[1])}, {"r": linked()}),
    Case("replica.channels", {"r": {"channels": (channel(), channel(name="other"))}}, {"r": {"channels": (channel(source_uuid=None, source_id=0),)}}),
    Case("replica.channels", {"r": {"channels": (channel(source_uuid=None, source_id=0, source_host="elsewhere"),)}}),
    Case("link.received", received("binlog.000009", 99), received("binlog.000010", 20 << 20)),
    Case("link.received", received("binlog.000010", 4), received("binlog.000010", 5 << 20)),
    Case("replica.read_only", {"replica": {"read_only": "ON"}}, {"replica": {"read_only": "ON"}, "r": linked()}),
    Case("replica.filter", {"r": {"ignored_tables": ""}}, {"r": {"ignored_tables": "sys.%, mysql.%"}}),
    Case("replica.unfiltered_schemas", apart(), apart(schemas=("shop", "crm")), objects=("`crm`",)),
    Case("replica.unfiltered_schemas", apart({"ignored_tables": "mysql.%,crm.orders"}), apart({"ignored_tables": "mysql.%,cr_.%"}), severity="error"),
    Case("replica.unfiltered_schemas", apart(log={"only": ("shop", "crm")}), apart(log={"only": ("shop",)})),
    Case("replica.unfiltered_schemas", apart(log={"without": ("other",)}), apart(log={"without": ("crm",)})),
    Case("replica.filter_schemas", {"r": {"ignored_tables": "mysql.%, sh__.%"}}, {"r": {"ignored_tables": "mysql.%,sho\\_.%,hop.%"}}, objects=("`shop`",)),
    Case(
        "replica.filter_schemas",
        {"r": {"ignored_tables": "%.%"}, "d": {"schemas": ("a.b", "x")}},
        {"r": {"ignored_tables": "shop.%"}, "d": {"schemas": ("other",)}},
        objects=("`a.b`", "`x`"),
    ),
    Case(
        "replica.sync_info",
        {"service": "mariadb_server", "d": {"method": "position"}, "replica": {"sync_master_info": "10000"}},
        {"service": "mariadb_server", "d": {"method": "position"}},
    ),
    Case("link.password_length", {"d": {"replication_password": "p" * 33}}, {"d": {"replication_password": "p" * 32}}),
    Case("link.password_alphabet", {"d": {"replication_password": "pässword"}}, {"d": {"replication_password": "a-b!c~d"}}),
    *(Case("link.password_alphabet", {"d": {"replication_password": f"a{letter}b"}}) for letter in "'\"\\"),
    Case("link.without_tls", {"d": {"link_ca": ""}}, severity="error"),
    Case("link.without_tls", {"d": {"link_ca": ""}, "s": {"tls": None}}, severity="error"),
    Case("link.without_tls", {"d": {"link_ca": ""}, "service": "mysql_single_server"}, severity="warning"),
    Case("link.without_tls", {"d": {"link_ca": ""}, "s": {"tls": None}, "source": {"have_ssl": "DISABLED"}}, severity="warning"),
    Case("link.without_tls", {"d": {"link_ca": ""}, "source": {"tls_version": "TLSv1,TLSv1.1"}}, severity="warning"),
    Case("link.without_tls", {"d": {"link_ca": ""}, "source": {"tls_version": None}}, severity="error"),
    Case("link.without_tls", {"d": {"link_ca": ""}, "s": {"tls": None}, "source": {"tls_version": None}}, severity="warning"),
    Case("link.tls_demanded", {"d": {"link_ca": ""}}, {"d": {"link_ca": ""}, "s": {"accounts": ()}}),
    Case("link.tls_demanded", {"d": {"link_ca": ""}, "s": {"accounts": ()}, "source": {"require_secure_transport": "ON"}}),
    Case(
        "link.plugin_needs_tls",
        {"d": {"link_ca": ""}, "s": {"accounts": (replace(ACCOUNT, plugin="caching_sha2_password"),)}},
        {"d": {"link_ca": ""}},
    ),
    Case("link.tls_offered", {"s": {"tls": None}, "source": {"have_ssl": "DISABLED"}}, {"s": {"tls": None}}),
    Case("link.tls_offered", {"s": {"tls": None}, "source": {"have_ssl": None}}, {"s": {"tls": None}, "source": {"have_ssl": None, "ssl_cert": "cert.pem"}}),
    Case("link.tls_version", {"source": {"tls_version": "TLSv1,TLSv1.1"}}, severity="error"),
    Case("link.tls_version", {"source": {"tls_version": "TLSv1.1"}, "replica": {"tls_version": "TLSv1.1,TLSv1.2"}}, severity="warning"),
    Case("link.ca", {"f": {"certificate_problem": "link_ca is cut off", "certificates": ()}}, severity="error"),
    Case("link.ca", {"f": {"certificates": (Certificate("f" * 64, False),)}}, severity="warning"),
    Case("link.ca_matches", {"s": {"presented": Presented("unable to get local issuer certificate")}}, {"s": {"presented": Presented()}}),
    Case(
        "link.ca_name",
        {"s": {"presented": Presented(names=("other.example.com", "*.com"))}},
        {"s": {"presented": Presented(names=("*.Example.com",))}},
        severity="info",
    ),
    Case(
        "link.tls_cipher",
        {"source": {"tls_ciphersuites": "A", "ssl_cipher": "C"}, "replica": {"tls_ciphersuites": "B", "ssl_cipher": "D:E"}},
        {"source": {"tls_ciphersuites": "A", "ssl_cipher": "C"}, "replica": {"tls_ciphersuites": "B", "ssl_cipher": "D:C"}},
    ),
    Case(
        "link.tls_cipher",
        {"source": {"tls_version": None, "ssl_cipher": "C"}, "replica": {"tls_version": None, "ssl_cipher": "D"}},
        {"source": {"tls_version": None, "ssl_cipher": "C"}},
    ),
    Case("link.plugin", {"s": {"accounts": (replace(ACCOUNT, plugin="unix_socket"),)}}, objects=("datain@%: unix_socket",)),
    Case("accounts.missing", {"s": {"accounts": (ACCOUNT, Account("dba", "%"), Account("app", "10.%"))}}, objects=("`app`@`10.%`",), severity="info"),
    Case(
        "accounts.plugins",
        {"s": {"accounts": (Account("app", "%", plugin="ed25519"), Account("root", "localhost", plugin="unix_socket"))}},
        {"s": {"accounts": (Account("app", "%", plugin="caching_sha2_password"), Account("root", "localhost", plugin="unix_socket"))}},
        objects=("`app`@`%`",),
    ),
    Case("link.ca_ends", {"f": {"certificates": (replace(CA, ends=datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)),)}}, severity="error"),
    Case("link.ca_ends", {"f": {"certificates": (replace(CA, ends=datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)), CA)}}, severity="warning"),
    Case("link.certificate_ends", ends(2026, 12, 20), ends(2026, 12, 21), severity="warning"),
    Case("network.link_address", {"d": {"link_host": "127.0.0.1"}}, {"d": {"link_host": "8.8.8.8"}}),
    Case("network.link_address", {"d": {"link_host": "dbhost"}}, {"d": {"link_host": "dbhost"}, "r": linked()}),
    Case("network.link_address", {"d": {"link_host": "224.0.0.5"}}, {"d": {"link_host": "8.8.8.8"}}),
    Case("network.listens", {"source": {"skip_networking": "ON"}}, {"source": {"skip_networking": "OFF"}}, severity="error"),
    Case("network.listens", {"source": {"bind_address": "127.0.0.1,::1"}}, {"source": {"bind_address": "127.0.0.1,10.0.0.7"}}),
    Case("network.listens", {"source": {"bind_address": "localhost"}}, {"source": {"bind_address": "localhost"}, "r": linked()}),
    Case("network.port", {"d": {"link_port": 3307}}),
    Case(
        "secrets.server_logs", {"replica": {"general_log": "ON"}}, {"replica": {"general_log": "ON", "log_output": "NONE"}}, objects=("replica: general_log",)
    ),
    Case("secrets.server_logs", {"replica": {"audit_log_policy": "ALL"}}, {"replica": {"audit_log_policy": "LOGINS"}}),
    Case("secrets.server_logs", {"source": {"slow_query_log": "ON", "long_query_time": "0.000000"}}, {"source": {"slow_query_log": "ON"}}),
    Case("secrets.server_logs", {"source": {"server_audit_logging": "ON"}}),
    Case("schema.requested", {"d": {"schemas": ("shop", "gone")}}, {"d": {"schemas": ("Shop",)}}, objects=("`gone`",)),
    Case("schema.requested", {"s": {"schemas": {}}}),
    Case("schema.system", {"d": {"schemas": ("mysql", "shop")}}, {"d": {"schemas": ("mysql_app",)}}, objects=("`mysql`",)),
    Case(
        "schema.engines",
        {"s": {"tables": (table(), table("old", engine="MyISAM"))}},
        {"s": {"tables": (table("v", kind="VIEW", engine=None), table("m", engine="MEMORY"))}},
        objects=("`shop`.`old`",),
    ),
    Case("schema.engines", {"s": {"tables": (table("old", engine="MyISAM"),)}}, severity="error"),
    Case("schema.engines", {"s": {"tables": (table("old", engine="MyISAM"),)}, "d": {"seed": "external"}}, severity="warning"),
    Case("replica.events", {"r": {"enabled_events": Named(1, (("shop", "nightly"),))}}, severity="error", objects=("`shop`.`nightly`",)),
    Case("replica.events", {"r": {"enabled_events": Named(1)}, "replica": {"event_scheduler": "OFF"}}, severity="warning"),
    Case("schema.history", {"service": "mariadb_server", "s": {"tables": (table("old", kind="SYSTEM VERSIONED"),)}}, {"service": "mariadb_server"}),
    Case("schema.memory_tables", {"s": {"tables": (table("m", engine="MEMORY"),)}}),
    Case(
        "schema.no_primary_key",
        {"s": {"tables": (table("t`x,y", keyed=False),)}},
        {"s": {"tables": (table("v", kind="VIEW", keyed=False), table("q", kind="SEQUENCE", keyed=False))}},
        "warning",
        ("`shop`.`t``x,y`",),
    ),
    Case("schema.no_primary_key", {"service": "mariadb_server", "s": {"tables": (table(keyed=False),)}}, {"service": "mariadb_server"}, "error"),
    Case(
        "schema.generated_invisible_primary_key",
        {"replica": {"sql_generate_invisible_primary_key": "ON"}, "s": {"tables": (table(keyed=False),)}},
        {"replica": {"sql_generate_invisible_primary_key": "ON"}},
    ),
    Case(
        "schema.generated_invisible_primary_key",
        {"replica": {"sql_generate_invisible_primary_key": "ON"}, "s": {"tables": (table(keyed=False),)}},
        {"s": {"tables": (table(keyed=False),)}},
    ),
    Case("schema.no_invisible_key", keys(AUTO_INCREMENT), {"replica": KEYS, "s": {"tables": (table(traits=frozenset({AUTO_INCREMENT})),)}}, severity="warning"),
    Case("schema.no_invisible_key", {**keys(PARTITIONED), "r": {"grants": NO_SUPER}}, {"s": {"tables": (table(keyed=False),)}}, severity="error"),
    Case("schema.no_invisible_key", {**keys(ROW_ID), "r": {"grants": NO_SUPER}, "d": {"seed": "external"}}, severity="warning"),
    Case(
        "schema.primary_key_required",
        {"replica": {"sql_require_primary_key": "ON"}, "s": {"tables": (table(keyed=False),)}},
        {"replica": {"sql_require_primary_key": "ON"}},
        severity="error",
    ),
    Case(
        "schema.row_size",
        {"source": {"innodb_strict_mode": "OFF"}, "s": {"tables": (table(traits=frozenset({WIDE})),)}},
        {"source": {"innodb_strict_mode": "OFF"}},
    ),
    Case(
        "schema.row_size",
        {"source": {"innodb_page_size": "32768"}, "s": {"tables": (table(traits=frozenset({WIDE})),)}},
        {"source": {"innodb_page_size": "8192"}, "s": {"tables": (table(traits=frozenset({WIDE})),)}},
        severity="error",
    ),
    Case("schema.long_names", {"s": {"refused": {LONG_NAME: Named(1, (("shop", "l" * 70),))}}}, severity="error"),
    Case("schema.encrypted", {"s": {"tables": (table(traits=frozenset({ENCRYPTED})),)}}, severity="warning", objects=("`shop`.`item`",)),
    Case(
        "schema.in_mysql",
        {"s": {"in_mysql": Named(7, (("function of a library", "soundslike"), ("procedure", "p`1")))}},
        severity="warning",
        objects=("function of a library `soundslike`", "procedure `p``1`"),
    ),
    Case("variables.default_storage_engine", {"source": {"default_storage_engine": "MyISAM"}}, {"source": {"default_storage_engine": "innodb"}}),
    Case("schema.compressed", {"s": {"tables": (table(traits=frozenset({COMPRESSED})),)}}, severity="info"),
    Case("schema.tablespaces", {"s": {"refused": {FILE: Named(1, (("", "apart.ibd"),))}}}, objects=("apart.ibd",), severity="error"),
    Case("schema.tablespaces", {"s": {"refused": {FILE: Named(1, (("", "apart.ibd"),))}}, "d": {"seed": "external"}}, severity="warning"),
    Case("schema.partition_prefix", {"s": {"refused": {PREFIX: Named(1, (("shop", "item"),))}}}, objects=("`shop`.`item`",), severity="error"),
    Case(
        "schema.foreign_keys",
        {"replica": STRICT_KEYS, "s": {"refused": {REFERENCE: Named(1, (("shop", "item"),))}}},
        {"s": {"refused": {REFERENCE: Named(1, (("shop", "item"),))}}},
        objects=("`shop`.`item`",),
    ),
    Case("schema.reserved_words", {"s": {"tables": (table("rank", traits=frozenset({RESERVED})),)}}, objects=("`shop`.`rank`",)),
    Case("schema.reserved_words", {"s": {"objects": (replace(objects("procedure"), reserved=True),)}}, objects=("`shop`.`an_procedure`",)),
    Case("schema.column_collations", {"s": {"tables": (table(traits=frozenset({STRANGE_COLLATION})),)}}),
    Case("schema.default_collations", {"s": {"schemas": {"shop": "utf8mb4_uca1400_ai_ci"}}}, objects=("`shop`",)),
    Case(
        "schema.default_collations",
        {"s": {"objects": (replace(objects("trigger"), collation="utf8mb4_0901_ai_ci"),)}},
        {"s": {"schemas": {"shop": "utf8mb4_0900_ai_ci", "other": "utf8mb4_0901_ai_ci"}}, "d": {"schemas": ("shop",)}},
        objects=("`shop`.`an_trigger`",),
    ),
    Case(
        "schema.sql_modes",
        {"s": {"objects": (replace(objects("procedure"), modes="STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER"),)}},
        {"s": {"objects": (replace(objects("procedure"), modes="STRICT_TRANS_TABLES"),)}},
    ),
    Case(
        "schema.collations",
        {"s": {"tables": (table(collation="utf8_bin"),)}},
        {"s": {"tables": (table(collation="utf8_bin"),)}, "r": {"abilities": Abilities(frozenset({"utf8mb3_bin"}))}},
    ),
    Case("schema.collations", {"s": {"tables": (table(), table("u", collation="utf8mb4_uca1400_ai_ci"))}}, objects=("`shop`.`u`",)),
    Case("schema.mariadb_only", {"s": {"tables": (table(kind="SYSTEM VERSIONED"),)}}),
    Case("schema.mariadb_only", {"s": {"objects": (objects("package"),)}}, objects=("`shop`.`an_package`",)),
    Case("schema.definers", {"s": {"objects": (objects("view", "gone@localhost"),)}}, objects=("`shop`.`an_view`",)),
    Case("schema.events", {"s": {"objects": (objects("event", state="ENABLED"),)}}, {"s": {"objects": (objects("event", state="SLAVESIDE_DISABLED"),)}}),
    Case("advice.use", {"service": "mysql_data_sync"}, severity="info"),
    Case("schema.triggers", {"s": {"objects": (objects("trigger"),)}, "source": {"binlog_format": "STATEMENT"}}, {"s": {"objects": (objects("trigger"),)}}),
    Case(
        "schema.triggers",
        {"s": {"objects": (objects("trigger"),)}, "replica": {"slave_run_triggers_for_rbr": "YES"}},
        {"s": {"objects": (objects("trigger"),)}, "replica": {"slave_run_triggers_for_rbr": "NO"}},
    ),
    Case("replica.not_empty", {"r": {"data": {"shop": 3}}}, {"r": {"data": {"shop": 3}, **linked()}}, objects=("`shop`",)),
    Case(
        "replica.not_empty",
        {"r": {"data": {"shop": 3}, "records": {"seed": record(phase="loading", schemas=["shop"], created=[])}}},
        {"r": {"data": {"shop": 3}, "records": {"seed": record(phase="loading", created=["shop"])}}},
    ),
    Case(
        "replica.not_empty",
        {"r": {"data": {"shop": 3}, "records": {"seed": {**record(phase="complete", schemas=["shop"]), "identities": None}}}},
        {"r": {"data": {"shop": 3}, "records": {"seed": record(phase="complete", schemas=["shop"])}}},
    ),
    Case(
        "replica.not_empty",
        {"r": {"data": {"shop": 3}, **linked(source_uuid=UUIDS[1])}},
        {"r": {"data": {"shop": 3}, "records": {"link": record(phase="linked")}}},
    ),
)
# What the controller cannot see: kept where a running link proves it, else unknown.
PROVED = (
    ("link.ca_matches", {"r": linked()}),
    ("link.ca_matches", {"s": {"presented": Presented()}}),
)
UNPROVED = (
    ("link.ca_matches", {}),
    ("server_id.fan_out", {"s": {"registered": Unread("a right is missing")}}),
    ("uuid.fan_out", {"s": {"registered": Unread("a right is missing")}}),
    ("link.received", received("other.000009", 99)),
    ("link.certificate_ends", {}),
    ("link.certificate_ends", {"s": {"presented": Presented()}}),
    ("link.tls_version", {"source": {"tls_version": None}}),
    ("link.ca_ends", {"f": {"certificates": (Certificate("f" * 64, False),)}}),
    ("schema.engines", {"s": {"tables": (table(engine=None),)}}),
    ("network.link_address", {}),
    ("network.link_address", {"d": {"link_host": "10.0.0.7"}}),
    ("network.link_address", {"d": {"link_host": "100.64.0.1"}}),
    ("advice.primary_key_values", {"service": "mysql_data_sync"}),
)
NOT_APPLICABLE = (
    ("network.link_address", {"d": {"link_host": ""}}),
    ("network.listens", {"source": {"bind_address": "127.0.0.1"}, "d": {"link_host": "127.0.0.1"}}),
    ("replica.unfiltered_schemas", {"s": {"schemas": {"a": "", "b": ""}}}),
    ("advice.primary_key_values", {}),
    ("binlog.retention_for_seed", {}),
    ("source.commit_order", {}),
    ("source.chain_lag", {}),
    ("source.chain_lag", {"s": {"channels": (channel(receiver="stopped"),)}}),
    ("uuid.fan_out", {"service": "mariadb_server", "s": {"registered": Unread("a right is missing")}}),
    ("source.long_statements", {"r": linked(), "s": {"longest_statement": 999}}),
    ("source.prepared_xa", {"r": linked(), "s": {"prepared": 1}}),
    ("source.prepared_xa", {"s": {"prepared": 1, "dialect": dialect_for("mysql", (5, 6, 24))}}),
    ("source.is_replica", {"source": {"wsrep_on": "ON", "wsrep_provider": "none"}}),
    ("server_id.upstream", {"s": {"channels": (replace(channel(), source_id=0, source_uuid=None),)}}),
    ("schema.history", {"service": "mariadb_server", "d": {"seed": "external"}, "s": {"tables": (table("old", kind="SYSTEM VERSIONED"),)}}),
    ("gtid.offered", {}),
    ("gtid.own_events", gtid()),
    ("link.plugin", {"s": {"accounts": ()}}),
    ("link.certificate_ends", {"s": {"presented": Presented("has expired")}}),
    ("link.certificate_ends", {"d": {"link_ca": ""}}),
    ("link.ca_name", {}),
    ("link.ca_name", {"d": {"link_host": ""}}),
    ("schema.compressed", {"service": "mariadb_server"}),
    ("version.direction", {"s": {"flavour": "mariadb"}}),
    ("version.patch", {"s": {"version": (5, 7, 44)}}),
    ("version.jump", {"service": "mariadb_server"}),
    ("uuid.duplicate", {"service": "mariadb_server"}),
    ("source.is_replica", {}),
    ("source.replica_count", {}),
    ("binlog.position_kept", {}),
    ("binlog.position_kept", gtid(r=linked("stopped", by_gtid=True))),
    ("binlog.coordinates_present", {"d": FROM_5, "r": linked("stopped")}),
    ("binlog.coordinates_present", {}),
    ("gtid.modes", {"source": {"gtid_mode": None}}),
    ("gtid.mode", {}),
    ("gtid.purged_gap", gtid()),
    ("gtid.errant", gtid()),
    ("rights.source_dump", {"d": {"seed": "external"}, "s": {"grants": rights()}}),
    ("rights.replica_load", {"r": {"grants": rights(), **linked()}}),
    ("replica.sync_info", {"service": "mariadb_server"}),
    ("replica.not_empty", {"d": {"seed": "external"}, "r": {"data": {"shop": 3}}}),
    ("link.received", {}),
    ("link.received", {"r": linked("stopped")}),
    ("link.password_length", {"d": {"replication_password": ""}}),
    ("link.tls_version", {"d": {"link_ca": ""}}),
    ("link.plugin_needs_tls", {"d": {"link_ca": ""}, "s": {"accounts": ()}}),
    ("schema.mariadb_only", {"service": "mariadb_server"}),
    ("variables.time_zone", {"source": {"time_zone": None}}),
    ("variables.log_bin_trust_function_creators", {"replica": OFF_TRUST}),
)


def finding(rule: str, changes: dict[str, Any]) -> Any:
    return judge(_prerequisites.BY_ID[rule], make(**changes))


def by_rule(case: Any) -> str | None:
    return case.rule if isinstance(case, Case) else None


@pytest.mark.parametrize("case", CASES, ids=by_rule)
def test_broken(case: Case) -> None:
    found = finding(case.rule, case.broken)
    assert found.status == "failed", found
    assert found.remedy and "{" not in found.remedy, "a finding says what mends it"
    assert found.document and found.summary
    assert case.severity in (None, found.severity)
    assert case.objects in (None, found.objects)
    assert found.object_count >= len(found.objects)


@pytest.mark.parametrize("case", CASES, ids=by_rule)
def test_kept(case: Case) -> None:
    found = finding(case.rule, case.kept)
    assert found.status == "passed", found
    assert found.remedy is None
    assert found.objects == ()


@pytest.mark.parametrize(("rule", "changes"), PROVED)
def test_proved(rule: str, changes: dict[str, Any]) -> None:
    assert finding(rule, changes).status == "passed"


@pytest.mark.parametrize(("rule", "changes"), UNPROVED)
def test_unknown(rule: str, changes: dict[str, Any]) -> None:
    assert finding(rule, changes).status == "unknown"


@pytest.mark.parametrize(("rule", "changes"), NOT_APPLICABLE)
def test_not_applicable(rule: str, changes: dict[str, Any]) -> None:
    assert finding(rule, changes).status == "not_applicable"


# Nobody can prove what nobody can see: unknown wherever it applies and nothing speaks against it.
ADVICE = {"advice.primary_key_values"}
# They have tests of their own: what they are judged by is no server.
OF_DOCUMENTS = {rule.id for rule in (*_rules_platform.RULES, *_rules_reach.RULES)}


def test_foreign_keys_that_follow_a_changed_key() -> None:
    found = finding("advice.primary_key_values", {"service": "mysql_data_sync", "s": {"refused": {FOLLOWS: Named(1, (("shop", "line"),))}}})
    assert (found.status, found.severity, found.objects) == ("failed", "warning", ("`shop`.`line`",))


def test_every_rule_is_broken_once_and_kept_once() -> None:
    rules = {rule.id for rule in _prerequisites.RULES}
    assert {case.rule for case in CASES} == rules - ADVICE - OF_DOCUMENTS
    assert ADVICE <= {rule for rule, _changes in UNPROVED} & {rule for rule, _changes in NOT_APPLICABLE}


def test_ids_are_unique() -> None:
    assert len(_prerequisites.BY_ID) == len(_prerequisites.RULES)


def test_a_services_own_page_is_named_for_what_it_says() -> None:
    by_all = {"version.flavour", "version.pair", "schema.no_primary_key", "accounts.missing", "schema.definers"}
    by_one_and_applied_there_only = {"source.replica_count", "advice.primary_key_values", "advice.use", "azure.high_availability"}
    assert {rule.id for rule in _prerequisites.RULES if rule.document == _rule.PAGE} == by_all | by_one_and_applied_there_only


@pytest.mark.parametrize("rule", _prerequisites.RULES, ids=lambda rule: rule.id)
def test_entries_are_whole(rule: _rule.Rule) -> None:
    assert rule.side in ("source", "replica", "pair")
    assert rule.title[0].isupper() and not rule.title.endswith(".")
    for service in SERVICES.values():
        assert rule.severity_for(service) in _rule.SEVERITIES
        assert "{" not in rule.document.format(service=service.document)
    for need in rule.all_needs:
        side, name = need.split(".")
        assert side in ("source", "replica") and name in {field.name for field in dataclasses.fields(Side)}


@pytest.mark.parametrize("rule", _prerequisites.RULES, ids=lambda rule: rule.id)
def test_what_is_not_read_is_never_passed(rule: _rule.Rule) -> None:
    for need in rule.all_needs:
        side, name = need.split(".")
        found = finding(rule.id, {side[0]: {name: Unread("a right is missing", "grant it")}})
        assert (found.status, found.summary, found.remedy) == ("unknown", "a right is missing", "grant it"), need


class Watched:
    """Facts of one side that note which of their fields are looked at."""

    def __init__(self, side: Side, name: str, seen: set[str]) -> None:
        self.__dict__.update(side=side, name=name, seen=seen)

    def __getattr__(self, field_name: str) -> Any:
        self.seen.add(f"{self.name}.{field_name}")
        value = getattr(type(self.side), field_name, None)
        if callable(value):
            self.seen.add(f"{self.name}.variables")
        return getattr(self.side, field_name)


MAYBE = {f.name for f in dataclasses.fields(Side) if f.type == "Maybe"}


def looked_at(rule: _rule.Rule, changes: dict[str, Any]) -> set[str]:
    facts = make(**changes)
    seen: set[str] = set()
    watched = replace(facts, source=Watched(facts.source, "source", seen), replica=Watched(facts.replica, "replica", seen))
    rule.evaluate(watched)
    return {fact for fact in seen if fact.partition(".")[2] in MAYBE}


# These look at a fact and say themselves what it means that it was not read.
SAYS_ITSELF = {
    "connection.source": {"source.variables", "replica.procedures"},
    "connection.replica": {"replica.variables", "replica.procedures"},
    "replica.unfiltered_schemas": {"replica.ignored_tables"},
    "source.replica_count": {"source.registered", "replica.records"},
    "server_id.fan_out": {"source.registered"},
    "uuid.fan_out": {"source.registered"},
}


@pytest.mark.parametrize("case", [*CASES, *(Case(rule, changes) for rule, changes in (*PROVED, *UNPROVED, *NOT_APPLICABLE))], ids=by_rule)
def test_a_rule_looks_only_at_what_it_needs(case: Case) -> None:
    rule = _prerequisites.BY_ID[case.rule]
    for changes in (case.broken, case.kept):
        if _rule.unread(make(**changes), rule.all_needs):
            continue
        extra = looked_at(rule, changes) - set(rule.all_needs) - SAYS_ITSELF.get(rule.id, {"replica.procedures"})
        assert not extra


def test_the_good_pair_is_ready() -> None:
    for service in ("mysql_flexible_server", "mysql_single_server", "mysql_data_sync"):
        findings = _prerequisites.evaluate(make(service=service))
        advice = ["advice.use"] if service == "mysql_data_sync" else []
        assert [found.rule for found in findings if found.status == "failed"] == advice
        assert _prerequisites.summarise(findings)["ready"]
