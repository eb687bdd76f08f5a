#!/usr/bin/env bash
# What a page sees of exceptions, in headless Chromium, and the chat example as one uses it. Installs Debian's
# `chromium` where there is none; $CHROMIUM names another one. Screenshots go to $OUT, or to the target
# directory's `browser`.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v "${CHROMIUM:-chromium}" >/dev/null; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
    [ "$(id -u)" = 0 ] || as_root=(sudo "${as_root[@]}")
    "${as_root[@]}" apt-get update
    "${as_root[@]}" apt-get install --yes --no-install-recommends chromium
fi

cargo build --all-features --example chat
cargo test --all-features --test browser --no-run

# A process group of its own, which ends with this script, however that comes.
set -m
timeout 300 cargo test --all-features --test browser &
tests=$!
trap 'kill -- "-$tests" 2>/dev/null || true' EXIT
wait "$tests"
