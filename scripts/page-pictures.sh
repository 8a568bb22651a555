#!/usr/bin/env bash
# Takes the README's pictures of the page from the last run of the page's tests (scripts/test-web.sh), which
# look at real runs in the real binary.
set -euo pipefail
cd "$(dirname "$0")/.."
for theme in light dark; do
  cp "target/screenshots/home-$theme-1440.png" "docs/images/home-$theme.png"
  cp "target/screenshots/run-ended-$theme-1440.png" "docs/images/run-$theme.png"
  cp "target/screenshots/proof-running-$theme-1440.png" "docs/images/proof-$theme.png"
  cp "target/screenshots/dispatch-run-$theme-1440.png" "docs/images/dispatch-$theme.png"
  cp "target/screenshots/audit-chain-$theme-1440.png" "docs/images/audit-$theme.png"
done
