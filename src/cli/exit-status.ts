// SPDX-License-Identifier: MIT
//
// Exit statuses of the tool, in the habit of timeout(1) and of shells.

export const ExitStatus = {
  /** Not all was done: an exploration that did not see everything, an export without pictures. */
  incomplete: 3,
  /** A limit (time or instructions) ended the run. */
  limitReached: 124,
  /** Trapline failed, or was called wrongly. */
  traplineFailed: 125,
  /** The program was found but cannot be executed. */
  notExecutable: 126,
  notFound: 127,
  /** Added to the number of the signal that ended the guest or the tool. */
  signalBase: 128,
} as const;
