# SPDX-License-Identifier: MIT
#
# Compression, hashes, archives and codecs of the standard library over data that is the same each time.

import base64
import binascii
import bz2
import csv
import gzip
import hashlib
import hmac
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib

state = 1
data = bytearray()
while len(data) < 300_000:
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    word = state >> 58
    data += b"abcdefghijklmnop"[:word % 16] * (word % 3 + 1) + struct.pack("<H", state >> 48)
data = bytes(data)

for name in ("md5", "sha1", "sha256", "sha3_256", "blake2b", "sha512"):
    print(name, hashlib.new(name, data).hexdigest()[:32])
print("pbkdf2", hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 3000).hex()[:32])
print("scrypt", hashlib.scrypt(b"password", salt=b"salt", n=256, r=4, p=1).hex()[:32])
print("hmac", hmac.digest(b"key", data, "sha256").hex()[:32], f"{zlib.crc32(data):08x} {zlib.adler32(data):08x}")

for module, options in ((zlib, {"level": 9}), (bz2, {}), (lzma, {"preset": 1}), (gzip, {"mtime": 0})):
    packed = module.compress(data, **options)
    print(module.__name__, len(packed), module.decompress(packed) == data, hashlib.md5(packed).hexdigest())

engine = zlib.compressobj(wbits=-15)
pieces = b"".join(engine.compress(data[i:i + 1000]) for i in range(0, len(data), 1000)) + engine.flush()
print("stream", len(pieces), zlib.decompress(pieces, wbits=-15) == data)

archive = io.BytesIO()
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
    for i in range(5):
        z.writestr(zipfile.ZipInfo(f"file{i}", (2001, 2, 3, 4, 5, 6)), data[i * 1000:(i + 3) * 1000])
with zipfile.ZipFile(archive) as z:
    print(z.namelist(), z.testzip(), [i.CRC for i in z.infolist()][:2])

tar = io.BytesIO()
with tarfile.open(fileobj=tar, mode="w:xz", preset=0) as t:
    for i in range(3):
        info = tarfile.TarInfo(f"member{i}")
        info.size, info.mtime = 1000, 10**9 + i
        t.addfile(info, io.BytesIO(data[:1000]))
tar.seek(0)
with tarfile.open(fileobj=tar) as t:
    print([(m.name, m.size, m.mtime) for m in t], t.extractfile("member1").read() == data[:1000])

rows = [{"n": i, "name": f"item,{i}", "quote": '"' * (i % 3)} for i in range(200)]
text = io.StringIO()
writer = csv.DictWriter(text, ["n", "name", "quote"])
writer.writeheader()
writer.writerows(rows)
text.seek(0)
back = [{**row, "n": int(row["n"])} for row in csv.DictReader(text)]
print("csv", back == rows, "json", json.loads(json.dumps(rows)) == rows, "pickle", pickle.loads(pickle.dumps(rows)) == rows)
print(hashlib.md5(json.dumps(rows, indent=1, sort_keys=True).encode()).hexdigest())
print(base64.b85encode(data[:12]), binascii.hexlify(data[:6]), base64.b32encode(b"text"), "häßlich".encode("utf-16-le"))
