#!/usr/bin/env bash
# The long variants of the fault tests: more kills, more time. Minutes, not seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
trap 'scripts/postgres.sh stop' EXIT
PROOFHOUSE_TEST_POSTGRES=$(scripts/postgres.sh)
export PROOFHOUSE_TEST_POSTGRES PROOFHOUSE_SOAK=1
exec cargo test --workspace --locked --release -- --ignored --nocapture soak
