#!/usr/bin/env bash
# Tests exceptions as a page in headless Chromium sees them, and three examples as a person uses
# it. Installs Debian's `chromium` if no browser is found; $CHROMIUM names another one. Screenshots
# go to $OUT, which defaults to `browser` in the target directory.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v "${CHROMIUM:-chromium}" >/dev/null; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
    [ "$(id -u)" = 0 ] || as_root=(sudo "${as_root[@]}")
    "${as_root[@]}" apt-get update
    "${as_root[@]}" apt-get install --yes --no-install-recommends chromium
fi

cargo build --all-features --example chat --example debug_page --example forms
cargo test --all-features --test browser --no-run

# The tests get a process group of their own, so that none outlives this script.
set -m
timeout 300 cargo test --all-features --test browser &
tests=$!
trap 'kill -- "-$tests" 2>/dev/null || true' EXIT
wait "$tests"
