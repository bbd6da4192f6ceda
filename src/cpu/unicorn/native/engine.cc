// SPDX-License-Identifier: MIT
//
// Running: the block hook that counts, screens and preempts, the syscall hook, and the loop around uc_emu_start.

#include "engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "abort-guard.h"

namespace trapline {

namespace {

constexpr uint64_t kAddressMask = 0x0000ffffffffffffull;
constexpr int64_t kUnlimited = 1ll << 60;

// Unicorn's TLB starts small, grows only when it is flushed while busy and shrinks when it is flushed while idle (engine
// README, "TLB"). Instructions from one flush of an address space to the next, the n-th.
constexpr int64_t sliceLength(uint64_t n) {
  return n <= 20 ? 100000 : n <= 28 ? 2000000 : kUnlimited;
}

}  // namespace

Engine::Engine(const UnicornApi& api, uint8_t* memory, uint64_t bytes, Control* control)
    : api_(api),
      memory_(memory),
      bytes_(bytes),
      control_(control),
      blocks_(memory, bytes),
      views_(memory, bytes),
      watchdog_([this] {
        control_->interrupt.store(1);
        hot_.tag.store(kNoTag);
      }) {
  hot_.entries = blocks_.entries();
}

Engine::~Engine() = default;

bool Engine::open(std::string* error) {
  Machine::prepareArena(memory_, bytes_);
  control_->regs[kRflags] = kFixedFlags;
  control_->root = static_cast<double>(layout::kFlatRoot);
  return openMachine(error);
}

bool Engine::openMachine(std::string* error) {
  machine_ = std::make_unique<Machine>(api_, memory_, bytes_);
  if (!machine_->boot(this, error)) return false;
  return machine_->hookBlocks(reinterpret_cast<void*>(&blockHook), this, error);
}

bool Engine::recover() {
  uint8_t fpu[512];
  uint64_t root = machine_->root();
  machine_->readRegs(control_->regs);
  machine_->saveFpu(fpu);
  std::string error;
  if (!openMachine(&error)) return fail("a machine in place of one that aborted: " + error);
  machine_->loadFpu(fpu);
  machine_->setRoot(root);
  blocks_.newEpoch();
  publishTag();
  return true;
}

bool Engine::fail(const std::string& what) {
  failure_ = what;
  return false;
}

bool Engine::finish(Stop kind) {
  control_->kind = static_cast<uint32_t>(kind);
  control_->instructions = retired();
  base_ = control_->instructions;
  untilFlush_ -= granted_ - hot_.left;
  granted_ = hot_.left = 0;
  return true;
}

void Engine::adoptTables() {
  uint64_t root = static_cast<uint64_t>(control_->root);
  if (machine_->root() != root) {
    machine_->setRoot(root);  // flushes the TLB too
    slices_ = 0;
    untilFlush_ = 0;
  } else if (control_->flushTlb != 0) {
    machine_->flushTlb();
  } else {
    return;
  }
  control_->flushTlb = 0;
  flushDue_ = false;
  blocks_.newEpoch();
  publishTag();
}

bool Engine::refill() {
  int64_t used = granted_ - hot_.left;
  base_ += static_cast<double>(used);
  remaining_ -= used;
  untilFlush_ -= used;
  granted_ = hot_.left = 0;
  if (remaining_ <= 0) return false;
  if (untilFlush_ <= 0) {
    untilFlush_ = sliceLength(++slices_);
    flushDue_ = earlyFlushes_;
  }
  granted_ = hot_.left = std::min(remaining_, untilFlush_);
  double untilPause = std::ceil(interruptAt_ - base_);
  if (nearPause_ != (untilPause <= 0)) {
    nearPause_ = !nearPause_;
    publishTag();
  }
  // The block hook counts up to there and no farther.
  if (untilPause > 0 && untilPause < static_cast<double>(granted_)) {
    granted_ = hot_.left = static_cast<int64_t>(untilPause);
  }
  return true;
}

bool Engine::grantRest() {
  int64_t whole = std::min(remaining_, untilFlush_);
  if (granted_ >= whole) return false;
  hot_.left += whole - granted_;
  granted_ = whole;
  nearPause_ = true;
  publishTag();
  return true;
}

bool Engine::run(double budget) {
  failure_.clear();
  base_ = control_->instructions;
  granted_ = hot_.left = 0;
  if (control_->interrupt.exchange(0) != 0) return finish(Stop::interrupted);
  runStart_ = base_;
  remaining_ = budget >= static_cast<double>(kUnlimited) ? kUnlimited : static_cast<int64_t>(budget);
  inRun_ = true;
  bool ok = runSlices();
  inRun_ = false;
  return ok;
}

bool Engine::runSlices() {
  if (!refill()) return finish(Stop::budget);
  for (;;) {
    adoptTables();
    if (flushDue_) machine_->flushTlb();
    flushDue_ = false;
    machine_->writeRegs(control_->regs);
    event_ = Event::none;
    hot_.current = nullptr;
    repAddress_ = 0;
    repLoops_ = false;
    attention_ = false;
    publishTag();
    UcErr code = machine_->start(control_->regs[kRip]);
    bool ok = true;
    if (handleEvent(code, &ok)) return ok;
    // A part of the run by steps may have used up the slice.
    if (hot_.left <= 0 && !refill()) return finish(Stop::budget);
  }
}

bool Engine::handleEvent(UcErr code, bool* ok) {
  if (machine_->aborted()) {
    // Some instruction of the block at RIP cannot be translated. Steps translate one at a time and find it.
    *ok = recover();
    if (!*ok) return true;
    settleRep(control_->regs[kRcx]);
    hot_.current = nullptr;
    return !stepInRun(ok);
  }
  if (event_ == Event::thrown || event_ == Event::syscall) {
    *ok = failure_.empty() && finish(Stop::syscall);
    return true;
  }
  uint64_t* regs = control_->regs;
  machine_->readRegs(regs);
  uint64_t rip = regs[kRip];
  control_->blockStart = hot_.current != nullptr ? static_cast<double>(hot_.current->tag & kAddressMask) : 0;
  switch (event_) {
    case Event::interrupt: {
      Stop kind = Stop::generalProtection;
      decodeInterrupt(&kind);
      if (failure_.empty() && kind == Stop::pageFault && control_->access == static_cast<uint32_t>(Access::execute)) {
        // Unicorn reports a fetch that fails on a block's second page at the start of the block, of which nothing has
        // run. What lies before the page boundary runs by steps, up to the instruction that really faults.
        settleCount(kAddressMask);
        if (insnAt(rip).length != 0) return !stepInRun(ok);
        *ok = finish(kind);
        return true;
      }
      settleCount(regs[kRip]);
      *ok = failure_.empty() && finish(kind);
      return true;
    }
    case Event::invalid:
      settleCount(rip);
      *ok = finish(Stop::invalidOpcode);
      return true;
    case Event::budget:
    case Event::interrupted:
      settleRepAt(rip);
      *ok = finish(event_ == Event::budget ? Stop::budget : Stop::interrupted);
      return true;
    case Event::slice:
      settleRepAt(rip);
      return false;
    case Event::special: {
      settleRep(regs[kRcx]);
      const BlockInfo& info = blocks_.info(BlockTable::slot(specialAddress_));
      int stepsBefore = info.plainBefore;
      for (int i = 0; i < stepsBefore; i++) {
        if (!stepInRun(ok)) return true;
      }
      Insn insn = insnAt(regs[kRip]);
      // Now it starts a block; or the instructions before have changed it. Where there were none, a step goes on.
      bool plain = insn.special == Special::none || insn.special == Special::startsBlock;
      if (plain && stepsBefore > 0) return false;
      if (plain || insn.special == Special::assisted) return !stepInRun(ok);
      Stop kind = stopAtSpecial(insn);
      *ok = finish(kind);
      return true;
    }
    default:
      *ok = fail(std::string("Unicorn stopped without a reason: ") + api_.strerror(code) + " at rip " +
                 std::to_string(rip));
      return true;
  }
}

bool Engine::stepInRun(bool* ok) {
  StepResult result = stepOnce();
  if (result == StepResult::completed) return true;
  *ok = result == StepResult::stopped && finish(static_cast<Stop>(control_->kind));
  return false;
}

void Engine::publishTag() {
  hot_.tag.store(blocks_.epochTag());
  // The watchdog sets the flag first and the tag then, this side the other way round: one of the two sees the other.
  if (attention_ || nearPause_ || interruptEvery_ != 0 || control_->interrupt.load() != 0) hot_.tag.store(kNoTag);
}

void Engine::setAttention(bool on) {
  if (attention_ == on) return;
  attention_ = on;
  publishTag();
}

void Engine::blockHook(UcEngine*, uint64_t address, uint32_t size, void* user) {
  Engine* self = static_cast<Engine*>(user);
  Hot& hot = self->hot_;
  const BlockEntry* entry = hot.entries + BlockTable::slot(address);
  if (entry->tag == (address | hot.tag.load(std::memory_order_relaxed)) && entry->size == size) {
    if ((hot.left -= entry->count) >= 0) {
      hot.current = entry;
      return;
    }
    hot.left += entry->count;
  }
  blockSlow(self, address, size);
}

void Engine::blockSlow(Engine* self, uint64_t address, uint32_t size) {
  // Another iteration of a repeated instruction, as screenBlock would count it: most blocks that come here are one.
  if (self->repLoops_ && self->repAddress_ == address && !self->repWritable_ && self->hot_.left > 0 &&
      self->event_ == Event::none && !self->stepping_ && self->interruptEvery_ == 0 && !self->nearPause_ &&
      self->control_->interrupt.load(std::memory_order_relaxed) == 0) {
    self->repVisits_++;
    self->hot_.left--;
    return;
  }
  self->screenBlock(address, size);
}

bool Engine::affordBlock(int64_t count, bool iterates) {
  bool fits = count <= hot_.left;
  int64_t total = remaining_ - granted_ + hot_.left;
  // A run makes progress even when its first block is longer than its budget.
  if (!fits && (total <= 0 || (total < count && retired() > runStart_))) {
    event_ = Event::budget;
    machine_->stop();
    return false;
  }
  if (interruptEvery_ != 0 && ++blocksSeen_ >= interruptEvery_) {
    blocksSeen_ = 0;
    control_->interrupt.store(1);
  }
  // After the budget: where a run ends by its budget must not depend on when the host interrupts it. For that the next block
  // must be known, which it is not where a repeated instruction finds that it is over.
  bool isAsked = control_->interrupt.load() != 0 || retired() >= interruptAt_;
  if (isAsked && !(iterates && isRepOver(machine_->read(kRegRcx)))) {
    if (retired() >= interruptAt_) {
      interruptAt_ = std::numeric_limits<double>::infinity();
      nearPause_ = false;
    }
    control_->interrupt.store(0);
    publishTag();
    event_ = Event::interrupted;
    machine_->stop();
    return false;
  }
  if (fits || (grantRest() && count <= hot_.left)) return true;
  if (total == hot_.left) return true;
  untilFlush_ = 0;
  refill();
  if (!earlyFlushes_) return true;
  event_ = Event::slice;
  machine_->stop();
  return false;
}

void Engine::screenBlock(uint64_t address, uint32_t size) {
  auto end = [this](Event event) {
    event_ = event;
    machine_->stop();
  };
  // A step has been screened already; and after a hook has asked for a stop, nothing more happens.
  if (stepping_ || event_ != Event::none) return;
  bool loops = repAddress_ != 0 && repAddress_ == address;
  if (loops && repWritable_) {
    // The instruction may have written over itself.
    const BlockInfo* again = blocks_.find(machine_->root(), address, size);
    loops = again != nullptr && again->endsInRep && again->repAddress == address;
  }
  if (repAddress_ != 0 && !loops) settleRep(repLoops_ ? machine_->read(kRegRcx) : 0);
  if (loops) {
    if (!affordBlock(1, true)) return;
    // Another iteration of the repeated instruction that ended the last block, or the look at a counter that has
    // come to zero, which is no iteration: settleRep tells them apart.
    if (!repLoops_) {
      repLoops_ = true;
      repStart_ = machine_->read(kRegRcx);
      repVisits_ = 0;
    }
    repVisits_++;
    hot_.left--;
    return;
  }
  const BlockEntry& entry = blocks_.entry(BlockTable::slot(address));
  if (entry.tag == (address | blocks_.epochTag()) && entry.size == size) {
    if (!affordBlock(entry.count)) return;
    hot_.left -= entry.count;
    hot_.current = &entry;
    return;
  }
  // What the last block was, before its place in the table may be taken by this one.
  uint64_t previousStart = 0, previousEnd = 0;
  int64_t previousCount = 0;
  if (hot_.current != nullptr) {
    const BlockInfo& previous = blocks_.info(static_cast<uint32_t>(hot_.current - blocks_.entries()));
    if (previous.writable) {
      previousStart = previous.address;
      previousEnd = previous.address + previous.size;
      previousCount = previous.count;
    }
  }
  const BlockInfo* info = blocks_.find(machine_->root(), address, size);
  if (info == nullptr) {
    failure_ = "a block ran that cannot be read through the page tables: flushTlb was not called after a change";
    return end(Event::thrown);
  }
  // A block that wrote into itself is left at the store, which then runs as a block of its own.
  // A jump to there would give a block up to the same end, or one within an instruction.
  if (address >= previousStart && address + size < previousEnd && info->count == 1) {
    bool boundary = false;
    int64_t ran = instructionsBefore(previousStart, address, &boundary);
    if (boundary) hot_.left += previousCount - ran;
  }
  if (!affordBlock(info->count)) return;
  if (info->hasSpecial) {
    hot_.current = nullptr;
    specialAddress_ = address;
    return end(Event::special);
  }
  hot_.current = &entry;
  hot_.left -= info->count;
  if (info->endsInRep) {
    repAddress_ = info->repAddress;
    repLength_ = info->repLength;
    rep32_ = info->rep32;
    repWritable_ = info->writable;
    repLoops_ = false;
    setAttention(true);
  }
}

Engine::Answer Engine::callHandler() {
  AbortGuard::Pause outside;
  return syscallHandler();
}

void Engine::onSyscall() {
  if (stepping_) {
    event_ = Event::syscall;
    return machine_->stop();
  }
  uint64_t* regs = control_->regs;
  machine_->readRegs(regs);
  uint64_t at = regs[kRip];
  // The instruction ends its block; its length is 2 but for useless prefixes.
  uint64_t after = at + 2;
  if (hot_.current != nullptr) {
    uint64_t start = hot_.current->tag & kAddressMask;
    const BlockInfo& info = blocks_.info(static_cast<uint32_t>(hot_.current - blocks_.entries()));
    after = start + info.size;
    control_->blockStart = static_cast<double>(start);
  }
  regs[kRip] = after;
  regs[kRcx] = after;
  regs[kR11] = regs[kRflags];
  control_->instructions = retired();
  if (control_->hasHandler != 0) {
    Answer answer = callHandler();
    if (answer == Answer::goOn) {
      adoptTables();
      machine_->writeRegs(regs);
      // Unicorn adds the length of the instruction to whatever RIP holds when the hook returns.
      if (regs[kRip] != after) machine_->writeRip(regs[kRip] - (after - at));
      hot_.current = nullptr;
      if (control_->interrupt.load() != 0) publishTag();
      return;
    }
    event_ = answer == Answer::end ? Event::syscall : Event::thrown;
  } else {
    event_ = Event::syscall;
  }
  machine_->stop();
}

void Engine::onInterrupt(uint32_t vector) {
  // Unicorn traps at once after a syscall with TF set; the stop for the syscall has been decided.
  if (event_ != Event::none) return machine_->stop();
  event_ = Event::interrupt;
  vector_ = vector;
  machine_->stop();
}

void Engine::onInvalid() {
  event_ = Event::invalid;
  machine_->stop();
}

void Engine::onTimestamp(bool withAux) {
  double now = retired();
  if (!stepping_ && hot_.current != nullptr) {
    // The whole block is counted when it starts.
    const BlockInfo& info = blocks_.info(static_cast<uint32_t>(hot_.current - blocks_.entries()));
    now -= static_cast<double>(info.count - instructionsBefore(info.address, machine_->read(kRegRip)));
  }
  uint64_t ticks = static_cast<uint64_t>(static_cast<int64_t>(control_->tscOffset + now));
  machine_->write(kRegRax, ticks & 0xffffffff);
  machine_->write(kRegRdx, ticks >> 32);
  if (withAux) machine_->write(kRegRcx, 0);
}

void Engine::onCpuid() {
  uint32_t leaf = static_cast<uint32_t>(machine_->read(kRegRax));
  uint32_t subleaf = static_cast<uint32_t>(machine_->read(kRegRcx));
  CpuidRow found{leaf, subleaf, 0, 0, 0, 0};
  for (const CpuidRow& row : cpuid_) {
    if (row.leaf == leaf && (row.subleaf == subleaf || row.subleaf == kAnySubleaf)) {
      found = row;
      break;
    }
  }
  machine_->write(kRegRax, found.eax);
  machine_->write(kRegRbx, found.ebx);
  machine_->write(kRegRcx, found.ecx);
  machine_->write(kRegRdx, found.edx);
}

void Engine::invalidateCode(uint64_t start, uint64_t length) {
  if (length == 0 || start >= bytes_) return;
  uint64_t end = std::min(start + length, bytes_);
  blocks_.newEpoch();
  publishTag();
  machine_->removeCache(start, end);
}

}  // namespace trapline
