// SPDX-License-Identifier: MIT
//
// What the server says to the person who runs it. The command line connects it to pino.

/** Facts of a message; values that come from outside are short and printable. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A pino logger is one. */
export interface ServerLog {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Text from outside as it may stand in a log: short, printable. */
export function shown(text: string | undefined): string {
  const plain = (text ?? '').slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
  return (text ?? '').length > 200 ? `${plain}...` : plain;
}

/** Messages of one kind within a second that are written; a flood is counted instead. */
const PER_SECOND = 20;

/** Refusals, which a hostile client can cause as often as it likes: so many a second are written, the rest is counted. */
export class RefusalLog {
  readonly #log: ServerLog;
  readonly #now: () => number;
  #second = 0;
  #written = 0;
  #dropped = 0;

  constructor(log: ServerLog, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  refused(fields: LogFields, message: string): void {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) {
      if (this.#dropped > 0) this.#log.warn({ dropped: this.#dropped }, 'further refusals were not written');
      this.#second = second;
      this.#written = 0;
      this.#dropped = 0;
    }
    if (this.#written++ < PER_SECOND) this.#log.warn(fields, message);
    else this.#dropped++;
  }
}
