#!/usr/bin/env bash
# Tests the compiler's messages without the feature `axum`: runs the test of the crate in this
# folder.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")"

# trybuild reads the variable, and not the option of the same meaning.
CARGO_TARGET_DIR=$target cargo test --quiet
