#!/usr/bin/env bash
# Cargo, with clippy's driver as the compiler of the workspace's own crates: what it builds is linted in the same pass, and
# any warning fails it. (`cargo clippy` says the same, but compiles every dependency a second time, for nothing but to look.)
#
#   scripts/checked-cargo.sh build --workspace --all-targets
export RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__
exec cargo "$@"
