#!/usr/bin/env bash
# The closing table of `make test`.
#
#   scripts/step-table.sh begin   forgets the steps of the last run
#   scripts/step-table.sh end     prints each step of this one, and how long they took together
source "$(dirname "$0")/lib.sh"

readonly LEDGER=target/test-steps.tsv BEGAN=target/test-began

case ${1:-} in
begin)
  mkdir -p target
  : >"$LEDGER"
  date +%s >"$BEGAN"
  ;;
end)
  took=$(($(date +%s) - $(cat "$BEGAN")))
  printf '\nEvery step of make test:\n'
  { printf 'verdict\tbegan at\ttook\tCPU time\tstep\n' && cat "$LEDGER"; } | column -t -s $'\t'
  printf -- '-- in all: %s s (%s min %s s), %s steps\n' "$took" $((took / 60)) $((took % 60)) "$(wc -l <"$LEDGER")"
  ;;
*) die "usage: $0 begin | end" ;;
esac
