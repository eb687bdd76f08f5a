#!/usr/bin/env bash
# Tests the crate below salvo and poem: runs the tests of the crate in this folder.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")"

cargo test --quiet --target-dir "$target"
