#!/usr/bin/env bash
# Runs one k6 scenario against the server at BASE_URL and keeps its summary under target/k6.
# PROFILE=short (the default here) or full; further arguments go to k6.
#
#   scripts/with-server.sh scripts/k6.sh flash-sale
source "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "usage: $0 SCENARIO [K6 ARGS...]"
scenario=$1
shift
mkdir -p target/k6
SUMMARY_FILE=$ROOT/target/k6/$scenario.json PROFILE=${PROFILE:-short} \
  exec k6 run --quiet --no-usage-report "$@" "loadtests/k6/$scenario.js"
