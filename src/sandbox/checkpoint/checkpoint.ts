// SPDX-License-Identifier: MIT
//
// One checkpoint: the sections of its file and what is in them. A head in JSON says how the machine was set up, the
// frames and pages are its memory, the graph is everything else.

import { PAGE_SIZE } from '../../base/addr.ts';
import { TraplineError } from '../../base/errors.ts';
import { utf8 } from '../../base/bytes.ts';
import type { PhysicalMemory } from '../../mm/address-space.ts';
import { AddressSpace, FilePages } from '../../mm/address-space.ts';
import { PageTable } from '../../mm/page-table.ts';
import type { ProcFileSystemBase } from '../../vfs/proc-nodes.ts';
import { UPSTREAM_VERSION_NAMES } from '../../usertrap/versions.ts';
import { ByteReader, corrupt } from './bytes.ts';
import type { ProcPlace } from './graph-format.ts';
import { GraphReader } from './graph-reader.ts';
import { GraphWriter } from './graph-writer.ts';
import { nameParts } from './parts.ts';
import type { MachineParts } from './parts.ts';
import { checkMemory } from './memory-check.ts';
import { restoreMemory, saveMemory } from './memory-image.ts';
import { joinSections, splitSections } from './sections.ts';

/** The tool's streams, as a guest's 0, 1 and 2. */
export const STREAM_NAMES = ['stdin', 'stdout', 'stderr'] as const;
export type StreamName = (typeof STREAM_NAMES)[number];

/** How the saved machine was set up: what must be the same again. All of it is checked when it is read. */
export interface CheckpointHead {
  readonly patch: string;
  /** Of which gVisor, with patching `upstream`; '' for the default. */
  readonly upstream: string;
  readonly stubPreemption: boolean;
  readonly memoryBytes: number;
  readonly seed: number;
  readonly uid: number;
  readonly wallClock: boolean;
  readonly entropy: boolean;
  readonly aslr: boolean;
  readonly comparable: boolean;
  readonly tasks: number;
  readonly outputBytes: number;
  /** A tree was given as /. */
  readonly hasRoot: boolean;
  /** Guest paths of `--bind`, in their order; `:rw` behind those that may be written. */
  readonly binds: readonly string[];
  /** Which of the tool's streams are the guest's terminal. */
  readonly terminals: readonly StreamName[];
  /** The program that was started; for messages. */
  readonly program: string;
  readonly instructions: number;
  readonly engine: string;
}

/** What there is beside the parts: they are not found by looking. */
export interface CheckpointState {
  readonly instructions: number;
  readonly firstInstruction: number;
  /** What the renderers of the trace go on with, in their order. */
  readonly consumers: readonly unknown[];
}

/** The machine as checkpoints see it. */
export interface Machine extends MachineParts {
  readonly memory: PhysicalMemory;
  /** Address spaces of tasks that run. */
  usedSpaces(): Iterable<AddressSpace>;
  /** Pages that the platform itself holds: physical addresses. */
  heldPages(): Iterable<number>;
  /** File systems that make their nodes on demand, in the order of set-up. */
  readonly generated: readonly ProcFileSystemBase[];
}

/**
 * A stopped machine as a file.
 * @throws TraplineError `CHECKPOINT_STATE`
 */
export function writeCheckpoint(machine: Machine, head: CheckpointHead, state: CheckpointState): Uint8Array {
  const graph = writeGraph(machine, state);
  const { frames, pages } = saveMemory(machine.memory);
  return joinSections(
    new Map([
      ['head', [utf8(JSON.stringify(head))]],
      ['graph', [graph]],
      ['frames', [frames]],
      ['pages', pages],
    ]),
  );
}

/** @param refused see GraphContext */
export function writeGraph(machine: Machine, state: CheckpointState, refused?: (message: string) => void): Uint8Array {
  const names = nameParts(machine);
  const named = new Map([...names].map(([name, object]) => [object, name]));
  const nodes = machine.generated.map((fs) => fs.namedNodes());
  const writer = new GraphWriter({
    named,
    ...(refused === undefined ? {} : { refused }),
    procPlace: (object): ProcPlace | undefined => {
      for (const [fs, each] of machine.generated.entries()) {
        if (each.owns(object)) return { fs, path: nodes[fs]?.get(object) ?? null, ino: object.ino, mode: object.mode };
      }
      return undefined;
    },
  });
  const roots: Record<string, unknown> = { state };
  for (const [name, object] of Object.entries(machine.searched)) roots[name] = object;
  return writer.write(roots);
}

/** A file whose sections are whole. */
export class CheckpointFile {
  readonly head: CheckpointHead;
  private readonly sections: Map<string, Uint8Array>;

  /** @throws TraplineError `CHECKPOINT_FORMAT`, `CHECKPOINT_VERSION` or `CHECKPOINT_CORRUPT` */
  constructor(file: Uint8Array) {
    this.sections = splitSections(file);
    this.head = readHead(this.section('head'));
  }

  private section(name: string): Uint8Array {
    const bytes = this.sections.get(name);
    if (bytes === undefined) throw corrupt(`it has no section "${name}"`);
    return bytes;
  }

  /**
   * Fills a machine that was set up in the same way and has run nothing.
   * @throws TraplineError `CHECKPOINT_CORRUPT`, and what parts throw that find their world changed
   */
  restore(machine: Machine): CheckpointState {
    restoreMemory(machine.memory, { frames: this.section('frames'), pages: this.section('pages') });
    const reader = new GraphReader(new ByteReader(this.section('graph'), 'graph'), nameParts(machine));
    try {
      const { state } = reader.read();
      checkAndInstall(machine, reader);
      reader.finish(({ fs, path, ino, mode }) => {
        const node = machine.generated[fs]?.remake(path, ino, mode);
        if (node === undefined) throw corrupt('a node of procfs is not described');
        return node;
      });
      return checkedState(state);
    } catch (error) {
      if (error instanceof TraplineError) throw error;
      throw new TraplineError('CHECKPOINT_CORRUPT', corrupt('what it holds does not fit together').message, {
        cause: error,
      });
    }
  }
}

/** The counts that the machine goes on with. */
function checkedState(state: unknown): CheckpointState {
  const found = (typeof state === 'object' && state !== null ? state : {}) as Partial<CheckpointState>;
  if (typeof found.instructions !== 'number' || typeof found.firstInstruction !== 'number')
    throw corrupt('it does not say how many instructions have run');
  if (!Array.isArray(found.consumers)) throw corrupt('it does not say what the renderers of the trace go on with');
  return found as CheckpointState;
}

/** Lets the processor use the page tables, once they are found sound. */
function checkAndInstall(machine: Machine, reader: GraphReader): void {
  const { memory } = machine;
  const roots: number[] = [];
  const live = new Set<object>();
  for (const space of reader.instancesOf(AddressSpace.prototype) as Iterable<AddressSpace>) {
    if (!space.isLive) continue;
    if (space.table.root !== space.root) throw corrupt('an address space has two page tables');
    roots.push(space.root);
    live.add(space.table);
  }
  for (const table of reader.instancesOf(PageTable.prototype) as Iterable<PageTable>) {
    if (!live.has(table)) table.retire();
  }
  for (const space of machine.usedSpaces()) if (!space.isLive) throw corrupt('a task runs in a space that is gone');
  const frames: number[] = [];
  for (const pages of reader.instancesOf(FilePages.prototype) as Iterable<FilePages>)
    frames.push(...pages.heldFrames());
  for (const page of machine.heldPages()) frames.push(page / PAGE_SIZE);
  checkMemory(memory, { roots, frames, views: reader.viewsOf(memory.mmu.memory) });
  for (const root of roots) memory.mmu.initRoot(root);
}

function readHead(bytes: Uint8Array): CheckpointHead {
  let head: unknown;
  try {
    head = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw corrupt('its head cannot be read');
  }
  const fields = (typeof head === 'object' && head !== null ? head : {}) as Record<string, unknown>;
  const kinds: Record<keyof CheckpointHead, string> = {
    patch: 'string',
    upstream: 'string',
    stubPreemption: 'boolean',
    memoryBytes: 'number',
    seed: 'number',
    uid: 'number',
    wallClock: 'boolean',
    entropy: 'boolean',
    aslr: 'boolean',
    comparable: 'boolean',
    tasks: 'number',
    outputBytes: 'number',
    hasRoot: 'boolean',
    binds: 'object',
    terminals: 'object',
    program: 'string',
    instructions: 'number',
    engine: 'string',
  };
  for (const [name, kind] of Object.entries(kinds)) {
    if (typeof fields[name] !== kind) throw corrupt(`its head does not say what "${name}" is`);
  }
  const { patch, upstream, binds, terminals } = fields;
  const isVersion = upstream === '' || UPSTREAM_VERSION_NAMES.some((name) => name === upstream);
  const isMode = patch === 'off' || patch === 'upstream' || patch === 'hardened';
  const areBinds = Array.isArray(binds) && binds.every((bind) => typeof bind === 'string');
  const areStreams = Array.isArray(terminals) && terminals.every((name) => STREAM_NAMES.includes(name as StreamName));
  if (!isMode || !isVersion || !areBinds || !areStreams) {
    throw corrupt('its head says what cannot be');
  }
  return fields as unknown as CheckpointHead;
}
