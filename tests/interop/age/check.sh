#!/bin/sh
# Opens a key file with the public tool `age` and looks at what it holds.
#
#     check.sh KEY_FILE PASSPHRASE_FILE
#
# `age` reads a passphrase from a terminal only, so python3 gives it one.
set -eu
command -v age >/dev/null || {
    apt-get -qq update && apt-get -qq install -y age >/dev/null
}
exec python3 "$(dirname "$0")/check.py" "$1" "$2"
