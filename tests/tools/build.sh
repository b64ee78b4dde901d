#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the artifact from the files that git knows or would take, and prints its path. An argument names another folder than build/.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

target=${1:-$root/build}
venv=$("$tools/venv.sh" test)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tools/copy.sh" "$work/tree"
mkdir -p "$target"
"$venv/bin/ansible-galaxy" collection build --force --output-path "$work/out" "$work/tree" >&2
mv "$work"/out/*.tar.gz "$target/"
printf '%s\n' "$target"/datain-azure_mysql-*.tar.gz
