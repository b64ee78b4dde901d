#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the working tree importable as ansible_collections.datain.azure_mysql and prints the folder to put on ANSIBLE_COLLECTIONS_PATH.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

sum=$(printf '%s' "$root" | sha256sum)
tree=$cache/dev-${sum:0:12}
mkdir -p "$tree/ansible_collections/datain"
ln -sfnT "$root" "$tree/ansible_collections/datain/azure_mysql"
printf '%s\n' "$tree"
