#!/usr/bin/env bash
# A Redis server of 7.0 or later for the tests and for `make fleet JOURNAL=redis`; installed with apt-get when there is none.
source "$(dirname "$0")/lib.sh"

[ "$(redis_version redis-server)" -ge 700 ] || apt_install redis-server
[ "$(redis_version redis-server)" -ge 700 ] || die "Redis 7.0 or later is needed; its server (redis-server) was not found"
