#!/usr/bin/env bash
# Counts the instructions of a request, by callgrind. Fails if the layer adds over 5% more than the
# baseline (baseline.txt) in any case.
#
#   benches/instructions/check.sh            # counts and checks
#   benches/instructions/check.sh --update   # counts, and writes a new baseline
#
# A count has no noise: the same code yields the same number, however busy the machine is. Another
# compiler or libc produces other code, and its counts are not comparable with the baseline. In any
# case, compared with CatchPanicLayer in the same run, the layer may add at most 0.6 of its
# instructions, and a layer with five handlers, an observer and WebSockets 1.12. A hundred handlers
# may add no more than one, and a returned exception at most 1.05 of rendering it by hand.
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
# Cases whose instructions are at most so many times those of another case.
ratios='exception_layer 0.6 catch_panic_layer
configured 1.12 catch_panic_layer
hundred_handlers 1.01 one_handler
returned 1.05 returned_by_hand'

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

awk -v is_same="$is_same" -v growth="$growth" -v ratios="$ratios" '
    FNR == NR { if ($1 != "#") baseline[$1] = $2; next }
    { added[$1] = $2 }
    FNR == 1 { print "instructions a request, added to the bare service:" }
    {
        if (!($1 in baseline)) {
            printf "  %-18s %8.2f   not in the baseline\n", $1, $2
            failed = failed || is_same
            next
        }
        change = ($2 / baseline[$1] - 1) * 100
        printf "  %-18s %8.2f   baseline: %8.2f   %+6.1f%%\n", $1, $2, baseline[$1], change
        # CatchPanicLayer is not this crate.
        if (is_same && $1 != "catch_panic_layer" && $2 > baseline[$1] * growth) {
            print "FAILED: that is over " (growth - 1) * 100 "% more than the baseline"
            failed = 1
        }
        is_less = is_less || $2 * growth < baseline[$1]
    }
    END {
        count = split(ratios, lines, "\n")
        for (i = 1; i <= count; i++) {
            split(lines[i], bound, " ")
            ratio = added[bound[1]] / added[bound[3]]
            printf "%s: %.3f of %s, at most %s\n", bound[1], ratio, bound[3], bound[2]
            if (ratio > bound[2]) {
                print "FAILED: that is more"
                failed = 1
            }
        }
        if (is_same && is_less) {
            print "A case adds less than its baseline. To write a new one:"
            print "benches/instructions/check.sh --update"
        }
        exit failed
    }
' "$baseline" - <<<"$added"
