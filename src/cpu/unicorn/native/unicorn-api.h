// SPDX-License-Identifier: MIT
//
// The part of Unicorn's C interface (2.1) that Trapline uses, resolved from a shared library at run time, so that
// the addon is built without Unicorn's headers and one binary serves every library from 2.1.4 on.

#ifndef TRAPLINE_UNICORN_API_H
#define TRAPLINE_UNICORN_API_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace trapline {

struct UcEngine;
struct UcContext;
using UcHook = size_t;
using UcErr = int;

constexpr int kArchX86 = 4;
constexpr int kMode64 = 8;
constexpr uint32_t kProtAll = 7;

constexpr int kHookIntr = 1 << 0;
constexpr int kHookInsn = 1 << 1;
constexpr int kHookBlock = 1 << 3;
constexpr int kHookInsnInvalid = 1 << 14;

constexpr int kInsnCpuid = 113;
constexpr int kInsnRdtsc = 608;
constexpr int kInsnRdtscp = 609;
constexpr int kInsnSyscall = 699;

// uc_ctl requests: number | argument count << 26 | write << 30.
constexpr int kCtlUseExits = 0x44000004;
constexpr int kCtlExits = 0x48000006;
constexpr int kCtlRemoveCache = 0x48000009;
constexpr int kCtlFlushTlb = 0x4000000b;

enum UcReg : int {
  kRegEflags = 25,
  kRegFpsw = 31,
  kRegRax = 35,
  kRegRbp = 36,
  kRegRbx = 37,
  kRegRcx = 38,
  kRegRdi = 39,
  kRegRdx = 40,
  kRegRip = 41,
  kRegRsi = 43,
  kRegRsp = 44,
  kRegCr2 = 52,
  kRegCr3 = 53,
  kRegFp0 = 82,
  kRegR8 = 106,
  kRegXmm0 = 122,
  kRegFpcw = 246,
  kRegFptag = 247,
  kRegMxcsr = 249,
  kRegFsBase = 250,
  kRegGsBase = 251,
  kRegFip = 254,
  kRegFcs = 255,
  kRegFdp = 256,
  kRegFds = 257,
  kRegFop = 258,
};

/** Function table of one loaded library. */
struct UnicornApi {
  unsigned (*version)(unsigned* major, unsigned* minor);
  UcErr (*open)(int arch, int mode, UcEngine** engine);
  UcErr (*close)(UcEngine* engine);
  const char* (*strerror)(UcErr code);
  UcErr (*memMapPtr)(UcEngine* engine, uint64_t address, uint64_t size, uint32_t perms, void* host);
  UcErr (*emuStart)(UcEngine* engine, uint64_t begin, uint64_t until, uint64_t timeout, size_t count);
  UcErr (*emuStop)(UcEngine* engine);
  UcErr (*hookAdd)(UcEngine* engine, UcHook* hook, int type, void* callback, void* user, uint64_t begin,
                   uint64_t end, ...);
  UcErr (*regRead)(UcEngine* engine, int reg, void* value);
  UcErr (*regWrite)(UcEngine* engine, int reg, const void* value);
  UcErr (*regReadBatch)(UcEngine* engine, const int* regs, void** values, int count);
  UcErr (*regWriteBatch)(UcEngine* engine, const int* regs, void* const* values, int count);
  UcErr (*contextAlloc)(UcEngine* engine, UcContext** context);
  UcErr (*contextSave)(UcEngine* engine, UcContext* context);
  UcErr (*contextRestore)(UcEngine* engine, UcContext* context);
  size_t (*contextSize)(UcEngine* engine);
  UcErr (*contextFree)(UcContext* context);
  UcErr (*ctl)(UcEngine* engine, int control, ...);
  /**
   * Drops translations of a physical range. The translator's own function, in no header: nullptr where it is not exported,
   * and tried before it is trusted (Machine::boot).
   */
  void (*invalidatePhysical)(UcEngine* engine, uint64_t start, uint64_t end);

  /**
   * Opens the library at `path`. The table stays valid until the process ends; a second call with the same path
   * returns the same table.
   * @return nullptr with `error` set when the library or one of its symbols is missing
   */
  static const UnicornApi* load(const std::string& path, std::string* error);

  std::string versionText() const;
};

}  // namespace trapline

#endif
