// SPDX-License-Identifier: MIT
//
// A lesson at a terminal in raw mode: keys act at once where no line has been begun, everything else is a line that is
// edited with backspace and ends with Enter. The terminal is put back whatever happens.
// Node's raw mode leaves output alone: a line feed still begins a line.

import type { TextLesson } from '../workshop/lessons/text-lesson.ts';
import { writeToStdout } from './output-file.ts';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const BACKSPACE = ['\u007f', '\b'];
/** Arrows are keys, too. */
const ARROWS: Readonly<Record<string, string>> = { '\u001b[C': 'n', '\u001b[D': 'p', '\u001bOC': 'n', '\u001bOD': 'p' };

/** Plays one lesson. */
export class LessonTerminal {
  readonly #player: TextLesson;
  #line = '';
  /** Input is worked through one after the other. */
  #work: Promise<void> = Promise.resolve();
  #end: () => void = () => {};

  constructor(player: TextLesson) {
    this.#player = player;
  }

  /** Resolves when the lesson is done or left. */
  async run(): Promise<void> {
    const { stdin } = process;
    const ended = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    const onData = (data: Buffer): void => {
      this.#work = this.#work.then(() => this.#takeInput(data.toString('utf8')));
    };
    stdin.setRawMode(true);
    stdin.on('data', onData);
    stdin.once('end', this.#end);
    try {
      // Who sees the prompt may press a key.
      writeToStdout(await this.#player.begin());
      this.#prompt();
      await ended;
    } finally {
      stdin.off('data', onData);
      stdin.setRawMode(false);
      stdin.pause();
    }
  }

  async #takeInput(text: string): Promise<void> {
    const arrow = ARROWS[text];
    if (arrow !== undefined) return this.#takeKey(arrow);
    for (const c of text.startsWith('\u001b') ? '' : text) await this.#takeKey(c);
  }

  async #takeKey(c: string): Promise<void> {
    if (c === CTRL_C || (c === CTRL_D && this.#line === '')) {
      writeToStdout('\n');
      return this.#end();
    }
    if (c === '\r' || c === '\n') {
      writeToStdout('\n');
      const line = this.#line;
      this.#line = '';
      return this.#takeLine(line);
    }
    if (BACKSPACE.includes(c)) {
      if (this.#line !== '') writeToStdout('\b \b');
      this.#line = this.#line.slice(0, -1);
    } else if (c === CTRL_U) {
      writeToStdout('\b \b'.repeat(this.#line.length));
      this.#line = '';
    } else if (this.#line === '' && this.#player.keys.includes(c)) {
      writeToStdout(`${c}\n`);
      return this.#takeLine(c);
    } else if (c >= ' ') {
      this.#line += c;
      writeToStdout(c);
    }
  }

  async #takeLine(line: string): Promise<void> {
    const { text, ended } = await this.#player.take(line);
    writeToStdout(text);
    if (ended) return this.#end();
    this.#prompt();
  }

  #prompt(): void {
    writeToStdout(this.#player.prompt());
  }
}
