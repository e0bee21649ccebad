# SPDX-License-Identifier: MIT
#
# Sourced by the scripts: what they all say in the same way.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Go's own package is installed there, and PATH may not know.
command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin

# What a user may lack is skipped, for all to see; where CI is true nothing may be.
skip() {
    if [ "${CI:-}" = true ]; then
        echo "failed: $* (CI must not skip this)" >&2
        exit 1
    fi
    echo "skipped: $*"
    exit 77
}

fail() {
    echo "failed: $*" >&2
    exit 1
}
