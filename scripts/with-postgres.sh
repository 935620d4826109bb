#!/usr/bin/env bash
# Runs a command with a private PostgreSQL, whose address it finds in SMARTCART_TEST_POSTGRES.
#
#   scripts/with-postgres.sh cargo test --workspace
source "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "usage: $0 COMMAND [ARGS...]"
directory=$(mktemp -d)

# shellcheck disable=SC2329 # the trap calls it
cleanup() {
  local code=$?
  scripts/postgres.sh stop "$directory" immediate || say "PostgreSQL in $directory was not running any more"
  rm -rf "$directory"
  exit "$code"
}
trap cleanup EXIT

chmod 755 "$directory"
read -r port < <(free_ports 1)
SMARTCART_TEST_POSTGRES=$(scripts/postgres.sh start "$directory" "$port")
export SMARTCART_TEST_POSTGRES
"$@"
