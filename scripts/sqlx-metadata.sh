#!/usr/bin/env bash
# Writes .sqlx, what the compiler knows of each query without a database, from a freshly migrated one. (That it is what the
# migrations and the queries say is checked by build.sh.)
source "$(dirname "$0")/lib.sh"
source scripts/queries.sh

forget_queries
against_database cargo check --locked --workspace --all-targets
rm -f .sqlx/query-*.json
cp "$FRESH_QUERIES"/query-*.json .sqlx
