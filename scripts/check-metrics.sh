#!/usr/bin/env bash
# The metrics of the server of with-server.sh: well formed (promtool), complete (every name that the README
# promises), and never labelled with an id.
source "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One of everything, so that counters which start with their first event are there.
cart=$(curl --silent --fail-with-body --header 'Content-Type: application/json' --data '{"currency":"GBP"}' \
  "$BASE_URL/v1/carts" | sed 's/.*"id":"\([^"]*\)".*/\1/')
curl --silent --fail-with-body --output /dev/null "$BASE_URL/v1/carts/$cart"

curl --silent --fail-with-body "$OPS_URL/metrics" >"$work/metrics"
promtool check metrics <"$work/metrics"

missing=()
mapfile -t promised < <(grep -o '^| `smartcart_[a-z_]*' README.md | sed 's/.*`//')
[ ${#promised[@]} -gt 0 ] || die "the README's table of metrics is not to be found"
for name in "${promised[@]}"; do
  grep -qE "^$name(_bucket|_sum|_count)?[ {]" "$work/metrics" || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] || die "the README promises metrics that the server does not have: ${missing[*]}"

if grep -F "$cart" "$work/metrics"; then die "a cart's id is in a label"; fi
echo "${#promised[@]} promised metrics are there; promtool finds no fault"
