#!/usr/bin/env bash
# Tests the crate under `panic = "abort"`: builds and runs the crate in this folder, and checks
# that a call of `raise` does not compile there.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)/panic-abort
cd "$(dirname "$0")"

echo "panic-abort: building and running \`works\`"
cargo build --quiet --target-dir "$target" --bin works
timeout 60 "$target/debug/works"

echo "panic-abort: checking that \`raises\` does not compile"
if output=$(cargo build --quiet --target-dir "$target" --features raises --bin raises 2>&1); then
    echo "a call of \`raise\` compiled under panic=abort" >&2
    exit 1
fi
if ! grep -F 'no method named `raise` found' <<<"$output"; then
    printf '%s\n' "$output" >&2
    echo "it failed to compile for another reason than the missing \`raise\`" >&2
    exit 1
fi
echo "panic-abort: passed"
