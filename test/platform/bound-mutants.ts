// SPDX-License-Identifier: MIT
//
// Each check that the platform and usertrap make on what a guest controls, and the source without it. Out of reach where one
// processor runs one task, and held by `race`: the second read of the stub, and reads of a site, of the code before it and of
// a slot that somebody unmaps after the stub has looked.

import type { SourceChange } from '../mutation/changed-source.ts';
import type { SearchOptions } from './hostile-search.ts';

/** A check that is left out, and the search that notices. */
export interface BoundMutant extends SourceChange {
  readonly what: string;
  readonly search: Omit<SearchOptions, 'seed' | 'runs'>;
}

const UPSTREAM = { mode: 'upstream' } as const;
/** Turns end in stub code, too. */
const PREEMPTED = { mode: 'upstream', stubPreemption: true } as const;
const OLD = { mode: 'upstream', upstream: '2024-07' } as const;
const HARDENED = { mode: 'hardened' } as const;

const TABLE = 'src/usertrap/trap-table.ts';
const FAULT = 'src/usertrap/fault-handler.ts';
const STUB_CHECK = 'src/usertrap/stub-check.ts';
const PATCHER = 'src/usertrap/patcher.ts';
const SPACE = 'src/platform/space-traps.ts';
const CONTEXT = 'src/platform/thread-context.ts';
const CURRENT = 'src/platform/current-context.ts';
const PLATFORM = 'src/platform/platform.ts';

/** One text instead of another in a file. */
function without(file: string, from: string, to = ''): SourceChange {
  return { file, from, to };
}

export const BOUND_MUTANTS: readonly BoundMutant[] = [
  {
    what: 'the index that a header gives is one of the table',
    search: UPSTREAM,
    ...without(TABLE, "  if (next >= TABLE_ENTRIES) return 'no-space';\n"),
  },
  {
    what: 'a header can be read',
    search: UPSTREAM,
    ...without(TABLE, "    if (header === null) return 'table-unreadable';\n"),
  },
  {
    what: 'the bytes around a fault can be read',
    search: UPSTREAM,
    ...without(FAULT, 'bytes === null || !looksPatched', '!looksPatched'),
  },
  {
    what: 'the slot of a fault’s site can be read',
    search: HARDENED,
    ...without(FAULT, 'body === null ? undefined : readTrap', 'readTrap'),
  },
  { what: 'it lies above the table’s header', search: HARDENED, ...without(FAULT, 'slot > base && ') },
  {
    what: 'it ends before the table does',
    search: HARDENED,
    ...without(FAULT, ' && slot + TRAP_USED_BYTES <= base + TABLE_BYTES'),
  },
  {
    what: 'it returns right behind the site',
    search: HARDENED,
    ...without(FAULT, ' || trap === undefined || trap.returnAddress !== site + SITE_BYTES'),
  },
  {
    what: 'the bytes before a trapped call can be read',
    search: UPSTREAM,
    ...without(STUB_CHECK, "  if (first === null) return { kind: 'report', canBePatched: false };\n"),
  },
  {
    what: 'a boundary is looked for in a KiB of code',
    search: HARDENED,
    ...without(PATCHER, ' && site - knownBoundary <= MAX_WALK'),
  },
  {
    what: 'a store has a page to go to',
    search: UPSTREAM,
    ...without(SPACE, '    if (frame === undefined) return false;\n'),
  },
  {
    what: 'all bytes of a load are there',
    search: UPSTREAM,
    ...without(SPACE, '=== step.length ? bytes : null', '>= 0 ? bytes : null'),
  },
  {
    what: 'an address behind the table is in no slot',
    search: HARDENED,
    ...without(SPACE, ' && address < this.base + TABLE_BYTES'),
  },
  {
    what: 'a task in its own code is in no trampoline',
    search: UPSTREAM,
    ...without(SPACE, '    if (!this.inSlots(address)) return false;\n'),
  },
  {
    what: 'a task before a trampoline’s first instruction is in none',
    search: UPSTREAM,
    ...without(SPACE, 'offset > TRAP_CODE_OFFSET && '),
  },
  {
    what: 'a table that is changed is lost before',
    search: HARDENED,
    ...without(SPACE, 'guards.surviveTableLoss && start < this.base + TABLE_BYTES && end > this.base', 'false'),
  },
  {
    what: 'what a task may have written to its record is written again',
    search: HARDENED,
    ...without(CURRENT, '    if (this.options.guards.assertRecord) thread.assertRecord();\n'),
  },
  {
    what: 'an interrupt is put off 64 times at most',
    search: UPSTREAM,
    ...without(CURRENT, ' && thread.postponed++ < MAX_POSTPONED'),
  },
  {
    what: 'a loop in stub code ends with the turn (upstream)',
    search: UPSTREAM,
    ...without(PLATFORM, ' || ++stubRuns > STUB_RUNS'),
  },
  {
    what: 'a loop in stub code ends with the turn (hardened)',
    search: HARDENED,
    ...without(PLATFORM, ' || ++stubRuns > STUB_RUNS'),
  },
  {
    what: 'a loop in stub code ends with the turn that may end in it',
    search: PREEMPTED,
    ...without(PLATFORM, ' || --turn.stubSteps < 0'),
  },
  {
    what: 'the caller of a vsyscall can be read',
    search: UPSTREAM,
    ...without(PLATFORM, 'sysno !== undefined && caller !== undefined', 'sysno !== undefined'),
  },
  {
    what: 'jumps from fault to fault use a turn up',
    search: OLD,
    ...without(PLATFORM, '    this.cpu.correctCount(1);\n'),
  },
  {
    what: 'flags in a record are those of ring 3',
    search: PREEMPTED,
    ...without(CONTEXT, ') & USER_FLAGS) | FIXED_FLAGS', ') | FIXED_FLAGS)'),
  },
  {
    what: 'flags that are always set are',
    search: PREEMPTED,
    ...without(CONTEXT, ') & USER_FLAGS) | FIXED_FLAGS', ') & USER_FLAGS)'),
  },
  {
    what: 'flags have 32 bits',
    search: PREEMPTED,
    ...without(CONTEXT, '    words[2 * Reg.rflags + 1] = 0;\n'),
  },
];
