#!/usr/bin/env bash
# One step of `make test`: a heading, the command, and how long it took (also kept for the closing table). With
# STEPS=together in the environment other steps run beside it: then what it prints is shown in one piece when it has ended.
#
#   scripts/step.sh 'Unit and integration tests' cargo test --workspace
source "$(dirname "$0")/lib.sh"

title=$1
shift
readonly LEDGER=target/test-steps.tsv LOGS=target/test-steps
# Cargo would take make's pipes for its own, which make does not hand on.
unset MAKEFLAGS MFLAGS MAKELEVEL

heading() {
  [ -z "${GITHUB_ACTIONS:-}" ] || echo "::group::$title"
  printf '\n== %s\n' "$title"
}

# closing CODE SECONDS CPU_SECONDS
closing() {
  local verdict=ok
  [ "$1" -eq 0 ] || verdict="FAILED ($1)"
  printf '%s\t%s s\t%s s\t%s s\t%s\n' "$verdict" "$began" "$2" "$3" "$title" >>"$LEDGER"
  printf -- '-- %s: %s, %s s\n' "$title" "$verdict" "$2"
  [ -z "${GITHUB_ACTIONS:-}" ] || echo "::endgroup::"
}

# cpu_seconds FILE: of what `times` wrote there, the part of everything that this shell has waited for; what became a daemon
# is not in it.
cpu_seconds() { awk -F '[ms ]' 'NR == 2 { print int($1 * 60 + $2 + $4 * 60 + $5 + 0.5) }' "$1"; }

mkdir -p "$LOGS"
# Seconds after `make test` began; in a step that is run by itself that says nothing.
began=$(($(date +%s) - $(cat target/test-began 2>/dev/null || date +%s)))
log=$LOGS/$(tr -cs '[:alnum:]' - <<<"$title" | sed 's/-*$//').log
started=$SECONDS code=0
if [ "${STEPS:-}" = together ]; then
  say "   $title: begins"
  "$@" >"$log" 2>&1 || code=$?
else
  heading
  "$@" || code=$?
fi
times >"$log.times"
took=$((SECONDS - started))
if [ "${STEPS:-}" = together ]; then
  exec {printing}>"$LOGS/printing"
  flock "$printing"
  heading
  cat "$log"
fi
closing "$code" "$took" "$(cpu_seconds "$log.times")"
exit "$code"
