#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs one part of the tests, alone:  tests/tools/part.sh unit|lint|fix|sanity|contract|integration|molecule|cuts [arguments]
# Where DATAIN_REPORT names a file, the part leaves its results there as JUnit XML.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

part=${1:?which part}
shift
cd "$root"

# What the person at the machine has set up must not decide a test.
while read -r name; do unset "$name"; done < <(compgen -e | grep '^ANSIBLE_' || true)
mkdir -p "$cache"
: >"$cache/ansible.cfg"
export ANSIBLE_CONFIG=$cache/ansible.cfg ANSIBLE_NOCOLOR=1 ANSIBLE_HOME=$cache/ansible-home LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

if [ "$part" = sanity ]; then
    cores=("$@")
    [ $# -gt 0 ] || cores=(2.18 2.19 2.20 2.21)
    status=0
    for core in "${cores[@]}"; do
        "$tools/sanity.sh" "$core" || status=1
    done
    exit $status
fi

eval "$("$tools/dev.sh")"
report=()
[ -z "${DATAIN_REPORT:-}" ] || report=(--junit-xml "$DATAIN_REPORT")

folder() { [ -d "$1" ] || die "there is no $1: this part is missing"; }

case $part in
    unit)
        exec pytest "${report[@]}" --timeout 60 tests/unit "$@" ;;
    lint)
        exec python "$tools/lint.py" "$@" ;;
    fix)
        exec ruff check --no-cache --fix "${@:-.}" ;;
    contract)
        folder tests/lab
        exec pytest "${report[@]}" --timeout 600 tests/lab "$@" ;;
    integration)
        folder tests/integration
        # "1/2" is every second file, from the first on: so two halves can run side by side, each with servers of its own.
        files=(tests/integration)
        if [[ ${1:-} =~ ^([0-9]+)/([0-9]+)$ ]]; then
            shift
            all=(tests/integration/test_*.py) files=()
            for ((index = BASH_REMATCH[1] - 1; index < ${#all[@]}; index += BASH_REMATCH[2])); do files+=("${all[index]}"); done
        fi
        exec pytest "${report[@]}" --timeout 900 "${files[@]}" "$@" ;;
    molecule)
        folder extensions/molecule
        exec python "$tools/molecule.py" "$@" ;;
    cuts)
        folder tests/cuts
        exec tests/cuts/run "$@" ;;
    *)
        die "there is no part called $part" ;;
esac
