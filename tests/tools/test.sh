#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything: installs what is needed, runs every part, ends with the line "N passed, N failed".
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

if ! "$tools/packages.sh"; then
    say "the packages could not be installed: nothing was run"
    echo "0 passed, 1 failed"
    exit 1
fi
exec python3 "$tools/parts.py" "$@"
