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
    C(report.json), which C(docs/report.schema.json) of this collection describes. No server is asked.
  - Beside it the same document is written as a table (C(report.txt)), as a page for a browser (C(report.html)), as Markdown
    for a comment on a pull request (C(report.md)) and as JUnit XML (C(junit.xml)).
  - Without O(document) the documents that are there already are merged.
  - Hosts report one by one, also from parallel workers, with C(serial) and with C(--limit); the report always holds all
    replicas of the inventory and every source that was looked at, each with the time at which that was.
  - A host that has left the inventory is shown apart and no longer counts. Remove its file to forget it.
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
      - Lag, positions, findings, errors and times are observed, and written down without being a change.
options:
  report_dir:
    description: Folder of the report; it is made where it is missing.
    type: path
    default: datain-report
  name:
    description: Name of the host in the inventory, for its O(document).
    type: str
  document:
    description:
      - What is known about the host. Keys of RV(document) count as they are; what is missing is made out of C(plan), the
        result of this collection's module that read the host, and C(results), the results of those that changed it.
    type: dict
  merge:
    description:
      - Whether the documents of all hosts are merged now.
      - A run over many hosts may leave that to one task without O(document) that comes after them.
    type: bool
    default: true
  service:
    description: The service that the host is, where the document does not say; of a replica it comes from the inventory.
    type: str
  source_name:
    description: The host's source in the inventory, where the document does not say; of a replica it comes from there.
    type: str
  wanted:
    description: How the link shall be, where the document does not say; of a replica it comes from the inventory.
    type: str
    choices: [started, stopped, absent]
  max_lag:
    description:
      - Seconds that a link which runs may be behind its source; one that is further behind is not well.
      - Of a replica it comes from the inventory; without it any lag is tolerated.
    type: int
  fleet:
    description:
      - The hosts of the inventory, which the report is about; a replica also where nothing is known of it.
      - On a host of the inventory's two groups it comes from there. Without it every host that is in the folder counts.
    type: dict
    suboptions:
      sources:
        description: Names of the sources.
        type: list
        elements: str
        default: []
      replicas:
        description: Names of the replicas.
        type: list
        elements: str
        default: []
  prometheus_dir:
    description:
      - Folder of a node exporter's textfile collector, which must exist; C(datain.prom) is written there, readable for all.
      - Nothing is written for Prometheus without it.
    type: path
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
    merge: false
  delegate_to: localhost

- name: Put the report of all hosts together
  datain.azure_mysql.link_report:
    report_dir: ./datain-report
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
table:
  description: All hosts of the report as lines of text, at most 100 columns wide; C(report.txt) has them where one is written.
  returned: in check mode
  type: list
  elements: str
  sample:
    - replica          source   service         state    lag  applied              verdict
    - ---------------  -------  --------------  -------  ---  -------------------  -------
    - shop-westeurope  shop-db  mysql_flexible  running  0 s  binlog.000003:15524  ok
file:
  description: The merged document.
  returned: success
  type: str
  sample: /home/op/datain-report/report.json
document:
  description: This host's document, as it stands in the report.
  returned: with O(document)
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
        - V(ready) or V(blocked) where only the prerequisites were judged; V(ready) or V(failed) of a source; V(unreachable)
          where Ansible could not reach the host that speaks SQL; V(unknown) where nothing could be read.
      type: str
      returned: success
      sample: running
    wanted:
      description: How the inventory wants the link; null for a source.
      type: str
      returned: success
      sample: started
    verdict:
      description:
        - V(ok), V(warning) where there is something to look at, V(failed) where something stands in the way, or V(unknown).
      type: str
      returned: success
      sample: ok
    receiver:
      description: V(stopped), V(connecting) or V(running); null where no link was looked at.
      type: str
      returned: success
      sample: running
    applier:
      description: V(stopped) or V(running); null where no link was looked at.
      type: str
      returned: success
      sample: running
    receiver_error:
      description: The receiver's last error, as in RV(datain.azure_mysql.replica_info#module:replica.link); null without one.
      type: dict
      returned: success
      sample: null
    applier_error:
      description: The applier's last error, as in RV(datain.azure_mysql.replica_info#module:replica.link); null without one.
      type: dict
      returned: success
      sample: null
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
    max_lag_seconds:
      description: The lag that is tolerated; null where any is.
      type: int
      returned: success
      sample: 300
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
    blocks:
      description: What stands in the way, each with C(rule), C(summary) and C(remedy), which mends it.
      type: list
      elements: dict
      returned: success
      sample: []
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
    findings_at:
      description: When the findings were judged, which may have been in an earlier run; null without any.
      type: str
      returned: success
      sample: null
    in_inventory:
      description: Whether the inventory has the host.
      type: bool
      returned: success
      sample: true
    actions:
      description: What was done, or what a run in check mode would do.
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
      description: When it was looked at, ISO 8601 in UTC.
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
