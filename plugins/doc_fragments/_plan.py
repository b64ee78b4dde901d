# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  report:
    description:
      - Whether the host's report is written at once where nothing is to be done, on the controller, as
        M(datain.azure_mysql.link_report) would with what the inventory says.
      - A host is skipped whose C(datain_sql_host) is another one than the task is delegated to.
      - Never in check mode, and not where the inventory wants accounts carried over, since then there is more to come.
    type: bool
    default: false
"""
