-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

-- Whether Azure's starts the applier again is not documented: this one does not, so its caller has to.
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_skip_counter()
  SQL SECURITY DEFINER
BEGIN
  {{failure}}
  {{before}}
  SET GLOBAL {{SKIP_COUNTER}} = 1;
  {{after}}
END$$
