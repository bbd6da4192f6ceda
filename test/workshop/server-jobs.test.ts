// SPDX-License-Identifier: MIT
//
// Jobs of students on a real server: results, limits, hostile guests, workers that die, many at once, places in the queue.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobState, RaceOutcome, RunOutcome, ScheduleOutcome } from '../../src/workshop/api.ts';
import { ServerProcess, Student } from './server-process.ts';

const HELLO = { kind: 'run', code: { guest: 'hello' }, mode: 'hardened' };
/** Takes until its time is over: many states. */
const LONG_RACE = { kind: 'race', scenario: 'patch-vs-exec', model: 'stale', threads: 3, granule: 1 };

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start('--workers', '2', '--job-seconds', '5', '--log-level', 'debug');
});
afterAll(async () => {
  await server.stop('SIGKILL');
});

function outcomeOf<T>(state: JobState): T {
  if (state.state !== 'done') throw new Error(JSON.stringify(state));
  return state.outcome as T;
}

async function run(job: unknown): Promise<RunOutcome> {
  return outcomeOf<RunOutcome>(await (await Student.arrive(server)).run(job));
}

describe('jobs', () => {
  it('run a guest of the package and give its output and figures', async () => {
    const outcome = await run(HELLO);
    expect(outcome).toMatchObject({ kind: 'run', exit: { code: 0 }, output: 'hello from a guest\n' });
    expect(outcome.metrics).toMatchObject({ mode: 'hardened', syscalls: 2, instructions: 11 });
    expect(outcome.metrics).not.toHaveProperty('wallMs');
  });

  it("run a student's assembly and machine code alike", async () => {
    const asm = 'mov $39, %eax\nsyscall\nmov $60, %eax\nmov $7, %edi\nsyscall\n';
    const bytes = 'b8 27 00 00 00 0f 05 b8 3c 00 00 00 bf 07 00 00 00 0f 05';
    const [first, second] = [await run({ ...HELLO, code: { asm } }), await run({ ...HELLO, code: { bytes } })];
    expect(first.exit).toEqual({ code: 7 });
    expect(second).toEqual(first);
  });

  it('say where the assembler does not follow', async () => {
    const state = await (await Student.arrive(server)).run({ ...HELLO, code: { asm: 'nop\nmov $39, %exa\n' } });
    expect(state).toMatchObject({ state: 'failed', reason: 'code', line: 2 });
  });

  it('refuse names that are not there, with what is', async () => {
    const student = await Student.arrive(server);
    for (const job of [
      { ...HELLO, code: { guest: '../../package' } },
      { ...HELLO, upstream: '1999' },
      { ...HELLO, guards: { noSuchGuard: true } },
      { kind: 'race', scenario: 'no-such-scenario' },
      { kind: 'race', scenario: 'patch-vs-exec', model: 'no-such-model' },
      { kind: 'schedule', token: 'xr9;nothing' },
      { ...HELLO, code: { bytes: 'abc' } },
    ]) {
      const state = await student.run(job);
      expect(state, JSON.stringify(job)).toMatchObject({ state: 'failed' });
      if (state.state === 'failed') expect(state.reason).toMatch(/^(request|code)$/);
    }
  });

  it('explore a race and give each way to fail as a recording', async () => {
    const state = await (
      await Student.arrive(server)
    ).run({ kind: 'race', scenario: 'patch-vs-exec', protocol: 'acb' });
    const outcome = outcomeOf<RaceOutcome>(state);
    expect(outcome.verdict).toBe('fails');
    expect(outcome.text).toMatch(/^FAIL {2}patch-vs-exec/);
    if (state.state !== 'done') return;
    expect(state.recordings.length).toBeGreaterThan(1);
    expect(state.recordings[0]).toMatchObject({ format: 'trapline-recording', kind: 'race' });
  });

  it('replay a schedule whose steps somebody moved', async () => {
    const student = await Student.arrive(server);
    const race = outcomeOf<RaceOutcome>(
      await student.run({ kind: 'race', scenario: 'patch-vs-exec', protocol: 'acb' }),
    );
    const { token } = (race.json as { failures: { token: string }[] }).failures[0] ?? { token: '' };
    const steps = [
      { actor: 'T0', name: 'X' },
      { actor: 'P', name: 'lock' },
    ];
    const moved = outcomeOf<ScheduleOutcome>(await student.run({ kind: 'schedule', token, steps }));
    expect(moved).toMatchObject({ kind: 'schedule', outcome: 'passed', failure: null });
    expect(moved.token).toMatch(/^xr1;/);
    const same = outcomeOf<ScheduleOutcome>(await student.run({ kind: 'schedule', token }));
    expect(same).toMatchObject({ outcome: 'failed', problem: null, skipped: 0 });
  });

  it('compare the patch modes', async () => {
    const state = await (await Student.arrive(server)).run({ kind: 'check', code: { guest: 'd3-shared-tail' } });
    expect(outcomeOf<{ verdict: string }>(state)).toMatchObject({ verdict: 'differs' });
  });
});

describe('hostile guests', () => {
  it.each([
    ['loops for ever', 'loop-forever', /limit here.*loop/],
    ['floods its output', 'write-endlessly', /wrote more than 65536 bytes/],
  ])('one that %s is ended with a sentence', async (_what, guest, sentence) => {
    // Few enough that no machine is too busy to get there in a job's time.
    const outcome = await run({ ...HELLO, code: { guest }, limits: { instructions: 1_000_000 } });
    expect(outcome.sentence).toMatch(sentence);
    expect(outcome.output.length).toBeLessThanOrEqual(65_536);
  });

  it.each(['fault-uncaught', 'fault-privileged', 'fault-invalid-opcode'])('%s ends by its signal', async (guest) => {
    const outcome = await run({ ...HELLO, code: { guest } });
    expect('signal' in outcome.exit ? outcome.sentence : '').toMatch(/^The signal SIG\w+ ended the program after/);
  });

  it.each(['map-everything', 'fork-bomb', 'thread-bomb', 'reserve-address-space'])(
    '%s ends, and the server answers',
    async (guest) => {
      const state = await (await Student.arrive(server)).run({ ...HELLO, code: { guest } });
      expect(['done', 'failed']).toContain(state.state);
      expect((await run(HELLO)).output).toBe('hello from a guest\n');
    },
  );

  it('an exploration that is too large ends as incomplete, or with a sentence', async () => {
    const state = await (await Student.arrive(server)).run({ ...LONG_RACE, threads: 6 });
    if (state.state === 'done') expect(state.outcome).toMatchObject({ kind: 'race' });
    else expect(state.sentence).toMatch(/\w+ .*\.$/);
  });
});

// Workers that stand still hold jobs where a test needs them.
describe.runIf(process.platform === 'linux')('one student', () => {
  it('has one job at a time', async () => {
    const student = await Student.arrive(server);
    await server.signalWorkers('SIGSTOP');
    const { id } = await student.submit(HELLO);
    const second = await student.post('/api/jobs', HELLO);
    await server.signalWorkers('SIGCONT');
    expect(second.status).toBe(429);
    expect(await second.json()).toMatchObject({ reason: 'busy' });
    await student.result(id);
    expect((await student.post('/api/jobs', HELLO)).status).toBe(202);
  });

  it("sees no other student's job, and cannot end it", async () => {
    const [owner, other] = [await Student.arrive(server), await Student.arrive(server)];
    const { id } = await owner.submit(HELLO);
    expect((await other.request(`/api/jobs/${id}`)).status).toBe(404);
    expect((await other.request(`/api/jobs/${id}`, { method: 'DELETE' })).status).toBe(404);
    expect(await owner.result(id)).toMatchObject({ state: 'done' });
  });

  it('can take a job back that waits', async () => {
    await server.signalWorkers('SIGSTOP');
    const busy = await Promise.all([Student.arrive(server), Student.arrive(server)]);
    const running = await Promise.all(busy.map((student) => student.submit(HELLO)));
    const student = await Student.arrive(server);
    const { id, position } = await student.submit(HELLO);
    expect(position).toBe(1);
    const taken = await student.request(`/api/jobs/${id}`, { method: 'DELETE' });
    expect(await taken.json()).toMatchObject({ state: 'failed', sentence: expect.stringContaining('taken back') });
    await server.signalWorkers('SIGCONT');
    await Promise.all(busy.map((one, index) => one.result(running[index]?.id ?? '')));
  });

  it('without a cookie gets none of its own jobs mixed up: it is told to allow cookies', async () => {
    const response = await fetch(`${server.url}/api/jobs`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(HELLO),
    });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ sentence: expect.stringContaining('cookie') as string });
  });
});

describe('the queue', () => {
  it('serves forty at once, and tells places that only become smaller', async () => {
    const students = await Promise.all(Array.from({ length: 40 }, () => Student.arrive(server)));
    const results = await Promise.all(
      students.map(async (student) => {
        const { id, position } = await student.submit(HELLO);
        let last = position === 0 ? 0 : position;
        for (;;) {
          const state = await student.state(id, 10);
          if (state.state === 'queued') {
            expect(state.position).toBeLessThanOrEqual(last);
            last = state.position;
          } else if (state.state !== 'running') return state;
        }
      }),
    );
    expect(results.filter((state) => state.state === 'done')).toHaveLength(40);
  });

  it('never gives all workers to long jobs', async () => {
    const slow = await Promise.all(Array.from({ length: 3 }, () => Student.arrive(server)));
    const jobs = await Promise.all(slow.map((student) => student.submit(LONG_RACE)));
    const quick = await run(HELLO);
    expect(quick.exit).toEqual({ code: 0 });
    const states = await Promise.all(slow.map((student, index) => student.state(jobs[index]?.id ?? '')));
    expect(states.filter((state) => state.state === 'running').length).toBeLessThanOrEqual(1);
    await Promise.all(slow.map((student, index) => student.result(jobs[index]?.id ?? '')));
  });
});

describe.runIf(process.platform === 'linux')('a worker that is killed', () => {
  it('in the middle of a job ends that job with a sentence and is replaced; the other goes on', async () => {
    const [first, second] = [await Student.arrive(server), await Student.arrive(server)];
    await server.signalWorkers('SIGSTOP');
    const jobs = [await first.submit(HELLO), await second.submit(HELLO)] as const;
    const workers = await server.workers();
    expect(workers).toHaveLength(2);
    process.kill(workers[0] ?? 0, 'SIGKILL');
    process.kill(workers[1] ?? 0, 'SIGCONT');
    const states = await Promise.all([first.result(jobs[0].id), second.result(jobs[1].id)]);
    const failed = states.filter((state) => state.state === 'failed');
    expect(failed).toMatchObject([
      { reason: 'crash', sentence: expect.stringContaining('another has taken its place') },
    ]);
    expect(states.filter((state) => state.state === 'done')).toHaveLength(1);
    for (let i = 0; i < 4; i++) expect((await run(HELLO)).exit).toEqual({ code: 0 });
    const now = await server.workers();
    expect(now).toHaveLength(2);
    expect(now).not.toContain(workers[0]);
  });

  it('that hangs is ended after its time and is replaced', async () => {
    const student = await Student.arrive(server);
    await server.signalWorkers('SIGSTOP');
    const { id } = await student.submit(HELLO);
    const state = await student.result(id);
    expect(state).toMatchObject({ state: 'failed', reason: 'limit', sentence: expect.stringMatching(/longer than/) });
    await server.signalWorkers('SIGCONT');
    expect((await run(HELLO)).exit).toEqual({ code: 0 });
  });
});
