#!/usr/bin/env bash
# Compiles the workspace with all its targets, once, and proves on the way what takes a compiler as well: that clippy finds
# nothing, and that .sqlx is what the queries and the migrations say. The test programs are then listed in
# target/test-programs.tsv: a title, the folder to run it in, its path.
source "$(dirname "$0")/lib.sh"
source scripts/queries.sh

readonly BUILT=target/built.json

compile() {
  # With the feature `next`, the server can be told to be its next version (next-version.sh). Without it a constant takes the
  # place of an environment variable; `make run`, the container and the release builds compile that. It is not compiled here
  # too: cargo gives a choice of crates other features of tokio, prost and syn, and would build what uses those again.
  scripts/checked-cargo.sh build --locked --workspace --all-targets --features smartcart-api/next \
    --message-format=json-render-diagnostics >"$BUILT"
}

stale() { ! diff --recursive --brief .sqlx "$FRESH_QUERIES"; }

against_database compile
if stale >/dev/null; then
  # A query that has gone leaves its file behind, and one that was compiled before leaves none.
  forget_queries
  against_database compile
  if stale; then die ".sqlx is not what the queries and the migrations say: run make sqlx-prepare"; fi
fi
say "$(find .sqlx -name 'query-*.json' | wc -l) queries are stored as the database describes them"

scripts/next-version.sh target/debug

python3 - "$BUILT" >target/test-programs.tsv <<'PYTHON'
import glob, json, os, subprocess, sys
programs = []
for line in open(sys.argv[1]):
    message = json.loads(line)
    if message["reason"] == "compiler-artifact" and message["profile"]["test"] and message["executable"]:
        folder = os.path.dirname(message["manifest_path"])
        source = os.path.relpath(message["target"]["src_path"], os.getcwd())
        programs.append((message["target"]["kind"] != ["test"], source, folder, message["executable"]))
# A change in what cargo prints must not pass for 'there is nothing to test'.
if not programs:
    sys.exit("error: cargo named no test program")
tested = {folder for unit, _, folder, _ in programs if not unit}
manifests = subprocess.run(["git", "ls-files", "*Cargo.toml"], check=True, capture_output=True, text=True).stdout.split()
for folder in (os.path.abspath(os.path.dirname(manifest)) for manifest in manifests):
    if glob.glob(folder + "/tests/*.rs") + glob.glob(folder + "/tests/*/main.rs") and folder not in tested:
        sys.exit(f"error: {folder} has integration tests, and cargo named no program of them")
print(len(programs), "test programs are listed", file=sys.stderr)
# Integration tests first: they take longest.
for _, *program in sorted(programs):
    print(*program, sep="\t")
PYTHON
