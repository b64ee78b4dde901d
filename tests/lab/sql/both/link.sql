-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors
-- Built and prepared, since the statement takes no variables.
  SET @az_text = CONCAT('{{CHANGE}} TO {{SOURCE}}_HOST=', QUOTE(master_host), ', {{SOURCE}}_PORT=', master_port,
    ', {{SOURCE}}_USER=', QUOTE(master_user), ', {{SOURCE}}_PASSWORD=', QUOTE(master_password), @az_where, ', ', @az_tls);
  PREPARE az_statement FROM @az_text;
  SET @az_text = NULL, @az_tls = NULL, @az_file = NULL, @az_where = NULL;
  EXECUTE az_statement;
  DEALLOCATE PREPARE az_statement;
