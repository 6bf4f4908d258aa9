#!/usr/bin/env bash
# Fashion-MNIST as a bounty: accuracy on the official test images, from the
# four public files to settlement.
#
#   examples/fashion/run.sh FOLDER [RECIPE]
#
# FOLDER has train-images-idx3-ubyte.gz and its kin. About fifteen minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
from=$1 recipe=${2:-examples/fashion/cnn.toml}
lode=${LODE_BIN:-$PWD/target/release/lode}
[ -n "${LODE_BIN:-}" ] || cargo build --release --bin lode
work=$(mktemp -d)
. examples/play.sh

for part in train t10k; do
    name=$([ $part = train ] && echo "training" || echo "test")
    "$lode" dataset init "$work/$name" --images "$from/$part-images-idx3-ubyte.gz" \
        --labels "$from/$part-labels-idx1-ubyte.gz" --divide-by 255 --name "Fashion-MNIST, $name images" \
        --terms credit --attribution "Fashion-MNIST, Zalando SE, MIT"
done
title="Clothes" metric=accuracy margin=0.002 reserve=0.86
parameters_max=1000000 file_bytes_max=4194304 multiply_adds_max=10000000 fee=0.5
train=$work/training test=$work/test open=${OPEN:-10m} score=${SCORE:-3m}
play
