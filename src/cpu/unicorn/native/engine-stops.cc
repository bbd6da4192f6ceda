// SPDX-License-Identifier: MIT
//
// From what Unicorn reports to the stop that hardware and Linux would give, and the exact count of instructions
// when a block did not run to its end.

#include <cstring>

#include "engine.h"

namespace trapline {

namespace {
// Page-fault error code (SDM vol. 3, 4.7).
constexpr uint32_t kFaultPresent = 1;
constexpr uint32_t kFaultWrite = 2;
constexpr uint32_t kFaultFetch = 16;
}  // namespace

Insn Engine::insnAt(uint64_t rip) {
  uint8_t bytes[kMaxInsnLength];
  int n = blocks_.code().fetch(static_cast<uint64_t>(control_->root), rip, bytes, kMaxInsnLength);
  return decodeInsn(bytes, n, screenGs_);
}

void Engine::decodeInterrupt(Stop* kind) {
  uint32_t errorCode = 0;
  bool leavesPending = vector_ == 0 || (vector_ >= 8 && vector_ <= 14 && vector_ != 9);
  if (leavesPending) errorCode = machine_->settleFault();
  switch (vector_) {
    case 0: *kind = Stop::divideError; break;
    case 1: *kind = Stop::debug; break;
    case 3: *kind = Stop::breakpoint; break;
    case 12: *kind = Stop::stackFault; break;
    case 13: {
      // Unicorn raises #GP for every non-canonical address; through SS it is #SS.
      if (!isCanonical(control_->regs[kRip])) {
        unwindBranch();
        *kind = Stop::generalProtection;
        break;
      }
      Insn insn = insnAt(control_->regs[kRip]);
      uint64_t rsp = control_->regs[kRsp];
      bool badStack = insn.implicitStack && !(isCanonical(rsp) && isCanonical(rsp - 8));
      bool stack = errorCode == 0 && (insn.stackOperand || badStack);
      *kind = stack ? Stop::stackFault : Stop::generalProtection;
      break;
    }
    case 14:
      *kind = Stop::pageFault;
      control_->address = machine_->read(kRegCr2);
      control_->present = (errorCode & kFaultPresent) != 0;
      control_->access = static_cast<uint32_t>((errorCode & kFaultFetch) != 0   ? Access::execute
                                               : (errorCode & kFaultWrite) != 0 ? Access::write
                                                                                : Access::read);
      break;
    case 16: *kind = Stop::fpuError; break;
    case 17:
      *kind = Stop::alignmentCheck;
      control_->address = machine_->read(kRegCr2);
      break;
    case 19: *kind = Stop::simdError; break;
    default: fail("Unicorn raised exception " + std::to_string(vector_) + ", which ring 3 cannot cause"); break;
  }
}

Stop Engine::stopAtSpecial(const Insn& insn) {
  uint64_t* regs = control_->regs;
  switch (insn.special) {
    case Special::softInterrupt:
      if (insn.vector == 0x80 || insn.vector == 3) {
        regs[kRip] += insn.length;
        hot_.left--;
        control_->vector = insn.vector;
        return insn.vector == 3 ? Stop::breakpoint : Stop::softInterrupt;
      }
      // Linux opens no other gate to ring 3 (arch/x86/kernel/idt.c) but that of into, which 64-bit code has not.
      return Stop::generalProtection;
    case Special::icebp:
      regs[kRip] += insn.length;
      hot_.left--;
      return Stop::debug;
    case Special::undefined: return Stop::invalidOpcode;
    default: return Stop::generalProtection;
  }
}

void Engine::unwindBranch() {
  // Unicorn takes a branch to a non-canonical address and faults there; the processor faults at the branch.
  if (hot_.current == nullptr) return;
  const BlockInfo& info = blocks_.info(static_cast<uint32_t>(hot_.current - blocks_.entries()));
  uint8_t bytes[kMaxInsnLength];
  uint64_t at = info.address;
  uint64_t end = info.address + info.size;
  for (;;) {
    int n = blocks_.code().fetch(machine_->root(), at, bytes, kMaxInsnLength);
    Insn insn = decodeInsn(bytes, n);
    if (insn.length == 0) return;
    if (at + insn.length < end) {
      at += insn.length;
      continue;
    }
    uint64_t* regs = control_->regs;
    int reg = insn.modrmAt != 0xff ? (bytes[insn.modrmAt] >> 3) & 7 : 0;
    if (insn.opcode == 0xff && reg == 2) regs[kRsp] += 8;
    if (insn.opcode == 0xc3) regs[kRsp] -= 8;
    if (insn.opcode == 0xc2) regs[kRsp] -= 8u + (bytes[insn.length - 2] | (bytes[insn.length - 1] << 8));
    regs[kRip] = at;
    return;
  }
}

int64_t Engine::instructionsBefore(uint64_t address, uint64_t rip, bool* boundary) {
  int64_t count = 0;
  uint8_t bytes[64];
  int held = 0;
  uint64_t from = 0;
  while (address < rip) {
    if (address < from || address + kMaxInsnLength > from + static_cast<uint64_t>(held)) {
      from = address;
      held = blocks_.code().fetch(machine_->root(), address, bytes, sizeof bytes);
    }
    Insn insn = decodeInsn(bytes + (address - from), static_cast<int>(from + static_cast<uint64_t>(held) - address));
    if (insn.length == 0) break;
    address += insn.length;
    count++;
  }
  if (boundary != nullptr) *boundary = address == rip;
  return count;
}

void Engine::settleCount(uint64_t rip) {
  if (repLoops_) {
    settleRep(control_->regs[kRcx]);
    hot_.current = nullptr;
    return;
  }
  settleRep(0);
  if (hot_.current == nullptr) return;
  const BlockInfo& info = blocks_.info(static_cast<uint32_t>(hot_.current - blocks_.entries()));
  hot_.current = nullptr;
  // A fault outside the block is the fetch of the next one.
  if (rip < info.address || rip >= info.address + info.size) return;
  hot_.left += info.count - instructionsBefore(info.address, rip);
}

void Engine::settleRep(uint64_t rcx) {
  if (repLoops_) {
    uint64_t iterations = repStart_ - rcx;
    if (rep32_) iterations &= 0xffffffff;
    hot_.left += repVisits_ - static_cast<int64_t>(iterations);
    repLoops_ = false;
  }
  repAddress_ = 0;
  setAttention(false);
}

void Engine::settleRepAt(uint64_t rip) {
  uint64_t* regs = control_->regs;
  if (repAddress_ == rip && repAddress_ != 0) {
    // The last iteration is over: the processor would be past the instruction. Entered anew, it would count once more.
    if (isRepOver(regs[kRcx])) regs[kRip] = rip + repLength_;
  }
  settleRep(regs[kRcx]);
}

}  // namespace trapline
