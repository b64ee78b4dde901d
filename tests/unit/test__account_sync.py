# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about accounts, and in which statements: no server is needed for that."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._account_sync import Surroundings, findings, refusal
from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for
from ansible_collections.datain.azure_mysql.plugins.module_utils._services import SERVICES
from ansible_collections.datain.azure_mysql.plugins.module_utils._sync_plan import compare, matched, plan_accounts, select
from ansible_collections.datain.azure_mysql.plugins.module_utils._sync_statements import statements
from ansible_collections.datain.azure_mysql.plugins.module_utils._sync_translate import Target, translate
from ansible_collections.datain.azure_mysql.plugins.module_utils._sync_values import (
    GLOBAL,
    NO_HOST,
    ROLE_OPTIONS,
    SCHEMA,
    TABLE,
    Account,
    Right,
    Scope,
    as_pattern,
    literal_schema,
)

NATIVE = "mysql_native_password"
HASH, OTHER = "2A41", "2A42"
OFFERED = frozenset({"SELECT", "INSERT", "UPDATE", "CREATE", "EXECUTE", "GRANT OPTION", "ROLE_ADMIN", "XA_RECOVER_ADMIN"})
MYSQL = Target(dialect_for("mysql", (8, 0, 33)), SERVICES["mysql_flexible_server"], frozenset({NATIVE, "caching_sha2_password"}), OFFERED, {})
MARIADB = Target(dialect_for("mariadb", (10, 11, 0)), SERVICES["mariadb_server"], frozenset({NATIVE}), OFFERED | {"BINLOG MONITOR", "SLAVE MONITOR"}, {})
OLD_MARIADB = replace(MARIADB, dialect=dialect_for("mariadb", (10, 2, 11)))
SHOP = Scope(SCHEMA, "shop")


def account(name: str = "app", host: str = "%", **other: t.Any) -> Account:
    return Account(name, host, options={"login": ((NATIVE, HASH),), **other.pop("options", {})}, **other)


def rights(*names: str) -> frozenset[Right]:
    return frozenset(map(Right, names))


def by_key(*accounts: Account) -> dict[tuple[str, str], Account]:
    return {one.key: one for one in accounts}


def written(change: t.Any, target: Target = MYSQL) -> list[list[str]]:
    return [[one.text for one in part] for part in statements(change, target)]


@pytest.mark.parametrize(
    ("patterns", "key", "meant"),
    [
        (["*"], ("app", "%"), True),
        (["shop_*"], ("shop_web", "10.%"), True),
        (["shop_*@10.%"], ("shop_web", "%"), False),
        (["app@LOCALHOST"], ("app", "localhost"), True),
        (["a@b@*"], ("a@b", "%"), True),
        (["*", "!app@10.*"], ("app", "10.1.%"), False),
        (["!app"], ("other", "%"), False),
        (["App"], ("app", "%"), False),
        (["[*]"], ("*", "%"), True),
        (["*@*"], ("", "localhost"), True),
        (["reader"], ("reader", ""), True),
    ],
)
def test_who_is_meant(patterns: list[str], key: tuple[str, str], meant: bool) -> None:
    assert matched(patterns, key) is meant


def test_roles_come_with_who_has_them_and_before_them() -> None:
    accounts = by_key(
        account("app", roles={("a", "%"): False}), account("a", roles={("b", "%"): False}), account("b"), account("root"), account("dba"), account("mysql.sys")
    )
    assert select(accounts, ["app", "root", "dba", "mysql*"], {"dba"}) == [("b", "%"), ("a", "%"), ("app", "%")]


@pytest.mark.parametrize("name", ["shop", "my_db", "100%", "back\\slash", "a\\_b", ""])
def test_a_schema_and_its_pattern(name: str) -> None:
    assert literal_schema(as_pattern(name)) == name


def test_wildcards_are_not_literal() -> None:
    assert literal_schema("my_db") is None and literal_schema("my\\_db") == "my_db"


def test_what_is_not_offered_is_noted_and_not_given() -> None:
    given = account(grants={GLOBAL: rights("SELECT", "SUPER", "DELETE"), SHOP: rights("INSERT", "DROP")})
    found, notes = translate(given, MYSQL)
    assert found and found.grants == {GLOBAL: rights("SELECT"), SHOP: rights("INSERT")}
    assert {(note.what, note.why) for note in notes} == {
        ("SUPER ON *.*", "the service gives it to nobody"),
        ("DELETE ON *.*", "our own login may not pass it on"),
        ("DROP ON `shop`.*", "our own login may not pass it on"),
    }


def test_a_login_without_grant_option_can_pass_nothing_on() -> None:
    found, notes = translate(account(grants={SHOP: rights("SELECT")}), replace(MYSQL, rights=frozenset()))
    assert found and not found.grants and len(notes) == 1


def test_nobody_writes_to_the_schema_of_the_accounts() -> None:
    found, notes = translate(account(grants={Scope(SCHEMA, "mysql"): rights("SELECT", "UPDATE"), Scope(TABLE, "mysql", "user"): rights("INSERT")}), MARIADB)
    assert found and found.grants == {Scope(SCHEMA, "mysql"): rights("SELECT")}
    assert len(notes) == 2


def test_rights_have_other_names_in_newer_versions() -> None:
    given = account(grants={GLOBAL: rights("REPLICATION CLIENT")})
    found, notes = translate(given, MARIADB)
    assert found and found.grants[GLOBAL] == rights("BINLOG MONITOR", "SLAVE MONITOR") and not notes


@pytest.mark.parametrize(
    ("given", "target", "what"),
    [
        (account(options={"login": (("unix_socket", ""),)}), MARIADB, "login"),
        (account(options={"login": (("ed25519", "41"),)}), MARIADB, "login"),
        (account(options={"login": (("caching_sha2_password", "24FF"),)}), replace(MYSQL, dialect=dialect_for("mysql", (8, 0, 15))), "login"),
        (account(options={"locked": True}), OLD_MARIADB, "locked"),
        (account(options={"expired": True}), OLD_MARIADB, "expired"),
        (account("x" * 33), MYSQL, "name"),
        (account(second_factor=True), MYSQL, "second factor"),
        (Account("r", "%", True, ROLE_OPTIONS), replace(MYSQL, dialect=dialect_for("mysql", (5, 7, 30))), "role"),
    ],
)
def test_an_account_that_would_be_more_open_is_not_carried(given: Account, target: Target, what: str) -> None:
    found, notes = translate(given, target)
    assert found is None and [(note.rule, note.what) for note in notes] == [("accounts.account", what)]


def test_one_way_to_log_in_of_several() -> None:
    found, notes = translate(account(options={"login": (("unix_socket", ""), (NATIVE, HASH))}), MARIADB)
    assert found and found.options["login"] == ((NATIVE, HASH),)
    assert [note.rule for note in notes] == ["accounts.login"]
    ed = replace(MARIADB, plugins=frozenset({NATIVE, "ed25519"}))
    found, notes = translate(account(options={"login": (("ed25519", "41"), (NATIVE, HASH))}), ed)
    assert (
        found
        and not notes
        and written(compare(None, found, ed)[0], ed)[1][0] == (f"CREATE USER %s@%s IDENTIFIED VIA ed25519 USING %s OR {NATIVE} USING %s ACCOUNT LOCK")
    )


def test_patterns_where_there_are_none() -> None:
    target = replace(MYSQL, literal=True, schemas=("shop_a", "shopza", "other"))
    found, notes = translate(account(grants={Scope(SCHEMA, "shop\\_%"): rights("SELECT"), Scope(SCHEMA, "x\\_y"): rights("SELECT")}), target)
    assert found and set(found.grants) == {Scope(SCHEMA, "shop\\_a"), Scope(SCHEMA, "x\\_y")}
    assert [note.rule for note in notes] == ["accounts.pattern"]
    texts = written(compare(None, found, target)[0], target)[1]
    assert "GRANT SELECT ON `shop_a`.* TO %s@%s" in texts and "GRANT SELECT ON `x_y`.* TO %s@%s" in texts


def test_a_restriction_that_cannot_be_said_takes_the_right() -> None:
    given = account(grants={GLOBAL: rights("SELECT", "INSERT")}, restrictions={"pay": frozenset({"SELECT"})})
    found, notes = translate(given, MYSQL)
    assert found and found.grants[GLOBAL] == rights("INSERT") and not found.restrictions
    assert len(notes) == 1
    found, notes = translate(given, replace(MYSQL, literal=True, restrictions={"mysql": frozenset({"INSERT", "DROP"})}))
    assert found and found.restrictions == {"pay": frozenset({"SELECT"}), "mysql": frozenset({"INSERT"})} and not notes


def test_what_is_missing_is_left_out_by_itself() -> None:
    scope = Scope(TABLE, "shop", "item")
    given = account(grants={scope: rights("INSERT") | {Right("SELECT", "id"), Right("SELECT", "gone")}})
    found, notes = translate(given, replace(MYSQL, missing=frozenset({(scope, "gone")})))
    assert found and found.grants[scope] == rights("INSERT") | {Right("SELECT", "id")} and len(notes) == 1
    found, notes = translate(given, replace(MYSQL, missing=frozenset({(scope, "")})))
    assert found and not found.grants and len(notes) == 1
    found, _notes = translate(account(grants={scope: rights("CREATE", "SELECT")}), replace(MYSQL, missing=frozenset({(scope, "")})))
    assert found and found.grants, "with CREATE a grant may go before its table"


def test_what_is_right_needs_nothing() -> None:
    same = account(grants={SHOP: rights("SELECT")}, roles={("r", "%"): True})
    assert compare(same, same, MYSQL) == (None, [])


def test_a_new_account_is_locked_until_it_is_complete() -> None:
    desired = account(options={"tls": ("ANY", "", "", "")}, grants={SHOP: rights("SELECT", "GRANT OPTION"), GLOBAL: frozenset({Right("XA_RECOVER_ADMIN")})})
    change, _notes = compare(None, desired, MYSQL)
    assert written(change) == [
        [],
        [
            f"CREATE USER %s@%s IDENTIFIED WITH {NATIVE} AS 0x{HASH} REQUIRE SSL ACCOUNT LOCK",
            "GRANT XA_RECOVER_ADMIN ON *.* TO %s@%s",
            "GRANT SELECT ON `shop`.* TO %s@%s WITH GRANT OPTION",
            "ALTER USER %s@%s ACCOUNT UNLOCK",
        ],
    ]
    # Where there are no locks, all that holds people off comes with the account itself.
    change, _notes = compare(None, account(options={"tls": ("ANY", "", "", "")}, grants={SHOP: rights("SELECT")}), OLD_MARIADB)
    assert written(change, OLD_MARIADB)[1] == [
        f"CREATE USER %s@%s IDENTIFIED VIA {NATIVE} USING %s REQUIRE SSL",
        "GRANT SELECT ON `shop`.* TO %s@%s",
    ]


def test_taking_comes_before_giving() -> None:
    now = account(grants={SHOP: rights("SELECT", "GRANT OPTION"), GLOBAL: frozenset({Right("XA_RECOVER_ADMIN", grantable=True)})}, roles={("r", "%"): True})
    desired = account(options={"login": ((NATIVE, OTHER),)}, grants={SHOP: rights("INSERT")}, roles={("r", "%"): False})
    change, _notes = compare(now, desired, MYSQL)
    assert written(change) == [
        [
            "REVOKE %s@%s FROM %s@%s",
            "REVOKE XA_RECOVER_ADMIN ON *.* FROM %s@%s",
            "REVOKE GRANT OPTION, SELECT ON `shop`.* FROM %s@%s",
            f"ALTER USER %s@%s IDENTIFIED WITH {NATIVE} AS 0x{OTHER}",
        ],
        ["GRANT INSERT ON `shop`.* TO %s@%s", "GRANT %s@%s TO %s@%s"],
    ]


def test_an_account_that_has_to_lose_something_is_locked_before_its_door_opens_wider() -> None:
    now = account(options={"tls": ("ANY", "", "", "")}, grants={SHOP: rights("SELECT", "INSERT")})
    change, _notes = compare(now, account(grants={SHOP: rights("SELECT")}), MYSQL)
    assert written(change) == [
        ["ALTER USER %s@%s ACCOUNT LOCK", "REVOKE INSERT ON `shop`.* FROM %s@%s", "ALTER USER %s@%s REQUIRE NONE"],
        ["ALTER USER %s@%s ACCOUNT UNLOCK"],
    ]
    # One that only demands more is not locked out for it.
    change, _notes = compare(account(grants={SHOP: rights("SELECT", "INSERT")}), account(options=now.options, grants={SHOP: rights("SELECT")}), MYSQL)
    assert written(change) == [["REVOKE INSERT ON `shop`.* FROM %s@%s", "ALTER USER %s@%s REQUIRE SSL"], []]


def test_a_new_password_that_has_expired_lets_nobody_in_before_it_has() -> None:
    change, _notes = compare(account(), account(options={"login": ((NATIVE, OTHER),), "expired": True}), MYSQL)
    assert written(change) == [
        ["ALTER USER %s@%s ACCOUNT LOCK", f"ALTER USER %s@%s IDENTIFIED WITH {NATIVE} AS 0x{OTHER}", "ALTER USER %s@%s PASSWORD EXPIRE"],
        ["ALTER USER %s@%s ACCOUNT UNLOCK"],
    ]


def test_with_a_right_on_a_table_goes_the_same_on_its_columns() -> None:
    scope = Scope(TABLE, "shop", "item")
    both = rights("SELECT", "INSERT") | {Right("SELECT", "id"), Right("INSERT", "id")}
    change, _notes = compare(account(grants={scope: both}), account(grants={scope: rights("INSERT") | {Right("SELECT", "id"), Right("INSERT", "id")}}), MYSQL)
    assert written(change) == [
        ["REVOKE SELECT ON `shop`.`item` FROM %s@%s"],
        ["GRANT SELECT (`id`) ON `shop`.`item` TO %s@%s"],
    ]


def test_a_grant_option_is_restricted_by_itself() -> None:
    target = replace(MYSQL, literal=True)
    given = {GLOBAL: rights("INSERT", "GRANT OPTION")}
    held = account(grants=given, restrictions={"q": frozenset({"INSERT", "GRANT OPTION"})})
    change, _notes = compare(account(grants=given), held, target)
    assert written(change, target)[1][:-1] == ["REVOKE INSERT ON `q`.* FROM %s@%s", "REVOKE GRANT OPTION ON `q`.* FROM %s@%s"]
    change, _notes = compare(held, account(grants=given), target)
    assert written(change, target)[1] == ["GRANT INSERT ON `q`.* TO %s@%s", "GRANT USAGE ON `q`.* TO %s@%s WITH GRANT OPTION"]


def test_what_is_described_becomes_exactly_what_it_should() -> None:
    before, now = '{"a": {"x": 1, "z": [1]}, "b": 1}', '{"a": {"y": 2, "z": {"q": 1}}}'
    change, _notes = compare(account(options={"attribute": before}), account(options={"attribute": now}), MYSQL)
    (statement,) = statements(change, MYSQL)[0]
    assert json.loads(statement.values[-1]) == {"a": {"x": None, "y": 2, "z": {"q": 1}}, "b": None}


def test_an_empty_host_is_a_host_on_mysql() -> None:
    change, _notes = compare(None, account(host="", grants={SHOP: rights("SELECT")}), MYSQL)
    assert written(change)[1] == [
        f"CREATE USER %s@%s IDENTIFIED WITH {NATIVE} AS 0x{HASH} ACCOUNT LOCK",
        "GRANT SELECT ON `shop`.* TO %s@%s",
        "ALTER USER %s@%s ACCOUNT UNLOCK",
    ]
    removed = plan_accounts({}, by_key(account(host="")), MYSQL, patterns=["*"], remove=True).changes[0]
    assert written(removed)[0] == ["DROP USER %s@%s"] and removed.account.label == "'app'@''"


@pytest.mark.parametrize(
    ("patterns", "given"),
    [
        # The narrowest alone counts.
        ({"shop%": ("ALL", "SELECT"), "shop\\_x": ("SELECT",)}, {"shopq": ("ALL", "SELECT"), "shop_x": ("SELECT",)}),
        ({"shop%": ("INSERT",), "shop_x": ("SELECT",)}, {"shopq": ("INSERT",)}),
        ({"%": ("SELECT",), "s%": ("INSERT",)}, {"shopq": ("INSERT",), "shop_x": ("INSERT",), "performance_schema": ("SELECT",)}),
        # Nothing is given on what the server makes of itself, and upper case is not lower case.
        ({"%": ("DELETE",)}, {"shopq": ("DELETE",), "shop_x": ("DELETE",)}),
        ({"Shop%": ("SELECT",)}, {}),
    ],
)
def test_of_patterns_that_overlap_the_narrowest_counts(patterns: dict[str, tuple[str, ...]], given: dict[str, tuple[str, ...]]) -> None:
    schemas = ("information_schema", "performance_schema", "shop_x", "shopq")
    target = replace(MYSQL, literal=True, schemas=schemas, rights=MYSQL.rights | {"ALL", "SELECT", "INSERT", "DELETE"})
    found, _notes = translate(account(grants={Scope(SCHEMA, pattern): rights(*names) for pattern, names in patterns.items()}), target)
    assert {scope.schema.replace("\\_", "_"): set(map(str, had)) for scope, had in found.grants.items()} == {name: set(had) for name, had in given.items()}


def test_a_right_that_gets_a_restriction_comes_to_a_locked_account() -> None:
    target = replace(MYSQL, literal=True)
    desired = account(grants={GLOBAL: rights("SELECT")}, restrictions={"pay_x": frozenset({"SELECT"})})
    change, _notes = compare(account(), desired, target)
    assert written(change, target) == [
        ["ALTER USER %s@%s ACCOUNT LOCK"],
        ["GRANT SELECT ON *.* TO %s@%s", "REVOKE SELECT ON `pay_x`.* FROM %s@%s", "ALTER USER %s@%s ACCOUNT UNLOCK"],
    ]


def test_a_password_in_force_again_is_set_again() -> None:
    change, _notes = compare(account(options={"expired": True}), account(), MYSQL)
    assert written(change)[0] == [f"ALTER USER %s@%s IDENTIFIED WITH {NATIVE} AS 0x{HASH}"]


def test_both_passwords_without_either() -> None:
    change, _notes = compare(None, account(options={"second": OTHER}), MYSQL)
    assert written(change)[1] == [
        f"CREATE USER %s@%s IDENTIFIED WITH {NATIVE} AS 0x{OTHER} ACCOUNT LOCK",
        f"ALTER USER %s@%s IDENTIFIED WITH {NATIVE} AS 0x{HASH} RETAIN CURRENT PASSWORD",
        "ALTER USER %s@%s ACCOUNT UNLOCK",
    ]


def test_a_percent_sign_in_a_name_is_no_placeholder() -> None:
    change, _notes = compare(None, account(grants={Scope(SCHEMA, "sh%s`"): rights("SELECT")}), MARIADB)
    assert "GRANT SELECT ON `sh%%s```.* TO %s@%s" in written(change, MARIADB)[1]


def test_a_role_of_mariadb_has_no_host() -> None:
    role = Account("r", NO_HOST, True, grants={SHOP: rights("SELECT")})
    change, _notes = compare(None, role, MARIADB)
    assert written(change, MARIADB)[1] == ["CREATE ROLE %s", "GRANT SELECT ON `shop`.* TO %s"]
    member = account(roles={("r", NO_HOST): True}, default_roles=frozenset({("r", NO_HOST)}))
    change, _notes = compare(None, member, MARIADB)
    assert written(change, MARIADB)[1][-3:-1] == ["GRANT %s TO %s@%s WITH ADMIN OPTION", "SET DEFAULT ROLE %s FOR %s@%s"]


def test_accounts_are_removed_only_where_asked_and_meant() -> None:
    source, replica = by_key(account("a")), by_key(account("a"), account("b"), account("azadmin"), account("root"))
    plain = plan_accounts(source, replica, MYSQL, patterns=["*"], foreign={"azadmin"})
    assert plain.changes == ()
    asked = plan_accounts(source, replica, MYSQL, patterns=["*"], foreign={"azadmin"}, remove=True)
    assert [(change.action, change.account.user) for change in asked.changes] == [("remove", "b")]
    assert plan_accounts(source, replica, MYSQL, patterns=["a*"], foreign={"azadmin"}, remove=True).changes == ()


def test_no_secret_is_in_a_plan() -> None:
    plan = plan_accounts(by_key(account(options={"second": OTHER})), {}, MYSQL, patterns=["*"])
    assert HASH not in repr(plan.diff()) and HASH not in repr(plan) and OTHER not in repr(plan)
    changed = plan_accounts(by_key(account()), by_key(account(options={"login": ((NATIVE, OTHER),)})), MYSQL, patterns=["*"])
    assert changed.diff()["before"]["'app'@'%'"]["password"] == "another"
    assert changed.diff()["after"]["'app'@'%'"]["password"] == "as on the source"


def test_a_role_that_cannot_come_is_said() -> None:
    role = replace(account("r"), second_factor=True)
    plan = plan_accounts(by_key(role, account(roles={("r", "%"): False})), {}, MYSQL, patterns=["app"])
    assert {note.rule for note in plan.notes} == {"accounts.account", "accounts.role"}
    assert [change.account.user for change in plan.changes] == ["app"]


def test_when_nothing_may_be_written() -> None:
    service = SERVICES["mariadb_server"]
    assert refusal(Surroundings(filtered=True), service) is None
    assert refusal(Surroundings(filtered=None), service) is None
    assert "1396" in (refusal(Surroundings(filtered=False), service) or ("",))[0]
    assert "1950" in (refusal(Surroundings(filtered=True, linked=True, strict=True), service) or ("",))[0]
    assert refusal(Surroundings(filtered=True, strict=True), service) is None


def test_findings_say_how_many_and_what_mends_them() -> None:
    plan = plan_accounts(by_key(account(grants={GLOBAL: rights("SUPER")})), {}, MYSQL, patterns=["*", "nobody*"])
    found = {finding.rule: finding for finding in findings(plan, Surroundings(gtid=True))}
    assert set(found) == {"accounts.privilege", "accounts.unmatched", "accounts.gtid", "accounts.filter"}
    assert found["accounts.privilege"].objects == ("'app'@'%': SUPER ON *.*: the service gives it to nobody",)
    assert found["accounts.unmatched"].objects == ("nobody*",)
