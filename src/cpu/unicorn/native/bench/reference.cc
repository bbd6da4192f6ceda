// SPDX-License-Identifier: MIT
//
// The kernels of src/cpu/unicorn/bench on the same libunicorn in the same ring-3 configuration: bare, without any hook
// on blocks, what Unicorn itself can do; counted, with the least hook that can count and preempt, what any program
// with a budget pays. Prints nanoseconds of CPU time per round.
// usage: reference LIBRARY CODE-IN-HEX ROUNDS REPEATS bare|counted

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "../machine.h"

namespace {

using namespace trapline;

// KEEP IN SYNC: src/cpu/unicorn/bench/guest.ts
constexpr uint64_t kArena = 64ull << 20;
constexpr uint64_t kCode = 0x400000;
constexpr uint64_t kStackTop = 0x500000;
constexpr uint64_t kData = 0x10000000;
constexpr uint64_t kDataBytes = 16ull << 20;
constexpr uint64_t kSecond = 0x20123000;
constexpr uint64_t kSeed = 0x123456789abcdefull;
/** Short runs, each followed by a flush, after which the TLB has grown to the working set. */
constexpr int kWarmUps = 20;

struct Events : MachineEvents {
  Machine* machine = nullptr;
  uint32_t vector = 0xffffffff;
  void onInterrupt(uint32_t v) override {
    vector = v;
    machine->stop();
  }
  void onInvalid() override { machine->stop(); }
  void onSyscall() override { machine->stop(); }
  void onTimestamp(bool) override {}
  void onCpuid() override {}
};

/** Blocks until the budget is over; the program never gets there. */
int64_t blocksLeft = INT64_MAX;

void countBlock(UcEngine*, uint64_t, uint32_t, void* machine) {
  if (--blocksLeft < 0) static_cast<Machine*>(machine)->stop();
}

uint8_t* memory;
uint64_t nextFrame = layout::kReservedBytes;

uint64_t newFrame() {
  nextFrame += 4096;
  return nextFrame - 4096;
}

void map(uint64_t root, uint64_t address, uint64_t frame, uint64_t protection) {
  uint64_t table = root;
  for (int level = 3; level > 0; level--) {
    uint64_t* entry = reinterpret_cast<uint64_t*>(memory + table) + ((address >> (12 + 9 * level)) & 511);
    if ((*entry & kPtePresent) == 0) *entry = newFrame() | kPtePresent | kPteWrite | kPteUser;
    table = *entry & kPteFrame;
  }
  reinterpret_cast<uint64_t*>(memory + table)[(address >> 12) & 511] = frame | kPtePresent | kPteUser | protection;
}

void mapNew(uint64_t root, uint64_t address, uint64_t bytes, uint64_t protection) {
  for (uint64_t a = 0; a < bytes; a += 4096) map(root, address + a, newFrame(), protection);
}

double cpuSeconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  std::string error;
  const UnicornApi* api = UnicornApi::load(argv[1], &error);
  std::string hex = argv[2];
  uint64_t rounds = std::strtoull(argv[3], nullptr, 10);
  int repeats = std::atoi(argv[4]);
  if (api == nullptr) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  memory = static_cast<uint8_t*>(
      mmap(nullptr, kArena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0));
  Machine::prepareArena(memory, kArena);
  Machine machine(*api, memory, kArena);
  Events events;
  events.machine = &machine;
  if (!machine.boot(&events, &error)) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  bool counted = std::strcmp(argv[5], "counted") == 0;
  if (counted && !machine.hookBlocks(reinterpret_cast<void*>(&countBlock), &machine, &error)) return 1;
  uint64_t root = newFrame();
  Machine::initRoot(memory, root);
  uint64_t code = newFrame();
  map(root, kCode, code, 0);
  mapNew(root, kStackTop - 4096, 4096, kPteWrite | kPteNx);
  mapNew(root, kData, kDataBytes, kPteWrite | kPteNx);
  mapNew(root, kSecond, 64 << 10, kPteWrite | kPteNx);
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    memory[code + i / 2] = static_cast<uint8_t>(std::strtoul(hex.substr(i, 2).c_str(), nullptr, 16));
  }
  machine.setRoot(root);
  uint8_t fpu[512] = {};
  fpu[0] = 0x7f;
  fpu[1] = 3;
  fpu[24] = 0x80;
  fpu[25] = 0x1f;
  auto run = [&](uint64_t n) {
    machine.loadFpu(fpu);
    uint64_t regs[kRegCount] = {};
    regs[kRax] = kSeed;
    regs[kRbx] = n;
    regs[kRdi] = kData;
    regs[kRsi] = kSecond;
    regs[kRsp] = kStackTop - 256;
    machine.writeRegs(regs);
    events.vector = 0xffffffff;
    machine.start(kCode);
    machine.readRegs(regs);
    return events.vector == 3;
  };
  double best = 1e9;
  for (int i = 0; i < kWarmUps; i++) {
    run(rounds / 200 + 1);
    machine.flushTlb();
  }
  for (int i = 0; i < repeats; i++) {
    double start = cpuSeconds();
    if (!run(rounds)) return 1;
    double spent = cpuSeconds() - start;
    if (spent < best) best = spent;
  }
  std::printf("%.6f\n", best / static_cast<double>(rounds) * 1e9);
  return 0;
}
