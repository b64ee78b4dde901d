# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""What makes a server a managed one: the options, the administrator's grants and the procedures of its service, with its switches."""

from __future__ import annotations

import pathlib
import re

import catalogue
from layout import LabError

SQL = pathlib.Path(__file__).parent / "sql"


def literal(text):
    return "'%s'" % str(text).replace("\\", "\\\\").replace("'", "''")


def number(version):
    return tuple(int(part) for part in version.split("."))


def knows(entry, word):
    """Tell whether this server knows a privilege, an option, or a procedure of its service."""
    since, before = catalogue.KNOWN[entry["flavour"]].get(word, ("0", None))
    return number(since) <= number(entry["version"]) and (before is None or number(entry["version"]) < number(before))


def check(server, service, switches):
    """:raises LabError: there is no such managed server"""
    entry = catalogue.SERVERS[server]
    if switches and not service:
        raise LabError("switches are for managed servers: --service")
    if service and server not in catalogue.SERVICES[service]["servers"]:
        raise LabError("%s is no %s; there is: %s" % (server, service, ", ".join(catalogue.SERVICES[service]["servers"])))
    for name in switches:
        switch = catalogue.SWITCHES[name]
        if service not in switch.get("services", catalogue.SERVICES):
            raise LabError("%s is for %s" % (name, ", ".join(switch["services"])))
        if not knows(entry, switch.get("needs")):
            raise LabError("%s needs %s, which %s does not know" % (name, switch["needs"], server))


def options(entry, service, switches):
    """The options of a managed server; what the server does not know is left out."""
    values = dict(catalogue.SERVICES[service]["options"])
    for name in switches:
        values.update(catalogue.SWITCHES[name].get("options", {}))
    return {option: value for option, value in values.items() if value is not None and knows(entry, option)}


def procedures(entry, service, switches):
    """The names of the procedures that this managed server has."""
    taken = {procedure for name in switches for procedure in catalogue.SWITCHES[name].get("without", [])}
    return [name for name in catalogue.SERVICES[service]["procedures"] if name not in taken and knows(entry, name)]


def dressing(state, admin):
    """SQL lines: what the administrator may, and the procedures. Errors are the engine's own, unless a switch says otherwise."""
    entry, table, switches = catalogue.SERVERS[state["server"]], catalogue.SERVICES[state["service"]], state.get("with", [])
    lines = ["GRANT %s ON *.* TO %s WITH GRANT OPTION;" % (", ".join(right for right in table["grants"] if knows(entry, right)), admin)]
    if table["revoke_on_mysql"] and knows(entry, "partial_revokes"):
        lines.append("REVOKE %s ON mysql.* FROM %s;" % (", ".join(table["revoke_on_mysql"]), admin))
    words = dict(catalogue.GRAMMARS[entry["grammar"]]["procedures"], files=state["files_dir"], failure="", before="", after="",
                 admin=admin, admin_quoted=admin.replace("'", "''"))
    for name in switches:
        words.update(catalogue.SWITCHES[name].get("sql", {}))
    lines.append("DELIMITER $$")
    for name in table["procedures"]:
        lines.append("DROP PROCEDURE IF EXISTS mysql.az_replication_%s$$" % name)
    scripts = procedures(entry, state["service"], switches)
    scripts += [script for name in switches for script in catalogue.SWITCHES[name].get("afterwards", [])]
    lines += [_text(script, entry["flavour"], words) for script in scripts]
    lines.append("DELIMITER ;")
    return lines


def _text(name, flavour, words):
    """A file of sql/: the flavour's own, or the one for both; a word in braces is one of `words`, or another file."""
    file = next(path for folder in (flavour, "both") for path in [SQL / folder / ("%s.sql" % name)] if path.exists())
    lines = [line for line in file.read_text().splitlines() if not line.startswith("-- SPDX-")]
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]] if found[1] in words else _text(found[1], flavour, words), "\n".join(lines))
