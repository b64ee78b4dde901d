#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: replication_user
version_added: 1.0.0
short_description: Manage the account on a source that a replica logs in with
description:
  - Reconciles plugin, password, TLS demand and rights of one account, and unlocks it.
    It gets C(REPLICATION SLAVE ON *.*) and loses whatever else it may do.
  - The password is hashed by this module and compared by hash, with the rounds and the salt of the stored value.
    No statement holds it in clear.
  - What an attached replica needs in order to log in again is never changed under it, since its session would outlive the change
    and the link would break at the next reconnect. Such a change is refused.
author:
  - The datain.azure_mysql contributors (@datain)
options:
  name:
    description: Name of the account, at most 32 characters on MySQL and 80 on MariaDB.
    type: str
    required: true
  password:
    description:
      - Password of the account, at most 32 bytes, which is the most that a replica takes.
      - Required with O(state=present).
    type: str
  host:
    description:
      - Host part of the account. Accounts of the same name with another host part are not touched,
        but a more specific one gives a warning.
    type: str
    default: '%'
  require_tls:
    description: Whether the account demands TLS, as a link with a CA offers it.
    type: bool
    default: false
  plugin:
    description:
      - How the account is logged in to.
      - V(auto) keeps a plugin that a link can use. A new account gets V(caching_sha2_password) on MySQL 8 and later with
        O(require_tls=true), and V(mysql_native_password) everywhere else.
      - Without TLS a replica cannot log in by V(caching_sha2_password), since a link cannot ask for the source's public key.
    type: str
    choices: [auto, mysql_native_password, caching_sha2_password]
    default: auto
  relink:
    description:
      - Every link of an attached replica is made again afterwards, so its password, plugin and demand of TLS may change under it.
      - Without it such a change is refused, since the replica could not log in again at its next reconnect.
    type: bool
    default: false
  state:
    description:
      - Whether the account should exist.
      - V(absent) is refused while a replica is attached with it.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.manages
notes:
  - The administrator needs C(CREATE USER), C(REPLICATION SLAVE WITH GRANT OPTION), what it should take away also with
    C(GRANT OPTION), C(SELECT) on C(mysql.user) (on MariaDB 10.4 and later on C(mysql.global_priv)), and C(PROCESS) to see who is attached.
  - Account statements reach the replicas that are attached. The ones given here do no harm where the account is missing,
    but a replica that lacks the filter C(mysql.%) gets the account too.
  - MySQL 5.6 has no C(ALTER USER) that could do this; there an account that is right is recognised, and any other is refused.
seealso:
  - module: datain.azure_mysql.source_plan
"""

EXAMPLES = r"""
- name: Let the managed server log in, over TLS only
  datain.azure_mysql.replication_user:
    login_host: shop-db.example.com
    login_user: dba
    login_password: "{{ vault_shop_dba }}"
    name: datain
    password: "{{ vault_shop_datain }}"
    require_tls: true

- name: Remove the account when the link is gone
  datain.azure_mysql.replication_user:
    login_host: shop-db.example.com
    login_user: dba
    login_password: "{{ vault_shop_dba }}"
    name: datain
    state: absent
"""

RETURN = r"""
account:
  description: The account as it is after the task; in check mode as it would be. When the module refuses, as it is.
  returned: success, and when the module refuses
  type: dict
  contains:
    user:
      description: Its name.
      type: str
      returned: success
      sample: datain
    host:
      description: Its host part.
      type: str
      returned: success
      sample: '%'
    present:
      description: Whether it exists; null where that could not be read.
      type: bool
      returned: success
      sample: true
    plugin:
      description: How it is logged in to; several ways are joined by C(or). Null where there is no account, as all that follow.
      type: str
      returned: success
      sample: caching_sha2_password
    require_tls:
      description: Whether it demands TLS, or more.
      type: bool
      returned: success
      sample: true
    grants:
      description: Its rights, one text for each object; null also where a right was not understood.
      type: list
      elements: str
      returned: success
      sample: [REPLICATION SLAVE ON *.*]
    password:
      description: V(matches), V(differs), or V(unknown) where the stored value is of no known form.
      type: str
      returned: success
      sample: matches
    locked:
      description: Whether it is locked.
      type: bool
      returned: success
      sample: false
    attached:
      description: The addresses of the replicas that are logged in under this name right now.
      type: list
      elements: str
      returned: success
      sample: [203.0.113.7]
actions:
  description:
    - What was done, or in check mode would be, in order.
    - An action is V(create_account), V(set_plugin), V(set_password), V(require_tls), V(relax_tls), V(unlock_account), V(grant),
      V(revoke) or V(drop_account).
  returned: success
  type: list
  elements: dict
  sample: [{action: grant, target: "'datain'@'%'", reason: REPLICATION SLAVE ON *.*}]
findings:
  description: What a person should know about the account; each is a warning too.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._replication_user import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
