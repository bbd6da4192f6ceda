// SPDX-License-Identifier: MIT
//
// Length of one x86-64 instruction, without decoding it further: enough to walk code forward from a known
// boundary. Tables from SDM vol. 2, appendix A (opcode maps); 64-bit mode only.

/** Longest instruction that a processor accepts (SDM vol. 2, 2.3.11). */
export const MAX_INSTRUCTION_BYTES = 15;

// One character an opcode: what follows it.
//   .  nothing          m  ModRM            b  imm8            z  imm32, imm16 with 66
//   B  ModRM + imm8     Z  ModRM + imm z    w  imm16           v  b8..bf: z, imm64 with REX.W
//   o  moffs            e  enter            r  rel32           x  invalid
//   p  prefix           3  group 3: ModRM, and an immediate for /0 and /1
//   q  ModRM, and two imm8 for SSE4A's extrq and insertq
//   0  ModRM with /0 only                   i  c7: ModRM + imm z for /0, or xbegin
// prettier-ignore
const ONE_BYTE =
  'mmmmbzxxmmmmbzx.' + // 00; 0f is handled before the table
  'mmmmbzxxmmmmbzxx' +
  'mmmmbzpxmmmmbzpx' + // 26, 2e segment overrides
  'mmmmbzpxmmmmbzpx' +
  'pppppppppppppppp' + // 40 REX
  '................' +
  'xxxmppppzZbB....' + // 60; 62 is handled before the table
  'bbbbbbbbbbbbbbbb' +
  'BZxBmmmmmmmmmmm0' +
  '..........x.....' +
  'oooo....bz......' +
  'bbbbbbbbvvvvvvvv' +
  'BBw.xxBie.w..bx.' + // c4, c5 are handled before the table
  'mmmmxxx.mmmmmmmm' +
  'bbbbbbbbrrxb....' +
  'p.pp..33......mm';

// prettier-ignore
const TWO_BYTE =
  'mmmmx.....x.xm.B' +
  'mmmmmmmmmmmmmmmm' +
  'bbbbxxxxmmmmmmmm' + // 20..23 move control registers: the ModRM byte always means registers
  '......x.xxxxxxxx' + // 38 and 3a are handled before the table
  'mmmmmmmmmmmmmmmm' +
  'mmmmmmmmmmmmmmmm' +
  'mmmmmmmmmmmmmmmm' +
  'BBBBmmm.qmxxmmmm' +
  'rrrrrrrrrrrrrrrr' +
  'mmmmmmmmmmmmmmmm' +
  '...mBmmm...mBmmm' +
  'mmmmmmmmmmBmmmmm' +
  'mmBmBBBm........' +
  'mmmmmmmmmmmmmmmm' +
  'mmmmmmmmmmmmmmmm' +
  'mmmmmmmmmmmmmmmm';

function modRmBytes(code: Uint8Array, at: number): number {
  const modrm = code[at] ?? 0;
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 3) return 1;
  let n = 1;
  if (rm === 4) {
    n++;
    if (mod === 0 && ((code[at + 1] ?? 0) & 7) === 5) n += 4;
  } else if (mod === 0 && rm === 5) {
    n += 4;
  }
  if (mod === 1) n += 1;
  if (mod === 2) n += 4;
  return n;
}

/** Length after a VEX or EVEX opcode: every form but vzeroupper has a ModRM byte. */
function vectorTail(code: Uint8Array, at: number, map: number): number {
  const opcode = code[at] ?? 0;
  if (map === 1 && opcode === 0x77) return 1;
  const n = 1 + modRmBytes(code, at + 1);
  if (map === 3) return n + 1;
  return map === 1 && TWO_BYTE[opcode] === 'B' ? n + 1 : n;
}

/**
 * Length of the instruction at `code[at]`.
 * @returns 0 when the bytes are no instruction of 64-bit mode or end too early. Reserved ModRM forms of valid
 *   opcodes count as instructions: the walk over real code never meets them.
 */
export function instructionLength(code: Uint8Array, at = 0): number {
  const length = decode(code, at);
  return length <= MAX_INSTRUCTION_BYTES && at + length <= code.length ? length : 0;
}

function decode(code: Uint8Array, at: number): number {
  let p = at;
  let operand16 = false;
  let address32 = false;
  let rex = 0;
  let repne = false;
  for (;;) {
    const b = code[p];
    if (b === undefined || p - at >= MAX_INSTRUCTION_BYTES) return 0;
    if (b >= 0x40 && b <= 0x4f) {
      rex = b;
      p++;
      continue;
    }
    if (ONE_BYTE[b] !== 'p') break;
    // A REX byte counts only right before the opcode.
    rex = 0;
    if (b === 0x66) operand16 = true;
    if (b === 0x67) address32 = true;
    if (b === 0xf2) repne = true;
    p++;
  }
  const z = operand16 && (rex & 8) === 0 ? 2 : 4;
  const opcode = code[p++] ?? 0;
  if (opcode === 0xc5) return p + 1 + vectorTail(code, p + 1, 1) - at;
  if (opcode === 0xc4 || opcode === 0x62) {
    const map = (code[p] ?? 0) & (opcode === 0xc4 ? 0x1f : 7);
    if (map < 1 || map > 6 || map === 4 || (opcode === 0xc4 && map > 3)) return 0;
    const payload = opcode === 0xc4 ? 2 : 3;
    return p + payload + vectorTail(code, p + payload, map) - at;
  }
  let form = ONE_BYTE[opcode];
  if (opcode === 0x0f) {
    const second = code[p++];
    if (second === undefined) return 0;
    if (second === 0x38) return p + 1 + modRmBytes(code, p + 1) - at;
    if (second === 0x3a) return p + 1 + modRmBytes(code, p + 1) + 1 - at;
    form = TWO_BYTE[second];
  }
  switch (form) {
    case '.':
      return p - at;
    case 'm':
      return p + modRmBytes(code, p) - at;
    case 'b':
      return p + 1 - at;
    case 'z':
      return p + z - at;
    case 'B':
      return p + modRmBytes(code, p) + 1 - at;
    case 'Z':
      return p + modRmBytes(code, p) + z - at;
    case 'w':
      return p + 2 - at;
    case 'v':
      return p + ((rex & 8) !== 0 ? 8 : z) - at;
    case 'o':
      return p + (address32 ? 4 : 8) - at;
    case 'e':
      return p + 3 - at;
    case 'r':
      // Intel ignores 66 on near branches in 64-bit mode.
      return p + 4 - at;
    case '3': {
      const immediate = ((code[p] ?? 0) & 0x38) <= 8;
      const size = opcode === 0xf6 ? 1 : z;
      return p + modRmBytes(code, p) + (immediate ? size : 0) - at;
    }
    case 'q':
      return p + modRmBytes(code, p) + (operand16 || repne ? 2 : 0) - at;
    case '0':
      return ((code[p] ?? 0) & 0x38) === 0 ? p + modRmBytes(code, p) - at : 0;
    case 'i':
      if (((code[p] ?? 0) & 0x38) !== 0 && code[p] !== 0xf8) return 0;
      return p + modRmBytes(code, p) + z - at;
    default:
      return 0;
  }
}
