# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is cut: where a case begins, which playbook is run, and what must hold at any moment and in the end."""

from __future__ import annotations

import re
import typing as t

from cuts.hook.cut_words import words
from cuts.pair import Pair, difference
from cuts.playbook import Run


class Journey:
    """One playbook on one pair; its kinds say what differs.

    :cvar kept: the file in which what came of the cases is kept between runs
    :cvar sample_every: how dense a sample is among the statements that only read
    """

    playbook: t.ClassVar[str]
    kept: t.ClassVar[str]
    sample_every: t.ClassVar[int]

    def __init__(self, pair: Pair, play: t.Callable[..., Run]) -> None:
        self.pair, self.play = pair, play
        self.undisturbed: dict[str, t.Any] = {}
        self.logs: dict[str, int] = {}
        self.source_end = ("", 0)

    def begin(self) -> None:
        """Bring the pair to where a case begins."""
        raise NotImplementedError

    def watch(self) -> None:
        """Let the servers log, and keep where things stand before the cut."""
        self.pair.watch()
        self.logs = {server.name: server.log_size() for server in self.pair.servers}
        self.source_end = self.pair.source.end()

    def arrived(self) -> None:
        """Learn that the pair is where this journey ends."""

    def leaving(self) -> tuple[str, ...]:
        """Name the accounts that are on their way out, and may still be there."""
        return ()

    def plain(self, state: t.Any) -> t.Any:
        """Leave out of a state what differs from case to case."""
        return state

    def keep(self) -> None:
        """Keep what the undisturbed run has left."""
        self.undisturbed = self.plain(self.pair.state())

    def invariants(self) -> list[str]:
        """What does not hold of that which holds at any moment, whatever was cut."""
        return self._account() + self._source() + self.link()

    def _account(self) -> list[str]:
        pair, wrong = self.pair, []
        grants = pair.grants()
        hosts = pair.source.sql(f"SELECT COUNT(*) FROM mysql.user WHERE user = '{pair.user}'")[0][0]
        bare = f"GRANT USAGE ON *.* TO `{pair.user}`@`%`"
        # An account is made by two statements: not there, there with no right at all, or whole.
        if grants not in (None, [bare]) and self.plain(grants) != self.undisturbed["source"]["grants"]:
            wrong.append(f"the account is of no allowed state: {grants}")
        if int(hosts) > 1:
            wrong.append(f"the account is there {hosts} times")
        if grants is not None and not pair.source.login_works(pair.user, pair.password):
            wrong.append("the account does not take its password")
        return wrong

    def _source(self) -> list[str]:
        source, wrong = self.pair.source, []
        if source.status():
            wrong.append("the source has a channel of its own")
        if order(source.end()) < order(self.source_end):
            wrong.append(f"the source's log went back from {self.source_end} to {source.end()}")
        ours = (self.pair.user, *self.leaving())
        strangers = [row for row in self.pair.accounts(source) if row[0] not in ours and row not in self.undisturbed["source"]["accounts"]]
        if strangers:
            wrong.append(f"accounts that nobody asked for: {strangers}")
        return wrong

    def link(self) -> list[str]:
        """What is wrong with the link, at any moment."""
        raise NotImplementedError

    def stands_elsewhere(self, status: dict[str, str], start: dict[str, t.Any]) -> list[str]:
        """Tell where a stopped link stands, if that is not where a seed or a record says."""
        if status.get("Slave_SQL_Running") != "No" or status.get("Slave_IO_Running") != "No":
            return []
        at, wanted = self.applied(status), place(start, self.pair.flavour)
        return [] if at == wanted else [f"the link stands at {at}, and {wanted} was recorded"]

    def applied(self, status: dict[str, str]) -> str:
        """Where the replica goes on."""
        if self.pair.flavour == "mariadb":
            return str(self.pair.replica.value("SELECT @@GLOBAL.gtid_slave_pos"))
        return f"{status['Relay_Master_Log_File']}:{status['Exec_Master_Log_Pos']}"

    def end_state(self) -> list[str]:
        """What is not as the undisturbed run leaves it."""
        trouble = self.pair.catch_up()
        if trouble:
            return [trouble]
        pair = self.pair
        return difference(self.undisturbed, self.plain(pair.state())) + difference(pair.rows(pair.source), pair.rows(pair.replica), "rows") + self.calls()

    def calls(self) -> list[str]:
        """What is wrong with the calls that made a link."""
        raise NotImplementedError

    def link_calls(self) -> list[str]:
        """The coordinates of every call since the case began that made a link, by the replica's own log."""
        replica = self.pair.replica
        return link_calls(replica.logged(self.logs[replica.name]))


_ENTRY = re.compile(r"^[^\t\n]*\t+ *\d+ ([A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)*)\t", re.M)


def log_statements(text: str) -> list[str]:
    """The statements of a general log in a file; a line that begins no entry goes on with the one before."""
    found = []
    entries = list(_ENTRY.finditer(text))
    for entry, following in zip(entries, [*entries[1:], None]):
        rest = text[entry.end(): following.start() if following else len(text)].rstrip()
        if entry.group(1) in ("Query", "Init DB"):
            found.append(words(rest) if entry.group(1) == "Query" else f"command 2 {rest}")
    return found


def link_calls(text: str) -> list[str]:
    """The coordinates of every call in a general log that made a link."""
    by_gtid = re.findall(r"CALL mysql\.az_replication_change_master_with_gtid\('[^']*', *'[^']*', *(?:'(?:[^'\\]|\\.)*'|<secret>), *\d+, *'([^']*)'", text)
    by_position = re.findall(r"CALL mysql\.az_replication_change_master\('[^']*', *'[^']*', *(?:'(?:[^'\\]|\\.)*'|<secret>), *\d+, *'([^']*)', *(\d+)", text)
    return by_gtid + [f"{file}:{position}" for file, position in by_position]


def place(start: dict[str, t.Any], flavour: str) -> str:
    """A recorded start as the calls and ``applied`` name it."""
    return str(start.get("gtid")) if flavour == "mariadb" else f"{start.get('file')}:{start.get('position')}"


def order(end: tuple[str, int]) -> tuple[int, int]:
    """What of two places in a log tells which one is later."""
    return int(end[0].rpartition(".")[2]), end[1]
