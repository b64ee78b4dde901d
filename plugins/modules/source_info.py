#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: source_info
version_added: 1.0.0
short_description: Read what a replication source is and where its binary log ends
description:
  - Reads flavour, version, identity, the end of the binary log, the log files that are still there,
    the user's schemas and the replicas that are attached.
author:
  - The datain.azure_mysql contributors (@datain)
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.reads
seealso:
  - module: datain.azure_mysql.replica_info
"""

EXAMPLES = r"""
- name: See where the log of the shop's database ends
  datain.azure_mysql.source_info:
    login_host: shop-db.example.com
    login_user: dba
    login_password: "{{ vault_shop_dba }}"
  register: shop
"""

RETURN = r"""
source:
  description: The source, in this collection's own words.
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
      description: Who the server is, whatever its name; C(server_uuid) is null on MariaDB, which has none.
      type: dict
      returned: success
      sample: {server_id: 7, server_uuid: 8a94f357-aab4-11df-86ab-c80aa9429562}
    coordinates:
      description: The end of the binary log; all null where nothing is logged.
      type: dict
      returned: success
      sample: {file: binlog.000003, position: 15524, gtid: null}
    binlog_files:
      description: The binary log files that are still there, with their size in bytes.
      type: list
      elements: dict
      returned: success
      sample: [{name: binlog.000003, size: 15524}]
    schemas:
      description: The user's schemas.
      type: list
      elements: str
      returned: success
      sample: [shop]
    replicas:
      description: The sessions of the replicas that receive right now; C(seconds) counts from their connection.
      type: list
      elements: dict
      returned: success
      sample: [{id: 12, user: datain, host: "203.0.113.7:40112", seconds: 86400, command: Binlog Dump, by_gtid: false}]
    tls:
      description: Protocol and cipher of this module's own session; null without TLS.
      type: dict
      returned: success
      sample: {version: TLSv1.3, cipher: TLS_AES_256_GCM_SHA384}
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module
from ansible_collections.datain.azure_mysql.plugins.module_utils._source_info import CAPABILITY


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
