# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about how tables are kept on the source, where the replica refuses to make the same."""

from __future__ import annotations

from ._facts import ENCRYPTED, FILE, LONG_NAME, PREFIX, REFERENCE, Facts, Named
from ._rule import LIMITATIONS, MANUAL, WARNING, Outcome, Rule, check, named, not_applicable, passed


def _refused(facts: Facts, found: dict[str, object]) -> Outcome:
    """Fail with the tables; where nothing is loaded, a later statement about them may still be refused."""
    return check(not found["count"], None if found["count"] else "none", severity=WARNING if facts.why_nothing_is_loaded else None, **found)


def _files(facts: Facts) -> Outcome:
    group = facts.source.refused.get(FILE, Named(0))
    return _refused(facts, {"objects": tuple(path for _schema, path in group.first), "count": group.count})


def _partitions(facts: Facts) -> Outcome:
    return _refused(facts, named([facts.source.refused.get(PREFIX, Named(0))]))


def _references(facts: Facts) -> Outcome:
    name = "restrict_fk_on_non_standard_key"
    if not facts.replica.on(name):
        return passed(f"{name} = {facts.replica.value(name, 'not there')}")
    return _refused(facts, named([facts.source.refused.get(REFERENCE, Named(0))]))


def _long_names(facts: Facts) -> Outcome:
    return _refused(facts, named([facts.source.refused.get(LONG_NAME, Named(0))]))


def _encrypted(facts: Facts) -> Outcome:
    if not facts.source.dialect.table_options:
        return not_applicable("this flavour would open every table to tell")
    found = [group.tables for group in facts.source.tables if ENCRYPTED in group.traits]
    return check(not found, "ENCRYPTION = 'Y'" if found else "none", **named(found))


RULES: tuple[Rule, ...] = (
    Rule(
        "schema.tablespaces",
        "source",
        "Every table has a file of its own in its schema's folder",
        LIMITATIONS,
        _files,
        needs=("source.refused", "replica.channels"),
        required="no general tablespace and no DATA DIRECTORY: the replica has neither (3510, 3121)",
        remedy="ALTER TABLE <table> TABLESPACE = innodb_file_per_table; make a table with a DATA DIRECTORY again without it",
    ),
    Rule(
        "schema.partition_prefix",
        "pair",
        "No table is partitioned by the beginning of a column where the replica refuses that",
        MANUAL,
        _partitions,
        needs=("source.refused", "replica.channels"),
        required="PARTITION BY KEY of whole columns (6123)",
        remedy="ALTER TABLE <table> PARTITION BY KEY (<whole columns>);",
    ),
    Rule(
        "schema.foreign_keys",
        "pair",
        "Foreign keys refer to unique keys where the replica asks for that",
        MANUAL,
        _references,
        needs=("source.refused", "replica.channels"),
        required="a unique key on what is referred to, or restrict_fk_on_non_standard_key = OFF on the replica (6125)",
        remedy="ALTER TABLE <referenced table> ADD UNIQUE KEY (<columns>);",
    ),
    Rule(
        "schema.long_names",
        "pair",
        "No foreign key has a name that is too long to be loaded",
        MANUAL,
        _long_names,
        needs=("source.refused", "replica.channels"),
        required="at most 64 characters (1059): up to 5.7 a name that the server gave grows when its table gets a longer one",
        remedy="ALTER TABLE <table> DROP FOREIGN KEY <name>, ADD CONSTRAINT <shorter name> FOREIGN KEY (<columns>) REFERENCES <table> (<columns>);",
    ),
    Rule(
        "schema.encrypted",
        "source",
        "No table asks for its own encryption",
        LIMITATIONS,
        _encrypted,
        WARNING,
        needs=("source.tables",),
        required="ENCRYPTION = 'N': without a keyring on the replica the load fails with 3185, and the service encrypts its storage as a whole",
        remedy="ALTER TABLE <table> ENCRYPTION = 'N'; or load it yourself without that option, with datain_seed: external",
    ),
)
