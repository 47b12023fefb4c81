#!/usr/bin/env bash
# Usage: scripts/image.sh TARGET
# Builds the wheel and installs it, with exactly the locked packages, into a new virtual environment at TARGET.
# These are the Dockerfile's steps, and tests/integration/test_image.py runs them where there is no Docker.
set -euo pipefail
target=$1
python=${PYTHON:-python3.11}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The build tools stay out of TARGET: what runs is run.lock and the portal, nothing else.
"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet --require-hashes -r requirements/build.lock
"$work/build/bin/pip" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/wheel" .

"$python" -m venv "$target"
"$target/bin/pip" install --quiet --require-hashes -r requirements/run.lock
"$target/bin/pip" install --quiet --no-deps --no-index "$work"/wheel/storage_portal-*.whl
