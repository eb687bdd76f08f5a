#!/usr/bin/env bash
# Counts the instructions that a request takes, by callgrind, and fails where the layer adds more than it did
# while nothing is raised: by over 5%, against the figures in kept.txt.
#
#   benches/instructions/check.sh            # counts and checks
#   benches/instructions/check.sh --update   # counts, and keeps the new figures
#
# A count has no noise: the same code gives the same number, however busy the machine is. Another compiler or
# another libc makes other code, so that its numbers say nothing beside the kept ones. Then, and in any case, what
# is checked is that the layer adds at most 0.6 of what CatchPanicLayer adds, counted in the same run.
#
# It installs what it lacks: valgrind (by apt-get), gungraun-runner (by cargo, of the version in Cargo.lock).
set -euo pipefail

# Flags of somebody's own would make other code.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
CARGO_TARGET_DIR=$(cd "$target" && pwd)/instructions
export CARGO_TARGET_DIR
cd "$(dirname "$0")"

kept=kept.txt
growth=1.05
of_catch_panic=0.6

install_valgrind() {
    local as_root=()
    if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -y -qq valgrind
}

if ! command -v valgrind >/dev/null; then
    echo "installing valgrind"
    install_valgrind
fi

version=$(awk '/^name = "gungraun-runner"/ { getline; gsub(/[^0-9.]/, ""); print }' Cargo.lock)
PATH=${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}/bin:$PATH
if [ "$(gungraun-runner --version 2>/dev/null || true)" != "gungraun-runner $version" ]; then
    echo "installing gungraun-runner $version"
    cargo install --quiet --locked --force gungraun-runner --version "$version"
fi
GUNGRAUN_RUNNER=$(command -v gungraun-runner)
export GUNGRAUN_RUNNER GUNGRAUN_COLOR=never

toolchain="$(rustc --version), $(rustc -vV | sed -n 's/^host: //p'), $(getconf GNU_LIBC_VERSION)"
if ! grep -qw avx2 /proc/cpuinfo; then toolchain+=", without avx2"; fi

# A case and its count a line. `instructions.rs` counts a hundred requests.
counts=$(cargo bench --quiet | awk '
    /^instructions::/ { name = $1; sub(/.*::/, "", name) }
    $1 == "Instructions:" { print name, $2 / 100 }
')

# A case and what it adds to the bare service a line.
added=$(awk '
    $1 == "bare" { bare = $2; next }
    { printf "%-18s %7.2f\n", $1, $2 - bare }
' <<<"$counts")
grep -q exception_layer <<<"$added"

if [ "${1-}" = --update ]; then
    {
        echo "# Instructions a request, added to what the bare service takes: kept by check.sh --update."
        echo "# $toolchain"
        echo "$added"
    } >"$kept"
    cat "$kept"
    exit
fi

is_same=0
if grep -qxF "# $toolchain" "$kept"; then
    is_same=1
else
    echo "The kept figures are another toolchain's, and are not compared with. This one is: $toolchain."
    echo "Where this one is here to stay, keep its figures: benches/instructions/check.sh --update"
fi

awk -v is_same="$is_same" -v growth="$growth" -v of_catch_panic="$of_catch_panic" '
    FNR == NR { if ($1 != "#") kept[$1] = $2; next }
    { added[$1] = $2 }
    FNR == 1 { print "instructions a request, added to the bare service:" }
    { printf "  %-18s %8.2f   kept: %8.2f   %+6.1f%%\n", $1, $2, kept[$1], ($2 / kept[$1] - 1) * 100 }
    END {
        now = added["exception_layer"]
        ratio = now / added["catch_panic_layer"]
        printf "the layer adds %.3f of what CatchPanicLayer adds\n", ratio
        if (ratio > of_catch_panic) {
            print "FAILED: that is more than " of_catch_panic
            failed = 1
        }
        if (is_same && now > kept["exception_layer"] * growth) {
            print "FAILED: it adds more than it did, by over " (growth - 1) * 100 "%"
            failed = 1
        }
        if (is_same && now * growth < kept["exception_layer"]) {
            print "It adds less than it did: keep that (benches/instructions/check.sh --update)"
        }
        exit failed
    }
' "$kept" - <<<"$added"
