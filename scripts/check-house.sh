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
  found=$(sed -n '/^\[dependencies\]/,/^\[/p' "crates/$crate/Cargo.toml" | grep -oE '^(model|store|exec|agents|engine|server|worker|testkit)\b' || true)
  for dependency in $found; do
    [[ " $* " == *" $dependency "* ]] || complain "crates/$crate must not depend on $dependency"
  done
}
may model
may store model
may exec model
may agents model exec
may engine model store exec agents
may server model store exec engine agents
may worker model exec engine agents
may cli model store exec engine agents server worker

if grep -rnE '\b(rusqlite|tokio_postgres)::' crates/*/src --include='*.rs' | grep -vE '^crates/(store|testkit)/'; then
  complain "only crates/store speaks SQL"
fi
if grep -rnE 'process::Command|Command::new\(' crates/{model,store,agents,engine,server,worker}/src --include='*.rs' | grep -v 'exec::'; then
  complain "only crates/exec spawns processes"
fi
for number in $(grep -oE '^    [A-Za-z]+ = [0-9]{4}, ' crates/model/src/code.rs | grep -oE '[0-9]{4}'); do
  [ -f "docs/errors/PH-$number.md" ] || complain "docs/errors/PH-$number.md is missing"
done
for limits in crates/model/src/limits.rs crates/server/src/limits.rs; do # K7: a limit that nobody keeps is none
  for limit in $(grep -oE '^pub const [A-Z_]+' "$limits" | cut -d' ' -f3); do
    if ! grep -rqE "\\b$limit\\b" crates/*/src --include='*.rs' --exclude=limits.rs && [ "$(grep -cE "\\b$limit\\b" "$limits")" = 1 ]; then
      complain "$limits: nothing keeps $limit"
    fi
  done
done
[ "$bad" = 0 ] && echo "the house stands"
exit "$bad"
