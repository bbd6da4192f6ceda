// SPDX-License-Identifier: MIT
//
// The steps of patching and recovery (usertrap/steps.ts) as steps of a recording.

import { toHex } from '../../base/bytes.ts';
import type { SpaceTraps } from '../../platform/space-traps.ts';
import type { Store } from '../../trace/recording/format.ts';
import type { Step, StepResult } from '../../usertrap/steps.ts';
import { SENTRY } from './run-log.ts';
import type { RunLog } from './run-log.ts';
import type { OpenStep } from './step-log.ts';

/** Bytes of a load that are taken down. */
const MOST_LOADED = 64;

type OpenFacts = Record<string, string | number | boolean>;

/** Takes a step down that was made in an address space. */
export function takeTrapStep(run: RunLog, traps: SpaceTraps, space: number, step: Step, result: StepResult): void {
  const data: OpenFacts = { what: step.what };
  const taken: OpenStep = { actor: SENTRY, kind: 'other', text: run.tables.text(step.what), data };
  switch (step.op) {
    case 'lock':
    case 'unlock': {
      taken.kind = step.op;
      data['exclusive'] = step.exclusive;
      const isHeld = step.op === 'lock';
      taken.spaces = [step.exclusive ? { space, isLocked: isHeld } : { space, readers: isHeld ? 1 : 0 }];
      break;
    }
    case 'stop':
    case 'resume':
      taken.kind = step.op;
      taken.spaces = [{ space, isStopped: step.op === 'stop' }];
      standstill(run, space, taken);
      break;
    case 'sync':
      taken.kind = 'sync';
      break;
    case 'load':
      taken.kind = 'load';
      Object.assign(data, { address: step.addr, length: step.length });
      if (result instanceof Uint8Array) data['bytes'] = toHex(result.subarray(0, MOST_LOADED));
      break;
    case 'store':
      taken.kind = 'store';
      takeStore(run, traps, space, step, result, taken, data);
      break;
    case 'get':
      taken.kind = 'record';
      Object.assign(data, { field: step.field, isWrite: false, value: numberOf(result) });
      break;
    case 'set':
      taken.kind = 'record';
      Object.assign(data, { field: step.field, isWrite: true, value: step.value });
      if (step.field === 'next' || step.field === 'base') taken.spaces = [{ space, [step.field]: step.value }];
      break;
    case 'find-table':
    case 'map-table':
      taken.kind = 'table';
      data['base'] = step.op === 'map-table' ? step.addr : numberOf(result);
      break;
    default:
      if (typeof result === 'number') data['result'] = result;
  }
  if (!run.steps.add(taken) || step.op !== 'map-table') return;
  run.takeMaps(traps.mm);
  run.event('table', SENTRY, undefined, data);
}

/** The other tasks of the space that could run are stopped, or let go. */
function standstill(run: RunLog, space: number, taken: OpenStep): void {
  const state = taken.kind === 'stop' ? 'stopped' : 'user';
  for (const task of run.tasks.values()) {
    const couldRun = task.space === space && task.state === 'user' && task.tid !== run.current?.tid;
    if (couldRun) run.steps.merge(taken, task, { state });
  }
}

function numberOf(result: StepResult): number {
  return typeof result === 'number' ? result : 0;
}

function takeStore(
  run: RunLog,
  traps: SpaceTraps,
  space: number,
  step: Step & { readonly op: 'store' },
  result: StepResult,
  taken: OpenStep,
  data: OpenFacts,
): void {
  if (result !== 1) {
    data['failed'] = true;
    return;
  }
  const { mm, base } = traps;
  const store: Store = { space, address: step.addr, bytes: toHex(step.bytes) };
  const offset = run.memory.offsetInSite(space, step.addr);
  if (offset !== null) data['offset'] = offset;
  if (traps.inSlots(step.addr)) {
    // The slot appears with this store in it.
    const memory = run.memory.addTablePiece(mm, space, base, step.what === 'header' ? base : step.addr);
    if (memory.length > 0) taken.memory = memory;
  }
  taken.stores = [store];
  run.memory.stored(mm, store);
  if (offset === null) return;
  run.event('store', SENTRY, undefined, { offset, bytes: store.bytes, what: step.what }, run.steps.moment + 1);
}
