// SPDX-License-Identifier: MIT
//
// The table of undefined flags against a second opinion: iced-x86's own.

import { Instruction, RflagsBits } from 'iced-x86';
import { describe, expect, it } from 'vitest';
import { classifyForms } from './forms.ts';
import { Flag, UNDEFINED, undefinedAfter } from './undefined-state.ts';

const ALL = new Set([
  'movbe',
  'popcnt',
  'abm',
  'bmi1',
  'bmi2',
  'adx',
  'aes',
  'pclmulqdq',
  'pni',
  'ssse3',
  'sse4_1',
  'sse4_2',
  'fsgsbase',
  'cx16',
]);

function icedUndefined(code: number): number {
  const instruction = new Instruction();
  instruction.code = code;
  const bits = instruction.rflagsUndefined;
  instruction.free();
  let flags = 0;
  if (bits & RflagsBits.OF) flags |= Flag.of;
  if (bits & RflagsBits.SF) flags |= Flag.sf;
  if (bits & RflagsBits.ZF) flags |= Flag.zf;
  if (bits & RflagsBits.AF) flags |= Flag.af;
  if (bits & RflagsBits.CF) flags |= Flag.cf;
  if (bits & RflagsBits.PF) flags |= Flag.pf;
  return flags;
}

describe('the table of undefined flags', () => {
  const forms = classifyForms(ALL).tested.filter((f) => f.group !== 'privileged');

  it('names no flag that iced holds for defined, but for the count-dependent ones of shifts', () => {
    const more = forms.filter(
      (f) =>
        !/^(Sh[lr]d?|Sal|Sar|Ro[lr]|Rc[lr])_/.test(f.name) && undefinedAfter(f.name).flags & ~icedUndefined(f.code),
    );
    expect(more.map((f) => f.name)).toEqual([]);
  });

  it('names every flag that iced holds for undefined', () => {
    const fewer = forms.filter((f) => icedUndefined(f.code) & ~undefinedAfter(f.name).flags);
    expect(fewer.map((f) => f.name)).toEqual([]);
  });

  it('cites the SDM in every row', () => {
    expect(UNDEFINED.filter((u) => !/^[A-Z][A-Z0-9/]+/.test(u.sdm))).toEqual([]);
  });
});
