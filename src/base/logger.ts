// SPDX-License-Identifier: MIT
//
// What the core says to people beside results and errors. The command line connects it to pino.

/** Messages of one run; whole sentences, no newline. */
export interface Logger {
  /** Something that a user should know: an unknown syscall, a limit that ended the run. */
  warn(message: string): void;
  /** Something that helps to understand a run. */
  debug(message: string): void;
}

/** Says nothing. */
export const SILENT_LOGGER: Logger = {
  warn() {},
  debug() {},
};
