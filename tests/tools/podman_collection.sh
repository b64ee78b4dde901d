#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Fetches the containers.podman collection, which Molecule's scenarios use, and prints the folder to put on ANSIBLE_COLLECTIONS_PATH.
# It comes inside the `ansible` package; the rest of that package is thrown away.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

package=ansible==12.3.0
collections=$cache/collections-$package
if [ ! -e "$collections/.complete" ]; then
    lock collections
    if [ ! -e "$collections/.complete" ]; then
        python=$("$tools/venv.sh" test)/bin/python
        work=$(mktemp -d "$cache/collections.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        say "fetching containers.podman out of $package"
        "$python" -m pip download --quiet --no-input --disable-pip-version-check --no-deps --only-binary=:all: --dest "$work" "$package" >&2
        "$python" - "$work" "$collections" <<'PYTHON'
import pathlib, sys, zipfile
work, target = map(pathlib.Path, sys.argv[1:])
[wheel] = work.glob("ansible-*.whl")
with zipfile.ZipFile(wheel) as archive:
    members = [name for name in archive.namelist() if name.startswith("ansible_collections/containers/podman/")]
    archive.extractall(target, members)
PYTHON
        touch "$collections/.complete"
    fi
fi
printf '%s\n' "$collections"
