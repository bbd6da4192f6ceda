// SPDX-License-Identifier: MIT
//
// Types of the native addon. KEEP IN SYNC: src/cpu/unicorn/native/addon.cc

/** One native engine. Functions are bound to it; all but `dispose` throw once it is disposed of. */
export interface NativeEngine {
  readonly arena: ArrayBuffer;
  readonly control: ArrayBuffer;
  /** Version of libunicorn. */
  readonly version: string;
  run(budget: number): void;
  step(viewAddress?: number, view?: Uint8Array): void;
  invalidateCode(start: number, length: number): void;
  saveFpu(into: Uint8Array): void;
  loadFpu(from: Uint8Array): void;
  armWatchdog(ms: number): void;
  interruptEvery(blocks: number): void;
  interruptAt(count: number): void;
  setEarlyFlushes(on: boolean): void;
  setScreenGs(on: boolean): void;
  /** Two ranges of addresses: blocks in the first count as no instructions, in the second as one. */
  setCounting(noneStart: number, noneEnd: number, oneStart: number, oneEnd: number): void;
  /** Rows of six words: leaf, subleaf (0xffffffff for any), eax, ebx, ecx, edx. */
  setCpuid(table: Uint32Array): void;
  setSyscallHandler(handler: () => boolean): void;
  dispose(): void;
}

export interface Addon {
  openEngine(libraryPath: string, memoryBytes: number): NativeEngine;
  libraryVersion(libraryPath: string): string;
}
