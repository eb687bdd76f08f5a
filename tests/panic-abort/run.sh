#!/usr/bin/env bash
# What the crate does under `panic = "abort"`: builds and runs this folder's crate, and checks that a call
# of `raise` does not compile there.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)/panic-abort
cd "$(dirname "$0")"

echo "panic-abort: what works"
cargo build --quiet --target-dir "$target" --bin works
timeout 60 "$target/debug/works"

echo "panic-abort: what does not compile"
if output=$(cargo build --quiet --target-dir "$target" --features raises --bin raises 2>&1); then
    echo "a call of \`raise\` compiled under panic=abort" >&2
    exit 1
fi
if ! grep -F 'no method named `raise` found' <<<"$output"; then
    printf '%s\n' "$output" >&2
    echo "it failed to compile, but not for want of \`raise\`" >&2
    exit 1
fi
echo "panic-abort: as it should be"
