#!/usr/bin/env bash
# Runs the fuzz targets: random exceptions as HTML and in the other forms, random `Accept` headers,
# random scripts of a client and an application on a WebSocket, random gRPC-Web bodies,
# random gRPC statuses, random responses under a layer that adopts them.
#
#   fuzz/run.sh               # each target for 20 s
#   fuzz/run.sh 600           # each target for 10 minutes
#   fuzz/run.sh 600 html      # one target
#
# An input that fails is stored in `fuzz/artifacts`; `cargo +nightly fuzz run TARGET FILE` runs it
# again. Inputs that were found are stored in the target directory, and the next run begins with
# them. Needs a nightly toolchain. Installs cargo-fuzz and a compiler of C++.
set -euo pipefail

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo 'No nightly toolchain is installed: the fuzz targets are not run.'
    exit 0
fi
if ! command -v c++ >/dev/null; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
    [ "$(id -u)" = 0 ] || as_root=(sudo "${as_root[@]}")
    "${as_root[@]}" apt-get update
    "${as_root[@]}" apt-get install --yes --no-install-recommends g++
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install --locked cargo-fuzz
fi

seconds=${1:-20}
target=${CARGO_TARGET_DIR:-$(dirname "$0")/../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)/fuzz
cd "$(dirname "$0")/.."

# Runs one target. An `Accept` header of 64 KiB is in reach. A run of over 10 s is a failure.
fuzz() {
    mkdir -p "$target/corpus/$1"
    # The code under test has no `unsafe`, so that a sanitizer would find nothing.
    cargo +nightly fuzz run --sanitizer none --target-dir "$target" "$1" \
        "$target/corpus/$1" "fuzz/seeds/$1" -- \
        -dict="fuzz/$1.dict" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 \
        -max_len=65536 -len_control=1 -timeout=10 -rss_limit_mb=1024 2>&1 |
        grep -v '^"\|recommended dictionary'
}
export target seconds
export -f fuzz

names=${2:-html accept websocket grpc_web status adoption}
cargo +nightly fuzz build --sanitizer none --target-dir "$target"
# A target runs on one thread.
xargs -n 1 -P "$(nproc)" bash -euo pipefail -c 'fuzz "$1"' fuzz <<<"$names"
