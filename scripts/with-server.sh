#!/usr/bin/env bash
# Runs a command against a SmartCart server of its own: a fresh data directory, free ports, and a stop by
# SIGTERM that must end with exit code 0. The command finds BASE_URL, OPS_URL, TOKEN_FILE and DATA_DIR in its
# environment. Afterwards `smartcart verify` audits what is in the tables. On any failure the server's log is printed.
#
#   scripts/with-server.sh k6 run loadtests/k6/smoke.js
#
# SMARTCART_BIN  the server (default: target/debug/smartcart)
# SMARTCART_*    settings pass through, except the two addresses
source "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "usage: $0 COMMAND [ARGS...]"
server=$(realpath "${SMARTCART_BIN:-target/debug/smartcart}")
[ -x "$server" ] || die "$server is not there; build it first"

readonly READY_SECONDS=60 STOP_SECONDS=30
home=$(mktemp -d)
log=$home/server.log
pid=

reserve_ports
read -r port ops_port <<<"$(free_ports 2)"
export BASE_URL=http://127.0.0.1:$port OPS_URL=http://127.0.0.1:$ops_port
export DATA_DIR=$home/data TOKEN_FILE=$home/data/admin-token

# shellcheck disable=SC2329 # the trap calls it
cleanup() {
  local code=$?
  if [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null; fi
  if [ "$code" -ne 0 ]; then
    say "---- the server's log ($(wc -l <"$log") lines, the last 60) ----"
    tail -n 60 "$log" >&2
  fi
  rm -rf "$home"
}
trap cleanup EXIT

start() {
  (
    cd "$home"
    SMARTCART_LISTEN=127.0.0.1:$port SMARTCART_OPS_LISTEN=127.0.0.1:$ops_port exec "$server" serve
  ) >"$log" 2>&1 &
  pid=$!
  local deadline=$((SECONDS + READY_SECONDS))
  until curl --silent --fail --output /dev/null --max-time 2 "$OPS_URL/readyz"; do
    kill -0 "$pid" 2>/dev/null || { pid=; die "the server ended before it was ready"; }
    [ $SECONDS -lt $deadline ] || die "the server was not ready within $READY_SECONDS s"
    sleep 0.1
  done
}

stop() {
  local code=0 deadline=$((SECONDS + STOP_SECONDS))
  kill -TERM "$pid" || { pid=; die "the server died while the command ran"; }
  while kill -0 "$pid" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || die "the server did not stop within $STOP_SECONDS s of SIGTERM"
    sleep 0.1
  done
  wait "$pid" || code=$?
  pid=
  [ "$code" -eq 0 ] || die "the server ended with exit code $code after SIGTERM"
}

audit() {
  (cd "$home" && "$server" verify) >>"$log" 2>&1 || die "smartcart verify found faults in the tables"
}

start
code=0
"$@" || code=$?
stop
audit
exit "$code"
