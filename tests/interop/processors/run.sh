#!/usr/bin/env bash
# The golden vectors of repro on processors that this machine does not have: the digest example, built for
# aarch64 and run under qemu, and the x86-64 program on an emulated processor without AVX and on one with AVX2.
# Every operation and every training must print the digest that it prints here.
#
# Needs an x86-64 Debian 12 (or later) with apt-get, dpkg-deb and a Rust toolchain. It installs nothing: Debian's compiler for
# aarch64, its C library and qemu are unpacked under target/processors, some 200 MB of packages, and stay there.
set -euo pipefail
cd "$(dirname "$0")/../../.."
place=$PWD/target/processors
root=$place/root
say() { printf '%s\n' "$*" >&2; }

if [ "$(uname -m)" != x86_64 ]; then
    say "this script emulates from x86-64; on $(uname -m) run the digest example itself"
    exit 1
fi

apt=(-o "Dir::State::lists=$place/apt/lists" -o "Dir::State::status=$place/apt/status" -o "Dir::Cache=$place/apt/cache"
    -o "Dir::Etc::sourcelist=$place/apt/sources" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root
    -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o APT::Get::List-Cleanup=0)

# What a package needs, one name a line.
needs() { apt-cache "${apt[@]}" depends "$1" | sed -n 's/^ *Depends: //p'; }

unpack() {
    mkdir -p "$place"/apt/lists/partial "$place"/apt/cache/archives/partial "$place"/debs
    : >"$place/apt/status"
    local key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    echo "deb $key http://deb.debian.org/debian bookworm main
deb $key http://deb.debian.org/debian-security bookworm-security main" >"$place/apt/sources"
    apt-get "${apt[@]}" -qq update
    local std llvm
    std=$(needs libstd-rust-web-dev | grep '^libstd-rust-web')
    llvm=$(needs "$std" | grep '^libllvm')
    rm -rf "$root" && mkdir -p "$root"
    (
        cd "$place/debs" && rm -f ./*.deb
        apt-get "${apt[@]}" -qq download rustc-web libstd-rust-web-dev "$std" "$llvm" libstd-rust-web-dev:arm64 \
            gcc-12-aarch64-linux-gnu cpp-12-aarch64-linux-gnu binutils-aarch64-linux-gnu libbinutils \
            libisl23 libmpc3 libmpfr6 libgmp10 libgcc-12-dev-arm64-cross libgcc-s1-arm64-cross \
            libc6-dev-arm64-cross libc6-arm64-cross linux-libc-dev-arm64-cross qemu-user-static
        for package in *.deb; do dpkg-deb -x "$package" "$root"; done
        rm -f ./*.deb
    )
    # Only these two know of the unpacked libraries.
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
        "$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/rustc" >"$root/rustc"
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$root/usr/lib/x86_64-linux-gnu" \
        "$root/usr/bin/aarch64-linux-gnu-gcc-12 --sysroot=$root -B$root/usr/bin/aarch64-linux-gnu- -B$root/usr/aarch64-linux-gnu/lib" \
        >"$root/cc"
    chmod +x "$root/rustc" "$root/cc"
    touch "$root/complete"
}

[ -e "$root/complete" ] || unpack

have=$("$root/rustc" -V | cut -d' ' -f2)
want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if [ "$(printf '%s\n' "$want" "$have" | sort -V | head -1)" != "$want" ]; then
    say "Debian's rustc-web is $have; the workspace needs $want: remove $place to look for a newer one"
    exit 1
fi

cargo build --release --locked -p repro --example digest
RUSTC=$root/rustc CARGO_TARGET_DIR=$place/build CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$root/cc \
    cargo build --release --locked -p repro --example digest --target aarch64-unknown-linux-gnu

here=${CARGO_TARGET_DIR:-target}/release/examples/digest
there=$place/build/aarch64-unknown-linux-gnu/release/examples/digest
expected=$place/expected
LODE_REPRO_PATH=scalar LODE_THREADS=1 "$here" >"$expected"
failed=0

# Runs a command and compares what it prints.
check() { # title, command..
    local title=$1 got=$place/got start=$SECONDS
    shift
    if "$@" >"$got" && diff "$expected" "$got" >&2; then
        say "same: $title ($((SECONDS - start)) s)"
    else
        say "DIFFERENT: $title"
        failed=1
    fi
}

for path in avx2 avx512; do
    # It ends with 2 where the processor cannot run the path.
    status=0
    env LODE_REPRO_PATH=$path "$here" >/dev/null 2>&1 || status=$?
    if [ "$status" -ne 2 ]; then
        check "x86-64, this machine, $path" env LODE_REPRO_PATH=$path LODE_THREADS=2 "$here"
    else
        say "skipped: x86-64 with $path on this machine, whose processor has it not"
    fi
done
x86=("$root/usr/bin/qemu-x86_64-static")
arm=("$root/usr/bin/qemu-aarch64-static" -L "$root/usr/aarch64-linux-gnu")
# Without the features that qemu would warn about and that no kernel uses.
haswell=Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid
check "x86-64 without AVX and FMA (Nehalem), scalar" env -u LODE_REPRO_PATH "${x86[@]}" -cpu Nehalem "$here"
check "x86-64 with AVX2 and FMA (Haswell), avx2" env LODE_REPRO_PATH=avx2 "${x86[@]}" -cpu "$haswell" "$here"
check "aarch64, neon, one thread" env LODE_REPRO_PATH=neon LODE_THREADS=1 "${arm[@]}" "$there"
check "aarch64, neon, three threads" env LODE_REPRO_PATH=neon LODE_THREADS=3 "${arm[@]}" "$there"
check "aarch64, scalar" env LODE_REPRO_PATH=scalar "${arm[@]}" "$there"
say "skipped: x86-64 with AVX-512 emulated (qemu has it not)"
tail -1 "$expected"
exit $failed
