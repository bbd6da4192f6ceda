// SPDX-License-Identifier: MIT
//
// GNU as and ld as the oracle for the lab's assembler.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The bytes of a program whose first byte lies at `address`. */
export function gnuAssemble(source: string, address: number): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'trapline-as-'));
  try {
    const file = (name: string): string => join(folder, name);
    writeFileSync(file('in.s'), `.text\n${source}\n`);
    execFileSync('as', ['--64', '-o', file('out.o'), file('in.s')], { stdio: ['ignore', 'ignore', 'pipe'] });
    const place = [`-Ttext=0x${address.toString(16)}`, '-e', `0x${address.toString(16)}`];
    execFileSync('ld', [...place, '--oformat', 'binary', '-o', file('out.bin'), file('out.o')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return new Uint8Array(readFileSync(file('out.bin')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
