# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by the scripts beside it: where things are, and how to say what is going on.

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$tools/../.." && pwd -P)
cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/datain-azure-mysql
export root cache

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# One at a time for everything that fills the cache; released when the process ends.
lock() {
    mkdir -p "$cache"
    exec 9>"$cache/$1.lock"
    flock 9
}
