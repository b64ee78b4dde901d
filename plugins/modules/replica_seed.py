#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: replica_seed
version_added: 1.0.0
short_description: Give a managed server a complete copy of a source, with the coordinates that belong to it
description:
  - Copies whole schemas from the source to the replica in one snapshot, while the source keeps writing,
    and records on the replica where in the source's log that snapshot is.
  - The copy is a pipe of the servers' own dump and load clients. Nothing of the data touches a disk on the way,
    and no password stands in an argument, in the environment or in a file.
  - Loads over nothing. A schema of the replica that holds anything which is not recorded as a copy of this source is a refusal.
  - A copy that was interrupted is told from a complete one. The next run drops what it had made, and makes it anew.
  - A copy is complete when both clients ended well, the dump has its end marker, and both sides have the same tables.
    Nothing else is ever recorded as complete.
  - Definers are left out, since a managed server's administrator may not name others. The objects then belong to O(login_user),
    and RV(seed.definers) lists every one. Events that run on the source are created so that they do not run here.
    RV(seed.events) lists them.
author:
  - The datain.azure_mysql contributors (@datain)
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._login.source
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.manages
options:
  engine:
    description:
      - How the data comes to the replica.
      - With V(dump), through the servers' own clients. The dump client is of the source's flavour,
        the load client of the replica's; both must be installed where the module runs.
      - With V(external), somebody else has loaded a copy; O(coordinates) says where it belongs, and is recorded.
      - With V(none), nothing is copied and nothing recorded.
      - V(mydumper) is refused for now.
    type: str
    choices: [dump, external, none, mydumper]
    default: dump
  schemas:
    description: The schemas to take over. Empty means all that are the user's.
    type: list
    elements: str
    default: []
  method:
    description:
      - Which coordinates the copy must have. V(auto) records all that the source can tell.
      - V(gtid) refuses where the source cannot tell a GTID.
    type: str
    choices: [auto, position, gtid]
    default: auto
  coordinates:
    description:
      - Where a copy belongs that somebody else has made, either O(coordinates.file) and O(coordinates.position), or O(coordinates.gtid).
      - Required with O(engine=external), and ignored otherwise.
    type: dict
    suboptions:
      file:
        description: File of the source's binary log.
        type: str
      position:
        description: Position in that file.
        type: int
      gtid:
        description: On MySQL the set of transactions that the copy holds, on MariaDB its position, such as C(0-1-270).
        type: str
  client_dir:
    description: A folder to look for the clients in, before the search path.
    type: str
    default: ''
  reseed:
    description:
      - Make a new copy, whatever is recorded. The schemas of the replica that are to be copied are dropped first, whoever made them.
      - Refused while the replica is linked.
    type: bool
    default: false
notes:
  - On MySQL the dump takes a read lock on all tables of the source for the moment in which the snapshot is made,
    which needs the right C(RELOAD). MariaDB needs no lock.
  - Where a statement on the source keeps that lock from being had within 30 seconds, the dump's wait for it is ended, so that writers
    go on, and the run fails and names the statement. Only what uses that statement's own tables waits until it has ended.
    Running again makes the copy anew.
  - While the copy is made, the source's binary log files are watched. The copy is given up as soon as the file in which it begins
    is purged, or is about to be.
seealso:
  - module: datain.azure_mysql.replica_link
  - module: datain.azure_mysql.prerequisites
"""

EXAMPLES = r"""
- name: Copy the shop to the managed server
  datain.azure_mysql.replica_seed:
    login_host: shop.mysql.database.azure.com
    login_user: azadmin
    login_password: "{{ vault_shop_azure }}"
    login_tls: verify_identity
    source:
      login_host: shop-db.example.com
      login_user: dba
      login_password: "{{ vault_shop_dba }}"
    schemas: [shop]

- name: Record where a copy belongs that was restored by hand
  datain.azure_mysql.replica_seed:
    login_host: shop.mysql.database.azure.com
    login_user: azadmin
    login_password: "{{ vault_shop_azure }}"
    login_tls: verify_identity
    source:
      login_host: shop-db.example.com
      login_user: dba
      login_password: "{{ vault_shop_dba }}"
    engine: external
    coordinates:
      file: binlog.000123
      position: 4567
"""

RETURN = r"""
seed:
  description: The seed as it is recorded; in check mode, as it would be. Every key is always there, and null where unknown.
  returned: always
  type: dict
  contains:
    phase:
      description: V(loading) or V(complete); null where nothing is recorded for this pair of servers.
      type: str
      returned: always
      sample: complete
    engine:
      description: How the data came here.
      type: str
      returned: always
      sample: dump
    schemas:
      description: The schemas that were taken over.
      type: list
      elements: str
      returned: always
      sample: [shop]
    start:
      description: Where a link has to start so that nothing is missing and nothing doubled.
      type: dict
      returned: always
      sample: {file: binlog.000003, position: 15524, gtid: null, origin: seed}
    tables:
      description: Tables, views and sequences that were copied.
      type: int
      returned: always
      sample: 42
    bytes:
      description: Bytes that the dump client wrote.
      type: int
      returned: always
      sample: 36700160
    seconds:
      description: How long the copy took.
      type: int
      returned: always
      sample: 14
    definers:
      description: The objects whose definer was left out, and who it was.
      type: list
      elements: dict
      returned: always
      sample: [{object: view, schema: shop, name: open_orders, definer: "app@%"}]
    events:
      description: The events that run on the source and were created so that they do not run here.
      type: list
      elements: dict
      returned: always
      sample: [{schema: shop, name: nightly}]
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{action: copy_schema, target: shop, reason: "42 tables, about 35 MB"}]
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module
from ansible_collections.datain.azure_mysql.plugins.module_utils._seed import CAPABILITY


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
