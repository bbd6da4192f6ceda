// SPDX-License-Identifier: MIT
//
// The steps of a recording as goals see them.

import { fromHex } from '../../base/bytes.ts';
import type { RecordingCursor } from '../../trace/recording/cursor.ts';
import { REGISTERS } from '../../trace/recording/format.ts';
import type { Facts } from '../../trace/recording/format.ts';
import type { RecordedStep, RecordedSteps } from './recorded-steps.ts';

/** Steps are counted from 0; the moment behind step `i` is `i + 1`. */
export function cursorSteps(cursor: RecordingCursor): RecordedSteps {
  const { recording } = cursor;
  return {
    count: recording.steps.length,
    step(index): RecordedStep {
      const step = recording.steps[index];
      const data = step?.data ?? {};
      return {
        kind: step?.kind ?? 'other',
        actor: recording.actors[step?.actor ?? 0]?.name ?? '',
        text: cursor.text(step?.text),
        rip: step?.rip,
        fails: step?.fails === true,
        sysno: numberOf(data, 'sysno'),
        result: numberOf(data, 'result'),
        address: numberOf(data, 'address'),
        offset: numberOf(data, 'offset'),
        stores: (step?.stores ?? []).map(({ address, bytes }) => ({ address, length: fromHex(bytes).length })),
      };
    },
    register(index, name) {
      const step = recording.steps[index];
      const actor = step === undefined ? undefined : cursor.at(index + 1).actors[actorOf(index)];
      if (actor === undefined) return undefined;
      if (name === 'rip') return actor.rip;
      const register = REGISTERS.find((r) => r === name);
      return register === undefined ? undefined : Number.parseInt(actor.regs[register], 16);
    },
  };

  /** Whose registers a step is about: those of the kernel's steps are the task's that it works for. */
  function actorOf(index: number): number {
    const step = recording.steps[index];
    const maker = step?.actor ?? 0;
    if (recording.actors[maker]?.role === 'task') return maker;
    const changed = step?.changes?.find((c) => recording.actors[c.actor ?? maker]?.role === 'task');
    return changed?.actor ?? maker;
  }
}

function numberOf(data: Facts, name: string): number | undefined {
  const value = data[name];
  return typeof value === 'number' ? value : undefined;
}
