// SPDX-License-Identifier: MIT
//
// A wrong decode in words: which instruction the mixed bytes are, and which store each of them is from or missed.

import { PROT_EXEC } from '../../abi/mman.ts';
import { toHex } from '../../base/bytes.ts';
import { Reg } from '../../cpu/regs.ts';
import { MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import { SITE_BYTES, SYSCALL_OFFSET } from '../../isa/syscall-site.ts';
import type { Witness } from '../search/system.ts';
import { decodeWindow } from '../world/fetch.ts';
import { readSpace } from '../world/space.ts';
import type { Space } from '../world/state.ts';
import type { World } from '../world/world.ts';

/** Instructions by the reg field of their ModRM byte (SDM vol. 2, appendix A.4, groups 5, 6 and 7), in user mode. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  ff: [
    'inc r/m32: changes data',
    'dec r/m32: changes data',
    'call through memory or a register',
    'far call',
    'jmp through memory or a register',
    'far jmp',
    'push r/m64',
    'no instruction: #UD',
  ],
  '0f00': [
    'sldt r/m16: stores or #GP',
    'str r/m16: stores or #GP',
    'lldt: privileged, #GP',
    'ltr: privileged, #GP',
    'verr: changes flags',
    'verw: changes flags',
    'no instruction: #UD',
    'no instruction: #UD',
  ],
  '0f01': ['sgdt', 'sidt', 'lgdt: #GP', 'lidt: #GP', 'smsw', 'no instruction: #UD', 'lmsw: #GP', 'invlpg: #GP'],
};

/** What some bytes are as an instruction, in a few words; '' where the table of groups does not say. */
export function instructionWords(bytes: Uint8Array): string {
  const [first = 0, second = 0] = bytes;
  const opcode = first === 0x0f ? 2 : 1;
  const group = GROUPS[toHex(bytes.subarray(0, opcode))];
  const modrm = first === 0x0f ? bytes[2] : second;
  return modrm === undefined ? '' : (group?.[(modrm >> 3) & 7] ?? '');
}

/** Which step of a schedule last stored each byte of the site; 0 where none has. */
interface History {
  readonly value: number;
  readonly step: number;
}

function histories(world: World, witness: Witness, site: number): History[][] {
  const bytesAt = (state: number): Uint8Array =>
    readSpace(world.shared(state).spaces[0] as Space, site, SITE_BYTES, PROT_EXEC);
  const out = [...bytesAt(world.initial)].map((value): History[] => [{ value, step: 0 }]);
  for (const [i, step] of witness.steps.entries()) {
    if (step.state < 0) continue;
    for (const [at, value] of bytesAt(step.state).entries())
      if (out[at]?.at(-1)?.value !== value) out[at]?.push({ value, step: i + 1 });
  }
  return out;
}

/** Where a byte that was decoded is from. */
function originOf(history: readonly History[], value: number): string {
  const at = history.findLastIndex((h) => h.value === value);
  const next = history[at + 1];
  const from = at <= 0 ? "the program's" : `from step ${history[at]?.step ?? 0}`;
  return next === undefined ? from : `${from}, stale since step ${next.step}`;
}

/**
 * Explains the last step of a witness where it decodes wrong bytes of the site.
 * @returns null where it does something else
 */
export function explainDecode(world: World, witness: Witness, site: number, isCoherent: boolean): string | null {
  const step = witness.steps.at(-1);
  if (step === undefined || step.state >= 0 || step.name !== 'X') return null;
  const local = world.local(step.before, step.actor);
  const rip = Number(local.regs[Reg.rip]);
  const offset = rip - site;
  const space = world.shared(step.before).spaces[local.space];
  if (offset < 0 || offset >= SITE_BYTES || space === undefined) return null;
  const memory = readSpace(space, rip, MAX_INSTRUCTION_BYTES, PROT_EXEC);
  const { bytes, length } = decodeWindow(rip, memory, world.segments, isCoherent ? null : local.fetched);
  const shown = bytes.subarray(0, Math.min(Math.max(length ?? 0, 2), SITE_BYTES - offset));
  const known = histories(world, witness, site);
  const parts: string[] = [];
  let origin = '';
  for (const [i, value] of shown.entries()) {
    const now = originOf(known[offset + i] ?? [], value);
    const hex = value.toString(16).padStart(2, '0');
    if (now === origin) parts[parts.length - 1] = (parts.at(-1) ?? '').replace(/ \(.*$/, ` ${hex} (${now})`);
    else parts.push(`${hex} (${now})`);
    origin = now;
  }
  const words = instructionWords(bytes);
  const expected = offset === SYSCALL_OFFSET ? 'syscall 0f 05 or the guard' : 'the whole mov or the whole jump';
  return `site+${offset} decodes as ${parts.join(' + ')}${words === '' ? '' : ` = ${words}`}; expected ${expected}`;
}
