# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description: Name or address of the server to log in to.
    type: str
    required: true
  login_port:
    description: Port of the server.
    type: int
    default: 3306
  login_user:
    description: Administrator to log in as.
    type: str
    required: true
  login_password:
    description: Password of O(login_user).
    type: str
  login_tls:
    description:
      - How the session is protected.
      - V(preferred) uses TLS where the server offers it, and verifies nothing.
      - V(required) demands TLS, and verifies nothing.
      - V(verify_ca) also verifies the server's certificate, V(verify_identity) also the name in it.
    type: str
    choices: [disabled, preferred, required, verify_ca, verify_identity]
    default: preferred
  login_ca:
    description:
      - CA certificates to verify the server against, as PEM text or as the path of a file.
      - Empty means those of the system.
    type: str
    default: ''
  connect_timeout:
    description: Seconds until the TCP connection must stand.
    type: int
    default: 10
  read_timeout:
    description:
      - Seconds to wait for an answer, the handshake included.
      - A frozen server accepts a connection and never says a word, so this bounds the login too.
    type: int
    default: 30
  write_timeout:
    description: Seconds to wait until a statement is sent.
    type: int
    default: 30
requirements:
  - PyMySQL >= 1.1.0 where SQL is spoken from
notes:
  - No option file such as C(~/.my.cnf) is read.
  - Where the task's connection is local, and there is no become, no async and no environment on it,
    the work is done in Ansible's worker; everywhere else the same code runs as an ordinary module.
"""

    SOURCE = r"""
options:
  source:
    description: How to log in to the source.
    type: dict
    required: true
    suboptions:
      login_host:
        description: Name or address of the source.
        type: str
        required: true
      login_port:
        description: Port of the source.
        type: int
        default: 3306
      login_user:
        description: Administrator to log in as.
        type: str
        required: true
      login_password:
        description: Password of O(source.login_user).
        type: str
      login_tls:
        description: How the session is protected; see O(login_tls).
        type: str
        choices: [disabled, preferred, required, verify_ca, verify_identity]
        default: preferred
      login_ca:
        description: CA certificates to verify the source against, as PEM text or as the path of a file.
        type: str
        default: ''
      connect_timeout:
        description: Seconds until the TCP connection must stand.
        type: int
        default: 10
      read_timeout:
        description: Seconds to wait for an answer, the handshake included.
        type: int
        default: 30
      write_timeout:
        description: Seconds to wait until a statement is sent.
        type: int
        default: 30
"""
