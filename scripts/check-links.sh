#!/usr/bin/env bash
# Every relative link in a Markdown file leads to a file of the repository.
source "$(dirname "$0")/lib.sh"

links=0 broken=0
while IFS=: read -r file link; do
  links=$((links + 1))
  target=$(dirname "$file")/${link%%#*}
  if [ ! -e "$target" ]; then
    say "$file: $link leads nowhere"
    broken=$((broken + 1))
  fi
done < <(git grep -oE '\]\([^)]+\)' -- '*.md' | sed -E 's/\]\(([^) ]+)\)$/\1/' | grep -vE ':(https?|mailto|#)')
[ "$broken" -eq 0 ] || die "$broken of $links links are broken"
echo "$links links, each leads somewhere"
