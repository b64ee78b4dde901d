# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  schemas:
    description: Schemas to take over; empty means all that are the user's.
    type: list
    elements: str
    default: []
  retention:
    description: Seconds that the source must keep its binary log at least; V(0) means the service's advice, seven days.
    type: int
    default: 0
  seed:
    description:
      - How the data comes to the replica.
      - V(dump) and V(mydumper) need rights of their own on both sides, and an empty replica.
    type: str
    choices: [dump, external, none, mydumper]
    default: dump
  siblings:
    description: Server ids of the other replicas of the same source, which must all differ.
    type: list
    elements: int
    default: []
  fail_on:
    description:
      - Lowest severity of a failed finding that makes the task fail.
      - V(none) never fails; the summary then says what V(error) would have said.
    type: str
    choices: [error, warning, none]
    default: error
  waivers:
    description:
      - Findings that are accepted for a time. They are shown as V(waived).
      - A waiver that has ended is shown too, and its finding blocks again.
      - Where two name one rule, the later one counts.
    type: list
    elements: dict
    default: []
    suboptions:
      rule:
        description: Id of the rule.
        type: str
        required: true
      reason:
        description: Why the finding is accepted.
        type: str
        required: true
      until:
        description: Last day on which the waiver counts, as C(YYYY-MM-DD), in UTC.
        type: str
        required: true
  statement_timeout:
    description:
      - Seconds for each statement that looks at tables and objects. What takes longer becomes unknown.
      - MySQL before 5.7.8 knows no such limit; there the session ends with the time, and the rest of its side is unknown.
    type: int
    default: 60
  azure_documents:
    description:
      - What the control plane says about the replica, as paths of JSON files on the controller, as their text, or as data.
      - A document is what C(az mysql flexible-server show), C(az mysql server show) or C(az mariadb server show) print,
        their lists of firewall rules and parameters, what the Azure API returns for these, what the C(_info) modules of
        C(azure.azcollection) for these servers return, or a state of Terraform. Which one it is, the document says itself.
      - Several servers may be in it. What is about others than O(login_host) is left out.
      - They are read on the controller, with the Python package jmespath, and only what a rule asks for leaves it.
      - Without them the rules that begin with C(azure.) are unknown, and each says which command makes the document.
    type: list
    elements: raw
    default: []
  probe:
    description:
      - Let the replica itself go to the source where it has no link, by the service's procedures, with an account that nobody has.
        The source refuses it, and how it does shows whether the name, the network and TLS are right. Nothing is fetched.
      - This makes a link for some seconds and removes it. A run that dies meanwhile leaves it there. It is no link to any
        module, and the next run removes it.
      - It is not done in check mode.
    type: bool
    default: false
"""
