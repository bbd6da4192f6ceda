// SPDX-License-Identifier: MIT
//
// What a line of the manifest says about one run of one program.

/** What a row is there for; a row may belong to several groups, and the suite wants ten rows or more of each. */
export const GROUPS = [
  'static',
  'musl',
  'glibc',
  'threads',
  'processes',
  'signals',
  'files',
  'interpreters',
  'compilers',
] as const;

export type Group = (typeof GROUPS)[number];

export interface Row {
  readonly name: string;
  readonly groups: readonly Group[];
  /**
   * Program and arguments. `$SCRIPTS` is the folder of the scripts, and `$BIN/NAME.VARIANT` a program that is built from
   * sources/NAME.* (builds.ts lists the variants).
   */
  readonly command: readonly string[];
  /** A file of scripts/ that the program gets as its standard input; nothing otherwise. */
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Commands that must be there, beside the program itself, and that not every Debian has. */
  readonly needs?: readonly string[];
}

/** A bash script of scripts/. */
export function bash(script: string, ...args: readonly string[]): readonly string[] {
  return ['/bin/bash', `$SCRIPTS/${script}`, ...args];
}

/** Debian's own Python, whatever else a machine has. */
export function python(script: string, ...args: readonly string[]): readonly string[] {
  return ['/usr/bin/python3', `$SCRIPTS/${script}`, ...args];
}

/** A line of shell. */
export function shell(line: string): readonly string[] {
  return ['/bin/bash', '-c', line];
}
