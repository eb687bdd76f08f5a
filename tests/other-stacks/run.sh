#!/usr/bin/env bash
# Tests the crate in stacks with heavy dependencies: warp, lambda_http, async-graphql,
# tower-sessions and HTTP/3. Runs the tests of the crate in this folder.
#
# Takes 2 to 5 minutes on two cores, nearly all for compiling. So `.ci/run` does not run it.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)/other-stacks
cd "$(dirname "$0")"

cargo test --quiet --target-dir "$target"
