#!/usr/bin/env bash
# One step of `make test`: a heading, the command, and how long it took (also kept for the closing table).
#
#   scripts/step.sh 'Unit and integration tests' cargo test --workspace
source "$(dirname "$0")/lib.sh"

title=$1
shift
readonly LEDGER=target/test-steps.tsv
mkdir -p target

[ -z "${GITHUB_ACTIONS:-}" ] || echo "::group::$title"
printf '\n== %s\n' "$title"
started=$SECONDS code=0
"$@" || code=$?
took=$((SECONDS - started))
verdict=ok
[ "$code" -eq 0 ] || verdict="FAILED ($code)"
printf '%s\t%s s\t%s\n' "$verdict" "$took" "$title" >>"$LEDGER"
printf -- '-- %s: %s, %s s\n' "$title" "$verdict" "$took"
[ -z "${GITHUB_ACTIONS:-}" ] || echo "::endgroup::"
exit "$code"
