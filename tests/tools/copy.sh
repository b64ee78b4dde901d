#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Copies the working tree to the folder FOLDER, which is emptied first: what git knows or would take, nothing that is ignored.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

folder=${1:?where to}
rm -rf "$folder"
mkdir -p "$folder"
cd "$root"
if [ -e .git ]; then
    git -c safe.directory="$root" ls-files --cached --others --exclude-standard -z
else
    find . -type f -not -path './build/*' -not -path '*/__pycache__/*' -print0
fi | while IFS= read -r -d '' file; do
    # A file that git knows may have been deleted since.
    [ ! -e "$file" ] || printf '%s\0' "$file"
done | tar -cf - --null --files-from=- | tar -xf - -C "$folder"
