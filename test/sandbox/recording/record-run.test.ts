// SPDX-License-Identifier: MIT
//
// What is recorded of real runs: the same run as without a recorder, complete in what it promises, and walked back to
// the state that the guest itself has seen.

import { describe, expect, it } from 'vitest';
import { fromHex, fromLatin1, toHex } from '../../../src/base/bytes.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { RecordingCursor } from '../../../src/trace/recording/cursor.ts';
import type { RunRecording, Step, StepKind } from '../../../src/trace/recording/format.ts';
import { parseRecordings } from '../../../src/trace/recording/parse.ts';
import { patchedBytes } from '../../../src/usertrap/layout.ts';
import { record, runPlain } from './recorded.ts';
import type { Settings } from './recorded.ts';

function kinds(recording: RunRecording): StepKind[] {
  return recording.steps.map((step) => step.kind);
}

/** Moment behind the first step that is asked for. */
function after(recording: RunRecording, test: (step: Step) => boolean, from = 0): number {
  const index = recording.steps.findIndex((step, i) => i >= from && test(step));
  expect(index).toBeGreaterThanOrEqual(from);
  return index + 1;
}

function outputOf(recording: RunRecording): string {
  return fromLatin1(fromHex(recording.output.map(({ bytes }) => bytes).join('')));
}

/** Instructions that a recording accounts for. */
function accounted(recording: RunRecording): number {
  let count = 0;
  for (const { kind, data } of recording.steps) {
    if (kind === 'instruction') count++;
    if (kind === 'skip') count += Number(data?.['instructions']);
  }
  return count;
}

const MODES: readonly Settings[] = [
  { patch: 'hardened' },
  { patch: 'upstream' },
  { patch: 'off' },
  { patch: 'upstream', upstream: '2023-02' },
];

describe('a recorded run', () => {
  it.each(['lesson-getpid', 'g11-threads-fresh-site', 'fork-wait', 'signal-basic', 'g23-jit', 'g26-own-gs'])(
    'of %s is the run that it is without a recorder',
    async (name) => {
      for (const mode of MODES.slice(0, 2)) {
        const { recording, result, output } = await record(name, { ...mode, steps: 3000 });
        const plain = await runPlain(name, mode);
        const { wallMs: _a, ...figures } = result.metrics;
        const { wallMs: _b, ...expected } = plain.result.metrics;
        expect(figures).toEqual(expected);
        expect(result.exit).toEqual(plain.result.exit);
        expect(output).toBe(plain.output);
        expect(recording.run.exit).toEqual(result.exit);
      }
    },
  );

  it('is the same text each time', async () => {
    const first = await record('fork-wait', { steps: 5000 });
    const second = await record('fork-wait', { steps: 5000 });
    expect(JSON.stringify(second.recording)).toBe(JSON.stringify(first.recording));
  });

  it.each([
    ['fork-wait', 3],
    ['g27-single-step', 3],
    ['g27-single-step', 7],
    ['signal-storm', 5],
    ['g11-threads-fresh-site', 4],
    ['d3-shared-tail', 3],
  ])('of %s does not depend on when the host interrupts: every %i steps', async (name, every) => {
    const interrupting: Settings['openCpu'] = (machine) => {
      const cpu = openUnicorn(machine);
      const step = cpu.step.bind(cpu);
      const run = cpu.run.bind(cpu);
      let count = 0;
      const mayInterrupt = (): void => {
        if (++count % every === 0) cpu.interrupt();
      };
      cpu.step = (view) => {
        mayInterrupt();
        return step(view);
      };
      cpu.run = (budget) => {
        mayInterrupt();
        return run(budget);
      };
      return cpu;
    };
    for (const patch of ['hardened', 'upstream'] as const) {
      const quiet = await record(name, { patch, steps: 4000 });
      const disturbed = await record(name, { patch, steps: 4000, openCpu: interrupting });
      expect(disturbed.recording.steps).toEqual(quiet.recording.steps);
      expect(JSON.stringify(disturbed.recording) === JSON.stringify(quiet.recording)).toBe(true);
    }
  });

  it.each(MODES)('is one that the reader accepts, and accounts for every instruction: %o', async (mode) => {
    for (const name of ['lesson-getpid', 'hello', 'g11-threads-fresh-site', 'fault-uncaught', 'g20-wide-number']) {
      for (const everyInstruction of [true, false]) {
        const { recording, result } = await record(name, { ...mode, everyInstruction, steps: 100_000 });
        expect(parseRecordings(JSON.stringify(recording))).toEqual([recording]);
        if (recording.leftOut.every(({ what }) => what !== 'steps')) {
          const rest = result.metrics.instructions - accounted(recording);
          // What runs after the last thing that is told: nothing but the way to the end.
          expect(rest).toBeGreaterThanOrEqual(0);
          expect(rest).toBeLessThan(50);
        }
      }
    }
  });

  it('tells the trap, each store, and the first call through slot and stub', async () => {
    const { recording } = await record('lesson-getpid', { everyInstruction: true });
    const cursor = new RecordingCursor(recording);
    const trap = after(recording, ({ kind }) => kind === 'trap');
    const patched = after(recording, ({ kind }) => kind === 'patched', trap);
    const call = after(recording, ({ kind }) => kind === 'call', patched);
    const contents = new Set<string>();
    for (let at = 0; at <= cursor.length; at++) {
      const bytes = cursor.siteBytes(0, cursor.at(at));
      if (bytes !== null) contents.add(toHex(bytes.subarray(0, 7)));
    }
    const patchedSite = toHex(patchedBytes(recording.run.patched[0]?.slot ?? 0));
    expect([...contents]).toEqual([
      'b8270000000f05',
      'b8270000000605',
      `b8${patchedSite.slice(2, 10)}0605`,
      `b8${patchedSite.slice(2)}`,
      patchedSite,
    ]);
    // Every entry offset of every content has its decode.
    for (let at = 0; at <= cursor.length; at++) {
      const bytes = cursor.siteBytes(0, cursor.at(at));
      expect(cursor.decode(0, bytes ?? '')?.entries.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    }
    const places = recording.steps.slice(patched, call).flatMap(({ place }) => place ?? []);
    expect(new Set(places)).toEqual(new Set(['program', 'site', 'slot', 'stub']));
    const back = recording.steps.slice(call).find(({ place }) => place === 'program');
    expect(back?.rip).toBe((recording.sites[0]?.address ?? 0) + 7);
  });

  it('has the state that the guest itself sees', async () => {
    // It prints its site's address, and the seven bytes before and after the call.
    const { recording, output } = await record('show-site', { everyInstruction: true });
    const seen = Uint8Array.from(output, (c) => c.charCodeAt(0));
    const address = Number(new DataView(seen.buffer).getBigUint64(0, true));
    const site = recording.sites.findIndex((known) => known.address === address);
    const cursor = new RecordingCursor(recording);
    expect(toHex(cursor.siteBytes(site, cursor.at(0))?.subarray(0, 7) ?? new Uint8Array(0))).toBe(
      toHex(seen.slice(8, 15)),
    );
    expect(toHex(cursor.siteBytes(site, cursor.at(cursor.length))?.subarray(0, 7) ?? new Uint8Array(0))).toBe(
      toHex(seen.slice(15, 22)),
    );
  });

  it('has registers that follow from each instruction', async () => {
    // mov $5,%ebx; push %rbx; add $2,(%rsp); pop %rcx; exit(rcx)
    const code = fromHex('bb05000000 53 4883042402 59 89cf b83c000000 0f05');
    const { recording, result } = await record(code, { everyInstruction: true });
    expect(result.exit).toEqual({ code: 7 });
    const cursor = new RecordingCursor(recording);
    const values = recording.steps.slice(0, 5).map((step, i) => {
      const { regs } = cursor.at(i + 1).actors[1] ?? { regs: undefined };
      return [cursor.text(step.text), regs?.rbx, regs?.rcx, step.stores?.map(({ bytes }) => bytes) ?? []];
    });
    expect(values).toEqual([
      ['mov $0x5,%ebx', '5', '0', []],
      ['push %rbx', '5', '0', ['0500000000000000']],
      ['addq $0x2,(%rsp)', '5', '0', ['0700000000000000']],
      ['pop %rcx', '5', '7', []],
      ['mov %ecx,%edi', '5', '7', []],
    ]);
  });

  it('opens a window for the first call through a slot, long after the start', async () => {
    // 3000 rounds of dec/jnz, then getpid three times from one site, then exit.
    const code = fromHex('bbb80b0000 ffcb 75fc bb03000000 b827000000 0f05 ffcb 75f5 31ff b83c000000 0f05');
    const { recording } = await record(code, { steps: 500 });
    expect(kinds(recording).filter((kind) => kind === 'skip').length).toBeGreaterThan(0);
    const calls = recording.steps.flatMap(({ kind }, i) => (kind === 'call' ? [i] : []));
    expect(calls.length).toBe(2);
    const window = recording.steps.slice(0, calls[0]).flatMap(({ place }) => place ?? []);
    expect(window.filter((place) => place === 'slot').length).toBeGreaterThanOrEqual(7);
    expect(window.filter((place) => place === 'stub').length).toBeGreaterThanOrEqual(1);
    // The second one is told as one step.
    expect(recording.steps.slice((calls[0] ?? 0) + 12, calls[1]).every(({ place }) => place !== 'slot')).toBe(true);
  });

  it('says when it is full, and the run goes on', async () => {
    const { recording, result } = await record('getpid-loop', { steps: 200 });
    expect(result.exit).toEqual({ code: 0 });
    expect(recording.steps.length).toBe(200);
    expect(recording.run.syscalls).toBe(result.metrics.syscalls);
    expect(recording.leftOut.find(({ what }) => what === 'steps')?.count).toBeGreaterThan(100_000);
    parseRecordings(JSON.stringify(recording));
  });

  it('tells calls as strace does, and what was written, when it was written', async () => {
    const { recording, output } = await record('hello');
    expect(recording.calls.map(({ enter, exit }) => enter + exit)).toEqual([
      'write(1, "hello from a guest\\n", 19) = 19',
      'exit_group(0) = ?',
    ]);
    expect(outputOf(recording)).toBe(output);
    const [written] = recording.output;
    expect(recording.steps[(written?.at ?? 0) - 1]?.data?.['name'] ?? 'write').toBe('write');
    const cursor = new RecordingCursor(recording);
    const [call] = recording.calls;
    if (call === undefined) throw new Error('no call');
    expect(cursor.callText(call, call.at)).toBe('write(1, "hello from a guest\\n", 19');
    expect(cursor.callText(call, call.end ?? 0)).toBe('write(1, "hello from a guest\\n", 19) = 19');
  });

  it('has a lane for each task, with its states', async () => {
    const { recording } = await record('fork-wait', { steps: 5000 });
    const cursor = new RecordingCursor(recording);
    const tasks = recording.actors.filter(({ role }) => role === 'task');
    expect(tasks.length).toBe(recording.run.tasks);
    expect(cursor.at(0).actors.map(({ state }) => state)).toEqual([
      'kernel',
      'user',
      ...tasks.slice(1).map(() => 'unborn' as const),
    ]);
    expect(
      cursor
        .at(cursor.length)
        .actors.slice(1)
        .every(({ state }) => state === 'ended'),
    ).toBe(true);
    expect(kinds(recording)).toContain('block');
    // A child's site is where its parent's is, in a space of its own.
    const spaces = new Set(recording.sites.map(({ space }) => space));
    expect(spaces.size).toBeGreaterThan(1);
  });

  it('shows the other tasks of a space standing still while a site is patched', async () => {
    const { recording } = await record('g11-threads-fresh-site', { patch: 'hardened', steps: 10_000 });
    const cursor = new RecordingCursor(recording);
    let stopped = 0;
    for (const [i, { kind, changes }] of recording.steps.entries()) {
      if (kind !== 'stop') continue;
      const resume = recording.steps.findIndex((step, k) => k > i && step.kind === 'resume');
      for (const { actor = 0 } of changes ?? []) {
        expect(cursor.at(i).actors[actor]?.state).toBe('user');
        expect(cursor.at(resume).actors[actor]?.state).toBe('stopped');
        expect(cursor.at(resume + 1).actors[actor]?.state).toBe('user');
        stopped++;
      }
    }
    expect(stopped).toBeGreaterThan(10);
  });

  it('tells a refused site with its rule', async () => {
    const { recording } = await record('g13-page-split', { patch: 'hardened' });
    const rules = recording.events.flatMap(({ kind, data }) => (kind === 'refused' ? [data?.['rule']] : []));
    expect(rules).toContain('page-split');
  });

  it('tells a task that runs into the guard and is sent on', async () => {
    const { recording, result } = await record('fault-guard-byte', { patch: 'upstream', everyInstruction: true });
    const recovered = recording.steps.filter(({ kind }) => kind === 'recover');
    expect(recovered.length).toBeGreaterThanOrEqual(result.metrics.restarted);
    for (const { rip, text } of recording.steps.filter(({ kind }) => kind === 'fault')) {
      expect(rip).toBeGreaterThan(0);
      expect(text).toBeDefined();
    }
  });

  it('costs what its calls cost by the model, no more', async () => {
    const { recording, result } = await record('lesson-getpid', { everyInstruction: true });
    const cursor = new RecordingCursor(recording);
    const costs = cursor.at(cursor.length).costs;
    const expected = result.metrics.estimates.bases.map(({ asRun }) => asRun);
    expect(costs.map((range) => range.map(Math.round))).toEqual(expected.map((range) => [...range]));
  });

  it('of a limit that ends the run has all up to it', async () => {
    const { recording, result } = await record('loop-forever', { maxInstructions: 50_000, steps: 1000 });
    expect(result.ended).toBe('budget');
    expect(recording.run.ended).toBe('budget');
    parseRecordings(JSON.stringify(recording));
  });

  it('keeps what the guest chose out of everything but texts and bytes', async () => {
    // write(2, "</script>\u2028", 12), then exit
    const code = fromHex(
      'bf02000000 488d3515000000 ba0c000000 b801000000 0f05 31ff b83c000000 0f05 3c2f7363726970743ee280a8',
    );
    const { recording, output } = await record(code);
    expect(output.startsWith('</script>')).toBe(true);
    expect(outputOf(recording)).toBe(output);
    expect(recording.calls[0]?.enter).toContain('</script>');
  });
});
