// SPDX-License-Identifier: MIT
//
// Plays the scripts of memory-calls.c on an AddressSpace and answers as the C program does.

import { PAGE_SIZE } from '../../../src/base/addr.ts';
import * as errno from '../../../src/abi/errno.ts';
import { PROT_EXEC, PROT_READ } from '../../../src/abi/mman.ts';
import { SIGBUS } from '../../../src/abi/signal.ts';
import { AddressSpace, PhysicalMemory } from '../../../src/mm/address-space.ts';
import { SoftMmu } from '../soft-mmu.ts';
import { TestFile } from '../test-file.ts';

const BASE = 0x10000000;
const REGION = 64;

const NAMES = new Map(
  Object.entries(errno)
    .filter(([name, value]) => /^E[A-Z0-9]+$/.test(name) && typeof value === 'number' && name !== 'EWOULDBLOCK')
    .map(([name, value]) => [value as number, name]),
);

/** The answers to a script: one string a line. */
export function play(script: readonly string[]): string[] {
  const out: string[] = [];
  let machine = newMachine();
  for (const line of script) {
    if (line === 'new') {
      machine.mm.release();
      machine = newMachine();
      out.push('new');
    } else if (line === 'M') {
      out.push('M', ...maps(machine.mm));
    } else {
      out.push(`${line} = ${answer(machine, line)}`);
    }
  }
  return out;
}

interface Machine {
  readonly mmu: SoftMmu;
  readonly mm: AddressSpace;
  readonly file: TestFile;
}

function newMachine(): Machine {
  const mmu = new SoftMmu(512);
  const memory = new PhysicalMemory(mmu, 400 * PAGE_SIZE);
  const file = TestFile.ofPages(7);
  file.resize(6 * PAGE_SIZE + 100);
  return { mmu, mm: new AddressSpace(memory, { limits: { memlockBytes: Infinity } }), file };
}

function answer({ mmu, mm, file }: Machine, line: string): string {
  const [op = '', ...words] = line.split(' ');
  const n = words.map(Number);
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = n;
  const start = BASE + a * PAGE_SIZE;
  const length = b * PAGE_SIZE;
  switch (op) {
    case 'm': {
      const kind = words[4];
      const backing = kind === 'a' ? {} : { file, offset: (n[5] ?? 0) * PAGE_SIZE };
      const readOnly = kind === 'r' && (d & 1) === 1;
      return result(
        mm.mmap({ addr: start, length, prot: c, flags: d, ...backing, maxProt: readOnly ? PROT_READ | PROT_EXEC : 7 }),
      );
    }
    case 'u':
      return result(mm.munmap(start, length));
    case 'p':
      return result(mm.mprotect(start, length, c));
    case 'r':
      return result(mm.mremap(start, length, c * PAGE_SIZE, d, BASE + e * PAGE_SIZE));
    case 'a':
      return result(mm.madvise(start, length, c));
    case 'l':
      return result(mm.mlock(start, length));
    case 'n':
      return result(mm.munlock(start, length));
    case 's':
      return result(mm.msync(start, length, c));
    case 'c': {
      const vector = 0x70000000;
      mm.mmap({ addr: vector, length: PAGE_SIZE, prot: 3, flags: 0x32 });
      const got = result(mm.mincore(start, length, vector));
      mm.munmap(vector, PAGE_SIZE);
      return got;
    }
    case 'R':
    case 'W': {
      const fault = op === 'W' ? mmu.store(mm, start + 7, b) : undefined;
      const got = fault ?? mmu.load(mm, start + 7);
      if (typeof got === 'number') return String(got);
      return `${got.signo === SIGBUS ? 'SIGBUS' : 'SIGSEGV'} ${got.code}`;
    }
    case 't':
      file.resize(a);
      return '0';
    default:
      throw new Error(`unknown line in a transcript: ${line}`);
  }
}

function result(value: number): string {
  if (value < 0) return `-${NAMES.get(-value) ?? value}`;
  return value >= BASE ? `page ${(value - BASE) / PAGE_SIZE}` : String(value);
}

function maps(mm: AddressSpace): string[] {
  return [...mm.vmas()]
    .filter((v) => v.end > BASE && v.start < BASE + REGION * PAGE_SIZE)
    .map((v) => {
      const perms = `${v.prot & 1 ? 'r' : '-'}${v.prot & 2 ? 'w' : '-'}${v.prot & 4 ? 'x' : '-'}${v.shared ? 's' : 'p'}`;
      const kind = v.file === undefined ? 'anon' : v.file.name.startsWith('/dev/zero') ? 'shm' : 'file';
      return `  ${(v.start - BASE) / PAGE_SIZE}-${(v.end - BASE) / PAGE_SIZE} ${perms} ${(v.offset / PAGE_SIZE).toString(16)} ${kind}`;
    });
}

/** The script behind a transcript. */
export function scriptOf(transcript: readonly string[]): string[] {
  return transcript.filter((line) => !line.startsWith('  ')).map((line) => line.replace(/ = .*$/, ''));
}
