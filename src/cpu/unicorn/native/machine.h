// SPDX-License-Identifier: MIT
//
// One Unicorn instance used as a machine: long mode, paging, ring 3 with Linux's selectors, over an arena of
// physical memory that it shares with JavaScript. Owns booting, registers, FPU state and the double-fault discipline.

#ifndef TRAPLINE_MACHINE_H
#define TRAPLINE_MACHINE_H

#include <cstdint>
#include <string>

#include "unicorn-api.h"

namespace trapline {

/**
 * Physical layout of the engine's own frames, all below kReservedBytes. The upper half of every address space maps
 * them at kKernelBase, supervisor only.
 */
namespace layout {
constexpr uint64_t kGdt = 0x1000;
constexpr uint64_t kBootCode = 0x2000;
constexpr uint64_t kBootStackTop = 0x4000;
constexpr uint64_t kKernelPdpt = 0x4000;
constexpr uint64_t kKernelPd = 0x5000;
constexpr uint64_t kKernelPt = 0x6000;
/** A root that maps the arena at its own addresses, readable and executable in ring 3: by frame, not by mapping. */
constexpr uint64_t kFlatRoot = 0x7000;
constexpr uint64_t kFlatPdpt = 0x8000;
constexpr uint64_t kFlatPd = 0x9000;  // four pages, 4 GiB
/** Frames that hold what fetch views show. */
constexpr uint64_t kViewFrames = 0xd000;
constexpr int kViewFrameCount = 19;
constexpr uint64_t kReservedBytes = 0x20000;
constexpr uint64_t kKernelBase = 0xffff800000000000ull;
constexpr int kKernelSlot = 256;
}  // namespace layout

constexpr uint64_t kPtePresent = 1;
constexpr uint64_t kPteWrite = 2;
constexpr uint64_t kPteUser = 4;
constexpr uint64_t kPteLarge = 0x80;
constexpr uint64_t kPteNx = 1ull << 63;
constexpr uint64_t kPteFrame = 0x000ffffffffff000ull;

static_assert(layout::kViewFrames + layout::kViewFrameCount * 4096ull == layout::kReservedBytes, "the view frames fill the reserved area");

constexpr uint64_t kPteDirty = 0x40;
constexpr uint64_t kTrapFlag = 0x100;
constexpr int kRegCount = 20;
constexpr int kRip = 16;
constexpr int kRflags = 17;
constexpr int kRax = 0;
constexpr int kRcx = 1;
constexpr int kRdx = 2;
constexpr int kRbx = 3;
constexpr int kRsp = 4;
constexpr int kRsi = 6;
constexpr int kRdi = 7;
constexpr int kR11 = 11;

/** Flags that ring 3 can set. RF is left out: the processor clears it with every instruction. */
constexpr uint64_t kUserFlags = 0x244dd5;
/** Always one, and IF. */
constexpr uint64_t kFixedFlags = 0x202;

inline bool isCanonical(uint64_t address) {
  int64_t top = static_cast<int64_t>(address) >> 47;
  return top == 0 || top == -1;
}

/** What a hook saw; the owner decides what it means. */
class MachineEvents {
 public:
  virtual ~MachineEvents() = default;
  virtual void onInterrupt(uint32_t vector) = 0;
  virtual void onInvalid() = 0;
  virtual void onSyscall() = 0;
  virtual void onTimestamp(bool withAux) = 0;
  virtual void onCpuid() = 0;
};

class Machine {
 public:
  Machine(const UnicornApi& api, uint8_t* memory, uint64_t bytes) : api_(api), memory_(memory), bytes_(bytes) {}
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /** Writes the engine's frames of a fresh arena; once per arena, before any boot. */
  static void prepareArena(uint8_t* memory, uint64_t bytes);
  /** Puts the engine's upper half into a page-table root. */
  static void initRoot(uint8_t* memory, uint64_t root);

  /** Opens Unicorn and takes it to ring 3. @return false with `error` set */
  bool boot(MachineEvents* events, std::string* error);

  /** Adds the block hook, whose callback gets (engine, address, size, user). */
  bool hookBlocks(void* callback, void* user, std::string* error);

  /**
   * Runs until a hook asks for a stop. Unicorn aborts the process when it cannot translate an instruction; such an
   * abort ends the start instead, and `aborted` tells so. The machine is then only good for reading its state.
   */
  UcErr start(uint64_t rip);
  bool aborted() const { return aborted_; }
  void stop() { api_.emuStop(engine_); }
  const char* errorText(UcErr code) const { return api_.strerror(code); }

  /** Reads all registers into `block`. */
  void readRegs(uint64_t* block);
  /** Writes those registers of `block` (but RIP) that differ from what the engine holds. */
  void writeRegs(uint64_t* block);
  void writeRip(uint64_t rip) { api_.regWrite(engine_, kRegRip, &rip); }
  uint64_t read(int reg) {
    uint64_t value = 0;
    api_.regRead(engine_, reg, &value);
    return value;
  }
  void write(int reg, uint64_t value) { api_.regWrite(engine_, reg, &value); }

  uint64_t root() const { return root_; }
  /** Switches the address space; the engine flushes its TLB. */
  void setRoot(uint64_t root) {
    root_ = root;
    write(kRegCr3, root);
  }
  void flushTlb() { api_.ctl(engine_, kCtlFlushTlb); }
  /** Drops translations of a physical range. */
  void removeCache(uint64_t start, uint64_t end);

  /** Clears the pending exception that a fault left, and returns the fault's error code. */
  uint32_t settleFault();

  void saveFpu(uint8_t* image);
  void loadFpu(const uint8_t* image);

 private:
  static void hookInterrupt(UcEngine*, uint32_t vector, void* user);
  static bool hookInvalid(UcEngine*, void* user);
  static void hookSyscall(UcEngine*, void* user);
  static int hookRdtsc(UcEngine*, void* user);
  static int hookRdtscp(UcEngine*, void* user);
  static int hookCpuid(UcEngine*, void* user);

  bool check(UcErr code, const char* what, std::string* error);
  bool addHook(int type, void* callback, int insn, std::string* error);
  bool findFaultState(std::string* error);
  bool canInvalidatePhysical();

  const UnicornApi& api_;
  uint8_t* memory_;
  uint64_t bytes_;
  UcEngine* engine_ = nullptr;
  UcContext* context_ = nullptr;
  size_t oldExceptionAt_ = 0;
  size_t errorCodeAt_ = 0;
  MachineEvents* events_ = nullptr;
  uint64_t root_ = 0;
  /** What the engine's registers hold, for writing only what changed. */
  uint64_t shadow_[kRegCount] = {};
  bool shadowValid_ = false;
  bool aborted_ = false;
  /** UnicornApi::invalidatePhysical is there and does what it should. */
  bool invalidatesPhysical_ = false;
  int readIds_[kRegCount] = {};
};

}  // namespace trapline

#endif
