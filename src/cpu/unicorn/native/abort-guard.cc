// SPDX-License-Identifier: MIT
//
// One handler for the process, one target per thread. Leaving a SIGABRT handler by a jump is allowed (abort(3)).

#include "abort-guard.h"

#include <csignal>
#include <mutex>

namespace trapline {

namespace {

thread_local sigjmp_buf* target = nullptr;
struct sigaction previous;

void onAbort(int) {
  if (target != nullptr) siglongjmp(*target, 1);
  // Not ours: what was there before takes it, or abort ends the process after this returns.
  sigaction(SIGABRT, &previous, nullptr);
  std::raise(SIGABRT);
}

void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_handler = onAbort;
    sigemptyset(&action.sa_mask);
    sigaction(SIGABRT, &action, &previous);
  });
}

}  // namespace

void AbortGuard::enter(sigjmp_buf* to) {
  install();
  target = to;
}

void AbortGuard::leave() { target = nullptr; }

void AbortGuard::recover() {
  target = nullptr;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGABRT);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

AbortGuard::Pause::Pause() : saved_(target) { target = nullptr; }
AbortGuard::Pause::~Pause() { target = saved_; }

}  // namespace trapline
