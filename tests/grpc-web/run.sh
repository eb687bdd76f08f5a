#!/usr/bin/env bash
# The layer and connect-web's client: installs what it needs, and runs the test that starts both.
set -euo pipefail
cd "$(dirname "$0")"

as_root=$([ "$(id -u)" = 0 ] || echo sudo)
# Node 18 or later. npm comes with it, but not where it is Debian's own.
for command in node npm; do
    if ! command -v "$command" >/dev/null; then
        package=${command/%node/nodejs}
        $as_root apt-get update -qq
        $as_root apt-get install -y -qq --no-install-recommends "$package"
    fi
done
npm ci --silent

cargo test --all-features --test grpc -- --ignored --exact node::connect_web
