# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/rules.md from the rules themselves: rules.py [--check].

With --check nothing is written; a page that is not what would be written is a failure.
"""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "rules.md"

# What the vendor's five pages, and the catalogue that other tools' checks were merged into, demand, limit or recommend: by page,
# each sentence in short, and the rules that look at it. A sentence without a rule says why.
SENTENCES: dict[str, tuple[tuple[str, tuple[str, ...] | str], ...]] = {
    "All pages": (
        (
            "The schema mysql, accounts and permissions are not replicated",
            ("schema.system", "replica.filter", "accounts.missing", "schema.definers", "schema.in_mysql"),
        ),
    ),
    "MySQL Data Sync (2017)": (
        ("Not for disaster recovery, read scale, ETL", ("advice.use",)),
        ("At most 5 replicas of one source", ("source.replica_count",)),
        ("The same version on both sides", ("version.pair",)),
        ("Each table has a primary key", ("schema.no_primary_key",)),
        ("The value of a primary key is not changed", ("advice.primary_key_values",)),
    ),
    "Data-in Replication, preview (2018)": (
        ("The same version on both sides", ("version.pair",)),
        ("Each table has a primary key", ("schema.no_primary_key",)),
    ),
    "Single Server": (
        ("Replication by file and position; GTIDs are not supported (later: 5.7 and 8.0 with storage up to 16 TB)", ("gtid.offered",)),
        ("The source is at least MySQL 5.6", ("version.supported",)),
        ("The same version on both sides", ("version.pair", "version.direction")),
        ("Each table has a primary key", ("schema.no_primary_key",)),
        ("The source should use InnoDB", ("schema.engines", "schema.memory_tables", "variables.default_storage_engine")),
        ("Rights to configure the binary log and to create users", ("rights.source_settings", "rights.source_accounts")),
        ("General Purpose and Memory Optimized only", ("azure.tier", "replica.procedures")),
    ),
    "MariaDB server": (
        ("The source is at least MariaDB 10.2", ("version.supported",)),
        ("The same version on both sides", ("version.pair", "version.direction")),
        ("Each table has a primary key", ("schema.no_primary_key",)),
        ("The source should use InnoDB", ("schema.engines", "schema.memory_tables", "variables.default_storage_engine")),
        ("Rights to configure the binary log and to create users", ("rights.source_settings", "rights.source_accounts")),
        ("If the source has TLS, its CA goes into the procedure", ("link.without_tls", "link.tls_demanded", "link.ca", "link.ca_matches")),
        ("The source's address is in the firewall rules", ("network.firewall",)),
        ("Port 3306 is open both ways", ("network.port", "network.listens", "link.reachable_from_replica")),
        ("A public address, public DNS, or a full name", ("network.link_address",)),
        ("General Purpose and Memory Optimized only", ("azure.tier", "replica.procedures")),
        ("sync_master_info and sync_relay_log_info are 1 without GTIDs", ("replica.sync_info",)),
    ),
    "Flexible Server": (
        ("GTIDs and high availability: by position without, by GTID with it", ("azure.high_availability", "replica.procedures")),
        (
            "The filter replicate_wild_ignore_table is the platform's",
            ("replica.filter", "replica.filter_schemas", "replica.unfiltered_schemas", "azure.filter"),
        ),
        ("The source is at least MySQL 5.7", ("version.supported",)),
        ("The same version on both sides is recommended", ("version.pair", "version.jump", "version.direction")),
        ("A primary key in each table is recommended", ("schema.no_primary_key",)),
        ("The source should use InnoDB", ("schema.engines", "schema.memory_tables", "variables.default_storage_engine")),
        ("Rights to configure the binary log and to create users", ("rights.source_settings", "rights.source_accounts")),
        ("If the source has TLS, its CA goes into the procedure", ("link.without_tls", "link.tls_demanded", "link.ca", "link.ca_matches")),
        ("Port 3306 is open both ways", ("network.port", "network.listens", "link.reachable_from_replica")),
        ("A public address, public DNS, or a full name; with private access one that resolves there", ("network.link_address", "azure.private_access")),
        ("The log is not purged before it is applied", ("binlog.retention", "binlog.retention_for_seed", "binlog.position_kept")),
        (
            "Invisible primary keys are made by default: 1068, 1075, 4109",
            ("schema.generated_invisible_primary_key", "schema.no_invisible_key", "schema.primary_key_required"),
        ),
        ("GTIDs are reset by the control plane, not with geo-redundant backup", ("azure.geo_backup",)),
    ),
    "What other tools check": (
        (
            "The log: on, format, image, JSON, checksum, compression, encryption, size",
            (
                "binlog.enabled",
                "binlog.format",
                "binlog.row_image",
                "binlog.row_value_options",
                "binlog.checksum",
                "binlog.compression",
                "binlog.encryption",
                "binlog.size_limit",
            ),
        ),
        ("Filters, and coordinates that are there", ("binlog.filters", "binlog.coordinates_present")),
        (
            "Identities over the whole fan-out",
            ("server_id.zero", "server_id.duplicate", "server_id.fan_out", "server_id.upstream", "uuid.duplicate", "uuid.fan_out"),
        ),
        ("A source that is a replica, or read-only", ("source.is_replica", "source.chain_runs", "source.chain_lag", "source.commit_order", "source.read_only")),
        ("GTIDs: modes, gaps, errant ones", ("gtid.modes", "gtid.mode", "gtid.consistency", "gtid.purged_gap", "gtid.errant", "gtid.own_events")),
        (
            "Variables that should be alike, clocks, time zones",
            (
                "variables.lower_case_table_names",
                "variables.sql_mode",
                "variables.time_zone",
                "variables.time_zone_tables",
                "variables.clock",
                "variables.max_allowed_packet",
                "variables.innodb_page_size",
                "variables.log_bin_trust_function_creators",
            ),
        ),
        ("Collations and character sets", ("schema.collations", "schema.column_collations", "schema.default_collations")),
        ("Row format, row size, partitions", ("schema.compressed", "schema.row_size", "schema.no_invisible_key", "schema.partition_prefix")),
        ("Tablespaces and data directories, encrypted tables", ("schema.tablespaces", "schema.encrypted")),
        ("Foreign keys that a newer version refuses", ("schema.foreign_keys", "schema.long_names")),
        ("Reserved words, modes and plugins of the newer version", ("schema.reserved_words", "schema.sql_modes", "accounts.plugins")),
        ("Events, triggers, definers", ("schema.events", "replica.events", "schema.triggers", "schema.definers")),
        ("What only MariaDB has, and a dump leaves out", ("schema.mariadb_only", "schema.history")),
        ("Data on the replica, another source", ("replica.not_empty", "replica.channels")),
        (
            "The replication account: password, plugin, TLS",
            (
                "link.password_length",
                "link.password_alphabet",
                "link.plugin",
                "link.plugin_needs_tls",
                "link.tls_demanded",
            ),
        ),
        (
            "TLS: versions, ciphers, chain, name, end",
            ("link.tls_offered", "link.tls_version", "link.tls_cipher", "link.ca_matches", "link.ca_name", "link.ca_ends", "link.certificate_ends"),
        ),
        ("What runs for long, or is prepared, while a dump is made", ("source.long_statements", "source.prepared_xa")),
        ("Lag, with a receiver that stands still", ("link.received", "source.chain_lag")),
        ("Logs that record secrets", ("secrets.server_logs",)),
        ("Metadata in the log (binlog_row_metadata), bytes a minute", "no requirement follows from either; the seed watches the log while it copies"),
        ("local_infile on the replica", "no seed of ours uses LOAD DATA"),
        ("Dates of zero, old temporal columns", "a dump switches the mode off for its session and writes columns anew"),
        ("More partitions than a table may have", "the limit, 8192, is the same on all of these versions, so no source has a table beyond it"),
        ("partial_revokes of the logins; those of other accounts are account_sync's", ("rights.source_dump", "rights.replica_load")),
        ("The replication account exists with its rights", "the source's play makes it, and reports what is in its way"),
        ("Versions of the dump clients", "the seed refuses those that do not fit, where they run"),
    ),
}

HEAD = """<!--
SPDX-FileCopyrightText: The datain.azure_mysql contributors
SPDX-License-Identifier: GPL-3.0-or-later

Written by tests/tools/rules.py from the rules; change them, then run it.
-->
# Every prerequisite

What `datain.azure_mysql.preflight` looks at, and what `onboard` judges before it makes anything. Each rule gives exactly one
finding: `passed`, `failed`, `waived`, `not_applicable` or `unknown`. A failed one blocks from the severity on that `fail_on`
names; the severity is the service's, as its page has it. What cannot be read is `unknown` and never passed; it blocks only where
nobody could tell otherwise whether data would be overwritten (marked *must be known*).

A finding is accepted for a time by a waiver: `datain_waivers: [{rule: …, reason: …, until: 2030-12-31}]`. It shows in every
report, and its finding blocks again when it has ended.
"""


def severities(rule, services) -> str:
    """The severity, and the services where it is another."""
    by_service = {name: rule.severity_for(service) for name, service in services.items()}
    usual = max(by_service.values(), key=list(by_service.values()).count)
    others = [f"{severity} on `{name}`" for name, severity in by_service.items() if severity != usual]
    return "; ".join([usual, *others])


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def remedy(rule) -> str:
    """The remedy with its words left open; where it depends on the servers, the finding has it."""
    if not rule.remedy:
        return "the command in the finding"
    names = {name for _text, name, _spec, _conversion in string.Formatter().parse(rule.remedy) if name}
    return rule.remedy.format(**{name: f"<{name}>" for name in names})


def page(rules, services) -> str:
    """Return the page."""
    parts = [HEAD]
    groups: dict[str, list] = {}
    for rule in rules:
        groups.setdefault(rule.id.split(".")[0], []).append(rule)
    parts.append(f"{len(rules)} rules.\n")
    for name, members in groups.items():
        parts.append(f"\n## {name}\n\n| rule | what is true where it is kept | severity | where it comes from | what mends it |\n|---|---|---|---|---|\n")
        for rule in members:
            title = cell(rule.title) + (f" ({cell(rule.required)})" if rule.required else "") + (" *must be known*" if rule.must_know else "")
            document = rule.document.format(service="The service's own page")
            mends = cell(remedy(rule)).replace("<", "\\<")
            parts.append(f"| `{rule.id}` | {title} | {severities(rule, services)} | {document} | {mends} |\n")
    parts.append("\n## From sentence to rule\n\nThe page of each service, sentence by sentence, then what other tools check.\n")
    for document, sentences in SENTENCES.items():
        parts.append(f"\n### {document}\n\n| sentence | rules |\n|---|---|\n")
        parts += [f"| {cell(text)} | {cell(found) if isinstance(found, str) else ', '.join(f'`{name}`' for name in found)} |\n" for text, found in sentences]
    return "".join(parts)


def problems() -> Iterator[str]:
    """What is wrong with the page or the table of sentences."""
    rules, services = catalogue()
    known = {rule.id for rule in rules}
    named = [name for sentences in SENTENCES.values() for _text, found in sentences if not isinstance(found, str) for name in found]
    for name in sorted(set(named) - known):
        yield f"the table of sentences names {name}, which is no rule"
    if not PAGE.is_file() or PAGE.read_text() != page(rules, services):
        yield "docs/rules.md is not what the rules say: run python3 tests/tools/rules.py"


def catalogue():
    """The rules and the services of this tree, which the development shell makes importable."""
    sys.path.insert(0, os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":")[0])
    from ansible_collections.datain.azure_mysql.plugins.module_utils._prerequisites import RULES
    from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES

    return RULES, SERVICES


def main(words: list[str]) -> int:
    if words == ["--check"]:
        found = list(problems())
        print("\n".join(found))
        return int(bool(found))
    PAGE.write_text(page(*catalogue()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
