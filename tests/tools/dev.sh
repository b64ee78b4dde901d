#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes what development needs and prints the lines to evaluate:
#   eval "$(tests/tools/dev.sh)"
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

venv=$("$tools/venv.sh" test)
podman=$("$tools/podman_collection.sh")
tree=$("$tools/tree.sh")
printf "export PATH=%q:\$PATH\n" "$venv/bin"
printf 'export ANSIBLE_COLLECTIONS_PATH=%q\n' "$tree:$podman"
