#!/usr/bin/env bash
# Prints the URL of a PostgreSQL server that the tests may use. Where none is named and none answers
# on 127.0.0.1:5432, it installs Debian's package and starts a private cluster on a free port.
# With "stop" it ends the private cluster again.
set -euo pipefail
cd "$(dirname "$0")/.."
private="$PWD/target/postgres"

if [ "${1:-}" = stop ]; then
  if [ -f "$private/stop" ]; then bash "$private/stop" >&2 || true; rm -f "$private/stop"; fi
  exit 0
fi
if [ -n "${PROOFHOUSE_TEST_POSTGRES:-}" ]; then echo "$PROOFHOUSE_TEST_POSTGRES"; exit 0; fi

psql=$(command -v psql || ls /usr/lib/postgresql/*/bin/psql 2>/dev/null | tail -n 1 || true)
if [ -n "$psql" ]; then
  for user in "$(id -un)" postgres; do
    for database in test postgres; do
      url="postgres://$user@127.0.0.1:5432/$database"
      if PGCONNECT_TIMEOUT=3 "$psql" -w -q -c 'create temporary table t (a int)' "$url" >/dev/null 2>&1; then
        echo "$url"; exit 0
      fi
    done
  done
fi

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1 || true)
if [ -z "$bin" ] || [ ! -x "$bin/initdb" ]; then
  echo "installing PostgreSQL for the tests" >&2
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq postgresql >&2
  bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
fi
as=(); [ "$(id -u)" != 0 ] || as=(runuser -u postgres --)
folder=$(mktemp -d /tmp/proofhouse-postgres.XXXXXX)
[ "$(id -u)" != 0 ] || chown postgres "$folder"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${as[@]}" "$bin/initdb" -D "$folder/data" -U postgres -A trust >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
  -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200" start >&2
mkdir -p "$private"
printf '%s\n' "${as[*]} '$bin/pg_ctl' -D '$folder/data' -m immediate stop; rm -rf '$folder'" >"$private/stop"
echo "postgres://postgres@127.0.0.1:$port/postgres"
