// SPDX-License-Identifier: MIT
//
// Booting models what a kernel does before its first iretq (SDM vol. 3, 9.8.5): GDT, CR4, EFER, CR3, CR0. Exceptions
// never go through an IDT: Unicorn's interrupt hook sees them first, and the owner stops the run there.

#include "machine.h"

#include <cstring>
#include <vector>

#include "abort-guard.h"

namespace trapline {

namespace {

uint64_t* tableAt(uint8_t* memory, uint64_t physical) { return reinterpret_cast<uint64_t*>(memory + physical); }

const int kBlockIds[kRegCount] = {kRegRax,    kRegRcx,    kRegRdx,    kRegRbx,    kRegRsp,    kRegRbp,     kRegRsi,
                                  kRegRdi,    kRegR8,     kRegR8 + 1, kRegR8 + 2, kRegR8 + 3, kRegR8 + 4,  kRegR8 + 5,
                                  kRegR8 + 6, kRegR8 + 7, kRegRip,    kRegEflags, kRegFsBase, kRegGsBase};

/** Assembles the boot code into the arena. */
class Emitter {
 public:
  explicit Emitter(uint8_t* at) : at_(at) {}
  void bytes(std::initializer_list<uint8_t> list) {
    for (uint8_t b : list) *at_++ = b;
  }
  void u32(uint32_t value) {
    std::memcpy(at_, &value, 4);
    at_ += 4;
  }
  uint8_t* at() const { return at_; }

 private:
  uint8_t* at_;
};

constexpr uint32_t kCr4 = 0x20 /* PAE */ | 0x200 /* OSFXSR */ | 0x400 /* OSXMMEXCPT */ | 0x10000 /* FSGSBASE */;
constexpr uint32_t kCr0 = 0x80010023;  // PG, WP, NE, MP, PE; AM stays off as no alignment check is modelled
constexpr uint32_t kEfer = 0x901;      // NXE, LME, SCE
constexpr uint64_t kGdtPointer = layout::kGdt + 0x100;
constexpr uint64_t kRing3Stub = layout::kBootCode + 0x800;
constexpr uint64_t kProbe = layout::kBootCode + 0x900;
constexpr uint64_t kProbeBytes = 0x40;

/** Counts what the probes of findFaultState raise. */
struct ProbeCode {
  const uint8_t* bytes;
  size_t length;
  uint32_t vector;
  int32_t errorCode;
};

}  // namespace

Machine::~Machine() {
  if (context_ != nullptr) api_.contextFree(context_);
  if (engine_ != nullptr) api_.close(engine_);
}

void Machine::initRoot(uint8_t* memory, uint64_t root) {
  tableAt(memory, root)[layout::kKernelSlot] = layout::kKernelPdpt | kPtePresent | kPteWrite;
}

void Machine::prepareArena(uint8_t* memory, uint64_t bytes) {
  // Selectors as on Linux: kernel 0x10 and 0x18, user stack and data 0x2b, user code 0x33. Slot 4, where Linux has a
  // 32-bit code segment, stays empty: this machine has no compatibility mode.
  uint64_t* gdt = tableAt(memory, layout::kGdt);
  gdt[2] = 0x00af9b000000ffffull;
  gdt[3] = 0x00cf93000000ffffull;
  gdt[5] = 0x00cff3000000ffffull;
  gdt[6] = 0x00affb000000ffffull;
  uint16_t limit = 7 * 8 - 1;
  uint64_t base = layout::kKernelBase + layout::kGdt;
  std::memcpy(memory + kGdtPointer, &limit, 2);
  std::memcpy(memory + kGdtPointer + 2, &base, 8);

  tableAt(memory, layout::kKernelPdpt)[0] = layout::kKernelPd | kPtePresent | kPteWrite;
  tableAt(memory, layout::kKernelPd)[0] = layout::kKernelPt | kPtePresent | kPteWrite;
  uint64_t* kernel = tableAt(memory, layout::kKernelPt);
  for (uint64_t a = layout::kGdt; a < layout::kBootStackTop; a += 4096) kernel[a >> 12] = a | kPtePresent | kPteWrite;

  // The flat root. Its pages are readable and executable, never writable.
  tableAt(memory, layout::kFlatRoot)[0] = layout::kFlatPdpt | kPtePresent | kPteUser;
  uint64_t* pdpt = tableAt(memory, layout::kFlatPdpt);
  uint64_t* pd = tableAt(memory, layout::kFlatPd);
  for (int i = 0; i < 4; i++) pdpt[i] = (layout::kFlatPd + i * 4096ull) | kPtePresent | kPteUser;
  for (uint64_t a = 0; a < bytes; a += 2 << 20) pd[a >> 21] = a | kPtePresent | kPteUser | kPteLarge;
  initRoot(memory, layout::kFlatRoot);

  // Physical addresses are linear ones until CR3 points to the flat root, which keeps them so.
  Emitter e(memory + layout::kBootCode);
  e.bytes({0x0f, 0x20, 0xe0, 0x0d});  // mov rax, cr4; or eax, CR4
  e.u32(kCr4);
  e.bytes({0x0f, 0x22, 0xe0});                                      // mov cr4, rax
  e.bytes({0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f, 0x32, 0x0d});        // mov ecx, EFER; rdmsr; or eax, EFER bits
  e.u32(kEfer);
  e.bytes({0x0f, 0x30, 0xb8});  // wrmsr; mov eax, flat root
  e.u32(static_cast<uint32_t>(layout::kFlatRoot));
  e.bytes({0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xc0, 0x0d});  // mov cr3, rax; mov rax, cr0; or eax, CR0
  e.u32(kCr0);
  e.bytes({0x0f, 0x22, 0xc0, 0x0f, 0x01, 0x14, 0x25});  // mov cr0, rax; lgdt [pointer]
  e.u32(static_cast<uint32_t>(kGdtPointer));
  e.bytes({0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8});  // xor eax, eax; mov ds/es/fs/gs, eax
  e.bytes({0x48, 0xbc});                                                  // mov rsp, kernel stack
  uint64_t stack = layout::kKernelBase + layout::kBootStackTop;
  e.u32(static_cast<uint32_t>(stack));
  e.u32(static_cast<uint32_t>(stack >> 32));
  e.bytes({0x6a, 0x2b, 0x6a, 0x00, 0x68});  // push ss; push rsp = 0; push rflags
  e.u32(static_cast<uint32_t>(kFixedFlags));
  e.bytes({0x6a, 0x33, 0x68});  // push cs; push rip
  e.u32(static_cast<uint32_t>(kRing3Stub));
  e.bytes({0x48, 0xcf});  // iretq

  uint8_t* stub = memory + kRing3Stub;
  stub[0] = 0x0f;  // syscall: the hook ends the boot
  stub[1] = 0x05;
}

bool Machine::check(UcErr code, const char* what, std::string* error) {
  if (code == 0) return true;
  *error = std::string(what) + ": " + api_.strerror(code);
  return false;
}

bool Machine::addHook(int type, void* callback, int insn, std::string* error) {
  UcHook hook = 0;
  // An address range whose begin is above its end means everywhere.
  UcErr code = api_.hookAdd(engine_, &hook, type, callback, this, 1, 0, insn);
  return check(code, "adding a hook", error);
}

bool Machine::hookBlocks(void* callback, void* user, std::string* error) {
  UcHook hook = 0;
  return check(api_.hookAdd(engine_, &hook, kHookBlock, callback, user, 1, 0), "adding the block hook", error);
}

bool Machine::boot(MachineEvents* events, std::string* error) {
  std::memcpy(readIds_, kBlockIds, sizeof readIds_);
  if (!check(api_.open(kArchX86, kMode64, &engine_), "opening Unicorn", error)) return false;
  if (!check(api_.memMapPtr(engine_, 0, bytes_, kProtAll, memory_), "mapping the arena", error)) return false;
  // No run has an end address: an empty set of exits keeps every address, 0 included, an ordinary one.
  if (!check(api_.ctl(engine_, kCtlUseExits, 1), "enabling exits", error)) return false;
  if (!check(api_.ctl(engine_, kCtlExits, nullptr, static_cast<size_t>(0)), "setting no exits", error)) return false;
  if (!check(api_.contextAlloc(engine_, &context_), "allocating a context", error)) return false;

  // Until boot is over every event just ends the run.
  struct Booting : MachineEvents {
    Machine* machine = nullptr;
    int syscalls = 0;
    uint32_t lastVector = 0xffffffff;
    void onInterrupt(uint32_t vector) override {
      lastVector = vector;
      machine->stop();
    }
    void onInvalid() override { machine->stop(); }
    void onSyscall() override {
      syscalls++;
      machine->stop();
    }
    void onTimestamp(bool) override {}
    void onCpuid() override {}
  } booting;
  booting.machine = this;
  events_ = &booting;
  if (!addHook(kHookIntr, reinterpret_cast<void*>(&hookInterrupt), 0, error)) return false;
  if (!addHook(kHookInsnInvalid, reinterpret_cast<void*>(&hookInvalid), 0, error)) return false;
  if (!addHook(kHookInsn, reinterpret_cast<void*>(&hookSyscall), kInsnSyscall, error)) return false;
  if (!addHook(kHookInsn, reinterpret_cast<void*>(&hookRdtsc), kInsnRdtsc, error)) return false;
  if (!addHook(kHookInsn, reinterpret_cast<void*>(&hookRdtscp), kInsnRdtscp, error)) return false;
  if (!addHook(kHookInsn, reinterpret_cast<void*>(&hookCpuid), kInsnCpuid, error)) return false;

  write(kRegRsp, layout::kBootStackTop);
  UcErr code = start(layout::kBootCode);
  if (code != 0 || booting.syscalls != 1 || (read(11 /* CS */) & 0xffff) != 0x33) {
    *error = std::string("the machine did not reach ring 3: ") + api_.strerror(code) + ", rip " +
             std::to_string(read(kRegRip)) + ", vector " + std::to_string(static_cast<int>(booting.lastVector));
    return false;
  }
  root_ = layout::kFlatRoot;
  bool found = findFaultState(error);
  invalidatesPhysical_ = found && canInvalidatePhysical();
  events_ = events;
  uint64_t zero[kRegCount] = {};
  zero[kRflags] = kFixedFlags;
  shadowValid_ = false;
  writeRegs(zero);
  return found;
}

bool Machine::findFaultState(std::string* error) {
  // Faults of which everything is known. Afterwards a context holds, at the two offsets sought, the vector
  // (old_exception, -1 before) and the error code.
  static const uint8_t readAbsent[] = {0x48, 0x8b, 0x04, 0x25, 0x00, 0x00, 0x00, 0x80};   // mov rax, [-2 GiB]
  static const uint8_t writePresent[] = {0x48, 0x89, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00};  // mov [0x1000], rax
  static const uint8_t writeAbsent[] = {0x48, 0x89, 0x04, 0x25, 0x00, 0x00, 0x00, 0x80};  // mov [-2 GiB], rax
  static const uint8_t halt[] = {0xf4};                                                   // hlt
  const ProbeCode probes[] = {{readAbsent, sizeof readAbsent, 14, 4},
                              {writePresent, sizeof writePresent, 14, 7},
                              {writeAbsent, sizeof writeAbsent, 14, 6},
                              {halt, sizeof halt, 13, 0}};
  size_t size = api_.contextSize(engine_);
  // A context starts with its own header; contextSize is what save fills from there on.
  std::vector<uint8_t> clean(size), after(size);
  if (!check(api_.contextSave(engine_, context_), "saving a context", error)) return false;
  std::memcpy(clean.data(), context_, size);
  std::vector<bool> isVector(size / 4, true), isErrorCode(size / 4, true);
  UcContext* pristine = nullptr;
  if (!check(api_.contextAlloc(engine_, &pristine), "allocating a context", error)) return false;
  api_.contextSave(engine_, pristine);
  uint64_t at = kProbe;
  for (const ProbeCode& probe : probes) {
    std::memcpy(memory_ + at, probe.bytes, probe.length);
    api_.contextRestore(engine_, pristine);
    start(at);
    at += 16;
    api_.contextSave(engine_, context_);
    std::memcpy(after.data(), context_, size);
    for (size_t i = 0; i + 1 <= size / 4; i++) {
      int32_t before = 0, now = 0;
      std::memcpy(&before, clean.data() + i * 4, 4);
      std::memcpy(&now, after.data() + i * 4, 4);
      if (before != -1 || now != static_cast<int32_t>(probe.vector)) isVector[i] = false;
      if (now != probe.errorCode) isErrorCode[i] = false;
    }
  }
  api_.contextRestore(engine_, pristine);
  api_.contextFree(pristine);
  int vectors = 0, codes = 0;
  for (size_t i = 0; i < size / 4; i++) {
    if (isVector[i]) {
      vectors++;
      oldExceptionAt_ = i * 4;
    }
    if (isErrorCode[i]) {
      codes++;
      errorCodeAt_ = i * 4;
    }
  }
  if (vectors == 1 && codes == 1) return true;
  *error = "this libunicorn keeps its fault state in an unknown form (" + std::to_string(vectors) + " places for the " +
           "vector, " + std::to_string(codes) + " for the error code)";
  return false;
}

bool Machine::canInvalidatePhysical() {
  if (api_.invalidatePhysical == nullptr) return false;
  // mov eax, 1; syscall
  const uint8_t code[] = {0xb8, 1, 0, 0, 0, 0x0f, 0x05};
  uint8_t* number = memory_ + kProbe + kProbeBytes + 1;
  std::memcpy(number - 1, code, sizeof code);
  auto run = [this] {
    start(kProbe + kProbeBytes);
    return read(kRegRax);
  };
  if (run() != 1) return false;
  *number = 2;
  // Were the old code not translated still, the test would show nothing.
  if (run() != 1) return false;
  api_.invalidatePhysical(engine_, kProbe + kProbeBytes + 1, kProbe + kProbeBytes + 2);
  return run() == 2;
}

void Machine::removeCache(uint64_t start, uint64_t end) {
  if (invalidatesPhysical_) {
    api_.invalidatePhysical(engine_, start, end);
    return;
  }
  // Through the flat root every frame is executable at its own address, whatever is mapped now.
  uint64_t root = root_;
  setRoot(layout::kFlatRoot);
  for (uint64_t page = start & ~0xfffull; page < end; page += 4096) {
    api_.ctl(engine_, kCtlRemoveCache, page > start ? page : start, page + 4096 < end ? page + 4096 : end);
  }
  setRoot(root);
}

UcErr Machine::start(uint64_t rip) {
  sigjmp_buf jump;
  if (sigsetjmp(jump, 0) != 0) {
    AbortGuard::recover();
    aborted_ = true;
    return -1;
  }
  AbortGuard::enter(&jump);
  UcErr code = api_.emuStart(engine_, rip, 0, 0, 0);
  AbortGuard::leave();
  return code;
}

uint32_t Machine::settleFault() {
  uint8_t* bytes = reinterpret_cast<uint8_t*>(context_);
  api_.contextSave(engine_, context_);
  uint32_t errorCode = 0;
  int32_t none = -1;
  std::memcpy(&errorCode, bytes + errorCodeAt_, 4);
  std::memcpy(bytes + oldExceptionAt_, &none, 4);
  api_.contextRestore(engine_, context_);
  return errorCode;
}

void Machine::readRegs(uint64_t* block) {
  void* values[kRegCount];
  for (int i = 0; i < kRegCount; i++) values[i] = &block[i];
  block[kRflags] = 0;  // the engine writes 32 bits
  api_.regReadBatch(engine_, readIds_, values, kRegCount);
  std::memcpy(shadow_, block, sizeof shadow_);
  shadowValid_ = true;
}

void Machine::writeRegs(uint64_t* block) {
  block[kRflags] = (block[kRflags] & kUserFlags) | kFixedFlags;
  int ids[kRegCount];
  void* values[kRegCount];
  int n = 0;
  for (int i = 0; i < kRegCount; i++) {
    if (i == kRip || (shadowValid_ && block[i] == shadow_[i])) continue;
    ids[n] = kBlockIds[i];
    values[n] = &block[i];
    n++;
  }
  if (n > 0) api_.regWriteBatch(engine_, ids, values, n);
  std::memcpy(shadow_, block, sizeof shadow_);
  shadowValid_ = true;
}

void Machine::hookInterrupt(UcEngine*, uint32_t vector, void* user) {
  static_cast<Machine*>(user)->events_->onInterrupt(vector);
}

bool Machine::hookInvalid(UcEngine*, void* user) {
  static_cast<Machine*>(user)->events_->onInvalid();
  return true;
}

void Machine::hookSyscall(UcEngine*, void* user) { static_cast<Machine*>(user)->events_->onSyscall(); }

int Machine::hookRdtsc(UcEngine*, void* user) {
  static_cast<Machine*>(user)->events_->onTimestamp(false);
  return 1;
}

int Machine::hookRdtscp(UcEngine*, void* user) {
  static_cast<Machine*>(user)->events_->onTimestamp(true);
  return 1;
}

int Machine::hookCpuid(UcEngine*, void* user) {
  static_cast<Machine*>(user)->events_->onCpuid();
  return 1;
}

}  // namespace trapline
