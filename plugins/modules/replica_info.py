#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: replica_info
version_added: 1.0.0
short_description: Read the state of a managed replica's link
description:
  - Reads the replication channel, the procedures that the managed service offers,
    and what this collection has recorded beside the data.
author:
  - The datain.azure_mysql contributors (@datain)
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.reads
options:
  source_seen:
    description:
      - What M(datain.azure_mysql.source_info) has returned about the source a moment ago.
      - With it the link is judged by the rule C(link.received) of M(datain.azure_mysql.prerequisites). A receiver that stands still
        says that it runs, and the server then calls the lag V(0).
    type: dict
    suboptions:
      identity:
        description: Who the source is, as RV(datain.azure_mysql.source_info#module:source.identity) says.
        type: dict
        required: true
        suboptions:
          server_id:
            description: Its server_id.
            type: int
            required: true
          server_uuid:
            description: Its server_uuid; none on MariaDB.
            type: str
      binlog_files:
        description: Its binary log, as in RV(datain.azure_mysql.source_info#module:source.binlog_files).
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name of a file.
            type: str
            required: true
          size:
            description: Its size in bytes.
            type: int
            required: true
seealso:
  - module: datain.azure_mysql.replica_link
  - module: datain.azure_mysql.source_info
"""

EXAMPLES = r"""
- name: See how the link is
  datain.azure_mysql.replica_info:
    login_host: shop.mysql.database.azure.com
    login_user: azadmin
    login_password: "{{ vault_shop_azure }}"
    login_tls: verify_identity
  register: shop
"""

RETURN = r"""
findings:
  description:
    - What the rule found, with the keys of RV(datain.azure_mysql.prerequisites#module:findings).
    - Empty without O(source_seen), and where the replica does not receive from that source.
  returned: success
  type: list
  elements: dict
  sample: []
replica:
  description: The replica, in this collection's own words.
  returned: success
  type: dict
  contains:
    flavour:
      description: V(mysql) or V(mariadb).
      type: str
      returned: success
      sample: mysql
    version:
      description: The version as the server writes it.
      type: str
      returned: success
      sample: 8.0.33
    identity:
      description: Who the server is; C(server_uuid) is null on MariaDB, which has none.
      type: dict
      returned: success
      sample: {server_id: 9, server_uuid: 8a94f357-aab4-11df-86ab-c80aa9429563}
    link:
      description:
        - The link. Every key is always there, null where it is unknown or where there is no link.
        - C(state) is one of V(absent), V(off), V(connecting), V(running), V(receiver_off), V(applier_off),
          V(connection_error) and V(applier_error). C(lag_seconds) is null, never zero, where the server does not know it.
        - An error has C(code), C(message) and C(at); C(event), C(table), C(gtid) and C(position) tell what it is about, C(cause) why it
          usually is, and C(remedy) the command or the line of the inventory that mends it.
      type: dict
      returned: success
      sample:
        state: running
        source: {host: shop-db.example.com, port: 3306, user: datain, server_id: 7, server_uuid: null, tls: true}
        method: position
        receiver: running
        applier: running
        read: {file: binlog.000003, position: 15524}
        applied: {file: binlog.000003, position: 15524}
        gtid_retrieved: null
        gtid_executed: null
        lag_seconds: 0
        receiver_error: null
        applier_error: null
        ignored_tables: mysql.%
    channels:
      description: Every channel, each as in RV(replica.link).
      type: list
      elements: dict
      returned: success
      sample: []
    procedures:
      description: The replication procedures that the server has, and how many arguments each takes.
      type: dict
      returned: success
      sample: {mysql.az_replication_start: 0}
    records:
      description: What is recorded beside the data about its C(seed), its C(link), what was left out (C(skip)), and its C(cutover); null where nothing is.
      type: dict
      returned: success
      sample: {seed: null, link: null, skip: null, cutover: null}
    tls:
      description: Protocol and cipher of this module's own session; null without TLS.
      type: dict
      returned: success
      sample: {version: TLSv1.3, cipher: TLS_AES_256_GCM_SHA384}
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._replica_info import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
