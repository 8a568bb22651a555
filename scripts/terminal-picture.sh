#!/usr/bin/env bash
# Draws docs/images/terminal.svg from a real session: `proof run` and `proof check` on the repository that
# is named, with the release binary, in a real terminal. Needs tmux, and Python with `rich`.
#   scripts/terminal-picture.sh REPOSITORY
set -euo pipefail
repository=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
data=$(mktemp -d)
trap 'tmux -L picture kill-server 2>/dev/null || true; rm -rf "$data"' EXIT

screen() { tmux -L picture "$@"; }
screen -f /dev/null new-session -d -x 100 -y 30 -c "$repository" -e "PROOFHOUSE_DATA=$data" \
  'bash --norc'
type_in() { screen send-keys "$1" Enter; }
wait_for() { for _ in $(seq ${TRIES:-600}); do screen capture-pane -p | grep -q "$1" && return; sleep 0.5; done; screen capture-pane -p; exit 1; }

PROOFHOUSE_DATA=$data target/release/proofhouse init "$repository" --yes >"$data/said"
if [ -f "$repository/proof/requirements.json" ]; then
  (cd "$repository" && PROOFHOUSE_DATA=$data "$OLDPWD/target/release/proofhouse" proof capture --from proof/requirements.json >"$data/said")
fi
type_in "PATH=$PWD/target/release:\$PATH; PS1='\$ '; clear"
sleep 1
type_in 'proofhouse proof run'
wait_for 'evidence  proofhouse'
type_in 'proofhouse proof check'
wait_for 'CLEAR'
sleep 1
screen capture-pane -p -e > "$data/screen"
python3 - "$data/screen" docs/images/terminal.svg <<'PYTHON'
import re
import sys

from rich.console import Console
from rich.text import Text

with open(sys.argv[1]) as screen:
    lines = screen.read().rstrip().splitlines()
console = Console(record=True, width=100, file=open("/dev/null", "w"))
console.print(Text.from_ansi("\n".join(lines)))
# The fonts of the reader's own system, from no other host.
drawn = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="proofhouse"), flags=re.S)
with open(sys.argv[2], "w") as picture:
    picture.write(re.sub(r"Fira Code", "ui-monospace", drawn))
PYTHON
