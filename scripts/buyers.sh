#!/usr/bin/env bash
# 64 buyers compete for one SKU with 1,000 units, on the server of with-server.sh.
source "$(dirname "$0")/lib.sh"

exec "$1" --base-url "$BASE_URL" --token-file "$TOKEN_FILE" --buyers 64 --units 1000
