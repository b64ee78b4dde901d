# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rules about the TLS of the link."""

from __future__ import annotations

import datetime
import re
import typing as t

from ._facts import Facts, Side
from ._rule import (
    GIVE_CA,
    HOW_TO,
    INFO,
    MANUAL,
    PASSED,
    UNKNOWN,
    WARNING,
    Outcome,
    Rule,
    check,
    failed,
    not_applicable,
    on_both,
    passed,
    unknown,
)

# Days before the end of a certificate from which on a person should know.
SOON = 30


def _without_tls(facts: Facts) -> Outcome:
    """The pages demand the CA of a source that has TLS; whoever wants a link without it all the same says so by a waiver."""
    if facts.desired.link_ca:
        return passed("TLS")
    offered = _offers_tls(facts)
    seen = f"datain_link_ca is empty, and the source {'offers' if offered else 'has no'} TLS that the replica speaks"
    return failed(seen, severity=None if offered else WARNING)


def _offers_tls(facts: Facts) -> bool:
    """Tell whether the link could use TLS. Old builds have a TLS that nothing else speaks: there a CA would only break the link."""
    common = _tls_common(facts).status
    # Where a server does not say its versions, that our own session has one is as good.
    spoken = common == PASSED or (common == UNKNOWN and facts.source.tls is not None)
    return spoken and _tls_offered(facts).status == PASSED


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
    versions = [{part.strip() for part in side.value("tls_version").split(",") if part.strip()} for side in on_both(facts)]
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
    seen = f"until {soonest.date().isoformat()}"
    if all(end < _in_days(facts, 0) for end in ends):
        return failed(seen)
    return check(soonest >= _in_days(facts, SOON), seen, severity=WARNING)


def _in_days(facts: Facts, days: int) -> datetime.datetime:
    return datetime.datetime.combine(facts.today, datetime.time(), datetime.timezone.utc) + datetime.timedelta(days=days)


def _certificate_ends(facts: Facts) -> Outcome:
    """One that has ended already is not verified, which link.ca_matches says."""
    shown = facts.source.presented
    if shown is not None and shown.problem:
        return not_applicable("the certificate was not verified")
    if shown is None or shown.ends is None:
        way = f"{_openssl(facts)} | openssl x509 -noout -enddate"
        return unknown("only a session that verifies with this CA shows when the source's certificate ends", way)
    return check(shown.ends >= _in_days(facts, SOON), f"until {shown.ends.date().isoformat()}")


def _openssl(facts: Facts) -> str:
    address = f"{facts.desired.link_host or '<the source as the replica reaches it>'}:{facts.desired.link_port}"
    return f"openssl s_client -starttls mysql -connect {address} -CAfile <datain_link_ca> -verify_return_error"


def _ca_matches(facts: Facts) -> Outcome:
    channel = facts.channel if facts.linked else None
    if channel is not None and facts.running and channel.tls:
        return passed("the link is up with TLS")
    shown = facts.source.presented
    if shown is None:
        return unknown(
            "only a session that verifies with this CA shows whether the source's certificate comes from it",
            _openssl(facts),
        )
    return check(shown.problem is None, shown.problem or "a session of ours was verified with it")


def _ca_name(facts: Facts) -> Outcome:
    """The procedures cannot make the replica compare names, so this is not what a link fails by."""
    shown, host = facts.source.presented, facts.desired.link_host
    if not host:
        return not_applicable("no address for the link was given")
    if shown is None or shown.problem:
        return not_applicable("the certificate was not verified")
    return check(shown.covers(host), ", ".join(shown.names) or "no name", required=host)


_BETWEEN_CIPHERS = re.compile(r"[:, ]+")


def _ciphers(side: Side, version: str) -> set[str]:
    """Return the ciphers that a server is told to take; none means its library's own choice."""
    text = side.value("tls_ciphersuites" if version == "TLSv1.3" else "ssl_cipher")
    return {part for part in _BETWEEN_CIPHERS.split(text) if part}


def _cipher_common(facts: Facts) -> Outcome:
    versions = [{part.strip() for part in side.value("tls_version").split(",") if part.strip()} for side in on_both(facts)]
    tried = []
    for version in sorted(versions[0] & versions[1] if all(versions) else {"TLSv1.2"}, reverse=True):
        one, two = (_ciphers(side, version) for side in on_both(facts))
        if not one or not two or one & two:
            return passed(f"{version}: {', '.join(sorted(one & two)) or 'any'}")
        tried.append(f"{version}: source {', '.join(sorted(one))}; replica {', '.join(sorted(two))}")
    return check(not tried, "; ".join(tried) or None)


RULES: tuple[Rule, ...] = (
    Rule(
        "link.without_tls",
        "pair",
        "The link is encrypted, if the source offers that",
        HOW_TO,
        _without_tls,
        "plain_link",
        required="the CA of a source that offers TLS",
        remedy=GIVE_CA,
    ),
    Rule(
        "link.tls_offered",
        "source",
        "The source offers the TLS that the link is to use",
        HOW_TO,
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
        "link.tls_cipher",
        "pair",
        "Source and replica have a cipher in common",
        MANUAL,
        _with_ca(_cipher_common),
        remedy="take ssl_cipher and tls_ciphersuites out of the source's option file, then restart it",
    ),
    Rule(
        "link.ca",
        "pair",
        "The CA for the link is a certificate of an authority",
        HOW_TO,
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
        "link.certificate_ends",
        "source",
        "The source's own certificate does not end soon",
        MANUAL,
        _with_ca(_certificate_ends),
        WARNING,
        needs=("source.presented",),
        required=f"valid for {SOON} more days",
        remedy="renew the source's certificate, then ALTER INSTANCE RELOAD TLS; on MariaDB FLUSH SSL; or restart the source",
    ),
    Rule(
        "link.ca_matches",
        "pair",
        "The source's certificate comes from the CA for the link",
        HOW_TO,
        _with_ca(_ca_matches),
        needs=("source.presented", "replica.channels"),
        remedy="give the certificate of the authority that signed the source's certificate: datain_link_ca",
    ),
    Rule(
        "link.ca_name",
        "pair",
        "The source's certificate is made out to the address of the link",
        MANUAL,
        _with_ca(_ca_name),
        INFO,
        needs=("source.presented",),
        remedy="nothing: the replica does not compare names; but let the next certificate have the name in it",
    ),
)
