#!/usr/bin/env bash
# rsvg-convert and its font, which turn docs/architecture.svg into the PNG.
source "$(dirname "$0")/lib.sh"

command -v rsvg-convert >/dev/null || apt_install librsvg2-bin fonts-dejavu-core
