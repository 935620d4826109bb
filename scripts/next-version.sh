#!/usr/bin/env bash
# Writes BINS/smartcart-next: the server of that folder, which was built with the feature `next`, as its next version might be.
#
#   scripts/next-version.sh target/debug
source "$(dirname "$0")/lib.sh"

server=$(realpath "${1:?usage: $0 BINS}/smartcart")
printf '#!/bin/sh\nSMARTCART_SIMULATE_NEXT_VERSION=1 exec "%s" "$@"\n' "$server" >"$server-next.new"
chmod +x "$server-next.new"
# A server without the feature ignores the variable, and would be rolled to itself.
"$server-next.new" --version | grep -q -e '-simulated-next$' || {
  rm -f "$server-next.new" "$server-next"
  die "$server is not built with --features smartcart-api/next: it cannot simulate its next version"
}
mv "$server-next.new" "$server-next"
