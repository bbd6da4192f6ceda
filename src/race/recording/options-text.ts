// SPDX-License-Identifier: MIT
//
// The options of `trapline race` that parameters stand for, without those that are as usual.

import { DEFAULT_PARAMETERS } from '../scenarios/scenario.ts';
import type { ScenarioParameters } from '../scenarios/scenario.ts';
import { fetchName } from '../world/model.ts';

/** Each with a blank before it; '' where everything is as usual. */
export function optionsOf(p: ScenarioParameters): string {
  const usual = DEFAULT_PARAMETERS;
  const rows: readonly (readonly [option: string, value: string, usual: string])[] = [
    ['--patch', p.patch, usual.patch],
    ['--protocol', p.protocol.text, usual.protocol.text],
    ['--model', fetchName(p.model), fetchName(usual.model)],
    ['--granule', String(p.model.granule), String(usual.model.granule)],
    ['--grain', p.model.grain, usual.model.grain],
    ['--atom', String(p.model.atom), String(usual.model.atom)],
    ['--return', p.model.returnBy, usual.model.returnBy],
    ['--threads', String(p.threads), String(usual.threads)],
    ['--offset', String(p.offset), String(usual.offset)],
    ['--start', String(p.startAt), String(usual.startAt)],
    ['--nr', String(p.sysno), String(usual.sysno)],
    ['--table', `0x${p.table.toString(16)}`, `0x${usual.table.toString(16)}`],
  ];
  const given = rows.filter(([, value, other]) => value !== other).map(([option, value]) => ` ${option} ${value}`);
  return given.join('') + (p.atPageEnd ? ' --page' : '');
}
