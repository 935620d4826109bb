#!/usr/bin/env bash
# Runs the test programs that build.sh listed, some side by side, as `cargo test` runs them one after the other. Each one's
# output is shown in one piece when it has ended. Many tests wait: more of them run than there are cores.
#
# PROGRAMS       how many programs run at once [6]
# TEST_THREADS   how many tests of a program run at once [4]
source "$(dirname "$0")/lib.sh"

readonly PROGRAMS=${PROGRAMS:-6}
export RUST_TEST_THREADS=${TEST_THREADS:-4}
logs=$TMPDIR/tests.$$
mkdir "$logs"
trap 'rm -rf "$logs"' EXIT

declare -A running=()
failed=()
ran=0

# run FOLDER PROGRAM LOG
run() { cd "$1" && CARGO_MANIFEST_DIR=$1 "$2" >"$3" 2>&1; }

# finish_one: waits for whichever ends first.
finish_one() {
  local pid code=0 title
  wait -n -p pid "${!running[@]}" || code=$?
  title=${running[$pid]}
  unset "running[$pid]"
  ran=$((ran + 1))
  printf '\n     Running %s\n' "$title"
  cat "$logs/$pid"
  if [ "$code" -ne 0 ]; then
    failed+=("$title")
    say "$title ended with exit code $code"
  fi
}

while IFS=$'\t' read -r title folder program; do
  [ "${#running[@]}" -lt "$PROGRAMS" ] || finish_one
  (log=$logs/$BASHPID && run "$folder" "$program" "$log") &
  running[$!]=$title
done <target/test-programs.tsv
while [ "${#running[@]}" -gt 0 ]; do finish_one; done

# Nothing failed where nothing ran.
[ "$ran" -gt 0 ] || die "target/test-programs.tsv lists no test program: run scripts/build.sh"
say "$ran test programs ran"
[ "${#failed[@]}" -eq 0 ] || die "tests failed in: ${failed[*]}"
