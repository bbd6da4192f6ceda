// SPDX-License-Identifier: MIT
//
// Instructions that write the GS selector or base: mov, pop, lgs, wrgsbase (SDM vol. 2).

/** GS as a ModRM reg field. */
const GS = 5;
/** wrgsbase as a ModRM reg field of 0f ae. */
const WRGSBASE = 3;
const PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3]);

/** Whether the instruction at the start of `code` writes GS. */
export function writesGs(code: Uint8Array): boolean {
  let p = 0;
  let hasRepeat = false;
  for (; PREFIXES.has(code[p] ?? 0) || ((code[p] ?? 0) & 0xf0) === 0x40; p++) hasRepeat ||= code[p] === 0xf3;
  const opcode = code[p] ?? 0;
  const second = code[p + 1] ?? 0;
  if (opcode === 0x8e) return ((second >> 3) & 7) === GS;
  if (opcode !== 0x0f) return false;
  if (second === 0xa9 || second === 0xb5) return true;
  const modrm = code[p + 2] ?? 0;
  return second === 0xae && hasRepeat && modrm >> 6 === 3 && ((modrm >> 3) & 7) === WRGSBASE;
}
