#!/usr/bin/env bash
# Tests the layer against connect-web's client. Installs Node, npm and the client's packages.
set -euo pipefail
cd "$(dirname "$0")"

as_root=$([ "$(id -u)" = 0 ] || echo sudo)
# Node 18 or later is needed. Debian packages npm separately from Node.
for command in node npm; do
    if ! command -v "$command" >/dev/null; then
        package=${command/%node/nodejs}
        $as_root apt-get update -qq
        $as_root apt-get install -y -qq --no-install-recommends "$package"
    fi
done
npm ci --silent

cargo test --all-features --test grpc -- --ignored --exact node::connect_web
