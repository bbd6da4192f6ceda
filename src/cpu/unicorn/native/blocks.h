// SPDX-License-Identifier: MIT
//
// What the engine knows about each block of guest code: how many instructions it has and whether one of them needs
// the engine's own hand. A direct-mapped table that the block hook reads in a few nanoseconds.

#ifndef TRAPLINE_BLOCKS_H
#define TRAPLINE_BLOCKS_H

#include <cstdint>
#include <memory>

#include "decoder.h"

namespace trapline {

/** Looks through page tables as the processor does for an instruction fetch in ring 3. */
class CodeView {
 public:
  CodeView(uint8_t* memory, uint64_t bytes) : memory_(memory), bytes_(bytes) {}
  struct Page {
    /** First byte of the page in the arena, or nullptr when ring 3 cannot execute (or, for data, read) it. */
    uint8_t* bytes;
    bool writable;
  };
  Page page(uint64_t root, uint64_t address, bool execute = true) const;
  /** Copies up to `length` bytes of code; returns how many are executable in a row. */
  int fetch(uint64_t root, uint64_t address, uint8_t* into, int length) const;
  /** Clears bits of one byte of data, if it is mapped. */
  void clearBits(uint64_t root, uint64_t address, uint8_t bits) const;

 private:
  uint8_t* memory_;
  uint64_t bytes_;
};

/** Linear addresses from `start` up to `end`. */
struct AddressRange {
  uint64_t start = 0, end = 0;
  bool holds(uint64_t address) const { return address >= start && address < end; }
};

/** The hot half of a block. Blocks that need more than counting have size 0, so the fast path never matches them. */
struct BlockEntry {
  uint64_t tag;
  uint16_t size;
  uint16_t count;
  uint32_t unused;
};

/** The cold half. */
struct BlockInfo {
  uint64_t address = 0;
  uint16_t size = 0;
  /** Bytes that were decoded: past `size` where Unicorn ends a block within an instruction. */
  uint16_t span = 0;
  uint16_t count = 0;
  /** Instructions before the first special one; only when hasSpecial. */
  uint16_t plainBefore = 0;
  bool hasSpecial = false;
  /** The page is writable where it is executed, so `copy` must be compared before every use. */
  bool writable = false;
  bool endsInRep = false;
  bool rep32 = false;
  uint8_t repLength = 0;
  uint64_t repAddress = 0;
  std::unique_ptr<uint8_t[]> copy;
  uint32_t copyCapacity = 0;
};

class BlockTable {
 public:
  BlockTable(uint8_t* memory, uint64_t bytes);

  static constexpr uint32_t kEntries = 1 << 16;
  static uint32_t slot(uint64_t address) {
    return static_cast<uint32_t>(address) & (kEntries - 1);
  }

  BlockEntry* entries() { return entries_.get(); }
  const BlockEntry& entry(uint32_t slot) const { return entries_[slot]; }
  uint64_t epochTag() const { return epoch_ << 48; }
  /** Everything learnt so far must be looked at again: tables, root or code changed. */
  void newEpoch();

  /**
   * The block at `address`, decoded or checked anew when needed.
   * @return its cold half; nullptr when its bytes cannot be read through `root` (a translation outlived its mapping)
   */
  const BlockInfo* find(uint64_t root, uint64_t address, uint32_t size);
  const BlockInfo& info(uint32_t slot) const { return infos_[slot]; }

  /** Whether blocks that write GS count as special. */
  void setScreenGs(bool on);

  /** Blocks that start in `none` count as no instructions, those that start in `one` as one. */
  void setCounting(AddressRange none, AddressRange one);

  const CodeView& code() const { return view_; }

 private:
  void decode(BlockInfo& info, const uint8_t* bytes, int available);
  void forget();

  CodeView view_;
  std::unique_ptr<BlockEntry[]> entries_;
  std::unique_ptr<BlockInfo[]> infos_;
  uint64_t epoch_ = 1;
  bool screenGs_ = false;
  AddressRange uncounted_, countedOnce_;
  std::unique_ptr<uint8_t[]> scratch_;
};

}  // namespace trapline

#endif
