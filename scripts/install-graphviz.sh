#!/usr/bin/env bash
# Graphviz, which draws docs/architecture.png.
source "$(dirname "$0")/lib.sh"

command -v dot >/dev/null || apt_install graphviz fonts-dejavu-core
