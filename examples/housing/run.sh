#!/usr/bin/env bash
# House prices as a bounty: rmse in dollars, from the public file to settlement.
#
#   examples/housing/run.sh HOUSING_CSV [RECIPE]
#
# Rows whose index is divisible by 5 are the test part. About eight minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
csv=$1 recipe=${2:-examples/housing/mlp.toml}
lode=${LODE_BIN:-$PWD/target/release/lode}
[ -n "${LODE_BIN:-}" ] || cargo build --release --bin lode
work=$(mktemp -d)
. examples/play.sh

cargo run --quiet --release -p datasets --example housing -- "$csv" "$work/rows.csv"
"$lode" dataset init "$work/housing" --csv "$work/rows.csv" --header --label median_house_value --regression \
    --split-test 5 --name "California housing" --terms credit \
    --attribution "1990 US census, R. K. Pace and R. Barry 1997; columns derived"
title="House prices" metric=rmse margin=100 reserve=-55000
parameters_max=200000 file_bytes_max=1048576 multiply_adds_max=200000
train=$work/housing-train test=$work/housing-test open=${OPEN:-4m} score=60s
play
