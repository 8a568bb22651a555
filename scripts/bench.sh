#!/usr/bin/env bash
# Builds in release mode and prints `name: figure unit (target)` a line; also target/bench.json.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/require.sh
trap 'scripts/postgres.sh stop' EXIT
PROOFHOUSE_TEST_POSTGRES=$(scripts/postgres.sh)
export PROOFHOUSE_TEST_POSTGRES
cargo build --release --locked -p proofhouse-cli -p proofhouse-benches
exec target/release/proofhouse-benches "$@"
