// SPDX-License-Identifier: MIT
//
// The invariants of usertrap hold while real programs run: Debian's, dynamic, with many processes and threads. The observer
// of test/conformance/usertrap looks at every patch, call, turn, fork and exec of theirs.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cpu } from '../../src/cpu/cpu.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { openHostDirectory } from '../../src/sandbox/host-node/index.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { INVARIANTS } from '../conformance/usertrap/invariant-list.ts';
import { InvariantObserver } from '../conformance/usertrap/invariant-observer.ts';
import { compile, hasCompiler, isLinux, runGuest } from './guest-run.ts';

const THREADS = `
import subprocess, threading
def work(n, out):
    for i in range(5): out.append(open('/proc/self/comm').read())
out = []
ts = [threading.Thread(target=work, args=(k, out)) for k in range(3)]
[t.start() for t in ts]; [t.join() for t in ts]
print(len(out), subprocess.run(['/bin/echo', 'child'], capture_output=True).stdout)
`;

const SOURCE = '#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n';

interface Seen {
  readonly output: string;
  readonly exit: unknown;
  readonly observer: InvariantObserver;
}

async function observed(
  argv: readonly string[],
  options: Partial<SandboxOptions>,
  observer = new InvariantObserver(),
): Promise<Seen> {
  const openCpu = (cpuOptions: { memoryBytes: number }): Cpu => (observer.cpu = openUnicorn(cpuOptions));
  const [program = ''] = argv;
  const { output, exit } = await runGuest(program, {
    argv,
    env: ['PATH=/usr/bin:/bin', 'HOME=/', 'LC_ALL=C'],
    root: openHostDirectory('/', { writable: false }),
    observer,
    openCpu,
    ...options,
  });
  return { output, exit, observer };
}

describe.runIf(isLinux)('invariants in runs of programs', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-invariants-'));
    writeFileSync(join(folder, 'main.c'), SOURCE);
    for (const name of ['futexes', 'signals', 'processes']) {
      if (hasCompiler('gcc')) compile('gcc', name, join(folder, name), []);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const bash = 'for i in $(seq 20); do echo $i; done | sort -r | head -3; x=$(echo hi | tr a-z A-Z); echo $x & wait';
  const gcc = 'gcc -O1 -o /tmp/main "$0" && /tmp/main';
  const programs: readonly (readonly [name: string, needs: string, argv: () => readonly string[], output: RegExp])[] = [
    ['a pipeline of bash', '/bin/bash', () => ['/bin/bash', '-c', bash], /^9\n8\n7\nHI\n$/],
    ['threads and a child of python3', '/usr/bin/python3', () => ['/usr/bin/python3', '-c', THREADS], /^15 b'child/],
    ['gcc', '/usr/bin/gcc', () => ['/bin/bash', '-c', gcc, join(folder, 'main.c')], /^compiled\n$/],
    ['threads at futexes', '/usr/bin/gcc', () => [join(folder, 'futexes')], /./],
    ['signals', '/usr/bin/gcc', () => [join(folder, 'signals')], /./],
    ['processes', '/usr/bin/gcc', () => [join(folder, 'processes')], /./],
  ];

  for (const patch of ['upstream', 'hardened'] as const) {
    for (const [name, needs, argv, output] of programs) {
      it.runIf(existsSync(needs))(`hold all the time: ${name}, ${patch}`, async () => {
        const seen = await observed(argv(), { patch });
        expect(seen.output).toMatch(output);
        expect(seen.observer.violations).toEqual([]);
      });
    }
  }

  it.runIf(existsSync('/usr/bin/strace'))('hold all the time: a tracer and what it traces', async () => {
    const argv = ['/usr/bin/strace', '-f', '-o', '/dev/null', '/bin/sh', '-c', 'echo a | cat'];
    const { observer, exit } = await observed(argv, { patch: 'hardened' });
    expect(exit).toEqual({ code: 0 });
    expect(observer.violations).toEqual([]);
  });

  it('are looked at all the time, but for what few runs come to', async () => {
    const seen = await observed(['/bin/bash', '-c', bash], { patch: 'upstream' });
    const missed = INVARIANTS.map((i) => i.number).filter((number) => seen.observer.checks[number] === 0);
    // These want an interruption at one of a few instructions, or a fault, a restart or a signal at a site.
    const rare = [18, 20, 22, 29, 32, 34, 35, 36, 37, 38, 39, 40, 46];
    expect(missed.filter((number) => !rare.includes(number))).toEqual([]);
  });

  it.each(['upstream', 'hardened'] as const)(
    'are seen broken when a byte of one child’s slot changes, %s',
    async (patch) => {
      const observer = new InvariantObserver();
      const look = observer.onStep.bind(observer);
      const spaces = new Set<object>();
      observer.onStep = (traps, step, result) => {
        look(traps, step, result);
        spaces.add(traps);
        if (step.op !== 'store' || step.what !== 'slot' || spaces.size !== 3) return;
        const at = step.addr + step.bytes.length - 1;
        traps.mm.copyOut(at, Uint8Array.of((step.bytes.at(-1) ?? 0) ^ 1), true);
      };
      await observed(['/bin/bash', '-c', bash], { patch }, observer);
      expect(spaces.size).toBeGreaterThan(3);
      expect(observer.broken).toContain(14);
    },
  );
});
