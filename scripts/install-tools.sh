#!/usr/bin/env bash
# Everything `make test` needs. A second run costs nothing.
source "$(dirname "$0")/lib.sh"

# in_turn PART...: those that use apt-get, which lets one in at a time.
in_turn() {
  local part
  for part in "$@"; do "scripts/install-$part.sh"; done
}

# What the others are installed with.
in_turn system
parts=()
in_turn postgres redis promtool & parts+=($!)
scripts/install-python-tools.sh & parts+=($!)
scripts/install-node-tools.sh & parts+=($!)
# All of them end first: none may go on beside what runs next.
failed=0
for part in "${parts[@]}"; do wait "$part" || failed=$((failed + 1)); done
[ "$failed" -eq 0 ] || die "$failed of ${#parts[@]} groups of tools were not installed; what failed is above"
# Either the system's Redis or one of the Python wheels.
in_turn new-redis
