// SPDX-License-Identifier: MIT
//
// Unicorn's translator calls abort() on a few encodings that it does not foresee. A guest must not be able to end the
// host process, so aborts inside uc_emu_start come back here.

#ifndef TRAPLINE_ABORT_GUARD_H
#define TRAPLINE_ABORT_GUARD_H

#include <csetjmp>

namespace trapline {

/** Where an abort on this thread goes to; nullptr where it is nobody's. */
class AbortGuard {
 public:
  /** Makes `target` the place to go to. Nested starts do not exist. */
  static void enter(sigjmp_buf* target);
  static void leave();
  /** After an abort: the signal may come again. */
  static void recover();

  /** For calls out of Unicorn: an abort there keeps its meaning. */
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    sigjmp_buf* saved_;
  };
};

}  // namespace trapline

#endif
