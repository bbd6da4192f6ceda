// SPDX-License-Identifier: MIT
//
// Reads one statement in AT&T syntax, as GNU as takes it: names, numbers, expressions, strings, operands.

import { registerNamed } from './registers.ts';
import type { Register } from './registers.ts';
import { SourceError } from './source-error.ts';

/** A number, plus the address of a label, minus that of another. */
export interface Expression {
  readonly number: bigint;
  readonly plus?: string;
  readonly minus?: string;
  /** Offset in the line. */
  readonly at: number;
}

export interface MemoryReference {
  readonly displacement: Expression | undefined;
  readonly base: Register | undefined;
  readonly index: Register | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  readonly ripRelative: boolean;
}

export type Operand = { readonly at: number } & (
  | { readonly kind: 'register'; readonly register: Register }
  | { readonly kind: 'immediate'; readonly value: Expression }
  | { readonly kind: 'memory'; readonly memory: MemoryReference; readonly isPlain: boolean }
  /** `*…` of an indirect jump or call. */
  | { readonly kind: 'indirect'; readonly target: Operand }
);

const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, '0': 0, '\\': 92, '"': 34, "'": 39 };

/** A line, and how far it has been read. */
export class LineReader {
  readonly text: string;
  at: number;
  readonly #constants: ReadonlyMap<string, bigint>;
  /** Gives numbered labels their names: `1f` is the next `1:`. */
  readonly #numbered: (number: string, direction: 'b' | 'f') => string;

  constructor(
    text: string,
    at: number,
    constants: ReadonlyMap<string, bigint>,
    numbered: (number: string, direction: 'b' | 'f') => string,
  ) {
    this.text = text;
    this.at = at;
    this.#constants = constants;
    this.#numbered = numbered;
  }

  /** Skips blanks; true at the end of the statement, at `;` or at a comment. */
  atEnd(): boolean {
    this.#blanks();
    const c = this.text[this.at];
    return c === undefined || c === '#' || c === ';' || this.text.startsWith('//', this.at);
  }

  #blanks(): void {
    while (this.text[this.at] === ' ' || this.text[this.at] === '\t' || this.text[this.at] === '\r') this.at++;
  }

  /** Takes what the pattern matches here. */
  take(pattern: RegExp): string | undefined {
    this.#blanks();
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  need(text: string, why: string): void {
    this.#blanks();
    if (!this.text.startsWith(text, this.at)) throw new SourceError(this.at, why);
    this.at += text.length;
  }

  /** @throws SourceError when more follows */
  end(): void {
    if (!this.atEnd()) throw new SourceError(this.at, 'nothing more belongs here; begin a new line, or take it out');
  }

  name(): string | undefined {
    return this.take(/[A-Za-z_.][\w.$]*/);
  }

  operands(): Operand[] {
    const list: Operand[] = [];
    if (this.atEnd()) return list;
    do list.push(this.operand());
    while (this.take(/,/) !== undefined);
    this.end();
    return list;
  }

  operand(): Operand {
    this.#blanks();
    const at = this.at;
    if (this.take(/\*/) !== undefined) return { kind: 'indirect', target: this.operand(), at };
    if (this.take(/\$/) !== undefined) return { kind: 'immediate', value: this.expression(), at };
    if (this.text[this.at] === '%') return { kind: 'register', register: this.#register(), at };
    return this.#memory(at);
  }

  #register(): Register {
    const at = this.at;
    const name = this.take(/%[a-z0-9]+/);
    const register = name === undefined ? undefined : registerNamed(name.slice(1));
    if (register === undefined)
      throw new SourceError(at, `${name ?? '%'} is no register of the lab; write one such as %rax, %eax, %al or %r8d`);
    return register;
  }

  #memory(at: number): Operand {
    const displacement = this.#peek() === '(' ? undefined : this.expression();
    if (this.#peek() !== '(') {
      const memory: MemoryReference = { displacement, base: undefined, index: undefined, scale: 1, ripRelative: false };
      return { kind: 'memory', memory, isPlain: true, at };
    }
    this.need('(', '');
    if (this.take(/%rip/) !== undefined) {
      this.need(')', 'a parenthesis is open; write ) behind %rip');
      const memory: MemoryReference = { displacement, base: undefined, index: undefined, scale: 1, ripRelative: true };
      return { kind: 'memory', memory, isPlain: false, at };
    }
    const base = this.#peek() === ',' ? undefined : this.#addressRegister();
    let index: Register | undefined;
    let scale: 1 | 2 | 4 | 8 = 1;
    if (this.take(/,/) !== undefined) {
      const indexAt = this.at;
      index = this.#addressRegister();
      if (index.name === 'rsp') throw new SourceError(indexAt, '%rsp cannot be an index; write it as the base');
      if (this.take(/,/) !== undefined) {
        const digit = this.take(/[1248]\b/);
        if (digit === undefined) throw new SourceError(this.at, 'this is no scale; write 1, 2, 4 or 8');
        scale = digit === '8' ? 8 : digit === '4' ? 4 : digit === '2' ? 2 : 1;
      }
    }
    this.need(')', 'a parenthesis is open; write )');
    return { kind: 'memory', memory: { displacement, base, index, scale, ripRelative: false }, isPlain: false, at };
  }

  #addressRegister(): Register {
    this.#blanks();
    const at = this.at;
    const register = this.#register();
    if (register.width !== 8) throw new SourceError(at, `addresses have 64 bits; write a register such as %rax`);
    return register;
  }

  #peek(): string | undefined {
    this.#blanks();
    return this.text[this.at];
  }

  /** `label+5-other`, `0x60050`, `-1`, `'a'`. */
  expression(): Expression {
    this.#blanks();
    const at = this.at;
    let number = 0n;
    let plus: string | undefined;
    let minus: string | undefined;
    let sign = this.take(/[-+]/) === '-' ? -1n : 1n;
    for (;;) {
      const term = this.#term();
      if (typeof term === 'bigint') number += sign * term;
      else if (sign > 0n && plus === undefined) plus = term;
      else if (sign < 0n && minus === undefined) minus = term;
      else
        throw new SourceError(at, 'this is too much for one expression; write one label, minus another, plus a number');
      const next = this.take(/[-+]/);
      if (next === undefined) break;
      sign = next === '-' ? -1n : 1n;
    }
    return { number, at, ...(plus !== undefined && { plus }), ...(minus !== undefined && { minus }) };
  }

  /** An expression without labels. */
  constant(low: bigint, high: bigint): bigint {
    const { number, plus, minus, at } = this.expression();
    if (plus !== undefined || minus !== undefined)
      throw new SourceError(at, 'the address of a label cannot stand here; write a number');
    if (number < low || number > high)
      throw new SourceError(at, `${number} does not fit here; write a number from ${low} to ${high}`);
    return number;
  }

  #term(): bigint | string {
    this.#blanks();
    const at = this.at;
    const numbered = this.take(/\d+[bf]\b/);
    if (numbered !== undefined) {
      const direction = numbered.endsWith('f') ? 'f' : 'b';
      return this.#numbered(numbered.slice(0, -1), direction);
    }
    const number = this.take(/0[xX][0-9a-fA-F]+|\d+/);
    if (number !== undefined) {
      const value = /^0\d/.test(number) ? BigInt(`0o${number.slice(1)}`) : BigInt(number);
      if (value >= 1n << 64n) throw new SourceError(at, `${number} has more than 64 bits; write a smaller number`);
      return value;
    }
    if (this.take(/'/) !== undefined) {
      const c = this.#character("'");
      this.take(/'/);
      return BigInt(c);
    }
    const name = this.name();
    if (name === undefined)
      throw new SourceError(
        at,
        'a number, a label or a register is missing here; numbers of operands begin with $, registers with %',
      );
    return this.#constants.get(name) ?? name;
  }

  #character(quote: string): number {
    const at = this.at;
    const c = this.text[this.at++];
    if (c === undefined || c === quote) throw new SourceError(at, 'a character is missing; write one');
    if (c !== '\\') {
      const code = c.charCodeAt(0);
      if (code > 126) throw new SourceError(at, `"${c}" is not ASCII; write its bytes with .byte`);
      return code;
    }
    const escape = ESCAPES[this.text[this.at++] ?? ''];
    if (escape === undefined)
      throw new SourceError(at, 'this escape is not known; write one of \\n \\t \\r \\0 \\\\ \\"');
    return escape;
  }

  /** A string in double quotes, as bytes. */
  string(): number[] {
    this.need('"', 'a text in double quotes belongs here');
    const bytes: number[] = [];
    while (this.text[this.at] !== '"') {
      if (this.at >= this.text.length) throw new SourceError(this.at, 'the text has no end; write "');
      bytes.push(this.#character('"'));
    }
    this.at++;
    return bytes;
  }
}
