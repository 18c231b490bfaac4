#!/bin/sh
# Makes what docker-compose.yml needs to be secret, once: files below secrets/, which git does not see. What is there
# already stays as it is. Another folder: deploy/secrets.sh FOLDER
set -eu
here=$(dirname "$0")
folder=${1:-$here/../secrets}
mkdir -p "$folder"
chmod 700 "$folder"   # the files themselves are read by the users inside the containers

new() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
once() { test -s "$folder/$1" || printf '%s' "$2" > "$folder/$1"; chmod 644 "$folder/$1"; }
say() { cat "$folder/$1"; }

for name in postgres postgres-owner postgres-writer postgres-reader clickhouse clickhouse-analyst redis-writer redis-reader grafana; do
  once "$name" "$(new)"
done
# Kafka's users, one a role (daybook acls).
for role in streams progress trending lists affinity postgres clickhouse redis loader audit api operator ui; do
  once "kafka-$role" "$(new)"
done
once kafka-ui-user daybook-ui   # for whoever takes a name from a file too
# Who migrates, who stores, who answers.
for role in owner writer reader; do
  once "DAYBOOK_POSTGRES-$role" "postgresql://daybook_$role:$(say "postgres-$role")@postgres:5432/daybook?sslmode=verify-full"
done
once DAYBOOK_CLICKHOUSE "https://daybook:$(say clickhouse)@clickhouse:8443/daybook"
for role in writer reader; do
  once "DAYBOOK_REDIS-$role" "rediss://daybook_$role:$(say "redis-$role")@redis:6379/0"
done
once DAYBOOK_API_SIGNING_KEY "$(new)"
once DAYBOOK_ERASURE_KEY "$(new)"   # never changed: docs/how-to/erase.md

# What servers are told of these, where they take no file with a password in it.
hash=$(say clickhouse-analyst | openssl dgst -sha256 | sed 's/.*= *//')
once clickhouse-analyst.xml "<clickhouse><users><analyst><password_sha256_hex>$hash</password_sha256_hex></analyst></users></clickhouse>"
once redis.acl "$(sed -e "s/WRITER/$(say redis-writer)/" -e "s/READER/$(say redis-reader)/" "$here/redis/users.acl")
"
once kafka-ui.properties "$(printf 'org.apache.kafka.common.security.scram.ScramLoginModule required username="daybook-ui" password="%s";' "$(say kafka-ui)")"

"$here/certificates.sh" "$folder"
chmod 644 "$folder"/*.pem "$folder"/*.crt "$folder"/*.key
chmod 600 "$folder/ca.key"
echo "secrets are in $folder" >&2
