// SPDX-License-Identifier: MIT
//
// A view replaces the page-table entry of the page, so data accesses of the instruction to that page go to the
// frame as well: reads see memory but for the viewed bytes themselves, stores are carried over afterwards.

#include "views.h"

#include <algorithm>
#include <cstring>

#include "machine.h"

namespace trapline {

uint64_t ViewFrames::leafEntryAt(uint64_t root, uint64_t address) const {
  if ((address >> 47) != 0) return 0;
  uint64_t table = root;
  for (int level = 3; level >= 0; level--) {
    if (table + 4096 > bytes_) return 0;
    uint64_t at = table + ((address >> (12 + 9 * level)) & 511) * 8;
    uint64_t entry;
    std::memcpy(&entry, memory_ + at, 8);
    if ((entry & (kPtePresent | kPteUser)) != (kPtePresent | kPteUser) || (entry & kPteNx) != 0) return 0;
    if (level == 0) return (entry & kPteFrame) + 4096 <= bytes_ ? at : 0;
    if ((entry & kPteLarge) != 0) return 0;
    table = entry & kPteFrame;
  }
  return 0;
}

uint64_t ViewFrames::frameFor(uint64_t guestFrame, uint64_t from, uint64_t to, const uint8_t* view,
                              const std::function<void(uint64_t)>& changed) {
  const uint8_t* guest = memory_ + guestFrame;
  for (int i = 0; i < layout::kViewFrameCount; i++) {
    uint64_t frame = layout::kViewFrames + static_cast<uint64_t>(i) * 4096;
    const uint8_t* bytes = memory_ + frame;
    bool taken = std::any_of(shown_.begin(), shown_.end(), [frame](const Shown& s) { return s.frame == frame; });
    if (!taken && std::memcmp(bytes + from, view, to - from) == 0 && std::memcmp(bytes, guest, from) == 0 &&
        std::memcmp(bytes + to, guest + to, 4096 - to) == 0) {
      return frame;
    }
  }
  uint64_t frame = layout::kViewFrames + nextVictim_ * 4096;
  nextVictim_ = (nextVictim_ + 1) % layout::kViewFrameCount;
  std::memcpy(memory_ + frame, guest, 4096);
  std::memcpy(memory_ + frame + from, view, to - from);
  changed(frame);
  return frame;
}

size_t ViewFrames::show(uint64_t root, uint64_t address, const uint8_t* view, size_t length,
                        const std::function<void(uint64_t)>& changed) {
  size_t mark = shown_.size();
  uint64_t end = address + length;
  for (uint64_t at = address; at < end;) {
    uint64_t page = at & ~0xfffull;
    uint64_t stop = std::min(end, page + 4096);
    uint64_t entryAt = leafEntryAt(root, page);
    if (entryAt != 0) {
      Shown s{};
      s.entryAt = entryAt;
      std::memcpy(&s.entry, memory_ + entryAt, 8);
      s.guestFrame = s.entry & kPteFrame;
      s.from = at - page;
      s.to = stop - page;
      s.view = view + (at - address);
      s.frame = frameFor(s.guestFrame, s.from, s.to, s.view, changed);
      uint64_t entry = (s.entry & ~(kPteFrame | kPteDirty)) | s.frame;
      std::memcpy(memory_ + entryAt, &entry, 8);
      shown_.push_back(s);
    }
    at = stop;
  }
  return mark;
}

void ViewFrames::hide(size_t mark, const std::function<void(uint64_t)>& stored) {
  while (shown_.size() > mark) {
    Shown s = shown_.back();
    shown_.pop_back();
    uint64_t entry;
    std::memcpy(&entry, memory_ + s.entryAt, 8);
    std::memcpy(memory_ + s.entryAt, &s.entry, 8);
    if ((entry & kPteDirty) == 0) continue;
    uint8_t* guest = memory_ + s.guestFrame;
    const uint8_t* frame = memory_ + s.frame;
    for (uint64_t i = 0; i < 4096; i++) {
      uint8_t before = i >= s.from && i < s.to ? s.view[i - s.from] : guest[i];
      if (frame[i] != before) guest[i] = frame[i];
    }
    stored(s.guestFrame);
  }
}

}  // namespace trapline
