// SPDX-License-Identifier: MIT
//
// Reads JSON that people write by hand: a value knows its file and its path, so that every refusal says where it is
// and what to do. Fields that nobody asked for are refused too: they are misspelt ones.

import { TraplineError } from '../../base/errors.ts';
import { jsonErrorAt } from './json-syntax.ts';

/** A value of a file. */
export class JsonValue {
  readonly file: string;
  readonly path: string;
  readonly value: unknown;

  constructor(file: string, path: string, value: unknown) {
    this.file = file;
    this.path = path;
    this.value = value;
  }

  /** @throws TraplineError `LESSON_FILE` always */
  refuse(why: string): never {
    throw new TraplineError('LESSON_FILE', `${this.file}: ${this.path === '' ? 'the file' : this.path}: ${why}`);
  }

  /** Reads an object; `read` must ask for every field that may be there. */
  object<T>(read: (fields: JsonFields) => T): T {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value))
      return this.refuse(`is ${typeName(this.value)}; write an object {…}`);
    const fields = new JsonFields(this, Object.entries(this.value));
    const result = read(fields);
    fields.close();
    return result;
  }

  list<T>(read: (item: JsonValue) => T, { min = 0, max = 100 } = {}): T[] {
    if (!Array.isArray(this.value)) return this.refuse(`is ${typeName(this.value)}; write a list […]`);
    if (this.value.length < min || this.value.length > max)
      return this.refuse(`has ${this.value.length} items; write ${min} to ${max}`);
    return this.value.map((item: unknown, i) => read(new JsonValue(this.file, `${this.path}[${i}]`, item)));
  }

  string({ pattern, hint, max = 4000 }: { pattern?: RegExp; hint?: string; max?: number } = {}): string {
    if (typeof this.value !== 'string')
      return this.refuse(`is ${typeName(this.value)}; write ${hint ?? 'text in quotes'}`);
    if (this.value === '' || this.value.length > max)
      return this.refuse(`has ${this.value.length} characters; write 1 to ${max}`);
    if (pattern !== undefined && !pattern.test(this.value))
      return this.refuse(`${quoted(this.value)} is not what is asked for; write ${hint ?? String(pattern)}`);
    return this.value;
  }

  integer(min: number, max: number): number {
    if (typeof this.value !== 'number' || !Number.isInteger(this.value) || this.value < min || this.value > max)
      return this.refuse(`${quoted(this.value)} is not what is asked for; write a whole number from ${min} to ${max}`);
    return this.value;
  }

  /** A number, or one as text: `"0x60050"`. */
  address(): number {
    const n =
      typeof this.value === 'string' && /^(0x[0-9a-f]+|\d+)$/i.test(this.value) ? Number(this.value) : this.value;
    if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 0)
      return this.refuse(`${quoted(this.value)} is no number; write one such as 39 or "0x60050"`);
    return n;
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') return this.refuse(`is ${typeName(this.value)}; write true or false`);
    return this.value;
  }

  oneOf<T extends string>(...allowed: readonly T[]): T {
    const found = allowed.find((a) => a === this.value);
    if (found === undefined)
      return this.refuse(`${quoted(this.value)} is not known; write one of ${allowed.join(', ')}`);
    return found;
  }

  /** Bytes as hex digits: `"b8 27 00 00 00"`. */
  bytes(max = 64): Uint8Array {
    const text = this.string({
      pattern: /^([0-9a-f]{2})( ?[0-9a-f]{2})*$/i,
      hint: 'bytes such as "0f 05"',
      max: 3 * max,
    });
    return hexBytes(text);
  }
}

/** The fields of an object that is being read. */
export class JsonFields {
  readonly self: JsonValue;
  readonly #left: Map<string, unknown>;

  constructor(self: JsonValue, entries: readonly (readonly [string, unknown])[]) {
    this.self = self;
    this.#left = new Map(entries);
  }

  /** Names of the fields that nobody has asked for yet. */
  names(): string[] {
    return [...this.#left.keys()];
  }

  has(name: string): boolean {
    return this.#left.has(name);
  }

  need(name: string): JsonValue {
    if (!this.#left.has(name)) return this.self.refuse(`has no "${name}"; add it`);
    const value = this.#left.get(name);
    this.#left.delete(name);
    return new JsonValue(this.self.file, this.self.path === '' ? name : `${this.self.path}.${name}`, value);
  }

  maybe<T>(name: string, read: (value: JsonValue) => T): T | undefined {
    return this.#left.has(name) ? read(this.need(name)) : undefined;
  }

  close(): void {
    const [name] = this.#left.keys();
    if (name !== undefined)
      this.self.refuse(`has a field "${name}" that means nothing; correct its name or take it out`);
  }
}

/** Parses the text of a file. @throws TraplineError `LESSON_FILE` with line and column where it is no JSON */
export function parseJsonFile(file: string, text: string): JsonValue {
  try {
    return new JsonValue(file, '', JSON.parse(text));
  } catch {
    // Its message has a place in some engines only.
  }
  const before = text.slice(0, jsonErrorAt(text));
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  throw new TraplineError('LESSON_FILE', `${file}:${line}:${column}: this is no JSON from here on; correct it`);
}

/** Hex digits, spaces between them left out. */
export function hexBytes(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, '');
  return Uint8Array.from({ length: digits.length >> 1 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
