#!/usr/bin/env bash
# Says clearly what this machine lacks for a build. Installs nothing.
set -euo pipefail
missing=0
need() { # program, what it is for, how to get it
  if ! command -v "$1" >/dev/null 2>&1; then
    echo "missing: $1 ($2). $3" >&2
    missing=1
  fi
}
need cargo "the Rust toolchain, 1.95 or later" "See https://rustup.rs"
need cc "a C compiler, for the bundled SQLite" "On Debian: apt-get install gcc libc6-dev"
need git "repositories are read and checked out with it" "On Debian: apt-get install git"
need node "the page is built with Node.js, 20.19 or later" "On Debian: apt-get install nodejs npm"
need npm "the page's packages" "On Debian: apt-get install npm"
if command -v cargo >/dev/null 2>&1; then
  have=$(rustc --version | sed -E 's/^rustc ([0-9]+)\.([0-9]+).*/\1 \2/')
  read -r major minor <<<"$have"
  if ((major < 1 || (major == 1 && minor < 95))); then
    echo "missing: Rust 1.95 or later (found $major.$minor). Run: rustup update stable" >&2
    missing=1
  fi
fi
exit "$missing"
