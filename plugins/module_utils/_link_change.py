# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""Rows 9 and 11 to 14 of the table in docs/link-states.md: the link is not to the server, or not made of what, the inventory says."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from . import _advice, _procedures
from ._link_model import Alignment, LinkCurrent, LinkDesired, LinkPlan, channel_of, fresh, plan_of, refuse, state_of
from ._link_start import gtids_off, log_gap, wanted_method
from ._model import Channel, Identity, Step

UNTOUCHED = "the link is left as it is"
WRONG_ADDRESS = "correct datain_link_host and datain_link_port"


def differences(current: LinkCurrent, desired: LinkDesired) -> dict[str, tuple[t.Any, t.Any]]:
    """Name what a link was made with and what it should be made with, where both are known and differ. Holds no secret.

    A CA is compared by its fingerprint, a password by what proves it (``password_held``).
    """
    recorded = _recorded_ca(current)
    pairs = {
        "CA": (recorded or desired.ca_fingerprint, desired.ca_fingerprint or recorded),
        "credentials": ("others", "the inventory's") if _other_credentials(current, desired) else (None, None),
    }
    return {**made_otherwise(channel_of(current), desired), **{name: pair for name, pair in pairs.items() if pair[0] != pair[1]}}


def _recorded_ca(current: LinkCurrent) -> str | None:
    """Return what the record says of the CA of the link.

    No status shows a CA: while an intent about a link that was there is open, nobody knows whether that was told the new one.
    """
    link = current.record("link") or {}
    arguments = link.get("arguments") or {}
    return str(arguments.get("ca_before", arguments.get("ca_fingerprint")) or "") or None


def made_otherwise(channel: Channel, desired: LinkDesired) -> dict[str, tuple[t.Any, t.Any]]:
    """Name what of that the status of a link tells."""
    pairs: dict[str, tuple[t.Any, t.Any]] = {
        "host": (channel.source_host.lower(), desired.host.lower()),
        "port": (channel.source_port, desired.port),
        "user": (channel.source_user, desired.user),
        "TLS": (channel.tls, bool(desired.ca)),
    }
    if desired.method != "auto":
        pairs["method"] = ("gtid" if channel.by_gtid else "position", desired.method)
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _other_credentials(current: LinkCurrent, desired: LinkDesired) -> bool:
    if current.password_held is None:
        return desired.relink or _denied_though_valid(current)
    return not current.password_held


def _denied_though_valid(current: LinkCurrent) -> bool:
    """The source does not let the link in, and does let us in with what the inventory says: row 18 ends in rows 12 to 14."""
    error = channel_of(current).receiver_error
    return error is not None and error.code in _advice.CREDENTIALS and current.login == ""


def needs_alignment(current: LinkCurrent, desired: LinkDesired, different: t.Container[str]) -> bool:
    """Tell whether a link of MySQL by position is to become one by GTID, so that it has to be known what is executed on the replica."""
    return "method" in different and desired.method == "gtid" and not current.is_mariadb and gtids_off(current) is None


def moved(current: LinkCurrent, different: t.Container[str]) -> bool:
    """Tell whether the address differs, so that somebody else may answer there."""
    return "host" in different or "port" in different


def change_rows(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Rows 11 to 14, or None where the link is made of what the inventory says."""
    different = differences(current, desired)
    if not different:
        return None
    channel = channel_of(current)
    words = described(different)
    problem = _no_procedure(current, desired)
    if problem:
        return refuse(11 if "method" in different else 14, f"the link would have to be made again ({words}), {problem[0]}", problem[1], current)
    problem = _other_method(current, desired) if "method" in different else None
    if problem:
        return refuse(11, *problem, current)
    error = channel.applier_error
    if error and channel.applier != "running":
        return refuse(
            12,
            f"the link would have to be made again ({words}), but the applier stopped with {error.code}: {error.message}; "
            f"what it has applied is not exact before that is mended, so {UNTOUCHED}",
            "undo the change in the inventory, mend the applier's error, then change it again",
            current,
        )
    problem = _unproven(current, desired, different)
    if problem:
        return refuse(14, *problem, current)
    gap = log_gap(channel.applied, current.source_files) if channel.applied else None
    if gap and log_gap(channel.read, current.source_files):
        return refuse(13, f"{gap}, also after what the relay logs hold; {UNTOUCHED}", _advice.SEED_AGAIN, current)
    return relink(13 if gap else 14, f"made again because of {words}", current, desired, drain=bool(gap))


def described(different: t.Mapping[str, tuple[t.Any, t.Any]]) -> str:
    """Say in a few words what differs."""
    silent = ("CA", "credentials", "TLS")
    return ", ".join(name if name in silent else f"{name} {pair[0]!r} is to be {pair[1]!r}" for name, pair in different.items())


def _way(current: LinkCurrent, desired: LinkDesired) -> tuple[str, str]:
    """Return the method by which the link would be made again, and the procedure that makes it."""
    method = desired.method if desired.method != "auto" else ("gtid" if channel_of(current).by_gtid else "position")
    return method, _procedures.BY_GTID if method == "gtid" else _procedures.BY_POSITION


def _no_procedure(current: LinkCurrent, desired: LinkDesired) -> tuple[str, str] | None:
    """Tell what the replica lacks, and what to do: with high availability on, only the GTID procedure exists."""
    method, procedure = _way(current, desired)
    if current.procedures.usable(procedure):
        return None
    other = "position" if method == "gtid" else "gtid"
    asked = "" if channel_of(current).by_gtid == (other == "gtid") else " and datain_relink: true"
    return f"for which the replica has no usable procedure {current.procedures.full_name(procedure)}; {UNTOUCHED}", f"set datain_link_method: {other}{asked}"


def _other_method(current: LinkCurrent, desired: LinkDesired) -> tuple[str, str] | None:
    """Row 11: why the other method would fetch what is there already, or skip what is not; None where it is asked for and safe.

    MariaDB's position is translated by the source itself, and an applied position is exact in either mode. Only a MySQL
    replica that was linked by position may count other transactions as executed than those that its data holds.
    """
    now, wanted = ("GTID", "position") if channel_of(current).by_gtid else ("position", "GTID")
    message = f"the link runs by {now} and the inventory wants {wanted}"
    back = f"set datain_link_method: {now.lower()}"
    if desired.method == "gtid" and not current.is_mariadb:
        off = gtids_off(current)
        if off:
            return f"{message}; {off[0]}", off[1]
        found = current.alignment or Alignment("nothing proves that the replica counts as executed what its data holds")
        if found.problem:
            return f"{message}; {found.problem}", found.remedy
    return None if desired.relink else (message, f"{back}, or set datain_relink: true to change over at what is applied")


def goes_on_by_gtid(link: t.Mapping[str, t.Any], current: LinkCurrent, desired: LinkDesired) -> bool:
    """Tell whether a link of MySQL that was one by position would come back as one by GTID."""
    return not current.is_mariadb and link.get("method") == "position" and wanted_method(current, desired) == "gtid"


def other_way(link: t.Mapping[str, t.Any], current: LinkCurrent, desired: LinkDesired) -> tuple[str, str] | None:
    """Row 11 for a link that is made again after it went: a place in the log says nothing about what counts as executed."""
    if not goes_on_by_gtid(link, current, desired):
        return None
    off = gtids_off(current)
    found = current.alignment or Alignment("nothing proves that the replica counts as executed what its data holds")
    problem = off or ((found.problem, found.remedy) if found.problem else None)
    return (f"the link was one by position and would come back by GTID; {problem[0]}", problem[1]) if problem else None


def _unproven(current: LinkCurrent, desired: LinkDesired, different: t.Container[str]) -> tuple[str, str] | None:
    """Tell what keeps us from stopping a link: nothing is stopped before its successor is known to work."""
    if current.login is None or current.login:
        return (
            f"a login to the source with what the inventory says fails: {current.login or 'it was not tried'}; {UNTOUCHED}",
            "correct datain_replication_user, datain_replication_password or datain_link_ca; the source's play sets the account",
        )
    if not moved(current, different):
        return None
    place = f"{desired.host}:{desired.port}"
    if current.answers and not current.source.same_as(current.answers):
        return (
            f"another server answers at {place} ({who(current.answers)}, not {who(current.source)}); {UNTOUCHED}",
            WRONG_ADDRESS,
        )
    if current.answers is None and not desired.relink:
        return (
            f"nobody here can see who answers at {place} ({current.address or 'it was not tried'}); {UNTOUCHED}",
            f"{WRONG_ADDRESS}; where only the replica reaches that address, vouch for it with datain_relink: true",
        )
    return None


def who(identity: Identity) -> str:
    """Name a server by what tells it apart."""
    return identity.server_uuid or f"server_id {identity.server_id}"


def relink(row: int, why: str, current: LinkCurrent, desired: LinkDesired, *, drain: bool = False) -> LinkPlan:
    """Plan to make the link again at what is applied, which is exact only once it is stopped."""
    channel = channel_of(current)
    procedures = current.procedures
    method, name = _way(current, desired)
    steps = []
    if drain:
        steps.append(Step("drain", "the relay logs", "they hold what the source has purged"))
    if not channel.stopped:
        steps.append(Step("stop", procedures.full_name(_procedures.STOP), "what is applied is exact only while stopped"))
    steps.append(Step("link", procedures.full_name(name), f"{why}, at what is applied then{_now(channel)}"))
    started = desired.state == "started"
    if started:
        steps.append(Step("start", procedures.full_name(_procedures.START), "the link is to run"))
    after = {
        **state_of(current),
        "state": desired.state,
        "host": desired.host,
        "port": desired.port,
        "user": desired.user,
        "tls": bool(desired.ca),
        "method": method,
        "made_again": why,
    }
    return plan_of(row, "relink", current, steps, method=method, after=after, observe=started, drain=drain)


def _now(channel: Channel) -> str:
    return f" (now {channel.applied})" if channel.applied else ""


def other_source(current: LinkCurrent, desired: LinkDesired) -> LinkPlan | None:
    """Row 9: the server that the channel knows is not the one that was reached, even under the same name."""
    channel = channel_of(current)
    if current.is_mariadb and current.record("link") and fresh(current, desired):
        # We have made it to this source, and until it has connected MariaDB shows the id of the server that it followed before.
        return None
    seen = Identity(channel.source_id, channel.source_uuid)
    # A channel that has not connected yet knows neither; a uuid decides where both sides have one.
    known = bool(channel.source_uuid) if current.source.server_uuid else bool(channel.source_id)
    if not known or current.source.same_as(seen):
        return None
    message = (
        f"the replica follows another server: {channel.source_host}:{channel.source_port} was {who(seen)} when it connected, "
        f"and the source in the inventory is {who(current.source)}"
    )
    if not channel.by_gtid:
        return refuse(
            9,
            f"{message}; positions of two servers cannot be compared",
            "if the source was restored or replaced, seed again (datain_state: absent, then datain_reseed: true); else correct datain_source",
            current,
        )
    if not desired.retarget:
        return refuse(9, message, "if the source failed over to it, set datain_retarget: true; else correct datain_source", current)
    if current.history is None or current.history:
        return refuse(
            9,
            f"{message}, whose history is not proven to be the same: {current.history or 'it was not read'}",
            _advice.SEED_AGAIN,
            current,
        )
    problem = _unproven(current, desired, ("host",))
    if problem:
        return refuse(9, *problem, current)
    # Whatever method is wanted: a position would be one in the log of the server that was followed before.
    return relink(9, f"followed to {who(current.source)} by GTID", current, replace(desired, method="gtid"))
