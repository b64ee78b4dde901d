# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Every verb and every name that depends on flavour or version, as one table.

Nothing else in the collection compares versions to choose a statement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ._model import MARIADB, MYSQL

Version = tuple[int, int, int]

_FIRST: Version = (0, 0, 0)
_LAST: Version = (9999, 0, 0)
# From here on a dump client asks for SHOW BINARY LOG STATUS whatever the server, and a server has forgotten SHOW MASTER STATUS.
_BINARY_LOG_STATUS: Version = (8, 4, 0)


@dataclass(frozen=True)
class Dialect:
    """How one flavour and version of server is spoken to.

    :param channels: lists every replication channel
    :param binlog_status: tells the end of the binary log
    :param retention: the variables that bound the life of a binary log file, with their unit in seconds, first match wins
    :param replication_privilege: what a replica's account needs, as SHOW GRANTS spells it
    :param monitor_privileges: what reading the state of replication needs, any one of each group
    :param persistent: SET PERSIST exists: a change made live survives a restart without the option file
    :param dump_coordinates: the dump client's option that writes coordinates as a comment
    :param dump_clients: the versions of the dump clients that this server understands: from one on, and below another
    :param event_off: how an event is created that is not to run on a replica
    :param accounts: every account of one name, with the name bound
    :param identified: sets an account's hash, with the plugin filled in and the hash bound
    :param grant_identified: where CREATE USER or ALTER USER cannot do what is needed: how GRANT takes the hash, with the plugin
        filled in and the hash bound; then one GRANT makes the account, or puts it right as a whole
    :param plugin_fixed: an account keeps the plugin that it was made with
    :param drop_account: what removes an account, and does no harm where replicas lack it; each with name and host bound
    :param tls_plugin: the plugin for a new account whose sessions all use TLS
    :param native_optional: mysql_native_password may be switched off, or gone
    :param revoke: how REVOKE begins and ends, so that it does no harm where replicas lack the account
    :param account_name: the longest name of an account, in characters
    :param gtid_live: gtid_mode is switched on while the server runs, step by step
    :param worker_errors: performance_schema knows each worker's last error
    :param variables_right: what an administrator needs to set the variables of the binary log
    :param limited_select: how a SELECT begins that the server itself ends after a time
    :param collations: the column of information_schema that has every collation's name as tables spell it, and its table
    :param filters: the rest of a SELECT of the wild-ignore filter, where that can be read without a link
    :param channel_privileges: what reading the channels needs, any one
    :param attached: lists the replicas that receive, with the server ids that they told
    :param reserved_words: words that were free once and now need quotes as names
    :param table_options: information_schema tells the options of tables without opening each of them
    :param table_files: the rest of a SELECT of the files of all tables
    :param constraint_names: the rest of a SELECT of all foreign keys, as schema/name, where the server itself makes names beyond its limit
    :param following: the rest of a SELECT of the tables, as schema/name, whose foreign keys are changed with what they refer to, where no
        table is opened for it
    :param strict_keys: foreign keys refer to unique keys only, and no partition is by the beginning of a column
    :param removed_modes: words of sql_mode that were known once and now are refused
    :param account_tables: where accounts and all that belongs to them are kept, each with what reads it whole
    :param account_parts: what an account can have here beside logins, TLS demands and limits
    :param hash_as_hex: a stored hash may be written as a hexadecimal literal, so that it can hold any byte
    :param default_role: how the default roles of an account are set
    :param role_right: what passing on a role takes, where the role's own admin option is not the way
    :param renamed_rights: rights of older versions, each with what they are here
    :param held_password: a digest of the password that a replica's link holds, with a nonce bound; None where no table has it
    :param password_age: seconds since the password of each account of a name was changed, and whether it has another one
        beside it; None where that is not recorded
    :param prepared: lists the distributed transactions that wait for their second phase, with names of any bytes in a readable
        form; None where one is logged as a whole when it is committed
    :param variables: the table of all global variables
    :param gtid_sets: the variables that hold a set of GTIDs, which may be longer than that table can show
    """

    channels: str = "SHOW SLAVE STATUS"
    binlog_status: str = "SHOW MASTER STATUS"
    retention: tuple[tuple[str, int], ...] = (("expire_logs_days", 86400),)
    replication_privilege: str = "REPLICATION SLAVE"
    monitor_privileges: tuple[str, ...] = ("REPLICATION CLIENT",)
    persistent: bool = False
    dump_coordinates: str = "--master-data=2"
    dump_clients: tuple[Version, Version] = (_FIRST, _LAST)
    event_off: str = "DISABLE ON SLAVE"
    accounts: str = "SELECT *, HEX(authentication_string) AS stored_hex FROM mysql.user WHERE User = %s"
    identified: str = "IDENTIFIED WITH {plugin} AS %s"
    grant_identified: str = ""
    plugin_fixed: bool = False
    drop_account: tuple[str, ...] = ("DROP USER IF EXISTS %s@%s",)
    tls_plugin: str = "mysql_native_password"
    native_optional: bool = False
    revoke: tuple[str, str] = ("REVOKE", "")
    account_name: int = 32
    variables_right: str = "SUPER"
    gtid_live: bool = True
    worker_errors: bool = False
    limited_select: str = "SELECT"
    collations: tuple[str, str] = ("COLLATION_NAME", "COLLATIONS")
    filters: str | None = None
    channel_privileges: tuple[str, ...] = ("REPLICATION CLIENT", "SUPER")
    attached: str = "SHOW SLAVE HOSTS"
    reserved_words: frozenset[str] = frozenset()
    removed_modes: frozenset[str] = frozenset()
    table_options: bool = True
    table_files: str = "PATH AS path FROM information_schema.INNODB_SYS_DATAFILES"
    constraint_names: str | None = None
    following: str | None = None
    strict_keys: bool = False
    account_tables: tuple[tuple[str, str], ...] = ()
    account_parts: frozenset[str] = frozenset()
    hash_as_hex: bool = False
    default_role: str = ""
    role_right: str = ""
    renamed_rights: tuple[tuple[str, tuple[str, ...]], ...] = ()
    held_password: str | None = None
    password_age: str | None = None
    prepared: str | None = "XA RECOVER CONVERT XID"
    variables: str = "performance_schema.global_variables"
    gtid_sets: tuple[str, ...] = ("gtid_executed", "gtid_purged")


# What each release reserved in addition.
_WORDS_57 = frozenset(("generated", "optimizer_costs", "stored", "virtual"))
_WORDS_80 = _WORDS_57 | frozenset(
    (
        "cube cume_dist dense_rank empty except first_value function grouping groups json_table lag last_value lateral lead"
        " nth_value ntile of over percent_rank rank recursive row rows row_number system window"
    ).split()
)
_MODES_80 = frozenset(
    (
        "DB2 MAXDB MSSQL MYSQL323 MYSQL40 NO_AUTO_CREATE_USER NO_FIELD_OPTIONS NO_KEY_OPTIONS NO_TABLE_OPTIONS ORACLE POSTGRESQL"
    ).split()
)

_GRANTS = (
    ("mysql.db", "SELECT * FROM mysql.db"),
    ("mysql.tables_priv", "SELECT Host, Db, User, Table_name, Table_priv FROM mysql.tables_priv"),
    ("mysql.columns_priv", "SELECT Host, Db, User, Table_name, Column_name, Column_priv FROM mysql.columns_priv"),
    ("mysql.procs_priv", "SELECT Host, Db, User, Routine_name, Routine_type, Proc_priv FROM mysql.procs_priv"),
    ("mysql.proxies_priv", "SELECT Host, User, Proxied_host, Proxied_user FROM mysql.proxies_priv"),
)
_USERS = (("mysql.user", "SELECT *, HEX(authentication_string) AS stored_hex FROM mysql.user"), *_GRANTS)
_ROLES_80 = (
    ("mysql.global_grants", "SELECT USER, HOST, PRIV, WITH_GRANT_OPTION FROM mysql.global_grants"),
    ("mysql.role_edges", "SELECT FROM_USER, FROM_HOST, TO_USER, TO_HOST, WITH_ADMIN_OPTION FROM mysql.role_edges"),
    ("mysql.default_roles", "SELECT USER, HOST, DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST FROM mysql.default_roles"),
)
_MAPPING = (("mysql.roles_mapping", "SELECT Host, User, Role, Admin_option FROM mysql.roles_mapping"),)
_PARTS_57 = frozenset(("lifetime", "expired", "locked"))
_PASSWORD_AGE = (
    "SELECT TIMESTAMPDIFF(SECOND, password_last_changed, CURRENT_TIMESTAMP) AS age, {another} AS another FROM mysql.user WHERE User = %s"
)

# InnoDB's own bits for ON UPDATE CASCADE and ON UPDATE SET NULL.
_FOLLOWING = "FOR_NAME AS id FROM information_schema.{table} WHERE TYPE & 12"

_MYSQL = Dialect(
    dump_clients=(_FIRST, _BINARY_LOG_STATUS),
    worker_errors=True,
    limited_select="SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */",
    reserved_words=_WORDS_57,
    account_tables=_USERS,
    account_parts=_PARTS_57,
    constraint_names="ID AS id FROM information_schema.INNODB_SYS_FOREIGN",
    following=_FOLLOWING.format(table="INNODB_SYS_FOREIGN"),
    held_password="SELECT SHA2(CONCAT(%s, User_password), 256) FROM mysql.slave_master_info",
    password_age=_PASSWORD_AGE.format(another="0"),
)
_MYSQL_56 = replace(
    _MYSQL,
    prepared=None,
    variables="information_schema.GLOBAL_VARIABLES",
    worker_errors=False,
    password_age=None,
    # CREATE USER and DROP USER know no IF [NOT] EXISTS here, and ALTER USER knows next to nothing.
    grant_identified="IDENTIFIED BY PASSWORD %s",
    plugin_fixed=True,
    drop_account=("GRANT USAGE ON *.* TO %s@%s", "DROP USER %s@%s"),
    account_name=16,
    gtid_live=False,
    limited_select="SELECT",
    reserved_words=frozenset(),
    account_parts=frozenset(),
)
_MYSQL_80 = replace(
    _MYSQL,
    persistent=True,
    retention=(("binlog_expire_logs_seconds", 1), ("expire_logs_days", 86400)),
    tls_plugin="caching_sha2_password",
    variables_right="SYSTEM_VARIABLES_ADMIN",
    filters="FILTER_RULE AS filter FROM performance_schema.replication_applier_global_filters"
    " WHERE FILTER_NAME = 'REPLICATE_WILD_IGNORE_TABLE'",
    reserved_words=_WORDS_80 | {"persist", "persist_only"},
    removed_modes=_MODES_80,
    constraint_names=None,
    following=_FOLLOWING.format(table="INNODB_FOREIGN"),
    table_files="PATH AS path FROM information_schema.INNODB_DATAFILES",
    account_tables=_USERS + _ROLES_80,
    account_parts=_PARTS_57 | {"reuse"},
    default_role="SET DEFAULT ROLE {roles} TO {account}",
    role_right="ROLE_ADMIN",
)
_MYSQL_8014 = replace(
    _MYSQL_80, password_age=_PASSWORD_AGE.format(another="JSON_EXTRACT(User_attributes, '$.additional_password') IS NOT NULL")
)
_MYSQL_8016 = replace(_MYSQL_8014, reserved_words=_WORDS_80)
_MYSQL_8022 = replace(
    _MYSQL_8016,
    channels="SHOW REPLICA STATUS",
    attached="SHOW REPLICAS",
    # Each of these came in its own release between 8.0.13 and 8.0.21.
    account_parts=_PARTS_57 | {"reuse", "current", "second", "failures", "attribute"},
    hash_as_hex=True,
)
_MYSQL_8026 = replace(_MYSQL_8022, dump_coordinates="--source-data=2")
_MYSQL_8030 = replace(_MYSQL_8026, revoke=("REVOKE IF EXISTS", " IGNORE UNKNOWN USER"))
_MYSQL_8031 = replace(_MYSQL_8030, reserved_words=_WORDS_80 | {"intersect"})
_MYSQL_82 = replace(
    _MYSQL_8031,
    binlog_status="SHOW BINARY LOG STATUS",
    retention=(("binlog_expire_logs_seconds", 1),),
    dump_clients=(_FIRST, _LAST),
)
_MYSQL_84 = replace(
    _MYSQL_82,
    native_optional=True,
    dump_clients=(_BINARY_LOG_STATUS, _LAST),
    event_off="DISABLE ON REPLICA",
    # The last two were never meant to be, and are names again in 9.7.
    reserved_words=_MYSQL_82.reserved_words | {"qualify", "tablesample", "manual", "parallel"},
    strict_keys=True,
)
_MYSQL_90 = replace(_MYSQL_84, reserved_words=_MYSQL_84.reserved_words | {"external", "library"})
_MYSQL_97 = replace(_MYSQL_90, reserved_words=_MYSQL_90.reserved_words - {"manual", "parallel"})
_MARIADB = Dialect(
    prepared=None,
    variables="information_schema.GLOBAL_VARIABLES",
    gtid_sets=(),
    channels="SHOW ALL SLAVES STATUS",
    identified="IDENTIFIED VIA {plugin} USING %s",
    # 10.2 has no ALTER USER IF EXISTS, though its manual says so.
    grant_identified="IDENTIFIED VIA {plugin} USING %s",
    account_name=80,
    table_options=False,
    limited_select="SET STATEMENT max_statement_time={seconds} FOR SELECT",
    account_tables=_USERS + _MAPPING,
    default_role="SET DEFAULT ROLE {roles} FOR {account}",
)
_MARIADB_103 = replace(_MARIADB, reserved_words=frozenset(("except", "intersect")))
_MARIADB_104 = replace(
    _MARIADB_103,
    grant_identified="",
    accounts="SELECT User, Host, Priv AS document FROM mysql.global_priv WHERE User = %s",
    account_tables=(("mysql.global_priv", "SELECT User, Host, Priv AS document FROM mysql.global_priv"), *_GRANTS, *_MAPPING),
    account_parts=_PARTS_57,
    password_age="SELECT UNIX_TIMESTAMP() - JSON_VALUE(Priv, '$.password_last_changed') AS age, 0 AS another"
    " FROM mysql.global_priv WHERE User = %s",
)
_MARIADB_105 = replace(
    _MARIADB_104,
    prepared="XA RECOVER FORMAT='SQL'",
    variables_right="BINLOG ADMIN",
    monitor_privileges=("BINLOG MONITOR", "REPLICATION CLIENT"),
    channel_privileges=("SLAVE MONITOR", "REPLICA MONITOR"),
    renamed_rights=(("REPLICATION CLIENT", ("BINLOG MONITOR", "SLAVE MONITOR")),),
)
_MARIADB_106 = replace(
    _MARIADB_105,
    retention=(("binlog_expire_logs_seconds", 1), ("expire_logs_days", 86400)),
    reserved_words=_MARIADB_105.reserved_words | {"offset"},
    table_files="FILENAME AS path FROM information_schema.INNODB_SYS_TABLESPACES",
)
# Collations of Unicode 14 have no character set in their names, but tables that use them do.
_MARIADB_1010 = replace(
    _MARIADB_106,
    reserved_words=_MARIADB_106.reserved_words | {"row_number"},
    collations=("FULL_COLLATION_NAME", "COLLATION_CHARACTER_SET_APPLICABILITY"),
)

# Highest first; the first whose version is not above the server's is the server's.
_TABLE: dict[str, tuple[tuple[Version, Dialect], ...]] = {
    MYSQL: (
        ((9, 7, 0), _MYSQL_97),
        ((9, 0, 0), _MYSQL_90),
        ((8, 4, 0), _MYSQL_84),
        ((8, 2, 0), _MYSQL_82),
        ((8, 0, 31), _MYSQL_8031),
        ((8, 0, 30), _MYSQL_8030),
        ((8, 0, 26), _MYSQL_8026),
        ((8, 0, 22), _MYSQL_8022),
        ((8, 0, 16), _MYSQL_8016),
        ((8, 0, 14), _MYSQL_8014),
        ((8, 0, 1), _MYSQL_80),
        ((5, 7, 0), _MYSQL),
        ((0, 0, 0), _MYSQL_56),
    ),
    MARIADB: (
        ((10, 10, 1), _MARIADB_1010),
        ((10, 6, 1), _MARIADB_106),
        ((10, 5, 2), _MARIADB_105),
        ((10, 4, 0), _MARIADB_104),
        ((10, 3, 0), _MARIADB_103),
        ((0, 0, 0), _MARIADB),
    ),
}


def dialect_for(flavour: str, version: Version) -> Dialect:
    """Return the dialect of a server."""
    return next(dialect for since, dialect in _TABLE[flavour] if version >= since)


def parse_version(text: str, comment: str = "") -> tuple[str, Version]:
    """Tell flavour and version from VERSION() and @@version_comment.

    Knows the ``5.5.5-`` that old MariaDB puts in front for old clients, and words in the tail such as ``-azure``,
    ``-log`` or ``mysql_aurora``, which break the usual version parsers.
    """
    flavour = MARIADB if "mariadb" in (text + comment).lower() else MYSQL
    if flavour == MARIADB and text.startswith("5.5.5-"):
        text = text[len("5.5.5-"):]
    numbers: list[int] = []
    for part in text.split("-")[0].split("."):
        if not part.isdigit() or len(numbers) == 3:
            break
        numbers.append(int(part))
    padded = numbers + [0, 0, 0]
    return flavour, (padded[0], padded[1], padded[2])
