#!/usr/bin/env bash
# Builds Proofhouse, proves this very repository with it, and leaves the server running.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/require.sh

export PROOFHOUSE_DATA="${PROOFHOUSE_DATA:-$PWD/.plane}"
listen="${PROOFHOUSE_LISTEN:-127.0.0.1:7420}"

echo "Building (the first time takes a few minutes) ..."
scripts/web.sh
cargo build --release --locked -p proofhouse-cli
proofhouse=target/release/proofhouse

server=
stop() { if [ -n "$server" ]; then kill -TERM "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi; }
trap stop EXIT

"$proofhouse" serve --listen "$listen" --ready-file "$PROOFHOUSE_DATA.ready" &
server=$!
for _ in $(seq 100); do
  [ -e "$PROOFHOUSE_DATA.ready" ] && break
  kill -0 "$server" 2>/dev/null || { wait "$server"; exit $?; }
  sleep 0.1
done
rm -f "$PROOFHOUSE_DATA.ready"

echo
echo "Proving this repository with itself ..."
"$proofhouse" init . --yes
"$proofhouse" proof capture --from proof/requirements.json
status=0
"$proofhouse" proof run || status=$?

echo
echo "The server is running; Ctrl-C stops it. Sign in here:"
"$proofhouse" token link
echo
echo "Prove any other repository, in another terminal:"
echo "  PROOFHOUSE_DATA=$PROOFHOUSE_DATA $PWD/$proofhouse proof run --repo PATH"
trap 'stop; exit 0' INT TERM
wait "$server"
exit "$status"
