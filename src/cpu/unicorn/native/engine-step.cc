// SPDX-License-Identifier: MIT
//
// Stepping: one instruction (one iteration of a rep) on a second Unicorn instance that never does anything else,
// for after a plain run cached blocks make `count=1` execute whole blocks. Its translations do not see what the
// runner stores, so the bytes of each instruction are compared with those of its last translation.

#include <cstring>

#include "engine.h"

namespace trapline {

namespace {
constexpr size_t kStepSlots = 1 << 14;
}

bool Engine::makeStepper() {
  if (stepper_ != nullptr) return true;
  auto machine = std::make_unique<Machine>(api_, memory_, bytes_);
  std::string error;
  if (!machine->boot(this, &error)) return fail("the stepping instance: " + error);
  stepper_ = std::move(machine);
  stepCode_.resize(kStepSlots);
  return true;
}

void Engine::refreshStepperCode(uint64_t rip) {
  const CodeView& code = blocks_.code();
  CodeView::Page page = code.page(stepper_->root(), rip);
  if (page.bytes == nullptr) return;
  StepCode now{};
  now.physical = static_cast<uint64_t>(page.bytes - memory_) + (rip & 4095);
  int n = code.fetch(stepper_->root(), rip, now.bytes, kMaxInsnLength);
  Insn insn = decodeInsn(now.bytes, n);
  now.length = insn.length != 0 ? insn.length : static_cast<uint8_t>(n);
  std::memset(now.bytes + now.length, 0, sizeof now.bytes - now.length);
  StepCode& known = stepCode_[(now.physical ^ (now.physical >> 14)) & (kStepSlots - 1)];
  if (known.physical == now.physical && known.length == now.length &&
      std::memcmp(known.bytes, now.bytes, sizeof now.bytes) == 0) {
    return;
  }
  known = now;
  uint64_t root = stepper_->root();
  stepper_->setRoot(layout::kFlatRoot);
  stepper_->removeCache(now.physical, now.physical + 1);
  stepper_->setRoot(root);
}

Engine::StepResult Engine::stepOnce() {
  StepResult result;
  uint64_t* regs = control_->regs;
  active_ = stepper_.get();
  adoptTables(*stepper_);
  Insn insn = insnAt(regs[kRip]);
  if (insn.special != Special::none) {
    control_->kind = static_cast<uint32_t>(stopAtSpecial(insn));
    result.stopped = true;
    return result;
  }
  refreshStepperCode(regs[kRip]);
  stepper_->writeRegs(regs);
  event_ = Event::none;
  uint64_t rip = regs[kRip];
  UcErr code = stepper_->start(rip, 1);
  stepped_ = true;
  stepper_->readRegs(regs);
  switch (event_) {
    case Event::none:
      if (code != 0) {
        fail(std::string("a step failed: ") + api_.strerror(code));
        result.failed = true;
        return result;
      }
      left_--;
      // The processor leaves a repeated instruction with its last iteration; Unicorn looks at the counter once more.
      if (insn.isRepString && regs[kRip] == rip) {
        uint64_t left = insn.addressSize32 ? regs[kRcx] & 0xffffffff : regs[kRcx];
        if (left == 0) regs[kRip] = rip + insn.length;
      }
      return result;
    case Event::interrupt: {
      Stop kind = Stop::generalProtection;
      decodeInterrupt(*stepper_, &kind);
      // Traps come after their instruction, faults in place of it.
      if (kind == Stop::breakpoint || kind == Stop::debug) left_--;
      control_->kind = static_cast<uint32_t>(kind);
      result.failed = !failure_.empty();
      result.stopped = true;
      return result;
    }
    case Event::syscall:
      left_--;
      regs[kRip] = rip + insn.length;
      regs[kRcx] = regs[kRip];
      regs[kR11] = regs[kRflags];
      control_->kind = static_cast<uint32_t>(Stop::syscall);
      result.stopped = true;
      return result;
    default:
      control_->kind = static_cast<uint32_t>(Stop::invalidOpcode);
      result.stopped = true;
      return result;
  }
}

Engine::StepResult Engine::stepExactly(int count) {
  StepResult result;
  if (!makeStepper()) {
    result.failed = true;
    return result;
  }
  moveFpu(*stepper_);
  for (int i = 0; i < count && !result.failed && !result.stopped; i++) result = stepOnce();
  active_ = &runner_;
  if (!result.failed) moveFpu(runner_);
  return result;
}

bool Engine::step(uint64_t viewAddress, const uint8_t* view, size_t viewLength) {
  (void)viewAddress;
  (void)view;
  (void)viewLength;
  if (inRun_) return fail("run or step was called inside a run");
  base_ = control_->instructions;
  granted_ = left_ = 0;
  if (!makeStepper()) return false;
  if (control_->interrupt.exchange(0) != 0) return finish(Stop::interrupted);
  moveFpu(*stepper_);
  control_->blockStart = static_cast<double>(control_->regs[kRip]);
  StepResult result = stepOnce();
  active_ = &runner_;
  if (result.failed) return false;
  return finish(result.stopped ? static_cast<Stop>(control_->kind) : Stop::budget);
}

}  // namespace trapline
