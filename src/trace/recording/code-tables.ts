// SPDX-License-Identifier: MIT
//
// The disassembly in a recording, made while it is recorded: each text once, each content of a region and of a site
// once. The key picture of rewriters.md 5.2 is made here: how a site decodes from every entry offset.

import { toHex } from '../../base/bytes.ts';
import { MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import { MOV_EAX_IMM32, SITE_BYTES, SYSCALL_OFFSET } from '../../isa/syscall-site.ts';
import type { Decode, EntryDecode, InstructionRow, Listing, Meaning } from './format.ts';

/** The part of isa/disassembler.ts that is used. */
export interface CodeReader {
  disassemble(
    code: Uint8Array,
    address: number,
    limit?: number,
  ): readonly { readonly bytes: Uint8Array; readonly text: string; readonly isValid: boolean }[];
}

/** `jmp *disp32` without base: what a patched site begins with. */
const JUMP = [0xff, 0x24, 0x25];
/** Rows of one listing at most: a region is small. */
const MOST_ROWS = 512;

interface Instruction {
  readonly length: number;
  readonly text: string;
  readonly isValid: boolean;
  readonly isCut: boolean;
}

/** Collects texts, listings and decodes. */
export class CodeTables {
  readonly texts: string[] = [];
  readonly listings: Listing[] = [];
  readonly decodes: Decode[] = [];
  readonly #code: CodeReader;
  readonly #byText = new Map<string, number>();
  readonly #known = new Set<string>();
  readonly #instructions = new Map<string, Instruction>();

  constructor(code: CodeReader) {
    this.#code = code;
  }

  /** Index of a text in `texts`. */
  text(text: string): number {
    let index = this.#byText.get(text);
    if (index === undefined) {
      index = this.texts.push(text) - 1;
      this.#byText.set(text, index);
    }
    return index;
  }

  /** The instruction at the start of `bytes`: index of its text, and its length; 1 where they are none. */
  instruction(bytes: Uint8Array, address: number): { readonly text: number; readonly length: number } {
    const { text, length } = this.#at(bytes, 0, address);
    return { text: this.text(text), length };
  }

  /**
   * Takes down how a content of a region disassembles, unless that is known.
   * @param boundaries offsets in it where an instruction begins for certain, ascending; the decode starts anew at each
   */
  addListing(region: number, bytes: Uint8Array, address: number, boundaries: readonly number[] = []): void {
    const key = `r${region}:${toHex(bytes)}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    const rows: InstructionRow[] = [];
    const starts = [...new Set([0, ...boundaries.filter((b) => b > 0 && b < bytes.length)])];
    for (const [i, start] of starts.entries()) {
      const end = starts[i + 1] ?? bytes.length;
      for (let at = start; at < end && rows.length < MOST_ROWS;) {
        const { length, text } = this.#at(bytes, at, address + at);
        rows.push([at, length, this.text(text)]);
        at += length;
      }
    }
    this.listings.push({ region, bytes: toHex(bytes), rows });
  }

  /**
   * The same for a slot of the trap table: a pointer to its own code, then the code.
   * @param codeEnd offset behind its code
   */
  addSlot(region: number, bytes: Uint8Array, address: number, codeStart: number, codeEnd: number): void {
    const key = `r${region}:${toHex(bytes)}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    const pointer = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    const rows: InstructionRow[] = [[0, codeStart, this.text(`.quad 0x${pointer.toString(16)}`)]];
    for (let at = codeStart; at < codeEnd;) {
      const { length, text } = this.#at(bytes, at, address + at);
      rows.push([at, length, this.text(text)]);
      at += length;
    }
    this.listings.push({ region, bytes: toHex(bytes), rows });
  }

  /**
   * Takes down how a content of a site decodes from +0 … +6, unless that is known.
   * @param bytes from the site's first on, DECODE_BYTES of them or as far as memory goes
   * @param before the program's own
   */
  addDecode(site: number, bytes: Uint8Array, before: Uint8Array, address: number): void {
    const key = `s${site}:${toHex(bytes)}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    const entries: EntryDecode[] = [];
    for (let offset = 0; offset < SITE_BYTES && offset < bytes.length; offset++) {
      const rows: InstructionRow[] = [];
      for (let at = offset; at < SITE_BYTES && at < bytes.length;) {
        const { length, text, isValid } = this.#at(bytes, at, address + at);
        rows.push([at, length, this.text(text)]);
        at += length;
        // A processor comes no further.
        if (!isValid) break;
      }
      entries.push({ offset, meaning: this.#meaning(bytes, before, rows, address), rows });
    }
    this.decodes.push({ site, bytes: toHex(bytes), entries });
  }

  #meaning(bytes: Uint8Array, before: Uint8Array, rows: readonly InstructionRow[], address: number): Meaning {
    const first = rows[0]?.[0] ?? 0;
    const last = rows.at(-1) ?? [0, 0, 0];
    const end = last[0] + last[1];
    if (rows.every((row) => this.#isAsBefore(bytes, before, row, address))) return 'as-before';
    if (this.#at(bytes, last[0], address + last[0]).isCut) return 'cut';
    if (first === 0 && JUMP.every((b, i) => bytes[i] === b)) return 'jump';
    const reachesGuard = last[0] === SYSCALL_OFFSET && !this.#at(bytes, last[0], address + last[0]).isValid;
    const loads = ([at]: InstructionRow): boolean => at === 0 && bytes[0] === MOV_EAX_IMM32;
    if (reachesGuard && rows.slice(0, -1).every(loads)) return 'guard';
    return rows.length === 1 && end - first === 1 && !this.#at(bytes, first, address + first).isValid
      ? 'no-instruction'
      : 'other';
  }

  #isAsBefore(bytes: Uint8Array, before: Uint8Array, [at, length]: InstructionRow, address: number): boolean {
    const was = this.#at(before, at, address + at);
    const now = this.#at(bytes, at, address + at);
    if (was.length !== length || was.isCut !== now.isCut) return false;
    for (let i = at; i < at + length; i++) if (bytes[i] !== before[i]) return false;
    return true;
  }

  #at(bytes: Uint8Array, at: number, address: number): Instruction {
    const code = bytes.slice(at, at + MAX_INSTRUCTION_BYTES);
    const key = `${address}:${toHex(code)}`;
    let known = this.#instructions.get(key);
    if (known === undefined) {
      known = this.#decode(code, address);
      this.#instructions.set(key, known);
    }
    return known;
  }

  #decode(code: Uint8Array, address: number): Instruction {
    const [first] = this.#code.disassemble(code, address, 1);
    if (first?.isValid === true) return { ...first, length: first.bytes.length, isCut: false };
    const whole = new Uint8Array(MAX_INSTRUCTION_BYTES);
    whole.set(code);
    const isCut = code.length < whole.length && this.#code.disassemble(whole, address, 1)[0]?.isValid === true;
    return { length: 1, text: '(bad)', isValid: false, isCut };
  }
}
