// SPDX-License-Identifier: MIT
//
// The report of an exploration of "patch versus execute": verdict, outcomes, and the first witness as a table with one
// column an actor and the site's bytes.

import { toHex } from '../base/bytes.ts';
import { LINE_BYTES, SITE_BYTES } from '../isa/syscall-site.ts';
import type { Exploration, Witness } from './explorer.ts';
import type { PatchState } from './patch-state.ts';
import type { PatchVersusExec } from './patch-vs-exec.ts';
import { findFlip, formatSchedule } from './schedule.ts';

/** Parameters that a report and a schedule name. */
export interface PatchRaceParameters {
  readonly patch: string;
  readonly protocol: string;
  readonly grain: string;
  readonly offset: number;
  readonly sysno: number;
  readonly table: number;
  readonly threads: number;
}

const COLUMN = 40;

/** The site's bytes, with `|` where a line ends inside it. */
function siteText(site: Uint8Array, offset: number): string {
  const inLine = LINE_BYTES - (offset % LINE_BYTES);
  if (inLine >= SITE_BYTES) return toHex(site, ' ');
  return `${toHex(site.subarray(0, inLine), ' ')} | ${toHex(site.subarray(inLine), ' ')}`;
}

/** `xr1;scn=patch-vs-exec;…` and the schedule on the next line: what `replay` takes. */
export function scheduleToken(actors: readonly string[], p: PatchRaceParameters, witness: Witness<PatchState>): string {
  const head = [
    'xr1',
    'scn=patch-vs-exec',
    'model=coherent',
    `patch=${p.patch}`,
    `protocol=${p.protocol}`,
    `grain=${p.grain}`,
    `off=${p.offset}`,
    `nr=${p.sysno}`,
    `tbl=${p.table.toString(16)}`,
    `threads=${p.threads}`,
  ];
  return `${head.join(';')}\n${formatSchedule(actors, witness.steps)}`;
}

function witnessTable(
  actors: readonly string[],
  witness: Witness<PatchState>,
  initial: PatchState,
  offset: number,
): string[] {
  const lines: string[] = [];
  const header = actors.map((a, i) => (i === 0 ? `${a} (patcher)` : a).padEnd(COLUMN)).join('');
  lines.push(` #  ${header}site bytes in memory`);
  let before = siteText(initial.site, offset);
  lines.push(`    ${' '.repeat(COLUMN * actors.length)}${before}`);
  let last = -1;
  for (const [i, step] of witness.steps.entries()) {
    if (last !== -1 && step.actor !== last) lines.push(` ${'-'.repeat(18)} switch ${'-'.repeat(18)}`);
    last = step.actor;
    const columns = actors.map((_, a) => (a === step.actor ? step.text : '').padEnd(COLUMN)).join('');
    const now = siteText(step.state.site, offset);
    const isLast = i === witness.steps.length - 1;
    lines.push(`${String(i + 1).padStart(2)}  ${columns}${now === before ? '' : now}${isLast ? '  x' : ''}`.trimEnd());
    before = now;
  }
  return lines;
}

/** Which exchange of two steps makes it pass: computed, not guessed. */
function flipText(system: PatchVersusExec, witness: Witness<PatchState>): string[] {
  const flip = findFlip(system, witness.steps);
  if (flip === undefined) return [];
  const name = (index: number): string => {
    const step = witness.steps[index];
    return step === undefined ? '' : `step ${index + 1} (${system.actors[step.actor] ?? ''} ${step.name})`;
  };
  return [`passes if ${name(flip.at)} comes before ${name(flip.at - 1)}`, ''];
}

/** The whole report. */
export function patchReport(
  parameters: PatchRaceParameters,
  result: Exploration<PatchState>,
  system: PatchVersusExec,
): string {
  const p = parameters;
  const { actors } = system;
  const [witness] = result.witnesses;
  const lines: string[] = [];
  const name = `patch versus execute, ${p.patch}, order ${p.protocol}`;
  if (result.verdict === 'fails' && witness !== undefined) lines.push(`FAIL  ${name}: ${witness.failure.text}`);
  else if (result.verdict === 'holds')
    lines.push(`HOLDS ${name}: every thread makes its syscall once, with its own number`);
  else if (result.switchesCovered >= 0)
    lines.push(`INCOMPLETE ${name}: nothing wrong within ${result.switchesCovered} context switches`);
  else lines.push(`INCOMPLETE ${name}: nothing wrong in the few states that the budget allows`);
  lines.push(
    `model coherent: an instruction is fetched at once, from memory as it is. Stores: ${p.grain}.   site at line offset ${p.offset}`,
    `${result.states} states, ${result.transitions} transitions, ${result.complete ? 'complete' : 'not complete'}`,
  );
  if (witness !== undefined) {
    const steps = witness.steps.length;
    lines.push(
      '',
      `${witness.switches} context switch${witness.switches === 1 ? '' : 'es'} (minimal), ${steps} steps:`,
      '',
    );
    lines.push(...witnessTable(actors, witness, system.initial(), p.offset), '', ...flipText(system, witness));
    lines.push(
      'replay:',
      ...scheduleToken(actors, p, witness)
        .split('\n')
        .map((l) => `  ${l}`),
    );
    if (result.witnesses.length > 1) {
      lines.push(
        '',
        'other failures:',
        ...result.witnesses.slice(1).map((w) => `  ${w.failure.text} (${w.switches} switches)`),
      );
    }
  }
  lines.push('', 'outcomes (states that end so):');
  for (const [outcome, count] of [...result.outcomes].sort((a, b) => b[1] - a[1]))
    lines.push(`  ${String(count).padStart(5)}  ${outcome}`);
  return `${lines.join('\n')}\n`;
}
