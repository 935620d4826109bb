#!/usr/bin/env bash
# promtool, unpacked from Debian's package `prometheus` under .tools/bin: installing the package would start
# a Prometheus server as well.
source "$(dirname "$0")/lib.sh"

if command -v promtool >/dev/null; then exit 0; fi
command -v apt-get >/dev/null || die "please install promtool (it comes with Prometheus)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq prometheus 2>/dev/null || {
  as_root apt-get update -qq
  apt-get download -qq prometheus
}
dpkg-deb --extract prometheus_*.deb .
install -D -m 0755 usr/bin/promtool "$TOOLS/bin/promtool"
