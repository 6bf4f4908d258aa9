#!/bin/sh
# Checks the golden vectors and worked examples of the arithmetic against a second implementation, written in Python
# from docs/repro.md. Needs python3 with venv; numpy comes from the package index into an environment under target/.
set -eu
cd "$(dirname "$0")"
place=../../../target/second
python3 -c 'import ensurepip' 2>/dev/null || {
    apt-get -qq update && apt-get -qq install -y python3-venv >/dev/null
}
[ -e "$place/complete" ] || {
    python3 -m venv --clear "$place"
    "$place/bin/pip" install --quiet 'numpy>=2,<3'
    touch "$place/complete"
}
exec "$place/bin/python" -B check.py "$@"
