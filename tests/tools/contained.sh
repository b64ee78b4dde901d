#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs a command in a container of Debian trixie, which has a newer Python than bookworm:
#   tests/tools/contained.sh [podman's options] -- COMMAND [ARGUMENTS]
# The image is made here, from packages, once.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

options=()
while [ "${1:?no -- before the command}" != -- ]; do
    options+=("$1")
    shift
done
shift

packages=python3,python3-venv,ca-certificates,shellcheck,git
image=localhost/datain-trixie:$(printf '%s' "$packages" | sha256sum | cut -c 1-12)

# A configuration of our own: some hosts lack the rights and the control groups that podman's defaults ask for.
mkdir -p "$cache/trixie-cache"
cat >"$cache/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=32768:32768"]
[engine]
runtime = "runc"
events_logger = "file"
cgroup_manager = "cgroupfs"
CONF
export CONTAINERS_CONF=$cache/containers.conf

lock trixie
if ! podman image exists "$image"; then
    say "making the image of trixie"
    mmdebstrap --quiet --variant=minbase --include="$packages" --customize-hook="rm -rf \"\$1\"/var/cache/apt/* \"\$1\"/var/lib/apt/lists/*" trixie - | podman import --quiet - "$image" >&2
fi
exec 9>&-

# What this machine needs to reach the registries, the container needs too.
for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
    [ ! -f "$file" ] || options+=(-v "$file:$file:ro")
done
while read -r name; do options+=(-e "$name"); done < <(compgen -e | grep -E '^(PIP_|REQUESTS_|SSL_|https?_proxy$|no_proxy$|HTTPS?_PROXY$|NO_PROXY$)' || true)

exec podman run --rm --network host "${options[@]}" -e LC_ALL=C.UTF-8 -e PYTHONDONTWRITEBYTECODE=1 "$image" "$@"
