// SPDX-License-Identifier: MIT
//
// The class's key: signs what students hand in, and checks it. It never leaves the server. HMAC-SHA-256, RFC 2104.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { TraplineError } from '../../base/errors.ts';
import { handInChecksum, handInLine, handInText, parseHandIn } from '../hand-in.ts';
import type { HandIn, ParsedHandIn } from '../hand-in.ts';

const KEY_BYTES = 32;
const LEAST_BYTES = 16;
/** 128 bits of the MAC. */
const SIGNATURE_CHARACTERS = 22;

/** What a check of one line found. */
export type HandInVerdict =
  | { readonly verdict: 'signed' | 'checksum'; readonly handIn: HandIn }
  /** It was changed, or another key signed it. */
  | { readonly verdict: 'wrong'; readonly handIn: HandIn }
  /** It is signed, and there is no key here to check it with. */
  | { readonly verdict: 'no-key'; readonly handIn: HandIn }
  | { readonly verdict: 'unreadable' };

export class ClassKey {
  readonly #key: Uint8Array;

  /** @param key secret bytes */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  sign(handIn: HandIn): string {
    return handInLine(handIn, { kind: 's', value: this.#mac(handInText(handIn)) });
  }

  isSignatureOf(value: string, text: string): boolean {
    const expected = Buffer.from(this.#mac(text));
    const given = Buffer.from(value);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #mac(text: string): string {
    // The prefix keeps a signature for one purpose from being one for another.
    return createHmac('sha256', this.#key)
      .update(`trapline hand-in\n${text}`)
      .digest('base64url')
      .slice(0, SIGNATURE_CHARACTERS);
  }
}

/**
 * Reads the key's file: any bytes, at least 16 of them.
 * @param creates makes the file, with a new key, when there is none
 * @throws TraplineError `WORKSHOP_KEY`
 */
export function readClassKey(path: string, creates: boolean): { readonly key: ClassKey; readonly isNew: boolean } {
  try {
    const bytes = readFileSync(path);
    if (bytes.toString('latin1').trim().length < LEAST_BYTES) {
      throw new TraplineError('WORKSHOP_KEY', `${path} holds no class key: it must have at least ${LEAST_BYTES} bytes`);
    }
    return { key: new ClassKey(bytes), isNew: false };
  } catch (error) {
    if (error instanceof TraplineError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' || !creates)
      throw new TraplineError('WORKSHOP_KEY', `the class key cannot be read: ${message}`);
  }
  return { key: new ClassKey(makeKeyFile(path)), isNew: true };
}

/** Readable by its owner only; fails rather than replacing a file that has appeared meanwhile. */
function makeKeyFile(path: string): Uint8Array {
  const text = Buffer.from(`${randomBytes(KEY_BYTES).toString('hex')}\n`);
  try {
    const fd = openSync(path, 'wx', 0o600);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new TraplineError('WORKSHOP_KEY', `the class key cannot be written: ${(error as Error).message}`);
  }
  return text;
}

/** Checks one line. */
export function checkHandIn(line: string, key: ClassKey | undefined): HandInVerdict {
  const parsed = parseHandIn(line);
  return parsed === undefined ? { verdict: 'unreadable' } : { verdict: verdictOf(parsed, key), handIn: parsed.handIn };
}

function verdictOf(
  { check, text }: ParsedHandIn,
  key: ClassKey | undefined,
): Exclude<HandInVerdict['verdict'], 'unreadable'> {
  if (check.kind === 'c') return check.value === handInChecksum(text) ? 'checksum' : 'wrong';
  if (key === undefined) return 'no-key';
  return key.isSignatureOf(check.value, text) ? 'signed' : 'wrong';
}
