// SPDX-License-Identifier: MIT
//
// Fetch views: frames of the engine that take the place of a guest page for one step, with some bytes replaced.
// A frame per distinct content stays translated, which makes a step with a view seen before cheap.

#ifndef TRAPLINE_VIEWS_H
#define TRAPLINE_VIEWS_H

#include <cstdint>
#include <functional>
#include <vector>

namespace trapline {

class ViewFrames {
 public:
  ViewFrames(uint8_t* memory, uint64_t bytes) : memory_(memory), bytes_(bytes) {}

  /**
   * Makes instruction fetch at `address` see `view` in place of memory, until `hide`. Pages that ring 3 cannot
   * execute stay as they are. The caller flushes the TLB after both. Views nest.
   * @param changed called with the physical address of a frame whose content is not what was translated
   * @return what `hide` needs to end this view
   */
  size_t show(uint64_t root, uint64_t address, const uint8_t* view, size_t length,
            const std::function<void(uint64_t)>& changed);
  /** Puts memory back. @param stored called with the physical address of each guest page that the step wrote to */
  void hide(size_t mark, const std::function<void(uint64_t)>& stored);

 private:
  /** A page of the guest that a frame stands for. */
  struct Shown {
    uint64_t entryAt;
    uint64_t entry;
    uint64_t frame;
    uint64_t guestFrame;
    uint64_t from;
    uint64_t to;
    const uint8_t* view;
  };
  uint64_t leafEntryAt(uint64_t root, uint64_t address) const;
  uint64_t frameFor(uint64_t guestFrame, uint64_t from, uint64_t to, const uint8_t* view,
                    const std::function<void(uint64_t)>& changed);

  uint8_t* memory_;
  uint64_t bytes_;
  std::vector<Shown> shown_;
  uint64_t nextVictim_ = 0;
};

}  // namespace trapline

#endif
