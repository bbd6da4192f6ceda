// SPDX-License-Identifier: MIT
//
// The architectural state that Linux gives to a new process (arch/x86 start_thread, fpu init_fpstate).

import { FPU_BYTES, type Cpu } from './cpu.ts';
import { REG_COUNT, Reg } from './regs.ts';

/** Bit 1, which is always set, and IF. */
export const FRESH_RFLAGS = 0x202;

/** x87 control word 0x37f and MXCSR 0x1f80 (all exceptions masked), everything else zero, as an FXSAVE image. */
export function freshFpu(): Uint8Array {
  const image = new Uint8Array(FPU_BYTES);
  const view = new DataView(image.buffer);
  view.setUint16(0, 0x37f, true);
  view.setUint32(24, 0x1f80, true);
  view.setUint32(28, 0xffff, true);
  return image;
}

/** Zeroes the registers of a Cpu and gives it fresh flags and FPU state. */
export function resetState(cpu: Cpu): void {
  for (let r = 0; r < REG_COUNT; r++) cpu.regs.set(r, 0);
  cpu.regs.set(Reg.rflags, FRESH_RFLAGS);
  cpu.loadFpu(freshFpu());
}
