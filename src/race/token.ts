// SPDX-License-Identifier: MIT
//
// Replay tokens: the parameters of a scenario on one line, a schedule on the next.

import { TraplineError } from '../base/errors.ts';
import { parseProtocol } from './protocols.ts';
import { DEFAULT_PARAMETERS } from './scenarios/scenario.ts';
import type { ScenarioParameters } from './scenarios/scenario.ts';
import { formatSchedule } from './search/schedule.ts';
import { fetchName, fetchNamed } from './world/model.ts';
import type { Model } from './world/model.ts';

/** `xr1;scn=patch-vs-exec;…` and the schedule on the next line: what `replay` takes. */
export function scheduleToken(
  scenario: string,
  p: ScenarioParameters,
  actors: readonly string[],
  steps: readonly { readonly actor: number; readonly name: string }[],
): string {
  const { model } = p;
  const head = [
    'xr1',
    `scn=${scenario}`,
    `model=${fetchName(model)}`,
    `patch=${p.patch}`,
    `protocol=${p.protocol.text}`,
    `g=${model.granule}`,
    `atom=${model.atom}`,
    `grain=${model.grain}`,
    `return=${model.returnBy}`,
    `off=${p.offset}`,
    `page=${p.atPageEnd ? 1 : 0}`,
    `start=${p.startAt}`,
    `nr=${p.sysno}`,
    `tbl=${p.table.toString(16)}`,
    `threads=${p.threads}`,
  ];
  return `${head.join(';')}\n${formatSchedule(actors, steps)}`;
}

/**
 * Reads what {@link scheduleToken} writes.
 * @throws TraplineError `RACE_SCHEDULE` when the text is no token
 */
export function parseToken(token: string): { scenario: string; parameters: ScenarioParameters; schedule: string } {
  const [head = '', ...rest] = token.trim().split(/\s*\n\s*/);
  const fields = new Map(head.split(';').map((part) => part.split(/=(.*)/s, 2) as [string, string | undefined]));
  if (!fields.has('xr1') || rest.length === 0)
    throw new TraplineError('RACE_SCHEDULE', 'a schedule starts with "xr1;scn=…" and has its steps on the next line');
  const text = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined) throw new TraplineError('RACE_SCHEDULE', `the schedule's first line has no "${name}="`);
    return value;
  };
  const number = (name: string, radix = 10): number => {
    const value = Number.parseInt(text(name), radix);
    if (Number.isNaN(value)) throw new TraplineError('RACE_SCHEDULE', `"${name}=${text(name)}" is no number`);
    return value;
  };
  const model = {
    ...fetchNamed(text('model')),
    granule: number('g'),
    atom: number('atom'),
    grain: text('grain'),
    returnBy: text('return'),
  } as Model;
  const parameters: ScenarioParameters = {
    ...DEFAULT_PARAMETERS,
    model,
    patch: text('patch') === 'upstream' ? 'upstream' : 'hardened',
    protocol: parseProtocol(text('protocol')),
    offset: number('off'),
    atPageEnd: text('page') === '1',
    startAt: number('start') === 5 ? 5 : 0,
    sysno: number('nr'),
    table: number('tbl', 16),
    threads: number('threads'),
  };
  return { scenario: text('scn'), parameters, schedule: rest.join(' ') };
}
