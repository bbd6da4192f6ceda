// SPDX-License-Identifier: MIT
//
// Where a direct jump or call goes: the relative forms of SDM vol. 2, nothing else.

/**
 * Target of the direct branch at `code[at]`, which is `length` bytes long and lies at `address`.
 * @returns undefined when it is no direct branch
 */
export function branchTarget(code: Uint8Array, at: number, length: number, address: number): number | undefined {
  let p = at;
  const end = at + length;
  while (p < end && isPrefix(code[p] ?? 0)) p++;
  const opcode = code[p] ?? 0;
  const isShort = (opcode >= 0x70 && opcode <= 0x7f) || opcode === 0xeb || (opcode >= 0xe0 && opcode <= 0xe3);
  if (isShort && end - p === 2) return address + length + (((code[p + 1] ?? 0) << 24) >> 24);
  const isNear = opcode === 0xe8 || opcode === 0xe9 || (opcode === 0x0f && ((code[p + 1] ?? 0) & 0xf0) === 0x80);
  return isNear && end - p >= 5 ? address + length + displacement(code, end - 4) : undefined;
}

function displacement(code: Uint8Array, at: number): number {
  return (code[at] ?? 0) | ((code[at + 1] ?? 0) << 8) | ((code[at + 2] ?? 0) << 16) | ((code[at + 3] ?? 0) << 24);
}

function isPrefix(b: number): boolean {
  return (b >= 0x40 && b <= 0x4f) || b === 0x66 || b === 0xf2 || b === 0xf3 || b === 0x2e || b === 0x3e;
}
