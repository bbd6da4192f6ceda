// SPDX-License-Identifier: MIT
//
// From the command line to a guest: finds the program, opens its tree and what is bound into it, and gives the options
// of a sandbox that do not depend on what is done with it.

import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { TraplineError } from '../base/errors.ts';
import type { HostDirectory } from '../base/host.ts';
import { openUnicorn } from '../cpu/unicorn/index.ts';
import { Disassembler } from '../isa/disassembler.ts';
import { openHostArchive, openHostDirectory, openHostPath } from '../sandbox/host-node/index.ts';
import { guestText } from '../sandbox/sandbox.ts';
import type { SandboxOptions } from '../sandbox/sandbox.ts';
import { ExitStatus } from './exit-status.ts';
import { findProgram } from './find-program.ts';
import { claimInput } from './output-file.ts';
import type { RunOptions } from './run-options.ts';
import { UsageError } from './usage-error.ts';

/** A program that has been found and the world around it. */
export interface OpenedGuest {
  /** The program's path as the guest sees it. */
  readonly path: string;
  readonly options: Omit<SandboxOptions, 'host'>;
}

/** The options that say what the guest is. */
export type GuestOptions = Pick<
  RunOptions,
  | 'root'
  | 'binds'
  | 'cwd'
  | 'env'
  | 'argv0'
  | 'uid'
  | 'seed'
  | 'aslr'
  | 'memoryBytes'
  | 'timeoutSec'
  | 'maxInstructions'
>;

/**
 * Finds and opens what a run needs.
 * @param args the guest's own arguments
 * @throws UsageError for what is not there or cannot be opened
 */
export async function openGuest(program: string, args: readonly string[], options: GuestOptions): Promise<OpenedGuest> {
  const tree = await openTree(options);
  const { root } = tree;
  const cwd = options.cwd ?? '/';
  if (!cwd.startsWith('/')) throw new UsageError(`--cwd: ${cwd} is not absolute; it is a path of the guest`);
  const searchPath = options.env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? '/bin';
  const found = findProgram(program, cwd, searchPath, (path) => root !== undefined && existsIn(root, path));
  if (found.hostPath !== undefined) claimInput('PROGRAM', found.hostPath);
  return {
    path: found.guestPath,
    options: {
      ...tree,
      program: guestText(found.guestPath),
      argv: [options.argv0 ?? program, ...args].map(guestText),
      env: options.env.map(guestText),
      cwd: guestText(cwd),
      uid: options.uid,
      seed: options.seed,
      memoryBytes: options.memoryBytes,
      aslr: options.aslr,
      ...(found.hostPath === undefined ? {} : { programFile: openHostPath(found.hostPath, { writable: false }) }),
    },
  };
}

/**
 * What a restored machine is given of this host: engine, tree and limits.
 * @throws UsageError
 */
export async function openTree(
  options: GuestOptions,
): Promise<Pick<SandboxOptions, 'openCpu' | 'binds' | 'root' | 'timeoutSec' | 'maxInstructions'>> {
  const root = options.root === undefined ? undefined : await openRoot(options.root);
  return {
    openCpu: openUnicorn,
    binds: options.binds.map((bind) => ({ ...openBind(bind.host, bind.writable), guestPath: guestText(bind.guest) })),
    ...(root === undefined ? {} : { root }),
    ...(options.timeoutSec === undefined ? {} : { timeoutSec: options.timeoutSec }),
    ...(options.maxInstructions === undefined ? {} : { maxInstructions: options.maxInstructions }),
  };
}

/** A directory, or else an archive. */
async function openRoot(path: string): Promise<HostDirectory> {
  try {
    return isDirectory(path) ? openHostDirectory(path, { writable: false }) : await openHostArchive(path);
  } catch (error) {
    throw new UsageError(`--root: ${messageOf(error)}`);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function openBind(path: string, writable: boolean): { directory: HostDirectory; entry: string } {
  try {
    return openHostPath(path, { writable });
  } catch (error) {
    throw new UsageError(`--bind: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  if (error instanceof TraplineError) return error.message;
  throw error;
}

/** As many links as Linux follows in one path. */
const MOST_LINKS = 40;

/** Whether a guest path leads to something in the root. */
function existsIn(root: HostDirectory, path: string): boolean {
  const left = guestText(path).split('/').reverse();
  const at: string[] = [];
  for (let links = 0; left.length > 0;) {
    const part = left.pop() ?? '';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      at.pop();
      continue;
    }
    const name = [...at, part].join('/');
    const stat = root.stat(name);
    if (typeof stat === 'number') return false;
    if (stat.kind !== 'symlink') {
      at.push(part);
      continue;
    }
    const target = root.readlink(name);
    if (typeof target === 'number' || ++links > MOST_LINKS) return false;
    if (target.startsWith('/')) at.length = 0;
    left.push(...target.split('/').reverse());
  }
  return true;
}

/**
 * Errors about the program have statuses of their own, and call it what the caller called it.
 * @param guest what was opened; undefined for a restored machine
 * @param program as it was given
 */
export function withStatus(error: unknown, guest: OpenedGuest | undefined, program: string): unknown {
  if (!(error instanceof TraplineError) || guest === undefined) return error;
  const { path, options } = guest;
  const message = error.message.startsWith(`${path}: `)
    ? `${program}${error.message.slice(path.length)}`
    : error.message;
  if (error.code === 'RUN_NOT_EXECUTABLE') return new UsageError(message, ExitStatus.notExecutable);
  if (error.code !== 'RUN_NOT_FOUND') return error;
  // The program itself was found: what lacks is its interpreter.
  const hint =
    options.root === undefined
      ? '; the guest has no files but PROGRAM: give it a tree with --root, such as --root /'
      : '';
  return new UsageError(`${message}${hint}`, ExitStatus.notFound);
}

/** iced-x86 takes a while to load: only when something is shown. */
export function lazyDisassembler(): () => Disassembler {
  let made: Disassembler | undefined;
  return () => {
    made ??= new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
    return made;
  };
}
