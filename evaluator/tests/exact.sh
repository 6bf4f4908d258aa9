#!/usr/bin/env bash
# Jobs of every task, scored by us and again in exact rational numbers.
#
#   evaluator/tests/exact.sh LODE SCORE     the command and the example `score`, built
#
# Models and rows are pseudo-random; the third job is an IDX folder, the last
# has outputs that are all tied.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lode=$1 score=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LODE_HOME=$work/home

job() { # name, kind, inputs, outputs, rows, then what 'dataset init' needs
    local name=$1 kind=$2 inputs=$3 outputs=$4 rows=$5
    shift 5
    python3 "$here/exact_job.py" "$work/$name" "$kind" "$inputs" "$outputs" "$rows"
    (cd "$work/$name" && "$lode" dataset init test --name "$name" --attribution "made by a generator" "$@") >/dev/null
    "$score" "$work/$name/model" "$work/$name/test" "$work/$name/report" >/dev/null
    echo "-- $name"
    python3 "$here/exact.py" "$work/$name/model" "$work/$name/test" "$work/$name/report"
}

job two-classes classes 6 2 120 --csv rows.csv --label 6 --divide-by 16
job four-classes classes 6 5 120 --csv rows.csv --label 6 --classes 5
job images idx 12 3 60 --images images.gz --labels labels.gz --classes 3 --divide-by 255
job numbers numbers 6 1 120 --csv rows.csv --label 6 --regression --divide-by 3
job all-tied tied 6 2 50 --csv rows.csv --label 6
