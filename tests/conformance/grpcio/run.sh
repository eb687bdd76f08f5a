#!/usr/bin/env bash
# Tests the layer against Python's gRPC client. Installs Python and, in an environment of its own,
# the client.
set -euo pipefail
cd "$(dirname "$0")/../../.."

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends python3 python3-venv
fi
environment=${CARGO_TARGET_DIR:-target}/grpcio
[ -x "$environment/bin/pip" ] || python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check 'grpcio>=1.66'
PYTHON=$(realpath --no-symlinks "$environment/bin/python")
export PYTHON

cargo test --all-features --test conformance -- --ignored --exact grpc_interop::grpcio --nocapture
