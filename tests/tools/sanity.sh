#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs ansible-test's sanity tests on one core, with nothing skipped or ignored:  tests/tools/sanity.sh 2.21
# Cores that want a newer Python than this machine's run in a container made from Debian trixie.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

core=${1:?which core, as 2.21}
[ -f "$root/tests/requirements/core-$core.txt" ] || die "there is no tests/requirements/core-$core.txt"

# Inside the container: the tree is mounted where the copy was made.
if [ -n "${DATAIN_SANITY_HERE:-}" ]; then
    place=$DATAIN_SANITY_HERE
else
    lock "sanity-$core"
    python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    case $core in
        2.18 | 2.19) pythons="3.11 3.12 3.13" ;;
        *) pythons="3.12 3.13 3.14" ;;
    esac
    contained=
    [[ " $pythons " == *" $python "* ]] || contained=1
    place=$cache/sanity-$core
    "$tools/copy.sh" "$place/ansible_collections/datain/azure_mysql"
    report=${DATAIN_REPORT:-}
    if [ -n "$contained" ]; then
        rm -f "$place/report.xml"
        status=0
        "$tools/contained.sh" -v "$place:/sanity" -v "$cache/trixie-cache:/cache" -e XDG_CACHE_HOME=/cache -e DATAIN_SANITY_HERE=/sanity \
            ${report:+-e DATAIN_REPORT=/sanity/report.xml} -- /sanity/ansible_collections/datain/azure_mysql/tests/tools/sanity.sh "$core" || status=$?
        [ -z "$report" ] || [ ! -f "$place/report.xml" ] || cp "$place/report.xml" "$report"
        exit "$status"
    fi
fi

python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv=$("$tools/venv.sh" "core-$core")
# Two runs must not share a home: they would write the same environments.
export HOME=$place/home
mkdir -p "$HOME/.ansible/test/cache"
# ansible-test fetches pip from a host that a closed network does not reach; Python has it already.
for shim in get_pip_24_2.py get_pip_25_2.py; do
    printf 'import ensurepip\nensurepip.bootstrap(default_pip=True)\n' >"$HOME/.ansible/test/cache/$shim"
done
cd "$place/ansible_collections/datain/azure_mysql"
export PATH="$venv/bin:$PATH"
status=0
ansible-test sanity --local --python "$python" --color no --junit || status=$?
exec python3 "$tools/sanity_report.py" "$core" "$status" tests/output/junit
