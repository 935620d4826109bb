# shellcheck shell=bash
# What build.sh and sqlx-metadata.sh share, to be sourced after lib.sh: while it compiles with a database, `sqlx::query!` asks that
# database about each query and stores the answer; .sqlx holds those answers for builds without one.

# Where the compiler stores the answers.
FRESH_QUERIES=$ROOT/target/sqlx/queries

# against_database CMD...: runs it so that queries are compiled against an SQLite that has just been migrated.
against_database() {
  mkdir -p "$FRESH_QUERIES"
  # Journal and tables are two files; their names do not clash, so one database serves to check both.
  python3 - target/sqlx/check.db persistence/migrations/sqlite/*/*.sql <<'PYTHON'
import os, sqlite3, sys
database, *migrations = sys.argv[1:]
if os.path.exists(database):
    os.remove(database)
connection = sqlite3.connect(database)
for migration in sorted(migrations, key=os.path.basename):
    connection.executescript(open(migration).read())
connection.close()
PYTHON
  SQLX_OFFLINE=false DATABASE_URL=sqlite:$ROOT/target/sqlx/check.db SQLX_OFFLINE_DIR=$FRESH_QUERIES "$@"
}

# forget_queries: the answers, and that the crates which ask were ever compiled.
forget_queries() {
  rm -rf "$FRESH_QUERIES"
  git grep -lE 'sqlx::query(_[a-z]+)*!' -- '*.rs' | xargs touch --no-create
}
