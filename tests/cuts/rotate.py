# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a link by one account to a link by another one, and the first account is gone."""

from __future__ import annotations

import json
import re
import typing as t

from cuts.journey import Journey
from cuts.pair import difference
from cuts.playbook import ONBOARD, ROTATE

# Named so that neither is a part of anything else.
ACCOUNTS = (("rotating-a", "Pa55 'word'"), ("rotating-b", 'Pa55 \\"other"'))


class Rotate(Journey):
    """A case begins where the one before has arrived, with the accounts exchanged; after a failure with fresh servers."""

    playbook = ROTATE
    kept = "cuts-rotate.jsonl"
    sample_every = 40

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        self._arrived = False
        self._before = ""
        self.old = ""

    def begin(self) -> None:
        pair = self.pair
        if not self._arrived:
            pair.fresh()
            pair.user, pair.password = ACCOUNTS[0]
            pair.write_inventory(replica=self._clients())
            run = self.play("onboard", playbook=ONBOARD)
            trouble = run.tail if run.status else pair.catch_up()
            if trouble:
                raise RuntimeError(f"there is no link that could be rotated: {trouble}")
        self._arrived = False
        self.old = pair.user
        pair.user, pair.password = next(account for account in ACCOUNTS if account[0] != self.old)
        pair.write_inventory(source={"datain_retired_users": [self.old]}, replica=self._clients())
        self._before = self.applied(pair.replica.status())

    def _clients(self) -> dict[str, t.Any]:
        return {"datain_client_dir": str(self.pair.home / "clients")}

    def arrived(self) -> None:
        self._arrived = True

    def leaving(self) -> tuple[str, ...]:
        return (self.old,)

    def plain(self, state: t.Any) -> t.Any:
        return json.loads(json.dumps(state).replace(self.pair.user, "(the account)"))

    def link(self) -> list[str]:
        pair = self.pair
        status = pair.replica.status()
        if not status:
            return ["the link is gone"]
        user = status.get("Master_User")
        there = {row[0] for row in pair.accounts(pair.source)}
        wanted = {"Master_Host": "127.0.0.1", "Master_Port": str(pair.source.port)}
        wrong = difference(wanted, {name: status.get(name) for name in wanted}, "link")
        if user not in (self.old, pair.user):
            wrong.append(f"the replica follows by {user}, which nobody asked for")
        if user not in there:
            wrong.append(f"the replica follows by {user}, which is gone")
        if status.get("Last_SQL_Errno") != "0":
            wrong.append(f"the applier has stopped: {status.get('Last_SQL_Error')}")
        if _number(self.applied(status)) < _number(self._before):
            wrong.append(f"the replica has gone back from {self._before} to {self.applied(status)}")
        record = pair.records().get("link") or {}
        if user == self.old or record.get("phase") != "intended":
            return wrong
        return wrong + self.stands_elsewhere(status, record["start"])

    def calls(self) -> list[str]:
        calls = self.link_calls()
        if not calls:
            return ["the log of the replica holds no call that made the link again"]
        wrong = []
        for earlier, later in zip((self._before, *calls), calls):
            if _number(later) < _number(earlier):
                wrong.append(f"the link was made again at {later}, and {earlier} was applied already")
        return wrong


def _number(place: str) -> tuple[int, ...]:
    """What of two places, or of two positions of one GTID domain, tells which one is later."""
    return tuple(int(number) for number in re.findall(r"\d+", place)[-2:])
