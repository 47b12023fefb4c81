#!/usr/bin/env bash
# Makes .venv-lamindb: exactly what requirements/clients.lock says, for the real lamindb of tests/clients.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
python=${PYTHON:-python3.11}

if ! [ -x .venv-lamindb/bin/python ]; then
    rm -rf .venv-lamindb
    "$uv" venv --quiet --no-python-downloads --python "$python" .venv-lamindb
fi
"$uv" pip sync --quiet --require-hashes --python .venv-lamindb/bin/python requirements/clients.lock
