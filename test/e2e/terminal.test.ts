// SPDX-License-Identifier: MIT
//
// A shell of this machine at the tool's own terminal: a real pseudo-terminal of the host, driven by dialogues. A dialogue
// that makes no use of the tool's own ways is played with the machine's kernel, too. Keys are sent when their reader has
// shown that it waits for them, so no dialogue depends on time.

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hasPython, play as playAt, PYTHON, type Played, type Step } from './play.ts';
import { CLI, guest } from './trapline.ts';

const source = (name: string): string => fileURLToPath(new URL(`sources/${name}`, import.meta.url));
const PROMPT = 'ready> ';

function play(command: readonly string[], steps: readonly Step[]): Promise<Played> {
  return playAt(command, steps, { PS1: PROMPT, INPUTRC: '/dev/null' });
}

const SHELL = ['/bin/bash', '--norc', '-i'];
const ENV = ['--env', `PS1=${PROMPT}`, '--env', 'INPUTRC=/dev/null', '--env', 'TERM=dumb'];
const TOOL = [process.execPath, CLI, 'run', '--root', '/', ...ENV, '--'];
const SLEEPER = ['/bin/sh', '-c', 'echo begins; exec sleep 1000'];
const WHERE = [
  ['on Linux', SHELL],
  ['in the sandbox', [...TOOL, ...SHELL]],
] as const;

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const CTRL_Z = '\u001a';
const CTRL_BRACKET = '\u001d';
const TRAP = `trap 'echo te"rm"inated' TERM`;
const TWO_TERM: readonly Step[] = [
  ['kill', 'SIGTERM'],
  ['expect', 'terminated'],
  ['kill', 'SIGTERM'],
];
const JOB = `${PYTHON} -S ${source('job.py')}\n`;
/** A line for the shell, and the prompt after it. */
const line = (text: string, shown: string): Step[] => [
  ['send', `${text}\n`],
  ['expect', shown],
  ['expect', PROMPT],
];

/** The driver loses its patience earlier, and says with what. */
const TIMEOUT_MS = 20 * 60_000;

describe.runIf(hasPython)('bash -i at a terminal', () => {
  it.each(WHERE)('edits lines %s', { timeout: TIMEOUT_MS }, async (_where, command) => {
    const played = await play(command, [
      ['expect', PROMPT],
      // Ctrl-A goes to the start of the line, Ctrl-H takes a letter back: readline's, so keys come one by one.
      ['send', ' $((20+3))x\b\u0001echo got\n'],
      ['expect', 'got 23'],
      ['expect', PROMPT],
      ['send', 'tty; exit 7\n'],
      ['expect', '/dev/'],
    ]);
    expect(played).toMatchObject({ missing: null, status: 7 });
  });

  it.each(WHERE)('stops, continues and ends jobs %s', { timeout: TIMEOUT_MS }, async (_where, command) => {
    const played = await play(command, [
      ['expect', PROMPT],
      ['send', JOB],
      ['expect', 'in front'],
      ['send', CTRL_Z],
      ['expect', 'Stopped'],
      ['expect', PROMPT],
      ...line('jobs', 'Stopped'),
      ['send', 'bg\n'],
      ['expect', 'in back'],
      ...line('jobs', 'Running'),
      ['send', 'fg\n'],
      ['expect', 'in front'],
      ['send', CTRL_Z],
      ['expect', 'Stopped'],
      ['expect', PROMPT],
      ['send', 'fg %1\n'],
      ['expect', 'in front'],
      ['resize', 41, 123],
      ['expect', 'now 41 x 123'],
      ['send', CTRL_C],
      ['expect', 'broken off'],
      ['expect', PROMPT],
      ...line('echo "status:"$?', 'status:9'),
      ...line('jobs; echo "none"', 'none'),
      ['send', CTRL_D],
      ['expect', 'exit'],
    ]);
    expect(played).toMatchObject({ missing: null, status: 0 });
  });

  it.each(WHERE)(
    'gives a line up with Ctrl-U and ends with Ctrl-D %s',
    { timeout: TIMEOUT_MS },
    async (_where, command) => {
      const played = await play(command, [
        ['expect', PROMPT],
        ['send', `echo nev""er${CTRL_U}echo al""ways\n`],
        ['expect', 'always'],
        ['expect', PROMPT],
        ['send', '(echo go""es; cat); echo "cat:"$?\n'],
        ['expect', 'goes'],
        ['send', `a line\n`],
        ['expect', 'a line\r\na line'],
        ['send', CTRL_D],
        ['expect', 'cat:0'],
        ['expect', PROMPT],
        ['send', '(exit 5)\n'],
        ['expect', PROMPT],
        ['send', CTRL_D],
        ['expect', 'exit'],
      ]);
      expect(played).toMatchObject({ missing: null, status: 5 });
      expect(played.screen).not.toContain('never');
    },
  );

  it.each(WHERE)('tells the size that the terminal has %s', { timeout: TIMEOUT_MS }, async (_where, command) => {
    const sizes = Array.from({ length: 10 }, (_, i) => [31 + i, 101 + 2 * i] as const);
    const played = await play(command, [
      ['expect', PROMPT],
      ...line('stty size', '30 100'),
      ...sizes.flatMap(([rows, columns]): Step[] => [
        ['resize', rows, columns],
        ...line('stty size', `${rows} ${columns}`),
      ]),
      ['send', 'exit\n'],
    ]);
    expect(played).toMatchObject({ missing: null, status: 0 });
  });
});

describe.runIf(hasPython)('the terminal of the tool', () => {
  it('shows each line of --strace from its start', { timeout: TIMEOUT_MS }, async () => {
    const played = await play([process.execPath, CLI, 'run', '--strace', guest('hello')], [['expect', '+++ exited']]);
    expect(played).toMatchObject({ missing: null, status: 0, restored: true });
    expect(played.screen).toContain('hello from a guest');
    expect(played.screen.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  const endings: readonly (readonly [string, number, readonly string[], readonly Step[]])[] = [
    ['an exit', 7, SHELL, [['expect', PROMPT], ['raw'], ['send', 'exit 7\n']]],
    ['three times Ctrl-]', 130, SHELL, [['expect', PROMPT], ['raw'], ['send', CTRL_BRACKET.repeat(3)]]],
    ['a hangup that kills the program', 129, SLEEPER, [['expect', 'begins'], ['raw'], ['kill', 'SIGHUP']]],
    [
      'two SIGTERM, of which the first is for the shell',
      143,
      SHELL,
      [
        ['expect', PROMPT],
        ['send', `${TRAP}; sleep 1000 & echo beg"ins"; wait\n`],
        ['expect', 'begins'],
        ['raw'],
        ...TWO_TERM,
      ],
    ],
    [
      'two SIGTERM while the shell computes',
      143,
      SHELL,
      [
        ['expect', PROMPT],
        ['send', `${TRAP}; echo beg"ins"; while :; do :; done\n`],
        ['expect', 'begins'],
        ['raw'],
        ...TWO_TERM,
      ],
    ],
  ];

  it.each(endings)('is as it was after %s', { timeout: TIMEOUT_MS }, async (_name, status, program, steps) => {
    const played = await play([...TOOL, ...program], steps);
    expect(played).toMatchObject({ missing: null, status, raw: [true], restored: true });
  });
});
