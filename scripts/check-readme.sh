#!/usr/bin/env bash
# Runs the README's shell session (the ```sh block after the line `<!-- session -->`) as it stands, against
# the server of with-server.sh, and fails on any answer that is not 2xx. Twice: readers paste again.
source "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^<!-- session -->$/ {found = 1} found && /^```$/ {exit} inside {print} found && /^```sh$/ {inside = 1}' \
  README.md >"$work/session"
[ -s "$work/session" ] || die "the README has no session"

# The reader's server listens on the default address and keeps its state under ./data.
sed -i "s|http://127.0.0.1:8080|$BASE_URL|g" "$work/session"
ln -s "$DATA_DIR" "$work/data"

# Whatever curl the session runs reports its status here, beside what it prints.
mkdir "$work/bin"
cat >"$work/bin/curl" <<SHIM
#!/usr/bin/env bash
exec "$(command -v curl)" --fail-with-body --write-out '%{stderr}%{http_code} %{method} %{url}\n' "\$@" 2>>"$work/statuses"
SHIM
chmod +x "$work/bin/curl"

code=0
for _ in first second; do
  (cd "$work" && PATH="$work/bin:$PATH" bash -euo pipefail session) >>"$work/output" 2>&1 || code=$?
done
cat "$work/statuses"
if [ "$code" -ne 0 ] || grep -qvE '^2[0-9][0-9] ' "$work/statuses"; then
  cat "$work/output" >&2
  die "the README's session does not work (exit code $code)"
fi
echo "the README's session works: $(wc -l <"$work/statuses") requests, every answer 2xx"
