#!/usr/bin/env bash
# Counts the instructions of a request, by callgrind. Fails if the layer adds over 5% more than the
# baseline (baseline.txt) while nothing is raised.
#
#   benches/instructions/check.sh            # counts and checks
#   benches/instructions/check.sh --update   # counts, and writes a new baseline
#
# A count has no noise: the same code yields the same number, however busy the machine is. Another
# compiler or libc produces other code, and its counts are not comparable with the baseline. In any
# case the layer may add at most 0.6 of the instructions that CatchPanicLayer adds in the same run.
#
# Installs missing tools: valgrind (by apt-get), gungraun-runner (by cargo, of the version in
# Cargo.lock).
set -euo pipefail

# Flags from the environment would produce other code.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
target=${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}
mkdir -p "$target"
CARGO_TARGET_DIR=$(cd "$target" && pwd)/instructions
export CARGO_TARGET_DIR
cd "$(dirname "$0")"

baseline=baseline.txt
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

# One case and its count per line. `instructions.rs` counts a hundred requests.
counts=$(cargo bench --quiet | awk '
    /^instructions::/ { name = $1; sub(/.*::/, "", name) }
    $1 == "Instructions:" { print name, $2 / 100 }
')

# One case and the instructions that it adds to the bare service per line.
added=$(awk '
    $1 == "bare" { bare = $2; next }
    { printf "%-18s %7.2f\n", $1, $2 - bare }
' <<<"$counts")
grep -q exception_layer <<<"$added"

if [ "${1-}" = --update ]; then
    {
        echo "# Instructions a request, added to those of the bare service (check.sh --update)."
        echo "# $toolchain"
        echo "$added"
    } >"$baseline"
    cat "$baseline"
    exit
fi

is_same=0
if grep -qxF "# $toolchain" "$baseline"; then
    is_same=1
else
    echo "The baseline is for another toolchain; counts are not compared with it."
    echo "This toolchain: $toolchain."
    echo "To write a baseline for it: benches/instructions/check.sh --update"
fi

awk -v is_same="$is_same" -v growth="$growth" -v of_catch_panic="$of_catch_panic" '
    FNR == NR { if ($1 != "#") baseline[$1] = $2; next }
    { added[$1] = $2 }
    FNR == 1 { print "instructions a request, added to the bare service:" }
    {
        change = ($2 / baseline[$1] - 1) * 100
        printf "  %-18s %8.2f   baseline: %8.2f   %+6.1f%%\n", $1, $2, baseline[$1], change
    }
    END {
        now = added["exception_layer"]
        ratio = now / added["catch_panic_layer"]
        printf "ExceptionLayer adds %.3f of the instructions that CatchPanicLayer adds\n", ratio
        if (ratio > of_catch_panic) {
            print "FAILED: that is more than " of_catch_panic
            failed = 1
        }
        if (is_same && now > baseline["exception_layer"] * growth) {
            print "FAILED: ExceptionLayer adds over " (growth - 1) * 100 "% more than the baseline"
            failed = 1
        }
        if (is_same && now * growth < baseline["exception_layer"]) {
            print "ExceptionLayer adds less than the baseline. To write a new one:"
            print "benches/instructions/check.sh --update"
        }
        exit failed
    }
' "$baseline" - <<<"$added"
