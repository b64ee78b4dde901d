# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision table of links, walked on real pairs of both flavours, judged by the servers' own clients."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuts.door import Door

from ansible_collections.datain.azure_mysql.plugins.module_utils import _link_apply, _replica_info, _replica_link, _seed

PASSWORD = "Repl-'\"\\-ü 1"
FLAVOURS = {
    "mysql": ("mysql-8.0.33", "mysql_flexible_server"),
    "mariadb": ("mariadb-10.11", "mariadb_server"),
}
DATA = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1), (2);"


class Pair:
    """A source with an account for replicas, and a replica that holds a copy of its data."""

    def __init__(self, source, replica, service, perform):
        self.source, self.replica, self.service, self.perform = source, replica, service, perform

    @property
    def mariadb(self):
        return self.source.flavour == "mariadb"

    @staticmethod
    def since(server, *version):
        """Tell whether it is MySQL of this version or newer."""
        return server.flavour == "mysql" and tuple(map(int, server.state["version"].split("."))) >= version

    def prepare(self):
        quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        self.source.sql(
            DATA + f"CREATE USER datain@'%' IDENTIFIED BY '{quoted}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO datain@'%';"
        )
        self.replica.sql(DATA)

    def end(self):
        """Return the end of the source's log as coordinates that an operator would give."""
        file, position = self.source.sql("SHOW BINARY LOG STATUS" if self.since(self.source, 8, 2) else "SHOW MASTER STATUS")[0][:2]
        if self.mariadb:
            return {"gtid": self.source.value("SELECT @@gtid_binlog_pos")}
        return {"file": file, "position": int(position)}

    def options(self, **other):
        state = self.source.state
        return {
            "source": self.source.login(login_tls="required"),
            "service": self.service,
            "replication_user": "datain",
            "replication_password": PASSWORD,
            "link_host": state["host"],
            "link_port": state["port"],
            "link_ca": state["ca"],
            "wait_timeout": 30,
            **other,
        }

    def link(self, check_mode=False, **other):
        return self.perform(_replica_link.CAPABILITY, self.login(), check_mode, **self.options(**other))

    def login(self, **other):
        return self.replica.login(login_tls="verify_ca", login_ca=self.replica.state["ca"], **other)

    def seed(self):
        source = self.source.login(login_tls="verify_ca", login_ca=self.source.state["ca"])
        return self.perform(_seed.CAPABILITY, self.login(), source=source, client_dir=self.replica.state["bin_dir"])

    def info(self):
        return self.perform(_replica_info.CAPABILITY, self.replica.login(login_tls="required"))["replica"]

    def status(self):
        """Return the channel as the server's own client prints it, in the old words."""
        new = "SHOW REPLICA STATUS" if self.since(self.replica, 8, 0, 22) else "SHOW SLAVE STATUS"
        verb = "SHOW ALL SLAVES STATUS" if self.mariadb else new
        text = self.replica.client("-E", text=verb + "\n").stdout
        pairs = (line.strip().partition(": ") for line in text.splitlines() if ": " in line or line.rstrip().endswith(":"))
        return {key.rstrip(":").replace("Source", "Master").replace("Replica_", "Slave_"): value for key, sign, value in pairs if sign}

    def running(self):
        status = self.status()
        return (status.get("Slave_IO_Running"), status.get("Slave_SQL_Running"))

    def arrives(self, number):
        self.source.sql(f"INSERT INTO shop.t VALUES ({number})")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.replica.value(f"SELECT COUNT(*) FROM shop.t WHERE id = {number}") == "1":
                return True
            time.sleep(0.1)
        return False

    def rows(self):
        return [self.source.sql("SELECT id FROM shop.t ORDER BY id"), self.replica.sql("SELECT id FROM shop.t ORDER BY id")]


@pytest.fixture(params=FLAVOURS)
def pair(request, lab, perform):
    server, service = FLAVOURS[request.param]
    source = lab(f"link-{request.param}", server)
    replica = lab(f"link-{request.param}-az", server, "--service", service)
    # The replica first: else it is back at the source before the source has forgotten its account.
    replica.reset()
    source.reset()
    made = Pair(source, replica, service, perform)
    made.prepare()
    return made


@pytest.fixture
def linked(pair):
    result = pair.link(coordinates=pair.end())
    assert not result.get("failed"), result
    return pair


def test_rows_7_and_16_linked_by_the_operators_word_and_kept(pair):
    coordinates = pair.end()
    planned = pair.link(check_mode=True, coordinates=coordinates)
    assert planned["changed"] and planned["row"] == 7 and pair.status() == {}
    result = pair.link(coordinates=coordinates)
    assert result["changed"] and [step["action"] for step in result["actions"]] == ["link", "start"]
    assert pair.running() == ("Yes", "Yes") and pair.status()["Master_SSL_Allowed"] == "Yes"
    assert pair.arrives(3)
    again = pair.link(coordinates=coordinates)
    assert not again["changed"] and again["row"] == 16 and again["actions"] == []


def test_row_6_linked_where_the_seed_says(pair):
    pair.replica.sql("DROP DATABASE shop")
    assert pair.seed()["changed"]
    pair.source.sql("INSERT INTO shop.t VALUES (60)")
    result = pair.link()
    assert result["changed"] and result["row"] == 6 and pair.arrives(61)
    assert pair.rows()[0] == pair.rows()[1]
    assert pair.link()["row"] == 16


def test_row_8_nothing_is_known(pair):
    result = pair.link()
    assert result["failed"] and result["row"] == 8 and "datain_seed" in result["hint"]
    assert pair.status() == {}


def test_rows_15_and_17_stopped_and_started(linked):
    stopped = linked.link(state="stopped")
    assert stopped["changed"] and stopped["row"] == 15 and linked.running() == ("No", "No")
    assert not linked.link(state="stopped")["changed"]
    linked.source.sql("INSERT INTO shop.t VALUES (10)")
    started = linked.link()
    assert started["changed"] and started["row"] == 17 and linked.arrives(11)
    assert linked.rows()[0] == linked.rows()[1]


def test_rows_4_and_5_out_and_back(linked):
    assert linked.arrives(3)
    removed = linked.link(state="absent")
    assert removed["changed"] and linked.status() == {}
    assert not linked.link(state="absent")["changed"]
    record = linked.info()["records"]["link"]
    assert record["phase"] == "removed" and (record["start"]["gtid"] if linked.mariadb else record["start"]["position"])
    linked.source.sql("INSERT INTO shop.t VALUES (20), (21)")
    back = linked.link()
    assert back["changed"] and back["row"] == 5 and linked.arrives(22)
    assert linked.rows()[0] == linked.rows()[1]


def refused_by_the_source(pair, password):
    """Let the link lose its session, and the source refuse the next one."""
    pair.source.sql(f"ALTER USER datain@'%' IDENTIFIED BY '{password}'")
    pair.replica.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
    deadline = time.monotonic() + 10
    while pair.status()["Last_IO_Errno"] != "1045" and time.monotonic() < deadline:
        time.sleep(0.1)


def test_rows_4_and_5_out_and_back_when_it_could_not_connect(linked):
    """MariaDB by GTID has thrown its relay logs away then, as if it had never applied anything."""
    assert linked.arrives(3) and linked.arrives(4)
    refused_by_the_source(linked, "another")
    linked.source.sql("INSERT INTO shop.t VALUES (20)")
    removed = linked.link(state="absent", replication_password="another")
    assert removed["changed"] and linked.status() == {}, removed
    back = linked.link(replication_password="another")
    assert back["row"] == 5 and linked.arrives(21), back
    assert linked.rows()[0] == linked.rows()[1]


def test_what_a_mariadb_replica_has_applied_since_a_record_is_not_applied_again(pair):
    made = pair.link(coordinates=pair.end())
    assert not made.get("failed") and pair.arrives(3) and pair.arrives(4)
    # As a run leaves it that was cut off while it watched, and as one that may write nothing on a linked replica.
    pair.replica.sql("UPDATE datain_state.record SET document = JSON_SET(document, '$.phase', 'intended') WHERE kind = 'link'")
    refused_by_the_source(pair, "another")
    result = pair.link(replication_password="another")
    assert result["row"] == 14 and pair.arrives(21), result
    assert pair.rows()[0] == pair.rows()[1]


def test_a_strict_link_is_not_removed_where_its_place_would_be_lost(pair):
    if not pair.mariadb:
        return
    pair.replica.sql("RESET MASTER; SET GLOBAL gtid_strict_mode = ON")
    made = pair.link(coordinates=pair.end())
    assert not made.get("failed") and pair.arrives(3), made
    result = pair.link(state="absent")
    assert result["failed"] and result["row"] == 4 and "gtid_strict_mode" in result["hint"] and pair.running() == ("Yes", "Yes"), result
    pair.replica.sql("SET GLOBAL gtid_strict_mode = OFF")
    assert pair.link(state="absent")["changed"]
    assert pair.link()["row"] == 5 and pair.arrives(4) and pair.rows()[0] == pair.rows()[1]


@pytest.fixture
def other(pair, lab):
    """Another server that lets the same account in, as one does that was made by the same script."""
    other = lab("link-other-" + pair.source.flavour, FLAVOURS[pair.source.flavour][0])
    other.reset()
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    other.sql(DATA + f"CREATE USER datain@'%' IDENTIFIED BY '{quoted}' REQUIRE SSL; GRANT REPLICATION SLAVE ON *.* TO datain@'%'")
    return other


def test_nothing_is_fetched_from_a_server_that_is_not_the_source(pair, other, monkeypatch):
    there = {"method": "position", "link_host": other.state["host"], "link_port": other.state["port"]}
    # A place that both logs have.
    file, position = other.sql("SHOW MASTER STATUS")[0][:2]
    coordinates = {"file": file, "position": int(position)}
    assert pair.source.sql("INSERT INTO shop.t VALUES (3), (4), (5)") == []
    other.sql("INSERT INTO shop.t VALUES (666)")
    result = pair.link(coordinates=coordinates, **there)
    assert result["failed"] and "another server answers" in result["msg"] and pair.status() == {}, result
    # Nothing was applied yet: the address is one of the arguments that are mended then.
    failed = pair.link(coordinates=coordinates, method="position", link_port=1, wait_timeout=2)
    assert failed["failed"] and pair.running()[0] != "Yes"
    result = pair.link(coordinates=coordinates, **there)
    assert result["failed"] and "another server answers" in result["msg"] and pair.status()["Master_Port"] == "1", result
    # Where only the replica reaches the address, the link itself tells as soon as it has connected.
    monkeypatch.setattr(_link_apply, "wrong_address", lambda *_all: None)
    result = pair.link(coordinates=coordinates, **there)
    assert result["failed"] and "follows another server" in result["msg"] and pair.running() == ("No", "No"), result


def test_row_19_what_stopped_the_receiver_was_mended(linked):
    own = linked.replica.value("SELECT @@server_id")
    linked.replica.sql(f"CALL mysql.az_replication_stop; SET GLOBAL server_id = {linked.source.value('SELECT @@server_id')}; CALL mysql.az_replication_start")
    deadline = time.monotonic() + 10
    while linked.status()["Last_IO_Errno"] != "1593" and time.monotonic() < deadline:
        time.sleep(0.1)
    result = linked.link()
    assert result["failed"] and "same id" in result["msg"], result
    linked.replica.sql(f"SET GLOBAL server_id = {own}")
    mended = linked.link()
    assert mended["row"] == 19 and mended["changed"] and linked.arrives(40), mended


def test_row_5_the_log_is_gone(linked):
    linked.link(state="absent")
    for number in range(2):
        linked.source.sql(f"FLUSH BINARY LOGS; INSERT INTO shop.t VALUES ({800 + number})")
    linked.source.purge()
    result = linked.link()
    assert result["failed"] and result["row"] == 5 and "no longer has" in result["msg"]
    assert linked.status() == {}


def test_row_8_a_link_that_others_removed(linked):
    linked.link()
    linked.replica.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_remove_master")
    result = linked.link()
    assert result["failed"] and result["row"] == 8 and linked.status() == {}


def test_row_16_a_link_made_by_hand_is_taken_over(pair):
    coordinates = pair.end()
    where = f"'{coordinates['gtid']}'" if pair.mariadb else f"'{coordinates['file']}', {coordinates['position']}"
    name = "change_master_with_gtid" if pair.mariadb else "change_master"
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    state = pair.source.state
    with open(state["ca"], encoding="ascii") as stream:
        ca = stream.read()
    pair.replica.sql(
        f"CALL mysql.az_replication_{name}('{state['host']}', 'datain', '{quoted}', {state['port']}, {where}, '{ca}');"
        "CALL mysql.az_replication_start"
    )
    time.sleep(1)
    before = pair.status()["Relay_Log_File"]
    result = pair.link()
    assert result["row"] == 16 and [step["action"] for step in result["actions"]] == ["record"]
    assert pair.status()["Relay_Log_File"] == before and pair.running() == ("Yes", "Yes")
    assert not pair.link()["changed"]


def test_row_9_another_server(linked, lab):
    other = lab("link-other-" + linked.source.flavour, FLAVOURS[linked.source.flavour][0])
    state = other.state
    result = linked.link(source=other.login(login_tls="required"), link_host=state["host"], link_port=state["port"])
    assert result["failed"] and result["row"] == 9 and linked.running() == ("Yes", "Yes")


def test_row_11_another_method(linked):
    result = linked.link(method="position" if linked.mariadb else "gtid")
    assert result["failed"] and result["row"] == 11 and linked.running() == ("Yes", "Yes")


@pytest.mark.parametrize("what", ["password", "port"])
def test_row_10_made_with_wrong_arguments_and_mended(pair, what):
    wrong = {
        "password": {"replication_password": "wrong"},
        "port": {"link_port": 1, "wait_timeout": 3},
    }[what]
    coordinates = pair.end()
    failed = pair.link(coordinates=coordinates, **wrong)
    code = {"password": 1045, "port": 2003}[what]
    assert failed["failed"] and str(code) in failed["msg"] and failed["hint"]
    assert PASSWORD not in str(failed) and "wrong" not in failed["msg"]
    pair.source.sql("INSERT INTO shop.t VALUES (50)")
    mended = pair.link(coordinates=coordinates)
    assert not mended.get("failed"), mended
    assert mended["row"] == 10 and pair.arrives(51)
    assert pair.rows()[0] == pair.rows()[1]
    assert not pair.link(coordinates=coordinates)["changed"]


def test_a_ca_that_did_not_sign_the_certificate_is_told_before_the_link_is_made(pair):
    result = pair.link(coordinates=pair.end(), link_ca=pair.source.state["wrong_ca"])
    assert result["failed"] and "datain_link_ca" in result["msg"] and pair.status() == {}


def test_row_18_the_password_was_changed_behind_our_back(linked):
    linked.source.sql("ALTER USER datain@'%' IDENTIFIED BY 'another'")
    linked.replica.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
    time.sleep(2)
    result = linked.link()
    assert result["failed"] and result["row"] == 18 and "login" in result["msg"]
    # With the password that the account has now, the link is made again.
    mended = linked.link(replication_password="another")
    assert not mended.get("failed"), mended
    assert mended["row"] == 14 and linked.arrives(70)


def test_row_18_the_network_is_waited_for(pair):
    door = Door(pair.source.state["port"])
    made = pair.link(coordinates=pair.end(), link_port=door.port)
    assert not made.get("failed"), made
    door.shut()
    pair.source.sql("INSERT INTO shop.t VALUES (80)")
    deadline = time.monotonic() + 10
    while pair.running()[0] == "Yes" and time.monotonic() < deadline:
        time.sleep(0.1)
    before = pair.status()
    result = pair.link(link_port=door.port, wait_timeout=2)
    assert result["failed"] and result["row"] == 18 and "not healthy after 2 s" in result["msg"], result
    after = pair.status()
    assert [after[key] for key in ("Relay_Log_File", "Exec_Master_Log_Pos")] == [before[key] for key in ("Relay_Log_File", "Exec_Master_Log_Pos")]
    assert pair.running() == ("Connecting", "Yes")
    door.open()
    # Else it would try again after a minute only.
    pair.replica.sql("CALL mysql.az_replication_stop; CALL mysql.az_replication_start")
    assert pair.arrives(81) and pair.rows()[0] == pair.rows()[1]
    assert not pair.link(link_port=door.port)["changed"]
    door.shut()


def test_row_20_the_applier(linked):
    linked.replica.sql("INSERT INTO shop.t VALUES (77)")
    linked.source.sql("INSERT INTO shop.t VALUES (77)")
    deadline = time.monotonic() + 10
    while linked.running()[1] == "Yes" and time.monotonic() < deadline:
        time.sleep(0.1)
    result = linked.link()
    assert result["failed"] and result["row"] == 20 and "1062" in result["msg"] and "77" in result["msg"]
    # It is reported, not failed, where the link is to be stopped.
    stopped = linked.link(state="stopped")
    assert not stopped.get("failed") and stopped["findings"][0]["rule"] == "link.error"


def test_row_19_the_log_was_purged_under_a_stopped_link(linked):
    linked.link(state="stopped")
    for number in range(2):
        linked.source.sql(f"FLUSH BINARY LOGS; INSERT INTO shop.t VALUES ({900 + number})")
    linked.source.purge()
    result = linked.link()
    assert result["failed"] and result["row"] == 19 and "seed again" in result["hint"], result


def test_row_2_a_named_channel(pair):
    name = "'side'"
    made = f"CHANGE MASTER {name} TO MASTER_HOST='nowhere'" if pair.mariadb else f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='nowhere' FOR CHANNEL {name}"
    pair.replica.sql(made)
    try:
        result = pair.link(coordinates=pair.end())
        assert result["failed"] and result["row"] == 2
    finally:
        pair.replica.sql(f"RESET SLAVE {name} ALL" if pair.mariadb else f"RESET REPLICA ALL FOR CHANNEL {name}")


def test_row_2_a_read_replica_of_the_platform(linked):
    linked.replica.sql("SET GLOBAL read_only = 1")
    result = linked.link(replication_user="another")
    assert result["failed"] and result["row"] == 2 and linked.running() == ("Yes", "Yes")
    assert linked.status()["Master_User"] == "datain"


def test_row_1_the_status_cannot_be_read(linked):
    """That no rows come is not the same as that there are none."""
    linked.replica.sql("CREATE USER blind@'%' IDENTIFIED BY 'blind'; GRANT SELECT, EXECUTE ON *.* TO blind@'%'")
    login = {**linked.login(), "login_user": "blind", "login_password": "blind"}
    result = linked.perform(_replica_link.CAPABILITY, login, **linked.options(replication_user="another"))
    assert result["failed"] and result["error"]["code"] == 1227 and linked.running() == ("Yes", "Yes")
    assert linked.status()["Master_User"] == "datain"


def test_row_1_the_lock_is_held_and_the_holder_is_named(pair):
    holder = subprocess.Popen(
        [*pair.replica.state["client"], "-N", "-e", "SELECT GET_LOCK('datain.link', 0), SLEEP(15)"],
        env=pair.replica.environment,
        stdout=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    try:
        result = pair.link(coordinates=pair.end())
    finally:
        holder.kill()
        holder.wait()
    assert result["failed"] and result["error"]["kind"] == "locked" and "root" in result["msg"]
    assert pair.status() == {}


def test_row_3_a_promoted_server(linked):
    linked.link(state="absent")
    identities = linked.info()["records"]["link"]["identities"]
    document = str({"phase": "promoted", "identities": identities}).replace("'", '"').replace("None", "null")
    linked.replica.sql(f"INSERT INTO datain_state.record VALUES ('cutover', '{document}')")
    result = linked.link()
    assert result["failed"] and result["row"] == 3 and linked.status() == {}


def test_a_link_without_tls(pair):
    if not pair.mariadb:
        pair.source.sql("ALTER USER datain@'%' IDENTIFIED WITH mysql_native_password BY 'plain' REQUIRE NONE")
    else:
        pair.source.sql("ALTER USER datain@'%' IDENTIFIED BY 'plain' REQUIRE NONE")
    result = pair.link(coordinates=pair.end(), link_ca="", replication_password="plain")
    assert not result.get("failed"), result
    assert pair.status()["Master_SSL_Allowed"] == "No" and pair.arrives(3)


def test_a_log_that_records_the_password_is_named(pair):
    pair.replica.sql("SET GLOBAL general_log = 1")
    try:
        result = pair.link(coordinates=pair.end())
    finally:
        pair.replica.sql("SET GLOBAL general_log = 0")
    assert not result.get("failed"), result
    assert any("general_log is ON" in warning and "clear text" in warning for warning in result["warnings"])
    pair.link(state="absent")
    assert "warnings" not in pair.link()
