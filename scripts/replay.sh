#!/usr/bin/env bash
# Replays the trade file DATA.csv.gz against the server of with-server.sh; BINS is a target directory.
#
#   scripts/replay.sh BINS DATA [REPLAY ARGS...]
source "$(dirname "$0")/lib.sh"

bins=$1 trade=$2
shift 2
exec "$bins/replay" --base-url "$BASE_URL" --token-file "$TOKEN_FILE" --file "$trade" \
  --state "$DATA_DIR/replay.jsonl" "$@"
