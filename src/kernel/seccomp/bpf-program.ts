// SPDX-License-Identifier: MIT
//
// Classic BPF as seccomp takes it: the checks of a program and its interpreter. A program is an array of words, two
// an instruction, so that running it allocates nothing. Models Linux net/core/filter.c (bpf_check_classic) and
// kernel/seccomp.c (seccomp_check_filter).

import { savable } from '../../base/savable.ts';
import {
  BPF_A,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_DIV,
  BPF_IMM,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MAXINSNS,
  BPF_MEM,
  BPF_MEMWORDS,
  BPF_MISC,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
  BPF_XOR,
  SECCOMP_RET_KILL_THREAD,
  SeccompData,
} from '../../abi/seccomp.ts';

/** Sixteen 32-bit words: struct seccomp_data. */
export type FilterInput = Uint32Array;

const DATA_WORDS = SeccompData.size / 4;
const WORD_BITS = 32;

/** Every instruction that seccomp allows. */
const ALLOWED: ReadonlySet<number> = new Set([
  BPF_LD | BPF_W | BPF_ABS,
  BPF_LD | BPF_W | BPF_LEN,
  BPF_LDX | BPF_W | BPF_LEN,
  BPF_LD | BPF_IMM,
  BPF_LDX | BPF_IMM,
  BPF_LD | BPF_MEM,
  BPF_LDX | BPF_MEM,
  BPF_ST,
  BPF_STX,
  ...[BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_XOR].flatMap((op) => [
    BPF_ALU | op | BPF_K,
    BPF_ALU | op | BPF_X,
  ]),
  BPF_ALU | BPF_NEG,
  BPF_JMP | BPF_JA,
  ...[BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET].flatMap((op) => [BPF_JMP | op | BPF_K, BPF_JMP | op | BPF_X]),
  BPF_RET | BPF_K,
  BPF_RET | BPF_A,
  BPF_MISC | BPF_TAX,
  BPF_MISC | BPF_TXA,
]);

const isJump = (code: number): boolean => (code & 7) === BPF_JMP;

/** Scratch memory of the program that runs; each word is stored to before it is read. */
const scratch = new Int32Array(BPF_MEMWORDS);

/** A program that has passed the checks. */
export class BpfProgram {
  /** Two words an instruction: code, jt and jf in the first, k in the second. */
  private readonly words: Uint32Array;

  private constructor(words: Uint32Array) {
    this.words = words;
  }

  /** Instructions. */
  get length(): number {
    return this.words.length / 2;
  }

  /** struct sock_filter[], as it was given. */
  bytes(): Uint8Array {
    return new Uint8Array(this.words.slice().buffer);
  }

  /** Checks struct sock_filter[]; undefined for what Linux refuses with EINVAL. */
  static check(words: Uint32Array): BpfProgram | undefined {
    const length = words.length / 2;
    if (length === 0 || length > BPF_MAXINSNS) return undefined;
    for (let pc = 0; pc < length; pc++) {
      if (!isValid(words, pc, length)) return undefined;
    }
    const last = (words[2 * length - 2] as number) & 0xffff;
    if (last !== (BPF_RET | BPF_K) && last !== (BPF_RET | BPF_A)) return undefined;
    return storesBeforeLoads(words, length) ? new BpfProgram(words) : undefined;
  }

  /** The value that the program returns for `data`, as a signed word. */
  run(data: FilterInput): number {
    const words = this.words;
    let a = 0;
    let x = 0;
    for (let at = 0; ; at += 2) {
      const head = words[at] as number;
      const k = words[at + 1] as number;
      switch (head & 0xffff) {
        case BPF_LD | BPF_W | BPF_ABS:
          a = (data[k >>> 2] as number) | 0;
          break;
        case BPF_LD | BPF_W | BPF_LEN:
          a = SeccompData.size;
          break;
        case BPF_LDX | BPF_W | BPF_LEN:
          x = SeccompData.size;
          break;
        case BPF_LD | BPF_IMM:
          a = k | 0;
          break;
        case BPF_LDX | BPF_IMM:
          x = k | 0;
          break;
        case BPF_LD | BPF_MEM:
          a = scratch[k] as number;
          break;
        case BPF_LDX | BPF_MEM:
          x = scratch[k] as number;
          break;
        case BPF_ST:
          scratch[k] = a;
          break;
        case BPF_STX:
          scratch[k] = x;
          break;
        case BPF_MISC | BPF_TAX:
          x = a;
          break;
        case BPF_MISC | BPF_TXA:
          a = x;
          break;
        case BPF_ALU | BPF_ADD | BPF_K:
          a = (a + k) | 0;
          break;
        case BPF_ALU | BPF_ADD | BPF_X:
          a = (a + x) | 0;
          break;
        case BPF_ALU | BPF_SUB | BPF_K:
          a = (a - k) | 0;
          break;
        case BPF_ALU | BPF_SUB | BPF_X:
          a = (a - x) | 0;
          break;
        case BPF_ALU | BPF_MUL | BPF_K:
          a = Math.imul(a, k);
          break;
        case BPF_ALU | BPF_MUL | BPF_X:
          a = Math.imul(a, x);
          break;
        case BPF_ALU | BPF_DIV | BPF_K:
          a = ((a >>> 0) / k) | 0;
          break;
        case BPF_ALU | BPF_DIV | BPF_X:
          // A division by zero ends the program with zero.
          if (x === 0) return SECCOMP_RET_KILL_THREAD;
          a = Math.trunc((a >>> 0) / (x >>> 0)) | 0;
          break;
        case BPF_ALU | BPF_OR | BPF_K:
          a |= k;
          break;
        case BPF_ALU | BPF_OR | BPF_X:
          a |= x;
          break;
        case BPF_ALU | BPF_AND | BPF_K:
          a &= k;
          break;
        case BPF_ALU | BPF_AND | BPF_X:
          a &= x;
          break;
        case BPF_ALU | BPF_XOR | BPF_K:
          a ^= k;
          break;
        case BPF_ALU | BPF_XOR | BPF_X:
          a ^= x;
          break;
        case BPF_ALU | BPF_LSH | BPF_K:
          a <<= k;
          break;
        case BPF_ALU | BPF_LSH | BPF_X:
          a <<= x;
          break;
        case BPF_ALU | BPF_RSH | BPF_K:
          a = (a >>> k) | 0;
          break;
        case BPF_ALU | BPF_RSH | BPF_X:
          a = (a >>> x) | 0;
          break;
        case BPF_ALU | BPF_NEG:
          a = -a | 0;
          break;
        case BPF_JMP | BPF_JA:
          at += 2 * k;
          break;
        case BPF_JMP | BPF_JEQ | BPF_K:
          at += branch(head, a === (k | 0));
          break;
        case BPF_JMP | BPF_JEQ | BPF_X:
          at += branch(head, a === x);
          break;
        case BPF_JMP | BPF_JGT | BPF_K:
          at += branch(head, a >>> 0 > k);
          break;
        case BPF_JMP | BPF_JGT | BPF_X:
          at += branch(head, a >>> 0 > x >>> 0);
          break;
        case BPF_JMP | BPF_JGE | BPF_K:
          at += branch(head, a >>> 0 >= k);
          break;
        case BPF_JMP | BPF_JGE | BPF_X:
          at += branch(head, a >>> 0 >= x >>> 0);
          break;
        case BPF_JMP | BPF_JSET | BPF_K:
          at += branch(head, (a & k) !== 0);
          break;
        case BPF_JMP | BPF_JSET | BPF_X:
          at += branch(head, (a & x) !== 0);
          break;
        case BPF_RET | BPF_A:
          return a;
        default:
          // The check lets nothing else through than BPF_RET | BPF_K.
          return k | 0;
      }
    }
  }

  /**
   * The value that the program returns for a number and architecture whatever the arguments are; undefined when it
   * looks at more than these. Linux does the same to let such calls pass without a run (seccomp_is_const_allow).
   */
  constantResult(nr: number, arch: number): number | undefined {
    const words = this.words;
    let a = 0;
    for (let at = 0; at < words.length; at += 2) {
      const head = words[at] as number;
      const k = words[at + 1] as number;
      switch (head & 0xffff) {
        case BPF_LD | BPF_W | BPF_ABS:
          if (k === SeccompData.nr) a = nr;
          else if (k === SeccompData.arch) a = arch | 0;
          else return undefined;
          break;
        case BPF_JMP | BPF_JA:
          at += 2 * k;
          break;
        case BPF_JMP | BPF_JEQ | BPF_K:
          at += branch(head, a === (k | 0));
          break;
        case BPF_JMP | BPF_JGE | BPF_K:
          at += branch(head, a >>> 0 >= k);
          break;
        case BPF_JMP | BPF_JGT | BPF_K:
          at += branch(head, a >>> 0 > k);
          break;
        case BPF_JMP | BPF_JSET | BPF_K:
          at += branch(head, (a & k) !== 0);
          break;
        case BPF_ALU | BPF_AND | BPF_K:
          a &= k;
          break;
        case BPF_RET | BPF_K:
          return k | 0;
        default:
          return undefined;
      }
    }
    return undefined;
  }
}

/** Words to skip after a conditional jump. */
function branch(head: number, isTaken: boolean): number {
  return 2 * (isTaken ? (head >>> 16) & 0xff : head >>> 24);
}

function isValid(words: Uint32Array, pc: number, length: number): boolean {
  const head = words[2 * pc] as number;
  const k = words[2 * pc + 1] as number;
  const code = head & 0xffff;
  if (!ALLOWED.has(code)) return false;
  if (isJump(code)) {
    if (code === (BPF_JMP | BPF_JA)) return k < length - pc - 1;
    return pc + 1 + ((head >>> 16) & 0xff) < length && pc + 1 + (head >>> 24) < length;
  }
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
      return k % 4 === 0 && k / 4 < DATA_WORDS;
    case BPF_ALU | BPF_DIV | BPF_K:
      return k !== 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      return k < WORD_BITS;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
      return k < BPF_MEMWORDS;
    default:
      return true;
  }
}

/** Whether, on every path, a word of scratch memory is stored to before it is loaded. Jumps only go forward. */
function storesBeforeLoads(words: Uint32Array, length: number): boolean {
  const reaching = new Uint16Array(length).fill(0xffff);
  let stored = 0;
  const meet = (pc: number): void => {
    reaching[pc] = (reaching[pc] as number) & stored;
  };
  for (let pc = 0; pc < length; pc++) {
    stored &= reaching[pc] as number;
    const head = words[2 * pc] as number;
    const k = words[2 * pc + 1] as number;
    switch (head & 0xffff) {
      case BPF_ST:
      case BPF_STX:
        stored |= 1 << k;
        break;
      case BPF_LD | BPF_MEM:
      case BPF_LDX | BPF_MEM:
        if ((stored & (1 << k)) === 0) return false;
        break;
      case BPF_JMP | BPF_JA:
        meet(pc + 1 + k);
        stored = 0xffff;
        break;
      default:
        if (!isJump(head & 0xffff)) break;
        meet(pc + 1 + ((head >>> 16) & 0xff));
        meet(pc + 1 + (head >>> 24));
        stored = 0xffff;
    }
  }
  return true;
}

savable('kernel/seccomp/bpf-program', { BpfProgram });
