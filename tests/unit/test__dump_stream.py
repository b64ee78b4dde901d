# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter between the clients, on real dumps of both flavours (dumps/) and on texts made to mislead it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.datain.azure_mysql.plugins.module_utils._dump_stream import DumpFilter, DumpFormatError, unquote
from ansible_collections.datain.azure_mysql.plugins.module_utils._model import Coordinates

DUMPS = Path(__file__).parent / "dumps"
REAL = ["mysql-8.0.33.sql", "mariadb-10.11.sql"]


def passed(text, size=1 << 16, **options):
    """Feed a dump in pieces; return the filter and what it passed on."""
    if isinstance(text, str):
        text = text.encode()
    found = DumpFilter(**options)
    out = b"".join(found.feed(text[start:start + size]) for start in range(0, len(text), size))
    return found, out.decode()


@pytest.fixture(params=REAL)
def dump(request):
    return (DUMPS / request.param).read_bytes()


class TestRealDumps:
    def test_pieces_of_any_size_give_the_same(self, dump):
        assert len({passed(dump, size)[1] for size in (1, 2, 3, 7, 63, 64, 4096, len(dump))}) == 1

    def test_it_is_complete(self, dump):
        found, _out = passed(dump)
        assert found.complete
        assert not found.unfinished

    @pytest.mark.parametrize("cut", [100, 5000, 9000, 12000, 15000, -3000, -60])
    def test_a_cut_dump_is_not(self, dump, cut):
        found, _out = passed(dump[:cut])
        assert not found.complete

    @pytest.mark.parametrize(
        ("name", "coordinates"),
        [("mysql-8.0.33.sql", ("binlog.000001",)), ("mariadb-10.11.sql", ("binlog.000001",))],
    )
    def test_coordinates(self, name, coordinates):
        found, _out = passed((DUMPS / name).read_bytes())
        assert found.coordinates.file == coordinates[0]
        assert found.coordinates.position > 4

    def test_gtid_set_of_mysql(self):
        found, out = passed((DUMPS / REAL[0]).read_bytes())
        assert found.gtid.startswith("ddeabd0a-e58e-11f1-9dfe-02fc00000001:1-")
        # The one that is left stands in the body of a procedure.
        assert out.count("GTID_PURGED") == 1
        assert "SQL_LOG_BIN" not in out

    def test_no_sandbox_and_no_remarks(self, dump):
        _found, out = passed(dump)
        assert "sandbox" not in out
        outside = [line for line in out.splitlines() if line.startswith("--")]
        assert outside == ["-- Dump completed on 2020"]  # in the string of a procedure

    def test_definers_are_listed_and_left_out(self, dump):
        found, out = passed(dump)
        assert {(each["object"], each["name"], each["definer"]) for each in found.definers} == {
            ("trigger", "trg", "nobody@%"),
            ("event", "e2", "ev@%"),
            ("event", "e`ON COMPLETION PRESERVE ENABLE", "ev@%"),
            ("function", "f`1", "nobody@%"),
            ("procedure", "p1", "nobody@%"),
            ("procedure", "p2", "nobody@%"),
            ("view", "v", "root@localhost"),
            ("view", "v1", "app`x@10.%"),
            ("view", "v2", "root@localhost"),
        }
        assert {each["schema"] for each in found.definers} == {"shop", "od`d -sch em#a ü"}
        for real in ("nobody", "`ev`@", "`app``x`"):
            assert real not in out
        assert "SQL SECURITY INVOKER" in out

    def test_what_only_looks_like_a_definer_stays(self, dump):
        _found, out = passed(dump)
        text = dump.decode()
        for harmless in (
            "COMMENT='DEFINER=`x`@`y` it''s'",
            "`DEFINER=``a``@``b```",
            "'DEFINER=`q`@`r`' AS `txt`",
            "-- DEFINER=`in`@`body` ;;",
            "CREATE DEFINER=`no`@`touch` PROCEDURE z() SELECT 1', \"x;;'y\";",
            "CREATE DEFINER=`root`@`localhost` PROCEDURE x() BEGIN END ;;\\nDELIMITER ;;",
            "COMMENT 'DEFINER=`x`@`y`'",
        ):
            assert harmless in text
            assert harmless in out

    def test_events_that_run_are_switched_off_and_listed(self, dump):
        found, out = passed(dump)
        assert found.events == [{"schema": "shop", "name": "e`ON COMPLETION PRESERVE ENABLE"}]
        assert "ON COMPLETION NOT PRESERVE DISABLE ON SLAVE COMMENT 'ON COMPLETION NOT PRESERVE ENABLE' DO" in out
        assert "ON COMPLETION PRESERVE DISABLE DO SELECT 1" in out
        assert "WHERE b = 'ENABLE'" in out

    def test_tables_and_views(self, dump):
        found, _out = passed(dump)
        assert found.tables == {
            *(("shop", name) for name in ("bin", "child", "items", "nokey", "parent", "v1", "v2", "we`ird tab'le")),
            ("od`d -sch em#a ü", "t"),
            ("od`d -sch em#a ü", "v"),
            ("-dash", "t"),
        }

    def test_rows_pass_untouched(self, dump):
        _found, out = passed(dump)
        rows = [line for line in dump.decode().splitlines() if line.startswith(("INSERT ", "("))]
        assert rows
        assert [line for line in out.splitlines() if line.startswith(("INSERT ", "("))] == rows


class TestStatements:
    @pytest.mark.parametrize(
        "line",
        [
            "/*!999999\\- enable the sandbox mode */ \n",
            "/*M!999999\\- enable the sandbox mode */\n",
            "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\n",
            "SET @@SESSION.SQL_LOG_BIN= 0;\n",
            "SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n",
            "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-5';\n",
            "SET GLOBAL gtid_slave_pos='0-1-5';\n",
            "/*!50000 SET sql_log_bin=0 */;\n",
            "CHANGE MASTER TO MASTER_LOG_FILE='b.1', MASTER_LOG_POS=4;\n",
            "CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='b.1', SOURCE_LOG_POS=4;\n",
            "-- anything\n",
            "--\n",
            "\n",
        ],
    )
    def test_dropped(self, line):
        assert passed(line)[1] == ""

    @pytest.mark.parametrize(
        "line",
        [
            "/*!40101 SET NAMES utf8mb4 */;",
            "SET @saved_cs_client     = @@character_set_client;",
            "/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;",
            "DELIMITER ;;",
            "INSERT INTO `t` VALUES ('SET @@SESSION.SQL_LOG_BIN= 0;');",
        ],
    )
    def test_kept(self, line):
        assert passed(line + "\n")[1] == line + "\n"

    def test_gtid_set_of_many_lines(self):
        text = (
            "/* SET @@GLOBAL.GTID_PURGED='+0b6b1e9c-0000-11ef-8000-000000000001:1-5,\n"
            "0b6b1e9c-0000-11ef-8000-000000000002:1-7:9';*/\nUSE `s`;\n"
        )
        found, out = passed(text, 5)
        assert found.gtid == "0b6b1e9c-0000-11ef-8000-000000000001:1-5,0b6b1e9c-0000-11ef-8000-000000000002:1-7:9"
        assert out == "USE `s`;\n"

    def test_gtid_set_in_a_statement(self):
        found, out = passed("SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-5,\nb:1-2';\n")
        assert (found.gtid, out) == ("a:1-5,b:1-2", "")

    @pytest.mark.parametrize(
        "line",
        [
            "-- CHANGE MASTER TO MASTER_LOG_FILE='mysql-bin.000042', MASTER_LOG_POS=1234;",
            "-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='mysql-bin.000042', SOURCE_LOG_POS=1234;",
        ],
    )
    def test_coordinates(self, line):
        assert passed(line + "\n")[0].coordinates == Coordinates("mysql-bin.000042", 1234)

    def test_only_the_first_coordinates_count_and_only_before_the_data(self):
        first = "-- CHANGE MASTER TO MASTER_LOG_FILE='b.000001', MASTER_LOG_POS=100;\n"
        other = first.replace("100", "200")
        assert passed(first + other)[0].coordinates.position == 100
        assert passed("USE `s`;\n" + other)[0].coordinates is None

    def test_the_end_marker_in_a_body_is_none(self):
        body = "DELIMITER ;;\nCREATE PROCEDURE `p`()\nBEGIN\n/*\n-- Dump completed on x\n*/\nSELECT '\n-- Dump completed\n';\nEND ;;\nDELIMITER ;\n"
        found, out = passed(body, 3)
        assert not found.complete
        assert out == body

    def test_modes_that_the_replica_refuses_are_left_out(self):
        text = "/*!50003 SET sql_mode              = 'NO_ZERO_DATE,NO_AUTO_CREATE_USER,ANSI_QUOTES' */ ;\n"
        assert passed(text)[1] == text
        removed = frozenset(("NO_AUTO_CREATE_USER", "DB2"))
        assert passed(text, removed_modes=removed)[1] == text.replace("NO_AUTO_CREATE_USER,", "")
        other = "/*!50003 SET sql_mode = @saved_sql_mode */ ;\n/*!50003 SET sql_mode = '' */ ;\n"
        assert passed(other, removed_modes=removed)[1] == other

    def test_strings_end_as_the_mode_says(self):
        text = (
            "/*!50003 SET sql_mode              = 'NO_BACKSLASH_ESCAPES' */ ;\n"
            "DELIMITER ;;\nCREATE DEFINER=`a`@`b` PROCEDURE `p`() SELECT 'x\\' ;;\nDELIMITER ;\n"
            "/*!50003 SET sql_mode              = @saved_sql_mode */ ;\n"
            "DELIMITER ;;\nCREATE DEFINER=`a`@`b` PROCEDURE `q`() SELECT 'x\\' ;;\n' ;;\nDELIMITER ;\n"
        )
        found, out = passed(text, 2)
        assert [each["name"] for each in found.definers] == ["p", "q"]
        assert not found.unfinished
        assert out == text.replace("DEFINER=`a`@`b` ", "")

    @pytest.mark.parametrize(
        ("text", "kind", "definer", "without"),
        [
            ("CREATE DEFINER=`a`@`%` FUNCTION `f`() RETURNS INT RETURN 1 ;;", "function", "a@%", "CREATE FUNCTION `f`() RETURNS INT RETURN 1 ;;"),
            ("CREATE DEFINER='a'@'%' PROCEDURE p() SELECT 1 ;;", "procedure", "a@%", "CREATE PROCEDURE p() SELECT 1 ;;"),
            ("CREATE DEFINER=`role` PROCEDURE p() SELECT 1 ;;", "procedure", "role", "CREATE PROCEDURE p() SELECT 1 ;;"),
            ("CREATE DEFINER=`a`@`%` AGGREGATE FUNCTION f(x INT) ;;", "aggregate function", "a@%", "CREATE AGGREGATE FUNCTION f(x INT) ;;"),
            ("CREATE DEFINER=`a`@`%` PACKAGE BODY `p` AS END ;;", "package body", "a@%", "CREATE PACKAGE BODY `p` AS END ;;"),
            (
                "/*!50003 CREATE*/ /*!50017 DEFINER=`a;;b`@`%`*/ /*!50003 TRIGGER `s`.`t` BEFORE INSERT ON `x` FOR EACH ROW SET @a=1 */;;",
                "trigger",
                "a;;b@%",
                "/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER `s`.`t` BEFORE INSERT ON `x` FOR EACH ROW SET @a=1 */;;",
            ),
        ],
    )
    def test_heads(self, text, kind, definer, without):
        found, out = passed("DELIMITER ;;\n" + text + "\n")
        assert [(each["object"], each["definer"]) for each in found.definers] == [(kind, definer)]
        assert out == "DELIMITER ;;\n" + without + "\n"

    def test_a_definer_with_a_line_break(self):
        found, out = passed("DELIMITER ;;\nCREATE DEFINER=`a\nb`@`%` PROCEDURE `p`() SELECT 1 ;;\n", 4)
        assert found.definers[0]["definer"] == "a\nb@%"
        assert "DEFINER" not in out

    @pytest.mark.parametrize(
        ("status", "becomes", "listed"),
        [
            ("ENABLE", "DISABLE ON REPLICA", True),
            ("DISABLE", "DISABLE", False),
            ("DISABLE ON SLAVE", "DISABLE ON SLAVE", False),
            ("DISABLE ON REPLICA", "DISABLE ON REPLICA", False),
        ],
    )
    def test_events(self, status, becomes, listed):
        text = "DELIMITER ;;\nCREATE EVENT `e` ON SCHEDULE EVERY '1:1' HOUR_MINUTE STARTS '2030-01-01 00:00:00' ON COMPLETION PRESERVE %s DO SELECT 1 ;;\n"
        found, out = passed(text % status, event_status="DISABLE ON REPLICA")
        assert out == text % becomes
        assert bool(found.events) is listed

    def test_an_event_that_cannot_be_understood_stops_everything(self):
        with pytest.raises(DumpFormatError, match="s.e"):
            passed("USE `s`;\nDELIMITER ;;\nCREATE EVENT `e` ON SCHEDULE SOMETIMES DO SELECT 1 ;;\n")

    def test_unfinished(self):
        assert passed("CREATE TABLE `t` (\n  `a` int\n")[0].unfinished
        assert passed("INSERT INTO `t` VALUES (1")[0].unfinished
        assert not passed("USE `t`;\n")[0].unfinished

    def test_memory_does_not_grow_with_an_insert(self):
        found = DumpFilter()
        found.feed(b"INSERT INTO `t` VALUES (0x")
        for _piece in range(100):
            assert found.feed(b"00" * 1000)
        assert len(found._buffer) < 10


def test_unquote():
    assert [unquote(name) for name in (b"`a``b`", b'"a""b"', b"'a'", b"a")] == ["a`b", 'a"b', "a", "a"]


@pytest.mark.parametrize("dump", ["mysql-8.0.33.sql", "mariadb-10.11.sql"])
def test_a_view_that_stayed_a_placeholder_makes_the_dump_incomplete(dump: str) -> None:
    text = (DUMPS / dump).read_bytes()
    last = text.rindex(b"/*!50001 DROP VIEW IF EXISTS")
    end = text.rindex(b"-- Dump completed")
    stream = DumpFilter()
    stream.feed(text[:last] + text[end:])
    assert len(stream.placeholders) == 1 and not stream.complete
