// SPDX-License-Identifier: MIT
//
// The compact form of a replay token: fields and named steps as bytes with variable-length numbers, a checksum behind
// them, in base64url. It holds what the text form holds and turns into it.

import { TraplineError } from '../base/errors.ts';
import { utf8 } from '../base/bytes.ts';
import type { NamedTurn } from './search/schedule.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** As in the text form. */
const MOST_REPEATED = 9999;

/** FNV-1a, folded to 16 bits. */
export function hash16(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (const b of bytes) h = Math.imul(h ^ b, 0x01000193);
  return (h ^ (h >>> 16)) & 0xffff;
}

function toBase64url(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3);
    const group = (a << 16) | (b << 8) | c;
    for (let k = 0; k <= Math.min(3, bytes.length - i); k++) text += ALPHABET[(group >> (18 - 6 * k)) & 63] ?? '';
  }
  return text;
}

function damaged(why: string): TraplineError {
  return new TraplineError('RACE_TOKEN', `the token is cut off or changed: ${why}`);
}

function fromBase64url(text: string): Uint8Array {
  const out = new Uint8Array(Math.floor((text.length * 6) / 8));
  let group = 0;
  let bits = 0;
  let at = 0;
  for (const char of text) {
    const value = ALPHABET.indexOf(char);
    if (value < 0) throw damaged(`"${char}" is no letter of base64url`);
    group = ((group << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[at++] = (group >> bits) & 0xff;
  }
  return out;
}

class Writer {
  readonly #bytes: number[] = [];

  number(value: number): void {
    for (; value >= 0x80; value = Math.floor(value / 0x80)) this.#bytes.push((value % 0x80) | 0x80);
    this.#bytes.push(value);
  }

  text(value: string): void {
    const bytes = utf8(value);
    this.number(bytes.length);
    this.#bytes.push(...bytes);
  }

  /** What was written, with its checksum. */
  finish(): Uint8Array {
    const sum = hash16(Uint8Array.from(this.#bytes));
    return Uint8Array.from([...this.#bytes, sum >> 8, sum & 0xff]);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    const body = bytes.subarray(0, Math.max(0, bytes.length - 2));
    const [high = 0, low = 0] = bytes.subarray(body.length);
    if (bytes.length < 2 || hash16(body) !== ((high << 8) | low)) throw damaged('its checksum is wrong');
    this.#bytes = body;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw damaged('a number is missing');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  text(): string {
    const length = this.number();
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw damaged('a name is missing');
    this.#at += length;
    return new TextDecoder().decode(bytes);
  }

  list<T>(item: () => T): T[] {
    return Array.from({ length: Math.min(this.number(), this.#bytes.length) }, item);
  }
}

/** A step name and how often it comes in a row. */
function runs(names: readonly string[]): [name: string, times: number][] {
  const out: [string, number][] = [];
  for (const name of names) {
    const last = out.at(-1);
    if (last?.[0] === name) last[1]++;
    else out.push([name, 1]);
  }
  return out;
}

/**
 * Packs a token.
 * @param fields those that are not as usual: number of the field and value
 * @param schedule turns: actor and steps
 */
export function pack(
  fields: readonly (readonly [field: number, value: string])[],
  schedule: readonly NamedTurn[],
): string {
  const out = new Writer();
  out.number(fields.length);
  for (const [field, value] of fields) {
    out.number(field);
    out.text(value);
  }
  const names = [...new Set(schedule.flatMap(([actor, steps]) => [actor, ...steps]))];
  out.number(names.length);
  for (const name of names) out.text(name);
  out.number(schedule.length);
  for (const [actor, steps] of schedule) {
    out.number(names.indexOf(actor));
    const packed = runs(steps);
    out.number(packed.length);
    for (const [name, times] of packed) {
      out.number(names.indexOf(name));
      out.number(times);
    }
  }
  return toBase64url(out.finish());
}

/**
 * Reads what {@link pack} writes.
 * @throws TraplineError `RACE_TOKEN` when it is damaged
 */
export function unpack(text: string): { fields: [field: number, value: string][]; schedule: NamedTurn[] } {
  const input = new Reader(fromBase64url(text));
  const fields = input.list((): [number, string] => [input.number(), input.text()]);
  const names = input.list(() => input.text());
  const name = (): string => {
    const found = names[input.number()];
    if (found === undefined) throw damaged('a step has no name');
    return found;
  };
  const schedule = input.list((): NamedTurn => {
    const actor = name();
    const steps = input.list(() => {
      const step = name();
      return new Array<string>(Math.min(input.number(), MOST_REPEATED)).fill(step);
    });
    return [actor, steps.flat()];
  });
  return { fields, schedule };
}
