// SPDX-License-Identifier: MIT
//
// Runs a few bytes of machine code as a program, with a host made of memory.

import { fromLatin1 } from '../../src/base/bytes.ts';
import type { Host, HostDirectory, HostStat, HostStream } from '../../src/base/host.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import type { RunResult, SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { Sandbox } from '../../src/sandbox/sandbox.ts';

const CODE_ADDRESS = 0x401000;
const EROFS = 30;
const ENOENT = 2;

/** An ELF file with one segment that may be read, written and executed. */
export function elfOf(code: Uint8Array): Uint8Array {
  const file = new Uint8Array(0x1000 + code.length);
  const v = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  v.setUint16(16, 2, true);
  v.setUint16(18, 62, true);
  v.setUint32(20, 1, true);
  v.setBigUint64(24, BigInt(CODE_ADDRESS), true);
  v.setBigUint64(32, 64n, true);
  v.setUint16(52, 64, true);
  v.setUint16(54, 56, true);
  v.setUint16(56, 1, true);
  v.setUint32(64, 1, true);
  v.setUint32(68, 7, true);
  v.setBigUint64(72, 0x1000n, true);
  v.setBigUint64(80, BigInt(CODE_ADDRESS), true);
  v.setBigUint64(88, BigInt(CODE_ADDRESS), true);
  v.setBigUint64(96, BigInt(code.length), true);
  v.setBigUint64(104, BigInt(code.length), true);
  v.setBigUint64(112, 0x1000n, true);
  file.set(code, 0x1000);
  return file;
}

/** A read-only host directory that holds one executable file. */
export function directoryWith(name: string, bytes: Uint8Array, mtimeNs = 0n): HostDirectory {
  const stat: HostStat = {
    kind: 'file',
    mode: 0o755,
    size: bytes.length,
    nlink: 1,
    uid: 0,
    gid: 0,
    mtimeNs,
    ctimeNs: 0n,
    atimeNs: 0n,
    ino: 1n,
    dev: 1n,
    rdev: 0n,
    blocks: 8,
  };
  const refused = (): number => -EROFS;
  return {
    writable: false,
    stat: (path) => (path === name ? stat : path === '' ? { ...stat, kind: 'directory', mtimeNs: 0n } : -ENOENT),
    list: () => [name],
    readlink: () => -ENOENT,
    open: (path) =>
      path !== name
        ? -ENOENT
        : {
            pread(into, position) {
              const part = bytes.subarray(position, position + into.length);
              into.set(part);
              return part.length;
            },
            pwrite: refused,
            size: () => bytes.length,
            stat: () => stat,
            truncate: refused,
            sync: () => 0,
            close: () => undefined,
          },
    create: refused,
    mkdir: refused,
    unlink: refused,
    rmdir: refused,
    rename: refused,
    symlink: refused,
    link: refused,
    chmod: refused,
    utimes: refused,
  };
}

export interface CodeOptions extends Partial<SandboxOptions> {
  /** stdin: at its end at once (default), a byte after a while, or nothing ever. */
  readonly input?: 'end' | 'late' | 'never';
  /** The streams are a terminal's. */
  readonly isTerminal?: boolean;
  /** Sends SIGINT from outside. */
  readonly interruptAfterMs?: number;
}

export interface CodeRun {
  readonly result: RunResult;
  readonly output: string;
  readonly warnings: readonly string[];
}

const EAGAIN = 11;

function stream(write: (text: string) => void, input: CodeOptions['input'], isTerminal = false): HostStream {
  let isReady = input !== 'late' && input !== 'never';
  let left = input === 'late' ? 1 : 0;
  return {
    isTerminal,
    windowSize: () => ({ rows: 24, columns: 80 }),
    read(into) {
      if (!isReady) return -EAGAIN;
      const n = Math.min(left, into.length);
      into.fill(0x61, 0, n);
      left -= n;
      return n;
    },
    onReadable(callback) {
      if (isReady) callback();
      else if (input === 'late') {
        setTimeout(() => {
          isReady = true;
          callback();
        }, 30);
      }
    },
    write(from) {
      write(fromLatin1(from));
      return from.length;
    },
  };
}

export async function runCode(code: Uint8Array, options: CodeOptions = {}): Promise<CodeRun> {
  let output = '';
  const warnings: string[] = [];
  const sink = (text: string): void => {
    output += text;
  };
  const host: Host = {
    stdin: stream(sink, options.input, options.isTerminal),
    stdout: stream(sink, 'end', options.isTerminal),
    stderr: stream(sink, 'end', options.isTerminal),
    wallClockNs: () => BigInt(Date.now()) * 1_000_000n,
    monotonicMs: () => performance.now(),
    entropy: (into) => into.fill(7),
    breathe: () => new Promise((done) => setImmediate(done)),
    sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
  };
  const sandbox = Sandbox.create({
    host,
    openCpu: openUnicorn,
    program: '/guest',
    programFile: { directory: directoryWith('guest', elfOf(code)), entry: 'guest' },
    memoryBytes: 64 * 2 ** 20,
    logger: { warn: (message) => warnings.push(message), debug: () => undefined },
    ...options,
  });
  if (options.interruptAfterMs !== undefined) setTimeout(() => sandbox.interrupt(2), options.interruptAfterMs);
  try {
    return { result: await sandbox.run(), output, warnings };
  } finally {
    sandbox.dispose();
  }
}
