#!/usr/bin/env bash
# Arrows between the crates point one way, only `store` speaks SQL (and the test kit, to make and drop
# its databases), only `exec` spawns, and every error code has its page. Cheap enough to be a gate of
# this repository's own proof run.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
complain() { echo "$1" >&2; bad=1; }

may() { # crate, then what it may depend on among ours
  local crate=$1; shift
  local found
  found=$(sed -n '/^\[dependencies\]/,/^\[/p' "crates/$crate/Cargo.toml" | grep -oE '^(model|store|exec|engine|server|testkit)\b' || true)
  for dependency in $found; do
    [[ " $* " == *" $dependency "* ]] || complain "crates/$crate must not depend on $dependency"
  done
}
may model
may store model
may exec model
may engine model store exec
may server model store exec engine
may cli model store exec engine server

if grep -rnE '\b(rusqlite|tokio_postgres)::' crates/*/src --include='*.rs' | grep -vE '^crates/(store|testkit)/'; then
  complain "only crates/store speaks SQL"
fi
if grep -rnE 'process::Command|Command::new\(' crates/{model,store,engine,server}/src --include='*.rs' | grep -v 'exec::'; then
  complain "only crates/exec spawns processes"
fi
for number in $(grep -oE '^    [A-Za-z]+ = [0-9]{4}, ' crates/model/src/code.rs | grep -oE '[0-9]{4}'); do
  [ -f "docs/errors/PH-$number.md" ] || complain "docs/errors/PH-$number.md is missing"
done
[ "$bad" = 0 ] && echo "the house stands"
exit "$bad"
