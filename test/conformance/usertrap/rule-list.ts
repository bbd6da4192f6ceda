// SPDX-License-Identifier: MIT
//
// The rules of usertrap's specification by section, and the tests that hold each: a file, and how a title in it begins.
// Section 2.1 (words) has no rules.

export interface Rule {
  readonly section: string;
  readonly text: string;
  /** `file: beginning of a title`, files relative to test/. */
  readonly tests: readonly string[];
}

/** All sections that have rules. */
export const SECTIONS = [
  ...['1.1', '1.2', '1.3', '1.4', '1.5', '1.6', '1.7'],
  ...['2.2', '2.3', '2.4', '2.5', '2.6', '2.7', '2.8', '2.9', '2.10', '2.11', '2.12', '2.13', '2.14', '2.15', '2.16'],
  '3',
] as const;

const FIRST = 'conformance/usertrap/first-calls.test.ts';
const DURING = 'conformance/usertrap/patch-in-progress.test.ts';
const RESTART = 'conformance/usertrap/restart.test.ts';
const SITES = 'conformance/usertrap/sites.test.ts';
const LIFE = 'conformance/usertrap/lifecycle.test.ts';
const TASKS = 'conformance/usertrap/tasks.test.ts';
const GS = 'conformance/usertrap/gs.test.ts';
const FACTS = 'conformance/usertrap/real-gvisor.test.ts';
const INVARIANTS = 'conformance/usertrap/invariants.test.ts';
const TABLE = 'usertrap/trap-table.test.ts';
const LAYOUT = 'usertrap/layout.test.ts';
const PATCHER = 'usertrap/patcher.test.ts';
const PREEMPTION = 'platform/preemption.test.ts';
const STUB = 'platform/stub-code.test.ts';
const HOSTILE = 'platform/hostile.test.ts';
const SIGNALS = 'programs/restart.test.ts';
const RACE = 'race/patch-vs-exec.test.ts';
const RECORDS = 'conformance/usertrap/upstream-records.test.ts';
const LOOKUP = 'conformance/usertrap/upstream-lookup.test.ts';
const DEFECTS = 'conformance/usertrap/upstream-defects.test.ts';
const VERSIONS = 'conformance/usertrap/upstream-versions.test.ts';
const SAVED = 'conformance/usertrap/checkpoint.test.ts';
const GUARDS = 'conformance/usertrap/guards.test.ts';
const ADVERSARIAL = 'conformance/guests/adversarial-guests.test.ts';
const STUBS = 'conformance/usertrap/stub-threads.test.ts';

export const RULES: readonly Rule[] = [
  {
    section: '1.1',
    text: '256 entries of 80 bytes, 5 pages, one of 11 bases in the window, mapped at the first patch',
    tests: [`${TABLE}: maps a table at a page of the window`, `${FIRST}: 1 first-exec-serves`],
  },
  { section: '1.1', text: 'the VMA: name, r-x, private', tests: [`${FACTS}: 1: the maps line of the table`] },
  {
    section: '1.1',
    text: 'the table counts as locked memory',
    tests: [`${LIFE}: 60 mlock-limit`],
  },
  {
    section: '1.1',
    text: 'the header is the next index; entry 0 is no slot',
    tests: [`${FACTS}: 4: the header counts slots`],
  },
  {
    section: '1.1',
    text: '250 usable slots, 51, 102, 153, 204 and 255 skipped, then index 256, then none',
    tests: [`${TABLE}: upstream: hands out 250 slots`, `${SITES}: 35 table-full`, `${SITES}: 36 skip-indices`],
  },
  {
    section: '1.2',
    text: 'the 70 bytes of a slot',
    tests: [`${LAYOUT}: are gVisor’s for slot 1`, `${FIRST}: 3 slot-bytes-golden`],
  },
  { section: '1.2', text: 'flags and the stack stay as they are', tests: [`${FIRST}: 2 second-exec-traps`] },
  {
    section: '1.3',
    text: 'ff 24 25 and the slot’s address; byte 5 is 06',
    tests: [`${LAYOUT}: have the guard in byte 5`, `${FIRST}: 1 first-exec-serves`],
  },
  {
    section: '1.4',
    text: 'the stub’s record, at GS; its block of eight pages; the thread’s states',
    tests: [
      `${STUB}: uses the offsets of the record layouts`,
      `${RECORDS}: has a record that the guest reads through GS`,
      `${RECORDS}: has a block of eight pages`,
      `${RECORDS}: is in state INITIALIZING`,
    ],
  },
  {
    section: '1.4',
    text: 'fault_jump: the handler’s way over a fault of its own',
    tests: [`${RECORDS}: that a guest writes is the way over its next SIGSEGV`, `${RECORDS}: stays in 2024-07`],
  },
  {
    section: '1.4',
    text: 'err, additional and line: what a panic leaves; line is -1 before',
    tests: [
      `${RECORDS}: that panics leaves error, number and line`,
      `${RECORDS}: has a record that the guest reads through GS`,
    ],
  },
  {
    section: '1.5',
    text: 'numbers of contexts, the thread that runs one, the one that ran it last',
    tests: [`${RECORDS}: has a page of its own by its number`, `${RECORDS}: names the stub thread that runs it`],
  },
  {
    section: '1.5',
    text: 'siginfo, signo, state and error code after a trap, a fault, an interrupt',
    tests: [
      `${RECORDS}: a trapped call: SIGSYS`,
      `${RECORDS}: a fault: the signal, si_code and address`,
      `${RECORDS}: an interrupt: SIGCHLD that tgkill sent`,
    ],
  },
  {
    section: '1.5',
    text: 'acked_time and state_changed_time; sentry_fast_path is 0 with one processor; tls and debug are never used',
    tests: [`${RECORDS}: the time stamp at which it was last taken`, `${RECORDS}: no fast path`],
  },
  {
    section: '1.5',
    text: 'fpstate_changed',
    tests: [`${RECORDS}: is told that FP state changed`],
  },
  {
    section: '1.5',
    text: 'the context’s record, which is not believed',
    tests: [
      `${STUB}: uses the offsets of the record layouts`,
      `${RECORDS}: has in its record what the signal handler saved`,
      `${RECORDS}: that a sibling overwrites between two calls`,
    ],
  },
  {
    section: '1.6',
    text: 'the interrupt is SIGCHLD, masked in the handler; error codes of a panic',
    tests: [`${STUBS}: meets the context that the thread resumes next`, `${RECORDS}: that panics leaves error`],
  },
  {
    section: '1.6',
    text: 'what stops a syscall: seccomp, or user dispatch where the version has it',
    tests: [`${VERSIONS}: in %s is told in the siginfo`],
  },
  {
    section: '1.6',
    text: '219 is restart_syscall; a syscall is two bytes long',
    tests: [`${PATCHER}: serves restart_syscall`],
  },
  {
    section: '1.7',
    text: 'what differs from version to version',
    tests: [
      `${VERSIONS}: the call that had its site patched`,
      `${VERSIONS}: a task with a tracer`,
      `${VERSIONS}: the slots`,
    ],
  },
  {
    section: '2.2',
    text: 'a trap leaves the instruction pointer behind the call, rcx and r11 as the processor does',
    tests: [`${FIRST}: 1 first-exec-serves`, `${FACTS}: 5: a trapped call leaves rcx and r11`],
  },
  {
    section: '2.2',
    text: 'patchable: b8, imm32 = number = 64-bit rax, 0f 05; the byte before is read and not looked at',
    tests: [`${PATCHER}: finds a site patchable when the immediate is rax`, `${FACTS}: 10: a fresh site entered at +5`],
  },
  {
    section: '2.2',
    text: 'where the byte before cannot be read nothing is patched',
    tests: [`${SITES}: a site at the first byte of a mapping is never patched`],
  },
  {
    section: '2.2',
    text: 'the second read sends the task back without the Sentry',
    tests: [`${DURING}: 7 B-in-syscall-before-step1`, `${DURING}: 8 B-reads-between`],
  },
  {
    section: '2.2',
    text: 'the patch comes before the call is served; its failure is nobody’s',
    tests: [`${LIFE}: 38 unwritable-shared`, `${RESTART}: 16 patched-while-blocked`],
  },
  {
    section: '2.2',
    text: 'a call whose number has more than 32 bits, or of another ABI, is unknown to the kernel',
    tests: [`${GUARDS}: narrowNumber`, `${ADVERSARIAL}: g20`],
  },
  {
    section: '2.2',
    text: 'a call at the vsyscall page is made a fault',
    tests: [`${DEFECTS}: D9: with patching disabled`],
  },
  { section: '2.3', text: 'a traced task adds no patch', tests: [`${PATCHER}: adds nothing for a traced task`] },
  {
    section: '2.3',
    text: 'byte 0 is looked at again, under the lock',
    tests: [
      `${PATCHER}: leaves a site alone whose first byte`,
      `${DURING}: 9 both-need-patch`,
      `${TASKS}: 51 jit-toctou`,
    ],
  },
  {
    section: '2.4',
    text: 'the stores, their sizes and their order',
    tests: [`${PATCHER}: writes the slot, then the guard`],
  },
  { section: '2.4', text: 'a copy that spans pages is two', tests: [`${PATCHER}: are the stores of safecopy.memcpy`] },
  {
    section: '2.4',
    text: 'what a task meets after each store',
    tests: [`${DURING}: 4 B-at-S+5-after-step1`, `${DURING}: 5 B-fetch-at-2a`, `${DURING}: 6 B-fetch-at-2b`],
  },
  {
    section: '2.4',
    text: 'no other order of the stores is right',
    tests: [`${RACE}: acb fails`, `${RACE}: one copy of seven bytes fails`, `${INVARIANTS}: a machine that is broken`],
  },
  {
    section: '2.4',
    text: 'a store that fails leaves the site as it was by then, upstream',
    tests: [`${INVARIANTS}: a machine that is broken`],
  },
  {
    section: '2.5',
    text: 'the index counts before the slot is written, and is not given back',
    tests: [`${TABLE}: upstream: a slot is used up`, `${LIFE}: 38 unwritable-shared`],
  },
  {
    section: '2.5',
    text: 'the header is believed, and read with the guest’s permissions',
    tests: [`${TABLE}: upstream: a table whose header cannot be read`, `${LIFE}: 42 header-tamper`],
  },
  {
    section: '2.6',
    text: 'every register but rax is the guest’s, the red zone too',
    tests: [`${FIRST}: 2 second-exec-traps`, `${FIRST}: returns the result in rax`],
  },
  {
    section: '2.6',
    text: 'the Sentry may change every register',
    tests: [`${PREEMPTION}: the Sentry may change every register`],
  },
  {
    section: '2.6',
    text: 'without PREP the syshandler panics',
    tests: [`${HOSTILE}: upstream: the syshandler finds no PREP`],
  },
  {
    section: '2.7',
    text: 'recovery: bytes 0 to 2 and 5, nothing else; 219 is served, all else restarted',
    tests: [
      `${PATCHER}: starts the task again at the jump`,
      `${PATCHER}: leaves alone what is no patched site`,
      `${FACTS}: 6: entering a patched site at +5`,
      `${FACTS}: 7: with another number`,
      `${FACTS}: 8: with 219`,
    ],
  },
  { section: '2.7', text: 'no torn number is 219', tests: [`${SITES}: 12 no-219-by-tear`] },
  { section: '2.7', text: 'recovery waits for the lock', tests: [`${RACE}: recovery without the lock`] },
  {
    section: '2.8',
    text: 'restart forms: again, restart_syscall, EINTR; whichever path came first',
    tests: [
      `${RESTART}: 13 restart-sys`,
      `${RESTART}: 14 restart-block`,
      `${RESTART}: 16 patched-while-blocked`,
      `${RESTART}: 18 eintr`,
      `${SIGNALS}: restarts as on Linux`,
    ],
  },
  {
    section: '2.8',
    text: 'an edited number is lost on a patched site',
    tests: [`${RESTART}: 17 frame-visible-rip`, `${SIGNALS}: loses only the edited number`],
  },
  {
    section: '2.9',
    text: 'user code and A+8 can be interrupted, the rest of a slot and the stub cannot',
    tests: [
      `${RESTART}: 19 chld-at-A+8`,
      `${STUBS}: 21 chld-after-NONE`,
      `${PREEMPTION}: a budget of one instruction at a time`,
    ],
  },
  {
    section: '2.9',
    text: 'one that comes while the thread is in the signal handler meets whom the handler resumes',
    tests: [
      `${STUBS}: meets the context that the thread resumes next`,
      `${STUBS}: meets the same context when its call is served at once`,
    ],
  },
  { section: '2.9', text: 'an interruption is not lost', tests: [`${PREEMPTION}: an interruption ends the run`] },
  { section: '2.10', text: 'threads and vfork share the table', tests: [`${TASKS}: 27 vfork-shares`] },
  {
    section: '2.10',
    text: 'fork copies a whole table; the child finds it by name and header',
    tests: [`${LIFE}: 24 fork-mid-process`, `${TASKS}: 25 fork-vs-patch`, `${TABLE}: upstream: a fresh space goes on`],
  },
  {
    section: '2.10',
    text: 'what the lookup by name finds: moved, cut, hidden, left out of the child',
    tests: [
      `${LOOKUP}: is found a page further on`,
      `${LOOKUP}: is found where it was moved to`,
      `${LOOKUP}: is hidden by a mapping`,
      `${LOOKUP}: is gone with MADV_DONTFORK`,
      `${LOOKUP}: is unusable where the header cannot be read`,
    ],
  },
  { section: '2.10', text: 'execve starts without', tests: [`${LIFE}: 28 exec-resets`] },
  {
    section: '2.11',
    text: 'S, S+5, S+7 and A+8 can be gone on from, and only they are seen',
    tests: [
      `${SAVED}: 29 restore`,
      `${PREEMPTION}: a budget of one instruction at a time`,
      `${VERSIONS}: panics where the state that a slot stores`,
    ],
  },
  {
    section: '2.11',
    text: 'slots are part of an image: of another version they store another state',
    tests: [
      `${SAVED}: upstream: slots that a stub of 2023 has written`,
      `${SAVED}: hardened: they are written again`,
      `sandbox/checkpoint/versions.test.ts: is killed under one whose stub expects another state`,
    ],
  },
  {
    section: '2.11',
    text: 'restored under a platform without stubs, sites jump to slots that store through GS',
    tests: [`${SAVED}: upstream: its sites jump to slots`, `${SAVED}: hardened: its sites have their own bytes again`],
  },
  {
    section: '2.11',
    text: 'restored with patching disabled, what is patched stays so and is recovered',
    tests: [`${SAVED}: goes through the slots that it has`, `${SAVED}: patches nothing that was not patched`],
  },
  {
    section: '2.12',
    text: 'per task: the tracee adds none, its siblings do; what is patched stays',
    tests: [`${TASKS}: 33 traced-from-start`, `${LIFE}: 34 traced-sibling`, `${TASKS}: 32 attach-existing`],
  },
  {
    section: '2.12',
    text: 'single steps',
    tests: [`${HOSTILE}: hardened: shows the instructions`, `${RECORDS}: a single step over a patched site`],
  },
  {
    section: '2.13',
    text: 'false positives',
    tests: [`${SITES}: 44 ioctl-10849`, `${SITES}: 45 rex-r8d`, `${FACTS}: 12: the tail of a movabs`],
  },
  { section: '2.13', text: 'what is never patched', tests: [`${SITES}: 46 non-matches`, `${FACTS}: 15: any number`] },
  {
    section: '2.14',
    text: 'code that is rewritten whole, or in its number',
    tests: [
      `${LIFE}: code that changes`,
      `${LIFE}: code that moves, and code that is edited`,
      `${TASKS}: 51 jit-toctou`,
    ],
  },
  {
    section: '2.14',
    text: 'shared mappings and aliases',
    tests: [`${TASKS}: 49 alias-pages`, `${TASKS}: 50 shared-code-fork`, `${LIFE}: 38 unwritable-shared`],
  },
  { section: '2.14', text: 'slots of code that goes', tests: [`${LIFE}: slots of code that goes`] },
  { section: '2.14', text: 'a GS base of the guest’s', tests: [`${GS}: 53 gs-zero`, `${GS}: 54 gs-guest-memory`] },
  {
    section: '2.15',
    text: 'D1 off by one; D2 leak; D3 wrong number',
    tests: [`${SITES}: 35 table-full`, `${LIFE}: 38 unwritable-shared`, `${SITES}: 43 shared-tail`],
  },
  {
    section: '2.15',
    text: 'D4 a copied table page',
    tests: [`${STUBS}: 26 fork-cow-midtramp`, `${DEFECTS}: D4 ends in a panic`],
  },
  { section: '2.15', text: 'D7 FP state', tests: [`${STUBS}: 23 fp-after-interrupt`, `${DEFECTS}: D7 shows`] },
  {
    section: '2.15',
    text: 'D5 a mapping replaced; D6 the header',
    tests: [`${LIFE}: 41 window-squatter`, `${TABLE}: upstream: a header of 0 makes slot 0`],
  },
  { section: '2.15', text: 'D8 GS after the pool', tests: [`${STUBS}: 55 gs-pool`] },
  { section: '2.15', text: 'D9 the vsyscall page', tests: [`${DEFECTS}: D9: with patching disabled`] },
  {
    section: '2.16',
    text: 'a new thread has a record and a GS base of its own',
    tests: [`${PREEMPTION}: two tasks that take turns`, `${RECORDS}: is in state INITIALIZING`, `${STUBS}: 55 gs-pool`],
  },
  {
    section: '2.16',
    text: 'it is made when a context comes that needs one; its record says INITIALIZING until it has taken a context',
    tests: [`${RECORDS}: is made when a context comes that needs one`],
  },
  { section: '3', text: 'the invariants', tests: [`${INVARIANTS}: hold through an ordinary life`] },
];

/** A fact that was observed under a real runsc: what `upstream` must show. */
export interface Fact {
  readonly number: number;
  readonly text: string;
  readonly tests: readonly string[];
}

export const FACTS_SEEN: readonly Fact[] = [
  { number: 1, text: 'the maps line of the table', tests: [`${FACTS}: 1: the maps line`] },
  {
    number: 2,
    text: 'patched at the first execution, through the slot at the second',
    tests: [`${FIRST}: 1 first-exec-serves`],
  },
  {
    number: 3,
    text: 'the bytes of a slot',
    tests: [`${LAYOUT}: are those read from a guest`, `${FIRST}: 3 slot-bytes-golden`],
  },
  { number: 4, text: 'the header counts; slot 0 is none', tests: [`${FACTS}: 4: the header counts`] },
  { number: 5, text: 'rcx and r11 tell the two paths apart', tests: [`${FACTS}: 5: a trapped call`] },
  { number: 6, text: 'entered at +5 with its own number', tests: [`${FACTS}: 6: entering`] },
  { number: 7, text: 'entered at +5 with another', tests: [`${FACTS}: 7: with another`] },
  { number: 8, text: 'entered at +5 with 219', tests: [`${FACTS}: 8: with 219`] },
  { number: 9, text: 'entered at +6', tests: [`${FACTS}: 9: entering`] },
  { number: 10, text: 'a fresh site entered at +5', tests: [`${FACTS}: 10: a fresh site`] },
  { number: 11, text: 'mov to r8d is patched and lost', tests: [`${SITES}: 45 rex-r8d`] },
  { number: 12, text: 'the tail of a movabs', tests: [`${FACTS}: 12: the tail`] },
  { number: 13, text: 'the first byte of a mapping', tests: [`${SITES}: a site at the first byte of a mapping`] },
  { number: 14, text: 'line and page crossings are patched', tests: [`${SITES}: 11 stale-line fetch`] },
  { number: 15, text: 'any number', tests: [`${FACTS}: 15: any number`] },
  { number: 16, text: 'a child goes on from the copied header', tests: [`${LIFE}: 24 fork-mid-process`] },
  {
    number: 17,
    text: '250 slots, and calls go on without',
    tests: [`${SITES}: 35 table-full`, `${SITES}: 36 skip-indices`],
  },
  { number: 18, text: 'a site that is put back by hand', tests: [`${FACTS}: 18: a site whose bytes`] },
];
