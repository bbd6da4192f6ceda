// SPDX-License-Identifier: MIT
//
// Errors as answers: a reason and a sentence, never a stack or a path of this machine.

import { TraplineError } from '../../base/errors.ts';
import type { Failed, FailureReason } from '../api.ts';

/** Codes of errors that the request is to blame for. */
const REQUEST_CODES = /^(API_REQUEST|LAB_|RACE_|RUN_NOT_EXECUTABLE)/;

/** What a student is told of an error. */
export function failureOf(error: unknown): Failed {
  if (!(error instanceof TraplineError) || error.code === 'INVARIANT') {
    return { reason: 'failed', sentence: 'Trapline failed at this job, which is a mistake of ours; others go on.' };
  }
  if (error.code === 'LAB_CODE') return { reason: 'code', sentence: error.message, ...placeOf(error.cause) };
  const reason: FailureReason = REQUEST_CODES.test(error.code) ? 'request' : 'failed';
  return { reason, sentence: error.message };
}

/** Line and column, where the assembler says them. */
function placeOf(cause: unknown): { line?: number; column?: number } {
  if (typeof cause !== 'object' || cause === null) return {};
  const { line, column } = cause as { line?: unknown; column?: unknown };
  return typeof line === 'number' && typeof column === 'number' ? { line, column } : {};
}
