// SPDX-License-Identifier: MIT
//
// The report on a guest that died.

import { describe, expect, it } from 'vitest';
import type { CrashReport } from '../../src/kernel/crash-report.ts';
import { crashText } from '../../src/report/crash-text.ts';

const CRASH: CrashReport = {
  tid: 2,
  tgid: 1,
  name: 'prog',
  signo: 11,
  code: 1,
  faultAddress: 0x8n,
  senderPid: undefined,
  instructions: 1234,
  registers: [
    { name: 'rax', value: 8n },
    { name: 'rip', value: 0x401000n },
  ],
  rip: { address: 0x401000, symbol: 'main', offset: 0x12 },
  instructionBytes: new Uint8Array([0x8b, 0x00]),
  stack: [{ address: 0x7fff0000, value: 0x1234n }],
  maps: '00400000-00401000 r-xp …\n',
  lastCalls: [
    { tid: 1, sysno: 0, result: undefined, rip: 0x400010 },
    { tid: 2, sysno: 2, result: -2, rip: 0x400020 },
    { tid: 2, sysno: 9, result: 0x7f0000000000, rip: 0x400030 },
  ],
  patchedSite: { address: 0x400ffb, sysno: 39, slot: 0x61050 },
  lastCallSite: { address: 0x400029, sysno: 9, slot: 0x610a0 },
};

const disassemble = (
  bytes: Uint8Array,
  address: number,
): { address: number; bytes: Uint8Array; text: string; isValid: boolean }[] => [
  { address, bytes, text: 'mov (%rax),%eax', isValid: true },
];

describe('crashText', () => {
  it('says what happened where, in one line, and then shows the machine', () => {
    expect(crashText(CRASH, disassemble).split('\n')).toEqual([
      'trapline: task 2 (prog) died of SIGSEGV (SEGV_MAPERR, address 0x8) at 0x401000 (main+0x12) after 1234 instructions',
      'this is in a patched syscall site: 0x400ffb (getpid), trap slot 0x61050',
      'registers:',
      '  rax    0000000000000008  rip    0000000000401000',
      'code:',
      '=> 0x401000  8b 00                    mov (%rax),%eax',
      'stack:',
      '  0x7fff0000: 0000000000001234',
      'last system calls:',
      '  [1] read = ? from 0x400010',
      '  [2] open = -ENOENT from 0x400020',
      '  [2] mmap = 0x7f0000000000 from 0x400030',
      'maps:',
      '00400000-00401000 r-xp …',
      '',
    ]);
  });

  it('says whether the last call came from a patched site, and when nothing patched is near', () => {
    const elsewhere = { ...CRASH, patchedSite: undefined };
    expect(crashText(elsewhere, disassemble).split('\n')[1]).toBe(
      "the task's last call came from a patched syscall site: 0x400029 (mmap), trap slot 0x610a0",
    );
    expect(crashText({ ...elsewhere, lastCallSite: undefined }, disassemble).split('\n')[1]).toBe(
      'no patched syscall site was involved',
    );
  });

  it('names the sender of a signal, and copes with code that cannot be read', () => {
    const crash: CrashReport = {
      ...CRASH,
      signo: 6,
      code: -6,
      faultAddress: undefined,
      senderPid: 1,
      instructionBytes: new Uint8Array(),
      rip: { address: 0, symbol: undefined, offset: 0 },
      patchedSite: undefined,
      stack: [],
      lastCalls: [],
    };
    const text = crashText(crash, () => []);
    expect(text).toContain('died of SIGABRT (SI_TKILL from process 1) at 0x0 after');
    expect(text).toContain('code:\n  (not readable)\nmaps:');
  });
});
