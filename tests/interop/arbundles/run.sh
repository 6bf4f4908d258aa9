#!/bin/sh
# Checks data items and bundles against the public package arbundles, both ways:
# theirs read by Lode, ours read by them, and each writes the other's very bytes.
# Needs node 20, npm and cargo. With --update it also rewrites the stored vectors.
set -eu
cd "$(dirname "$0")"
repo=$(cd ../../.. && pwd)
vectors="$repo/protocol/tests/vectors/arbundles.json"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm ci --ignore-scripts --no-audit --no-fund --silent
node check.mjs make "$work"
if [ "${1:-}" = --update ]; then
    cp "$work/theirs.json" "$vectors"
fi

# A half that ends without its own line has crashed, which is one failure.
half() {
    what=$1
    shift
    "$@" > "$work/half" || status=1
    grep ' passed, ' "$work/half" || echo "$what ended early: 0 passed, 1 failed"
}

status=0
{
    half "ours reads theirs" cargo run --quiet --manifest-path "$repo/Cargo.toml" \
        -p protocol --example interop -- "$work"
    half "theirs reads ours" node check.mjs verify "$work"
    if cmp -s "$work/theirs.json" "$vectors"; then
        echo "the stored vectors are those made now: 1 passed, 0 failed"
    else
        echo "the stored vectors are not those made now (--update): 0 passed, 1 failed"
        status=1
    fi
} > "$work/log"
cat "$work/log"
sed 's/.*: \([0-9]*\) passed, \([0-9]*\) failed/\1 \2/' "$work/log" |
    awk '{ passed += $1; failed += $2 } END { print passed " passed, " failed " failed" }'
exit $status
