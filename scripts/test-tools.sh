#!/usr/bin/env bash
# Installs what the tests start beside Python packages, where it is missing: Chromium and PostgreSQL, from Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
packages=()

command -v chromium >/dev/null || packages+=(chromium fonts-liberation)
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
[ ${#packages[@]} -eq 0 ] || scripts/debian.sh "${packages[@]}"
