#!/usr/bin/env bash
# The metrics of the server of with-server.sh: well formed (promtool), complete (every name that the README
# promises), and never labelled with an id.
source "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

request() { curl --silent --fail-with-body "$@"; }
first() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

# Some trade, so that what starts with its first event is there.
sku=$(request "$BASE_URL/v1/products?limit=1" | first sku)
cart=$(request --json '{}' "$BASE_URL/v1/carts" | first id)
request --output /dev/null --json "{\"sku\": \"$sku\", \"quantity\": 1}" "$BASE_URL/v1/carts/$cart/items"
request --output /dev/null --json '{"quantity": 1}' "$BASE_URL/v1/inventory/$sku/holds"

# shellcheck disable=SC2016 # the backquotes are Markdown
mapfile -t promised < <(sed -n 's/^| `\(smartcart_[a-z_]*\)`.*/\1/p' README.md)
[ ${#promised[@]} -gt 0 ] || die "the README's table of metrics is not to be found"

# missing_metrics: the promised names that are not in the last scrape.
missing_metrics() {
  local name
  for name in "${promised[@]}"; do
    grep -qE "^$name(_bucket)?[ {]" "$work/metrics" || echo "$name"
  done
}

# What counts residents is measured every few seconds.
deadline=$((SECONDS + 15))
until request "$OPS_URL/metrics" >"$work/metrics" && [ -z "$(missing_metrics)" ]; do
  [ $SECONDS -lt $deadline ] || die "the README promises metrics that the server does not have: $(missing_metrics | xargs)"
  sleep 0.5
done
promtool check metrics <"$work/metrics"

if grep -F "$cart" "$work/metrics"; then die "a cart's id is in a label"; fi
echo "${#promised[@]} promised metrics are there; promtool finds no fault"
