#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prerequisites
version_added: 1.0.0
short_description: Find out whether a managed server can follow a source, with all reasons at once
description:
  - Reads both servers once and judges them by every requirement, limit and recommendation of the service's documents,
    and by what replication itself needs. Writes nothing.
  - Returns all findings, also when it fails. It fails where something blocks; see O(fail_on).
  - What cannot be read is V(unknown), never passed. An unknown is shown with what is missing, and does not block,
    except for C(replica.not_empty), C(replica.channels) and C(replica.procedures). Without these three nobody can tell
    whether a link would overwrite data.
  - A side that cannot be logged in to is the finding C(connection.source) or C(connection.replica); all that is about
    this side is unknown, and the other side is judged all the same.
author:
  - The datain.azure_mysql contributors (@datain)
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._login.source
  - datain.azure_mysql._link
  - datain.azure_mysql._rules
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.reads
seealso:
  - module: datain.azure_mysql.link_plan
"""

EXAMPLES = r"""
- name: Find out whether the shop's managed server can follow its source
  datain.azure_mysql.prerequisites:
    login_host: shop.mysql.database.azure.com
    login_user: azadmin
    login_password: "{{ vault_shop_azure }}"
    login_tls: verify_identity
    source:
      login_host: shop-db.example.com
      login_user: dba
      login_password: "{{ vault_shop_dba }}"
    service: mysql_flexible_server
    replication_user: datain
    replication_password: "{{ vault_shop_datain }}"
    link_host: shop-db.example.com
    link_ca: files/shop-ca.pem
    waivers:
      - rule: schema.no_primary_key
        reason: two small tables, dropped with release 12
        until: '2027-03-31'

- name: Look at a pair of the inventory's two groups without failing
  datain.azure_mysql.prerequisites:
    fail_on: none
  register: shop
"""

RETURN = r"""
findings:
  description: One finding for every rule, always in the same order.
  returned: always, unless an option cannot be meant
  type: list
  elements: dict
  contains:
    rule:
      description: Id of the rule; it stays the same.
      type: str
      returned: always
      sample: schema.no_primary_key
    side:
      description: V(source), V(replica) or V(pair).
      type: str
      returned: always
      sample: source
    status:
      description: V(passed), V(failed), V(waived), V(not_applicable) or V(unknown).
      type: str
      returned: always
      sample: failed
    severity:
      description: V(error), V(warning) or V(info), as the service's document has it.
      type: str
      returned: always
      sample: warning
    summary:
      description: The finding in one sentence.
      type: str
      returned: always
      sample: "Not met: Every table has a primary key"
    seen:
      description: What was found, or null.
      type: str
      returned: always
      sample: null
    required:
      description: What is demanded, or null where the sentence says it.
      type: str
      returned: always
      sample: a PRIMARY KEY; a UNIQUE NOT NULL column is none
    objects:
      description: The first five of the objects concerned.
      type: list
      elements: str
      returned: always
      sample: ["`shop`.`basket`"]
    object_count:
      description: How many objects there are.
      type: int
      returned: always
      sample: 1
    remedy:
      description: A command, or what to do; null where nothing is to be done.
      type: str
      returned: always
      sample: "ALTER TABLE `shop`.`basket` ADD PRIMARY KEY (<columns>);"
    document:
      description: The text that the rule comes from.
      type: str
      returned: always
      sample: Replicate data into Azure Database for MySQL Flexible Server
    waiver:
      description: The waiver of this rule, with C(reason), C(until), and C(ended) where it no longer counts; or null.
      type: dict
      returned: always
      sample: null
summary:
  description: The findings, counted.
  returned: always, unless an option cannot be meant
  type: dict
  contains:
    passed:
      description: How many passed.
      type: int
      returned: always
      sample: 60
    failed:
      description: How many failed, of any severity.
      type: int
      returned: always
      sample: 1
    waived:
      description: How many are waived.
      type: int
      returned: always
      sample: 0
    not_applicable:
      description: How many have nothing to say about this pair.
      type: int
      returned: always
      sample: 14
    unknown:
      description: How many could not be judged.
      type: int
      returned: always
      sample: 6
    ready:
      description: Nothing blocks.
      type: bool
      returned: always
      sample: true
    blocked_by:
      description: The rules that block, at the severity of O(fail_on).
      type: list
      elements: str
      returned: always
      sample: []
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._prerequisites import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
