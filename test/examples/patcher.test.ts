// SPDX-License-Identifier: MIT
//
// A patcher of live code under every interleaving, on real instructions: copy this folder, change the code and the
// protocol, run `npx vitest run`. A failing test prints the schedule; RACE_REPLAY=<its token> runs that one again.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { race, schedules } from 'trapline/testing';

// What the thread runs: xor %edi,%edi; then the site, mov $39,%eax; syscall.
const site = race.scenario('my patcher').code('31 ff b8 27 00 00 00 0f 05').patcher('P').thread('T0');

test('the guard first, then the operand, then the opcode: holds in one cache line', () => {
  expect(site).toHoldInAllInterleavings({ model: 'stale' });
});

test('another order shows an instruction that nobody wrote', () => {
  expect(site.with({ protocol: 'acb' })).toFailWith({ kind: 'illegal-decode', bytes: 'ff 27' });
});

test('across two cache lines it needs the other processors to serialise', () => {
  const split = site.with({ offset: 58, model: 'torn-asc' });
  expect(split).toFailWith('0f 00');
  expect(split.with({ protocol: 'abc:sync=ab' })).toHoldInAllInterleavings();
});

test('every mutant of the protocol is caught', () => {
  expect(site).toKillMutants(['acb', 'bac', 'bca', 'one-shot', 'abc:nolock']);
});

test('the thread makes one call, whatever the schedule', () => {
  expect(site.finally('one call each', (state) => state.syscalls(39) === 2)).toHoldInAllInterleavings();
  fc.assert(
    fc.property(schedules(fc), (choices) => site.run(choices).failure === null),
    { numRuns: 20 },
  );
});
