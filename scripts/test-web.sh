#!/usr/bin/env bash
# The page's own tests: lints, units, and every page in a real browser against the real binary
# (target/debug/proofhouse, built before). Pictures are kept under target/screenshots.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v chromium >/dev/null 2>&1; then
  echo "installing the Debian package chromium"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
fi
cd web
npm run --silent lint
npm run --silent test
npm run --silent test:browser
