// SPDX-License-Identifier: MIT
//
// Programs from the lab are ELF files that our loader takes, and Linux itself.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { bytesSource, readElf } from '../../src/loader/index.ts';
import { CODE_ADDRESS } from '../../src/workshop/lab/assembler.ts';
import { assembledImage, guestImage } from '../../src/workshop/lab/guest-image.ts';

const HELLO = `
text:   .ascii "lab\\n"
_start: mov $1,%eax             # write
        mov $1,%edi
        lea text(%rip),%rsi
        mov $_start-text,%edx
        syscall
        movb $42,status(%rip)   # the code may be written to
        mov $231,%eax           # exit_group
        .byte 0xbf              # mov $…,%edi
status: .long 0
        syscall
`;

describe('A program from the lab', () => {
  it('starts where its code does, or at _start', () => {
    expect(readElf(bytesSource(guestImage(Uint8Array.of(0xf4))))).toMatchObject({ ok: true, entry: CODE_ADDRESS });
    expect(readElf(bytesSource(assembledImage(HELLO)))).toMatchObject({ ok: true, entry: CODE_ADDRESS + 4 });
  });

  it.runIf(process.platform === 'linux' && process.arch === 'x64')('runs on Linux', () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapline-lab-'));
    try {
      const file = join(folder, 'hello');
      writeFileSync(file, assembledImage(HELLO), { mode: 0o755 });
      const { status, stdout } = spawnSync(file, [], { encoding: 'latin1', timeout: 10_000 });
      expect({ status, stdout }).toEqual({ status: 42, stdout: 'lab\n' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('says where its source is wrong', () => {
    expect(() => assembledImage('nop\nbad')).toThrow('line 2, column 1: "bad" is no instruction of the lab');
    expect(() => assembledImage('# nothing')).toThrow('the program is empty; write an instruction');
  });
});
