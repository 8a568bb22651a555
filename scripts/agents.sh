#!/usr/bin/env bash
# Installs the agent programs that the tests run, in the versions the adapters are tested with, and
# prints the folder of their commands. Installed once per machine and version; a later call is quick.
# `PROOFHOUSE_TEST_AGENTS` names another folder to keep them in.
set -euo pipefail
packages=(
  @anthropic-ai/claude-code@2.1.197
  @openai/codex@0.169.0
  @mariozechner/pi-coding-agent@0.73.1
  opencode-ai@1.18.33
)
home=${PROOFHOUSE_TEST_AGENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/proofhouse-agents}
name=$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-16)
folder="$home/$name"
if [ ! -f "$folder/complete" ]; then
  command -v npm >/dev/null || { echo "npm is needed to install the agents that the tests run" >&2; exit 1; }
  mkdir -p "$home"
  exec 9>"$home/lock"; flock 9 # two test runs at once install once
  if [ ! -f "$folder/complete" ]; then
    echo "installing ${packages[*]}" >&2
    rm -rf "$folder"; mkdir -p "$folder"
    echo '{"private":true}' >"$folder/package.json"
    npm install --prefix "$folder" --no-audit --no-fund --loglevel=error --save-exact "${packages[@]}" >&2
    for program in claude codex pi opencode; do
      [ -x "$folder/node_modules/.bin/$program" ] || { echo "npm installed no $program" >&2; exit 1; }
    done
    touch "$folder/complete"
  fi
fi
echo "$folder/node_modules/.bin"
