// SPDX-License-Identifier: MIT
//
// A host thread that asks for an interruption when time is up: neither Node's timers nor its signal handlers run
// while guest code does.

#ifndef TRAPLINE_WATCHDOG_H
#define TRAPLINE_WATCHDOG_H

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace trapline {

class Watchdog {
 public:
  /** @param fire called on the watchdog's thread */
  explicit Watchdog(std::function<void()> fire) : fire_(std::move(fire)) {}
  ~Watchdog() {
    if (!thread_.joinable()) return;
    {
      std::lock_guard<std::mutex> guard(lock_);
      quit_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  /** Fires `ms` from now, in place of an earlier deadline; 0 only cancels that. */
  void arm(uint32_t ms) {
    {
      std::lock_guard<std::mutex> guard(lock_);
      armed_ = ms != 0;
      deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    }
    if (!thread_.joinable()) {
      if (ms == 0) return;
      thread_ = std::thread([this] { loop(); });
    } else {
      wake_.notify_one();
    }
  }

 private:
  void loop() {
    std::unique_lock<std::mutex> guard(lock_);
    while (!quit_) {
      if (!armed_) {
        wake_.wait(guard);
      } else if (std::chrono::steady_clock::now() >= deadline_) {
        armed_ = false;
        fire_();
      } else {
        wake_.wait_until(guard, deadline_);
      }
    }
  }

  std::function<void()> fire_;
  std::thread thread_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::chrono::steady_clock::time_point deadline_;
  bool armed_ = false;
  bool quit_ = false;
};

}  // namespace trapline

#endif
