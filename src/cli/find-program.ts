// SPDX-License-Identifier: MIT
//
// Which file PROGRAM means: one in the guest's tree, or one of the host that is shown to the guest.

import { accessSync, constants, statSync } from 'node:fs';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { ExitStatus } from './exit-status.ts';
import { UsageError } from './usage-error.ts';

/** Where the program is. */
export interface FoundProgram {
  readonly guestPath: string;
  /** A file of the host, which the guest sees at `guestPath`. */
  readonly hostPath: string | undefined;
}

/**
 * With a root, PROGRAM is looked for in it first: an absolute path as it stands, one with a slash below the working
 * directory, a bare name in the guest's PATH. Otherwise, and when it is not there, it is a file of the host: with a
 * slash as it stands, a bare name in the current directory and then in PATH. The guest sees it as /NAME.
 * @param existsInGuest whether the guest's tree has a file of this path
 * @throws UsageError with status 126 or 127
 */
export function findProgram(
  program: string,
  cwd: string,
  guestPath: string,
  existsInGuest: (path: string) => boolean,
): FoundProgram {
  if (program === '') throw new UsageError('the name of the program is empty', ExitStatus.notFound);
  const inGuest = program.includes('/')
    ? [isAbsolute(program) ? program : join(cwd, program)]
    : guestPath.split(':').map((folder) => join('/', folder, program));
  for (const path of inGuest) if (existsInGuest(path)) return { guestPath: path, hostPath: undefined };
  const inHost = program.includes('/')
    ? [program]
    : [
        `./${program}`,
        ...(process.env['PATH'] ?? '').split(':').map((folder) => join(folder === '' ? '.' : folder, program)),
      ];
  for (const path of inHost) {
    const hostPath = resolve(path);
    const kind = examine(hostPath);
    if (kind === 'missing') continue;
    if (kind === 'directory') {
      if (!program.includes('/')) continue;
      throw new UsageError(`${program}: is a directory`, ExitStatus.notExecutable);
    }
    if (kind === 'forbidden') throw new UsageError(`${program}: permission denied`, ExitStatus.notExecutable);
    return { guestPath: `/${basename(hostPath)}`, hostPath };
  }
  throw new UsageError(`${program}: not found`, ExitStatus.notFound);
}

function examine(path: string): 'file' | 'directory' | 'missing' | 'forbidden' {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return 'directory';
    accessSync(path, constants.R_OK | constants.X_OK);
    return 'file';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'forbidden' : 'missing';
  }
}
