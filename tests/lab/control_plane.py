# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The datain.azure_mysql contributors

"""Answers what `az` is asked about a managed server, for the servers of the lab: documents, parameters, firewall, GTID reset.

A server's name in the control plane is its name in the lab; the resource group can be any. Shapes and refusals: azure-facts §2.8, §4.2, §4.3.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

import catalogue
import service
from layout import LabError, load, server_dir, write_private

LAB = pathlib.Path(__file__).parent
SUBSCRIPTION = "ffffffff-ffff-ffff-ffff-ffffffffffff"
FLEXIBLE, SINGLE, MARIADB = ("mysql", "flexible-server"), ("mysql", "server"), ("mariadb", "server")
TYPES = {FLEXIBLE: "Microsoft.DBforMySQL/flexibleServers", SINGLE: "Microsoft.DBforMySQL/servers", MARIADB: "Microsoft.DBforMariaDB/servers"}
GROUPS = {"mysql_flexible_server": FLEXIBLE, "mysql_single_server": SINGLE, "mysql_data_sync": SINGLE, "mariadb_server": MARIADB}
CREATED = "2026-10-01T09:00:00+00:00"
# What the parameters list shows, and whether a server takes the change while it runs; None: it cannot be changed.
PARAMETERS = {
    "binlog_expire_logs_seconds": True, "binlog_row_image": True, "enforce_gtid_consistency": True, "event_scheduler": True, "gtid_mode": True,
    "log_bin": None, "binlog_format": None, "log_bin_trust_function_creators": True, "lower_case_table_names": None, "max_allowed_packet": True,
    "replicate_wild_ignore_table": False, "require_secure_transport": True, "slave_parallel_workers": True,
    "sql_generate_invisible_primary_key": True, "sync_master_info": True, "sync_relay_log_info": True, "wait_timeout": True,
}


class Refused(Exception):
    """An answer of the control plane that is no document."""

    def __init__(self, code, message, status=1):
        super().__init__("ERROR: (%s) %s\nCode: %s\nMessage: %s" % (code, message, code, message))
        self.status = status


class Managed:
    """A managed server of the lab, as its control plane sees it."""

    def __init__(self, group, resource_group, name):
        self.group, self.resource_group, self.name = group, resource_group, name
        try:
            self.state = load(name)
        except LabError:
            self.state = {"service": None}
        if GROUPS.get(self.state["service"]) != group:
            raise Refused("ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found. For more details please go to "
                          "https://aka.ms/ARMResourceNotFoundFix" % (TYPES[group], name, resource_group), 3)
        self.notes_file = server_dir(name) / "control-plane.json"

    def notes(self):
        """What the control plane knows beside the server's state."""
        return json.loads(self.notes_file.read_text()) if self.notes_file.exists() else {"firewall": {}, "earliest": CREATED}

    def note(self, **changes):
        write_private(self.notes_file, json.dumps(dict(self.notes(), **changes)))

    def resource(self, kind=None, name=None):
        """What every resource has: this server, or something of it."""
        path = "/subscriptions/%s/resourceGroups/%s/providers/%s/%s" % (SUBSCRIPTION, self.resource_group, TYPES[self.group], self.name)
        if kind is None:
            return {"id": path, "name": self.name, "resourceGroup": self.resource_group, "type": TYPES[self.group]}
        return {"id": "%s/%s/%s" % (path, kind, name), "name": name, "resourceGroup": self.resource_group, "type": "%s/%s" % (TYPES[self.group], kind)}

    def ask(self, text):
        done = subprocess.run([*self.state["client"], "-N", "-B"], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused("InternalServerError", done.stderr.strip().splitlines()[-1])
        return [line.split("\t") for line in done.stdout.splitlines()]

    def differs(self, path):
        """Tell what the switches say about a member of the document."""
        for name in self.state["with"]:
            found = catalogue.SWITCHES[name].get("document", {})
            for step in path:
                found = found.get(step, {})
            if found:
                return found
        return None


def merged(document, changes, words):
    """The document with the changes of a switch; members that this kind of server does not have stay away."""
    for key, value in changes.items():
        if key not in document:
            continue
        if isinstance(value, dict):
            merged(document[key], value, words)
        else:
            document[key] = value.format(**words)
    return document


# ---------------------------------------------------------------- commands


def show(server, _args):
    make = _flexible if server.group == FLEXIBLE else _single
    document = dict(make(server), **server.resource(), tags=None, identity=None)
    words = {"subscription": SUBSCRIPTION, "group": server.resource_group}
    for name in server.state["with"]:
        merged(document, catalogue.SWITCHES[name].get("document", {}), words)
    return document


def _flexible(server):
    version = server.state["version"]
    return {
        "administratorLogin": server.state["admin_user"], "administratorLoginPassword": None, "availabilityZone": "1",
        "backup": {"backupIntervalHours": 24, "backupRetentionDays": 7, "earliestRestoreDate": server.notes()["earliest"],
                   "geoRedundantBackup": "Disabled"},
        "createMode": None, "dataEncryption": None, "databasePort": server.state["port"], "fullVersion": version,
        "fullyQualifiedDomainName": "%s.mysql.database.azure.com" % server.name,
        "highAvailability": {"mode": "Disabled", "replicationMode": None, "standbyAvailabilityZone": "", "state": "NotEnabled"},
        "importSourceProperties": None, "location": "West Europe", "maintenancePolicy": {"patchStrategy": "Regular"},
        "maintenanceWindow": {"batchOfMaintenance": "Default", "customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0},
        "network": {"delegatedSubnetResourceId": None, "privateDnsZoneResourceId": None, "publicNetworkAccess": "Enabled"},
        "privateEndpointConnections": [], "replicaCapacity": 10, "replicationRole": "None", "restorePointInTime": None,
        "sku": {"name": "Standard_D2ads_v5", "tier": "GeneralPurpose"}, "sourceServerResourceId": None, "state": "Ready",
        "storage": {"autoGrow": "Enabled", "autoIoScaling": "Enabled", "iops": 492, "logOnDisk": "Disabled", "storageRedundancy": "LocalRedundancy",
                    "storageSizeGb": 64, "storageSku": "Premium_LRS"},
        "systemData": {"createdAt": CREATED},
        # 8.0.21 stands for every 8.0.
        "version": "8.0.21" if version.startswith("8.0.") else ".".join(version.split(".")[:2]),
    }


def _single(server):
    return {
        "administratorLogin": server.state["admin_user"], "byokEnforcement": "Disabled", "earliestRestoreDate": server.notes()["earliest"],
        "fullyQualifiedDomainName": "%s.%s.database.azure.com" % (server.name, server.group[0]), "infrastructureEncryption": "Disabled",
        "location": "westeurope", "masterServerId": "", "minimalTlsVersion": "TLS1_2", "privateEndpointConnections": [],
        "publicNetworkAccess": "Enabled", "replicaCapacity": 5, "replicationRole": "None",
        "sku": {"capacity": 2, "family": "Gen5", "name": "GP_Gen5_2", "size": None, "tier": "GeneralPurpose"},
        "sslEnforcement": "Enabled" if server.state["client_tls"] else "Disabled",
        "storageProfile": {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled", "storageAutogrow": "Enabled", "storageMb": 131072},
        "userVisibleState": "Ready", "version": ".".join(server.state["version"].split(".")[:2]),
    }


def _parameters(server):
    found = dict(row[:2] for row in server.ask("SHOW GLOBAL VARIABLES;") if len(row) > 1)
    running = {name: found[name] for name in PARAMETERS if name in found}
    file = pathlib.Path(server.state["option_file_here"]).read_text()
    # MySQL has it as an option only, once for each pattern.
    running["replicate_wild_ignore_table"] = ",".join(re.findall(r"^replicate_wild_ignore_table = (.*)$", file, re.MULTILINE))
    return running


def _parameter(server, name, value):
    own = name in server.notes().get("parameters", [])
    document = {"allowedValues": "", "dataType": "String", "defaultValue": value, "description": "", "source": "user-override" if own else "system-default",
                "value": value, **server.resource("configurations", name)}
    if server.group == FLEXIBLE:
        document.update(currentValue=value, documentationLink="", isConfigPendingRestart="False", isDynamicConfig=str(bool(PARAMETERS[name])),
                        isReadOnly=str(PARAMETERS[name] is None))
    return document


def parameter_list(server, _args):
    return [_parameter(server, name, value) for name, value in sorted(_parameters(server).items())]


def parameter_show(server, args):
    running = _parameters(server)
    if args.name not in running:
        raise Refused("ConfigurationNotExists", "The configuration '%s' does not exist for %s server version %s." % (
            args.name, server.state["flavour"], server.state["version"]))
    return _parameter(server, args.name, running[args.name])


def parameter_set(server, args):
    parameter_show(server, args)
    if PARAMETERS[args.name] is None:
        raise Refused("ConfigurationReadOnly", "The configuration(s) '%s' is(are) read-only for MySQL server version %s." % (
            args.name, ".".join(server.state["version"].split(".")[:2])))
    if PARAMETERS[args.name]:
        value = args.value if re.fullmatch(r"-?\d+", args.value) else service.literal(args.value)
        server.ask("SET GLOBAL %s = %s;" % (args.name, value))
    path = pathlib.Path(server.state["option_file_here"])
    lines = [line for line in path.read_text().splitlines() if line.partition(" = ")[0] != args.name]
    values = args.value.split(",") if args.name == "replicate_wild_ignore_table" else [args.value]
    # It has one section, the server's.
    path.write_text("\n".join(lines + ["%s = %s" % (args.name, value) for value in values]) + "\n")
    server.note(parameters=[*server.notes().get("parameters", []), args.name])
    return parameter_show(server, args)


def restart(server, _args):
    subprocess.run([sys.executable, str(LAB), "restart", server.name], check=True)


def rule_list(server, _args):
    return [{"startIpAddress": ends[0], "endIpAddress": ends[1], **server.resource("firewallRules", name)}
            for name, ends in sorted(server.notes()["firewall"].items())]


def rule_create(server, args):
    name = args.rule_name or args.name
    server.note(firewall=dict(server.notes()["firewall"], **{name: [args.start_ip_address, args.end_ip_address or args.start_ip_address]}))
    return next(rule for rule in rule_list(server, args) if rule["name"] == name)


def gtid_reset(server, args):
    if not args.yes:
        raise Refused("NoTTYException", "Unable to prompt for confirmation as no tty available. Use --yes.")
    if server.differs(("backup", "geoRedundantBackup")) == "Enabled":
        raise Refused("GtidResetGeoRedundantBackupEnabled", "Cannot reset GTID set because geo-redundant backup is enabled.")
    if server.differs(("replicationRole",)) == "Source":
        raise Refused("GtidResetServerHasReadReplica", "Cannot reset GTID set because the server has read replicas.")
    done = subprocess.run([sys.executable, str(LAB), "gtid-reset", server.name, args.gtid_set], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused("InvalidGtidSet", done.stderr.strip())
    # Every backup from before is void.
    server.note(earliest=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()))


# The command, its words, and whether the server is called --name or --server-name.
_VALUE = ["--name", "-n"], ["--value", "-v"]
_RULE = ["--rule-name", "-r"], ["--start-ip-address"], ["--end-ip-address"]
COMMANDS = {
    **{(*group, "show"): (show, "name", ()) for group in TYPES},
    **{(*group, "restart"): (restart, "name", ()) for group in TYPES},
    **{(*group, word, verb): (run, "server-name", options)
       for group, word in ((FLEXIBLE, "parameter"), (SINGLE, "configuration"), (MARIADB, "configuration"))
       for verb, run, options in (("list", parameter_list, ()), ("show", parameter_show, _VALUE[:1]), ("set", parameter_set, _VALUE))},
    (*FLEXIBLE, "firewall-rule", "list"): (rule_list, "name", ()),
    (*FLEXIBLE, "firewall-rule", "create"): (rule_create, "name", _RULE),
    **{(*group, "firewall-rule", "list"): (rule_list, "server-name", ()) for group in (SINGLE, MARIADB)},
    **{(*group, "firewall-rule", "create"): (rule_create, "server-name", (["--name", "-n"], *_RULE)) for group in (SINGLE, MARIADB)},
    (*FLEXIBLE, "gtid", "reset"): (gtid_reset, "server-name", (["--gtid-set"],)),
}


def main(words):
    command = next((command for command in COMMANDS if tuple(words[:len(command)]) == command), None)
    if command is None:
        print("ERROR: '%s' is misspelled or not recognized by the system." % " ".join(words[:4]), file=sys.stderr)
        return 2
    run, called, options = COMMANDS[command]
    parser = argparse.ArgumentParser(prog="az " + " ".join(command), allow_abbrev=False)
    parser.add_argument("--resource-group", "-g", required=True)
    parser.add_argument("--%s" % called, "-n" if called == "name" else "-s", required=True, dest="server")
    parser.add_argument("--output", "-o", choices=("json",))
    parser.add_argument("--subscription")
    parser.add_argument("--yes", "-y", action="store_true")
    for names in options:
        parser.add_argument(*names, required=names[0] in ("--value", "--gtid-set", "--start-ip-address"))
    args = parser.parse_args(words[len(command):])
    try:
        answer = run(Managed(command[:2], args.resource_group, args.server), args)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return refused.status
    if answer is not None:
        print(json.dumps(answer, indent=2))
    return 0
