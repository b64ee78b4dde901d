-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors
-- The text goes into a new file for each call: a server does not overwrite one.
  SET @az_tls = '{{SOURCE}}_SSL=0, {{SOURCE}}_SSL_CA=\'\', {{SOURCE}}_SSL_VERIFY_SERVER_CERT=0';
  IF master_ssl_ca <> '' THEN
    SET @az_file = CONCAT('{{files}}/', UUID(), '.pem');
    SET @az_text = CONCAT('SELECT ', QUOTE(master_ssl_ca), ' INTO DUMPFILE ', QUOTE(@az_file));
    PREPARE az_statement FROM @az_text;
    EXECUTE az_statement;
    DEALLOCATE PREPARE az_statement;
    SET @az_tls = CONCAT('{{SOURCE}}_SSL=1, {{SOURCE}}_SSL_VERIFY_SERVER_CERT=0, {{SOURCE}}_SSL_CA=', QUOTE(@az_file));
  END IF;
