// SPDX-License-Identifier: MIT
//
// The class's key: signs what students hand in, and checks it. It never leaves the server. HMAC-SHA-256, RFC 2104.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { TraplineError, reason } from '../../base/errors.ts';
import { checkHandIn, handInLine, handInText } from '../hand-in.ts';
import type { HandIn, HandInVerdict } from '../hand-in.ts';

const KEY_BYTES = 32;
const LEAST_BYTES = 16;
/** 128 bits of the MAC. */
const SIGNATURE_CHARACTERS = 22;

export class ClassKey {
  readonly #key: Uint8Array;

  /** @param key secret bytes */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  sign(handIn: HandIn): string {
    return handInLine(handIn, { kind: 's', value: this.#mac(handInText(handIn)) });
  }

  /** Checks one line of text. */
  check(line: string): HandInVerdict {
    return checkHandIn(line, (value, text) => this.#isSignatureOf(value, text));
  }

  #isSignatureOf(value: string, text: string): boolean {
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
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' || !creates)
      throw new TraplineError('WORKSHOP_KEY', `the class key ${path} cannot be read: ${reason(error)}`);
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
    throw new TraplineError('WORKSHOP_KEY', `the class key ${path} cannot be written: ${reason(error)}`);
  }
  return text;
}
