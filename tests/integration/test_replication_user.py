# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replication account on real servers of both flavours, judged by the server's own client."""

from __future__ import annotations

import re
import subprocess
import time

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils import _password_hash as hashes
from ansible_collections.datain.azure_mysql.plugins.module_utils import _replication_user as module
from ansible_collections.datain.azure_mysql.plugins.module_utils._source_plan import CAPABILITY as SOURCE_PLAN

PASSWORD = "Kan4rie' \"\\%s-vogel"
OTHER = "another-Secret-77"
LOGGED_CHANGES = ("CREATE", "ALTER", "GRANT", "REVOKE", "DROP", "SET PASSWORD", "SET PERSIST", "SET GLOBAL", "INSERT", "UPDATE", "DELETE")


@pytest.fixture(params=["mysql-8.0.33", "mariadb-10.11"])
def source(request, lab):
    server = lab("plain-" + request.param.split("-")[0], request.param)
    yield server
    server.reset()


@pytest.fixture
def mysql(lab):
    server = lab("plain-mysql", "mysql-8.0.33")
    yield server
    server.reset()


@pytest.fixture
def mariadb(lab):
    server = lab("plain-mariadb", "mariadb-10.11")
    yield server
    server.reset()


@pytest.fixture
def manage(perform):
    def call(server, check_mode=False, login=None, **options):
        options = {"name": "datain", "password": PASSWORD, **options}
        return perform(module.CAPABILITY, login or server.login(), check_mode, **options)

    return call


def binlog_end(server):
    return server.sql("SHOW MASTER STATUS")[0][:2]


def grants(server, account="'datain'@'%'"):
    lines = [row[0] for row in server.sql(f"SHOW GRANTS FOR {account}")]
    return [line.split(" IDENTIFIED ")[0].split(" REQUIRE ")[0] for line in lines]


def only_replication(server, account="'datain'@'%'"):
    shown = account.replace("'", "`")
    return grants(server, account) == [f"GRANT REPLICATION SLAVE ON *.* TO {shown}"]


def works(server, password=PASSWORD, tls=False):
    words = ["--skip-ssl"] if not tls and server.flavour == "mariadb" else ["--ssl-mode=DISABLED"] if not tls else []
    if tls:
        words = ["--ssl"] if server.flavour == "mariadb" else ["--ssl-mode=REQUIRED"]
    done = server.as_user("datain", password, "SELECT CURRENT_USER()", *words)
    return done.returncode == 0 and "datain@" in done.stdout


def recorded(server):
    """Run something with the general log on and return what was said to the server meanwhile, but by root."""

    class Recording:
        def __enter__(self):
            open(server.state["general_log"], "w").close()
            server.sql("SET GLOBAL log_output='FILE'; SET GLOBAL general_log=ON")
            return self

        def __exit__(self, *_what):
            server.sql("SET GLOBAL general_log=OFF")
            with open(server.state["general_log"], encoding="utf-8", errors="replace") as stream:
                self.text = stream.read()

        @property
        def statements(self):
            found = []
            for line in self.text.splitlines():
                if "\tQuery\t" in line or " Query\t" in line:
                    found.append(line.split("Query\t", 1)[1])
            return [text for text in found if "general_log" not in text and "log_output" not in text and "version_comment" not in text]

    return Recording()


@pytest.fixture
def attached(source):
    """Give a function that attaches a replica's session: the server's own log reader, waiting for more."""
    readers = []

    def attach(user, password, tls):
        state = source.state
        reader = state["bin_dir"] + "/mariadb-binlog" if source.flavour == "mariadb" else state["bin_dir"] + "/mysqlbinlog"
        words = ["--skip-ssl"] if source.flavour == "mariadb" else ["--ssl-mode=DISABLED", "--get-server-public-key"]
        if tls:
            words = ["--ssl"] if source.flavour == "mariadb" else ["--ssl-mode=REQUIRED"]
        file = binlog_end(source)[0]
        command = [
            reader,
            "--no-defaults",
            f"-h{state['host']}",
            f"-P{state['port']}",
            "--protocol=tcp",
            f"-u{user}",
            f"-p{password}",
            *words,
        ]
        command += ["--read-from-remote-server", "--stop-never", "--stop-never-slave-server-id=4711", file]
        if source.flavour == "mysql":
            command = [word.replace("stop-never-slave-server-id", "connection-server-id") for word in command]
        readers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        for _try in range(100):
            if source.sql(f"SELECT 1 FROM information_schema.PROCESSLIST WHERE USER='{user}' AND COMMAND LIKE 'Binlog Dump%'"):
                return
            time.sleep(0.1)
        readers[-1].kill()
        raise AssertionError(readers[-1].stderr.read())

    yield attach
    for reader in readers:
        reader.kill()
        reader.wait()
    source.sql("SELECT 1")


@pytest.mark.parametrize("tls", [False, True])
def test_fresh_then_nothing_to_do(source, manage, tls):
    first = manage(source, require_tls=tls)
    assert first["changed"], first
    assert [action["action"] for action in first["actions"]] == ["create_account", "grant"]
    assert only_replication(source)
    assert works(source, tls=True)
    assert works(source) is not tls
    assert not works(source, OTHER, tls=True)
    wanted = "caching_sha2_password" if tls and source.flavour == "mysql" else "mysql_native_password"
    assert source.value("SELECT plugin FROM mysql.user WHERE User='datain'") == wanted
    before = binlog_end(source)
    with recorded(source) as log:
        second = manage(source, require_tls=tls)
    assert not second["changed"], second
    assert second["actions"] == []
    assert second["account"] == first["account"]
    assert second["diff"]["before"] == second["diff"]["after"] == first["diff"]["after"]
    assert binlog_end(source) == before
    assert not [text for text in log.statements if text.upper().startswith(LOGGED_CHANGES)]
    assert PASSWORD not in str(first) + str(second)


def test_check_mode_writes_nothing(source, manage):
    before = binlog_end(source)
    with recorded(source) as log:
        checked = manage(source, check_mode=True)
    assert checked["changed"]
    assert binlog_end(source) == before
    assert not [text for text in log.statements if text.upper().startswith((*LOGGED_CHANGES, "SELECT GET_LOCK"))]
    assert source.value("SELECT COUNT(*) FROM mysql.user WHERE User='datain'") == "0"
    real = manage(source)
    assert {key: real[key] for key in ("changed", "account", "actions", "diff")} == {
        key: checked[key] for key in ("changed", "account", "actions", "diff")
    }


def test_no_clear_password_in_any_log(source, manage):
    with recorded(source) as log:
        for password in (PASSWORD, OTHER):
            result = manage(source, password=password)
            assert result["changed"]
            assert any("general_log is ON" in text for text in result["warnings"])
    assert [text for text in log.statements if text.startswith(("CREATE USER", "ALTER USER"))]
    for secret in ("Kan4rie", "vogel", OTHER):
        assert secret not in log.text
        assert secret.encode().hex() not in log.text.lower()
    events = [row[-1] for row in source.sql(f"SHOW BINLOG EVENTS IN '{binlog_end(source)[0]}'")]
    assert [text for text in events if "CREATE USER" in text]
    for secret in ("Kan4rie", "vogel", OTHER):
        assert not [text for text in events if secret in text]


@pytest.mark.parametrize("plugin", ["mysql_native_password", "caching_sha2_password"])
def test_a_wrong_password_is_changed(source, manage, plugin):
    if source.flavour == "mariadb" and plugin == "caching_sha2_password":
        result = manage(source, plugin=plugin)
        assert result["failed"] and result["error"]["kind"] == "refused"
        return
    if source.flavour == "mysql":
        source.sql(f"CREATE USER datain@'%' IDENTIFIED WITH {plugin} BY '{OTHER}'; GRANT REPLICATION SLAVE ON *.* TO datain@'%'")
    else:
        source.sql(f"CREATE USER datain@'%' IDENTIFIED BY '{OTHER}'; GRANT REPLICATION SLAVE ON *.* TO datain@'%'")
    result = manage(source, plugin=plugin)
    assert [action["action"] for action in result["actions"]] == ["set_password"]
    assert result["diff"]["before"]["password"] == "differs"
    assert works(source, tls=True)
    assert not works(source, OTHER, tls=True)
    assert not manage(source, plugin=plugin)["changed"]


def test_what_the_server_hashed_is_recognised(mysql, manage):
    """The server's own salts are any bytes."""
    for number in range(8):
        mysql.sql(f"CREATE USER datain@'%' IDENTIFIED WITH caching_sha2_password BY 'Secret-{number}' REQUIRE SSL")
        mysql.sql("GRANT REPLICATION SLAVE ON *.* TO datain@'%'")
        assert not manage(mysql, require_tls=True, password=f"Secret-{number}")["changed"]
        assert manage(mysql, require_tls=True, password=f"secret-{number}", check_mode=True)["changed"]
        mysql.sql("DROP USER datain@'%'")


@pytest.mark.parametrize("password", ["x", "a" * 32, "pä€ßw", PASSWORD])
def test_hashes_as_the_server_makes_them(source, password):
    quoted = password.replace("\\", "\\\\").replace("'", "\\'")
    if source.flavour == "mysql":
        source.sql(f"CREATE USER n@'%' IDENTIFIED WITH mysql_native_password BY '{quoted}'")
        source.sql(f"CREATE USER c@'%' IDENTIFIED WITH caching_sha2_password BY '{quoted}'")
        stored = source.value("SELECT HEX(authentication_string) FROM mysql.user WHERE User='c'")
        assert hashes.verifies(password, hashes.CACHING_SHA2, stored) is True
        assert hashes.verifies(password + "x", hashes.CACHING_SHA2, stored) is False
        salt = bytes.fromhex(stored)[7:27]
        assert hashes.caching_sha2(password, salt).hex().upper() == stored
    else:
        source.sql(f"CREATE USER n@'%' IDENTIFIED BY '{quoted}'")
    assert source.value("SELECT authentication_string FROM mysql.user WHERE User='n'") == hashes.native(password)


def test_extra_rights_are_revoked(source, manage):
    manage(source)
    source.sql(
        "CREATE DATABASE `sh``op %s`; CREATE TABLE `sh``op %s`.t (a INT, `b c` INT); CREATE PROCEDURE `sh``op %s`.p() SELECT 1;"
        "CREATE USER somebody@'%';"
        "GRANT SELECT, RELOAD, REPLICATION CLIENT ON *.* TO datain@'%' WITH GRANT OPTION; GRANT SELECT ON mysql.* TO datain@'%' WITH GRANT OPTION;"
        "GRANT ALL PRIVILEGES ON `sh``op %s`.* TO datain@'%' WITH GRANT OPTION; GRANT SELECT (a, `b c`), INSERT ON `sh``op %s`.t TO datain@'%';"
        "GRANT EXECUTE ON PROCEDURE `sh``op %s`.p TO datain@'%';"
    )
    # Who made a role may hand it out and take it back.
    source.as_admin("CREATE ROLE helper; GRANT helper TO datain@'%'")
    if source.flavour == "mysql":
        source.sql("GRANT REPLICATION_SLAVE_ADMIN, BACKUP_ADMIN ON *.* TO datain@'%' WITH GRANT OPTION")
        source.sql("GRANT PROXY ON somebody@'%' TO datain@'%' WITH GRANT OPTION")
    else:
        source.sql("SET DEFAULT ROLE helper FOR datain@'%'; GRANT PROXY ON somebody@'%' TO datain@'%'")
    # All rights are not enough to take a proxy away.
    refused = manage(source)
    assert refused["failed"] and "proxies" in refused["hint"], refused
    source.sql("GRANT PROXY ON ''@'' TO dba@'%' WITH GRANT OPTION; GRANT PROXY ON ''@'%' TO dba@'%' WITH GRANT OPTION")
    assert manage(source)["changed"]
    assert only_replication(source)
    source.sql("GRANT SELECT, RELOAD ON *.* TO datain@'%' WITH GRANT OPTION; GRANT ALL ON `sh``op %s`.* TO datain@'%'")
    source.as_admin("GRANT helper TO datain@'%'")
    result = manage(source)
    assert result["changed"], result
    assert {action["action"] for action in result["actions"]} == {"revoke"}
    assert only_replication(source)
    assert not manage(source)["changed"]


def test_all_rights_but_one_are_revoked(source, manage):
    manage(source)
    source.sql("GRANT ALL PRIVILEGES ON *.* TO datain@'%' WITH GRANT OPTION")
    with recorded(source) as log:
        assert manage(source)["changed"]
    # It never lacks the one, not even between two statements.
    assert not [text for text in log.statements if re.match(r"REVOKE.*\b(REPLICATION SLAVE(,| ON)|ALL\b)", text)]
    assert only_replication(source)
    assert not manage(source)["changed"]


def test_half_made_account_is_completed(source, manage):
    manage(source)
    source.sql("REVOKE REPLICATION SLAVE ON *.* FROM datain@'%'")
    result = manage(source)
    assert [action["action"] for action in result["actions"]] == ["grant"]
    assert only_replication(source)
    assert works(source)
    assert not manage(source)["changed"]


def test_locked_expired_and_certificate_demanding(source, manage):
    manage(source, require_tls=True)
    source.sql("ALTER USER datain@'%' REQUIRE SUBJECT '/CN=x' ACCOUNT LOCK; ALTER USER datain@'%' PASSWORD EXPIRE")
    result = manage(source, require_tls=True)
    assert [action["action"] for action in result["actions"]] == ["set_password", "relax_tls", "unlock_account"]
    assert works(source, tls=True) and not works(source)
    assert not manage(source, require_tls=True)["changed"]
    assert manage(source)["changed"]
    assert works(source)


def test_host_part_is_the_accounts_own(source, manage):
    source.sql("CREATE USER datain@'10.0.0.7'")
    result = manage(source, host="10.%")
    assert only_replication(source, "'datain'@'10.%'")
    assert any("more specific host part" in text and "10.0.0.7" in text for text in result["warnings"])
    assert grants(source, "'datain'@'10.0.0.7'") == ["GRANT USAGE ON *.* TO `datain`@`10.0.0.7`"]
    assert not manage(source, host="10.%")["changed"]


def test_absent(source, manage):
    manage(source)
    assert manage(source, check_mode=True, state="absent")["changed"]
    result = manage(source, state="absent", password=None)
    assert result["changed"] and result["account"]["present"] is False
    assert source.value("SELECT COUNT(*) FROM mysql.user WHERE User='datain'") == "0"
    assert not manage(source, state="absent", password=None)["changed"]


@pytest.mark.parametrize(
    ("options", "said"), [({"password": "a" * 33}, "33"), ({"password": ""}, "no password"), ({"password": "ä" * 17}, "34")]
)
def test_a_password_that_no_replica_takes(source, manage, options, said):
    with recorded(source) as log:
        result = manage(source, **options)
    assert result["failed"] and said in result["msg"] and result["error"]["kind"] == "input"
    assert log.statements == []


def test_a_name_that_is_too_long(source, manage):
    result = manage(source, name="n" * 81)
    assert result["failed"] and result["error"]["kind"] == "refused" and "longer" in result["msg"]


@pytest.mark.parametrize("tls", [False, True])
def test_nothing_breaks_a_running_link(source, manage, attached, tls):
    native = {"plugin": "mysql_native_password"}
    password = "Plain-Secret-1"
    manage(source, password=password, **native)
    attached("datain", password, tls)
    for options in ({"password": OTHER}, {"state": "absent", "password": None}):
        result = manage(source, **{"password": password, **native, **options})
        assert result["failed"] and result["error"]["kind"] == "refused", result
        assert result["hint"]
    assert not manage(source, password=password)["changed"]
    source.sql("GRANT SELECT ON *.* TO datain@'%'")
    assert manage(source, password=password, **native)["changed"]
    demanded = manage(source, password=password, require_tls=True)
    # MariaDB tells nobody which session uses TLS while its performance schema is off, and unknown is not proven.
    if tls and source.flavour == "mysql":
        assert demanded["changed"] and not demanded.get("failed"), demanded
        assert demanded["account"]["attached"]
        stronger = manage(source, password=password, require_tls=True, plugin="caching_sha2_password")
        assert stronger["changed"] and not stronger.get("failed"), stronger
    else:
        assert demanded["failed"] and "not known to use TLS" in demanded["msg"]
    assert works(source, password, tls=True)


def test_rights_that_are_missing_are_named(source, manage):
    secret = "Helper-secret-9"
    source.sql(f"CREATE USER helper@'%' IDENTIFIED BY '{secret}'; GRANT CREATE USER ON *.* TO helper@'%'")
    login = source.login(login_user="helper", login_password=secret)
    result = manage(source, login=login)
    assert result["failed"] and "GRANT SELECT ON mysql." in result["hint"] and result["error"]["code"] == 1142
    # Without PROCESS nobody knows who is attached, so a password stays.
    source.sql("GRANT SELECT ON mysql.* TO helper@'%'")
    manage(source)
    result = manage(source, login=login, password=OTHER)
    assert result["failed"] and "PROCESS" in result["hint"], result
    assert works(source)


def test_a_lock_that_is_held(source, manage, monkeypatch):
    from ansible_collections.datain.azure_mysql.plugins.module_utils import _state

    monkeypatch.setattr(_state, "LOCK_PATIENCE", 1)
    holder = subprocess.Popen(
        [*source.state["client"], "-e", "SELECT GET_LOCK('datain.source', 0); SELECT SLEEP(20)"], stdout=subprocess.DEVNULL
    )
    try:
        while not source.sql("SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'"):
            time.sleep(0.1)
        result = manage(source)
        assert result["failed"] and result["error"]["kind"] == "locked"
        assert source.value("SELECT COUNT(*) FROM mysql.user WHERE User='datain'") == "0"
        assert manage(source, check_mode=True)["changed"]
    finally:
        source.sql("SELECT CONCAT('KILL ', ID) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'")
        holder.kill()
        holder.wait()


def test_other_ways_in_are_closed(mariadb, manage):
    mariadb.sql(f"CREATE USER datain@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('{OTHER}') OR unix_socket")
    mariadb.sql("GRANT REPLICATION SLAVE ON *.* TO datain@'%'")
    result = manage(mariadb, password=OTHER)
    assert [action["action"] for action in result["actions"]] == ["set_plugin"]
    assert "unix_socket" not in mariadb.value("SELECT Priv FROM mysql.global_priv WHERE User='datain'")
    assert works(mariadb, OTHER)
    assert not manage(mariadb, password=OTHER)["changed"]


def test_a_plugin_that_cannot_be_judged_is_proven_by_a_login(mysql, manage):
    mysql.sql(
        f"CREATE USER datain@'%' IDENTIFIED WITH sha256_password BY '{OTHER}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO datain@'%'"
    )
    result = manage(mysql, password=OTHER, require_tls=True)
    assert not result["changed"] and result["account"]["password"] == "matches", result
    assert manage(mysql, password=PASSWORD, require_tls=True, check_mode=True)["account"]["plugin"] == "caching_sha2_password"


def test_a_password_of_before_that_still_works_is_told(mysql, manage):
    manage(mysql)
    assert not [finding for finding in manage(mysql)["findings"] if finding["rule"] == "account.old_password"]
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    mysql.sql(f"ALTER USER datain@'%' IDENTIFIED BY '{OTHER}'; ALTER USER datain@'%' IDENTIFIED BY '{quoted}' RETAIN CURRENT PASSWORD")
    result = manage(mysql)
    (finding,) = [finding for finding in result["findings"] if finding["rule"] == "account.old_password"]
    assert works(mysql, OTHER, tls=True) and finding["remedy"].endswith("ALTER USER 'datain'@'%' DISCARD OLD PASSWORD")
    mysql.sql(finding["remedy"].partition(": ")[2])
    assert not works(mysql, OTHER, tls=True) and works(mysql, tls=True)
    assert not [finding for finding in manage(mysql)["findings"] if finding["rule"] == "account.old_password"]


def test_source_plan(source, perform, manage):
    options = {"replication_user": "datain", "replication_password": PASSWORD, "require_tls": True}
    before = binlog_end(source)
    fresh = perform(SOURCE_PLAN, source.login(), **options)
    assert fresh["plan"]["account_work"] and not fresh["plan"]["binlog_work"] and fresh["plan"]["blocks"] == [], fresh
    assert not fresh["changed"] and fresh["diff"]["before"] != fresh["diff"]["after"]
    assert binlog_end(source) == before
    done = manage(source, require_tls=True)
    assert fresh["plan"]["account"]["present"] is False and done["actions"] == fresh["plan"]["actions"]
    asked = "SHOW GLOBAL STATUS LIKE 'Questions'"
    count = int(source.sql(asked)[0][1])
    with recorded(source) as log:
        converged = perform(SOURCE_PLAN, source.login(), **options)["plan"]
    assert converged["account"] == done["account"]
    assert not converged["account_work"] and not converged["binlog_work"] and not converged["actions"]
    assert len(log.statements) <= 8, log.statements
    assert int(source.sql(asked)[0][1]) > count
    assert perform(SOURCE_PLAN, source.login(), True, **options)["changed"] is False
    manage(source, state="absent")
    assert perform(SOURCE_PLAN, source.login(), True, **options)["changed"] is True
    long = perform(SOURCE_PLAN, source.login(), **{**options, "replication_password": "a" * 33})
    assert long["failed"] and "33" in long["msg"]
    assert [block["code"] for block in long["plan"]["blocks"]] == ["account.input"] and long["plan"]["account"]["present"] is None
    blind = "Blind-secret-1"
    source.sql(f"CREATE USER blind@'%' IDENTIFIED BY '{blind}'")
    seen = perform(SOURCE_PLAN, source.login(login_user="blind", login_password=blind), **options)["plan"]
    assert [block["code"] for block in seen["blocks"]] == ["account.unreadable"]
    assert seen["binlog"]["enabled"] is True
