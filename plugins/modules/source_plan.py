#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: source_plan
version_added: 1.0.0
short_description: Say what onboarding would do to a source
description:
  - Reads a source through one connection and composes what M(datain.azure_mysql.binlog_config) and
    M(datain.azure_mysql.replication_user) would do there into one plan. Writes nothing.
  - Fails where one of the two would refuse, or could not read something, and says all of it.
  - In check mode it is changed where there is work, since it is then the task that says what would change.
author:
  - The datain.azure_mysql contributors (@datain)
options:
  retention:
    description: Seconds that a file of the binary log must be kept at least; V(0) means seven days.
    type: int
    default: 0
  gtid:
    description: Whether transactions must carry GTIDs. MariaDB's do always.
    type: bool
    default: false
  server_id:
    description: The server's id in replication; without it any but zero will do.
    type: int
  source_service:
    description:
      - The managed service that the source itself is, where it is one; its settings are then parameters of the control plane.
      - Without it a managed server is known by variables that only one has, or by its replication procedures.
    type: str
    choices: [mysql_flexible_server, mysql_single_server, mariadb_server, mysql_data_sync]
  replication_user:
    description: Name of the account that the replica logs in with.
    type: str
    required: true
  replication_password:
    description: Password of O(replication_user).
    type: str
    required: true
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
  relink:
    description: Every link is to be made again, so what O(replication_user) is logged in to with may change under a replica that is attached.
    type: bool
    default: false
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._plan
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.reads
attributes:
  diff_mode:
    support: full
    details: The difference is what the other modules would make.
seealso:
  - module: datain.azure_mysql.binlog_config
  - module: datain.azure_mysql.replication_user
"""

EXAMPLES = r"""
- name: See what the shop's database lacks
  datain.azure_mysql.source_plan:
    login_host: shop-db.example.com
    login_user: dba
    login_password: "{{ vault_shop_dba }}"
    replication_user: datain
    replication_password: "{{ vault_shop_datain }}"
    require_tls: true
  register: source
"""

RETURN = r"""
plan:
  description: What is right, what would change and what is in the way.
  returned: success, and when something is in the way
  type: dict
  contains:
    work:
      description: Whether there is anything to do and nothing that blocks.
      type: bool
      returned: success
      sample: true
    flavour:
      description: V(mysql) or V(mariadb).
      type: str
      returned: success
      sample: mysql
    binlog:
      description: The binary log, with the keys of RV(datain.azure_mysql.binlog_config#module:binlog).
      type: dict
      returned: success
      sample: {enabled: true, restart_required: false}
    account:
      description:
        - The account as it is now, with the keys of RV(datain.azure_mysql.replication_user#module:account).
        - C(present) is null where it could not be read.
      type: dict
      returned: success
      sample: {user: datain, host: '%', present: false}
    binlog_work:
      description: Whether the binary log needs anything, live, in the option file or by a restart.
      type: bool
      returned: success
      sample: false
    account_work:
      description: Whether the account needs anything.
      type: bool
      returned: success
      sample: false
    option_file:
      description: What must stand in the option file, all of it, under C([mysqld]), by name; empty where nothing has to be written.
      type: dict
      returned: success
      sample: {}
    option_file_required:
      description: Whether anything has to be written to the option file.
      type: bool
      returned: success
      sample: false
    restart_required:
      description: Whether the server must be restarted with that option file.
      type: bool
      returned: success
      sample: false
    actions:
      description: What would be done, in order.
      type: list
      elements: dict
      returned: success
      sample: []
    findings:
      description: What a person should know about these changes.
      type: list
      elements: dict
      returned: success
      sample: []
    blocks:
      description:
        - What is in the way, each with C(code), C(message) and C(hint).
        - C(code) is C(binlog) or C(account), a dot, and V(refused), V(input) or V(unreadable).
      type: list
      elements: dict
      returned: success
      sample: []
gtid:
  description: Whether a replica that the inventory gives this source follows by GTID where it could do without.
  returned: on a host of the inventory's group of sources
  type: bool
replicas:
  description: Names of the replicas that the inventory gives this source.
  returned: on a host of the inventory's group of sources
  type: list
  elements: str
  sample: [shop-westeurope]
reported:
  description: Whether the host's report was written; see O(report).
  returned: always
  type: bool
  sample: false
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module
from ansible_collections.datain.azure_mysql.plugins.module_utils._source_plan import CAPABILITY


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
