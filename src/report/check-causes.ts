// SPDX-License-Identifier: MIT
//
// Causes of differences in words: why patching did it, and what its user can do. For users of gVisor, or of another
// patcher of the kind, whose program it is.

import type { Cause } from '../sandbox/check/check-result.ts';

/** A cause in words. */
export interface Words {
  /** One line, for lists. */
  readonly title: string;
  readonly why: string;
  readonly advice: readonly string[];
}

const SWITCH_OFF =
  'run it with patching off (runsc --systrap-disable-syscall-patching): every call then costs a trap, nothing else changes';

const CAUSES: Readonly<Record<Cause, Words>> = {
  'false-match': {
    title: 'A longer instruction ends in the bytes of mov $number,%eax',
    why:
      'the five bytes before the syscall are no instruction but the end of a longer one. The patch turned that into ' +
      'another instruction, which writes bytes of the jump to where the program did not mean it to, or loads them; ' +
      'then it runs into the guard byte 06 and starts again in the middle (gVisor issue 10849).',
    advice: [
      SWITCH_OFF,
      'or put one instruction between the two: a nop before the syscall, or the number loaded with mov $number,%eax last',
    ],
  },
  'shared-tail': {
    title: 'Several paths share one syscall instruction',
    why:
      'another path jumps straight to this syscall with its own number in eax. It ran into the guard byte, and recovery ' +
      'started the site again, which makes the call that it was patched for.',
    advice: [
      SWITCH_OFF,
      'or give each path a syscall instruction of its own (-fno-crossjumping keeps gcc from merging them)',
    ],
  },
  'keeps-rcx': {
    title: 'The program reads rcx or r11 after a call',
    why:
      'the syscall instruction leaves the address behind it in rcx and the flags in r11. A patched call keeps what was ' +
      'there before, so the first call and later ones differ.',
    advice: [SWITCH_OFF, 'or treat rcx and r11 as destroyed by a call, as the ABI says'],
  },
  'own-gs': {
    title: 'The program uses GS itself',
    why: 'a trampoline finds its record through the GS base, and the program has set its own: it stores into memory of the program.',
    advice: [SWITCH_OFF],
  },
  'stub-record': {
    title: "The program writes to Systrap's records",
    why: 'a thread of the program has changed the record that trampolines and their handler rely on.',
    advice: [SWITCH_OFF],
  },
  'table-lost': {
    title: 'The trap table is gone',
    why: 'patched sites jump through the table at [usertrap], and the program has unmapped it or taken its rights away.',
    advice: [SWITCH_OFF, 'or leave addresses from 0x60000 to 0x70000 alone'],
  },
  'table-over-mapping': {
    title: 'The trap table went over a mapping of the program',
    why: 'the table takes a random place from 0x60000 to 0x70000, whatever the program has mapped there.',
    advice: [SWITCH_OFF, 'or map nothing below 0x70000'],
  },
  'table-after-fork': {
    title: 'A child does not find the trap table',
    why: 'after a fork the table is looked for by its name, and its header, which the program can write, is believed.',
    advice: [SWITCH_OFF],
  },
  memlock: {
    title: 'The trap table counts as locked memory',
    why: 'the table is locked memory of the program, which has less left of its own, or too little for the table.',
    advice: [SWITCH_OFF, 'or raise RLIMIT_MEMLOCK by 20 KiB'],
  },
  'shared-code': {
    title: 'Code in a shared mapping was patched',
    why: 'the code is shared with another mapping or process, which sees the jump but not the table behind it.',
    advice: [SWITCH_OFF, 'or map code privately'],
  },
  'code-changed': {
    title: 'Code changed while it was being patched',
    why: 'between the trap and the patch the program put other code there, and only the first byte is looked at again.',
    advice: [SWITCH_OFF],
  },
  'code-handled': {
    title: 'Patched code is read, moved or written',
    why: 'the program copies, moves or rewrites code that is patched: it meets a jump through the table in its place.',
    advice: [SWITCH_OFF],
  },
  traced: {
    title: 'A tracer meets patched code',
    why:
      'the program was patched before it got a tracer. The sites stay patched, and a single step goes through the ' +
      'trampoline and the handler behind it, which do not survive that.',
    advice: [SWITCH_OFF, 'or trace from the start: a task with a tracer is not patched'],
  },
  'slot-rip': {
    title: 'An instruction pointer in the trap table',
    why: 'a signal came between the jump and the trampoline, and its handler was shown an address there.',
    advice: [SWITCH_OFF],
  },
  'jump-into-site': {
    title: 'A jump into the middle of a patched site',
    why: 'the program jumps into the bytes of the site, which were those of a constant and are those of a jump now.',
    advice: [SWITCH_OFF],
  },
  'wide-number': {
    title: 'The number of a call has more than 32 bits',
    why: 'Linux looks at the low half of rax only; Systrap takes all of it for the number, which no call has then.',
    advice: [
      'load the number with mov $number,%eax, which clears the upper half',
      'patching has no part in it: without it the same happens',
    ],
  },
  'single-step': {
    title: 'A single step into a trampoline',
    why: 'with the trap flag set every instruction of the trampoline and of the handler behind it traps, which they do not survive.',
    advice: [SWITCH_OFF, 'or debug with a tracer from the start: a task that has one is not patched'],
  },
  'reads-code': {
    title: 'The program reads its own code',
    why: 'the bytes of patched sites are a jump now, and the program looks at them: a checksum, a copy, a search for patterns.',
    advice: [SWITCH_OFF],
  },
  several: {
    title: 'The program takes another course when it is patched',
    why: 'hardened mode is right, but no single rule of it accounts for the difference. The site is the nearest one.',
    advice: [SWITCH_OFF],
  },
  unknown: {
    title: 'The program takes another course when it is patched',
    why: 'the run is too long to find out by which rule. The site, if there is one, is the nearest to where it shows.',
    advice: [SWITCH_OFF, 'look at the calls with: trapline run --patch upstream --strace, and with --patch off'],
  },
};

/** Every cause. */
export function causes(): readonly Cause[] {
  return Object.keys(CAUSES) as Cause[];
}

/** What there is to say about one: why it breaks a program, and what a user can do, best first. */
export function wordsOn(cause: Cause): Words {
  return CAUSES[cause];
}

/** What never counts as a difference, and why. */
export const MASKED = [
  { what: 'rcx and r11 after a call', why: 'the instruction destroys them; a patched call of upstream keeps them' },
  { what: 'the GS base', why: "Systrap's record" },
  { what: 'the trap table and the bytes of patched sites', why: 'they are the patch' },
  { what: 'free memory, peaks of memory, [usertrap] in /proc', why: 'the program is not told of what patching takes' },
] as const;
