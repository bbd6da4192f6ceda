// SPDX-License-Identifier: MIT
//
// `run --trace FILE`: complete and readable however the run ends; FILE.ndjson holds the events as they are.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventKind } from '../../src/trace/events.ts';
import { readTraceFile } from '../../src/trace/trace-file.ts';
import { readTraceEvents } from '../report/trace-event-check.ts';
import { ended, guest, start, trapline } from './trapline.ts';

describe('--trace', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-trace-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('writes a file of processes, calls and arrows', () => {
    const file = join(folder, 'fork.json');
    expect(trapline(['run', '--trace', file, guest('fork-wait')]).status).toBe(0);
    const trace = readTraceEvents(readFileSync(file, 'utf8'));
    expect(new Set(trace.flows.map((flow) => flow.name))).toEqual(new Set(['start', 'exit', 'signal']));
    expect(trace.slices.filter((slice) => slice.name === 'wait4').length).toBeGreaterThan(0);
  });

  it.each([
    ['a limit of instructions', ['--max-instructions', '200000']],
    ['a timeout', ['--timeout', '3']],
  ])('is complete after %s', (_, options) => {
    const file = join(folder, 'cut.json');
    expect(trapline(['run', ...options, '--trace', file, guest('loop-forever')]).status).toBe(124);
    expect(readTraceEvents(readFileSync(file, 'utf8')).slices.length).toBeGreaterThan(0);
  });

  it('is complete after Ctrl-C', async () => {
    const file = join(folder, 'interrupted.json');
    const child = start(['run', '--strace', '--trace', file, guest('loop-forever')]);
    await new Promise((done) => child.stderr.once('data', done));
    child.kill('SIGINT');
    expect(await ended(child)).toBe(130);
    const trace = readTraceEvents(readFileSync(file, 'utf8'));
    expect(trace.instants.map((instant) => instant.name)).toContain('killed by SIGINT');
  });

  it.runIf(existsSync('/bin/bash'))('shows a pipeline of dynamic programs', () => {
    const file = join(folder, 'bash.json');
    const script = '{ sleep 0.01; for i in 3 1 2; do echo $i; done; } | sort | cat; kill -USR1 $$';
    const { status, stdout } = trapline(['run', '--root', '/', '--trace', file, '--', '/bin/bash', '-c', script]);
    expect({ status, stdout }).toEqual({ status: 128 + 10, stdout: '1\n2\n3\n' });
    const trace = readTraceEvents(readFileSync(file, 'utf8'));
    expect([...trace.processNames.values()]).toEqual(expect.arrayContaining(['bash', 'sort', 'cat', 'machine']));
    const flows = trace.flows.map(({ name, from, to }) => `${name} ${from.pid === to.pid ? 'here' : 'there'}`);
    expect(flows).toEqual(expect.arrayContaining(['start there', 'wake there', 'exit there', 'signal here']));
    expect(trace.slices.filter((slice) => slice.parent === 'trampoline').length).toBeGreaterThan(20);
  });

  it('writes the events themselves to a file that ends in .ndjson', () => {
    const file = join(folder, 'fork.ndjson');
    expect(trapline(['run', '--trace', file, guest('fork-wait')]).status).toBe(0);
    const kinds = new Set([...readTraceFile(readFileSync(file, 'utf8').split('\n'))].map((event) => event.kind));
    expect(kinds).toContain(EventKind.runEnd);
    expect(kinds).toContain(EventKind.childReaped);
  });
});
