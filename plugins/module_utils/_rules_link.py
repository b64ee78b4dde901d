# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the link: procedures, channels, filters, certificate, password, network, secrets, the control plane."""

from __future__ import annotations

import datetime
import ipaddress
import typing as t

from ._facts import Facts, Side
from ._procedures import BY_GTID, BY_POSITION
from ._rule import (
    HOW_TO,
    INFO,
    LIMITATIONS,
    MANUAL,
    MEASURED,
    PAGE,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    listed,
    not_applicable,
    on_both,
    passed,
    set_on_replica,
    unknown,
)

LONGEST_PASSWORD = 32
# Days before the end of a certificate from which on a person should know.
SOON = 30
STANDARD_PORT = 3306

# The replica


def _procedures(facts: Facts) -> Outcome:
    procedures = facts.replica.procedures
    missing = set(procedures.missing())
    wanted = BY_GTID if facts.method == "gtid" else BY_POSITION
    if not procedures.usable(wanted) and (facts.desired.method != "auto" or not missing):
        missing.add(procedures.full_name(wanted))
    return check(not missing, f"{len(procedures.arity)} procedures", **listed(missing))


def _channels(facts: Facts) -> Outcome:
    channels = facts.replica.channels
    if not channels:
        return passed("not linked")
    others = [
        f"{channel.name or 'unnamed'}: {channel.source_host}:{channel.source_port}"
        for channel in channels
        if channel.name
    ]
    if len(channels) > 1 or others:
        return failed(
            f"{len(channels)} channels",
            summary="The replica has channels that the service's procedures do not know",
            remedy="remove the other channels, or take the host out of datain_replicas",
            **listed(others),
        )
    seen = f"{channels[0].source_host}:{channels[0].source_port}"
    return check(facts.linked, seen, summary=None if facts.linked else "The replica follows another source")


def _read_only(facts: Facts) -> Outcome:
    names = [name for name in ("read_only", "super_read_only") if facts.replica.on(name)]
    if names and facts.linked:
        return passed("read-only, and linked")
    return check(not names, ", ".join(names) or "writable")


def _filter(facts: Facts) -> Outcome:
    ignored = [part.strip() for part in facts.replica.ignored_tables.split(",") if part.strip()]
    right = any(part.replace("\\", "").lower() in ("mysql.%", "mysql.%%") for part in ignored)
    return check(
        right,
        ",".join(ignored) or "no filter",
        remedy=set_on_replica(facts, "replicate_wild_ignore_table", ",".join([*ignored, "mysql.%"])),
    )


def _synced(facts: Facts) -> Outcome:
    if not facts.replica.is_mariadb or facts.method != "position":
        return not_applicable("only a MariaDB replica that is linked by position needs it")
    wrong = [name for name in ("sync_master_info", "sync_relay_log_info") if facts.replica.number(name) != 1]
    seen = ", ".join(f"{name} = {facts.replica.value(name)}" for name in ("sync_master_info", "sync_relay_log_info"))
    return check(not wrong, seen, remedy="; ".join(set_on_replica(facts, name, "1") for name in wrong))


# The account


def _password_length(facts: Facts) -> Outcome:
    password = facts.desired.replication_password
    if not password:
        return not_applicable("no password was given")
    return check(len(password) <= LONGEST_PASSWORD, f"{len(password)} characters")


def _password_alphabet(facts: Facts) -> Outcome:
    password = facts.desired.replication_password
    if not password:
        return not_applicable("no password was given")
    strange = sum(not " " < letter <= "~" for letter in password)
    return check(not strange, f"{strange} characters beyond printable ASCII")


def _tls_demanded(facts: Facts) -> Outcome:
    if facts.desired.link_ca:
        return passed("the link uses TLS")
    demands = ["require_secure_transport"] if facts.source.on("require_secure_transport") else []
    demands += [
        f"{account.user}@{account.host}: REQUIRE" for account in facts.source.replication_accounts if account.tls
    ]
    return check(not demands, ", ".join(demands) or "nobody demands TLS", **listed(demands))


_TLS_PLUGINS = ("caching_sha2_password", "sha256_password")


def _plugin(facts: Facts) -> Outcome:
    if facts.desired.link_ca:
        return passed("the link uses TLS")
    found = [
        f"{account.user}@{account.host}: {account.plugin}"
        for account in facts.source.replication_accounts
        if account.plugin in _TLS_PLUGINS
    ]
    if not facts.source.replication_accounts:
        return not_applicable("there is no account yet")
    return check(not found, ", ".join(found) or None, **listed(found))


# TLS of the link


def _without_tls(facts: Facts) -> Outcome:
    return check(bool(facts.desired.link_ca), "TLS" if facts.desired.link_ca else "datain_link_ca is empty")


def _with_ca(evaluate: t.Callable[[Facts], Outcome]) -> t.Callable[[Facts], Outcome]:
    def guarded(facts: Facts) -> Outcome:
        return evaluate(facts) if facts.desired.link_ca else not_applicable("the link is without TLS")

    return guarded


def _tls_offered(facts: Facts) -> Outcome:
    if facts.source.tls is not None:
        return passed("our own session uses it")
    have = facts.source.value("have_ssl")
    if not have and not facts.source.value("ssl_cert"):
        return failed("no certificate is configured")
    return check(have.upper() in ("", "YES"), f"have_ssl = {have or 'not there'}")


def _tls_common(facts: Facts) -> Outcome:
    versions = [
        {part.strip() for part in side.value("tls_version").split(",") if part.strip()} for side in on_both(facts)
    ]
    if not all(versions):
        return unknown("one of the servers does not say which versions of TLS it knows")
    common = sorted(versions[0] & versions[1])
    seen = f"source {', '.join(sorted(versions[0]))}; replica {', '.join(sorted(versions[1]))}"
    if not common:
        return failed(seen)
    return check(bool({"TLSv1.2", "TLSv1.3"} & set(common)), seen, severity=WARNING)


def _ca(facts: Facts) -> Outcome:
    if facts.certificate_problem:
        return failed(facts.certificate_problem)
    authorities = [certificate for certificate in facts.certificates if certificate.authority]
    if not authorities:
        return failed(
            "a certificate that is no authority's",
            severity=WARNING,
            remedy="give the certificate of the authority that signed the source's, not the source's own",
        )
    return passed("; ".join(certificate.subject for certificate in authorities))


def _ca_ends(facts: Facts) -> Outcome:
    """Judged by the day of the run, which is a fact like others."""
    ends = [certificate.ends for certificate in facts.certificates if certificate.ends]
    if not ends:
        return unknown("no certificate's end could be read")
    soonest = min(ends)
    today = datetime.datetime.combine(facts.today, datetime.time(), datetime.timezone.utc)
    seen = f"until {soonest.date().isoformat()}"
    if all(end < today for end in ends):
        return failed(seen)
    return check(soonest >= today + datetime.timedelta(days=SOON), seen, severity=WARNING)


def _address(facts: Facts) -> str:
    desired = facts.desired
    return f"{desired.link_host or '<the source as the replica reaches it>'}:{desired.link_port}"


def _ca_matches(facts: Facts) -> Outcome:
    channel = facts.channel if facts.linked else None
    if channel is not None and facts.running and channel.tls:
        return passed("the link is up with TLS")
    ours = {certificate.fingerprint for certificate in facts.certificates}
    if (
        facts.source.login_tls in ("verify_ca", "verify_identity")
        and facts.source.login_ca
        and facts.source.login_ca <= ours
    ):
        return passed("our own session was verified with it")
    return unknown(
        "only a session that verifies with this CA shows whether the source's certificate comes from it",
        f"openssl s_client -starttls mysql -connect {_address(facts)} -CAfile <datain_link_ca> -verify_return_error; or log in to the source with it: "
        "datain_login_tls: verify_ca, datain_login_ca",
    )


# The network


def _how_to_test(facts: Facts) -> str:
    return (
        f"from a machine in the network of the managed server: nc -vz {facts.desired.link_host or '<source>'} {facts.desired.link_port}; "
        "the controller cannot see what the managed server sees"
    )


def _link_address(facts: Facts) -> Outcome:
    host = facts.desired.link_host
    if not host:
        return not_applicable("no address for the link was given")
    if facts.running:
        return passed(host)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host.lower() == "localhost" or "." not in host.strip("."):
            return failed(host, required="a fully qualified name, or an address")
        return unknown(f"whether the managed server resolves {host} cannot be seen from here", _how_to_test(facts))
    if address.is_loopback or address.is_unspecified or address.is_link_local:
        return failed(host)
    if address.is_private:
        return unknown(
            f"{host} is private: it works only if the managed server is in a network that reaches it",
            _how_to_test(facts),
        )
    return passed(host)


def _reachable(facts: Facts) -> Outcome:
    if facts.running:
        return passed("the replica receives")
    return unknown("whether the managed server reaches the source cannot be seen from here", _how_to_test(facts))


def _port(facts: Facts) -> Outcome:
    return check(facts.desired.link_port == STANDARD_PORT, facts.desired.link_port)


def _firewall(facts: Facts) -> Outcome:
    if not facts.desired.service.firewall:
        return not_applicable("this service's page asks for no rule")
    if facts.running:
        return passed("the replica receives")
    return unknown(
        "firewall rules are known to the control plane only",
        "add the source's address to the firewall rules of the managed server",
    )


# Secrets


def _logs(side: str, server: Side) -> t.Iterator[str]:
    if server.value("log_output").upper() != "NONE":
        if server.on("general_log"):
            yield f"{side}: general_log"
        slow = next((name for name in ("slow_query_log", "log_slow_query") if server.on(name)), None)
        time = server.value("long_query_time", server.value("log_slow_query_time"))
        if slow and time and float(time) == 0:
            yield f"{side}: {slow} with long_query_time = 0"
    for name in ("audit_log_enabled", "server_audit_logging"):
        if server.on(name):
            yield f"{side}: {name}"


def _server_logs(facts: Facts) -> Outcome:
    found = [*_logs("source", facts.source), *_logs("replica", facts.replica)]
    return check(not found, "; ".join(found) or "none", **listed(found))


# The control plane: judged by the document that describes the managed server


def _documented(
    paths: tuple[str, ...],
    judge: t.Callable[..., Outcome],
    unless: t.Callable[[Facts], str | None] = lambda facts: None,
) -> t.Callable[[Facts], Outcome]:
    """A rule about what the control plane says; without its document it is unknown, and says how to get it.

    :param paths: where the values stand in what ``az … show`` prints; without the first one the document says nothing
    :param judge: the facts and the values to an outcome
    :param unless: why the rule does not apply, or None
    """

    def evaluate(facts: Facts) -> Outcome:
        why_not = unless(facts)
        if why_not:
            return not_applicable(why_not)
        desired = facts.desired
        if not desired.azure_server:
            command = desired.service.show_server.format(
                group=desired.azure_resource_group, server=desired.azure_server_name
            )
            return unknown(
                "this is known to the control plane only",
                f"{command} --output json, and give the result as the option azure_server",
            )
        first, *rest = (_at(desired.azure_server, path) for path in paths)
        if not isinstance(first, str) or not first:
            return unknown(f"the document of the managed server does not say {paths[0]}")
        return judge(facts, first[:80], *rest)

    return evaluate


def _at(document: t.Any, path: str) -> t.Any:
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _wants(word: str) -> t.Callable[..., Outcome]:
    return lambda facts, value, *rest: check(value.lower() == word, value)


def _tier(facts: Facts, tier: str) -> Outcome:
    return check(tier in facts.desired.service.tiers, tier, required=" or ".join(facts.desired.service.tiers))


def _private(facts: Facts, access: str, subnet: t.Any) -> Outcome:
    del facts
    return passed("in a virtual network") if subnet else check(access.lower() == "enabled", f"public access {access}")


def _all_tiers(facts: Facts) -> str | None:
    return None if facts.desired.service.tiers else "this service has the procedures on all tiers"


def _not_flexible(facts: Facts) -> str | None:
    return None if facts.desired.service.control_plane_gtid else "this service has nothing of the kind"


def _by(method: str) -> t.Callable[[Facts], str | None]:
    return lambda facts: _not_flexible(facts) or (f"the link is by {method}" if facts.method == method else None)


_TLS_HINT = "give the CA of the source's certificate: datain_link_ca"

RULES: tuple[Rule, ...] = (
    Rule(
        "replica.procedures",
        "replica",
        "The service's replication procedures are there, with lists of arguments that are known",
        PAGE,
        _procedures,
        needs=("replica.procedures", "replica.channels"),
        must_know=True,
        remedy="check datain_service; the Basic tier has no procedures, and high availability leaves only the one for GTIDs: datain_link_method: gtid",
    ),
    Rule(
        "replica.channels",
        "replica",
        "The replica follows this source or none",
        MEASURED,
        _channels,
        needs=("source.variables", "replica.channels"),
        must_know=True,
        remedy="unlink it from its source first (datain_state: absent), or use another managed server",
    ),
    Rule(
        "replica.read_only",
        "replica",
        "The managed server takes writes",
        LIMITATIONS,
        _read_only,
        needs=("replica.channels", "source.variables"),
        remedy="it is a read replica, or its storage is full: use the server that it is a replica of, or add storage",
    ),
    Rule(
        "replica.filter",
        "replica",
        "Changes of the server's own schema mysql are not applied",
        PAGE,
        _filter,
        WARNING,
        needs=("replica.ignored_tables",),
        required="replicate_wild_ignore_table has mysql.%",
    ),
    Rule(
        "replica.sync_info",
        "replica",
        "A MariaDB replica by position keeps its position through a crash",
        HOW_TO,
        _synced,
        WARNING,
        needs=("replica.channels",),
        required="sync_master_info = 1, sync_relay_log_info = 1",
    ),
    Rule(
        "link.password_length",
        "source",
        "The replication password fits",
        MANUAL,
        _password_length,
        needs_login=False,
        required=f"at most {LONGEST_PASSWORD} characters: some servers cut a longer one off in silence",
        remedy="choose a shorter datain_replication_password",
    ),
    Rule(
        "link.password_alphabet",
        "source",
        "The replication password means the same in every character set",
        MANUAL,
        _password_alphabet,
        WARNING,
        needs_login=False,
        required="printable ASCII without blanks",
        remedy="choose a datain_replication_password of letters, digits and punctuation",
    ),
    Rule(
        "link.without_tls",
        "pair",
        "The link is encrypted",
        PAGE,
        _without_tls,
        WARNING,
        needs_login=False,
        required="a CA",
        remedy=_TLS_HINT,
    ),
    Rule(
        "link.tls_demanded",
        "source",
        "A source that demands TLS gets it",
        PAGE,
        _tls_demanded,
        needs=("source.replication_accounts",),
        remedy=_TLS_HINT,
    ),
    Rule(
        "link.plugin_needs_tls",
        "source",
        "The account's plugin works on a link like this",
        MANUAL,
        _plugin,
        needs=("source.replication_accounts",),
        required="TLS, or mysql_native_password: the procedures cannot ask for the server's key (2061)",
        remedy=_TLS_HINT,
    ),
    Rule(
        "link.tls_offered",
        "source",
        "The source offers the TLS that the link is to use",
        PAGE,
        _with_ca(_tls_offered),
        remedy="set ssl_ca, ssl_cert and ssl_key below [mysqld] in the source's option file, then restart it",
    ),
    Rule(
        "link.tls_version",
        "pair",
        "Source and replica have a version of TLS in common",
        MANUAL,
        _with_ca(_tls_common),
        required="TLSv1.2 or TLSv1.3 on both",
        remedy="set tls_version = TLSv1.2,TLSv1.3 below [mysqld] in the source's option file, then restart it; a server that cannot must be upgraded",
    ),
    Rule(
        "link.ca",
        "pair",
        "The CA for the link is a certificate of an authority",
        PAGE,
        _with_ca(_ca),
        needs_login=False,
        remedy="in YAML write datain_link_ca as a block with '|', or give the path of a PEM file",
    ),
    Rule(
        "link.ca_ends",
        "pair",
        "The CA for the link does not end soon",
        MANUAL,
        _with_ca(_ca_ends),
        needs_login=False,
        required=f"valid for {SOON} more days",
        remedy="renew the source's certificate, then give both CAs in datain_link_ca while the change lasts",
    ),
    Rule(
        "link.ca_matches",
        "pair",
        "The source's certificate comes from the CA for the link",
        PAGE,
        _with_ca(_ca_matches),
        needs=("replica.channels",),
    ),
    Rule(
        "network.link_address",
        "pair",
        "The address of the source means the source to the managed server too",
        PAGE,
        _link_address,
        WARNING,
        needs=("replica.channels",),
        required="a public address, a public name, or a name that the managed server's network resolves",
        remedy="set datain_link_host to the name or address by which the managed server reaches the source",
    ),
    Rule(
        "network.reachable",
        "pair",
        "The managed server reaches the source",
        PAGE,
        _reachable,
        needs=("replica.channels",),
    ),
    Rule(
        "network.port",
        "source",
        "The source listens on the port that the documents name",
        PAGE,
        _port,
        INFO,
        needs_login=False,
        required=str(STANDARD_PORT),
        remedy="nothing, if network rules let the port through in both directions",
    ),
    Rule(
        "network.firewall",
        "replica",
        "The managed server's firewall knows the source",
        PAGE,
        _firewall,
        WARNING,
        needs=("replica.channels", "source.variables"),
    ),
    Rule(
        "secrets.server_logs",
        "pair",
        "No log of a server records the statements that carry the replication password",
        MEASURED,
        _server_logs,
        WARNING,
        required="general_log = OFF, long_query_time > 0, no audit log",
        remedy="switch the log off while onboard runs, or change the password afterwards and protect the log",
    ),
    Rule(
        "azure.tier",
        "replica",
        "The managed server's tier has the procedures",
        PAGE,
        _documented(("sku.tier",), _tier, _all_tiers),
        needs_login=False,
        remedy="move {server} to the tier General Purpose or Memory Optimized: the Basic tier cannot be changed, so make a new server and restore into it",
    ),
    Rule(
        "azure.high_availability",
        "replica",
        "A link by position goes to a server without high availability",
        PAGE,
        _documented(("highAvailability.mode",), _wants("disabled"), _by("gtid")),
        needs=("replica.channels",),
        required="disabled, or datain_link_method: gtid",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --high-availability Disabled; or datain_link_method: gtid",
    ),
    Rule(
        "azure.private_access",
        "replica",
        "The managed server can reach out",
        PAGE,
        _documented(("network.publicNetworkAccess", "network.delegatedSubnetResourceId"), _private, _not_flexible),
        needs_login=False,
        required="public access, or a virtual network of its own; a private endpoint alone lets nothing out",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --public-access Enabled",
    ),
    Rule(
        "azure.geo_backup",
        "replica",
        "GTIDs can be reset",
        HOW_TO,
        _documented(("backup.geoRedundantBackup",), _wants("disabled"), _by("position")),
        needs=("replica.channels",),
        required="disabled",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --geo-redundant-backup Disabled",
    ),
    Rule(
        "azure.storage",
        "replica",
        "The managed server's storage grows with the data",
        LIMITATIONS,
        _documented(("storage.autoGrow",), _wants("enabled"), _not_flexible),
        WARNING,
        needs_login=False,
        required="autoGrow Enabled",
        remedy="az mysql flexible-server update --resource-group {group} --name {server} --storage-auto-grow Enabled",
    ),
)
