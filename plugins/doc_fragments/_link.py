# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description: Which managed service the replica is.
    type: str
    choices: [mysql_flexible_server, mysql_single_server, mariadb_server, mysql_data_sync]
    required: true
  method:
    description:
      - How the link says where it starts.
      - V(auto) takes what suits the service, and what the replica's procedures allow. A link that exists keeps its method.
    type: str
    choices: [auto, position, gtid]
    default: auto
  replication_user:
    description: Account on the source that the replica logs in with.
    type: str
    required: true
  replication_password:
    description: Password of O(replication_user), at most 32 characters.
    type: str
    required: true
  link_host:
    description: How the replica reaches the source, which need not be how this module does.
    type: str
    required: true
  link_port:
    description: Port at which the replica reaches the source.
    type: int
    default: 3306
  link_ca:
    description:
      - CA of the source's certificate, as PEM text or as the path of a file.
      - Empty means a link without TLS.
    type: str
    default: ''
  coordinates:
    description:
      - Where the link starts, for which you vouch. It counts only while nothing is recorded and there is no link.
      - Either C(file) and C(position), or C(gtid).
    type: dict
    suboptions:
      file:
        description: Binary log file of the source.
        type: str
      position:
        description: Position in O(coordinates.file).
        type: int
      gtid:
        description: On MySQL the set of transactions that the data holds, on MariaDB the position of every domain.
        type: str
  relink:
    description:
      - Makes the link again at what is applied where nothing proves that it holds O(replication_password). Where that is proven it does nothing.
      - Also allows that O(method) of a link is changed, and vouches for an address in O(link_host) that only the replica can reach.
      - Lets O(replication_user) get another password, plugin or demand of TLS while the replica is attached with it.
    type: bool
    default: false
  retarget:
    description:
      - Lets a link by GTID follow another server than before, such as one that the source failed over to.
      - Refused unless the GTIDs prove that the new server has everything that the replica has, and has purged nothing that it lacks.
    type: bool
    default: false
  skip:
    description:
      - Transactions of the source that the replica is to leave out. Each is data that you agree to lose.
      - An entry counts only while the applier stands at exactly this place with exactly this error. Nothing else is ever skipped.
      - What was skipped is recorded beside the data, and an entry is carried out once.
    type: list
    elements: dict
    suboptions:
      position:
        description: What is applied when it is next, as C(FILE:POSITION) in the source's log. Either this or O(skip[].gtid).
        type: str
      gtid:
        description: Its GTID.
        type: str
      error:
        description: Number of the error with which the applier stops there.
        type: int
        required: true
      reason:
        description: Why losing it is right.
        type: str
        required: true
  azure_resource_group:
    description: Resource group of the replica, for the commands that are printed.
    type: str
  azure_server_name:
    description: Name of the replica in the control plane, for the commands that are printed.
    type: str
"""
