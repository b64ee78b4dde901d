#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: binlog_config
version_added: 1.0.0
short_description: Make a source log what a replica needs, for long enough
description:
  - Says for every setting of the binary log what it is, what it must be, and how it gets there.
  - Changes what can be changed live. What needs the option file, or a restart, is returned and not done.
  - A running value that will do is left alone, and a longer retention is never shortened.
author:
  - The datain.azure_mysql contributors (@datain)
options:
  retention:
    description:
      - Seconds that a file of the binary log must be kept at least; V(0) means seven days.
      - Where the server counts in days the value is rounded up, and 99 days are the most that it takes.
    type: int
    default: 0
  gtid:
    description:
      - Also demand GTIDs, as a link by GTID needs them. MariaDB has them always.
      - C(gtid_mode) is taken through its steps, and C(ON) waits until no transaction without a GTID is open.
      - Refused while a replica is attached, since one whose own C(gtid_mode) is C(OFF) would stop.
    type: bool
    default: false
  server_id:
    description:
      - The server's id in replication. Without it any id but zero will do,
        and a server without one gets one that is made from its own address.
    type: int
  source_service:
    description:
      - The managed service that the source itself is, where it is one; its settings are then parameters of the control plane.
      - Without it a managed server is known by variables that only one has, or by its replication procedures.
    type: str
    choices: [mysql_flexible_server, mysql_single_server, mariadb_server, mysql_data_sync]
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.manages
notes:
  - What is set live on MySQL 8 and later is set with C(SET PERSIST) and lasts. On MySQL 5.7 and MariaDB it is lost at the
    next restart unless the option file says the same, so RV(binlog.option_file) lists it.
  - A running value that is right is never questioned, so the option file is asked for only while the running value is wrong.
    Write it first, from a run in check mode or from M(datain.azure_mysql.source_plan), and let this module set the values
    afterwards; then a run that dies in between is finished by the next one.
  - On MySQL 8 the administrator needs C(SYSTEM_VARIABLES_ADMIN), on MariaDB 10.5 and later C(BINLOG ADMIN), elsewhere C(SUPER).
seealso:
  - module: datain.azure_mysql.source_plan
  - module: datain.azure_mysql.source_info
"""

EXAMPLES = r"""
- name: Keep the shop's log for three days, in full row images
  datain.azure_mysql.binlog_config:
    login_host: shop-db.example.com
    login_user: dba
    login_password: "{{ vault_shop_dba }}"
    retention: 259200
  register: log

- name: Say what only a person can do
  ansible.builtin.debug:
    msg: "Write {{ log.binlog.option_file }} under [mysqld] and restart the server"
  when: log.binlog.restart_required
"""

RETURN = r"""
binlog:
  description: The binary log as it was found, and what it takes to make it right.
  returned: success, and when the module refuses
  type: dict
  contains:
    flavour:
      description: V(mysql) or V(mariadb).
      type: str
      returned: success
      sample: mysql
    enabled:
      description: Whether the server logs at all.
      type: bool
      returned: success
      sample: true
    retention_seconds:
      description: How long a file of the log is kept; null means for ever.
      type: int
      returned: success
      sample: 2592000
    settings:
      description:
        - Each setting with its C(name), its C(current) value, the C(required) one (of retention the least),
          the C(change) it takes and whether it is C(durable).
        - C(change) is V(none), V(live) (done by this module), V(restart) (the option file, and a restart) or V(control_plane)
          (a parameter of a managed source; the module refuses and names the commands).
        - C(durable) is false where the option file must say the same; a value that is right is taken to be durable.
      type: list
      elements: dict
      returned: success
      sample: [{name: binlog_format, current: MIXED, required: ROW, change: live, durable: true}]
    option_file:
      description:
        - What must stand in the option file, under C([mysqld]), by name; empty where nothing has to be written.
        - It holds all of these settings, those that are right as they are, so that it can replace what an earlier run wrote.
      type: dict
      returned: success
      sample: {log_bin: binlog}
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
  description: What was done, or in check mode would be, in order.
  returned: success
  type: list
  elements: dict
  sample: [{action: set_variable, target: binlog_format=ROW, reason: is MIXED}]
findings:
  description: What a person should know about these changes; each is a warning too.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._binlog import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
