// SPDX-License-Identifier: MIT
//
// Python, perl, Lua and LuaJIT.

import type { Row } from '../row.ts';
import { python, shell } from '../row.ts';

function perl(script: string, ...args: readonly string[]): readonly string[] {
  return ['/usr/bin/perl', `$SCRIPTS/${script}`, ...args];
}

function lua(interpreter: 'lua5.4' | 'luajit', script: string, ...args: readonly string[]): readonly string[] {
  return [`/usr/bin/${interpreter}`, `$SCRIPTS/${script}`, ...args];
}

export const LANGUAGES: readonly Row[] = [
  { name: 'python: subprocess', groups: ['interpreters', 'processes'], command: python('processes.py') },
  {
    name: 'python: fork, wait, pipes and locks',
    groups: ['interpreters', 'processes', 'files'],
    command: python('forking.py'),
  },
  { name: 'python: multiprocessing', groups: ['interpreters', 'processes', 'threads'], command: python('pool.py') },
  { name: 'python: threading', groups: ['interpreters', 'threads'], command: python('threads.py') },
  { name: 'python: asyncio', groups: ['interpreters', 'processes', 'signals'], command: python('asynchronous.py') },
  { name: 'python: sqlite3', groups: ['interpreters', 'files', 'processes'], command: python('database.py') },
  { name: 'python: a Lisp', groups: ['interpreters'], command: python('interpreter.py'), stdin: 'program.lisp' },
  { name: 'python: unittest and doctest', groups: ['interpreters', 'files'], command: python('suite.py') },
  { name: 'python: signals', groups: ['interpreters', 'signals'], command: python('signals.py') },
  { name: 'python: files', groups: ['interpreters', 'files'], command: python('files.py') },
  { name: 'python: numbers', groups: ['interpreters', 'glibc'], command: python('computing.py') },
  { name: 'python: compression, hashes and formats', groups: ['interpreters', 'glibc'], command: python('packing.py') },
  { name: 'python: graphs and grids', groups: ['interpreters'], command: python('graph.py') },
  { name: 'python: sockets and polling', groups: ['interpreters', 'processes'], command: python('sockets.py') },
  { name: 'python: foreign functions', groups: ['interpreters', 'glibc'], command: python('foreign.py') },
  {
    name: 'python: compiles modules and imports them',
    groups: ['interpreters', 'files', 'processes'],
    command: shell(
      'mkdir pkg; for i in 1 2 3 4 5; do echo "def f(): return $i" > pkg/m$i.py; done; touch pkg/__init__.py; python3=/usr/bin/python3; $python3 -m compileall -q pkg; ls pkg/__pycache__; $python3 -c "import pkg.m1, pkg.m5; print(pkg.m1.f() + pkg.m5.f())"; echo "{\\"b\\": [1, 2], \\"a\\": null}" | $python3 -m json.tool --sort-keys; $python3 -m this | head -n 1; echo 1 + | $python3 2>&1 | tail -n 1',
    ),
  },
  {
    name: 'perl: a JSON tool',
    groups: ['interpreters', 'glibc'],
    command: perl('json.pl', 'list.1', 'deep.er.est', 'many.#', 'many.1.id', '0.1.1.0'),
    stdin: 'documents.json',
  },
  {
    name: 'perl: processes and signals',
    groups: ['interpreters', 'processes', 'signals'],
    command: perl('processes.pl'),
  },
  { name: 'perl: text, objects and files', groups: ['interpreters', 'files'], command: perl('text.pl') },
  { name: 'perl: numbers', groups: ['interpreters'], command: perl('sieve.pl') },
  { name: 'perl: System V IPC and threads', groups: ['interpreters', 'processes', 'threads'], command: perl('ipc.pl') },
  {
    name: 'perl: one-liners in a pipeline',
    groups: ['interpreters', 'processes'],
    command: shell(
      "perl -e 'print map { \"$_\\n\" } 1 .. 5000' | perl -ne 'print if /7/' | perl -lpe '$_ = reverse' | perl -lane '$s += $F[0]; END { print $s }'; seq 5 > f; perl -i.bak -pe 's/3/three/' f; cat f f.bak | perl -MDigest::SHA=sha1_hex -0777 -ne 'print sha1_hex($_), \"\\n\"'; perl -MPOSIX -e 'print strftime(\"%F\", gmtime(86400 * 365)), \"\\n\"; exit 3'",
    ),
  },
  {
    name: 'lua: queens, heap sort, coroutines',
    groups: ['interpreters', 'glibc'],
    command: lua('lua5.4', 'queens.lua', '8'),
    needs: ['lua5.4'],
  },
  {
    name: 'lua: objects, files and commands',
    groups: ['interpreters', 'processes', 'files'],
    command: lua('lua5.4', 'objects.lua'),
    needs: ['lua5.4'],
  },
  {
    name: 'luajit: queens, heap sort, coroutines, compiled while they run',
    groups: ['interpreters', 'glibc'],
    command: lua('luajit', 'queens.lua', '9'),
    needs: ['luajit'],
  },
  {
    name: 'luajit: the same without its compiler',
    groups: ['interpreters'],
    command: ['/usr/bin/luajit', '-joff', '$SCRIPTS/queens.lua', '7'],
    needs: ['luajit'],
  },
  {
    name: 'luajit: objects, files and commands',
    groups: ['interpreters', 'processes', 'files'],
    command: lua('luajit', 'objects.lua'),
    needs: ['luajit'],
  },
  {
    name: 'luajit: bodies, foreign functions, callbacks',
    groups: ['interpreters', 'glibc'],
    command: lua('luajit', 'jit.lua'),
    needs: ['luajit'],
  },
];
