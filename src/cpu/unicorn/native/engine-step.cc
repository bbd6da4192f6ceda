// SPDX-License-Identifier: MIT
//
// Stepping by the trap flag: blocks that are translated with TF set hold one instruction and are never mixed up
// with those of plain runs, and a rep traps after each iteration as on hardware. Where TF would become visible to
// the guest it is taken out again.

#include <cstring>

#include "engine.h"

namespace trapline {

namespace {
constexpr uint16_t kPushf = 0x9c;
constexpr uint16_t kPopf = 0x9d;
constexpr uint16_t kIret = 0xcf;
}  // namespace

Engine::StepResult Engine::stepOnce() {
  uint64_t* regs = control_->regs;
  uint64_t rip = regs[kRip];
  uint8_t code[kMaxInsnLength];
  int held = blocks_.code().fetch(machine_.root(), rip, code, kMaxInsnLength);
  Insn insn = decodeInsn(code, held);
  if (insn.special != Special::none) {
    control_->kind = static_cast<uint32_t>(stopAtSpecial(insn));
    return StepResult::stopped;
  }
  bool guestTraps = (regs[kRflags] & kTrapFlag) != 0;
  regs[kRflags] |= kTrapFlag;
  machine_.writeRegs(regs);
  event_ = Event::none;
  hot_.current = nullptr;
  stepping_ = true;
  setAttention(true);
  UcErr error = machine_.start(rip, 0);
  stepping_ = false;
  setAttention(false);
  machine_.readRegs(regs);
  // popf and iretq load TF from the stack; everything else leaves what was there.
  bool loadsFlags = insn.opcode == kPopf || insn.opcode == kIret;
  bool trapped = event_ == Event::interrupt && vector_ == 1;
  if (!guestTraps && !(trapped && loadsFlags)) regs[kRflags] &= ~kTrapFlag;
  if (event_ == Event::none) {
    fail(std::string("a step ended without a reason: ") + machine_.errorText(error));
    return StepResult::failed;
  }
  if (trapped) {
    hot_.left--;
    if (!guestTraps && insn.opcode == kPushf) {
      // The image on the stack holds the flag that only the engine wanted.
      blocks_.code().clearBits(machine_.root(), regs[4] + 1, 1);
    }
    if (!guestTraps) return StepResult::completed;
    control_->kind = static_cast<uint32_t>(Stop::debug);
    return StepResult::stopped;
  }
  if (event_ == Event::syscall) {
    hot_.left--;
    regs[kRip] = rip + insn.length;
    regs[kRcx] = regs[kRip];
    regs[kR11] = regs[kRflags];
    control_->kind = static_cast<uint32_t>(Stop::syscall);
    return StepResult::stopped;
  }
  if (event_ == Event::invalid) {
    control_->kind = static_cast<uint32_t>(Stop::invalidOpcode);
    return StepResult::stopped;
  }
  Stop kind = Stop::generalProtection;
  decodeInterrupt(&kind);
  if (kind == Stop::breakpoint) hot_.left--;
  control_->kind = static_cast<uint32_t>(kind);
  return failure_.empty() ? StepResult::stopped : StepResult::failed;
}

bool Engine::step(uint64_t viewAddress, const uint8_t* view, size_t viewLength) {
  if (inRun_) return fail("run or step was called inside a run");
  base_ = control_->instructions;
  granted_ = hot_.left = 0;
  if (control_->interrupt.exchange(0) != 0) return finish(Stop::interrupted);
  adoptTables();
  control_->blockStart = static_cast<double>(control_->regs[kRip]);
  if (viewLength > 0) {
    views_.show(machine_.root(), viewAddress, view, viewLength, [this](uint64_t frame) { invalidateCode(frame, 4096); });
    machine_.flushTlb();
  }
  inRun_ = true;
  StepResult result = stepOnce();
  inRun_ = false;
  if (viewLength > 0) {
    views_.hide([this](uint64_t frame) { invalidateCode(frame, 4096); });
    machine_.flushTlb();
  }
  if (result == StepResult::failed) return false;
  return finish(result == StepResult::stopped ? static_cast<Stop>(control_->kind) : Stop::budget);
}

}  // namespace trapline
