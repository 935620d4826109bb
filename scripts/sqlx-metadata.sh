#!/usr/bin/env bash
# Writes .sqlx, what the compiler knows of each query without a database, from a freshly migrated one. With --check
# it fails instead when what is stored is not what the migrations and the queries say.
source "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Journal and tables are two files; their names do not clash, so one database serves to check both.
mkdir "$work/migrations"
cp persistence/migrations/sqlite/*/*.sql "$work/migrations"
export DATABASE_URL="sqlite:$work/check.db"
sqlx database create
sqlx migrate run --source "$work/migrations"
cargo sqlx prepare --workspace "$@" -- --all-targets 2>&1 | tee "$work/said"
if grep -q 'potentially unused queries' "$work/said"; then
  die ".sqlx has queries that no code has: run make sqlx-prepare"
fi
