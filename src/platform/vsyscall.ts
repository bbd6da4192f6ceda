// SPDX-License-Identifier: MIT
//
// The vsyscall page: three calls at fixed addresses, from before there was a vDSO. Nothing is mapped there; who jumps there
// faults, and the call is made in its place (Linux arch/x86/entry/vsyscall, vsyscall=xonly; gVisor Task.doVsyscall).

import { SYS } from '../abi/sysno.ts';
import { Reg } from '../cpu/regs.ts';
import type { Regs } from '../cpu/regs.ts';

const ENTRIES: ReadonlyMap<bigint, number> = new Map([
  [0xffffffffff600000n, SYS.gettimeofday],
  [0xffffffffff600400n, SYS.time],
  [0xffffffffff600800n, SYS.getcpu],
]);

/** The call at an address of the page, or undefined. */
export function vsyscallAt(rip: bigint): number | undefined {
  return ENTRIES.get(rip);
}

/** Goes back to the caller, as the `ret` that is not there would. */
export function returnFromVsyscall(regs: Regs, caller: bigint): void {
  regs.u64[Reg.rip] = caller;
  regs.u64[Reg.rsp] = BigInt.asUintN(64, (regs.u64[Reg.rsp] as bigint) + 8n);
}
