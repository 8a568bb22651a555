#!/usr/bin/env bash
# Everything that must hold: format, lints, unit, conformance on both databases, end to end, faults,
# docs and licences. Prints the real counts at the end, and fails when anything failed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/require.sh
started=$(date +%s)
log=$(mktemp)
trap 'scripts/postgres.sh stop; rm -f "$log"' EXIT

echo "== the page"
scripts/web.sh

echo "== format"
cargo fmt --all --check
echo "== house"
scripts/check-house.sh
node scripts/check-licences.mjs

echo "== lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

echo "== tests"
# Once per machine: the agent programs that the tests run.
scripts/agents.sh >/dev/null
PROOFHOUSE_TEST_POSTGRES=$(scripts/postgres.sh)
export PROOFHOUSE_TEST_POSTGRES
export RUST_BACKTRACE=1
status=0
# Shown from a file: a process that a test left behind would hold a pipe open, and this script with it.
cargo test --workspace --locked --no-fail-fast >"$log" 2>&1 &
tests=$!
tail -n +1 -f --pid="$tests" "$log" &
wait "$tests" || status=$?
wait

echo "== the page's tests"
cargo build --locked -p proofhouse-cli
weblog=$(mktemp)
NO_COLOR=1 scripts/test-web.sh 2>&1 | tee "$weblog" || status=$?
web_passed=$(grep -E '^ *Tests ' "$weblog" | grep -oE '[0-9]+ passed' | awk '{ n += $1 } END { print n + 0 }' || true)
web_failed=$(grep -E '^ *Tests ' "$weblog" | grep -oE '[0-9]+ failed' | awk '{ n += $1 } END { print n + 0 }' || true)
web_skipped=$(grep -E '^ *Tests ' "$weblog" | grep -oE '[0-9]+ skipped' | awk '{ n += $1 } END { print n + 0 }' || true)
rm -f "$weblog"

passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
failed=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
passed=$((passed + web_passed))
failed=$((failed + web_failed))
ignored=$(awk '/^test result:/ { n += $8 } END { print n + 0 }' "$log")
ignored=$((ignored + web_skipped))
skipped=$(grep -c '^skipped: ' "$log" || true)
if [ "$skipped" -gt 0 ]; then echo "== skipped here, with the reason"; grep '^skipped: ' "$log" | sort | uniq -c; fi
echo "took $(($(date +%s) - started)) s"
echo "$passed passed, $failed failed, $ignored skipped"
[ "$status" = 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
