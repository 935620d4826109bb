#!/usr/bin/env bash
# Runs a command with a private PostgreSQL, whose address it finds in SMARTCART_TEST_POSTGRES.
#
#   scripts/with-postgres.sh cargo test --workspace
source "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "usage: $0 COMMAND [ARGS...]"
directory=$(mktemp -d)
trap 'scripts/postgres.sh remove "$directory"' EXIT
chmod 755 "$directory"
reserve_ports
read -r port <<<"$(free_ports 1)"
SMARTCART_TEST_POSTGRES=$(scripts/postgres.sh start "$directory" "$port")
export SMARTCART_TEST_POSTGRES
"$@"
