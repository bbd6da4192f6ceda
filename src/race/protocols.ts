// SPDX-License-Identifier: MIT
//
// Protocols for `--protocol`, as text and as data: an order of gVisor's three steps or a list of stores, and what is
// changed about it. `abc` `acb:split=byte` `abc:sync=ab` `abc:nolock` `abc:die=2` `5,1.4,5.2,0` …

import { TraplineError } from '../base/errors.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import { HARDENED_GUARDS } from '../usertrap/guards.ts';
import type { Guards } from '../usertrap/guards.ts';
import { GUARD_OFFSET } from '../usertrap/layout.ts';
import { GVISOR_PROTOCOL, protocolNamed } from '../usertrap/protocol.ts';
import type { PatchProtocol } from '../usertrap/protocol.ts';

/** A protocol and what is wrong with the kernel around it. */
export interface RaceProtocol {
  /** As `--protocol` takes it. */
  readonly text: string;
  readonly patch: PatchProtocol;
  readonly mutants: Mutants;
}

/** Changes of what surrounds the stores, each to be noticed by some scenario. */
export interface Mutants {
  /** The patcher's next store fails once it has made so many: out of memory, or a page that is gone. */
  readonly dieAfter: number | null;
  /** The fault handler does not take the lock. */
  readonly unlockedRecovery: boolean;
  /** fork copies the address space without the lock. */
  readonly unlockedFork: boolean;
  /** Guards of hardened mode that are switched off. */
  readonly without: readonly (keyof Guards)[];
  /** The stub does not look a second time for the guard. */
  readonly singleRead: boolean;
  /** Stores that may fail, each as a choice beside succeeding: into the table or the site, whichever comes. */
  readonly faults: number;
  /** The same of loads: of the site, of a slot, and the stub's reads. */
  readonly loadFaults: number;
}

const GUARD_NAMES = Object.keys(HARDENED_GUARDS) as (keyof Guards)[];

export const NO_MUTANTS: Mutants = {
  unlockedFork: false,
  without: [],
  dieAfter: null,
  unlockedRecovery: false,
  singleRead: false,
  faults: 0,
  loadFaults: 0,
};

export const GVISOR: RaceProtocol = { text: GVISOR_PROTOCOL.name, patch: GVISOR_PROTOCOL, mutants: NO_MUTANTS };

/** What `--protocol` takes. */
export const PROTOCOLS: readonly { readonly name: string; readonly summary: string }[] = [
  { name: 'gvisor, abc', summary: "gVisor's three steps: the guard at +5, then +1 to +6, then +0" },
  { name: 'acb, bc, …', summary: 'another order of the steps a, b and c, or not all of them' },
  { name: 'abc-sync', summary: "gVisor's, and all others serialise after a and after b" },
  { name: 'one-shot', summary: 'one copy of all seven bytes, as memcpy stores it' },
  { name: 'one-store', summary: 'one store of eight bytes' },
  { name: '5,1.4,5.2,0', summary: 'these stores: offset, or offset.length' },
  { name: ':split=S', summary: 'after any of them: how a copy becomes stores; memcpy, step or byte' },
  { name: ':sync=STEPS', summary: 'all others serialise after these steps' },
  { name: ':stop', summary: 'all others stand still meanwhile' },
  { name: ':guard=HEX', summary: 'the step that writes the guard alone writes this byte' },
  { name: ':nolock', summary: 'the fault handler does not take the lock' },
  { name: ':fork-nolock', summary: 'fork does not take the lock' },
  { name: ':without=GUARD', summary: 'hardened mode without one of its guards, such as stopOthers' },
  { name: ':single-read', summary: 'the stub does not look a second time for the guard' },
  { name: ':die=N', summary: 'the patcher has no memory left after N stores to the site' },
  { name: ':faults=N', summary: 'any N stores may fail, each as a choice' },
  { name: ':load-faults=N', summary: 'any N loads may fail, each as a choice' },
];

const HELP = 'trapline race --list shows what there is';

function unknown(text: string, why: string): TraplineError {
  return new TraplineError('RACE_PROTOCOL', `--protocol ${text}: ${why}; ${HELP}`);
}

/** `5,1.4,5.2,0`: stores exactly as written. */
function storeList(text: string, whole: string): PatchProtocol {
  const steps = text.split(',').map((part) => {
    const match = /^(\d)(?:\.(\d))?$/.exec(part);
    const offset = Number(match?.[1]);
    const length = Number(match?.[2] ?? 1);
    if (match === null || length === 0 || offset + length > SITE_BYTES + 1) {
      throw unknown(whole, `"${part}" is no store within the site's ${SITE_BYTES} bytes`);
    }
    return { name: part, offset, length };
  });
  return { name: text, steps, split: 'step', syncAfter: [] };
}

function withOption(protocol: RaceProtocol, option: string): RaceProtocol {
  const { patch, mutants, text } = protocol;
  const [name = '', value = ''] = option.split('=', 2);
  switch (name) {
    case 'nolock':
      return { ...protocol, mutants: { ...mutants, unlockedRecovery: true } };
    case 'fork-nolock':
      return { ...protocol, mutants: { ...mutants, unlockedFork: true } };
    case 'without': {
      const guard = GUARD_NAMES.find((known) => known === value);
      if (guard === undefined) throw unknown(text, `there is no guard "${value}"`);
      return { ...protocol, mutants: { ...mutants, without: [...mutants.without, guard] } };
    }
    case 'single-read':
      return { ...protocol, mutants: { ...mutants, singleRead: true } };
    case 'stop':
      return { ...protocol, patch: { ...patch, stopsOthers: true } };
    case 'die':
      if (!/^\d$/.test(value)) throw unknown(text, 'die takes the number of stores that succeed');
      return { ...protocol, mutants: { ...mutants, dieAfter: Number(value) } };
    case 'faults':
      if (!/^[1-9]$/.test(value)) throw unknown(text, 'faults takes the number of stores that may fail');
      return { ...protocol, mutants: { ...mutants, faults: Number(value) } };
    case 'load-faults':
      if (!/^[1-9]$/.test(value)) throw unknown(text, 'load-faults takes the number of loads that may fail');
      return { ...protocol, mutants: { ...mutants, loadFaults: Number(value) } };
    case 'split':
      if (value !== 'memcpy' && value !== 'step' && value !== 'byte')
        throw unknown(text, `there is no split "${value}"`);
      return { ...protocol, patch: { ...patch, split: value } };
    case 'sync': {
      const steps = patch.steps.map((step) => step.name);
      const names = value.includes(',') || steps.includes(value) ? value.split(',') : [...value];
      const wrong = names.find((step) => !steps.includes(step));
      if (wrong !== undefined || names.length === 0)
        throw unknown(text, `it has no step "${wrong ?? ''}" to sync after`);
      return { ...protocol, patch: { ...patch, syncAfter: names } };
    }
    case 'guard': {
      if (!/^[0-9a-f]{2}$/i.test(value)) throw unknown(text, 'guard takes a byte, such as guard=cc');
      const first = patch.steps.findIndex((step) => step.offset === GUARD_OFFSET && step.length === 1);
      if (first < 0) throw unknown(text, 'it has no step that writes the guard alone');
      const bytes = Uint8Array.of(Number.parseInt(value, 16));
      return {
        ...protocol,
        patch: { ...patch, steps: patch.steps.map((s, i) => (i === first ? { ...s, bytes } : s)) },
      };
    }
    default:
      throw unknown(text, `"${option}" is not known`);
  }
}

/**
 * Reads a protocol.
 * @throws TraplineError `RACE_PROTOCOL` when it is none
 */
export function parseProtocol(text: string): RaceProtocol {
  const [name = '', ...options] = text.split(':');
  const patch = /^\d/.test(name) ? storeList(name, text) : protocolNamed(name);
  if (patch === undefined) throw unknown(text, `"${name}" is not known`);
  return options.reduce(withOption, { text, patch, mutants: NO_MUTANTS });
}
