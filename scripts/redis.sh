#!/usr/bin/env bash
# A private Redis in a directory of its own, for `make fleet JOURNAL=redis`. It keeps what it acknowledges (append-only file,
# fsync always) and listens on 127.0.0.1 only.
#
#   scripts/redis.sh start DIR PORT   starts it, prints its address
#   scripts/redis.sh stop DIR         ends it
#   scripts/redis.sh remove DIR       ends it and deletes DIR
#
# REDIS_PRELOAD in the environment names a library that it is started with, as the bench's slower disk is.
source "$(dirname "$0")/lib.sh"

usage="usage: $0 start DIR PORT | stop DIR | remove DIR"
command=${1:?$usage} directory=$(realpath -m "${2:?$usage}")
command -v redis-server >/dev/null || die "no Redis server here: scripts/install-redis.sh installs one"

pid() { cat "$directory/redis.pid" 2>/dev/null; }

answers() { [ "$(redis-cli -p "$1" ping 2>/dev/null)" = PONG ]; }

stop() {
  local running
  running=$(pid) || return 0
  kill -TERM "$running" 2>/dev/null || return 0
  for _ in $(seq 300); do
    kill -0 "$running" 2>/dev/null || return 0
    sleep 0.1
  done
  die "Redis does not end: process $running"
}

case $command in
start)
  port=${3:?$usage}
  mkdir -p "$directory"
  LD_PRELOAD=${REDIS_PRELOAD:-} redis-server --bind 127.0.0.1 --port "$port" --dir "$directory" --daemonize yes --pidfile "$directory/redis.pid" \
    --logfile "$directory/redis.log" --save '' --appendonly yes --appendfsync always >/dev/null
  for _ in $(seq 100); do
    if answers "$port"; then
      echo "redis://127.0.0.1:$port"
      exit 0
    fi
    sleep 0.1
  done
  tail -n 20 "$directory/redis.log" >&2
  die "Redis did not start in $directory"
  ;;
stop) stop ;;
remove)
  stop
  rm -rf "$directory"
  ;;
*) die "$usage" ;;
esac
