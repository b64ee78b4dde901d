#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the environment NAME out of tests/requirements/NAME.txt, once, outside the tree, and prints where it is.
#   PATH="$(tests/tools/venv.sh test)/bin:$PATH"
# DATAIN_PYTHON names another interpreter than python3.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

name=${1:?which environment: a file of tests/requirements without .txt}
requirements=$root/tests/requirements/$name.txt
[ -f "$requirements" ] || die "there is no $requirements"
wanted=${DATAIN_PYTHON:-python3}
command -v "$wanted" >/dev/null || die "$wanted is not on this machine; install Python 3.11 or newer"
# The interpreter itself, not a shim that looks for it every time, nor another environment's.
python=$("$wanted" -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$python is older than Python 3.11, which ansible-core needs"

sum=$({ "$python" -VV; echo "$python"; cat "$root/tests/requirements/constraints.txt" "$root/tests/requirements/runtime.txt" "$requirements"; } | sha256sum)
venv=$cache/venv-$name-${sum:0:12}

# The pip of the environment itself, of the machine, or of Debian's wheel, whichever there is.
make_venv() {
    if "$python" -c 'import ensurepip; ensurepip.version()' 2>/dev/null && "$python" -m venv "$venv" 2>/dev/null; then
        pip=("$venv/bin/python" -m pip)
        return
    fi
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv"
    if "$python" -m pip --python "$venv/bin/python" --version >/dev/null 2>&1; then
        pip=("$python" -m pip --python "$venv/bin/python")
        return
    fi
    say "no pip here: taking it from Debian's package"
    local work=$cache/pip-whl
    if ! compgen -G "$work/usr/share/python-wheels/pip-*.whl" >/dev/null; then
        command -v apt-get >/dev/null || die "no pip, no ensurepip and no apt-get: install the python3-venv of this machine"
        mkdir -p "$work/state/lists/partial" "$work/archives/partial"
        # An ordinary user may read the indexes and fetch, only not into the system's own folders.
        local apt=(apt-get -qq -o "Dir::State=$work/state" -o "Dir::State::status=/var/lib/dpkg/status" -o "Dir::Cache=$work" -o "APT::Sandbox::User=$(id -un)")
        "${apt[@]}" update >&2 || say "not every index of apt could be read; going on with those that could"
        (cd "$work" && "${apt[@]}" download python3-pip-whl >&2)
        dpkg-deb -x "$work"/python3-pip-whl_*.deb "$work"
    fi
    local wheel
    wheel=$(compgen -G "$work/usr/share/python-wheels/pip-*.whl" | head -n 1)
    pip=("$venv/bin/python" "$wheel/pip")
}

if [ ! -e "$venv/.complete" ]; then
    lock "venv-$name"
    if [ ! -e "$venv/.complete" ]; then
        say "making the environment '$name' in $venv"
        started=$SECONDS
        rm -rf "$venv"
        mkdir -p "$cache"
        make_venv
        "${pip[@]}" install --quiet --no-input --disable-pip-version-check --requirement "$requirements" >&2
        touch "$venv/.complete"
        say "the environment '$name' is ready after $((SECONDS - started)) s"
    fi
fi
printf '%s\n' "$venv"
