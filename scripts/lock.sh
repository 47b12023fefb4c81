#!/usr/bin/env bash
# Writes requirements/*.lock from pyproject.toml: names, versions and hashes, no address of where they came from.
# build.lock turns this folder into a package, run.lock is what the portal runs on, dev.lock is both and the tools.
# clients.lock is the real lamindb that tests/clients drives; it stands alone.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

compile() {
    local target=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate \
        "$@" --output-file "requirements/$target.lock" >/dev/null
    if grep -nE '://|^-|file:|^[^ #]*/' "requirements/$target.lock"; then
        echo "requirements/$target.lock names an address or a path; see the lines above." >&2
        exit 1
    fi
}

mkdir -p requirements
compile run pyproject.toml
compile build --group pyproject.toml:build
compile dev pyproject.toml --group pyproject.toml:dev --constraint requirements/run.lock --constraint requirements/build.lock
compile clients --group pyproject.toml:clients
