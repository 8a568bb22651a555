#!/usr/bin/env bash
# Everything that must hold: format, lints, unit, conformance on both databases, end to end, faults,
# docs and licences. Prints the real counts at the end, and fails when anything failed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/require.sh
started=$(date +%s)
log=$(mktemp)
trap 'scripts/postgres.sh stop; rm -f "$log"' EXIT

echo "== format"
cargo fmt --all --check
echo "== lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

echo "== tests"
PROOFHOUSE_TEST_POSTGRES=$(scripts/postgres.sh)
export PROOFHOUSE_TEST_POSTGRES
export RUST_BACKTRACE=1
status=0
cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$log" || status=$?

passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
failed=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
ignored=$(awk '/^test result:/ { n += $8 } END { print n + 0 }' "$log")
skipped=$(grep -c '^skipped: ' "$log" || true)
if [ "$skipped" -gt 0 ]; then echo "== skipped here, with the reason"; grep '^skipped: ' "$log" | sort | uniq -c; fi
echo "took $(($(date +%s) - started)) s"
echo "$passed passed, $failed failed, $ignored skipped"
[ "$status" = 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
