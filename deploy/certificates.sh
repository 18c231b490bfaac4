#!/bin/sh
# Makes the certificates of docker-compose.yml, once: an authority of this installation's own, and one certificate for each
# server. What is there already stays as it is; remove SERVER.pem, and it is made anew by the same authority.
#   deploy/certificates.sh FOLDER [NAME ...]   NAME: what else the servers are called, such as a host's name
# ca.pem is for clients (DAYBOOK_CA). ca.key makes certificates: keep it elsewhere once all are made.
set -eu
umask 077
folder=$1; shift
days=825                                       # as long as a certificate may live for all clients
mkdir -p "$folder"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

if ! test -s "$folder/ca.pem"; then
  openssl ecparam -name prime256v1 -genkey -noout -out "$folder/ca.key"
  printf '[req]\ndistinguished_name=dn\nx509_extensions=ca\nprompt=no\n[dn]\nCN=Daybook of this installation\n[ca]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' > "$work/ca.cnf"
  openssl req -x509 -new -key "$folder/ca.key" -sha256 -days 3650 -config "$work/ca.cnf" -out "$folder/ca.pem"
fi

for server in kafka postgres clickhouse redis; do
  test -s "$folder/$server.pem" && continue
  names="DNS:$server,DNS:localhost,IP:127.0.0.1"
  for name in "$@"; do names="$names,DNS:$name"; done
  printf '[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=%s\n[server]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' "$server" "$names" > "$work/$server.cnf"
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/$server.ec"
  openssl pkcs8 -topk8 -nocrypt -in "$work/$server.ec" -out "$folder/$server.key"
  openssl req -new -key "$folder/$server.key" -config "$work/$server.cnf" -out "$work/$server.csr"
  openssl x509 -req -in "$work/$server.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
    -sha256 -days "$days" -extfile "$work/$server.cnf" -extensions server -out "$folder/$server.crt" 2>/dev/null
  cat "$folder/$server.key" "$folder/$server.crt" > "$folder/$server.pem"
done
echo "certificates are in $folder" >&2
