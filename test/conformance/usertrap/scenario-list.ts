// SPDX-License-Identifier: MIT
//
// The scenarios of the specification, by number: what comes of each in both modes, and the files whose tests show it. A
// test of a scenario has its number and name at the start of its title.

export interface Scenario {
  readonly number: number;
  readonly name: string;
  readonly upstream: string;
  /** Absent: as upstream. */
  readonly hardened?: string;
  /** Relative to test/. */
  readonly tests: readonly string[];
}

const FIRST = 'conformance/usertrap/first-calls.test.ts';
const DURING = 'conformance/usertrap/patch-in-progress.test.ts';
const RESTART = 'conformance/usertrap/restart.test.ts';
const SITES = 'conformance/usertrap/sites.test.ts';
const LIFE = 'conformance/usertrap/lifecycle.test.ts';
const TASKS = 'conformance/usertrap/tasks.test.ts';
const GS = 'conformance/usertrap/gs.test.ts';
const RECORDS = 'conformance/usertrap/upstream-records.test.ts';
const SAVED = 'conformance/usertrap/checkpoint.test.ts';
const STUBS = 'conformance/usertrap/stub-threads.test.ts';

export const SCENARIOS: readonly Scenario[] = [
  { number: 1, name: 'first-exec-serves', upstream: 'the trap serves the call and patches its site', tests: [FIRST] },
  {
    number: 2,
    name: 'second-exec-traps',
    upstream: 'through the slot; rcx and r11 are kept',
    hardened: 'through the slot; rcx and r11 as after a trap',
    tests: [FIRST],
  },
  { number: 3, name: 'slot-bytes-golden', upstream: 'the 70 bytes of the specification', tests: [FIRST] },
  {
    number: 4,
    name: 'B-at-S+5-after-step1',
    upstream: 'waits for the lock, starts again, one call',
    hardened: 'nobody gets there: all others stand still',
    tests: [DURING],
  },
  {
    number: 5,
    name: 'B-fetch-at-2a',
    upstream: 'one call, the right number',
    hardened: 'nobody gets there: all others stand still',
    tests: [DURING],
  },
  {
    number: 6,
    name: 'B-fetch-at-2b',
    upstream: 'one call, the right number',
    hardened: 'nobody gets there: all others stand still',
    tests: [DURING],
  },
  { number: 7, name: 'B-in-syscall-before-step1', upstream: 'the stub goes back without the Sentry', tests: [DURING] },
  { number: 8, name: 'B-reads-between', upstream: 'the same; the first read is forgotten', tests: [DURING] },
  { number: 9, name: 'both-need-patch', upstream: 'no second slot; both calls are made once', tests: [DURING] },
  { number: 10, name: 'all-subset tears', upstream: 'no schedule gives a wrong number or a SIGILL', tests: [DURING] },
  {
    number: 11,
    name: 'stale-line fetch',
    upstream: 'a site that a line splits is patched all the same',
    hardened: 'patched while all others stand still; not patched where a page splits it',
    tests: [SITES],
  },
  { number: 12, name: 'no-219-by-tear', upstream: 'only a site for 219 can load 219', tests: [SITES] },
  { number: 13, name: 'restart-sys', upstream: 'starts again at the site, one completed call', tests: [RESTART] },
  { number: 14, name: 'restart-block', upstream: 'restart_syscall behind the site', tests: [RESTART] },
  { number: 16, name: 'patched-while-blocked', upstream: 'starts again over the guard', tests: [RESTART] },
  {
    number: 17,
    name: 'frame-visible-rip',
    upstream: 'a number that the handler changed is lost',
    hardened: 'a number that the handler changed is honoured',
    tests: [RESTART],
  },
  { number: 18, name: 'eintr', upstream: '-EINTR behind the site', tests: [RESTART] },
  {
    number: 19,
    name: 'chld-at-A+8',
    upstream: 'the task is shown at A+8; one call',
    hardened: 'the task is shown at its site; one call',
    tests: [RESTART],
  },
  {
    number: 21,
    name: 'chld-after-NONE',
    upstream: 'put off before the call, shown behind it after; nothing lost',
    hardened: 'never seen in the stub; nothing lost',
    tests: [STUBS],
  },
  {
    number: 23,
    name: 'fp-after-interrupt',
    upstream: 'X2 goes on with X1’s registers (3c5eee1)',
    hardened: 'each has its own',
    tests: [STUBS],
  },
  { number: 24, name: 'fork-mid-process', upstream: 'the child goes on from the parent’s next slot', tests: [LIFE] },
  { number: 25, name: 'fork-vs-patch', upstream: 'a child has a site as it was, or patched', tests: [TASKS] },
  {
    number: 26,
    name: 'fork-cow-midtramp',
    upstream: 'the panic “bad thread state”',
    hardened: 'the task goes on',
    tests: [STUBS, TASKS],
  },
  { number: 27, name: 'vfork-shares', upstream: 'one table, one header', tests: [TASKS] },
  { number: 28, name: 'exec-resets', upstream: 'no table before the first patch', tests: [LIFE] },
  {
    number: 29,
    name: 'restore',
    upstream: 'goes on from S, S+5, S+7 and A+8',
    hardened: 'goes on from S, S+5 and S+7; nobody is at A+8',
    tests: [SAVED],
  },
  {
    number: 30,
    name: 'restore-abi-drift',
    upstream: 'the state goes where the slot says: the panic “bad thread state”, or worse',
    hardened: 'the slots are written again; a file that is not as it was written is refused',
    tests: [STUBS, SAVED],
  },
  {
    number: 32,
    name: 'attach-existing',
    upstream: 'the tracer steps into the slot; the syshandler panics',
    hardened: 'the tracer finds and steps the program’s own code',
    tests: [TASKS, RECORDS],
  },
  { number: 33, name: 'traced-from-start', upstream: 'no slots; every call traps', tests: [TASKS] },
  { number: 34, name: 'traced-sibling', upstream: 'the sibling patches, the tracee uses it', tests: [LIFE] },
  {
    number: 35,
    name: 'table-full',
    upstream: '250 slots, then index 256, then none; calls go on',
    hardened: '251 slots, then none; calls go on',
    tests: [SITES],
  },
  { number: 36, name: 'skip-indices', upstream: '51, 102, 153 and 204 are never used', tests: [SITES] },
  {
    number: 38,
    name: 'unwritable-shared',
    upstream: 'each call eats a slot until none is left',
    hardened: 'no slot is used',
    tests: [LIFE],
  },
  {
    number: 39,
    name: 'table-munmap',
    upstream: 'SIGSEGV at the jump',
    hardened: 'the sites have their bytes again before; the program goes on',
    tests: [LIFE],
  },
  {
    number: 41,
    name: 'window-squatter',
    upstream: 'the table replaces what the guest has there',
    hardened: 'never over a guest mapping; the child uses the parent’s',
    tests: [LIFE],
  },
  {
    number: 42,
    name: 'header-tamper',
    upstream: 'the header in guest memory counts',
    hardened: 'it is never read; who makes it writable loses the patches, not the calls',
    tests: [LIFE],
  },
  {
    number: 43,
    name: 'shared-tail',
    upstream: 'the other path makes the patched site’s call',
    hardened: 'the other path makes its own call',
    tests: [SITES],
  },
  {
    number: 44,
    name: 'ioctl-10849',
    upstream: 'the return address is overwritten',
    hardened: 'not patched',
    tests: [SITES],
  },
  { number: 45, name: 'rex-r8d', upstream: 'the fifth argument is stale', hardened: 'not patched', tests: [SITES] },
  { number: 46, name: 'non-matches', upstream: 'never patched, always right', tests: [SITES] },
  {
    number: 49,
    name: 'alias-pages',
    upstream: 'a call through one mapping returns into the other',
    hardened: 'not patched',
    tests: [TASKS],
  },
  {
    number: 50,
    name: 'shared-code-fork',
    upstream: 'one side makes the other’s call',
    hardened: 'not patched',
    tests: [TASKS],
  },
  {
    number: 51,
    name: 'jit-toctou',
    upstream: 'the slot has the old number',
    hardened: 'all seven bytes are read again under the lock',
    tests: [TASKS],
  },
  {
    number: 53,
    name: 'gs-zero',
    upstream: 'SIGSEGV at 0x2c, instruction pointer A+8',
    hardened: 'the call is made; the space is not patched any more',
    tests: [GS],
  },
  {
    number: 54,
    name: 'gs-guest-memory',
    upstream: 'stores into the guest’s buffer, jumps where it says',
    hardened: 'as 53',
    tests: [GS],
  },
  {
    number: 55,
    name: 'gs-pool',
    upstream: 'the next process inherits the GS base',
    hardened: 'it finds its own',
    tests: [STUBS, TASKS],
  },
  { number: 56, name: 'genuine-06', upstream: 'SIGILL at the byte', tests: [SITES] },
  {
    number: 60,
    name: 'mlock-limit',
    upstream: 'no table, never patched, correct',
    hardened: 'the table does not count as the guest’s; patched',
    tests: [LIFE],
  },
];
