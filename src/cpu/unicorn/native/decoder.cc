// SPDX-License-Identifier: MIT
//
// A length decoder by table: one character per opcode says whether a ModRM byte and which immediate follow.

#include "decoder.h"

namespace trapline {

namespace {

// m ModRM; b ModRM+imm8; z ModRM+imm16/32; i imm8; Z imm16/32; V imm up to 64 bits; O memory offset; w imm16;
// E imm16+imm8; J imm32; g group 3; p prefix; u undefined; x escape; - nothing.
const char kOneByte[257] =
    "mmmmiZuummmmiZux" "mmmmiZuummmmiZuu" "mmmmiZpummmmiZpu" "mmmmiZpummmmiZpu"
    "pppppppppppppppp" "----------------" "uuxmppppZzib----" "iiiiiiiiiiiiiiii"
    "bzbbmmmmmmmmmmmm" "----------u-----" "OOOO----iZ------" "iiiiiiiiVVVVVVVV"
    "bbw-xxbzE-w--iu-" "mmmmuuu-mmmmmmmm" "iiiiiiiiJJui----" "p-pp--gg------mm";

const char kTwoByte[257] =
    "mmmmu-----u-um-b" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "--------xuxuuuuu"
    "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "bbbbmmm-mmmmmmmm"
    "JJJJJJJJJJJJJJJJ" "mmmmmmmmmmmmmmmm" "---mbmmm---mbmmm" "mmmmmmmmmmbmmmmm"
    "mmbmbbbm--------" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm";

struct Cursor {
  const uint8_t* code;
  int available;
  int at = 0;
  bool overrun = false;
  int modrmAt = 0xff;

  uint8_t next() {
    if (at >= available) {
      overrun = true;
      return 0;
    }
    return code[at++];
  }
  uint8_t peek() const { return at < available ? code[at] : 0; }
  void advance(int n) {
    at += n;
    if (at > available) overrun = true;
  }
};

struct Prefixes {
  bool lock = false;
  bool operand16 = false;
  bool address32 = false;
  bool segment = false;
  uint8_t repeat = 0;
  uint8_t rex = 0;
};

void assist(Insn* out, Quirk quirk) {
  out->special = Special::assisted;
  out->quirk = quirk;
}

// Reads ModRM, SIB and displacement; tells in `stack` whether the base register is rsp or rbp.
uint8_t readModRm(Cursor& c, uint8_t rex, bool* stack) {
  c.modrmAt = c.at;
  uint8_t modrm = c.next();
  int mod = modrm >> 6;
  int rm = modrm & 7;
  if (mod == 3) return modrm;
  bool rexB = (rex & 1) != 0;
  if (rm == 4) {
    uint8_t sib = c.next();
    int base = sib & 7;
    if (base == 5 && mod == 0) {
      c.advance(4);
    } else if ((base == 4 || base == 5) && !rexB) {
      *stack = true;
    }
  } else if (rm == 5 && mod == 0) {
    c.advance(4);
  } else if (rm == 5 && !rexB) {
    *stack = true;
  }
  if (mod == 1) c.advance(1);
  if (mod == 2) c.advance(4);
  return modrm;
}

void skipImmediate(Cursor& c, char form, const Prefixes& p) {
  int wide = p.operand16 && (p.rex & 8) == 0 ? 2 : 4;
  switch (form) {
    case 'b': case 'i': c.advance(1); break;
    case 'z': case 'Z': c.advance(wide); break;
    case 'V': c.advance((p.rex & 8) != 0 ? 8 : wide); break;
    case 'O': c.advance(p.address32 ? 4 : 8); break;
    case 'w': c.advance(2); break;
    case 'E': c.advance(3); break;
    case 'J': c.advance(4); break;
    default: break;
  }
}

bool isPortIo(uint8_t op) {
  return (op >= 0x6c && op <= 0x6f) || (op >= 0xe4 && op <= 0xe7) || (op >= 0xec && op <= 0xef);
}

bool isString(uint8_t op) {
  return (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf);
}

bool usesStackImplicitly(uint8_t op, uint8_t modrm) {
  if ((op >= 0x50 && op <= 0x5f) || op == 0x68 || op == 0x6a || op == 0x8f || op == 0x9c || op == 0x9d) return true;
  if (op == 0xc2 || op == 0xc3 || (op >= 0xc8 && op <= 0xcb) || op == 0xcf || op == 0xe8) return true;
  int reg = (modrm >> 3) & 7;
  return op == 0xff && (reg == 2 || reg == 3 || reg == 6);
}

// LOCK is legal on read-modify-write instructions with a memory destination only (SDM vol. 2, LOCK).
bool lockableOneByte(uint8_t op, uint8_t modrm) {
  if ((modrm >> 6) == 3) return false;
  int reg = (modrm >> 3) & 7;
  if (op < 0x40) return (op & 7) < 2 && op < 0x38;
  if (op >= 0x80 && op <= 0x83) return reg != 7;
  if (op == 0x86 || op == 0x87) return true;
  if (op == 0xf6 || op == 0xf7) return reg == 2 || reg == 3;
  if (op == 0xfe || op == 0xff) return reg < 2;
  return false;
}

bool lockableTwoByte(uint8_t op, uint8_t modrm) {
  if ((modrm >> 6) == 3) return false;
  int reg = (modrm >> 3) & 7;
  if (op == 0xab || op == 0xb3 || op == 0xbb || op == 0xb0 || op == 0xb1 || op == 0xc0 || op == 0xc1) return true;
  if (op == 0xba) return reg >= 5;
  return op == 0xc7 && reg == 1;
}

// Encodings without a meaning that Unicorn runs all the same, some with a length of its own.
bool undefinedForm(uint8_t op, const Prefixes& p, bool registerForm, int reg) {
  if (op == 0x78 || op == 0x79) return true;
  if (op == 0xc3) return registerForm || p.operand16 || p.repeat != 0;
  if (op == 0xae && registerForm) return p.repeat == 0xf3 ? reg > 3 : p.operand16 || p.repeat != 0;
  if (op == 0xae) return p.repeat != 0 || (p.operand16 && reg < 6);
  if (registerForm) return (op == 0x12 || op == 0x16) && p.operand16 && p.repeat == 0;
  if (op == 0x50 || op == 0xd7 || op == 0xf7 || op == 0xc5 || (op >= 0x71 && op <= 0x73)) return true;
  return op == 0xd6 && !p.operand16;
}

// VEX (c4, c5), EVEX (62): opcode map, ModRM, and an immediate in map 3 and a few opcodes of map 1.
void decodeVector(Cursor& c, uint8_t op, Insn* out) {
  int map = 1;
  if (op == 0xc4) {
    map = c.next() & 31;
    c.advance(1);
  } else if (op == 0xc5) {
    c.advance(1);
  } else {
    map = c.next() & 7;
    c.advance(2);
  }
  uint8_t opcode = c.next();
  if (map == 1 && opcode == 0x77 && op != 0x62) return;
  readModRm(c, 0, &out->stackOperand);
  bool immediate = map == 3 || (map == 1 && ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 ||
                                             (opcode >= 0xc4 && opcode <= 0xc6)));
  if (immediate) c.advance(1);
}

void decodeTwoByte(Cursor& c, const Prefixes& p, Insn* out) {
  uint8_t op = c.next();
  out->opcode = static_cast<uint16_t>(0x0f00 | op);
  bool stack = false;
  uint8_t modrm = 0;
  if (op == 0x38 || op == 0x3a) {
    uint8_t opcode = c.next();
    modrm = readModRm(c, p.rex, &stack);
    if (op == 0x3a) c.advance(1);
    bool mmx = !p.operand16 && p.repeat == 0 && (op == 0x3a ? opcode == 0x0f : opcode <= 0x1e);
    int extends = (modrm >> 6) == 3 ? 5 : 4;
    if (mmx && (p.rex & extends) != 0) assist(out, Quirk::mmxRex);
    if (op == 0x3a && p.operand16 && (opcode == 0x60 || opcode == 0x61)) assist(out, Quirk::stringLengths);
    bool movbeRegister = op == 0x38 && (opcode == 0xf0 || opcode == 0xf1) && p.repeat != 0xf2 && (modrm >> 6) == 3;
    if (p.lock || movbeRegister) out->special = Special::undefined;
  } else if (op >= 0x20 && op <= 0x23) {
    // Moves to and from control and debug registers ignore the mod field.
    c.advance(1);
  } else {
    char form = kTwoByte[op];
    bool hasModRm = form == 'm' || form == 'b';
    if (hasModRm) modrm = readModRm(c, p.rex, &stack);
    skipImmediate(c, form, p);
    int reg = (modrm >> 3) & 7;
    bool registerForm = hasModRm && (modrm >> 6) == 3;
    if (op == 0xc7 && reg == 1 && !registerForm) {
      out->special = Special::startsBlock;
      out->quirk = Quirk::lazyFlags;
    }
    if (op == 0xae && registerForm && p.repeat == 0xf3 && (reg == 2 || reg == 3)) assist(out, Quirk::segmentBase);
    if (undefinedForm(op, p, registerForm, reg)) out->special = Special::undefined;
    // XSAVE is not offered: CR4.OSXSAVE is clear.
    if (op == 0x01 && (modrm == 0xd0 || modrm == 0xd1)) out->special = Special::undefined;
    bool xsave = op == 0xae && !registerForm && (reg == 4 || reg == 5 || (reg == 6 && !p.operand16));
    if (xsave || (op == 0xc7 && !registerForm && reg >= 3 && reg <= 5)) out->special = Special::undefined;
    out->writesGs = op == 0xa9 || op == 0xb5 || (op == 0xae && registerForm && p.repeat == 0xf3 && reg == 3);
    if (p.lock && !lockableTwoByte(op, modrm)) out->special = Special::undefined;
    if (op == 0x05) out->isSyscall = !p.lock;
    if (op == 0x34) out->special = Special::undefined;
    if (op == 0xc7 && registerForm && (reg == 6 || (reg == 7 && p.repeat != 0xf3))) {
      out->special = Special::undefined;
    }
    if (op == 0xa0 || op == 0xa1 || op == 0xa8 || op == 0xa9) out->implicitStack = true;
    // These raise #GP for other reasons (privilege, alignment) with the same error code.
    if (op == 0x00 || op == 0x01 || op == 0xc7 || (op == 0xae && reg < 2)) stack = false;
    if ((op == 0xa4 || op == 0xac) && (modrm & 0xc7) == 5) assist(out, Quirk::ripShift);
    bool byOverflowOrParity = op == 0x90 || op == 0x91 || op == 0x9a || op == 0x9b;
    if (byOverflowOrParity && !registerForm) {
      out->special = Special::startsBlock;
      out->quirk = Quirk::lazyFlags;
    }
  }
  if (stack && !p.segment) out->stackOperand = true;
}

}  // namespace

Insn decodeInsn(const uint8_t* code, int available, bool screenGs) {
  Insn out;
  Cursor c{code, available < kMaxInsnLength ? available : kMaxInsnLength};
  Prefixes p;
  uint8_t op = c.next();
  while (!c.overrun && kOneByte[op] == 'p') {
    if ((op & 0xf0) == 0x40) {
      p.rex = op;
      out.rexAt = static_cast<uint8_t>(c.at - 1);
    } else {
      p.rex = 0;
      out.rexAt = 0xff;
      if (op == 0xf0) {
        p.lock = true;
        out.lockAt = static_cast<uint8_t>(c.at - 1);
      }
      if (op == 0xf2 || op == 0xf3) p.repeat = op;
      else if (op == 0x66) p.operand16 = true;
      else if (op == 0x67) p.address32 = true;
      else if (op == 0x64 || op == 0x65) p.segment = true;
    }
    op = c.next();
  }
  out.opcode = op;
  if (op == 0x0f) {
    decodeTwoByte(c, p, &out);
  } else if (op == 0xc4 || op == 0xc5 || op == 0x62) {
    // No AVX, and BMI is not offered: every instruction in this form is undefined, though Unicorn runs some.
    decodeVector(c, op, &out);
    out.special = Special::undefined;
  } else {
    char form = kOneByte[op];
    bool stack = false;
    uint8_t modrm = 0;
    if (form == 'm' || form == 'b' || form == 'z' || form == 'g') modrm = readModRm(c, p.rex, &stack);
    if (form == 'g') {
      if (((modrm >> 3) & 7) < 2) skipImmediate(c, op == 0xf6 ? 'b' : 'z', p);
    } else if (op == 0xcd) {
      out.special = Special::softInterrupt;
      out.vector = c.next();
    } else {
      skipImmediate(c, form, p);
    }
    int reg = (modrm >> 3) & 7;
    bool memoryForm = form != '-' && (modrm >> 6) != 3;
    if (op == 0xf1) out.special = Special::icebp;
    if (op == 0xe0 || op == 0xe1) {
      out.special = Special::startsBlock;
      out.quirk = Quirk::lazyFlags;
    }
    bool rotates = op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op <= 0xd3);
    if (rotates && memoryForm && (reg == 2 || reg == 3)) assist(&out, Quirk::rotateMemory);
    if ((op == 0xf6 || op == 0xf7) && p.lock && memoryForm && reg == 3) assist(&out, Quirk::lockNeg);
    if (op == 0xc2 && !c.overrun && (code[c.at - 1] & 0x80) != 0) assist(&out, Quirk::retImmediate);
    if (op == 0x90 && p.repeat == 0xf3 && (p.rex & 1) == 0) out.quirk = Quirk::pause;
    if ((op == 0x8f || op == 0xc6 || op == 0xc7) && reg != 0) out.special = Special::undefined;
    out.writesGs = op == 0x8e && reg == 5;
    if (isPortIo(op)) out.special = Special::portIo;
    if (p.repeat != 0 && isString(op)) out.isRepString = true;
    if (p.lock && !lockableOneByte(op, modrm)) out.special = Special::undefined;
    // LEA computes an address without an access.
    out.stackOperand = op != 0x8d && stack && !p.segment;
    out.implicitStack = usesStackImplicitly(op, modrm);
  }
  if (screenGs && out.writesGs && out.special != Special::undefined) {
    out.special = Special::gsWrite;
    out.quirk = Quirk::none;
  }
  if (out.special == Special::undefined) out.quirk = Quirk::none;
  out.addressSize32 = p.address32;
  out.length = c.overrun ? 0 : static_cast<uint8_t>(c.at);
  out.modrmAt = static_cast<uint8_t>(c.modrmAt);
  // An overlong instruction faults by itself, before anything special in it counts.
  if (c.overrun) {
    out.special = Special::none;
    out.quirk = Quirk::none;
  }
  return out;
}

}  // namespace trapline
