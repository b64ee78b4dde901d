#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: link_plan
version_added: 1.0.0
short_description: Say everything that onboarding would do to a pair of servers
description:
  - Reads source and replica, through one connection each, and composes the plans of all capabilities into one.
    What is right, what would change, what blocks. Writes nothing.
  - Fails where something blocks, and says all of it at once. Prerequisites block only where data would be brought over
    or a link made. A link that runs is not broken by them.
  - In check mode it is C(changed) where there is work, so that C(--check --diff) prints the plan. What the source's own
    modules would mend is no block then.
author:
  - The datain.azure_mysql contributors (@datain)
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._login.source
  - datain.azure_mysql._link
  - datain.azure_mysql._rules
  - datain.azure_mysql._plan
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.reads
attributes:
  diff_mode:
    support: full
    details: The difference is what the other modules would make.
options:
  state:
    description: What the link is to be.
    type: str
    choices: [started, stopped, absent]
    default: started
  wait_timeout:
    description: Seconds that the link would be waited for.
    type: int
    default: 120
  reseed:
    description: Whether to seed again, dropping what an earlier seed brought.
    type: bool
    default: false
  client_dir:
    description: Folder in which the dump and load clients are looked for before the E(PATH).
    type: str
    default: ''
  gtid:
    description: Whether the source's transactions must carry GTIDs. MariaDB's do always.
    type: bool
    default: false
  server_id:
    description: The source's id in replication; without it any but zero will do.
    type: int
  source_service:
    description:
      - The managed service that the source itself is, where it is one; its settings are then parameters of the control plane.
      - Without it a managed server is known by variables that only one has, or by its replication procedures.
    type: str
    choices: [mysql_flexible_server, mysql_single_server, mariadb_server, mysql_data_sync]
  replication_host:
    description: Host part of O(replication_user).
    type: str
    default: '%'
  require_tls:
    description: Whether O(replication_user) demands TLS.
    type: bool
    default: false
  replication_plugin:
    description: How O(replication_user) is logged in to; V(auto) keeps a plugin that a link can use.
    type: str
    choices: [auto, mysql_native_password, caching_sha2_password]
    default: auto
  control_plane:
    description:
      - Who gives the replica the GTIDs of its seed, where only the control plane can. With V(none) the lack of them blocks once the data is there.
      - Anything else is a promise that the run does it, such as V(az).
    type: str
    default: none
  source_name:
    description: Name of the source in the inventory, for the commands that are printed.
    type: str
  replica_name:
    description: Name of the replica in the inventory, for the commands that are printed.
    type: str
seealso:
  - module: datain.azure_mysql.source_plan
  - module: datain.azure_mysql.prerequisites
"""

EXAMPLES = r"""
- name: See what onboarding would do to a host of the group datain_replicas
  datain.azure_mysql.link_plan:
  delegate_to: localhost
  register: plan

- name: See it for a pair that is in no inventory
  datain.azure_mysql.link_plan:
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
"""

RETURN = r"""
plan:
  description: The plan.
  returned: always
  type: dict
  contains:
    work:
      description: Whether there is anything to do and nothing that blocks.
      type: bool
      returned: always
      sample: true
    seed_work:
      description: Whether data is to be brought over.
      type: bool
      returned: always
      sample: true
    link_work:
      description: Whether the link is to be made, changed, or watched until it is healthy.
      type: bool
      returned: always
      sample: true
    source_work:
      description: Whether the source's own play has something to do.
      type: bool
      returned: always
      sample: false
    row:
      description: Row of the decision table of links.
      type: int
      returned: always
      sample: 8
    actions:
      description: Every step in order.
      type: list
      elements: dict
      returned: always
      sample: [{action: load, target: shop, reason: nothing was brought over yet}]
    blocks:
      description: What keeps the pair from being linked, all of it, each with what mends it.
      type: list
      elements: dict
      returned: always
      sample: []
identity:
  description: Who the replica says that it is.
  returned: always
  type: dict
  contains:
    server_id:
      description: Its server_id.
      type: int
      returned: always
      sample: 1790243412
    server_uuid:
      description: Its server_uuid, null on MariaDB.
      type: str
      returned: always
      sample: 3e11fa47-71ca-11e1-9e33-c80aa9429562
link:
  description: The link as it is. The keys are those of RV(datain.azure_mysql.replica_info#module:replica.link).
  returned: where it is not in the host's report; see RV(reported)
  type: dict
  sample: {state: absent}
findings:
  description:
    - What did not pass, as RV(datain.azure_mysql.prerequisites#module:findings); what is not well with the link; and what
      the plan warns of. RV(summary) counts the rest.
  returned: where they are not in the host's report; see RV(reported)
  type: list
  elements: dict
  sample: []
summary:
  description: The findings counted, as RV(datain.azure_mysql.prerequisites#module:summary).
  returned: where they are not in the host's report; see RV(reported)
  type: dict
  sample: {passed: 40, failed: 0, ready: true}
reported:
  description: Whether the host's report was written; see O(report).
  returned: always
  type: bool
  sample: false
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._link_plan import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
