// SPDX-License-Identifier: MIT
//
// Shells: bash, dash and busybox's, with the processes, signals and descriptors that scripts are made of.

import type { Row } from '../row.ts';
import { bash, shell } from '../row.ts';

export const SHELLS: readonly Row[] = [
  {
    name: 'bash: a loop through sort and head',
    groups: ['glibc', 'processes'],
    command: shell('for i in $(seq 20); do echo $i; done | sort -r | head -3'),
  },
  {
    name: 'bash: arrays, options, regular expressions',
    groups: ['glibc', 'interpreters'],
    command: bash('inventory.sh', '-v', '-c', 'CHF'),
    stdin: 'inventory.txt',
  },
  { name: 'bash: a wrong option', groups: ['interpreters'], command: bash('inventory.sh', '-x') },
  { name: 'bash: background jobs and wait', groups: ['processes', 'interpreters'], command: bash('jobs.sh') },
  { name: 'bash: traps', groups: ['signals', 'processes', 'interpreters'], command: bash('traps.sh') },
  {
    name: 'bash: coprocesses, substitutions, here documents, FIFOs',
    groups: ['processes', 'files', 'interpreters'],
    command: bash('plumbing.sh'),
  },
  { name: 'bash: a calculator and a sieve', groups: ['interpreters', 'glibc'], command: bash('calculator.sh') },
  { name: 'bash: job control', groups: ['signals', 'processes', 'interpreters'], command: bash('control.sh') },
  { name: 'bash: a maze in plain shell', groups: ['interpreters'], command: bash('posix.sh') },
  {
    name: 'dash: a maze in plain shell',
    groups: ['interpreters', 'glibc'],
    command: ['/bin/dash', '$SCRIPTS/posix.sh'],
  },
  {
    name: 'busybox sh: a maze in plain shell',
    groups: ['static', 'interpreters'],
    command: ['/bin/busybox', 'sh', '$SCRIPTS/posix.sh'],
  },
  {
    name: 'timeouts, sessions, locks and limits from the shell',
    groups: ['signals', 'processes', 'files', 'interpreters'],
    command: bash('timing.sh'),
  },
  { name: 'xargs, also in parallel', groups: ['processes', 'files'], command: bash('xargs.sh') },
  {
    name: 'bash: forty subshells',
    groups: ['processes'],
    command: shell('n=0; for i in {1..40}; do n=$(($(echo $i) + n)); done; echo $n; (exit 5)'),
  },
  {
    name: 'bash: a killed child and its status',
    groups: ['signals', 'processes'],
    command: shell(
      'for s in HUP INT QUIT KILL USR1 SEGV PIPE ALRM TERM; do (ulimit -c 0; sh -c "kill -$s \\$\\$"; echo $s $?) 2>/dev/null; done',
    ),
  },
  {
    name: 'bash: the shell itself dies of a signal',
    groups: ['signals'],
    command: shell('trap "echo caught" TERM; kill $$; trap - TERM; kill $$; echo never'),
  },
  {
    name: 'bash: echo and exec in a row of shells',
    groups: ['processes'],
    command: shell('exec sh -c "echo one; exec bash -c \\"echo two; exec dash -c \\\\\\"echo three; exit 7\\\\\\"\\""'),
  },
  {
    name: 'dash: a pipeline of six',
    groups: ['processes'],
    command: ['/bin/sh', '-c', 'seq 1000 | grep 7 | sed s/7/x/g | sort -r | uniq | wc -l; kill -9 $$'],
  },
  {
    name: 'busybox: pipes of applets',
    groups: ['static', 'processes'],
    command: [
      '/bin/busybox',
      'sh',
      '-c',
      'busybox seq 300 | busybox awk "{ s += \\$1 } END { print s }"; busybox seq 50 | busybox tac | busybox head -n 3 | busybox md5sum',
    ],
  },
  {
    name: 'busybox: files, an archive and checksums',
    groups: ['static', 'files'],
    command: [
      '/bin/busybox',
      'sh',
      '-c',
      'mkdir d; for i in 1 2 3; do busybox seq $i 1000 > d/$i; done; busybox tar czf d.tgz d; rm -r d; busybox tar xzf d.tgz; busybox sha256sum d/*; busybox find d -type f | busybox sort; busybox ls d; busybox wc d/*',
    ],
  },
  {
    name: 'busybox: sorting and searching 100,000 lines',
    groups: ['static'],
    command: ['/bin/busybox', 'sh', '-c', 'busybox seq 100000 | busybox sort -r | busybox grep 77 | busybox sha1sum'],
  },
];
