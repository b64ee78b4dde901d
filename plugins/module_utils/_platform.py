# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""The managed server at hand, as the documents of the control plane describe it, and the commands that speak about it."""

from __future__ import annotations

import re
import typing as t

from ._documents import FIREWALL, PARAMETER, SERVER, Item
from ._facts import Facts, Unread
from ._rule import Outcome, not_applicable, unknown
from ._services import FLEXIBLE

# The names that Azure gives to managed servers, in all of its clouds.
_AZURE_HOST = re.compile(r"([a-z0-9-]+)\.(?:privatelink\.)?(?:mysql|mariadb)\.database\.")


class Platform:
    """What the documents say about the server at hand; what they say about others is nothing to go by."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.desired = facts.desired
        self.service = facts.desired.service
        self.flexible = self.service.resource == FLEXIBLE
        self.login_host = self.desired.replica_host.lower().rstrip(".")

    @property
    def login_name(self) -> str:
        """The name of the server in that of its host, or an empty text where Azure has not named the host."""
        match = _AZURE_HOST.match(self.login_host)
        return match[1] if match else ""

    @property
    def names(self) -> set[str]:
        """What the server is called, by everything that says so."""
        variables = self.facts.replica.variables
        told = "" if isinstance(variables, Unread) else variables.get("azure_server_name", "")
        given = self.desired.azure_server_name
        return {name.lower() for name in (told, self.login_name, "" if given.startswith("<") else given) if name}

    def is_own(self, item: Item) -> bool:
        """Tell whether something is about this server; an empty list says of none that it is."""
        host = str(item.said.get("host") or "").lower()
        return item.server is None or item.server in self.names or bool(host) and host == self.login_host

    def own(self, *kinds: str) -> list[Item]:
        fitting = (None, self.service.resource)
        return [item for item in self.desired.documents if item.kind in kinds and item.type in fitting and self.is_own(item)]

    def says(self, fact: str) -> t.Any:
        return next((item.said[fact] for item in self.own(SERVER) if item.said.get(fact) not in (None, "")), None)

    @property
    def parameters(self) -> dict[str, t.Mapping[str, t.Any]]:
        return {item.said["name"]: item.said for item in self.own(PARAMETER) if "name" in item.said}

    def parameter(self, name: str) -> str:
        """Return the value of a parameter, or an empty text."""
        return str(self.parameters.get(name, {}).get("value") or "")

    # Commands

    def command(self, verb: str, option: str = "--name") -> str:
        return f"{self.service.cli} {verb} --resource-group {self.desired.azure_resource_group} {option} {self.desired.azure_server_name}"

    def update(self, flexible: str, single: str) -> str:
        """Return the command that changes a property; its option is another one for each of the two kinds of servers."""
        return f"{self.command('update')} {flexible if self.flexible else single}"

    def how_to_get(self, kind: str) -> str:
        """Return the command that makes a document of a kind."""
        commands = {
            SERVER: self.command("show"),
            FIREWALL: self.command("firewall-rule list", "--server-name"),
            PARAMETER: self.command("parameter list" if self.flexible else "configuration list", "--server-name"),
        }
        return f"{commands[kind]} --output json > {kind}.json; then name that file in datain_azure_documents"


Judge = t.Callable[[Platform, t.Any], Outcome]
Unless = t.Callable[[Facts], t.Optional[str]]


def always(facts: Facts) -> str | None:
    """No reason for a rule not to apply."""
    del facts
    return None


def by_fact(fact: str, judge: Judge, unless: Unless = always) -> t.Callable[[Facts], Outcome]:
    """A rule about one fact of the managed server.

    :param judge: what is known and the value to an outcome
    :param unless: why the rule does not apply, or None
    """

    def evaluate(facts: Facts) -> Outcome:
        why_not = unless(facts)
        if why_not:
            return not_applicable(why_not)
        platform = Platform(facts)
        if not platform.own(SERVER):
            return unknown("this is known to the control plane only", platform.how_to_get(SERVER))
        value = platform.says(fact)
        if value is None:
            return unknown(f"the document of the managed server does not say: {fact.replace('_', ' ')}", platform.how_to_get(SERVER))
        return judge(platform, str(value))

    return evaluate


def by_parameters(judge: Judge, unless: Unless = always) -> t.Callable[[Facts], Outcome]:
    """A rule about the parameters that the control plane lists, which the judge is given by name."""

    def evaluate(facts: Facts) -> Outcome:
        why_not = unless(facts)
        if why_not:
            return not_applicable(why_not)
        platform = Platform(facts)
        if not platform.parameters:
            return unknown("the control plane's parameters are not given", platform.how_to_get(PARAMETER))
        return judge(platform, platform.parameters)

    return evaluate
