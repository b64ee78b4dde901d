# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about how tables are kept on the source, where the replica refuses to make the same."""

from __future__ import annotations

from ._facts import FILE, PREFIX, REFERENCE, Facts, Named
from ._rule import LIMITATIONS, MANUAL, WARNING, Outcome, Rule, check, named, passed


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
)
