#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: link_report
version_added: 1.0.0
short_description: Write down how a host of a link is, and merge all hosts into one report
description:
  - Writes this host's document to C(hosts/<name>.json) in a folder, and merges the documents of all hosts there into
    C(report.json) and the plain table C(report.txt). No server is asked.
  - Hosts report one by one, also from parallel workers, with C(serial) and with C(--limit); the report always holds all
    that are in the folder, each with the time at which it was last different. Remove a host's file to forget it.
  - Files are for their owner only, and are replaced in one step.
author:
  - The datain.azure_mysql contributors (@datain)
extends_documentation_fragment:
  - datain.azure_mysql._attributes
attributes:
  check_mode:
    support: full
    details: The table is returned and nothing is written.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - Something has changed where a host is new, or another source, service, role or state is told.
      - Lag, positions, findings and errors are observed, and written down without being a change.
options:
  report_dir:
    description: Folder of the report; it is made where it is missing.
    type: path
    default: datain-report
  name:
    description: Name of the host in the inventory.
    type: str
    required: true
  document:
    description:
      - What is known about the host. Keys of RV(document) count as they are; what is missing is made out of C(plan), the
        result of this collection's module that read the host, and C(results), the results of those that changed it.
    type: dict
    required: true
  service:
    description: The service that the host is, where the document does not say; of a replica it comes from the inventory.
    type: str
  source_name:
    description: The host's source in the inventory, where the document does not say; of a replica it comes from there.
    type: str
seealso:
  - module: datain.azure_mysql.replica_info
  - module: datain.azure_mysql.prerequisites
"""

EXAMPLES = r"""
- name: Look at the link
  datain.azure_mysql.replica_info:
  register: shop

- name: Write down how it is
  datain.azure_mysql.link_report:
    report_dir: ./datain-report
    name: "{{ inventory_hostname }}"
    document:
      role: replica
      plan: "{{ shop }}"
  delegate_to: localhost
"""

RETURN = r"""
table:
  description: All hosts of the report as lines of text, at most 100 columns wide.
  returned: success
  type: list
  elements: str
  sample:
    - replica          source   service         state    method    lag  applied              error
    - ---------------  -------  --------------  -------  --------  ---  -------------------  -----
    - shop-westeurope  shop-db  mysql_flexible  running  position  0 s  binlog.000003:15524  -
file:
  description: The merged document.
  returned: success
  type: str
  sample: /home/op/datain-report/report.json
document:
  description: This host's document, as it stands in the report.
  returned: success
  type: dict
  contains:
    schema_version:
      description: Version of the schema.
      type: int
      returned: success
      sample: 1
    host:
      description: Name of the host.
      type: str
      returned: success
      sample: shop-westeurope
    role:
      description: V(source) or V(replica).
      type: str
      returned: success
      sample: replica
    service:
      description: The managed service; null for a source.
      type: str
      returned: success
      sample: mysql_flexible_server
    version:
      description: Version of the server; null where it was not read.
      type: str
      returned: success
      sample: 8.0.33
    source:
      description: The host that it follows; null for a source.
      type: str
      returned: success
      sample: shop-db
    state:
      description:
        - State of the link; see RV(datain.azure_mysql.replica_info#module:replica.link).
        - V(ready) or V(failed) of a source; V(unknown) where nothing could be read.
      type: str
      returned: success
      sample: running
    method:
      description: V(position) or V(gtid); null without a link.
      type: str
      returned: success
      sample: position
    lag_seconds:
      description: Lag of the replica; null is unknown, not zero.
      type: int
      returned: success
      sample: 0
    applied:
      description: What the replica has applied.
      type: str
      returned: success
      sample: binlog.000003:15524
    log_end:
      description: End of the source's binary log.
      type: str
      returned: success
      sample: null
    replicas:
      description: How many replicas are attached to the source.
      type: int
      returned: success
      sample: null
    error:
      description: What failed, or what the link says; null where nothing is wrong.
      type: str
      returned: success
      sample: null
    findings:
      description: The findings of RV(datain.azure_mysql.prerequisites#module:findings).
      type: list
      elements: dict
      returned: success
      sample: []
    summary:
      description: The summary of the findings; null without any.
      type: dict
      returned: success
      sample: null
    actions:
      description: What was done.
      type: list
      elements: dict
      returned: success
      sample: []
    changed:
      description: Whether anything was done.
      type: bool
      returned: success
      sample: false
    at:
      description: When it was so, ISO 8601 in UTC.
      type: str
      returned: success
      sample: "2026-11-21T10:00:00+00:00"
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._report import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
