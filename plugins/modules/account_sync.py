#!/usr/bin/python
# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: account_sync
version_added: 1.0.0
short_description: Give a managed replica the accounts that its source has
description:
  - Makes chosen accounts and roles on the replica what they are on the source. It carries logins by their stored hashes, TLS
    demands, limits, locks, expiry, a second password, rights down to columns and routines, roles and default roles.
  - It never knows a password, and neither a hash nor a password is in a result, a difference or a message.
  - What the managed server does not offer is left out and listed in RV(left_out). What an account has on the replica is never
    more than what it has on the source.
  - An account that is made is locked until it is complete. A run that was cut off leaves nothing open; the next one finishes.
  - Both servers are read in one statement for each of their tables of accounts, however many accounts there are.
author:
  - The datain.azure_mysql contributors (@datain)
extends_documentation_fragment:
  - datain.azure_mysql._login
  - datain.azure_mysql._login.source
  - datain.azure_mysql._attributes
  - datain.azure_mysql._attributes.manages
options:
  accounts:
    description:
      - Patterns of the accounts that are meant, as in a shell, C(user) or C(user@host). V(*) means every account.
      - One that begins with V(!) takes accounts out again.
      - The roles that these accounts have come with them, but for those that a C(!) means.
      - Accounts of the servers themselves and of the platform, the logins of this task, and O(replication_user) are never meant.
    type: list
    elements: str
    required: true
  remove:
    description: Whether accounts that O(accounts) means and that the source does not have are removed from the replica.
    type: bool
    default: false
  service:
    description: Which managed service the replica is.
    type: str
    choices: [mysql_flexible_server, mysql_single_server, mariadb_server, mysql_data_sync]
    required: true
  replication_user:
    description: Account on the source that the replica logs in with. It stays on the source.
    type: str
    required: true
notes:
  - On the source the administrator needs C(SELECT ON mysql.*). On the replica it needs that and C(CREATE USER), whatever it is to
    grant C(WITH GRANT OPTION), and on MySQL C(ROLE_ADMIN) to pass on roles.
  - Refused on a replica that does not filter the schema C(mysql) out, where the source's own statements about accounts would
    meet accounts that exist (error 1396), and on a linked MariaDB replica with C(gtid_strict_mode), where any write stops the applier (error 1950).
  - Rights that an account has on the replica only are taken away.
  - Grants on tables, columns or routines that the replica does not have are left out, and given by a later run.
seealso:
  - module: datain.azure_mysql.replication_user
"""

EXAMPLES = r"""
- name: Give the replica the shop's accounts
  datain.azure_mysql.account_sync:
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
    accounts: ["shop_*", "report@10.%", "!shop_test*"]

- name: See what would be done about all accounts, accounts to be removed among them
  datain.azure_mysql.account_sync:
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
    accounts: ["*"]
    remove: true
  check_mode: true
  diff: true
"""

RETURN = r"""
accounts:
  description: How many accounts and roles it was about.
  returned: success
  type: dict
  contains:
    selected:
      description: Of the source, with the roles that they have.
      type: int
      returned: success
      sample: 2000
    created:
      description: Made on the replica.
      type: int
      returned: success
      sample: 2
    changed:
      description: Changed on the replica.
      type: int
      returned: success
      sample: 1
    removed:
      description: Removed from the replica.
      type: int
      returned: success
      sample: 0
actions:
  description:
    - What was done, or in check mode would be; one entry for each account that is not yet what it should be.
    - An action is V(create), V(change) or V(remove).
  returned: success, and when the module refuses
  type: list
  elements: dict
  sample: [{action: create, target: "'shop_web'@'%'", reason: "account; SELECT, INSERT ON `shop`.*"}]
left_out:
  description: Everything of the chosen accounts that is not on the replica as it is on the source, and why.
  returned: success
  type: list
  elements: dict
  contains:
    rule:
      description: The finding that it belongs to.
      type: str
      returned: success
      sample: accounts.privilege
    account:
      description: Whose it is.
      type: str
      returned: success
      sample: "'shop_dba'@'%'"
    what:
      description: What it is.
      type: str
      returned: success
      sample: FILE, SUPER ON *.*
    why:
      description: Why it is not there.
      type: str
      returned: success
      sample: the service gives it to nobody
findings:
  description: What a person should know, one for each rule; each is a warning too.
  returned: success
  type: list
  elements: dict
  sample: []
failures:
  description: The accounts that could not be completed, with the server's reason. All others were.
  returned: when an account could not be completed
  type: list
  elements: dict
  sample: [{account: "'shop_web'@'%'", step: grant rights to, code: 1146, message: "Table 'shop.t' doesn't exist"}]
"""

from ansible_collections.datain.azure_mysql.plugins.module_utils._account_sync import CAPABILITY
from ansible_collections.datain.azure_mysql.plugins.module_utils._run import run_module


def main() -> None:
    run_module(CAPABILITY)


if __name__ == "__main__":
    main()
