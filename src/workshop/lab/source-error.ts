// SPDX-License-Identifier: MIT
//
// What is wrong with a line of assembly, where, and what to do about it.

/** Line and column count from 1. */
export interface SourceErrorPlace {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Thrown and caught within the assembler. */
export class SourceError extends Error {
  /** Offset in the line. */
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}
