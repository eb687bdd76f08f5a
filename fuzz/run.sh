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

# An `Accept` header of 64 KiB is in reach. A run of over 10 s is a failure.
limits=(-max_len=65536 -len_control=1 -timeout=10 -rss_limit_mb=1024)
for name in ${2:-html accept websocket grpc_web status adoption}; do
    mkdir -p "$target/corpus/$name"
    # The code under test has no `unsafe`, so that a sanitizer would find nothing.
    cargo +nightly fuzz run --sanitizer none --target-dir "$target" "$name" \
        "$target/corpus/$name" "fuzz/seeds/$name" -- \
        -dict="fuzz/$name.dict" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 \
        "${limits[@]}" 2>&1 | grep -v '^"\|recommended dictionary'
done
