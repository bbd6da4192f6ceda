// SPDX-License-Identifier: MIT
//
// The processor that JavaScript drives: runs and steps on one machine, block screening and instruction counting,
// stops, budget, interruption, and the watchdog.

#ifndef TRAPLINE_ENGINE_H
#define TRAPLINE_ENGINE_H

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "blocks.h"
#include "machine.h"
#include "views.h"
#include "watchdog.h"

namespace trapline {

// KEEP IN SYNC: src/cpu/unicorn/control.ts
enum class Stop : uint32_t {
  syscall,
  invalidOpcode,
  pageFault,
  generalProtection,
  stackFault,
  divideError,
  fpuError,
  simdError,
  alignmentCheck,
  breakpoint,
  softInterrupt,
  debug,
  budget,
  interrupted,
};

enum class Access : uint32_t { read, write, execute };

/** Shared with JavaScript as one ArrayBuffer. KEEP IN SYNC: src/cpu/unicorn/control.ts */
struct Control {
  uint64_t regs[kRegCount];
  uint32_t kind;
  uint32_t access;
  uint64_t address;
  uint32_t present;
  uint32_t vector;
  double instructions;
  double tscOffset;
  double root;
  /** Set to ask for a TLB flush before guest code goes on. */
  uint32_t flushTlb;
  uint32_t hasHandler;
  /** Non-zero asks the run to end with `interrupted`. */
  std::atomic<uint32_t> interrupt;
  uint32_t unused;
  double blockStart;
};
static_assert(sizeof(Control) == 232, "the layout is fixed");

/** All that the block hook touches when nothing is special. */
struct alignas(64) Hot {
  /** The current epoch's tag, or kNoTag to send every block down the slow path. Also written by the watchdog. */
  std::atomic<uint64_t> tag;
  const BlockEntry* entries;
  /** Instructions that may still start before the next look at budget and TLB. */
  int64_t left;
  /** The block being run. */
  const BlockEntry* current;
};
/** Matches no entry. */
constexpr uint64_t kNoTag = 0xffffull << 48;

/** One row of the CPUID table. A subleaf of kAnySubleaf matches every ECX. */
struct CpuidRow {
  uint32_t leaf, subleaf, eax, ebx, ecx, edx;
};
constexpr uint32_t kAnySubleaf = 0xffffffff;

class Engine : private MachineEvents {
 public:
  Engine(const UnicornApi& api, uint8_t* memory, uint64_t bytes, Control* control);
  ~Engine() override;

  bool open(std::string* error);

  /** @return false when the engine failed: `failure()` says how */
  bool run(double budget);
  bool step(uint64_t viewAddress, const uint8_t* view, size_t viewLength);
  void invalidateCode(uint64_t start, uint64_t length);
  void saveFpu(uint8_t* image) { machine_->saveFpu(image); }
  void loadFpu(const uint8_t* image) { machine_->loadFpu(image); }
  void setCpuid(std::vector<CpuidRow> rows) { cpuid_ = std::move(rows); }
  void armWatchdog(uint32_t ms) { watchdog_.arm(ms); }
  void setScreenGs(bool on) {
    screenGs_ = on;
    blocks_.setScreenGs(on);
    publishTag();
  }
  void setCounting(AddressRange none, AddressRange one) {
    blocks_.setCounting(none, one);
    publishTag();
  }
  void setEarlyFlushes(bool on) { earlyFlushes_ = on; }
  /** Interrupts at every `blocks`-th block; 0 at none. */
  void interruptEvery(uint32_t blocks) {
    interruptEvery_ = blocks;
    blocksSeen_ = 0;
    publishTag();
  }
  /** Interrupts the run that comes to this count of instructions, before its next block; once. Infinity: none. */
  void interruptAt(double count) {
    interruptAt_ = count;
    nearPause_ = true;
    publishTag();
  }
  /** Inside a run or step: neither may be called. */
  bool busy() const { return inRun_; }
  const std::string& failure() const { return failure_; }

  enum class Answer { goOn, end, thrown };
  /** Serves a syscall inside a run. */
  std::function<Answer()> syscallHandler;

 private:
  enum class Event { none, interrupt, invalid, syscall, budget, interrupted, special, slice, thrown };

  void onInterrupt(uint32_t vector) override;
  void onInvalid() override;
  void onSyscall() override;
  Answer callHandler();
  void onTimestamp(bool withAux) override;
  void onCpuid() override;
  static void blockHook(UcEngine*, uint64_t address, uint32_t size, void* user);
  static void blockSlow(Engine* self, uint64_t address, uint32_t size);
  void screenBlock(uint64_t address, uint32_t size);
  /**
   * Whether `count` more instructions fit the budget; if not, asks for a stop.
   * @param iterates it is an iteration of a repeated instruction, or the look that ends it
   */
  bool affordBlock(int64_t count, bool iterates = false);
  /** Lets the block hook trust its table, unless something asks for the slow path. */
  void publishTag();
  void setAttention(bool on);

  bool openMachine(std::string* error);
  /** A new machine in place of one that aborted, with its registers, FPU state and address space. */
  bool recover();
  bool fail(const std::string& what);
  /** Writes the stop and the counters that JavaScript reads. */
  bool finish(Stop kind);
  /** Brings root and TLB to what JavaScript asked for. */
  void adoptTables();
  /** Grants the next slice of the budget. @return false when the budget is used up */
  bool refill();
  /** Grants what `interruptAt` has held back of the slice. @return false when that is nothing */
  bool grantRest();
  bool runSlices();
  /** Handles what ended a uc_emu_start. @return true when the run is over */
  bool handleEvent(UcErr code, bool* ok);

  // engine-step.cc
  enum class StepResult { completed, stopped, failed };
  /** One instruction; `stopped` leaves the kind in the control block. */
  StepResult stepOnce();
  StepResult stepPlain(const Insn& insn);
  StepResult stepWithQuirk(const Insn& insn, uint8_t* code);
  /** Steps over the instruction as if its bytes were `code`. */
  StepResult stepAs(const Insn& insn, const uint8_t* code);
  /** Makes the address of the memory operand with another register in place of `reg`, if it uses that. */
  bool lendAddress(const Insn& insn, uint8_t* code, int reg, uint64_t value);
  /** A step within a run. @return false when the run is over, with `ok` set */
  bool stepInRun(bool* ok);

  // engine-stops.cc
  void decodeInterrupt(Stop* kind);
  /** The stop for an instruction that the engine does not let Unicorn run. */
  Stop stopAtSpecial(const Insn& insn);
  Insn insnAt(uint64_t rip);
  void unwindBranch();
  void settleCount(uint64_t rip);
  void settleRep(uint64_t rcx);
  bool isRepOver(uint64_t rcx) const { return (rep32_ ? rcx & 0xffffffff : rcx) == 0; }
  /** For a run that is left between two blocks: a repeated instruction that is over is behind. */
  void settleRepAt(uint64_t rip);
  /** @param boundary set to whether an instruction starts at `rip` */
  int64_t instructionsBefore(uint64_t address, uint64_t rip, bool* boundary = nullptr);
  double retired() const { return base_ + static_cast<double>(granted_ - hot_.left); }

  const UnicornApi& api_;
  uint8_t* memory_;
  uint64_t bytes_;
  Control* control_;
  std::unique_ptr<Machine> machine_;
  BlockTable blocks_;
  Hot hot_{};
  std::vector<CpuidRow> cpuid_;
  std::string failure_;

  // The run in progress.
  Event event_ = Event::none;
  uint32_t vector_ = 0;
  /** What refill granted of the budget, of which hot_.left is left. */
  int64_t granted_ = 0;
  double base_ = 0;
  double runStart_ = 0;
  int64_t remaining_ = 0;
  bool inRun_ = false;
  bool stepping_ = false;
  /** A step or a repeated string instruction: every block takes the slow path. */
  bool attention_ = false;
  /** Address of the repeated string instruction that ended the last block, 0 if none did. */
  uint64_t repAddress_ = 0;
  uint8_t repLength_ = 0;
  bool repLoops_ = false;
  bool rep32_ = false;
  bool repWritable_ = false;
  uint64_t repStart_ = 0;
  int64_t repVisits_ = 0;
  uint64_t specialAddress_ = 0;

  // TLB flushes that let it grow. A slice of instructions goes on over runs and steps.
  bool earlyFlushes_ = true;
  uint64_t slices_ = 0;
  int64_t untilFlush_ = 0;
  bool flushDue_ = false;

  /** Other than 0: every block takes the slow path. */
  uint32_t interruptEvery_ = 0;
  uint32_t blocksSeen_ = 0;
  double interruptAt_ = std::numeric_limits<double>::infinity();
  /** It may come before the slice ends: every block takes the slow path. */
  bool nearPause_ = false;

  bool screenGs_ = false;

  ViewFrames views_;
  // Last: its thread must be gone before what it writes to.
  Watchdog watchdog_;
};

}  // namespace trapline

#endif
