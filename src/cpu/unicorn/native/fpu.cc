// SPDX-License-Identifier: MIT
//
// x87 and SSE state between Unicorn and the legacy FXSAVE area (SDM vol. 1, table 10-2), one batch each way.

#include <cstring>

#include "machine.h"

namespace trapline {

namespace {

// Control, status, tag, opcode, pointers and MXCSR; then eight physical x87 registers, sixteen XMM registers.
constexpr int kControls = 9;
constexpr int kFpuRegs = kControls + 8 + 16;
// MXCSR bits that the processor has; others would raise #GP in fxrstor. DAZ is bit 6.
constexpr uint32_t kMxcsrMask = 0xffff;

struct FpuState {
  uint64_t controls[kControls];
  uint8_t x87[8][16];
  uint8_t xmm[16][16];
  int ids[kFpuRegs];
  void* values[kFpuRegs];

  FpuState() {
    std::memset(this, 0, sizeof *this);
    const int controlIds[kControls] = {kRegFpcw, kRegFpsw, kRegFptag, kRegFop, kRegFip,
                                       kRegFcs,  kRegFdp,  kRegFds,   kRegMxcsr};
    for (int i = 0; i < kControls; i++) bind(i, controlIds[i], &controls[i]);
    for (int i = 0; i < 8; i++) bind(kControls + i, kRegFp0 + i, x87[i]);
    for (int i = 0; i < 16; i++) bind(kControls + 8 + i, kRegXmm0 + i, xmm[i]);
  }
  void bind(int index, int id, void* value) {
    ids[index] = id;
    values[index] = value;
  }
};

template <typename T>
void put(uint8_t* image, int offset, uint64_t value) {
  T narrow = static_cast<T>(value);
  std::memcpy(image + offset, &narrow, sizeof narrow);
}

template <typename T>
T get(const uint8_t* image, int offset) {
  T value;
  std::memcpy(&value, image + offset, sizeof value);
  return value;
}

}  // namespace

void Machine::saveFpu(uint8_t* image) {
  FpuState s;
  api_.regReadBatch(engine_, s.ids, s.values, kFpuRegs);
  std::memset(image, 0, 512);
  put<uint16_t>(image, 0, s.controls[0]);
  put<uint16_t>(image, 2, s.controls[1]);
  // Two bits a register, 3 for empty, become one bit, 1 for in use.
  uint8_t inUse = 0;
  for (int i = 0; i < 8; i++) {
    if (((s.controls[2] >> (2 * i)) & 3) != 3) inUse |= static_cast<uint8_t>(1 << i);
  }
  image[4] = inUse;
  put<uint16_t>(image, 6, s.controls[3]);
  put<uint64_t>(image, 8, s.controls[4]);
  put<uint64_t>(image, 16, s.controls[6]);
  put<uint32_t>(image, 24, s.controls[8]);
  put<uint32_t>(image, 28, kMxcsrMask);
  int top = static_cast<int>((s.controls[1] >> 11) & 7);
  for (int i = 0; i < 8; i++) std::memcpy(image + 32 + 16 * i, s.x87[(top + i) & 7], 10);
  std::memcpy(image + 160, s.xmm, sizeof s.xmm);
}

void Machine::loadFpu(const uint8_t* image) {
  FpuState s;
  s.controls[0] = get<uint16_t>(image, 0);
  s.controls[1] = get<uint16_t>(image, 2);
  uint16_t tags = 0;
  for (int i = 0; i < 8; i++) {
    if ((image[4] & (1 << i)) == 0) tags = static_cast<uint16_t>(tags | (3 << (2 * i)));
  }
  s.controls[2] = tags;
  s.controls[3] = get<uint16_t>(image, 6);
  s.controls[4] = get<uint64_t>(image, 8);
  s.controls[6] = get<uint64_t>(image, 16);
  s.controls[8] = get<uint32_t>(image, 24) & kMxcsrMask;
  int top = (get<uint16_t>(image, 2) >> 11) & 7;
  for (int i = 0; i < 8; i++) std::memcpy(s.x87[(top + i) & 7], image + 32 + 16 * i, 10);
  std::memcpy(s.xmm, image + 160, sizeof s.xmm);
  api_.regWriteBatch(engine_, s.ids, s.values, kFpuRegs);
}

}  // namespace trapline
