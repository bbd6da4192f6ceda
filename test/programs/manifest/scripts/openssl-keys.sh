#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Public keys with openssl. Keys are made anew each time, so only what does not depend on them is shown.

set -e
echo 'the message' > message
openssl genrsa -out rsa.pem 1024 2>/dev/null
openssl rsa -in rsa.pem -check -noout 2>/dev/null
openssl rsa -in rsa.pem -pubout -out rsa.pub 2>/dev/null
openssl dgst -sha256 -sign rsa.pem -out signature message
openssl dgst -sha256 -verify rsa.pub -signature signature message
echo 'another message' > other
openssl dgst -sha256 -verify rsa.pub -signature signature other 2>/dev/null || echo "status $?"
openssl pkeyutl -encrypt -pubin -inkey rsa.pub -in message -out coded
openssl pkeyutl -decrypt -inkey rsa.pem -in coded
stat -c '%s' signature coded

for curve in prime256v1 secp384r1; do
  openssl ecparam -name $curve -genkey -noout -out $curve.pem
  openssl pkey -in $curve.pem -pubout -out $curve.pub
  openssl dgst -sha256 -sign $curve.pem -out signature message
  openssl dgst -sha256 -verify $curve.pub -signature signature message
  openssl pkey -in $curve.pem -noout -text | grep -E 'NIST|Private'
done
openssl genpkey -algorithm ed25519 -out ed.pem
openssl pkey -in ed.pem -pubout -out ed.pub
openssl pkeyutl -sign -rawin -inkey ed.pem -in message -out signature
openssl pkeyutl -verify -rawin -pubin -inkey ed.pub -in message -sigfile signature
for name in a b; do
  openssl genpkey -algorithm x25519 -out $name.pem
  openssl pkey -in $name.pem -pubout -out $name.pub
done
openssl pkeyutl -derive -inkey a.pem -peerkey b.pub -out ab
openssl pkeyutl -derive -inkey b.pem -peerkey a.pub -out ba
cmp ab ba && echo "the secrets agree, $(stat -c %s ab) bytes"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -subj '/O=Test/CN=Authority' -days 30 -set_serial 1 2>/dev/null
openssl req -new -newkey rsa:1024 -nodes -keyout leaf.key -out leaf.csr -subj '/O=Test/CN=leaf.example' 2>/dev/null
openssl req -in leaf.csr -noout -verify -subject 2>&1 | sort
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 10 -out leaf.pem 2>/dev/null
openssl x509 -in leaf.pem -noout -subject -issuer -serial
openssl verify -CAfile ca.pem leaf.pem
openssl verify leaf.pem 2>&1 | tail -n 1
openssl cms -sign -in message -signer leaf.pem -inkey leaf.key -outform DER -out signed -nodetach
openssl cms -verify -in signed -inform DER -CAfile ca.pem -purpose any 2>&1 | tr -d '\r' | sort
openssl cms -encrypt -in message -outform DER -out hidden -aes128 leaf.pem
openssl cms -decrypt -in hidden -inform DER -recip leaf.pem -inkey leaf.key | tr -d '\r'
openssl pkcs12 -export -in leaf.pem -inkey leaf.key -out leaf.p12 -passout pass:x
openssl pkcs12 -in leaf.p12 -passin pass:x -nodes -nokeys 2>/dev/null | grep -c 'BEGIN CERTIFICATE'
openssl asn1parse -in leaf.pem | head -n 3 | cut -d: -f4 | cut -c 1-20
openssl rsa -in rsa.pem -aes128 -passout pass:locked -out locked.pem 2>/dev/null
openssl rsa -in locked.pem -passin pass:locked 2>/dev/null | cmp - rsa.pem && echo "unlocked"
openssl rsa -in locked.pem -passin pass:wrong -noout 2>/dev/null || echo "locked"
