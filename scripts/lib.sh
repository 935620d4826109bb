# shellcheck shell=bash
# What every script here shares. Source it first; it leaves the shell in the repository's root.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Everything the scripts install lies here (git-ignored), except Debian packages.
TOOLS=$ROOT/.tools
cd "$ROOT"

export PATH="$TOOLS/bin:$TOOLS/python/bin:$TOOLS/node/node_modules/.bin:$PATH"
export K6_NO_USAGE_REPORT=true
# Shops under test live on the disk: /tmp may be in memory, where an fsync costs and proves nothing.
export TMPDIR=$ROOT/target/tmp
mkdir -p "$TMPDIR"

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# as_root CMD...: runs CMD as root, directly or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "need root to run: $*"
  fi
}

# apt_install PACKAGE...: only called once something is known to be missing.
apt_install() {
  command -v apt-get >/dev/null || die "please install: $* (this script only knows apt-get)"
  say "installing Debian packages: $*"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# is_stamped NAME WANT / stamp NAME WANT: remember what was installed, so that a second run costs nothing.
is_stamped() { [ "$(cat "$TOOLS/.stamps/$1" 2>/dev/null)" = "$2" ]; }
stamp() {
  mkdir -p "$TOOLS/.stamps"
  printf '%s\n' "$2" >"$TOOLS/.stamps/$1"
}

# reserve_ports: a hundred TCP ports that are this process's until it and what it started have ended, however many others
# look for ports meanwhile: a port that was found free is free for everybody until somebody listens. Whoever holds the lock on
# $TMPDIR/ports/FIRST has FIRST and the 99 after it. All lie below the range that the system draws the ports of outgoing
# connections from, so that no client's connection takes one while its server is dead.
reserve_ports() {
  local first
  mkdir -p "$TMPDIR/ports"
  for first in $(shuf -i 200-309); do
    FIRST_PORT=${first}00
    exec {PORTS_LOCK}>"$TMPDIR/ports/$FIRST_PORT"
    if flock --nonblock "$PORTS_LOCK"; then return; fi
    exec {PORTS_LOCK}>&-
  done
  die "every port is reserved; see $TMPDIR/ports"
}

# free_ports N: N of the reserved ports that nothing listens on now, on one line. Take it with $(..), which waits until this has
# let go of them; <(..) does not.
free_ports() {
  python3 - "$1" "${FIRST_PORT:?call reserve_ports first}" <<'PYTHON'
import socket, sys
count, first = map(int, sys.argv[1:])
held = []
for port in range(first, first + 100):
    try:
        held.append(socket.create_server(("127.0.0.1", port)))
    except OSError:
        continue
    if len(held) == count:
        break
else:
    sys.exit(f"not {count} of the ports from {first} on are free")
print(*(s.getsockname()[1] for s in held))
PYTHON
}

# postgres_bin: the directory of the newest PostgreSQL server programs here, 15 or later; nothing when there is none.
postgres_bin() {
  local found newest=
  for found in /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
    [ -x "$found/pg_ctl" ] && [ -x "$found/initdb" ] || continue
    [ "$("$found/initdb" --version | grep -oE '[0-9]+' | head -n 1)" -ge 15 ] && newest=$found
  done
  printf '%s' "$newest"
}

# redis_version PROGRAM: its major and minor version as one number, 702 for 7.2; 0 when there is no such program.
redis_version() {
  local found
  found=$("$1" --version 2>/dev/null | grep -oE 'v=[0-9]+\.[0-9]+' || echo v=0.0)
  awk -F '[=.]' '{ print $2 * 100 + $3 }' <<<"$found"
}
