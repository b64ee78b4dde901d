# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts carried from real sources to real replicas, judged by the servers' own clients: what they show, and who gets in."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _account_sync as module
from ansible_collections.datain.azure_mysql.plugins.module_utils._connection import Connection

PASSWORD, OLD = "Gans-und-gar-9'x", "Vormals-77"
SERVICES = {"mysql": "mysql_flexible_server", "mariadb": "mariadb_server"}
DATA = "SET sql_log_bin=0; CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, price INT, Name VARCHAR(9)); CREATE DATABASE shop_x;" \
    " CREATE PROCEDURE shop.p() SELECT 1; CREATE FUNCTION shop.f() RETURNS INT DETERMINISTIC RETURN 1;"  # fmt: skip
# Names that some tool or other gets wrong; the last one is as long as the servers take.
ODD = ["", "o'brien", 'quo"te', "back\\slash", "per%cent", "perce%s", "tick`s", "at@home", "ümläut", "sp ace", "* ? [!]"]
LONGEST = {"mysql": 32, "mariadb": 80}


def sql_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def user(name, options="", host="%", password=PASSWORD, flavour="mysql", plugin="mysql_native_password"):
    with_plugin = f"WITH {plugin} " if flavour == "mysql" else ""
    return f"CREATE USER {sql_text(name)}@{sql_text(host)} IDENTIFIED {with_plugin}BY {sql_text(password)} {options};"


class Pair:
    """A source and a replica, and the module between them."""

    def __init__(self, lab, perform, source="mysql-8.0.33", replica=None):
        replica = replica or source
        self.flavour = replica.split("-")[0]
        self.source = lab(f"acc-{source}".replace(".", "-"), source)
        self.replica = lab(f"acc-{replica}-az".replace(".", "-"), replica, "--service", SERVICES[self.flavour])
        self.perform = perform

    def reset(self):
        for server in (self.replica, self.source):
            forget(server)
            server.reset()
        for server in (self.source, self.replica):
            server.sql(DATA)

    def user(self, name, *rest, **other):
        return user(name, *rest, flavour=self.source.flavour, **other)

    def make(self, *statements):
        self.source.sql("SET sql_log_bin=0; " + " ".join(statements))

    def sync(self, *patterns, check_mode=False, **options):
        options = {"accounts": list(patterns) or ["*"], "service": SERVICES[self.flavour], "replication_user": "datain", **options}
        return self.perform(module.CAPABILITY, self.replica.login(), check_mode, source=self.source.login(), **options)

    def done(self, *patterns, **options):
        result = self.sync(*patterns, **options)
        assert not result.get("failed"), result
        return result

    def works(self, name, password=PASSWORD, text="SELECT 1", server=None):
        words = ["--ssl"] if self.flavour == "mariadb" else ["--ssl-mode=REQUIRED"]
        return (server or self.replica).as_user(name, password, text, *words).returncode == 0


def accounts_of(server):
    """Every account but the lab's own, in the server's own words: how it is made and what it may do."""
    mariadb = server.flavour == "mariadb"
    roles = "is_role = 'Y'" if mariadb else "FALSE"
    own = "('root', 'dba', 'azadmin', 'azure_superuser', 'mysql.sys', 'mysql.session', 'mysql.infoschema', 'mariadb.sys', 'PUBLIC')"
    # Raw: else the client doubles the backslashes once more.
    text = f"SELECT QUOTE(User), QUOTE(Host), {roles} FROM mysql.user WHERE User NOT IN {own} ORDER BY User, Host"
    found = [line.split("\t") for line in server.client("-N", "-B", "-r", text=text).stdout.splitlines()]
    shown = {}
    script = [] if mariadb or server.state["version"].startswith("5.") else ["SET print_identified_with_as_hex=1;"]
    for name, host, role in found:
        who = name if role == "1" else f"{name}@{host}"
        shown[who] = []
        made = "" if role == "1" else f"SHOW CREATE USER {who};"
        script.append(f"SELECT '-- next'; {made} SHOW GRANTS FOR {who};")
    done = server.client("-N", "-B", "-r", text="\n".join(script))
    assert done.returncode == 0, done.stderr
    for who, text in zip(shown, done.stdout.split("-- next\n")[1:]):
        shown[who] = sorted(text.splitlines())
    return shown


def forget(server):
    """Remove every account but the lab's own."""
    server.sql(
        "SET sql_log_bin=0; "
        + " ".join(f"DROP {'USER' if lines[0].startswith('CREATE USER') else 'ROLE'} {who};" for who, lines in accounts_of(server).items())
    )


def binlog_end(server):
    return server.sql("SHOW MASTER STATUS")[0][:2]


@pytest.fixture(params=["mysql-8.0.33", "mariadb-10.11"])
def pair(request, lab, perform):
    pair = Pair(lab, perform, request.param)
    pair.reset()
    return pair


@pytest.fixture
def mysql(lab, perform):
    pair = Pair(lab, perform, "mysql-8.0.33")
    pair.reset()
    return pair


@pytest.fixture
def mariadb(lab, perform):
    pair = Pair(lab, perform, "mariadb-10.11")
    pair.reset()
    return pair


def zoo(pair):
    """Accounts with everything that the flavour has, and that the managed server offers."""
    mysql = pair.flavour == "mysql"
    statements = [
        pair.user("app", host="10.%"),
        "GRANT SELECT, INSERT ON shop.* TO app@'10.%'; GRANT SELECT (id), UPDATE (price, Name) ON shop.item TO app@'10.%';",
        pair.user("caller"),
        "GRANT EXECUTE ON PROCEDURE shop.p TO caller@'%' WITH GRANT OPTION; GRANT EXECUTE, ALTER ROUTINE ON FUNCTION shop.f TO caller@'%';",
        pair.user("tls", "REQUIRE SSL"),
        pair.user("cert", "REQUIRE ISSUER '/CN=a%s' AND SUBJECT '/CN=b' AND CIPHER 'AES128-SHA'"),
        pair.user("limits", "WITH MAX_USER_CONNECTIONS 3 MAX_QUERIES_PER_HOUR 70" + ("" if mysql else " MAX_STATEMENT_TIME 1.5")),
        pair.user("old", "PASSWORD EXPIRE INTERVAL 30 DAY"),
        pair.user("never", "PASSWORD EXPIRE NEVER"),
        pair.user("expired"),
        "ALTER USER expired@'%' PASSWORD EXPIRE;",
        pair.user("locked", "ACCOUNT LOCK"),
        pair.user("host", host="App.Example.COM"),
        pair.user("net", host="192.168.0.0/255.255.0.0"),
        "CREATE USER ''@'localhost';",
        pair.user("x" * LONGEST[pair.flavour]),
        *(pair.user(name, host="odd") for name in ODD if name),
        *(f"GRANT SELECT ON `s``ch'{number}`.* TO {sql_text(name)}@'odd';" for number, name in enumerate(ODD) if name),
        "CREATE ROLE reader; GRANT SELECT ON shop.* TO reader; CREATE ROLE writer; GRANT INSERT ON shop.* TO writer; GRANT reader TO writer;",
        pair.user("member"),
        "GRANT writer TO member@'%' WITH ADMIN OPTION; GRANT reader TO member@'%';",
    ]
    if mysql:
        statements += [
            "SET DEFAULT ROLE reader, writer TO member@'%';",
            pair.user("sha2", plugin="caching_sha2_password"),
            pair.user("strict", "PASSWORD HISTORY 5 PASSWORD REUSE INTERVAL 9 DAY PASSWORD REQUIRE CURRENT FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME 2"),
            pair.user("noted", """COMMENT 'it''s "here" 100% 😀'"""),
            pair.user("twice", password=OLD),
            f"ALTER USER twice@'%' IDENTIFIED WITH mysql_native_password BY {sql_text(PASSWORD)} RETAIN CURRENT PASSWORD;",
            pair.user("dynamic"),
            "GRANT XA_RECOVER_ADMIN ON *.* TO dynamic@'%' WITH GRANT OPTION; GRANT SHOW_ROUTINE ON *.* TO dynamic@'%';",
            # Every byte that a salt can have: the servers take 7 bits, but not NUL and not the dollar sign.
            *(f"CREATE USER salt{number}@'%' IDENTIFIED WITH caching_sha2_password AS 0x{_stored(number)};" for number in range(7)),
        ]
    else:
        two = "IDENTIFIED VIA mysql_native_password USING PASSWORD({}) OR mysql_native_password USING PASSWORD({})"
        statements += [
            "SET DEFAULT ROLE writer FOR member@'%';",
            f"CREATE USER two@'%' {two.format(sql_text(PASSWORD), sql_text(OLD))};",
        ]
    return statements


def _stored(number):
    salt = bytes(range(1 + 18 * number, 21 + 18 * number)).replace(b"$", b"x")
    return (b"$A$005$" + bytes(byte & 127 or 1 for byte in salt) + b"A" * 43).hex().upper()


def test_everything_arrives_as_it_is(pair):
    pair.make(*zoo(pair))
    wanted = accounts_of(pair.source)
    assert len(wanted) > 25
    first = pair.done()
    assert first["changed"] and first["accounts"]["created"] == first["accounts"]["selected"] == len(wanted)
    assert {note["rule"] for note in first["left_out"]} == {"accounts.open"}, first["left_out"]
    assert accounts_of(pair.replica) == wanted
    # The password works that has always worked, and nobody knows it here.
    logins = ["expired", "o'brien"] if pair.flavour == "mariadb" else ["sha2", "twice", "member"]
    for name in ("tls", "limits", "old", "x" * LONGEST[pair.flavour], *(name for name in logins if name not in ("expired", "o'brien"))):
        assert pair.works(name), name
        assert not pair.works(name, "another"), name
    # And nothing is done twice.
    end = binlog_end(pair.replica)
    second = pair.done()
    assert not second["changed"] and second["actions"] == [] and second["diff"] == {"before": {}, "after": {}}
    assert binlog_end(pair.replica) == end
    # A hash is a secret too.
    hashes = {row[0] for row in pair.source.sql("SELECT HEX(authentication_string) FROM mysql.user WHERE authentication_string <> ''")}
    text = json.dumps([first, second], ensure_ascii=False)
    for one in hashes:
        assert one not in text and bytes.fromhex(one).decode("utf-8", "replace") not in text
    assert PASSWORD not in text and OLD not in text


def test_a_column_grant_stays_one(pair):
    pair.make(pair.user("narrow"), "GRANT INSERT ON shop.* TO narrow@'%'; GRANT SELECT (id) ON shop.item TO narrow@'%';")
    pair.done()
    assert pair.works("narrow", text="SELECT id FROM shop.item")
    assert not pair.works("narrow", text="SELECT price FROM shop.item")
    assert not pair.works("narrow", text="SELECT * FROM shop.item")
    assert accounts_of(pair.replica) == accounts_of(pair.source)


def test_a_role_is_no_account_that_opens(pair):
    pair.make("CREATE ROLE powers; GRANT SELECT, DELETE ON shop.* TO powers;", pair.user("holder"), "GRANT powers TO holder@'%';")
    pair.done("holder")
    assert accounts_of(pair.replica) == accounts_of(pair.source)
    assert not pair.works("powers", "")
    assert not pair.works("powers", PASSWORD)
    assert pair.works("holder", text="SET ROLE powers; SELECT * FROM shop.item")


def test_a_locked_account_stays_locked(pair):
    pair.make(pair.user("away", "ACCOUNT LOCK"), "GRANT SELECT ON shop.* TO away@'%';")
    pair.done()
    assert not pair.works("away")
    pair.make("ALTER USER away@'%' ACCOUNT UNLOCK;")
    assert [action["reason"] for action in pair.done()["actions"]] == ["locked"]
    assert pair.works("away")
    pair.make("ALTER USER away@'%' ACCOUNT LOCK;")
    pair.done()
    assert not pair.works("away")


def test_both_passwords_arrive_and_the_old_one_goes(mysql):
    change = f"ALTER USER twice@'%' IDENTIFIED WITH mysql_native_password BY {sql_text(PASSWORD)} RETAIN CURRENT PASSWORD;"
    mysql.make(mysql.user("twice", password=OLD))
    mysql.done()
    assert mysql.works("twice", OLD) and not mysql.works("twice")
    mysql.make(change)
    mysql.done()
    assert mysql.works("twice", OLD) and mysql.works("twice")
    mysql.make("ALTER USER twice@'%' DISCARD OLD PASSWORD;")
    mysql.done()
    assert not mysql.works("twice", OLD) and mysql.works("twice")
    assert accounts_of(mysql.replica) == accounts_of(mysql.source)


def test_what_the_service_does_not_offer_is_listed(pair):
    pair.make(pair.user("boss"), "GRANT ALL ON *.* TO boss@'%';", pair.user("meddler"), "GRANT SELECT, UPDATE ON mysql.* TO meddler@'%';")
    result = pair.done()
    left = {(note["account"], word) for note in result["left_out"] for word in note["what"].partition(" ON ")[0].split(", ")}
    for word in ("SUPER", "FILE", "SHUTDOWN", "CREATE TABLESPACE"):
        assert ("'boss'@'%'", word) in left
    assert ("'meddler'@'%'", "UPDATE") in left
    assert any("SUPER" in warning for warning in result["warnings"])
    shown = " ".join(accounts_of(pair.replica)["'boss'@'%'"])
    assert "SELECT, INSERT, UPDATE" in shown and "TRIGGER" in shown and "SUPER" not in shown and "GRANT OPTION" not in shown
    assert not pair.works("meddler", text="UPDATE mysql.user SET User='x' WHERE User='nobody'")
    assert pair.works("meddler", text="SELECT COUNT(*) FROM mysql.db")
    # Listed again, and nothing done.
    again = pair.done()
    assert not again["changed"] and again["left_out"] == result["left_out"]


def test_a_grant_that_fails_leaves_no_half_made_account(pair, monkeypatch):
    pair.make(pair.user("half"), "GRANT SELECT ON shop.* TO half@'%'; GRANT SELECT (id) ON shop.item TO half@'%';", pair.user("whole"))
    pair.replica.sql("SET sql_log_bin=0; DROP TABLE shop.item")
    # The table goes away between the look and the grant.
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_missing", lambda *_what: frozenset())
        result = pair.sync()
    assert result["failed"] and result["error"]["code"] == 1146
    assert [failure["account"] for failure in result["failures"]] == ["'half'@'%'"]
    assert not pair.works("half") and pair.works("whole")
    # The next run makes it whole, and says what it cannot give yet.
    result = pair.done()
    assert [note["rule"] for note in result["left_out"]] == ["accounts.object"]
    assert pair.works("half", text="SHOW TABLES FROM shop")
    assert not pair.done()["changed"]
    pair.replica.sql("SET sql_log_bin=0; CREATE TABLE shop.item (id INT PRIMARY KEY, price INT)")
    assert pair.done()["changed"]
    assert accounts_of(pair.replica) == accounts_of(pair.source)


def test_check_mode_tells_the_same_and_writes_nothing(pair):
    pair.make(*zoo(pair))
    pair.replica.sql("CREATE USER away@'%'")
    before, end = accounts_of(pair.replica), binlog_end(pair.replica)
    checked = pair.done(check_mode=True, remove=True)
    assert checked["changed"] and accounts_of(pair.replica) == before and binlog_end(pair.replica) == end
    real = pair.done(remove=True)
    for key in ("changed", "accounts", "actions", "left_out", "diff"):
        assert real[key] == checked[key]


def test_only_who_is_meant(pair):
    pair.make(*(pair.user(name, host=host) for name in ("shop_a", "shop_b", "other") for host in ("%", "10.%")))
    pair.make(pair.user("datain"), pair.user("azadmin"))
    result = pair.done("shop_*", "!shop_b@10.*", "root", "no_such*")
    assert set(accounts_of(pair.replica)) == {"'shop_a'@'%'", "'shop_a'@'10.%'", "'shop_b'@'%'"}
    assert [finding["objects"] for finding in result["findings"] if finding["rule"] == "accounts.unmatched"] == [["root", "no_such*"]]
    before = pair.replica.sql("SELECT * FROM mysql.user WHERE User IN ('azadmin', 'root', 'azure_superuser') ORDER BY User, Host")
    pair.done("*")
    after = accounts_of(pair.replica)
    assert "'datain'@'%'" not in after and "'other'@'%'" in after
    assert pair.replica.sql("SELECT * FROM mysql.user WHERE User IN ('azadmin', 'root', 'azure_superuser') ORDER BY User, Host") == before


def test_accounts_are_removed_only_when_asked(pair):
    pair.make(pair.user("shop_a"), "CREATE ROLE shop_r;", pair.user("shop_left", "ACCOUNT LOCK"))
    pair.done()
    pair.replica.sql(user("local", flavour=pair.flavour))
    drop = "DROP ROLE shop_r;" if pair.flavour == "mariadb" else "DROP ROLE shop_r@'%';"
    pair.make("DROP USER shop_a@'%';", drop)
    assert not pair.done("shop_*")["changed"]
    result = pair.done("shop_*", remove=True)
    assert [action["action"] for action in result["actions"]] == ["remove", "remove"]
    assert set(accounts_of(pair.replica)) == {"'local'@'%'", "'shop_left'@'%'"}
    # Everything that is meant by '*', and still nothing of the platform's, nor ourselves.
    assert pair.done("*", remove=True)["accounts"]["removed"] == 1
    left = {row[0] for row in pair.replica.sql("SELECT DISTINCT User FROM mysql.user")}
    assert {"root", "azadmin", "azure_superuser"} < left


def test_a_change_of_the_source_becomes_exactly_that(pair):
    pair.make(pair.user("app"), "GRANT SELECT, INSERT, DELETE ON shop.* TO app@'%'; GRANT SELECT ON shop.item TO app@'%' WITH GRANT OPTION;")
    pair.make("CREATE ROLE r; GRANT r TO app@'%' WITH ADMIN OPTION;", pair.user("still"))
    pair.done()
    with_plugin = "WITH mysql_native_password " if pair.flavour == "mysql" else ""
    for statement, reason in (
        ("REVOKE DELETE ON shop.* FROM app@'%'", "without DELETE ON `shop`.*"),
        ("REVOKE GRANT OPTION ON shop.item FROM app@'%'", "without GRANT OPTION ON `shop`.`item`"),
        ("GRANT UPDATE (price) ON shop.item TO app@'%'", "UPDATE (`price`) ON `shop`.`item`"),
        (f"ALTER USER app@'%' IDENTIFIED {with_plugin}BY '{OLD}'", "login"),
        ("ALTER USER app@'%' REQUIRE SSL WITH MAX_USER_CONNECTIONS 4", "tls; limits"),
        ("ALTER USER app@'%' REQUIRE NONE WITH MAX_USER_CONNECTIONS 0 PASSWORD EXPIRE NEVER", "tls; limits; lifetime"),
        ("REVOKE r FROM app@'%'", "without role 'r'" + ("@'%'" if pair.flavour == "mysql" else "")),
        ("GRANT RELOAD ON *.* TO app@'%' WITH GRANT OPTION", "GRANT OPTION, RELOAD ON *.*"),
        ("REVOKE RELOAD ON *.* FROM app@'%'", "without RELOAD ON *.*"),
    ):
        pair.make(statement + ";")
        result = pair.done()
        assert [(action["target"], action["reason"]) for action in result["actions"]] == [("'app'@'%'", reason)]
        assert accounts_of(pair.replica) == accounts_of(pair.source), statement
    assert pair.works("app", OLD) and not pair.works("app")


def test_what_stands_in_the_way_on_the_replica_is_put_right(pair):
    """An account of the same name, made by hand: another password, too many rights, no lock, no TLS."""
    pair.make(pair.user("app", "REQUIRE SSL"), "GRANT SELECT ON shop.* TO app@'%';", pair.user("shut", "ACCOUNT LOCK"))
    pair.replica.sql(
        user("app", password=OLD, flavour=pair.flavour) + "GRANT SELECT, DROP ON shop.* TO app@'%' WITH GRANT OPTION; GRANT SELECT ON *.* TO app@'%'"
    )
    pair.replica.sql(user("shut", flavour=pair.flavour))
    pair.done()
    assert accounts_of(pair.replica) == accounts_of(pair.source)


def test_schemas_by_pattern_where_there_are_no_patterns(mysql):
    """The replica has partial_revokes, in which a wildcard, and even an escaped underscore, means itself and gives nothing."""
    mysql.make(mysql.user("lit"), r"GRANT SELECT ON `shop\_x`.* TO lit@'%';", mysql.user("wild"), "GRANT SELECT ON `sho%`.* TO wild@'%';")
    for server in (mysql.source, mysql.replica):
        server.sql("SET sql_log_bin=0; CREATE TABLE shop_x.t (a INT); CREATE DATABASE shopzx; CREATE TABLE shopzx.t (a INT)")
    result = mysql.done()
    assert [(note["rule"], note["account"]) for note in result["left_out"]] == [("accounts.pattern", "'wild'@'%'")]
    assert mysql.works("lit", text="SELECT * FROM shop_x.t") and not mysql.works("lit", text="SELECT * FROM shopzx.t")
    assert mysql.works("wild", text="SELECT * FROM shop_x.t, shopzx.t, shop.item")
    assert not mysql.done()["changed"]


def test_restrictions_arrive_before_what_they_restrict(mysql):
    mysql.source.sql("SET GLOBAL partial_revokes=ON")
    mysql.make(mysql.user("part"), "GRANT SELECT, INSERT ON *.* TO part@'%'; REVOKE SELECT ON shop_x.* FROM part@'%';")
    mysql.done()
    for server in (mysql.source, mysql.replica):
        server.sql("SET sql_log_bin=0; CREATE TABLE shop_x.t (a INT)")
    assert mysql.works("part", text="SELECT * FROM shop.item") and not mysql.works("part", text="SELECT * FROM shop_x.t")
    assert not mysql.done()["changed"]
    mysql.make("GRANT SELECT ON shop_x.* TO part@'%';")
    assert mysql.done()["changed"]
    assert mysql.works("part", text="SELECT * FROM shop_x.t")
    assert not mysql.done()["changed"]


def test_of_patterns_that_overlap_only_the_narrowest_gives_something(mysql):
    mysql.make(mysql.user("over"), r"GRANT ALL ON `shop%`.* TO `over`@'%'; GRANT SELECT ON `shop\_x`.* TO `over`@'%';")
    mysql.make(mysql.user("all"), "GRANT ALL ON `%`.* TO `all`@'%';")
    for server in (mysql.source, mysql.replica):
        server.sql("SET sql_log_bin=0; CREATE TABLE shop_x.t (a INT)")
    mysql.done()
    for server in (mysql.source, mysql.replica):
        assert mysql.works("over", text="SELECT * FROM shop_x.t", server=server)
        assert mysql.works("over", text="INSERT INTO shop.item (id) VALUES (1)", server=server)
        assert not mysql.works("over", text="INSERT INTO shop_x.t VALUES (1)", server=server)
        assert mysql.works("all", text="INSERT INTO shop_x.t VALUES (1); SELECT COUNT(*) FROM performance_schema.threads", server=server)
    assert not mysql.done()["changed"]


def test_who_may_not_pass_a_right_on_may_not_on_the_replica_either(mysql):
    mysql.source.sql("SET GLOBAL partial_revokes=ON")
    mysql.make(mysql.user("part"), "GRANT SELECT, INSERT ON *.* TO part@'%' WITH GRANT OPTION;", mysql.user("other"))
    mysql.make("REVOKE INSERT ON shop.* FROM part@'%'; REVOKE GRANT OPTION ON shop.* FROM part@'%'; REVOKE GRANT OPTION ON shop_x.* FROM part@'%';")
    mysql.done()
    for server in (mysql.source, mysql.replica):
        for schema in ("shop", "shop_x"):
            assert not mysql.works("part", text=f"GRANT SELECT ON {schema}.* TO other@'%'", server=server)
        assert not mysql.works("part", text="INSERT INTO shop.item (id) VALUES (1)", server=server)
    assert not mysql.done()["changed"]
    mysql.make("GRANT USAGE ON shop_x.* TO part@'%' WITH GRANT OPTION;")
    assert mysql.done()["changed"] and not mysql.done()["changed"]
    for server in (mysql.source, mysql.replica):
        assert mysql.works("part", text="GRANT SELECT ON shop_x.* TO other@'%'", server=server)


def test_an_empty_host_is_not_that_of_everybody(mysql):
    """MariaDB makes '%' of it; on MySQL there can be both, and what is said of the one is not said of the other."""
    mysql.make(mysql.user("both", host=""), mysql.user("both", password=OLD), mysql.user("one", host=""), mysql.user("gone"))
    mysql.make("GRANT SELECT ON shop.* TO `both`@'';")
    mysql.replica.sql("SET sql_log_bin=0; " + mysql.user("gone") + mysql.user("gone", host=""))
    mysql.done(remove=True)
    assert accounts_of(mysql.replica) == accounts_of(mysql.source)
    assert {"'both'@''", "'both'@'%'", "'one'@''", "'gone'@'%'"} == set(accounts_of(mysql.replica))
    assert not mysql.done(remove=True)["changed"]


def test_a_right_on_a_table_goes_and_the_same_on_a_column_stays(pair):
    pair.make(pair.user("app"), "GRANT SELECT, SELECT (id), INSERT (price) ON shop.item TO app@'%';")
    pair.done()
    pair.make("REVOKE SELECT ON shop.item FROM app@'%'; GRANT SELECT (id) ON shop.item TO app@'%';")
    assert pair.done()["changed"]
    assert accounts_of(pair.replica) == accounts_of(pair.source)
    assert pair.works("app", text="SELECT id FROM shop.item") and not pair.works("app", text="SELECT price FROM shop.item")
    assert not pair.done()["changed"]


def test_a_role_that_is_excluded_is_not_made_for_its_members(pair):
    pair.make(pair.user("app"), "CREATE ROLE dbas; GRANT ALL ON shop.* TO dbas; GRANT dbas TO app@'%';")
    result = pair.done("*", "!dbas")
    assert [(note["rule"], note["account"]) for note in result["left_out"]] == [("accounts.role", "'app'@'%'")]
    assert set(accounts_of(pair.replica)) == {"'app'@'%'"}


def test_what_describes_an_account_becomes_the_same(mysql):
    mysql.make(mysql.user("app", """ATTRIBUTE '{"a": {"x": 1, "l": [1]}, "b": 1}'"""))
    mysql.done()
    mysql.make("""ALTER USER app@'%' ATTRIBUTE '{"a": {"x": null, "y": 2}, "b": null}';""")
    assert mysql.done()["changed"] and not mysql.done()["changed"]
    assert accounts_of(mysql.replica) == accounts_of(mysql.source)


def test_a_right_that_the_login_cannot_take_keeps_no_door_open(mysql):
    """On 8.0 an administrator takes from nobody what it has with a restriction itself (3879)."""
    mysql.make(mysql.user("app"), "GRANT SELECT, INSERT ON *.* TO app@'%';")
    mysql.done()
    mysql.make(f"REVOKE INSERT ON *.* FROM app@'%'; ALTER USER app@'%' IDENTIFIED WITH mysql_native_password BY '{OLD}' ACCOUNT LOCK;")
    result = mysql.sync()
    assert result["failed"] and result["failures"][0]["code"] == 3879 and "DROP USER 'app'@'%'" in result["hint"], result
    assert not mysql.works("app") and not mysql.works("app", OLD)
    shown = mysql.replica.value("SHOW CREATE USER app@'%'")
    assert "ACCOUNT LOCK" in shown
    mysql.replica.sql("DROP USER app@'%'")
    mysql.done()
    assert not mysql.works("app", OLD) and not mysql.done()["changed"]
    mysql.make("ALTER USER app@'%' ACCOUNT UNLOCK;")
    mysql.done()
    assert mysql.works("app", OLD) and not mysql.works("app", OLD, text="INSERT INTO shop.item (id) VALUES (1)")


def test_what_cannot_be_carried_is_said(mariadb):
    mariadb.make("CREATE USER sock@'%' IDENTIFIED VIA unix_socket; CREATE USER either@'%' IDENTIFIED VIA unix_socket OR mysql_native_password"
                 f" USING PASSWORD({sql_text(PASSWORD)});", mariadb.user("deputy"))  # fmt: skip
    # A hash of a plugin that neither server has loaded, so that no statement makes it.
    document = '{"access":0,"plugin":"ed25519","authentication_string":"mIHBNtKP3nRBbNS9KNtirg994c+yBtzYXVVG625zfEc"}'
    mariadb.source.sql(f"SET sql_log_bin=0; INSERT INTO mysql.global_priv VALUES ('%', 'edwards', {sql_text(document)})")
    mariadb.source.sql("INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user) VALUES ('%', 'deputy', '%', 'either')")
    try:
        result = mariadb.done()
        assert not mariadb.done()["changed"]
    finally:
        mariadb.source.sql("DELETE FROM mysql.global_priv WHERE User='edwards'; DELETE FROM mysql.proxies_priv WHERE User='deputy'")
    told = {(note["rule"], note["account"], note["what"]) for note in result["left_out"]}
    assert told == {
        ("accounts.account", "'sock'@'%'", "login"),
        ("accounts.account", "'edwards'@'%'", "login"),
        ("accounts.login", "'either'@'%'", "unix_socket"),
        ("accounts.privilege", "'deputy'@'%'", "PROXY ON 'either'@'%'"),
    }
    assert set(accounts_of(mariadb.replica)) == {"'either'@'%'", "'deputy'@'%'"}
    assert mariadb.works("either")


def test_a_replica_that_gets_the_sources_statements_is_refused(mysql, lab):
    """Without the filter the source's own CREATE USER would find the account there, and stop the applier."""
    mysql.make(mysql.user("app"))
    bare = lab("acc-bare", "mysql-8.0.33")
    options = {"accounts": ["*"], "service": "mysql_flexible_server", "replication_user": "datain"}
    result = mysql.perform(module.CAPABILITY, bare.login(), source=mysql.source.login(), **options)
    assert result["failed"] and result["error"]["kind"] == "refused" and "1396" in result["msg"]
    assert "replicate_wild_ignore_table" in result["hint"]
    assert accounts_of(bare) == {}


def test_a_strict_replica_with_a_link_is_refused(mariadb):
    mariadb.make(mariadb.user("app"))
    mariadb.replica.sql("SET GLOBAL gtid_strict_mode=1; CHANGE MASTER TO MASTER_HOST='192.0.2.1', MASTER_USER='x', MASTER_PASSWORD='y'")
    result = mariadb.sync()
    assert result["failed"] and "1950" in result["msg"] and "gtid_strict_mode" in result["hint"]
    assert accounts_of(mariadb.replica) == {}
    mariadb.replica.sql("SET GLOBAL gtid_strict_mode=0")
    assert mariadb.done()["changed"]


def test_flavours_do_not_mix(mysql, mariadb):
    result = mysql.perform(
        module.CAPABILITY, mariadb.replica.login(), source=mysql.source.login(), accounts=["*"], service="mariadb_server", replication_user="datain"
    )
    assert result["failed"] and result["error"]["kind"] == "refused"


def test_a_login_that_may_not_look(pair):
    pair.source.sql(user("blind", flavour=pair.flavour))
    login = {**pair.source.login(), "login_user": "blind", "login_password": PASSWORD}
    result = pair.perform(module.CAPABILITY, pair.replica.login(), source=login, accounts=["*"], service=SERVICES[pair.flavour], replication_user="datain")
    assert result["failed"] and "GRANT SELECT ON mysql.*" in result["hint"]


def _die_before(number, work):
    """In a process of its own: run, and be killed before the n-th statement that changes something."""
    seen = []
    inner = Connection._run

    def run(self, sql, *rest):
        if self.login.side == "replica" and sql.split()[0] in ("CREATE", "ALTER", "GRANT", "REVOKE", "DROP"):
            seen.append(sql)
            if len(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return inner(self, sql, *rest)

    Connection._run = run
    work()


def test_killed_anywhere_and_run_again(pair):
    """Who gets in after the kill is as on the source, or does not get in at all; the next run finishes."""
    pair.make(
        "CREATE ROLE r; GRANT SELECT ON shop.* TO r;",
        pair.user("plain", "REQUIRE SSL"),
        "GRANT SELECT, INSERT ON shop.* TO plain@'%'; GRANT SELECT (id) ON shop.item TO plain@'%'; GRANT r TO plain@'%';",
        pair.user("late"),
        "ALTER USER late@'%' PASSWORD EXPIRE;",
        pair.user("closed", "ACCOUNT LOCK"),
        pair.user("there"),
        "GRANT SELECT ON shop.* TO there@'%';",
    )
    wanted = accounts_of(pair.source)
    fresh = "SET sql_log_bin=0; " + " ".join(f"DROP {'USER' if '@' in who else 'ROLE'} IF EXISTS {who};" for who in wanted)
    fresh += user("there", password=OLD, flavour=pair.flavour) + "GRANT SELECT, DELETE ON shop.* TO there@'%'"
    pair.replica.sql(fresh)
    before = accounts_of(pair.replica)
    number, alive = 0, False
    while not alive:
        number += 1
        pair.replica.sql(fresh)
        child = multiprocessing.get_context("fork").Process(target=_die_before, args=(number, pair.sync))
        child.start()
        child.join(60)
        alive = child.exitcode == 0
        for who, lines in accounts_of(pair.replica).items():
            shut = any("ACCOUNT LOCK" in line for line in lines) or "@" not in who
            assert shut or lines in (wanted[who], before.get(who)) or _less(lines, wanted[who], before.get(who, [])), (number, who, lines)
        pair.done()
        assert accounts_of(pair.replica) == wanted, number
    assert number > 10


def _less(lines, wanted, before):
    """Tell whether an account of before has lost what it must lose, with its old login or with the new one."""

    def parts(shown):
        # MariaDB shows the hash with the rights too.
        login = [line for line in shown if line.startswith("CREATE USER")]
        return login, [line.split(" IDENTIFIED ")[0] for line in shown if line.startswith("GRANT")]

    (login, rights), (new, right) = parts(lines), parts(wanted)
    return rights == right and login in (new, parts(before)[0])


@pytest.mark.parametrize(("old", "new"), [("mysql-5.7", "mysql-8.0.33"), ("mariadb-10.2", "mariadb-10.11")])
def test_from_an_older_version(lab, perform, old, new):
    pair = Pair(lab, perform, old, new)
    pair.reset()
    mysql = pair.flavour == "mysql"
    pair.make(
        pair.user("app", "REQUIRE SSL WITH MAX_USER_CONNECTIONS 4"),
        "GRANT SELECT ON shop.* TO app@'%'; GRANT SELECT (id), INSERT ON shop.item TO app@'%'; GRANT EXECUTE ON PROCEDURE shop.p TO app@'%';",
        pair.user("watch"),
        "GRANT REPLICATION CLIENT, SUPER, PROCESS ON *.* TO watch@'%';",
        *(
            [pair.user("shut", "ACCOUNT LOCK"), pair.user("sha", plugin="sha256_password"), pair.user("month", "PASSWORD EXPIRE INTERVAL 30 DAY")]
            if mysql
            else []
        ),
        *([] if mysql else ["CREATE ROLE r; GRANT SELECT ON shop.* TO r; GRANT r TO watch@'%'; SET DEFAULT ROLE r FOR watch@'%';"]),
    )
    result = pair.done()
    assert [(note["account"], note["what"]) for note in result["left_out"]] == [("'watch'@'%'", "SUPER ON *.*")]
    assert pair.works("app", text="SELECT * FROM shop.item") and not pair.works("app", text="DELETE FROM shop.item")
    if mysql:
        assert not pair.works("shut") and pair.works("sha")
    else:
        assert pair.works("watch", text="SELECT * FROM shop.item; SHOW SLAVE STATUS")
    assert not pair.done()["changed"]


def test_as_many_statements_for_many_accounts_as_for_one(pair):
    """What reading costs does not grow, and neither does a run that has nothing to do."""

    def questions():
        return [int(server.sql("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1]) for server in (pair.source, pair.replica)]

    def cost():
        assert pair.done()["changed"] is False
        before = questions()
        pair.done()
        after = questions()
        return [late - early for early, late in zip(before, after)]

    pair.make(pair.user("app0"), "GRANT SELECT ON shop.* TO app0@'%'; GRANT SELECT (id) ON shop.item TO app0@'%';")
    pair.done()
    one = cost()
    pair.make(
        *(
            pair.user(f"app{number}") + f"GRANT SELECT ON shop.* TO app{number}@'%'; GRANT SELECT (id) ON shop.item TO app{number}@'%';"
            for number in range(1, 150)
        )
    )
    assert pair.done()["accounts"]["created"] == 149
    assert cost() == one
    assert max(one) < 25


def inventory_of(pair, **own):
    """The inventory of an operator who says which accounts are meant."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}

    def host(server):
        return {f"datain_{name}": value for name, value in server.login().items()}

    source = {**host(pair.source), "datain_replication_user": "datain", "datain_replication_password": "Kanarie-7"}
    source["datain_link_ca"] = pair.source.state["ca"]
    replica = {
        **host(pair.replica),
        "datain_login_tls": "required",
        "datain_source": "shop",
        "datain_service": SERVICES[pair.flavour],
        "datain_client_dir": pair.source.state["bin_dir"],
        **own,
    }
    groups = {"datain_sources": {"hosts": {"shop": source}}, "datain_replicas": {"hosts": {"azure": replica}}}
    return {"all": {"vars": local, "children": groups}}


def test_by_the_inventory(pair, play):
    """The role takes everything from the inventory contract, in check mode too."""
    pair.make(pair.user("shop_a"), pair.user("other"))
    plays = [{"name": "Accounts", "hosts": "datain_replicas", "gather_facts": False, "roles": ["datain.azure_mysql.accounts"]}]
    wanted = inventory_of(pair, datain_accounts=["shop_*"])
    checked = play(plays, wanted, "--check", "--diff")
    assert checked.rc == 0 and checked.changed == 1 and "shop_a" in checked.out, checked.out
    assert accounts_of(pair.replica) == {}
    done = play(plays, wanted, "-vvv")
    assert done.rc == 0 and done.changed == 1, done.out
    stored = pair.source.value("SELECT authentication_string FROM mysql.user WHERE User='shop_a'")
    assert stored not in done.out + checked.out and stored.encode().hex().upper() not in done.out + checked.out
    assert set(accounts_of(pair.replica)) == {"'shop_a'@'%'"}
    wrong = play(plays, inventory_of(pair, datain_accounts="shop_*"))
    assert wrong.rc and "datain_accounts is not a list" in wrong.out


def test_a_part_of_onboard_where_the_inventory_says_so(mariadb, play):
    mariadb.replica.sql("DROP DATABASE shop; DROP DATABASE shop_x")
    # This service takes no functions from an administrator without SUPER.
    mariadb.source.sql("SET sql_log_bin=0; DROP FUNCTION shop.f; DROP PROCEDURE shop.p")
    mariadb.make(mariadb.user("shop_a"), "GRANT SELECT (id) ON shop.item TO shop_a@'%';")
    silent = play("datain.azure_mysql.onboard", inventory_of(mariadb))
    assert silent.rc == 0, silent.out
    assert "'shop_a'@'%'" not in accounts_of(mariadb.replica) and "account_sync" not in silent.out
    wanted = inventory_of(mariadb, datain_accounts=["shop_*"])
    done = play("datain.azure_mysql.onboard", wanted)
    assert done.rc == 0, done.out
    assert mariadb.works("shop_a", text="SELECT id FROM shop.item")
    again = play("datain.azure_mysql.onboard", wanted)
    assert again.rc == 0 and again.changed == 0, again.out
