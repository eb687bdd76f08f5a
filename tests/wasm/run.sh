#!/usr/bin/env bash
# Tests the crate in WebAssembly: builds the crate in this folder and runs it in Node. A trap is a
# failed check. Installs the target and Node. Takes about a minute.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")"

triple=wasm32-unknown-unknown
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] && ! rustup target add "$triple"; then
    echo "The target $triple cannot be installed: the test is not run."
    exit 0
fi
if ! command -v node >/dev/null; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends nodejs
fi

cargo build --quiet --target "$triple" --target-dir "$target"
timeout 60 node --input-type=module --eval '
    import { readFile } from "node:fs/promises";
    const bytes = await readFile(process.argv[1]);
    const { instance } = await WebAssembly.instantiate(bytes, {});
    process.exit(instance.exports.main(0, 0));
' "$target/$triple/debug/tower-exception-wasm.wasm"
echo "wasm: passed"
