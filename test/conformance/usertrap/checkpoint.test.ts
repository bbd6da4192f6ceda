// SPDX-License-Identifier: MIT
//
// Scenarios 29 and 30: a program that is saved at its site, between its instructions, behind it and at its slot; and slots
// that another version has written.

import { describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import { TraplineError } from '../../../src/base/errors.ts';
import { codeLine as line, linkCode } from '../../../src/isa/machine-code.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { nodeHost } from '../../../src/sandbox/host-node/index.ts';
import { Sandbox } from '../../../src/sandbox/sandbox.ts';
import type { RestoreOptions, RunResult } from '../../../src/sandbox/sandbox.ts';
import { TABLE_NAME, trapAddress, trapBytes } from '../../../src/usertrap/layout.ts';
import { upstreamVersion } from '../../../src/usertrap/versions.ts';
import { directoryWith, elfOf } from '../../kernel/code-guest.ts';
import { goOn, runTaking } from '../../sandbox/checkpoint/continuations.ts';
import type { ProgramOptions } from '../../sandbox/checkpoint/continuations.ts';

const SITE = 0x401005;
/** Instructions after which the first call has been made, and not the second. */
const FIRST_CALL = 5;
/** Two calls at one site, a third by a jump to its second instruction, then the end. */
const PROGRAM = linkCode([
  line('bd 02 00 00 00', 'mov $2,%ebp'),
  line('b8 27 00 00 00', 'mov $39,%eax', { label: 'site' }),
  line('0f 05', 'syscall', { label: 'tail' }),
  line('ff cd', 'dec %ebp'),
  line('7f', 'jg', { jump: { to: 'site', size: 1 } }),
  line('7c', 'jl', { jump: { to: 'done', size: 1 } }),
  line('b8 27 00 00 00', 'mov $39,%eax'),
  line('eb', 'jmp', { jump: { to: 'tail', size: 1 } }),
  line('31 ff', 'xor %edi,%edi', { label: 'done' }),
  line('b8 e7 00 00 00 0f 05', 'exit_group'),
]).bytes;

function options(patch: 'upstream' | 'hardened'): ProgramOptions {
  return {
    program: '/guest',
    programFile: { directory: directoryWith('guest', elfOf(PROGRAM)), entry: 'guest' },
    patch,
    memoryBytes: 16 * 2 ** 20,
    timeoutSec: 600,
  };
}

/** Where a task is, in words. */
function place(rip: number): string {
  if (rip >= 0x60000 && rip < 0x70000) return 'A+8';
  const offset = rip - SITE;
  return offset === 0 ? 'S' : offset === 5 || offset === 7 ? `S+${offset}` : 'elsewhere';
}

describe.each(['upstream', 'hardened'] as const)('29 restore, %s', (patch) => {
  it('a program that is saved anywhere around its site goes on as if nothing had been', async () => {
    const { outcome: plain } = await runTaking(options(patch), []);
    const points = Array.from({ length: 300 }, (_, i) => i + 1);
    const { outcome, taken } = await runTaking(options(patch), points);
    expect(outcome).toEqual(plain);
    const places = new Map(taken.map((t) => [t.rips.map(place).join(), t]));
    const expected = patch === 'upstream' ? ['A+8', 'S', 'S+5', 'S+7'] : ['S', 'S+5', 'S+7'];
    expect([...places.keys()].filter((where) => where !== 'elsewhere').toSorted()).toEqual(expected);
    for (const [where, each] of places) expect(await goOn(each, options(patch)), where).toEqual(plain);
  });
});

/** The machine as it is after the first call, with a slot that stores the state 3 to gs:0x34, as those of early 2023 do. */
function savedWithOldSlots(patch: 'upstream' | 'hardened'): Promise<Uint8Array> {
  return savedWith(patch, 1, (slot) => trapBytes(slot, SITE + 7, 39, upstreamVersion('2023-02')));
}

/** The machine as it is after the first call, with other bytes in an entry of the table. */
function savedWith(
  patch: 'upstream' | 'hardened',
  index: number,
  bytes: (entry: number) => Uint8Array,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const host = nodeHost();
    const sandbox = Sandbox.create({ ...options(patch), host, openCpu: openUnicorn });
    sandbox.checkpointAt(FIRST_CALL, () => {
      try {
        const [task] = [...sandbox.kernel.groups.values()].flatMap((group) => group.tasks);
        const table = task?.mm.findVmaByName(TABLE_NAME)?.start ?? 0;
        const entry = trapAddress(table, index);
        const body = bytes(entry);
        expect(task?.mm.copyOut(entry, body, true)).toBe(body.length);
        resolve(sandbox.save());
      } catch (error) {
        reject(error as Error);
      }
      sandbox.stop();
    });
    void sandbox.run().finally(() => {
      sandbox.dispose();
      host.dispose();
    });
  });
}

async function restored(file: Uint8Array, options: Partial<RestoreOptions> = {}): Promise<RunResult> {
  const host = nodeHost();
  const sandbox = Sandbox.restore(file, { host, openCpu: openUnicorn, timeoutSec: 600, ...options });
  try {
    return await sandbox.run();
  } finally {
    sandbox.dispose();
    host.dispose();
  }
}

describe('29 restore, the next slot', () => {
  it.each([
    ['upstream', 100],
    ['hardened', 2],
  ] as const)('%s: after a header of 100 it is slot %i', async (patch, index) => {
    const file = await savedWith(patch, 0, () => Uint8Array.of(100, 0, 0, 0));
    const { exit, metrics } = await restored(file);
    expect(exit).toEqual({ code: 0 });
    // Of exit_group; the first call's site is slot 1.
    const slots = metrics.sites.map(({ slot }) => Number(slot));
    expect((slots.at(-1) ?? 0) - Math.floor((slots[0] ?? 0) / 4096) * 4096).toBe(80 * index);
  });
});

describe('a machine that is restored with patching disabled', () => {
  const disabled = { disablePatching: true };

  it('goes through the slots that it has, and is recovered at its guards', async () => {
    const { outcome, taken } = await runTaking(options('upstream'), [FIRST_CALL]);
    const { exit, metrics } = await restored(taken[0]?.file ?? new Uint8Array(0), disabled);
    expect(exit).toEqual({ code: 0 });
    const { trapped, patchedCalls, restarted } = outcome.metrics;
    expect(metrics).toMatchObject({ trapped, patchedCalls, restarted });
    expect([outcome.metrics.sites.length, metrics.sites.length]).toEqual([2, 1]);
  });

  it('patches nothing that was not patched', async () => {
    const { exit, metrics } = (await runTaking({ ...options('upstream'), ...disabled }, [])).outcome;
    expect([exit, metrics.patchedCalls, metrics.sites]).toEqual([{ code: 0 }, 0, []]);
  });
});

describe('a machine that is restored under a platform without stubs', () => {
  const elsewhere = { patch: 'off' } as const;

  it('upstream: its sites jump to slots that store through a GS base of 0', async () => {
    const { taken } = await runTaking(options('upstream'), [FIRST_CALL]);
    const { exit, crash } = await restored(taken[0]?.file ?? new Uint8Array(0), elsewhere);
    expect(exit).toEqual({ signal: 11 });
    expect(crash).toMatchObject({ signo: 11, faultAddress: 0x2cn });
  });

  it('hardened: its sites have their own bytes again, and every call traps', async () => {
    const { outcome, taken } = await runTaking(options('hardened'), [FIRST_CALL]);
    const { exit, metrics } = await restored(taken[0]?.file ?? new Uint8Array(0), elsewhere);
    expect([exit, metrics.mode, metrics.patchedCalls]).toEqual([{ code: 0 }, 'off', 0]);
    expect(metrics.syscalls).toBe(outcome.metrics.syscalls);
  });

  it('can be saved and restored again as what it is now', async () => {
    const { taken } = await runTaking(options('hardened'), [FIRST_CALL]);
    const host = nodeHost();
    const file = taken[0]?.file ?? new Uint8Array(0);
    const sandbox = Sandbox.restore(file, { host, openCpu: openUnicorn, timeoutSec: 600, ...elsewhere });
    const again = sandbox.save();
    sandbox.dispose();
    host.dispose();
    const { exit, metrics } = await restored(again);
    expect([exit, metrics.mode, metrics.patchedCalls]).toEqual([{ code: 0 }, 'off', 0]);
  });
});

describe('30 restore-abi-drift', () => {
  it('upstream: slots that a stub of 2023 has written go on storing its state, and the program dies of it', async () => {
    // What is at gs:0x34 now is the upper half of the pointer to the context, which the syshandler then writes through.
    expect((await restored(await savedWithOldSlots('upstream'))).exit).toEqual({ signal: 11 });
  });

  it('hardened: they are written again, and the program goes on through them', async () => {
    const { exit, metrics } = await restored(await savedWithOldSlots('hardened'));
    expect(exit).toEqual({ code: 0 });
    // Without the guard the calls come to a stub that is not prepared for them.
    const without = await restored(await savedWithOldSlots('hardened'), { guards: { renewSlots: false } });
    expect(without.metrics.patchedCalls).toBe(0);
    const { metrics: plain } = (await runTaking(options('hardened'), [])).outcome;
    expect(metrics).toMatchObject({
      syscalls: plain.syscalls,
      trapped: plain.trapped,
      patchedCalls: plain.patchedCalls,
    });
  });
});

describe.each(['upstream', 'hardened'] as const)('30 restore-abi-drift, %s', (patch) => {
  it('a file whose slots were changed is refused', async () => {
    const { taken } = await runTaking(options(patch), [30]);
    const [saved] = taken;
    expect(saved).toBeDefined();
    if (saved === undefined) return;
    const prep = '65c704252c00000002000000';
    const text = toHex(saved.file);
    const at = text.indexOf(prep);
    // Slots are in the file as they are in memory, or not at all.
    const file = saved.file.slice();
    const target = at < 0 ? Math.floor(file.length / 2) : at / 2 + 8;
    file[target] = (file[target] ?? 0) ^ 1;
    await expect(goOn({ ...saved, file }, options(patch))).rejects.toThrow(TraplineError);
  });
});
