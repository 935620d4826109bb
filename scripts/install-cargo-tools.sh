#!/usr/bin/env bash
# cargo-deny and sqlx-cli under .tools/bin. Built without optimisation: they run for seconds and would
# otherwise take minutes more to compile.
source "$(dirname "$0")/lib.sh"

readonly CARGO_DENY=0.20.2
readonly SQLX_CLI=0.9.0

# cargo_install CRATE VERSION [CARGO ARGS...]
cargo_install() {
  local crate=$1 version=$2
  shift 2
  if is_stamped "$crate" "$version $*"; then return; fi
  say "building $crate $version (once)"
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$TOOLS/build" \
    cargo install --quiet --locked --debug --force --root "$TOOLS" "$@" "$crate@$version"
  stamp "$crate" "$version $*"
}

cargo_install cargo-deny "$CARGO_DENY"
cargo_install sqlx-cli "$SQLX_CLI" --no-default-features --features sqlite,sqlx-toml
rm -rf "$TOOLS/build"
