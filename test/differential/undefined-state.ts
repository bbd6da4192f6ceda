// SPDX-License-Identifier: MIT
//
// What the architecture leaves undefined after an instruction, per mnemonic, with the entry of the Intel SDM
// that says so. The comparison ignores exactly these bits.

/** RFLAGS bits. */
export const Flag = { cf: 0x1, pf: 0x4, af: 0x10, zf: 0x40, sf: 0x80, df: 0x400, of: 0x800, rf: 0x10000 } as const;
const { cf, pf, af, zf, sf, of } = Flag;

/** x87 condition bits in the status word. */
export const Condition = { c0: 0x100, c1: 0x200, c2: 0x400, c3: 0x4000 } as const;
const { c0, c1, c2, c3 } = Condition;

export interface UndefinedState {
  /** Matches the form's iced Code name. */
  readonly forms: RegExp;
  readonly flags?: number;
  /** Bits of the x87 status word. */
  readonly conditions?: number;
  /** SDM volume 2 entry, section "Flags Affected" or "FPU Flags Affected". */
  readonly sdm: string;
}

// prettier-ignore
export const UNDEFINED: readonly UndefinedState[] = [
  { forms: /^(And|Or|Xor|Test)_/,                flags: af,                          sdm: 'AND, OR, XOR, TEST' },
  { forms: /^(Mul|Imul)_/,                       flags: sf | zf | af | pf,           sdm: 'MUL, IMUL' },
  { forms: /^(Div|Idiv)_/,                       flags: cf | of | sf | zf | af | pf, sdm: 'DIV, IDIV' },
  { forms: /^Sar_.*_1$/,                         flags: af,                          sdm: 'SAL/SAR/SHL/SHR' },
  { forms: /^(Shl|Sal|Shr)_.*_1$/,               flags: af,                          sdm: 'SAL/SAR/SHL/SHR' },
  { forms: /^Sar_/,                              flags: af | of,                     sdm: 'SAL/SAR/SHL/SHR: OF only for 1-bit shifts' },
  { forms: /^(Shl|Sal|Shr)_/,                    flags: af | of | cf,                sdm: 'SAL/SAR/SHL/SHR: CF when the count is not less than the operand size' },
  { forms: /^(Rol|Ror|Rcl|Rcr)_.*_(CL|imm8)$/,   flags: of,                          sdm: 'RCL/RCR/ROL/ROR: OF only for 1-bit rotates' },
  { forms: /^Sh[lr]d_r?m?16/,                    flags: cf | of | sf | zf | af | pf, sdm: 'SHLD, SHRD: all when the count exceeds the operand size' },
  { forms: /^Sh[lr]d_/,                          flags: af | of,                     sdm: 'SHLD, SHRD: OF only for 1-bit shifts' },
  { forms: /^Bs[fr]_/,                           flags: cf | of | sf | af | pf,      sdm: 'BSF, BSR' },
  { forms: /^Bt[src]?_/,                         flags: of | sf | af | pf,           sdm: 'BT, BTC, BTR, BTS' },
  { forms: /^(Lzcnt|Tzcnt)_/,                    flags: of | sf | af | pf,           sdm: 'LZCNT, TZCNT' },
  { forms: /^VEX_(Andn|Bls\w+|Bzhi)_/,           flags: af | pf,                     sdm: 'ANDN, BLSI, BLSMSK, BLSR, BZHI' },
  { forms: /^VEX_Bextr_/,                        flags: af | sf | pf,                sdm: 'BEXTR' },
  { forms: /^F(n?stcw|ldcw|nop|free|freep|n?stsw|n?stenv)(_|$)/i, conditions: c0 | c1 | c2 | c3, sdm: 'FLDCW, FNOP, FFREE, FSTCW, FSTSW, FSTENV' },
  { forms: /^(Wait|F(n?)(clex|setpm|eni|disi))/i, conditions: c0 | c1 | c2 | c3,     sdm: 'WAIT/FWAIT, FCLEX' },
  { forms: /^F(add|iadd|sub|isub|mul|imul|div|idiv)\w*_/i, conditions: c0 | c2 | c3, sdm: 'FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR and integer forms' },
  { forms: /^F(addp|subp|subrp|mulp|divp|divrp)_/i, conditions: c0 | c2 | c3,        sdm: 'FADD, FSUB, FMUL, FDIV' },
  { forms: /^F(ld|ild|bld|st|stp|stpnce|ist|istp|isttp|bstp|xch|cmov\w+)_/i, conditions: c0 | c2 | c3, sdm: 'FLD, FILD, FBLD, FST, FIST, FISTTP, FBSTP, FXCH, FCMOVcc' },
  { forms: /^F(ld1|ldl2t|ldl2e|ldpi|ldlg2|ldln2|ldz|chs|abs|sqrt|rndint|scale|xtract|decstp|incstp)$/i, conditions: c0 | c2 | c3, sdm: 'FLD1 and constants, FCHS, FABS, FSQRT, FRNDINT, FSCALE, FXTRACT, FDECSTP, FINCSTP' },
];

const cache = new Map<string, { flags: number; conditions: number }>();

/** Undefined bits after a form: the first matching flags entry and the first matching conditions entry. */
export function undefinedAfter(form: string): { flags: number; conditions: number } {
  let found = cache.get(form);
  if (!found) {
    found = {
      flags: UNDEFINED.find((u) => u.flags !== undefined && u.forms.test(form))?.flags ?? 0,
      conditions: UNDEFINED.find((u) => u.conditions !== undefined && u.forms.test(form))?.conditions ?? 0,
    };
    cache.set(form, found);
  }
  return found;
}
