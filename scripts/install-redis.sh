#!/usr/bin/env bash
# A Redis server of 7.0 or later for the tests and for `make fleet JOURNAL=redis`; installed with apt-get when there is none.
source "$(dirname "$0")/lib.sh"

major() { redis-server --version 2>/dev/null | grep -oE 'v=[0-9]+' | grep -oE '[0-9]+' || echo 0; }

[ "$(major)" -ge 7 ] || apt_install redis-server
[ "$(major)" -ge 7 ] || die "Redis 7.0 or later is needed; its server (redis-server) was not found"
