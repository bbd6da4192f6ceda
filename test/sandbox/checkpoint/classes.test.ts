// SPDX-License-Identifier: MIT
//
// No class that a guest's state may be made of is forgotten: each one in the folders that hold state is named to
// checkpoints, or is listed here as one whose objects do not outlive a call or belong to the machine.

import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const FOLDERS = ['base', 'kernel', 'vfs', 'mm', 'platform', 'loader'];

/** Classes that never are in a checkpoint, and why. */
const NEVER_SAVED: ReadonlyMap<string, readonly string[]> = new Map([
  // Thrown, or gone when a call returns.
  ['passing', ['TraplineError', 'Blocked', 'Args', 'BufferTransfer', 'PathWalk', 'PageSums']],
  // Readers of programs and archives.
  ['readers', ['Fields', 'SymbolTable', 'UnwindTable', 'Writer', 'Strings', 'TarReader', 'SparseRecords', 'TarTree']],
  // The host's, or the machine's own: made with it.
  ['machine', ['HostInput', 'TarFile', 'TarDirectory', 'BreakpointUnit', 'KernelProcSource']],
  // Nodes of procfs are made again from their paths.
  ['procfs', ['TaskView', 'ProcMemoryNode', 'ProcPagemapNode', 'ProcMounts', 'ProcDirectory', 'ProcFile', 'ProcLink']],
  ['procfs by process', ['ProcessDirectories', 'TaskNodes']],
]);

interface Source {
  readonly path: string;
  readonly text: string;
}

function sources(): Source[] {
  const root = fileURLToPath(new URL('../../../src/', import.meta.url));
  return FOLDERS.flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => ({ path: `${folder}/${name}`, text: readFileSync(`${root}${folder}/${name}`, 'utf8') })),
  );
}

/** Names in the calls of `savable`. */
function namedIn(text: string): Set<string> {
  const calls = [...text.matchAll(/^savable\(([\s\S]*?)\);$/gm)].map((match) => match[1] ?? '');
  return new Set(calls.flatMap((call) => call.match(/\w+/g) ?? []));
}

describe('the classes of what a machine is made of', () => {
  const never = new Set([...NEVER_SAVED.values()].flat());

  it('are all named to checkpoints, or never in one', () => {
    const forgotten: string[] = [];
    for (const { path, text } of sources()) {
      const named = namedIn(text);
      for (const [, name = ''] of text.matchAll(/^(?:export )?class (\w+)/gm)) {
        if (!named.has(name) && !never.has(name)) forgotten.push(`${path}: ${name}`);
      }
    }
    expect(forgotten).toEqual([]);
  });

  it('have no fields that nobody else can see, if they are named', () => {
    const hidden: string[] = [];
    for (const { path, text } of sources()) {
      for (const name of namedIn(text)) {
        const start = new RegExp(`^(?:export )?class ${name}\\b[\\s\\S]*?^}$`, 'm').exec(text)?.[0] ?? '';
        const field = /this\.#(\w+)/.exec(start)?.[1];
        if (field !== undefined) hidden.push(`${path}: ${name}.#${field}`);
      }
    }
    expect(hidden).toEqual([]);
  });

  it('are listed as never saved only while they exist', () => {
    const all = sources()
      .map(({ text }) => text)
      .join('\n');
    expect([...never].filter((name) => !new RegExp(`class ${name}\\b`).test(all))).toEqual([]);
  });
});
