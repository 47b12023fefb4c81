#!/usr/bin/env bash
# Usage: scripts/debian.sh PACKAGE...
# Installs Debian packages; through sudo for anyone but root.
set -euo pipefail
sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    if ! command -v sudo >/dev/null; then
        echo "This needs the Debian packages: $*. Install them as root, then run make again." >&2
        exit 1
    fi
fi
echo "Installing from Debian: $*"
$sudo apt-get -qq update
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$@" </dev/null
