#!/usr/bin/env bash
# A private PostgreSQL in a directory of its own, for tests and for `make fleet`. It keeps what it acknowledges (fsync is
# on) and listens on 127.0.0.1 only. PostgreSQL refuses to run as root: then it runs as the user `postgres`, and where that
# user cannot come into the directory, what it keeps lies under /var/tmp.
#
#   scripts/postgres.sh start DIR PORT   makes the cluster when DIR has none, starts it, prints its address
#   scripts/postgres.sh stop DIR [MODE]  MODE as pg_ctl has it: fast (default), smart, immediate (a crash)
#   scripts/postgres.sh remove DIR       stops it and deletes DIR and what it keeps
source "$(dirname "$0")/lib.sh"

usage="usage: $0 start DIR PORT | stop DIR [MODE] | remove DIR"
command=${1:?$usage} directory=$(realpath -m "${2:?$usage}")
bin=$(postgres_bin)
[ -n "$bin" ] || die "no PostgreSQL server here: scripts/install-postgres.sh installs one"

as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then
    (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@")
  else
    "$@"
  fi
}

mkdir -p "$directory"
if [ "$(id -u)" -eq 0 ]; then chown postgres: "$directory"; fi
cluster=$directory
as_postgres test -x "$directory" || cluster=/var/tmp/smartcart-postgres-$(printf '%s' "$directory" | sha256sum | head -c 16)

initialise() {
  mkdir -p "$cluster"
  if [ "$(id -u)" -eq 0 ]; then chown postgres: "$cluster"; fi
  as_postgres "$bin/initdb" --pgdata "$cluster/data" --username smartcart --auth trust \
    --encoding UTF8 --locale C >/dev/null
  as_postgres tee -a "$cluster/data/postgresql.conf" >/dev/null <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
log_min_messages = warning
CONF
}

stop() {
  as_postgres "$bin/pg_ctl" stop --pgdata "$cluster/data" --mode "$1" --wait --timeout 60 >/dev/null
}

case $command in
start)
  port=${3:?$usage}
  [ -f "$cluster/data/PG_VERSION" ] || initialise
  as_postgres "$bin/pg_ctl" start --pgdata "$cluster/data" --log "$cluster/postgres.log" --wait --timeout 60 \
    --options "-p $port" >/dev/null || {
    tail -n 20 "$cluster/postgres.log" >&2
    die "PostgreSQL did not start in $cluster"
  }
  echo "postgres://smartcart@127.0.0.1:$port/postgres"
  ;;
stop) stop "${3:-fast}" ;;
remove)
  if as_postgres "$bin/pg_ctl" status --pgdata "$cluster/data" >/dev/null 2>&1; then stop immediate; fi
  rm -rf "$cluster" "$directory"
  ;;
*) die "$usage" ;;
esac
