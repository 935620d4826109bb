#!/usr/bin/env bash
# Everything `make test` needs. A second run costs nothing.
source "$(dirname "$0")/lib.sh"

for part in system postgres redis python-tools new-redis node-tools promtool cargo-tools; do
  "scripts/install-$part.sh"
done
