// SPDX-License-Identifier: MIT
//
// A mistake in how the tool was called: one line for the user, never a stack trace.

import { ExitStatus } from './exit-status.ts';

/** What was wrong, where, and what to do about it; and the status to exit with. */
export class UsageError extends Error {
  readonly status: number;

  constructor(message: string, status: number = ExitStatus.traplineFailed) {
    super(message);
    this.name = 'UsageError';
    this.status = status;
  }
}
