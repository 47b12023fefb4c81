#!/usr/bin/env bash
# Usage: scripts/venv.sh LOCK...
# Makes .venv if there is none and installs the given locks, then this folder itself, editable.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}

if ! [ -x .venv/bin/pip ]; then
    rm -rf .venv
    # Debian ships python3.11 without ensurepip unless python3-venv is there.
    "$python" -c 'import ensurepip' 2>/dev/null || scripts/debian.sh python3-venv
    "$python" -m venv .venv
fi
for lock in "$@"; do
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
done
.venv/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
