#!/usr/bin/env bash
# What the build and the checks need of the system: a Rust toolchain, a C compiler (SQLite and the allocator
# are compiled in), curl, Python's venv and npm. Installs what is missing with apt-get; Rust it only looks for.
source "$(dirname "$0")/lib.sh"

missing=()
command -v cc >/dev/null || missing+=(build-essential)
command -v curl >/dev/null || missing+=(curl ca-certificates)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
command -v npm >/dev/null || missing+=(nodejs npm)
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
command -v cargo >/dev/null || die "no cargo: install Rust $wanted or newer (https://rustup.rs)"
if ! { cargo fmt --version && cargo clippy --version; } >/dev/null; then
  die "rustfmt or clippy is missing: rustup component add rustfmt clippy"
fi
