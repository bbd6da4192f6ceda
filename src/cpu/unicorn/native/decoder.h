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
};

struct Insn {
  /** Bytes; 0 when `available` bytes do not hold the whole instruction. */
  uint8_t length = 0;
  /** One-byte opcode, or 0x0f00 | opcode of the two-byte map; escapes and vector maps are not told apart. */
  uint16_t opcode = 0;
  Special special = Special::none;
  uint8_t vector = 0;
  /** movs, cmps, stos, lods or scas with a repeat prefix: Unicorn runs each iteration as a block. */
  bool isRepString = false;
  bool isSyscall = false;
  /** A 0x67 prefix: a repeated string instruction counts in ecx. */
  bool addressSize32 = false;
  /** The memory operand or implicit access goes through SS (base rsp or rbp, push, pop, call, ret, enter, leave). */
  bool usesStackSegment = false;
};

/** Longest instruction that a processor accepts. */
constexpr int kMaxInsnLength = 15;

/** Decodes one instruction. Bytes that no processor accepts get some length from 1 up: they fault when run. */
Insn decodeInsn(const uint8_t* code, int available);

}  // namespace trapline

#endif
