# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about the replication account, and how SHOW GRANTS is read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _account_plan as module
from ansible_collections.datain.azure_mysql.plugins.module_utils import _password_hash as hashes
from ansible_collections.datain.azure_mysql.plugins.module_utils._account import Account, AccountState, Desired, Grant, parse_grant
from ansible_collections.datain.azure_mysql.plugins.module_utils._dialect import dialect_for
from ansible_collections.datain.azure_mysql.plugins.module_utils._errors import InputError
from ansible_collections.datain.azure_mysql.plugins.module_utils._replication_user import _statements

PASSWORD = "Secret-1"
DESIRED = Desired("datain", "%", PASSWORD)
TLS = replace(DESIRED, require_tls=True)
NEEDED = Grant("privilege", ("REPLICATION SLAVE",), "*.*")
SESSION = {"id": 5, "user": "datain", "host": "10.0.0.1:4000", "seconds": 9}


def state(account=None, version=(8, 0, 33), flavour="mysql", **other):
    return AccountState(dialect_for(flavour, version), flavour == "mariadb", account, **other)


def native(password=PASSWORD, **other):
    methods = ((hashes.NATIVE, hashes.native(password).encode().hex()),)
    return Account("datain", "%", **{"methods": methods, "grants": (NEEDED,), **other})


def caching(password=PASSWORD, **other):
    return native(**{"methods": ((hashes.CACHING_SHA2, hashes.caching_sha2(password).hex()),), **other})


def actions(plan):
    return [step.action for step in plan.steps]


@pytest.mark.parametrize(
    ("line", "grant"),
    [
        ("GRANT USAGE ON *.* TO `a`@`%`", Grant("privilege", (), "*.*")),
        (
            "GRANT SELECT, REPLICATION SLAVE ON *.* TO `a`@`%` WITH GRANT OPTION",
            Grant("privilege", ("SELECT", "REPLICATION SLAVE"), "*.*", True),
        ),
        ("GRANT SELECT (`a`, `b c`), INSERT ON `x`.`t` TO `a`@`%`", Grant("privilege", ("SELECT (`a`, `b c`)", "INSERT"), "`x`.`t`")),
        ("GRANT EXECUTE ON PROCEDURE `x`.`p` TO `a`@`%`", Grant("privilege", ("EXECUTE",), "PROCEDURE `x`.`p`")),
        ("GRANT SELECT ON `a``b ON c`.* TO `a`@`%`", Grant("privilege", ("SELECT",), "`a``b ON c`.*")),
        ("GRANT SELECT ON `my\\_db`.* TO 'a'@'%'", Grant("privilege", ("SELECT",), "`my\\_db`.*")),
        ("GRANT SELECT ON mysql.* TO a@`%`", Grant("privilege", ("SELECT",), "mysql.*")),
        ("GRANT `r1`@`%`,`r 2`@`%` TO `a`@`%`", Grant("role", ("`r1`@`%`", "`r 2`@`%`"))),
        ("GRANT `r1` TO `a`@`%` WITH ADMIN OPTION", Grant("role", ("`r1`",), "", True)),
        ("SET DEFAULT ROLE `r1` FOR `a`@`%`", Grant("default_role", ("`r1`",))),
        ("GRANT PROXY ON `c`@`%` TO `d`@`%` WITH GRANT OPTION", Grant("proxy", ("PROXY",), "`c`@`%`", True)),
        (
            "GRANT SELECT, BINLOG MONITOR ON *.* TO `b`@`%` IDENTIFIED BY PASSWORD '*6B' REQUIRE SUBJECT 'WITH GRANT OPTION'",
            Grant("privilege", ("SELECT", "BINLOG MONITOR"), "*.*"),
        ),
        (
            "GRANT RELOAD ON *.* TO 'b'@'%' IDENTIFIED BY PASSWORD '*6B' WITH GRANT OPTION MAX_QUERIES_PER_HOUR 5",
            Grant("privilege", ("RELOAD",), "*.*", True),
        ),
        ("REVOKE SELECT ON `mysql`.* FROM `a`@`%`", Grant("privilege", ())),
        ("GRANT something else", None),
    ],
)
def test_a_line_of_show_grants(line, grant):
    assert parse_grant(line) == grant


def test_an_account_that_is_right_is_kept():
    for account, desired in ((native(), DESIRED), (caching(tls="any"), TLS), (native(tls="any"), TLS)):
        plan = module.plan_account(state(account), desired)
        assert not plan.changed and plan.refusal is None and plan.before == plan.after


@pytest.mark.parametrize(
    ("version", "flavour", "desired", "plugin"),
    [
        ((8, 0, 33), "mysql", TLS, hashes.CACHING_SHA2),
        ((8, 0, 33), "mysql", DESIRED, hashes.NATIVE),
        ((5, 7, 22), "mysql", TLS, hashes.NATIVE),
        ((10, 11, 5), "mariadb", TLS, hashes.NATIVE),
    ],
)
def test_the_plugin_of_a_new_account(version, flavour, desired, plugin):
    plan = module.plan_account(state(None, version, flavour), desired)
    assert actions(plan) == ["create_account", "grant"]
    assert plan.after["plugin"] == plugin and plan.after["grants"] == ["REPLICATION SLAVE ON *.*"] and plan.before["present"] is False


def test_without_tls_caching_sha2_lets_no_replica_in():
    assert actions(module.plan_account(state(caching()), DESIRED)) == ["set_plugin"]
    # A replica that is attached proves that it can, unless TLS lets it in, which the link is to do without from now on.
    assert not module.plan_account(state(caching(), attached=(SESSION,)), DESIRED).changed
    assert actions(module.plan_account(state(caching(tls="any"), attached=(SESSION,), attached_tls=True), DESIRED)) == ["set_plugin", "relax_tls"]


def test_where_native_is_gone():
    gone = state(None, (8, 4, 0), native_active=False)
    assert "not active" in module.plan_account(gone, DESIRED).refusal
    assert module.plan_account(gone, TLS).after["plugin"] == hashes.CACHING_SHA2
    assert actions(module.plan_account(replace(gone, account=native(tls="any")), TLS)) == ["set_plugin"]


@pytest.mark.parametrize(
    ("account", "desired", "expected"),
    [
        (native("other"), DESIRED, ["set_password"]),
        (native(expired=True), DESIRED, ["set_password"]),
        (native(), TLS, ["require_tls"]),
        (native(tls="any"), DESIRED, ["relax_tls"]),
        (native(tls="specific"), TLS, ["relax_tls"]),
        (native(locked=True), DESIRED, ["unlock_account"]),
        (native(grants=()), DESIRED, ["grant"]),
        (native(grants=(NEEDED, Grant("role", ("`r`@`%`",)))), DESIRED, ["revoke"]),
        (native(), replace(DESIRED, plugin=hashes.CACHING_SHA2), ["set_plugin"]),
        (native(), replace(DESIRED, present=False), ["drop_account"]),
        (None, replace(DESIRED, present=False), []),
    ],
)
def test_what_differs_is_changed(account, desired, expected):
    plan = module.plan_account(state(account, all_seen=True), desired)
    assert plan.refusal is None and actions(plan) == expected
    if desired.present:
        assert plan.after["password"] == "matches" and plan.after["locked"] is False


@pytest.mark.parametrize(
    ("account", "desired", "tls", "refused"),
    [
        (native("other"), DESIRED, None, "another password"),
        (native(methods=(("sha256_password", "00"),)), DESIRED, None, "attached with it"),
        (native(), replace(DESIRED, present=False), None, "attached with it"),
        (native(), TLS, None, "not known to use TLS"),
        (native(), TLS, False, "not known to use TLS"),
        (native(), TLS, True, None),
        (native(tls="any"), replace(TLS, plugin=hashes.CACHING_SHA2), None, "the new plugin needs"),
        (native(tls="any"), replace(TLS, plugin=hashes.CACHING_SHA2), True, None),
        (caching(tls="any"), replace(TLS, plugin=hashes.NATIVE), None, None),
        (native(tls="any"), DESIRED, None, None),
        (native(locked=True), DESIRED, None, None),
        (native(grants=()), DESIRED, None, None),
        (native(), DESIRED, None, None),
    ],
)
def test_a_running_link_is_never_broken(account, desired, tls, refused):
    plan = module.plan_account(state(account, attached=(SESSION,), replicas=1, all_seen=True, attached_tls=tls), desired)
    assert (refused in plan.refusal and plan.hint and not plan.changed) if refused else plan.refusal is None
    assert plan.before["attached"] == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("account", "desired", "expected"),
    [(native("other"), DESIRED, ["set_password"]), (native(), TLS, ["require_tls"]), (native("other"), TLS, ["set_password", "require_tls"])],
)
def test_where_every_link_is_made_again_its_account_may_change(account, desired, expected):
    at_hand = state(account, attached=(SESSION,), replicas=1, all_seen=True)
    plan = module.plan_account(at_hand, replace(desired, relink=True))
    assert plan.refusal is None and actions(plan) == expected
    assert "account.relink" in [finding.rule for finding in plan.findings]
    assert module.plan_account(at_hand, replace(desired, relink=True, present=False)).refusal


def test_where_links_are_made_again_and_nothing_endangers_them_nothing_is_said():
    plan = module.plan_account(state(native(locked=True), attached=(SESSION,), replicas=1, all_seen=True), replace(DESIRED, relink=True))
    assert actions(plan) == ["unlock_account"] and "account.relink" not in [finding.rule for finding in plan.findings]


def test_who_cannot_see_the_sessions_changes_no_login():
    plan = module.plan_account(state(native("other"), all_seen=False), DESIRED)
    assert "hidden" in plan.refusal and "PROCESS" in plan.hint
    assert actions(module.plan_account(state(native(grants=()), all_seen=None), DESIRED)) == ["grant"]


def test_extra_rights_in_an_order_in_which_they_can_go():
    grants = (
        Grant("privilege", ("SELECT", "REPLICATION SLAVE"), "*.*", True),
        Grant("privilege", ("ALL PRIVILEGES",), "`x`.*", True),
        Grant("privilege", ("BACKUP_ADMIN",), "*.*", True),
        Grant("proxy", ("PROXY",), "`c`@`%`", True),
        Grant("role", ("`r1`@`%`", "`must`@`%`")),
        Grant("default_role", ("`r1`",)),
    )
    found = module.extras(state(native(grants=grants), mandatory_roles=("must",)))
    assert found == (
        Grant("default_role", ("`r1`",)),
        Grant("role", ("`r1`@`%`",)),
        Grant("privilege", ("ALL PRIVILEGES",), "`x`.*"),
        Grant("privilege", ("BACKUP_ADMIN",), "*.*"),
        Grant("privilege", ("SELECT",), "*.*", True),
        Grant("privilege", (), "`x`.*", True),
        Grant("proxy", ("PROXY",), "`c`@`%`"),
    )


def test_what_is_not_understood_is_refused():
    assert "not understood" in module.plan_account(state(native(grants=None)), DESIRED).refusal
    assert not module.plan_account(state(None, (5, 6, 24)), DESIRED).refusal
    fixed = native(methods=(("sha256_password", "00"),))
    assert "cannot change the plugin" in module.plan_account(state(fixed, (5, 6, 24)), DESIRED).refusal
    assert not module.plan_account(state(fixed, (5, 7, 22)), DESIRED).refusal
    assert "longer" in module.plan_account(state(None), replace(DESIRED, user="n" * 33)).refusal
    assert "longer" not in (module.plan_account(state(None, (10, 11, 5), "mariadb"), replace(DESIRED, user="n" * 33)).refusal or "")
    assert "MariaDB" in module.plan_account(state(None, (10, 11, 5), "mariadb"), replace(DESIRED, plugin=hashes.CACHING_SHA2)).refusal
    assert "no caching_sha2" in module.plan_account(state(None, (5, 7, 22)), replace(DESIRED, plugin=hashes.CACHING_SHA2)).refusal


@pytest.mark.parametrize(
    ("flavour", "version", "statements"),
    [
        ("mysql", (5, 6, 24), ["GRANT REPLICATION SLAVE ON *.* TO %s@%s IDENTIFIED BY PASSWORD %s REQUIRE SSL"]),
        ("mariadb", (10, 2, 11), ["GRANT REPLICATION SLAVE ON *.* TO %s@%s IDENTIFIED VIA mysql_native_password USING %s REQUIRE SSL"]),
        (
            "mysql",
            (5, 7, 22),
            ["CREATE USER IF NOT EXISTS %s@%s IDENTIFIED WITH mysql_native_password AS %s REQUIRE SSL", "GRANT REPLICATION SLAVE ON *.* TO %s@%s"],
        ),
    ],
)
def test_how_an_account_is_made(flavour, version, statements):
    dialect = dialect_for(flavour, version)
    made = list(_statements(dialect, hashes.NATIVE, TLS, {"create_account", "grant"}))
    assert [statement for statement, _values, _step in made] == statements
    assert not any(PASSWORD in value for _statement, values, _step in made for value in values)


def test_a_login_that_worked_proves_an_unknown_plugin():
    unknown = native(methods=(("ed25519", "00"),), proven=True)
    assert not module.plan_account(state(unknown, (10, 11, 5), "mariadb"), DESIRED).changed
    assert actions(module.plan_account(state(replace(unknown, proven=None), (10, 11, 5), "mariadb"), DESIRED)) == ["set_plugin"]


@pytest.mark.parametrize(
    ("mine", "other", "shadowed"),
    [
        ("%", "10.%", True),
        ("%", "10.0.0.1", True),
        ("10.%", "%", False),
        ("10.0.%", "10.%", False),
        ("10.%", "10.0.%", True),
        ("10.0.0.1", "10.%", False),
    ],
)
def test_a_more_specific_host_part_shadows(mine, other, shadowed):
    plan = module.plan_account(state(replace(native(), host=mine), hosts=(other,)), replace(DESIRED, host=mine))
    assert bool(plan.findings) is shadowed


@pytest.mark.parametrize("other", [{"password": "a" * 33}, {"password": ""}, {"password": "ä" * 17}, {"user": ""}, {"host": ""}])
def test_what_cannot_be_meant(other):
    with pytest.raises(InputError):
        module.validate(replace(DESIRED, **other))
    module.validate(replace(DESIRED, password="a" * 32))


def test_a_secret_is_in_no_representation():
    assert PASSWORD not in repr(DESIRED)
    assert hashes.native(PASSWORD).encode().hex() not in repr(native())
