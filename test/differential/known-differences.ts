// SPDX-License-Identifier: MIT
//
// Where the engine is known to differ from a real processor. Data: each entry has a reason and the narrowest
// predicate that covers it. It is asked about one instruction, run alone from a known state.

import { Register } from 'iced-x86';
import { Reg } from '../../src/cpu/regs.ts';
import type { Difference } from './compare.ts';
import { addressRegisters, effectiveAddress } from './effective-address.ts';
import { PRIVILEGED } from './excluded.ts';
import type { Case, Outcome } from './records.ts';
import { PageFault, Trap } from './records.ts';
import { Flag } from './undefined-state.ts';

/** One instruction that came out differently. */
export interface Observation {
  /** iced's Code name. */
  readonly form: string;
  readonly bytes: Uint8Array;
  /** Where it lies. */
  readonly address: number;
  readonly case: Case;
  readonly native: Outcome;
  readonly emulated: Outcome;
  readonly differences: readonly Difference[];
}

export interface KnownDifference {
  readonly id: string;
  readonly reason: string;
  readonly forms: RegExp;
  /** A field that the comparison leaves out, rather than a wrong result: the form still counts as covered. */
  readonly isMask?: boolean;
  /** True when this entry accounts for the difference `d` of the observation. */
  explains(d: Difference, o: Observation): boolean;
}

const X87 = /^(F(?!xsave|xrstor|emms)\w+|Wait)/;
const SSE_FLOAT =
  /^(Add|Sub|Mul|Div|Min|Max|Sqrt|Cmp|Hadd|Hsub|Addsub|Round|Dp)(ps|pd|ss|sd)_|^Addsub|^U?[Cc]omis[sd]_|^Cvt/;
const SSE_FORMS = /_xmm|xmmm|_m128|_mm/;
const EXCEPTION_FLAGS = 0x3fn;
/** Status-word bits that report exceptions: the flags, stack fault, error summary, busy, and C1 (rounding or stack direction). */
const X87_REPORT = 0x82ffn;

const within = (d: Difference, bits: bigint) => ((d.native ^ d.emulated) & ~bits) === 0n;
const field16 = (fx: Uint8Array, offset: number) => (fx[offset] ?? 0) | ((fx[offset + 1] ?? 0) << 8);
const isX87Field = (d: Difference) => /^(fcw|fsw|ftw|st\d)$/.test(d.field);
const isStateAfterTrap = (o: Observation, trap: number) => o.native.trap === trap && o.emulated.trap !== trap;
/** CR2 of the native side in the page before the emulated side's. */
const isAcrossPages = (d: Difference) =>
  d.emulated % 4096n === 0n && d.emulated - d.native < 16n && d.emulated > d.native;
const isMemoryFault = (o: Outcome) =>
  o.trap === Trap.pageFault || o.trap === Trap.generalProtection || o.trap === Trap.stackFault;
/** The prefixes of the instruction. */
function prefixesOf(o: Observation): Set<number> {
  const prefixes = new Set<number>();
  for (const byte of o.bytes) {
    if (![0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65].includes(byte) && (byte & 0xf0) !== 0x40)
      break;
    prefixes.add(byte);
  }
  return prefixes;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    id: 'sse-flags',
    forms: SSE_FLOAT,
    reason: 'TCG does not set the exception flags of MXCSR',
    explains: (d) => d.field === 'mxcsr' && within(d, EXCEPTION_FLAGS),
  },
  {
    id: 'sse-unmasked',
    forms: SSE_FLOAT,
    reason: 'TCG never raises #XM: an unmasked SSE exception gives the masked result',
    explains: (_, o) => isStateAfterTrap(o, Trap.simdError),
  },
  {
    id: 'sse-alignment',
    forms: /./,
    reason: 'TCG does not check the 16-byte alignment of SSE memory operands',
    explains: (_, o) =>
      isStateAfterTrap(o, Trap.generalProtection) && isSseMemoryOperand(o) && addressOf(o) % 16n !== 0n,
  },
  {
    id: 'mxcsr-reserved',
    forms: /^(Ldmxcsr|Fxrstor)/,
    reason: 'TCG loads reserved bits of MXCSR where hardware raises #GP',
    explains: (_, o) => isStateAfterTrap(o, Trap.generalProtection),
  },
  {
    id: 'x87-flags',
    forms: /^(F\w+|Wait)/,
    reason: 'TCG reports no x87 exceptions but #Z: the flags, the error summary and C1 stay as they were',
    explains: (d) => d.field === 'fsw' && within(d, X87_REPORT),
  },
  {
    id: 'x87-stack',
    forms: X87,
    reason: 'TCG does not detect x87 stack overflow and underflow, which give the indefinite value',
    explains: (d, o) =>
      (isX87Field(d) || d.field === 'memory' || d.field === 'rflags') && (field16(o.native.fx, 2) & 0x41) === 0x41,
  },
  {
    id: 'x87-control-reserved',
    forms: /^(Fldcw|Fldenv|Frstor|Fxrstor)/,
    reason: 'TCG keeps reserved bits of the x87 control word; hardware reads bit 6 as one and the others as zero',
    explains: (d) => d.field === 'fcw' && within(d, 0xe0c0n),
  },
  {
    id: 'x87-fcomi-flags',
    forms: /^Fu?comip?_/,
    reason: 'TCG leaves OF, SF and AF alone where hardware clears them',
    explains: (d) => d.field === 'rflags' && within(d, BigInt(Flag.of | Flag.sf | Flag.af | Flag.rf)),
  },
  {
    id: 'mmx-exponent',
    forms: /mm_|_mm$|^(Movdq2q|Cvtt?p[sd]2pi)/,
    reason: 'TCG does not set the exponent of an x87 register to ones when MMX writes it',
    explains: (d) => /^st\d$/.test(d.field) && within(d, 0xffffn << 64n) && d.native >> 64n === 0xffffn,
  },
  {
    id: 'mmx-transition',
    forms: /_mm_mm/,
    reason: 'TCG does not enter MMX state (TOP and tags) for the MMX forms of SSSE3',
    explains: (d, o) => isX87Field(d) && /^(Pabs|Phadd|Phsub|Psign|Pmulhrsw|Pmaddubsw|Pshufb|Palignr)/.test(o.form),
  },
  {
    id: 'mmx-pending',
    forms: /mm_|_mm(_|$)|^(Movdq2q|Cvt\w*pi)|^Emms|^Maskmovq/,
    reason: 'TCG does not raise a pending x87 exception at MMX instructions',
    explains: (_, o) => isStateAfterTrap(o, Trap.fpuError),
  },
  {
    id: 'cmp-predicate',
    forms: /^Cmp(ps|pd|ss|sd)_xmm/,
    reason: 'TCG raises #UD for comparison predicates above 7; hardware ignores the upper bits of the immediate',
    explains: (_, o) => o.emulated.trap === Trap.invalidOpcode && (o.bytes.at(-1) ?? 0) > 7,
  },
  {
    id: 'test-alias',
    forms: /^Test_.*_F[67]r1$/,
    reason:
      'TCG knows the undocumented alias /1 of TEST not at all (#UD), and takes it for an instruction without immediate',
    explains: (_, o) => o.emulated.trap === Trap.invalidOpcode || o.native.trap === Trap.pageFault,
  },
  {
    id: 'double-mandatory',
    forms: /./,
    reason: 'of F2 and F3 on one SSE instruction hardware takes the last, TCG prefers F3',
    explains: (_, o) => prefixesOf(o).has(0xf2) && prefixesOf(o).has(0xf3),
  },
  {
    id: 'data-prefix-first',
    forms: SSE_FORMS,
    reason: 'with 66 beside F2 or F3 on an SSE opcode hardware takes F2 or F3, TCG takes 66',
    explains: (_, o) => prefixesOf(o).has(0x66) && (prefixesOf(o).has(0xf2) || prefixesOf(o).has(0xf3)),
  },
  {
    id: 'rmw-read-fault',
    forms: /./,
    reason: 'TCG loads the operand of a read-modify-write before it stores: on an absent page the fault says read',
    explains: (d, o) =>
      (d.field === 'cr2' && isAcrossPages(d)) ||
      (d.field === 'error' &&
        o.native.trap === Trap.pageFault &&
        within(d, BigInt(PageFault.write | PageFault.present)) &&
        (d.native & 2n) === 2n &&
        d.emulated === 0n),
  },
  {
    id: 'enter-probe',
    forms: /^Enter[qw]_/,
    reason: 'TCG does not probe the final stack pointer of ENTER for writing',
    explains: (_, o) =>
      o.native.trap === Trap.pageFault && (o.native.regs[Reg.rip] ?? 0n) < (o.emulated.regs[Reg.rip] ?? 0n),
  },
  {
    id: 'enter-16',
    forms: /^Enterw_/,
    reason: 'ENTER with operand size 16: AMD truncates the frame pointer, TCG keeps it',
    explains: (d) => d.field === 'rbp' && d.native % 0x10000n === d.emulated % 0x10000n,
  },
  {
    id: 'x87-unmasked',
    forms: X87,
    reason: 'TCG sets no x87 exception flags, so an unmasked exception is never pending and never raises #MF',
    explains: (d, o) =>
      isStateAfterTrap(o, Trap.fpuError) ||
      ((field16(o.native.fx, 2) & 0x80) !== 0 && (isX87Field(d) || d.field === 'memory')),
  },
  {
    id: 'x87-nan-choice',
    forms: X87,
    reason: 'which NaN operand an x87 instruction returns, and that a signalling one is made quiet, differs',
    explains: (d) => /^st\d$/.test(d.field) && isNan80(d.native) && isNan80(d.emulated),
  },
  {
    id: 'x87-snan-store',
    forms: /^F(st|stp)_m(32|64)fp$/,
    reason: 'TCG stores a signalling NaN as it is; hardware makes it quiet',
    explains: (d, o) =>
      d.field === 'memory' && ((field16(o.native.fx, 2) & 1) === 1 || isOneBit(d.native ^ d.emulated)),
  },
  {
    id: 'x87-fxam-sign',
    forms: /^Fxam$/,
    reason: 'TCG classifies unsupported encodings as NaN',
    explains: (d) => d.field === 'fsw',
  },
  {
    id: 'x87-bcd-zero',
    forms: /^Fbstp_/,
    reason: 'TCG stores a negative value that rounds to zero as plus zero',
    explains: (d) => d.field === 'memory' && isOneBit(d.native ^ d.emulated),
  },
  {
    id: 'x87-integer-indefinite',
    forms: /^F(ist|istp|isttp|bstp)_m/,
    reason: 'TCG saturates a value that does not fit where hardware stores the indefinite integer',
    explains: (d, o) => d.field === 'memory' && (field16(o.native.fx, 2) & 1) === 1,
  },
  {
    id: 'x87-fst-tag',
    forms: /^F(st|stp|stpnce)_sti/,
    reason: 'TCG does not mark the destination register of FST ST(i) as used',
    explains: (d) => d.field === 'ftw' || d.field === 'fsw' || /^st\d$/.test(d.field),
  },
  {
    id: 'x87-constants',
    forms: /^Fld(l2t|l2e|pi|lg2|ln2)$/,
    reason: 'TCG does not round the built-in constants by the rounding control',
    explains: (d) => /^st\d$/.test(d.field) && d.native - d.emulated <= 1n && d.emulated - d.native <= 1n,
  },
  {
    id: 'x87-remainder',
    forms: /^Fprem1?$/,
    reason: 'TCG computes FPREM and FPREM1 in double precision',
    explains: (d) => d.field === 'fsw' || /^st\d$/.test(d.field),
  },
  {
    id: 'x87-extract',
    forms: /^(Fxtract|Fscale)$/,
    reason: 'TCG does not treat infinities, NaNs, zeros and denormals in FXTRACT and FSCALE as hardware does',
    explains: (d) => d.field === 'fsw' || d.field === 'ftw' || /^st\d$/.test(d.field),
  },
  {
    id: 'x87-environment',
    forms: /^F(n?stenv|n?save)_m/i,
    isMask: true,
    reason:
      'reserved words of the environment image are ones on hardware and zeros in TCG, and it holds FIP, FDP and FOP (see compare.ts)',
    explains: (d, o) =>
      d.field === 'memory' &&
      onlyBytes(d, addressOf(o), (n) =>
        /_m(14|94)byte/.test(o.form) ? n >= 6 && n < 14 : (n < 12 && (n & 2) !== 0) || (n >= 12 && n < 28),
      ),
  },
  {
    id: 'fxsave-reserved',
    forms: /^Fxsave/,
    isMask: true,
    reason:
      'hardware clears the reserved bytes of the x87 slots and reports its own MXCSR_MASK; FIP, FDP and FOP are in the image (see compare.ts)',
    explains: (d, o) =>
      d.field === 'memory' &&
      onlyBytes(
        d,
        addressOf(o),
        (n) => (n >= 5 && n < 24) || (n >= 28 && n < 32) || (n >= 32 && n < 160 && n % 16 >= 10) || n >= 416,
      ),
  },
  {
    id: 'torn-store',
    forms:
      /^(F(n?stenv|n?save|bstp|bld|stp|ld)|Fxsave|Fxrstor|Fldenv|Frstor|Lddqu|Mov(up[sd]|dqu)_xmm_|Enter|Mov\w*_\w*m128|Call|Push|Cmpxchg)/i,
    reason:
      'TCG stores (and loads) operands wider than eight bytes in pieces: the part before a fault is written, and CR2 is that of the piece',
    explains: (d, o) =>
      o.native.trap === Trap.pageFault &&
      o.emulated.trap === Trap.pageFault &&
      (/^(memory|cr2|error)$/.test(d.field) ||
        (/^(F(ldenv|rstor|xrstor)|Lddqu|Mov)/.test(o.form) && /^(f|st|mxcsr|xmm)/.test(d.field))),
  },
  {
    id: 'image-tail',
    forms: /^(Fxsave|Fxrstor|Fldenv|Frstor)/,
    reason: 'TCG does not touch reserved bytes and FIP, FDP and FOP of an image, so a fault there is not met',
    explains: (_, o) =>
      o.native.trap === Trap.pageFault && o.emulated.trap === Trap.breakpoint && o.native.cr2 >= addressOf(o),
  },
  {
    id: 'maskmov-fault',
    forms: /^Maskmov/,
    reason:
      'TCG accesses only the bytes that the mask selects, one by one: CR2 of a fault is the first of those, and bytes before it are written',
    explains: (d, o) =>
      d.field === 'cr2' ||
      (d.field === 'error' && o.native.cr2 !== o.emulated.cr2) ||
      (d.field === 'memory' && o.native.trap === Trap.pageFault) ||
      (o.native.trap === Trap.pageFault && o.emulated.trap === Trap.breakpoint),
  },
  {
    id: 'mmx-fault-tags',
    forms: /mm/,
    reason: 'TCG enters MMX state before it accesses memory, so a fault leaves TOP and tags changed',
    explains: (d, o) => isX87Field(d) && isMemoryFault(o.native),
  },
  {
    id: 'mmx-convert',
    forms: /^Cvtpi2p[sd]_/,
    reason: 'TCG enters MMX state for the memory forms of CVTPI2PS and CVTPI2PD too',
    explains: (d) => isX87Field(d),
  },
  {
    id: 'emms-top',
    forms: /^Emms$/,
    reason: 'TCG sets TOP to 0 on EMMS; hardware leaves it',
    explains: (d) => d.field === 'fsw' || /^st\d$/.test(d.field),
  },
  {
    id: 'shift-double-16',
    forms: /^Sh[lr]d_rm16/,
    reason: 'the result of a 16-bit double shift by more than 16 is undefined (SDM vol. 2, SHLD, SHRD)',
    explains: () => true,
  },
  {
    id: 'cmpxchg-upper',
    forms: /^Cmpxchg_rm32_r32$/,
    reason:
      'a 32-bit CMPXCHG that fails leaves the upper half of a register destination on AMD, clears it on Intel and in TCG',
    explains: (d) => /^r/.test(d.field) && d.native % 2n ** 32n === d.emulated,
  },
  {
    id: 'bit-scan-zero',
    forms: /^Bs[fr]_r32_rm32$/,
    reason: 'with a zero source the destination is undefined (SDM vol. 2, BSF, BSR): AMD leaves 64 bits, TCG 32',
    explains: (d) => /^r/.test(d.field) && d.native % 2n ** 32n === d.emulated,
  },
  {
    id: 'popcnt-prefix',
    forms: /^Popcnt_r64_rm64$/,
    reason: 'TCG lets a redundant 66 win over REX.W in POPCNT',
    explains: (_, o) => prefixesOf(o).has(0x66),
  },
  {
    id: 'rep-loop',
    forms: /^Loopn?e_/,
    reason: 'F2 and F3 in front of LOOPcc are ignored by Intel and TCG, not by AMD',
    explains: (_, o) => prefixesOf(o).has(0xf2) || prefixesOf(o).has(0xf3),
  },
  {
    id: 'pcmpstr-ordered',
    forms: /^Pcmp[ei]str[im]/,
    reason: 'TCG misses partial matches at the end of a full register in the "equal ordered" aggregation',
    explains: (d, o) => /^(rcx|rflags|xmm0)$/.test(d.field) && ((o.bytes[o.bytes.length - 1] ?? 0) & 0x0c) === 0x0c,
  },
  {
    id: 'cmps-order',
    forms: /^Cmps[bwdq]_/,
    reason: 'when both operands of CMPS fault, hardware reports that at RSI, TCG that at RDI',
    explains: (d, o) => /^(cr2|trap)$/.test(d.field) && isMemoryFault(o.native) && isMemoryFault(o.emulated),
  },
  {
    id: 'wide-load',
    forms: SSE_FORMS,
    reason: 'TCG loads 8 or 16 bytes for a smaller memory operand, so it faults where hardware does not reach',
    explains: (_, o) =>
      o.emulated.trap === Trap.pageFault && o.native.trap !== Trap.pageFault && o.emulated.cr2 - addressOf(o) < 16n,
  },
  {
    id: 'pcmpestr-address',
    forms: /^Pcmpestr/,
    reason:
      'the engine refuses (#UD) PCMPESTRx with a length beyond 16 in rax or rdx when that register also addresses the operand',
    explains: (_, o) =>
      o.emulated.trap === Trap.invalidOpcode &&
      addressUses(o, [Register.RAX, Register.RDX, Register.EAX, Register.EDX]),
  },
  {
    id: 'stack-segment-class',
    forms: /./,
    reason:
      'a non-canonical operand is #SS when its base is rsp or rbp, else #GP: the engine does not always tell them apart',
    explains: (d, o) =>
      o.differences.length === 1 &&
      d.field === 'trap' &&
      [12n, 13n].includes(d.native) &&
      [12n, 13n].includes(d.emulated),
  },
  {
    id: 'group-rex',
    forms: /^Mov_rm\d+_imm/,
    reason: 'TCG takes a meaningless REX.R for part of the opcode extension and raises #UD',
    explains: (_, o) => o.emulated.trap === Trap.invalidOpcode && o.bytes.some((byte) => (byte & 0xf4) === 0x44),
  },
  {
    id: 'dot-product-zero',
    forms: /^Dpp[sd]_/,
    reason: 'TCG starts the sum of DPPS and DPPD from plus zero, so a negative zero is lost',
    explains: (d) => /^xmm/.test(d.field) && (lanesDiffer(d, 32n, isZeroSign32) || lanesDiffer(d, 64n, isZeroSign64)),
  },
  {
    id: 'branch-trap-order',
    forms: /^(Jmp|Call|Retnq)/,
    reason: 'with TF set a branch to a non-canonical address faults on hardware and traps at its target in TCG',
    explains: (_, o) => o.native.trap === Trap.generalProtection && o.emulated.trap === Trap.debug,
  },
  {
    id: 'int-4',
    forms: /^Int_imm8$/,
    reason: 'Linux lets ring 3 raise #OF by INT 4; the Stops of a Cpu have no kind for it, it is reported as #GP',
    explains: (_, o) => o.native.trap === Trap.overflow && o.emulated.trap === Trap.generalProtection,
  },
  {
    id: 'segment-base-prefix',
    forms: /^(Wr|Rd)[fg]sbase_r32$/,
    reason: 'with a redundant 66 prefix TCG moves 64 bits of the base',
    explains: (d, o) => d.native === d.emulated % 2n ** 32n && prefixesOf(o).has(0x66),
  },
  {
    id: 'nop-0f18-register',
    forms: /^Reservednop_rm\d+_r\d+_0F18$/,
    reason: 'TCG raises #UD for the register form of 0F 18; hardware treats it as a no-op',
    explains: (_, o) => o.emulated.trap === Trap.invalidOpcode,
  },
  {
    id: 'call-canonical',
    forms: /^Call_/,
    reason: 'a call to a non-canonical address faults before it pushes on hardware, behind the push in TCG',
    explains: (d, o) =>
      d.field === 'memory' && o.native.trap === Trap.generalProtection && o.emulated.trap === Trap.generalProtection,
  },
  {
    id: 'ret-imm-signed',
    forms: /^Retnq_imm16$/,
    reason: 'TCG adds the immediate of RET as a signed number',
    explains: (d) => d.field === 'rsp' && d.native - d.emulated === 0x10000n,
  },
  {
    id: 'clflush-probe',
    forms: /^(Clflush|Prefetch)/,
    reason: 'TCG treats CLFLUSH as a no-op: it does not fault',
    explains: (_, o) => o.emulated.trap !== o.native.trap && isMemoryFault(o.native),
  },
  {
    id: 'flags-at-fault',
    forms: /^(Rc[lr]|Set(n?[po]|n?[lgb]e?|n?[as]|n?e|[ab]e?))_/,
    reason:
      'TCG computes the lazy flags of earlier instructions before the access that faults, and then reports them by the old rule',
    explains: (d, o) => d.field === 'rflags' && isMemoryFault(o.native) && o.case.units.length > 1,
  },
  {
    id: 'pause-trap',
    forms: /^Pause$/,
    reason: 'TCG loses the single-step trap of a PAUSE',
    explains: (_, o) => o.native.trap === Trap.debug,
  },
  {
    id: 'max-min-daz',
    forms: /^(Max|Min)[ps][sd]_/,
    reason: 'with DAZ set MAX and MIN return a denormal operand as zero on hardware, unchanged in TCG',
    explains: (d, o) => /^xmm/.test(d.field) && (field16(o.case.fx, 24) & 0x40) !== 0,
  },
  {
    id: 'lock-neg-flags',
    forms: /^Neg_/,
    reason: 'TCG computes the flags of LOCK NEG from the operand, not from the result',
    explains: (d, o) => d.field === 'rflags' && prefixesOf(o).has(0xf0),
  },
  {
    id: 'sse-nan-choice',
    forms: SSE_FLOAT,
    reason: 'of two NaN operands SSE takes the first, TCG the one that the x87 rules take',
    explains: (d) =>
      /^xmm/.test(d.field) &&
      (lanesDiffer(d, 32n, (a, b) => isNan32(a) && isNan32(b)) ||
        lanesDiffer(d, 64n, (a, b) => isNan64(a) && isNan64(b))),
  },
  {
    id: 'sse-ftz',
    forms: SSE_FLOAT,
    reason: 'TCG applies MXCSR.FTZ to x87 results, not to SSE results',
    explains: (d, o) => /^xmm/.test(d.field) && (field16(o.case.fx, 24) & 0x8000) !== 0,
  },
  {
    id: 'x87-ftz',
    forms: X87,
    reason: 'TCG applies MXCSR.FTZ to x87 results',
    explains: (d, o) =>
      (/^st\d$/.test(d.field) || d.field === 'memory' || d.field === 'fsw') && (field16(o.case.fx, 24) & 0x8000) !== 0,
  },
  {
    id: 'x87-fstenv-masks',
    forms: /^F(n?stenv)_m/i,
    reason: 'FNSTENV masks all exceptions afterwards on hardware (SDM vol. 2, FSTENV); TCG leaves the masks',
    explains: (d) => d.field === 'fcw' && within(d, 0x3fn),
  },
  {
    id: 'x87-rexw',
    forms: /^F(n?stenv|n?save|ldenv|rstor)_m/i,
    reason: 'TCG takes another layout for the x87 environment when a REX.W prefix is present; hardware ignores it',
    explains: (_, o) => o.bytes.some((byte, i, all) => (byte & 0xf8) === 0x48 && ((all[i + 1] ?? 0) & 0xf8) === 0xd8),
  },
  {
    id: 'rex-high-byte',
    forms: /^(Lahf|Sahf)$/,
    reason: 'with a redundant REX prefix TCG takes SPL for AH in LAHF and SAHF',
    explains: (_, o) => o.bytes.some((byte) => (byte & 0xf0) === 0x40),
  },
  {
    id: 'privileged-order',
    forms: PRIVILEGED,
    reason: 'a hypervisor that emulates the instruction reads the operand before it refuses the privilege',
    explains: (_, o) => o.native.trap === Trap.pageFault && o.emulated.trap === Trap.generalProtection,
  },
  {
    id: 'stack-alignment-order',
    forms: /^(Fxsave|Fxrstor|Cmpxchg16b)/,
    reason: 'TCG checks alignment before the address, so a misaligned non-canonical stack operand is #GP, not #SS',
    explains: (_, o) => o.native.trap === Trap.stackFault && o.emulated.trap === Trap.generalProtection,
  },
  {
    id: 'phadds-alias',
    forms: /^Ph(add|sub)\w*_(xmm_xmmm128|mm_mmm64)$/,
    reason: 'TCG overwrites the source of PHADD and PHSUB while reading it when it is the destination too',
    explains: (d) => /^(xmm|st)\d/.test(d.field),
  },
];

/** Address of the explicit memory operand. */
const addressOf = (o: Observation) => effectiveAddress(o.bytes, BigInt(o.address), o.case.regs) ?? 0n;

const addressUses = (o: Observation, registers: readonly number[]) =>
  addressRegisters(o.bytes).some((r) => registers.includes(r));

/** True when the word differs only in bytes whose offset from `start` is accepted. */
function onlyBytes(d: Difference, start: bigint, accept: (offset: number) => boolean): boolean {
  for (let i = 0; i < 8; i++) {
    const isSame = (((d.native ^ d.emulated) >> BigInt(i * 8)) & 0xffn) === 0n;
    if (!isSame && !accept(Number(BigInt(d.address ?? 0) + BigInt(i) - start))) return false;
  }
  return true;
}

const isNan32 = (lane: bigint) => (lane & 0x7fffffffn) > 0x7f800000n;

const isZeroSign32 = (a: bigint, b: bigint) => ((a | b) & 0x7fffffffn) === 0n;
const isZeroSign64 = (a: bigint, b: bigint) => ((a | b) & ((1n << 63n) - 1n)) === 0n;
const isNan64 = (lane: bigint) => (lane & ((1n << 63n) - 1n)) > 0x7ff0000000000000n;

/** True when `accept` holds for every lane that differs. */
function lanesDiffer(d: Difference, bits: 32n | 64n, accept: (native: bigint, emulated: bigint) => boolean): boolean {
  const mask = (1n << bits) - 1n;
  for (let i = 0n; i < 128n; i += bits) {
    const a = (d.native >> i) & mask;
    const b = (d.emulated >> i) & mask;
    if (a !== b && !accept(a, b)) return false;
  }
  return true;
}

const isNan80 = (value: bigint) => ((value >> 64n) & 0x7fffn) === 0x7fffn && (value & ((1n << 63n) - 1n)) !== 0n;
const isOneBit = (bits: bigint) => bits !== 0n && (bits & (bits - 1n)) === 0n;

function isSseMemoryOperand(o: Observation): boolean {
  return /xmmm128|_m128/.test(o.form);
}

/** The entries that together account for every difference, or undefined when one is left. */
export function explain(o: Observation): KnownDifference[] | undefined {
  const ids = new Set<KnownDifference>();
  for (const d of o.differences) {
    const known = KNOWN_DIFFERENCES.find((k) => k.forms.test(o.form) && k.explains(d, o));
    if (!known) return undefined;
    ids.add(known);
  }
  return [...ids];
}
