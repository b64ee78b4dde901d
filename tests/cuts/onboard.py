# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From two servers that know nothing of each other to a link that runs."""

from __future__ import annotations

from cuts.journey import Journey, place
from cuts.pair import difference
from cuts.playbook import ONBOARD


class Onboard(Journey):
    """Every case begins with fresh servers."""

    playbook = ONBOARD
    kept = "cuts.jsonl"
    sample_every = 10

    def begin(self) -> None:
        self.pair.fresh()

    def link(self) -> list[str]:
        pair = self.pair
        status, records = pair.replica.status(), pair.records()
        if not status:
            return []
        seed = records.get("seed") or {}
        if seed.get("phase") != "complete":
            return [f"there is a link, and the seed is {seed.get('phase')}"]
        wrong = []
        wanted = {"Master_Host": "127.0.0.1", "Master_Port": str(pair.source.port), "Master_User": pair.user}
        wrong += difference(wanted, {name: status.get(name) for name in wanted}, "link")
        if not records.get("link"):
            wrong.append("there is a link, and no intent was recorded before it")
        return wrong + self.stands_elsewhere(status, seed["start"])

    def calls(self) -> list[str]:
        wanted = place((self.pair.records().get("seed") or {}).get("start") or {}, self.pair.flavour)
        calls = self.link_calls()
        if not calls:
            return ["the log of the replica holds no call that made the link"]
        return [f"the link was made at {call}, the seed was taken at {wanted}" for call in calls if call != wanted]
