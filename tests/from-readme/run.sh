#!/usr/bin/env bash
# Follows the beginning of the README as a newcomer does: makes a new axum crate of its code blocks,
# runs it, and compares what curl shows with what the README shows. The crate depends on this one
# by path, and has another port than the README, which may be in use. Needs curl.
set -euo pipefail

target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")/../.."

if ! command -v curl >/dev/null; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
    [ "$(id -u)" = 0 ] || as_root=(sudo "${as_root[@]}")
    "${as_root[@]}" apt-get update
    "${as_root[@]}" apt-get install --yes --no-install-recommends curl
fi

# Prints the first code block of the README that begins with this line.
block() {
    awk -v start="$1" '
        inside && $0 == "```" { exit }
        inside { print }
        $0 == start { inside = 1 }
    ' README.md
}

# A crate of its own, outside of this one.
crate=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi; rm -rf "$crate"' EXIT
mkdir "$crate/src"

port=$((20000 + RANDOM % 10000))
{
    printf '[package]\nname = "newcomer"\nversion = "0.1.0"\nedition = "2024"\n\n'
    block '```toml' | sed "s|version = \"0.1\", features|path = \"$PWD\", features|"
} >"$crate/Cargo.toml"
grep -F "path = " "$crate/Cargo.toml" >/dev/null
block '```rust,no_run' | sed "s/127.0.0.1:3000/127.0.0.1:$port/" >"$crate/src/main.rs"
grep -F "127.0.0.1:$port" "$crate/src/main.rs" >/dev/null

cargo build --quiet --manifest-path "$crate/Cargo.toml" --target-dir "$target"
"$target/debug/newcomer" &
server=$!
for _ in $(seq 100); do
    if curl --silent --output /dev/null "http://127.0.0.1:$port/"; then
        break
    fi
    sleep 0.1
done

# Runs each command of the block, and prints it with its output as the README does: without the
# date of the response, and without the carriage returns of its head.
run() {
    local line first=1
    while IFS= read -r line; do
        case $line in '$ '*) ;; *) continue ;; esac
        [ "$first" = 1 ] || printf '\n'
        first=0
        printf '%s\n' "$line"
        # The command is a line of the README.
        eval "${line#'$ '} --silent --show-error" | tr -d '\r' | sed '/^date: /d'
        printf '\n'
    done
}
expected=$(block '```text' | sed "s/127.0.0.1:3000/127.0.0.1:$port/")
if ! diff <(printf '%s\n' "$expected") <(run <<<"$expected"); then
    echo 'from-readme: the server does not respond as the README says (<)' >&2
    exit 1
fi
echo "from-readme: passed"
