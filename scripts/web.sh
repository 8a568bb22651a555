#!/usr/bin/env bash
# Builds the page into web/dist, where the next build of the binary finds it. Installs what the lock file
# names when that is not there yet.
set -euo pipefail
cd "$(dirname "$0")/../web"
stamp=node_modules/.installed
if [ ! -e "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
  # Not `npm ci`: it refuses a lock that does not name the builds for every other system, and a registry
  # mirror may show only those for this one.
  npm install --no-save --no-audit --no-fund
  touch "$stamp"
fi
[ "${1:-}" = install ] || npm run --silent build
