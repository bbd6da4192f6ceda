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
  int held = blocks_.code().fetch(machine_->root(), rip, code, kMaxInsnLength);
  Insn insn = decodeInsn(code, held, screenGs_);
  if (insn.quirk != Quirk::none && insn.special != Special::startsBlock) return stepWithQuirk(insn, code);
  if (insn.special != Special::none && insn.special != Special::startsBlock) {
    control_->kind = static_cast<uint32_t>(stopAtSpecial(insn));
    return StepResult::stopped;
  }
  return stepPlain(insn);
}

Engine::StepResult Engine::stepPlain(const Insn& insn) {
  uint64_t* regs = control_->regs;
  uint64_t rip = regs[kRip];
  uint64_t rsp = regs[kRsp];
  bool guestTraps = (regs[kRflags] & kTrapFlag) != 0;
  regs[kRflags] |= kTrapFlag;
  machine_->writeRegs(regs);
  event_ = Event::none;
  hot_.current = nullptr;
  stepping_ = true;
  setAttention(true);
  UcErr error = machine_->start(rip);
  stepping_ = false;
  setAttention(false);
  if (machine_->aborted()) {
    if (!recover()) return StepResult::failed;
    if (!guestTraps) regs[kRflags] &= ~kTrapFlag;
    control_->kind = static_cast<uint32_t>(Stop::invalidOpcode);
    return StepResult::stopped;
  }
  machine_->readRegs(regs);
  // popf and iretq load TF from the stack; everything else leaves what was there.
  bool loadsFlags = insn.opcode == kPopf || insn.opcode == kIret;
  bool trapped = event_ == Event::interrupt && vector_ == 1;
  if (!guestTraps && !(trapped && loadsFlags)) regs[kRflags] &= ~kTrapFlag;
  if (event_ == Event::none) {
    fail(std::string("a step ended without a reason: ") + machine_->errorText(error));
    return StepResult::failed;
  }
  if (trapped && !isCanonical(regs[kRip])) {
    // The processor refuses such a branch where it stands.
    regs[kRip] = rip;
    regs[kRsp] = rsp;
    control_->kind = static_cast<uint32_t>(Stop::generalProtection);
    return StepResult::stopped;
  }
  if (trapped) {
    hot_.left--;
    if (!guestTraps && insn.opcode == kPushf) {
      // The image on the stack holds the flag that only the engine wanted.
      blocks_.code().clearBits(machine_->root(), regs[kRsp] + 1, 1);
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

Engine::StepResult Engine::stepWithQuirk(const Insn& insn, uint8_t* code) {
  uint64_t* regs = control_->regs;
  switch (insn.quirk) {
    case Quirk::stringLengths: {
      // The processor saturates the lengths itself (SDM vol. 2, PCMPESTRI), so saturated ones give its result.
      uint64_t saved[2] = {regs[kRax], regs[kRdx]};
      bool wide = insn.rexAt != 0xff && (code[insn.rexAt] & 8) != 0;
      bool changed = false;
      for (int r : {kRax, kRdx}) {
        int64_t length = wide ? static_cast<int64_t>(regs[r]) : static_cast<int32_t>(regs[r]);
        if (length >= -16 && length <= 16) continue;
        regs[r] = 16;
        changed = true;
      }
      if (!changed) return stepPlain(insn);
      // Where the address is made with rax or rdx too, other registers lend themselves for the step.
      uint64_t lent[3] = {regs[kRbx], regs[kRsi], regs[kRdi]};
      bool rewritten = lendAddress(insn, code, kRax, saved[0]) | lendAddress(insn, code, kRdx, saved[1]);
      StepResult result = rewritten ? stepAs(insn, code) : stepPlain(insn);
      regs[kRax] = saved[0];
      regs[kRdx] = saved[1];
      if (rewritten) {
        regs[kRbx] = lent[0];
        regs[kRsi] = lent[1];
        regs[kRdi] = lent[2];
      }
      return result;
    }
    case Quirk::mmxRex:
      // MMX has eight registers: the processor ignores the bits.
      code[insn.rexAt] &= static_cast<uint8_t>((code[insn.modrmAt] >> 6) == 3 ? ~5 : ~4);
      return stepAs(insn, code);
    case Quirk::ripShift: {
      int32_t displacement;
      std::memcpy(&displacement, code + insn.modrmAt + 1, 4);
      displacement++;
      std::memcpy(code + insn.modrmAt + 1, &displacement, 4);
      return stepAs(insn, code);
    }
    case Quirk::lockNeg:
      code[insn.lockAt] = 0xf2;  // a prefix that neg ignores; nothing runs beside a step
      return stepAs(insn, code);
    case Quirk::retImmediate: {
      StepResult result = stepPlain(insn);
      if (result == StepResult::completed) regs[kRsp] += 0x10000;
      return result;
    }
    case Quirk::segmentBase: {
      int r = (code[insn.modrmAt] & 7) | (insn.rexAt != 0xff && (code[insn.rexAt] & 1) != 0 ? 8 : 0);
      bool wide = insn.rexAt != 0xff && (code[insn.rexAt] & 8) != 0;
      if (!wide || isCanonical(regs[r])) return stepPlain(insn);
      control_->kind = static_cast<uint32_t>(Stop::generalProtection);
      return StepResult::stopped;
    }
    case Quirk::rotateMemory: {
      uint64_t flags = regs[kRflags];
      StepResult result = stepPlain(insn);
      if (result == StepResult::stopped && control_->kind == static_cast<uint32_t>(Stop::pageFault)) {
        regs[kRflags] = flags;
      }
      return result;
    }
    default:
      // pause does nothing here.
      regs[kRip] += insn.length;
      hot_.left--;
      if ((regs[kRflags] & kTrapFlag) == 0) return StepResult::completed;
      control_->kind = static_cast<uint32_t>(Stop::debug);
      return StepResult::stopped;
  }
}

Engine::StepResult Engine::stepAs(const Insn& insn, const uint8_t* code) {
  auto changed = [this](uint64_t frame) { invalidateCode(frame, 4096); };
  size_t mark = views_.show(machine_->root(), control_->regs[kRip], code, insn.length, changed);
  machine_->flushTlb();
  StepResult result = stepPlain(insn);
  views_.hide(mark, changed);
  machine_->flushTlb();
  return result;
}

bool Engine::lendAddress(const Insn& insn, uint8_t* code, int reg, uint64_t value) {
  uint8_t& modrm = code[insn.modrmAt];
  if ((modrm >> 6) == 3) return false;
  uint8_t rex = insn.rexAt != 0xff ? code[insn.rexAt] : 0;
  bool hasSib = (modrm & 7) == 4;
  uint8_t& base = hasSib ? code[insn.modrmAt + 1] : modrm;
  bool asBase = (base & 7) == reg && (rex & 1) == 0;
  bool asIndex = hasSib && ((base >> 3) & 7) == reg && (rex & 2) == 0;
  if (!asBase && !asIndex) return false;
  for (int lender : {kRbx, kRsi, kRdi}) {
    bool taken = ((base & 7) == lender && (rex & 1) == 0) ||
                 (hasSib && ((base >> 3) & 7) == lender && (rex & 2) == 0);
    if (taken) continue;
    if (asBase) base = static_cast<uint8_t>((base & ~7) | lender);
    if (asIndex) base = static_cast<uint8_t>((base & ~0x38) | (lender << 3));
    control_->regs[lender] = value;
    return true;
  }
  return false;
}

bool Engine::step(uint64_t viewAddress, const uint8_t* view, size_t viewLength) {
  failure_.clear();
  base_ = control_->instructions;
  granted_ = hot_.left = 0;
  if (control_->interrupt.exchange(0) != 0) return finish(Stop::interrupted);
  adoptTables();
  control_->blockStart = static_cast<double>(control_->regs[kRip]);
  auto changed = [this](uint64_t frame) { invalidateCode(frame, 4096); };
  size_t mark = 0;
  if (viewLength > 0) {
    mark = views_.show(machine_->root(), viewAddress, view, viewLength, changed);
    machine_->flushTlb();
  }
  inRun_ = true;
  StepResult result = stepOnce();
  inRun_ = false;
  if (viewLength > 0) {
    views_.hide(mark, changed);
    machine_->flushTlb();
  }
  if (result == StepResult::failed) return false;
  return finish(result == StepResult::stopped ? static_cast<Stop>(control_->kind) : Stop::budget);
}

}  // namespace trapline
