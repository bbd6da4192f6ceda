// SPDX-License-Identifier: MIT
//
// C programs that go through a family of calls each, with the errors that its manual pages list, print the same lines
// here as on Linux, with both C libraries and in every mode.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

const FAMILIES = [
  'futex-pi',
  'identity-errors',
  'job-control',
  'memory-errors',
  'pids',
  'prctl-errors',
  'processes-errors',
  'rlimits-errors',
  'sched-attr',
  'scheduling-errors',
  'seccomp-bpf',
  'segment-bases',
  'signals-errors',
  'sigreturn-errors',
  'system-errors',
  'timers-errors',
];
const MODES = ['off', 'upstream', 'hardened'] as const;
/** gVisor refuses ARCH_SET_GS and ARCH_GET_GS, and so does upstream mode. */
const NOT_UPSTREAM = 'segment-bases';

for (const compiler of ['gcc', 'musl-gcc']) {
  describe.runIf(hasCompiler(compiler))(`families of calls, by ${compiler}`, () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'trapline-families-'));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    for (const name of FAMILIES) {
      describe(name, () => {
        let expected: Outcome;
        beforeAll(() => {
          const program = join(folder, name);
          compile(compiler, name, program);
          expected = runNatively(program);
        });

        // glibc's build meets every mode, musl's only the default: what differs between them is the library.
        it.each(
          compiler === 'gcc'
            ? MODES.filter((mode) => mode !== 'upstream' || name !== NOT_UPSTREAM)
            : ['hardened' as const],
        )('prints what Linux makes it print, with patching %s', async (patch) => {
          const { output, exit } = await runGuest(join(folder, name), { patch });
          expect({ output, exit }).toEqual(expected);
        });
      });
    }
  });
}

describe.runIf(hasCompiler('gcc') && process.getuid?.() === 0)('limits of priorities', () => {
  /** What sched(7) and getrlimit(2) promise, for a root that may not raise limits cannot try it. */
  const PROMISED = [
    'S(setpriority, PRIO_PROCESS, 0, -5): 0',
    'S(setpriority, PRIO_PROCESS, 0, -6): errno 13',
    'S(getpriority, PRIO_PROCESS, 0): 25',
    'S(setpriority, PRIO_PROCESS, 0, 4): 0',
    'S(sched_setscheduler, 0, SCHED_FIFO, &p): errno 1',
    'S(sched_setscheduler, 0, SCHED_FIFO, &p): 0',
    'S(sched_setparam, 0, &p): errno 1',
    'S(sched_setparam, 0, &p): 0',
    'S(sched_setscheduler, 0, SCHED_RR, &p): 0',
    'S(sched_setparam, 0, &p): 0',
    'set(RLIMIT_RTPRIO, 1, 5): 0',
    'S(sched_setparam, 0, &p): 0',
    'S(sched_setparam, 0, &p): 0',
    'S(sched_setparam, 0, &p): errno 1',
    'set(RLIMIT_RTPRIO, 0, 5): 0',
    'S(sched_setscheduler, 0, SCHED_RR, &p): 0',
    'S(sched_setscheduler, 0, SCHED_FIFO, &p): errno 1',
    'S(sched_setscheduler, 0, SCHED_IDLE, &p): 0',
    'S(sched_setscheduler, 0, SCHED_OTHER, &p): 0',
    'S(sched_setscheduler, 0, SCHED_RR, &p): errno 22',
    'set(RLIMIT_RTPRIO, 6, 6): errno 1',
    'set(RLIMIT_NICE, 26, 26): errno 1',
    'set(RLIMIT_NICE, 12, 25): 0',
    'S(setpriority, PRIO_PROCESS, 0, 3): errno 13',
    'S(setpriority, PRIO_PROCESS, 0, 8): 0',
    'S(setpriority, PRIO_PROCESS, 0, 9): 0',
    'S(setpriority, PRIO_PROCESS, 0, 8): 0',
    'S(setpriority, PRIO_PROCESS, 0, 7): errno 13',
    'S(sched_setscheduler, 0, SCHED_IDLE, &p): 0',
    'S(sched_setscheduler, 0, SCHED_OTHER, &p): 0',
    'S(setpriority, PRIO_PROCESS, 0, 15): 0',
    'S(sched_setscheduler, 0, SCHED_IDLE, &p): 0',
    'S(sched_setscheduler, 0, SCHED_BATCH, &p): 0',
    'set(RLIMIT_NICE, 100, 100): errno 1',
  ];

  it('let somebody without rights go as far as they say, and no further', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapline-families-'));
    try {
      const program = join(folder, 'priority-limits');
      compile('gcc', 'priority-limits', program);
      const native = runNatively(program).output.trimEnd().split('\n');
      if (native[0] !== 'limits are fixed') expect(native).toEqual(PROMISED);
      const { output, exit } = await runGuest(program, { uid: 0 });
      expect(output.trimEnd().split('\n')).toEqual(PROMISED);
      expect(exit).toEqual({ code: 0 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
