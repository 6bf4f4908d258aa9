#!/usr/bin/env bash
# Counts the instructions of fixed work (../instructions.rs) and holds them against counts.txt: a work that takes more than 3 %
# more fails, and so does one that takes so many fewer, until they are accepted: it may not have done its work. Seconds depend on
# the machine and what else it does; instructions do not.
#
#     repro/benches/instructions/run.sh            compares
#     repro/benches/instructions/run.sh --accept   writes the counts as they are now; commit them with the reason
#
# On one thread with AVX2, because valgrind knows no AVX-512. Needs valgrind.
set -euo pipefail
cd "$(dirname "$0")/../../.."
counts=repro/benches/instructions/counts.txt

program=$(cargo bench --locked -p repro --bench instructions --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*instructions-[^"]*\)".*/\1/p')
export LODE_REPRO_PATH=avx2 LODE_THREADS=1

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" 2>&1 |
        sed -n 's/.*Collected : *//p'
}

now=$(mktemp)
trap 'rm -f "$now"' EXIT
"$program" | while read -r work; do
    # On a line of its own: inside another command the status of a work that died would be lost.
    counted=$(count "$work")
    echo "$work $counted"
done >"$now"

if [ "${1:-}" = --accept ]; then
    awk '$2 !~ /^[1-9][0-9]*$/ { print $1 ": was not counted"; bad = 1 } END { exit bad }' "$now"
    cp "$now" "$counts"
    cat "$counts"
    exit
fi
awk '
    NR == FNR { stored[$1] = $2; next }
    $2 !~ /^[1-9][0-9]*$/ { print $1 ": was not counted"; bad = 1; delete stored[$1]; next }
    !($1 in stored) { printf "%s: %d, and no count is stored\n", $1, $2; bad = 1; next }
    {
        change = 100 * ($2 / stored[$1] - 1)
        printf "%s: %d, %+.2f %%\n", $1, $2, change
        if (change > 3) { print "  more than 3 % above its count"; bad = 1 }
        if (change < -3) { print "  more than 3 % below its count"; bad = 1 }
        delete stored[$1]
    }
    END {
        for (work in stored) { print work ": a count, and no such work"; bad = 1 }
        if (bad) print "If the change is meant, run this with --accept and commit the counts."
        exit bad
    }
' "$counts" "$now"
