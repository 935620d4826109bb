#!/usr/bin/env bash
# A fleet on this machine: PostgreSQL, three pods that share the shop, and the stateless targets. It runs until it is
# interrupted; then every pod hands over and ends, and PostgreSQL after them. What it keeps is under data/fleet.
# JOURNAL=redis puts the pods' journal into a Redis, which is started too.
#
#   scripts/fleet.sh BINS     BINS is a target directory
#
# PORTS=18080 moves every port by 10000 (PostgreSQL is at 15432 otherwise, Redis at 16379).
source "$(dirname "$0")/lib.sh"

server=$(realpath "${1:?usage: $0 BINS}/smartcart")
base=${PORTS:-8080}
journal=${JOURNAL:-postgres}
[[ $journal = postgres || $journal = redis ]] || die "JOURNAL is postgres or redis, not $journal"
home=$ROOT/data/fleet
mkdir -p "$home/log"

for key in peer-secret admin-token; do
  [ -s "$home/$key" ] || (umask 077 && head -c 48 /dev/urandom | base64 --wrap 0 >"$home/$key")
done

pids=()
# shellcheck disable=SC2329 # the trap calls it
cleanup() {
  local code=$?
  trap '' INT TERM
  # The stateless ones ask the others: they go first.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    if kill -TERM "${pids[i]}" 2>/dev/null; then wait "${pids[i]}" || code=1; fi
  done
  if [ "$journal" = redis ]; then scripts/redis.sh stop "$home/redis" || code=1; fi
  scripts/postgres.sh stop "$home/postgres" || code=1
  exit "$code"
}
trap cleanup EXIT
trap 'exit 0' INT TERM

DATABASE_URL=$(scripts/postgres.sh start "$home/postgres" $((base + 7352)))
export DATABASE_URL
if [ "$journal" = redis ]; then
  SMARTCART_JOURNAL_URL=$(scripts/redis.sh start "$home/redis" $((base + 8299)))
  export SMARTCART_JOURNAL_URL
fi
export SMARTCART_PEER_SECRET_FILE=$home/peer-secret SMARTCART_ADMIN_TOKEN_FILE=$home/admin-token
export SMARTCART_SEED=${SMARTCART_SEED:-demo}

# start NAME TARGET PORT: its operations are at PORT + 1000, its peers' listener at PORT + 2000.
start() {
  SMARTCART_POD=$1 SMARTCART_LISTEN=127.0.0.1:$3 SMARTCART_OPS_LISTEN=127.0.0.1:$(($3 + 1000)) \
    SMARTCART_PEER_LISTEN=127.0.0.1:$(($3 + 2000)) "$server" serve --target "$2" >>"$home/log/$1.log" 2>&1 &
  pids+=($!)
}

# ready PORT PID NAME
ready() {
  local deadline=$((SECONDS + 60))
  until curl --silent --fail --output /dev/null --max-time 2 "http://127.0.0.1:$(($1 + 1000))/readyz"; do
    kill -0 "$2" 2>/dev/null || { tail -n 20 "$home/log/$3.log" >&2; die "$3 ended before it was ready"; }
    [ $SECONDS -lt $deadline ] || die "$3 was not ready within 60 s: see $home/log/$3.log"
    sleep 0.1
  done
}

names=(pod-a pod-b pod-c product user order)
targets=(all all all product user order)
ports=("$base" $((base + 100)) $((base + 200)) $((base + 1)) $((base + 2)) $((base + 4)))
for i in "${!names[@]}"; do start "${names[i]}" "${targets[i]}" "${ports[i]}"; done
for i in "${!names[@]}"; do ready "${ports[i]}" "${pids[i]}" "${names[i]}"; done

echo "The fleet is open; interrupt it to end it."
for i in "${!names[@]}"; do
  printf '  %-8s http://127.0.0.1:%s   operations http://127.0.0.1:%s/ops\n' "${names[i]}" "${ports[i]}" $((ports[i] + 1000))
done
printf '  %-8s %s\n  %-8s %s\n  %-8s %s\n' PostgreSQL "$DATABASE_URL" token "$home/admin-token" logs "$home/log"
if [ "$journal" = redis ]; then printf '  %-8s %s\n' Redis "$SMARTCART_JOURNAL_URL"; fi

wait -n "${pids[@]}" || die "a pod has ended: see $home/log"
die "a pod has ended: see $home/log"
