// SPDX-License-Identifier: MIT
//
// The report of an exploration: verdict, model, the first witness as a table with one column an actor and the site's
// bytes, the token, outcomes.

import { PROT_EXEC, PROT_READ } from '../abi/mman.ts';
import { toHex } from '../base/bytes.ts';
import { LINE_BYTES, SITE_BYTES } from '../isa/syscall-site.ts';
import type { Scenario, ScenarioParameters } from './scenarios/scenario.ts';
import { findFlip } from './search/schedule.ts';
import type { Exploration, Witness } from './search/system.ts';
import { scheduleToken } from './token.ts';
import { describeModel, fetchName } from './world/model.ts';
import { readSpace } from './world/space.ts';
import type { World } from './world/world.ts';

const COLUMN = 40;

/** The site's bytes, with `|` where a line ends inside it. */
function siteText(world: World, state: number, site: number): string {
  const space = world.shared(state).spaces[0];
  const bytes = space === undefined ? new Uint8Array(0) : readSpace(space, site, SITE_BYTES, PROT_READ | PROT_EXEC);
  const inLine = LINE_BYTES - (site % LINE_BYTES);
  if (inLine >= SITE_BYTES) return toHex(bytes, ' ');
  return `${toHex(bytes.subarray(0, inLine), ' ')} | ${toHex(bytes.subarray(inLine), ' ')}`;
}

function witnessTable(world: World, witness: Witness, site: number): string[] {
  const lines: string[] = [];
  const { actors } = world;
  const header = actors.map((a) => (a === 'P' ? 'P (patcher)' : a).padEnd(COLUMN)).join('');
  lines.push(` #  ${header}site bytes in memory`);
  let before = siteText(world, world.initial, site);
  lines.push(`    ${' '.repeat(COLUMN * actors.length)}${before}`);
  let last = -1;
  for (const [i, step] of witness.steps.entries()) {
    if (last !== -1 && step.actor !== last) lines.push(` ${'-'.repeat(18)} switch ${'-'.repeat(18)}`);
    last = step.actor;
    const columns = actors.map((_, a) => (a === step.actor ? step.text : '').padEnd(COLUMN)).join('');
    const now = step.state < 0 ? before : siteText(world, step.state, site);
    const isLast = i === witness.steps.length - 1;
    lines.push(`${String(i + 1).padStart(2)}  ${columns}${now === before ? '' : now}${isLast ? '  x' : ''}`.trimEnd());
    before = now;
  }
  return lines;
}

/** Which exchange of two steps makes it pass: computed, not guessed. */
function flipText(world: World, witness: Witness): string[] {
  const flip = findFlip(world.plain, witness.steps);
  if (flip === undefined) return [];
  const name = (index: number): string => {
    const step = witness.steps[index];
    return step === undefined ? '' : `step ${index + 1} (${world.actors[step.actor] ?? ''} ${step.name})`;
  };
  return [`passes if ${name(flip.at)} comes before ${name(flip.at - 1)}`, ''];
}

function plural(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : what.endsWith('ch') ? 'es' : 's'}`;
}

/** The whole report. */
export function raceReport(scenario: Scenario, p: ScenarioParameters, result: Exploration, world: World): string {
  const [witness] = result.witnesses;
  const lines: string[] = [];
  const name = `${scenario.name}, ${p.patch}, order ${p.protocol.text}`;
  if (witness !== undefined) lines.push(`FAIL  ${name}: ${witness.failure.text}`);
  else if (result.verdict === 'holds') lines.push(`HOLDS ${name}: ${scenario.promise}`);
  else if (result.switchesCovered >= 0)
    lines.push(`INCOMPLETE ${name}: nothing wrong within ${result.switchesCovered} context switches`);
  else lines.push(`INCOMPLETE ${name}: nothing wrong in what the budget allows`);
  const seen = result.schedules > 0 ? plural(result.schedules, 'schedule') : plural(result.states, 'state');
  lines.push(
    `model ${fetchName(p.model)}: ${describeModel(p.model)}. Stores: ${p.model.grain}.   site at line offset ${p.offset}`,
    `${seen}, ${plural(result.transitions, 'transition')}, ${result.complete ? 'complete' : 'not complete'}`,
  );
  if (witness !== undefined) {
    const minimal = witness.isMinimal ? ' (minimal)' : '';
    lines.push(
      '',
      `${plural(witness.switches, 'context switch')}${minimal}, ${plural(witness.steps.length, 'step')}:`,
      '',
    );
    lines.push(...witnessTable(world, witness, scenario.site(p)), '', ...flipText(world, witness));
    const token = scheduleToken(scenario.name, p, world.actors, witness.steps);
    lines.push('replay:', ...token.split('\n').map((l) => `  ${l}`));
    if (result.witnesses.length > 1) {
      lines.push('', 'other failures:');
      for (const w of result.witnesses.slice(1)) lines.push(`  ${w.failure.text} (${plural(w.switches, 'switch')})`);
    }
  }
  lines.push('', `outcomes (${result.schedules > 0 ? 'schedules' : 'states'} that end so):`);
  for (const [outcome, count] of [...result.outcomes].sort((a, b) => b[1] - a[1]))
    lines.push(`  ${String(count).padStart(5)}  ${outcome}`);
  return `${lines.join('\n')}\n`;
}
