// SPDX-License-Identifier: MIT
//
// Tools with work of their own: archives and packers, find, sqlite3, git, openssl.

import type { Row } from '../row.ts';
import { bash, shell } from '../row.ts';

/** Commits that are the same each time. */
const GIT = {
  GIT_AUTHOR_NAME: 'A U Thor',
  GIT_AUTHOR_EMAIL: 'author@example.com',
  GIT_AUTHOR_DATE: '1112911993 +0200',
  GIT_COMMITTER_NAME: 'C O Mitter',
  GIT_COMMITTER_EMAIL: 'committer@example.com',
  GIT_COMMITTER_DATE: '1112912053 +0200',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_PAGER: 'cat',
} as const;

export const TOOLS: readonly Row[] = [
  {
    name: 'find, cp, mv, ln, stat: a tree of files',
    groups: ['files', 'glibc', 'processes'],
    command: bash('file-tree.sh'),
  },
  {
    name: 'tar with gzip, xz, zstd, bzip2 and by itself',
    groups: ['files', 'processes'],
    command: bash('archives.sh'),
    needs: ['zstd', 'bzip2'],
  },
  {
    name: 'gzip: 6 MB at level 9 and back',
    groups: ['glibc', 'processes'],
    command: shell(
      'seq 900000 > a; gzip -9nk a; gzip -l a.gz | tail -n 1 | cut -c 1-40; md5sum a.gz; zcat a.gz | cmp - a; gzip -t a.gz && echo whole; head -c 1000 a.gz > b.gz; gzip -t b.gz; echo $?',
    ),
  },
  {
    name: 'xz: with threads, and back',
    groups: ['threads', 'glibc'],
    command: shell(
      'seq 60000 > a; xz -T2 --block-size=256KiB -1 -k a; xz -dc -T2 a.xz | cmp - a && echo same; md5sum a.xz; xz -l --robot a.xz | cut -f 1-6 | grep -v name; head -c 100000 a | xz -6 -c | md5sum',
    ),
  },
  {
    name: 'zstd: with threads, and back',
    groups: ['threads', 'glibc'],
    command: shell(
      'seq 200000 > a; zstd -q -T2 -k a; zstd -dcq a.zst | cmp - a && echo same; head -c 200000 a | zstd -12 -q -c | md5sum; zstd -tq a.zst; echo $?',
    ),
    needs: ['zstd'],
  },
  {
    name: 'cpio: in and out',
    groups: ['files', 'processes'],
    command: shell(
      'mkdir -p d/e; echo 1 > d/1; ln d/1 d/e/2; ln -s 1 d/l; touch -h -d @1000000 d/1 d/l d/e d; find d | sort | cpio -o -H newc --reproducible --quiet > a; cpio -tv --quiet < a | cut -c 1-10,42-; mkdir x; cd x; cpio -id --quiet < ../a; find . -printf "%P %y %n\\n" | sort',
    ),
    needs: ['cpio'],
  },
  {
    name: 'find: forty predicates over a thousand files',
    groups: ['files', 'glibc'],
    command: bash('find.sh'),
  },
  {
    name: 'sqlite3: a schema, transactions, windows, JSON',
    groups: ['files', 'glibc'],
    command: ['/usr/bin/sqlite3', '-batch', 'shop.db'],
    stdin: 'shop.sql',
  },
  {
    name: 'sqlite3: 30,000 rows with an index',
    groups: ['files', 'glibc'],
    command: [
      '/usr/bin/sqlite3',
      '-batch',
      'big.db',
      "PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); CREATE INDEX i ON t(b); WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 30000) INSERT INTO t SELECT x, x * 7919 % 10007, printf('%08x', x * x) FROM n; SELECT count(DISTINCT b), sum(b), max(c) FROM t; SELECT * FROM t WHERE b = 77; UPDATE t SET b = b + 1 WHERE a % 3 = 0; DELETE FROM t WHERE b > 9000; SELECT count(*), sum(b) FROM t; VACUUM; PRAGMA integrity_check; PRAGMA page_count;",
    ],
  },
  {
    name: 'sqlite3: three writers at one file',
    groups: ['files', 'processes'],
    command: shell(
      'sqlite3 -batch d.db "PRAGMA journal_mode=WAL; CREATE TABLE t(w, n);"; for w in 1 2 3; do { for n in $(seq 8); do echo "INSERT INTO t VALUES($w, $n);"; done | sqlite3 -batch -cmd ".timeout 20000" d.db; } & done; wait; sqlite3 -batch d.db "SELECT w, count(*), sum(n) FROM t GROUP BY w ORDER BY w; PRAGMA integrity_check;"',
    ),
  },
  {
    name: 'sqlite3: import, export, dump and restore',
    groups: ['files', 'processes'],
    command: shell(
      'for i in $(seq 300); do echo "$i,name $i,$((i * i % 97))"; done > in.csv; sqlite3 -batch a.db ".mode csv" "CREATE TABLE t(id, name, v);" ".import in.csv t" ".headers on" "SELECT v, count(*) AS n FROM t GROUP BY v ORDER BY n DESC, v LIMIT 5;" ".mode box" "SELECT * FROM t LIMIT 2;"; sqlite3 -batch a.db .dump | sqlite3 -batch b.db; sqlite3 -batch b.db "ATTACH \x27a.db\x27 AS a; SELECT count(*) FROM t JOIN a.t AS o USING (id, name, v); .schema"; sqlite3 -batch b.db "SELECT * FROM none"; echo $?',
    ),
  },
  {
    name: 'git: commits, branches, a merge with a conflict',
    groups: ['files', 'processes'],
    command: bash('git-branches.sh'),
    env: GIT,
  },
  {
    name: 'git: repack, gc, fsck, clone, bundle',
    groups: ['files', 'processes', 'threads'],
    command: bash('git-objects.sh'),
    env: GIT,
  },
  {
    name: 'git: rebase, stash, bisect, patches',
    groups: ['files', 'processes'],
    command: bash('git-history.sh'),
    env: GIT,
  },
  { name: 'openssl: ciphers, digests, MACs', groups: ['glibc', 'files'], command: bash('openssl-symmetric.sh') },
  {
    name: 'openssl: keys, signatures, certificates',
    groups: ['glibc', 'files', 'processes'],
    command: bash('openssl-keys.sh'),
  },
  {
    name: 'openssl: hashing and encrypting 15 MB',
    groups: ['glibc'],
    command: shell(
      'yes 0123456789abcdef | head -c 15000000 > d; openssl dgst -sha512 d; openssl dgst -sha3-256 < d; openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 0 -in d 2>/dev/null | openssl dgst -sha1',
    ),
  },
];
