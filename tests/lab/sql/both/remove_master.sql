-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_remove_master()
  SQL SECURITY DEFINER
BEGIN
  {{failure}}
  {{before}}
  RESET {{REPLICA}} ALL;
  {{after}}
END$$
