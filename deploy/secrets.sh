#!/bin/sh
# Makes what docker-compose.yml needs to be secret, once: files below secrets/, which git does not see. What is there
# already stays as it is. Another folder: deploy/secrets.sh FOLDER
set -eu
folder=${1:-$(dirname "$0")/../secrets}
mkdir -p "$folder"
chmod 700 "$folder"   # the files themselves are read by the users inside the containers

new() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
once() { test -s "$folder/$1" || printf '%s' "$2" > "$folder/$1"; chmod 644 "$folder/$1"; }

for name in postgres clickhouse redis grafana; do once "$name" "$(new)"; done
once DAYBOOK_POSTGRES "postgresql://daybook:$(cat "$folder/postgres")@postgres:5432/daybook"
once DAYBOOK_CLICKHOUSE "http://daybook:$(cat "$folder/clickhouse")@clickhouse:8123/daybook"
once DAYBOOK_REDIS "redis://:$(cat "$folder/redis")@redis:6379/0"
once DAYBOOK_API_SIGNING_KEY "$(new)"
once DAYBOOK_ERASURE_KEY "$(new)"   # never changed: docs/how-to/erase.md
echo "secrets are in $folder" >&2
