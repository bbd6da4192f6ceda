// SPDX-License-Identifier: MIT
//
// The lab's assembler: the small part of GNU as that the lessons need, in AT&T syntax, byte for byte what GNU as and ld
// make of it (test/workshop/assembler.test.ts). Labels, numbered labels, constants, .byte .long .quad .ascii .asciz .skip.

import { encode, fitsSigned } from './encoder.ts';
import type { Gap, Jump } from './encoder.ts';
import { LineReader } from './line-reader.ts';
import type { Expression } from './line-reader.ts';
import { SourceError } from './source-error.ts';
import type { SourceErrorPlace } from './source-error.ts';

/** Where the lab puts code: first byte behind the headers of the file that guest-image.ts makes. */
export const CODE_ADDRESS = 0x400100;
/** Lessons are short; this is room for much more. */
export const MAX_SOURCE = 64 * 1024;
const MAX_BYTES = 32 * 1024;

/** Which bytes a line of the source became. */
export interface LineBytes {
  /** From 1. */
  readonly line: number;
  readonly offset: number;
  readonly length: number;
}

export type Assembled =
  | {
      readonly ok: true;
      readonly bytes: Uint8Array;
      readonly address: number;
      /** Addresses of labels that have names. */
      readonly labels: ReadonlyMap<string, number>;
      readonly lines: readonly LineBytes[];
    }
  | { readonly ok: false; readonly error: SourceErrorPlace };

interface Item {
  readonly line: number;
  readonly column: number;
  readonly bytes: readonly number[];
  readonly gaps: readonly Gap[];
  readonly jump?: Jump;
  offset: number;
  /** Of a jump: whether it has become long. */
  isNear: boolean;
}

/**
 * Assembles a program.
 * @param address of its first byte
 */
export function assemble(source: string, address = CODE_ADDRESS): Assembled {
  const assembly = new Assembly(address);
  try {
    return assembly.run(source);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return { ok: false, error: { line: assembly.line, column: error.at + 1, message: error.message } };
  }
}

class Assembly {
  /** The line that is being worked on, from 1. */
  line = 1;
  readonly #address: number;
  readonly #items: Item[] = [];
  /** Labels, by the item that they stand before. */
  readonly #labels = new Map<string, number>();
  readonly #constants = new Map<string, bigint>();
  /** How often each numbered label has been seen. */
  readonly #numbered = new Map<string, number>();
  #size = 0;

  constructor(address: number) {
    this.#address = address;
  }

  run(source: string): Assembled {
    if (source.length > MAX_SOURCE)
      throw new SourceError(0, `the program has ${source.length} characters; ${MAX_SOURCE} are the most`);
    for (const text of source.split('\n')) {
      this.#statements(text);
      this.line++;
    }
    this.#layOut();
    return this.#write();
  }

  #statements(text: string): void {
    const reader = new LineReader(text, 0, this.#constants, (n, direction) => {
      const seen = this.#numbered.get(n) ?? 0;
      return `${n}#${direction === 'f' ? seen + 1 : seen}`;
    });
    for (;;) {
      while (this.#label(reader));
      if (!reader.atEnd()) this.#statement(reader);
      if (reader.take(/;/) === undefined) return;
    }
  }

  #label(reader: LineReader): boolean {
    if (reader.atEnd()) return false;
    const at = reader.at;
    const name = reader
      .take(/(?:[A-Za-z_.][\w.$]*|\d+)\s*:/)
      ?.slice(0, -1)
      .trim();
    if (name === undefined) return false;
    let key = name;
    if (/^\d/.test(name)) {
      const seen = (this.#numbered.get(name) ?? 0) + 1;
      this.#numbered.set(name, seen);
      key = `${name}#${seen}`;
    }
    if (this.#labels.has(key) || this.#constants.has(key))
      throw new SourceError(at, `there is a "${name}" already; give this one another name`);
    this.#labels.set(key, this.#items.length);
    return true;
  }

  #statement(reader: LineReader): void {
    const at = reader.at;
    const name = reader.name();
    if (name === undefined) throw new SourceError(at, 'an instruction, a directive or a label is missing here');
    if (reader.take(/=/) !== undefined) return this.#define(reader, name, at);
    if (name.startsWith('.')) return this.#directive(reader, name, at);
    const encoded = encode(name, at, reader.operands());
    if ('near' in encoded) this.#add(at, { bytes: [], gaps: [], jump: encoded, isNear: encoded.short === undefined });
    else this.#add(at, encoded);
  }

  #define(reader: LineReader, name: string, at: number): void {
    const value = reader.constant(-(1n << 63n), (1n << 64n) - 1n);
    reader.end();
    if (this.#labels.has(name)) throw new SourceError(at, `there is a label "${name}" already; use another name`);
    this.#constants.set(name, value);
  }

  #directive(reader: LineReader, name: string, at: number): void {
    const sizes: Readonly<Record<string, Gap['size']>> = { '.byte': 1, '.long': 4, '.quad': 8 };
    const size = sizes[name];
    if (size !== undefined) {
      do {
        const value = reader.expression();
        const gap: Gap = { at: 0, size, value, relative: false, signed: false };
        this.#add(value.at, { bytes: Array.from({ length: size }, () => 0), gaps: [gap] });
      } while (reader.take(/,/) !== undefined);
      return reader.end();
    }
    switch (name) {
      case '.ascii':
      case '.asciz': {
        const bytes = reader.string();
        this.#add(at, { bytes: name === '.asciz' ? [...bytes, 0] : bytes, gaps: [] });
        return reader.end();
      }
      case '.skip': {
        const count = Number(reader.constant(0n, BigInt(MAX_BYTES)));
        const fill = reader.take(/,/) === undefined ? 0n : reader.constant(0n, 255n);
        this.#add(at, { bytes: Array.from({ length: count }, () => Number(fill)), gaps: [] });
        return reader.end();
      }
      case '.equ':
      case '.set': {
        const constant = reader.name();
        if (constant === undefined) throw new SourceError(reader.at, 'the name of the constant is missing');
        reader.need(',', 'a comma and a number belong behind the name');
        return this.#define(reader, constant, at);
      }
      // There is one section, and every label may be seen.
      case '.globl':
      case '.global':
        reader.name();
        return reader.end();
      case '.text':
        return reader.end();
      default:
        throw new SourceError(
          at,
          `${name} is no directive of the lab; it knows .byte .long .quad .ascii .asciz .skip .equ`,
        );
    }
  }

  #add(at: number, item: Pick<Item, 'bytes' | 'gaps'> & Partial<Pick<Item, 'jump' | 'isNear'>>): void {
    this.#size += Math.max(item.bytes.length, 1);
    if (this.#size > MAX_BYTES)
      throw new SourceError(at, `the program has more than ${MAX_BYTES} bytes; make it smaller`);
    this.#items.push({ line: this.line, column: at, offset: 0, isNear: false, ...item });
  }

  /** Jumps begin short and grow until all reach; growing never makes another one short again. */
  #layOut(): void {
    for (let changed = true; changed;) {
      changed = false;
      let offset = 0;
      for (const item of this.#items) {
        item.offset = offset;
        offset += sizeOf(item);
      }
      this.#size = offset;
      for (const item of this.#items) {
        if (item.jump === undefined || item.isNear) continue;
        if (fitsSigned(this.#distance(item, item.jump.target), 8)) continue;
        item.isNear = true;
        changed = true;
      }
    }
  }

  #distance(item: Item, target: Expression): bigint {
    return this.#evaluate(target, item) - BigInt(this.#address + item.offset + sizeOf(item));
  }

  #evaluate({ number, plus, minus, at }: Expression, item: Item): bigint {
    this.line = item.line;
    return number + this.#addressOf(plus, at) - this.#addressOf(minus, at);
  }

  #addressOf(label: string | undefined, at: number): bigint {
    if (label === undefined) return 0n;
    const index = this.#labels.get(label);
    if (index === undefined) {
      const [name, numbered] = label.split('#');
      throw new SourceError(
        at,
        `there is no label "${name}"${numbered === undefined ? '' : ' on that side'}; write ${name}: before the line that it means`,
      );
    }
    return BigInt(this.#address + (this.#items[index]?.offset ?? this.#size));
  }

  #write(): Assembled {
    const bytes = new Uint8Array(this.#size);
    const lines: LineBytes[] = [];
    for (const item of this.#items) {
      const { offset } = item;
      const size = sizeOf(item);
      lines.push({ line: item.line, offset, length: size });
      if (item.jump !== undefined) {
        const opcode = item.isNear || item.jump.short === undefined ? item.jump.near : item.jump.short;
        bytes.set(opcode, offset);
        store(bytes, offset + opcode.length, size - opcode.length, this.#distance(item, item.jump.target));
        continue;
      }
      bytes.set(item.bytes, offset);
      for (const gap of item.gaps) this.#fill(bytes, item, gap);
    }
    const labels = new Map<string, number>();
    for (const [name, index] of this.#labels)
      if (!name.includes('#')) labels.set(name, this.#address + (this.#items[index]?.offset ?? this.#size));
    return { ok: true, bytes, address: this.#address, labels, lines };
  }

  #fill(bytes: Uint8Array, item: Item, gap: Gap): void {
    const value =
      gap.relative && gap.value.plus !== undefined ? this.#distance(item, gap.value) : this.#evaluate(gap.value, item);
    const bits = gap.size * 8;
    const unsigned = !gap.signed && value >= 0n && value < 1n << BigInt(bits);
    // An operand of four bytes may be written as if it had no sign.
    const wrapped = gap.size === 1 && gap.signed && value >= 0xffffff80n && value <= 0xffffffffn;
    if (!fitsSigned(value, bits) && !unsigned && !wrapped)
      throw new SourceError(gap.value.at, `${value} does not fit into ${bits} bits here; write a smaller number`);
    store(bytes, item.offset + gap.at, gap.size, value);
  }
}

function sizeOf(item: Item): number {
  if (item.jump === undefined) return item.bytes.length;
  if (item.isNear || item.jump.short === undefined) return item.jump.near.length + 4;
  return item.jump.short.length + 1;
}

function store(bytes: Uint8Array, at: number, size: number, value: bigint): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}
