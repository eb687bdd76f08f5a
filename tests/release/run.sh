#!/usr/bin/env bash
# Tests that the page for development cannot be reached in a release build: builds and runs the
# crate in this folder.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")"

cargo build --quiet --release --target-dir "$target"
timeout 60 "$target/release/tower-exception-release"
echo "release: passed"
