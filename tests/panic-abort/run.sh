#!/usr/bin/env bash
# Tests the crate under `panic = "abort"`: builds and runs the crate in this folder, and checks
# that no call of `raise` compiles there.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")"

echo "panic-abort: building and running \`works\`"
cargo build --quiet --target-dir "$target" --bin works
timeout 60 "$target/debug/works"

# Checks that a binary does not compile, and that each of the messages is among the errors.
must_not_compile() {
    local bin=$1 output message
    shift
    echo "panic-abort: checking that \`$bin\` does not compile"
    if output=$(cargo build --quiet --target-dir "$target" --features raises --bin "$bin" 2>&1); then
        echo "a call of \`raise\` compiled under panic=abort" >&2
        exit 1
    fi
    for message in "$@" "due to $# previous error"; do
        if ! grep -F "$message" <<<"$output"; then
            printf '%s\n' "$output" >&2
            echo "it failed to compile for another reason than \`$message\`" >&2
            exit 1
        fi
    done
}

must_not_compile raises-method \
    'no method named `raise` found for struct `HttpException`' \
    'no method named `raise` found for struct `WebSocketException`' \
    'no method named `raise` found for enum `Exception`' \
    'no method named `raise` found for struct `std::io::Error`' \
    'no method named `raise` found for struct `tower_exception::Error`' \
    'no method named `raise` found for type parameter `E`'
must_not_compile raises-path 'cannot find method or associated constant `raise` in trait `Raise`'
echo "panic-abort: passed"
