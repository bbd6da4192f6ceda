// SPDX-License-Identifier: MIT
//
// Screening. A block is decoded at first sight and trusted while its epoch lasts: an epoch ends with every change of
// root, page tables or code that the engine is told of. Where the guest itself can write the page that it executes,
// the bytes are compared at each use instead.

#include "blocks.h"

#include <cstring>

#include "machine.h"

namespace trapline {

namespace {
constexpr uint32_t kMaxBlock = 8192;
}

CodeView::Page CodeView::page(uint64_t root, uint64_t address, bool execute) const {
  const Page none{nullptr, false};
  if ((address >> 47) != 0) return none;
  uint64_t table = root;
  bool writable = true;
  for (int level = 3; level >= 0; level--) {
    if (table + 4096 > bytes_) return none;
    uint64_t index = (address >> (12 + 9 * level)) & 511;
    uint64_t entry;
    std::memcpy(&entry, memory_ + table + index * 8, 8);
    if ((entry & (kPtePresent | kPteUser)) != (kPtePresent | kPteUser)) return none;
    if (execute && (entry & kPteNx) != 0) return none;
    if ((entry & kPteWrite) == 0) writable = false;
    uint64_t frame = entry & kPteFrame;
    if (level > 0 && (entry & kPteLarge) != 0) {
      uint64_t span = 1ull << (12 + 9 * level);
      frame = (frame & ~(span - 1)) + (address & (span - 1) & ~0xfffull);
      level = 0;
    }
    if (level == 0) {
      if (frame + 4096 > bytes_) return none;
      return Page{memory_ + frame, writable};
    }
    table = frame;
  }
  return none;
}

int CodeView::fetch(uint64_t root, uint64_t address, uint8_t* into, int length) const {
  int done = 0;
  while (done < length) {
    Page p = page(root, address + done);
    if (p.bytes == nullptr) break;
    int offset = static_cast<int>((address + done) & 4095);
    int part = 4096 - offset < length - done ? 4096 - offset : length - done;
    std::memcpy(into + done, p.bytes + offset, part);
    done += part;
  }
  return done;
}

void CodeView::clearBits(uint64_t root, uint64_t address, uint8_t bits) const {
  Page p = page(root, address, false);
  if (p.bytes != nullptr) p.bytes[address & 4095] &= static_cast<uint8_t>(~bits);
}

BlockTable::BlockTable(uint8_t* memory, uint64_t bytes)
    : view_(memory, bytes),
      entries_(new BlockEntry[kEntries]()),
      infos_(new BlockInfo[kEntries]),
      scratch_(new uint8_t[kMaxBlock + kMaxInsnLength]) {}

void BlockTable::newEpoch() {
  if (++epoch_ < 0xffff) return;
  // Tags of old epochs must not come back to life.
  std::memset(static_cast<void*>(entries_.get()), 0, sizeof(BlockEntry) * kEntries);
  epoch_ = 1;
}

void BlockTable::setScreenGs(bool on) {
  if (on == screenGs_) return;
  screenGs_ = on;
  forget();
}

void BlockTable::setCounting(AddressRange none, AddressRange one) {
  uncounted_ = none;
  countedOnce_ = one;
  forget();
}

void BlockTable::forget() {
  newEpoch();
  // What was decoded under the other rule must be decoded again.
  for (uint32_t i = 0; i < kEntries; i++) infos_[i].size = 0;
}

void BlockTable::decode(BlockInfo& info, const uint8_t* bytes, int available) {
  info.count = 0;
  info.hasSpecial = false;
  info.endsInRep = false;
  int at = 0;
  while (at < info.size) {
    // A block that ends in a fault may be shorter than its last instruction.
    Insn insn = decodeInsn(bytes + at, available - at, screenGs_);
    bool special = insn.special != Special::none && (insn.special != Special::startsBlock || at > 0);
    if (special && !info.hasSpecial) {
      info.hasSpecial = true;
      info.plainBefore = info.count;
    }
    info.count++;
    // Its rest is on a page that cannot be fetched.
    if (insn.length == 0) break;
    if (insn.isRepString && at + insn.length >= info.size) {
      info.endsInRep = true;
      info.rep32 = insn.addressSize32;
      info.repLength = insn.length;
      info.repAddress = info.address + at;
    }
    at += insn.length;
  }
  // An instruction that is cut off counts with all that there is of it.
  int end = at < info.size ? available : at;
  info.span = static_cast<uint16_t>(end);
  if (uncounted_.holds(info.address)) info.count = 0;
  if (countedOnce_.holds(info.address) && info.count > 0) info.count = 1;
}

const BlockInfo* BlockTable::find(uint64_t root, uint64_t address, uint32_t size) {
  if (size > kMaxBlock) return nullptr;
  uint32_t index = slot(address);
  BlockEntry& entry = entries_[index];
  BlockInfo& info = infos_[index];
  CodeView::Page first = view_.page(root, address);
  if (first.bytes == nullptr) return nullptr;
  bool known = info.copy != nullptr && info.address == address && info.size == size;
  const uint8_t* bytes = first.bytes + (address & 4095);
  info.writable = first.writable;
  int wanted = static_cast<int>(size) + kMaxInsnLength;
  int available = wanted;
  if ((address & 4095) + static_cast<uint64_t>(wanted) > 4096) {
    available = view_.fetch(root, address, scratch_.get(), wanted);
    if (available < static_cast<int>(size)) return nullptr;
    info.writable = info.writable || view_.page(root, address + static_cast<uint64_t>(available) - 1).writable;
    bytes = scratch_.get();
  }
  if (!known || info.span > available || std::memcmp(info.copy.get(), bytes, info.span) != 0) {
    info.address = address;
    info.size = static_cast<uint16_t>(size);
    decode(info, bytes, available);
    if (info.copyCapacity < info.span) {
      info.copyCapacity = info.span < 32u ? 32u : info.span;
      info.copy.reset(new uint8_t[info.copyCapacity]);
    }
    std::memcpy(info.copy.get(), bytes, info.span);
  }
  entry.tag = address | epochTag();
  entry.count = info.count;
  bool plain = !info.hasSpecial && !info.writable && !info.endsInRep;
  entry.size = plain ? info.size : 0;
  return &info;
}

}  // namespace trapline
