#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Digests, MACs, ciphers and encodings of openssl with fixed keys.

set -e
seq 20000 > plain
for digest in md5 sha1 sha256 sha384 sha512 sha3-256 shake128 blake2b512 blake2s256 sm3; do
  openssl dgst -$digest plain
done
openssl dgst -sha256 -hmac secret plain
openssl mac -macopt cipher:AES-128-CBC -macopt hexkey:000102030405060708090a0b0c0d0e0f -in plain CMAC
key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
iv=0f0e0d0c0b0a09080706050403020100
for cipher in aes-256-cbc aes-256-ctr aes-256-cfb aes-256-ofb camellia-256-cbc aria-256-ctr chacha20; do
  openssl enc -$cipher -K $key -iv $iv -in plain -out coded
  openssl enc -d -$cipher -K $key -iv $iv -in coded | cmp - plain && echo "$cipher $(md5sum < coded)"
done
openssl enc -aes-128-ecb -K ${key:0:32} -in plain | md5sum
openssl enc -aes-256-cbc -pbkdf2 -iter 2000 -S 0102030405060708 -pass pass:secret -in plain -out coded
openssl enc -d -aes-256-cbc -pbkdf2 -iter 2000 -S 0102030405060708 -pass pass:secret -in coded | cmp - plain && echo "by password"
md5sum coded
openssl enc -d -aes-256-cbc -pbkdf2 -iter 2000 -S 0102030405060708 -pass pass:wrong -in coded 2>/dev/null | cmp -s - plain || echo "a wrong password"
openssl kdf -keylen 16 -kdfopt digest:SHA256 -kdfopt key:secret -kdfopt salt:salt -kdfopt info:label HKDF
openssl kdf -keylen 16 -kdfopt pass:secret -kdfopt salt:salt -kdfopt n:256 -kdfopt r:4 -kdfopt p:1 SCRYPT
openssl passwd -6 -salt saltsalt -stdin <<< password
openssl passwd -apr1 -salt saltsalt password
openssl base64 -in plain | tail -n 1
openssl base64 -in plain | openssl base64 -d | cmp - plain && echo base64
openssl prime 1000003 1000004
openssl prime -hex FFFFFFFFFFFFFFC5
openssl rand -hex 8 | tr -d '0-9a-f\n' | wc -c
openssl ciphers -tls1_3 'ALL:@STRENGTH' | tr ':' '\n' | grep -c TLS_ || true
openssl errstr 0A000086
openssl enc -aes-256-cbc -K 00 -iv 00 -in no-such-file 2>&1 | head -n 1 | sed 's/:[0-9A-F]*:/:/' || true
