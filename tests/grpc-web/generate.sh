#!/usr/bin/env bash
# Writes `generated/` from `../grpc/proto`. Only a change of the proto needs it.
set -euo pipefail
cd "$(dirname "$0")"

npx --yes --package @bufbuild/buf@1 --package @bufbuild/protoc-gen-es@2 buf generate ../grpc/proto --template '{
    "version": "v2",
    "plugins": [{ "local": "protoc-gen-es", "out": "generated", "opt": "target=js" }]
}'
