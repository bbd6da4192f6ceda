// SPDX-License-Identifier: MIT
//
// Text and numbers: coreutils, grep, sed, the awks, bc, dc.

import type { Row } from '../row.ts';
import { bash, shell } from '../row.ts';

export const TEXT: readonly Row[] = [
  { name: "coreutils' text tools", groups: ['glibc', 'files', 'processes'], command: bash('coreutils-text.sh') },
  { name: 'a log through many pipelines', groups: ['processes', 'interpreters'], command: bash('pipeline.sh') },
  {
    name: 'gawk: an expression parser',
    groups: ['interpreters', 'glibc'],
    command: ['/usr/bin/gawk', '-f', '$SCRIPTS/expressions.awk', '$SCRIPTS/expressions.txt'],
    needs: ['gawk'],
  },
  {
    name: 'mawk: an expression parser',
    groups: ['interpreters', 'glibc'],
    command: ['/usr/bin/mawk', '-f', '$SCRIPTS/expressions.awk', '$SCRIPTS/expressions.txt'],
  },
  {
    name: 'gawk: a report with sorters behind it',
    groups: ['interpreters', 'processes'],
    command: shell('mawk -v lines=2000 -f $SCRIPTS/access.awk > log; gawk -f $SCRIPTS/report.awk log'),
    needs: ['gawk'],
  },
  {
    name: 'mawk: a report with sorters behind it',
    groups: ['interpreters', 'processes'],
    command: shell('mawk -v lines=500 -f $SCRIPTS/access.awk > log; mawk -f $SCRIPTS/report.awk log'),
  },
  {
    name: 'gawk: coprocesses and extensions',
    groups: ['interpreters', 'processes'],
    command: ['/usr/bin/gawk', '-f', '$SCRIPTS/gawk-extras.awk'],
    needs: ['gawk'],
  },
  {
    name: 'sed: a program of branches and hold spaces',
    groups: ['interpreters', 'glibc'],
    command: ['/bin/sed', '-f', '$SCRIPTS/text.sed', '$SCRIPTS/text.txt'],
  },
  {
    name: 'sed: files changed in place',
    groups: ['files', 'processes'],
    command: shell(
      'for i in 1 2 3; do seq $i 20 > f$i; done; sed -i.old -e "s/1/one/g;5d" -e "/^2/i before" f?; cat f? | md5sum; ls; sed -n "\\$=" f?; sed -s -n "1p;\\$p" f?.old',
    ),
  },
  {
    name: 'grep: fixed, extended and Perl patterns over a tree',
    groups: ['files', 'glibc'],
    command: shell(
      'mkdir -p a/b; for i in $(seq 30); do seq $i $((i * 50)) > a/b/$i; done; grep -rc 77 a | sort | head -5; grep -rlE "^(7|8)+$" a | sort | wc -l; grep -rhoP "(?<=1)2(?=3)" a | wc -l; grep -rFx 1500 a; grep -c . a/b/30; grep -rq nothing a; echo $?',
    ),
  },
  {
    name: 'sort: 120,000 lines by number',
    groups: ['glibc', 'processes'],
    command: shell(
      'mawk "BEGIN { s = 1; for (i = 0; i < 120000; i++) { s = (s * 16807) % 2147483647; print s, i } }" | sort -n | tee >(md5sum > sum) | tail -n 2; while [ ! -s sum ]; do sleep 0.01; done; cat sum',
    ),
  },
  {
    name: 'sort: with two threads and files in between',
    groups: ['threads', 'files', 'glibc'],
    command: shell(
      'mawk "BEGIN { s = 7; for (i = 0; i < 60000; i++) { s = (s * 16807) % 2147483647; print s } }" > big; sort --parallel=2 -S 256K -T . big | md5sum; sort --parallel=2 -u -r big | head -n 3',
    ),
  },
  {
    name: 'sha256sum and others: 12 MB',
    groups: ['glibc'],
    command: shell(
      'yes "some text to hash" | head -c 12000000 > data; sha256sum data; md5sum data; cksum data; b2sum data',
    ),
  },
  {
    name: 'factor, seq and numbers',
    groups: ['glibc'],
    command: shell(
      'seq 1000000000000 1000000000600 | factor | md5sum; seq -f %.2f 0 0.01 300 | md5sum; factor 18446744073709551617',
    ),
  },
  {
    name: 'bc: pi, e and roots to 300 digits',
    groups: ['interpreters', 'glibc'],
    command: shell('echo "scale=300; 4*a(1); e(1); sqrt(2); l(10)" | BC_LINE_LENGTH=0 bc -l'),
  },
  {
    name: 'bc: functions, arrays and loops',
    groups: ['interpreters'],
    command: ['/usr/bin/bc', '-q', '-l', '$SCRIPTS/numbers.bc'],
  },
  {
    name: 'dc: stacks, registers and macros',
    groups: ['interpreters'],
    command: [
      '/usr/bin/dc',
      '-e',
      '[la1+dsa*pla10>y]sy 0sa1 lyx 20k 2v p 16o 255p 2 100^ p [1p]sq 3 3 =q 5 7 | 2 10 17 | p',
    ],
    needs: ['dc'],
  },
  {
    name: 'diff, patch, cmp and comm',
    groups: ['files', 'processes'],
    command: shell(
      'seq 200 > a; sed "s/^1.5$/x/; 50,60d; 120a new" a > b; diff -u --label a --label b a b > p; diffstat() { grep -c "^[-+]" p; }; diffstat; patch -s a p; cmp a b && echo same; patch -R -s a p; cmp a b; diff -q a b; diff -y -W 20 --suppress-common-lines a b; patch --dry-run a < p; echo bad | patch -s a; echo $?',
    ),
  },
  {
    name: 'm4: recursive macros',
    groups: ['interpreters'],
    command: shell(
      'printf "%s\\n" "define(\\`fib\x27, \\`ifelse(eval(\\$1 < 2), 1, \\$1, \\`eval(fib(eval(\\$1 - 1)) + fib(eval(\\$1 - 2)))\x27)\x27)fib(15)" "define(\\`rev\x27, \\`ifelse(\\$1, \\`\x27, \\`\x27, \\`rev(substr(\\$1, 1))\\`\x27substr(\\$1, 0, 1)\x27)\x27)rev(abcdef)" "syscmd(\\`echo from a shell\x27)esyscmd(\\`seq 3\x27)translit(hello, a-z, A-Z)" | m4',
    ),
    needs: ['m4'],
  },
];
