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
  azure_server:
    description:
      - What the control plane says about the replica, as C(az mysql flexible-server show --output json) prints it.
      - Without it the rules that begin with C(azure.) are unknown.
    type: dict
"""
