#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: replica_link
version_added: 1.0.0
short_description: Make a managed server follow a source, stop it, or end that
description:
  - Makes, starts, stops and removes the replication link of a managed server through the service's own procedures.
  - Never moves a link backwards, and never skips a transaction that O(skip) does not name. Where it cannot prove that a step is safe,
    it fails and says what is wrong and what mends it.
  - The coordinates of a seed, or those given, count until the link has started once. From then on the server owns the
    position, and old coordinates are never a reason to act.
  - A call that was cut off is not repeated blindly. Run the task again. It reads the servers and goes on from there.
author:
  - The datain.azure_mysql contributors (@datain)
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._login.source
  - datain.azure_mysql._link
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.manages
options:
  state:
    description:
      - V(started) makes the link where there is none, starts it where it is stopped, and watches it until it is healthy.
      - V(stopped) stops it. V(absent) notes the applied position and removes it.
    type: str
    choices: [started, stopped, absent]
    default: started
  wait_timeout:
    description: Seconds to wait for a healthy link.
    type: int
    default: 120
seealso:
  - module: datain.azure_mysql.replica_info
  - module: datain.azure_mysql.replica_seed
"""

EXAMPLES = r"""
- name: Let the managed server follow the shop's database
  datain.azure_mysql.replica_link:
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
    link_ca: "{{ lookup('ansible.builtin.file', 'files/shop-ca.pem') }}"

- name: Leave out one transaction that was looked at, where the applier stands at it
  datain.azure_mysql.replica_link:
    skip:
      - position: binlog.000042:1337
        error: 1062
        reason: ticket 4711, the row was added by hand on both servers

- name: Do the same for a host of the inventory's two groups, whose variables say it all
  datain.azure_mysql.replica_link:
"""

RETURN = r"""
control_plane:
  description:
    - What the control plane has to do before the link can be made. Nothing else stands in the way.
    - It invalidates all existing backups of the managed server.
  returned: when the replica has to count the transactions of its seed as executed, and only the control plane can make it
  type: dict
  contains:
    gtid_set:
      description: The GTIDs to be given to the replica.
      type: str
      returned: always
      sample: 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5
    command:
      description: The command that does it, as a list of words. It holds no secret.
      type: list
      elements: str
      returned: always
      sample: [az, mysql, flexible-server, gtid, reset]
    message:
      description: The command as it would be typed, and what it costs.
      type: str
      returned: always
      sample: az mysql flexible-server gtid reset ... (it invalidates all existing backups of that server)
link:
  description: The link as it is now. The keys are those of RV(datain.azure_mysql.replica_info#module:replica.link).
  returned: always
  type: dict
  sample: {state: running, method: position, lag_seconds: 0}
row:
  description: Row of the decision table that applied; see the guide on link states.
  returned: when it was decided, also where what was decided then failed
  type: int
  sample: 16
actions:
  description: What was done, or in check mode would be, in order.
  returned: success
  type: list
  elements: dict
  sample: [{action: start, target: mysql.az_replication_start, reason: it is stopped without an error}]
findings:
  description: What a person should know, though it stopped nothing.
  returned: success
  type: list
  elements: dict
  sample: []
error:
  description: What failed, on which server, at which step, with the server's number where it had one.
  returned: failure
  type: dict
  sample: {kind: refused, code: null, sqlstate: null, message: the link does not come up, server: "replica db:3306", step: watch}
hint:
  description: What mends the failure.
  returned: failure
  type: str
  sample: check datain_link_ca
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._replica_link import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
