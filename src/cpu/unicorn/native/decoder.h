// SPDX-License-Identifier: MIT
//
// Lengths of x86-64 instructions, and recognition of those that Unicorn does not report as hardware would.
// Models SDM vol. 2, chapter 2 (formats) and appendix A (opcode maps).

#ifndef TRAPLINE_DECODER_H
#define TRAPLINE_DECODER_H

#include <cstdint>

namespace trapline {

/** What the engine must do itself in place of letting Unicorn run the instruction. */
enum class Special : uint8_t {
  none,
  /** int n, n in `vector`. */
  softInterrupt,
  icebp,
  /** in, out, ins, outs: no ring-3 program has a port. */
  portIo,
  /** Raises #UD on the machine that we model. */
  undefined,
  /** Writes the GS selector or base, and the caller wants to see that. */
  gsWrite,
  /** Right only as the first instruction of a block: see Quirk. */
  startsBlock,
  /** Runs by a step, with what `quirk` says done before or after. */
  assisted,
};

/** Why Unicorn's own execution of an instruction will not do (libunicorn 2.1.4; each has a conformance test). */
enum class Quirk : uint8_t {
  none,
  /** pcmpestri, pcmpestrm: lengths that it cannot clamp make it read far outside its own memory. */
  stringLengths,
  /**
   * loope, loopne, cmpxchg8b, cmpxchg16b take the flags of an earlier block for those of this one; setcc in memory by
   * overflow or parity loses them when it faults.
   */
  lazyFlags,
  /** SSSE3 and later on MMX registers: REX.R and REX.B select registers that do not exist. */
  mmxRex,
  /** lock neg: flags of the operand in place of the result. */
  lockNeg,
  /** ret imm16: the immediate is taken as signed. */
  retImmediate,
  /** wrfsbase, wrgsbase: a non-canonical base is taken. */
  segmentBase,
  /** rcl, rcr in memory: flags change before a store that faults. */
  rotateMemory,
  /** shld, shrd with an immediate and a RIP-relative operand: the address is one too low. */
  ripShift,
  /** pause: forgets the trap flag. Only matters to steps. */
  pause,
};

struct Insn {
  /** Bytes; 0 when `available` bytes do not hold the whole instruction. */
  uint8_t length = 0;
  /** One-byte opcode, or 0x0f00 | opcode of the two-byte map; escapes and vector maps are not told apart. */
  uint16_t opcode = 0;
  Special special = Special::none;
  Quirk quirk = Quirk::none;
  /** Offset of the ModRM byte, of the REX prefix and of a LOCK prefix; 0xff when there is none. */
  uint8_t modrmAt = 0xff;
  uint8_t rexAt = 0xff;
  uint8_t lockAt = 0xff;
  /** Writes the GS selector or base: mov, pop, lgs, wrgsbase. */
  bool writesGs = false;
  uint8_t vector = 0;
  /** movs, cmps, stos, lods or scas with a repeat prefix: Unicorn runs each iteration as a block. */
  bool isRepString = false;
  bool isSyscall = false;
  /** A 0x67 prefix: a repeated string instruction counts in ecx. */
  bool addressSize32 = false;
  /** The memory operand goes through SS: base rsp or rbp, no segment prefix. */
  bool stackOperand = false;
  /** push, pop, call, ret, enter, leave and the like. */
  bool implicitStack = false;
};

/** Longest instruction that a processor accepts. */
constexpr int kMaxInsnLength = 15;

/**
 * Decodes one instruction. Bytes that no processor accepts get some length from 1 up: they fault when run.
 * @param screenGs tell writers of GS apart as Special::gsWrite
 */
Insn decodeInsn(const uint8_t* code, int available, bool screenGs = false);

}  // namespace trapline

#endif
