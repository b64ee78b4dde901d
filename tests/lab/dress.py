# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""What is the same for every way to run a server: its options, and what is told to it by SQL."""

from __future__ import annotations

import re
import secrets
import zlib

import catalogue
import service
from service import literal

SYSTEM = ("mysql", "information_schema", "performance_schema", "sys")
# Accounts that belong to a server of the lab and survive a reset.
OWN = ("root", "azure_superuser", "mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys")


def password():
    """Unlike any other text, no quoting needed, shorter than the 32 characters that replication allows."""
    return secrets.token_urlsafe(18).replace("_", "x").replace("-", "y")


def server_id(name, lab):
    return zlib.crc32(("%s/%s" % (lab, name)).encode()) or 1


def canonical(option):
    return option.replace("-", "_").lower()


def grammar(entry):
    return catalogue.GRAMMARS[entry["grammar"]]


def options(state, entry, settings, places, without_tls=False):
    """The server's options as a dict; a value may be a list (given several times) or None (a bare word)."""
    flavour = entry["flavour"]
    result = dict(catalogue.OPTIONS["initialise"], **catalogue.OPTIONS["both"], **catalogue.OPTIONS[flavour])
    if state["service"]:
        result.update(service.options(entry, state["service"], state.get("with", [])))
    result.update(entry.get("options", {}))
    result.update(places)
    if without_tls:
        for key in ("ssl_ca", "ssl_cert", "ssl_key"):
            result.pop(key, None)
        result.update(grammar(entry)["without_tls"])
    if without_tls or not entry.get("client_tls", True):
        result.pop("require_secure_transport", None)
    for setting in settings:
        option, given, value = setting.partition("=")
        option = canonical(option)
        if option == "skip_log_bin":
            for key in [key for key in result if key.startswith("log_bin") and key != "log_bin_trust_function_creators"]:
                del result[key]
            if flavour == "mysql":
                result["skip_log_bin"] = None
            continue
        result[option] = value if given else None
    if str(result.get("gtid_mode", "")).upper() not in ("", "OFF"):
        result.setdefault("enforce_gtid_consistency", "ON")
        result.setdefault("loose_log_slave_updates", "ON")  # 5.6 demands it
    return result


def option_file(values, sections=("mysqld",)):
    lines = ["[%s]\n" % section for section in sections]
    for option, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            lines.append("%s\n" % option if one is None else "%s = %s\n" % (option, one))
    return "".join(lines)


def dressing(state):
    """SQL that makes a fresh server what its entry says; root runs it, no binary log keeps it. Runs again after a reset."""
    words = grammar(catalogue.SERVERS[state["server"]])
    admin = "%s@'%%'" % literal(state["admin_user"])
    lines = ["SET SESSION sql_log_bin=0;"]
    lines += [words["drop_account"] % {"account": admin},
              "CREATE USER %s IDENTIFIED BY %s;" % (admin, literal(state["admin_password"]))]
    if not state["service"]:
        lines.append("GRANT ALL PRIVILEGES ON *.* TO %s WITH GRANT OPTION;" % admin)
        return "\n".join(lines) + "\n"
    for host in ("localhost", "127.0.0.1"):
        owner = "'azure_superuser'@'%s'" % host
        lines += [words["drop_account"] % {"account": owner},
                  "CREATE USER %s IDENTIFIED BY %s%s;" % (owner, literal(password()), words["lock_account"]),
                  "GRANT ALL PRIVILEGES ON *.* TO %s WITH GRANT OPTION;" % owner]
    return "\n".join([*lines, *service.dressing(state, admin)]) + "\n"


def clearing(state, databases, accounts, tables, logging):
    """SQL that takes away what was done since `up`; the names come from the server itself."""
    mysql, words = state["flavour"] == "mysql", grammar(catalogue.SERVERS[state["server"]])
    lines = ["SET SESSION sql_log_bin=0;", "SET SESSION foreign_key_checks=0;", *words["unlink"]]
    lines += [*([words["empty_log"]] if logging else []), *words["forget"]]
    lines += ["DROP DATABASE IF EXISTS `%s`;" % name.replace("`", "``") for name in databases if name not in SYSTEM]
    lines += ["DROP TABLE IF EXISTS mysql.`%s`;" % name.replace("`", "``") for name in tables]
    for user, host in accounts:
        if user not in OWN and not mysql and not host:
            lines.append("DROP ROLE IF EXISTS %s;" % literal(user))
        elif user not in OWN:
            lines.append("DROP USER %s@%s;" % (literal(user), literal(host)))
    return "\n".join(lines) + "\n"


NUMBER = re.compile(r"^-?[0-9]+(\.[0-9]+)?$")
# Read-outs and states that a reset restores in another way.
NOT_RESTORED = re.compile(r"^(gtid_(executed|purged|slave_pos|binlog_pos|binlog_state|current_pos|owned)|timestamp|server_uid|innodb_.*_debug)$")


def restoring(before, now):
    """SQL that sets the changed global variables back."""
    lines = []
    for name, value in sorted(before.items()):
        if now.get(name, value) == value or NOT_RESTORED.match(name):
            continue
        if name == "gtid_mode":
            steps = ["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"]
            here, there = steps.index(now[name]), steps.index(value)
            way = steps[here + 1:there + 1] if there > here else steps[there:here][::-1]
            lines += ["SET GLOBAL gtid_mode=%s;" % step for step in way]
            continue
        lines.append("SET GLOBAL %s=%s;" % (name, value if NUMBER.match(value) else literal(value)))
    # gtid_mode OFF comes before enforce_gtid_consistency OFF, ON after it.
    lines.sort(key=lambda line: "enforce_gtid" in line)
    return lines
