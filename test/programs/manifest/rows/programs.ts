// SPDX-License-Identifier: MIT
//
// Programs that the suite builds: C with both libraries, static and dynamic, C++, Go, Rust.

import type { Group, Row } from '../row.ts';

interface Source {
  readonly name: string;
  readonly about: string;
  readonly groups: readonly Group[];
  readonly args?: readonly string[];
}

const SOURCES: readonly Source[] = [
  { name: 'worker-threads', about: 'queues, locks, barriers, cancellation', groups: ['threads'] },
  { name: 'matrix-threads', about: 'threads that compute', groups: ['threads'], args: ['4'] },
  { name: 'signal-tour', about: 'queues, faults, jumps, interrupted calls', groups: ['signals', 'processes'] },
  { name: 'signal-threads', about: 'directed signals, timers, a storm', groups: ['signals', 'threads'] },
  { name: 'process-tour', about: 'trees, pipelines, spawn, shared locks', groups: ['processes'] },
  { name: 'files-tour', about: 'stdio, maps, trees, locks', groups: ['files', 'processes'] },
  { name: 'computing', about: 'hashes, floats, expressions, a heap', groups: [], args: ['600'] },
  { name: 'poll-server', about: 'epoll, timers, events, sockets', groups: ['processes', 'signals'] },
];

const VARIANTS: readonly { readonly kind: string; readonly groups: readonly Group[] }[] = [
  { kind: 'glibc', groups: ['glibc'] },
  { kind: 'static', groups: ['static', 'glibc'] },
  { kind: 'musl', groups: ['static', 'musl'] },
  { kind: 'musl-dynamic', groups: ['musl'] },
];

const C_PROGRAMS: readonly Row[] = SOURCES.flatMap(({ name, about, groups, args }) =>
  VARIANTS.map((variant) => ({
    name: `C, ${variant.kind}: ${about}`,
    groups: [...variant.groups, ...groups],
    command: [`$BIN/${name}.${variant.kind}`, ...(args ?? [])],
  })),
);

export const PROGRAMS: readonly Row[] = [
  ...C_PROGRAMS,
  {
    name: 'C++: exceptions, containers, threads, an uncaught exception',
    groups: ['glibc', 'threads', 'signals'],
    command: ['$BIN/objects.cxx'],
  },
  {
    name: 'C++, static: exceptions, containers, threads, an uncaught exception',
    groups: ['static', 'threads', 'signals'],
    command: ['$BIN/objects.cxx-static'],
  },
  {
    name: 'Go: goroutines, commands, signals, garbage',
    groups: ['static', 'threads', 'processes', 'signals'],
    command: ['$BIN/pipelines.go'],
  },
  {
    name: 'Rust: threads, channels, commands',
    groups: ['glibc', 'threads', 'processes'],
    command: ['$BIN/channels.rust'],
  },
];
