// SPDX-License-Identifier: MIT
//
// Errors of Trapline itself: bugs and host failures. What a guest sees is never an exception but a
// negative errno or a signal; expected outcomes are discriminated unions.

/** A failure of Trapline or of its host, with a code that stays the same between versions. */
export class TraplineError extends Error {
  readonly code: string;

  /**
   * @param code stable, upper case, prefixed by its part: `CPU_…`, `MM_…`, `ELF_…`, `CLI_…`
   * @param message what failed, where, and what to do
   */
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TraplineError';
    this.code = code;
  }
}

/**
 * A claim that only a bug can break; checked in every build.
 * @throws TraplineError `INVARIANT`
 */
export function invariant(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new TraplineError('INVARIANT', `internal error: ${message()}`);
}

/** Why the host refused something: its message without code, system call and path (`ENOENT: …, open '/x'`). */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/^[A-Z0-9]+: /, '').replace(/, \w+( '.*')?( -> '.*')?$/, '');
}
