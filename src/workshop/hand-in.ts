// SPDX-License-Identifier: MIT
//
// The line of text that a student hands in: lesson, steps, time, name, and a check. Signed by a class's server, or with a
// checksum that finds typing errors and nothing else. Pure: the page uses it, too. TEACHING.md says what each proves.
//   TL1 patch-by-hand 3/3 42 310 2026-11-23T17:40:00Z Ada%20Lovelace s:4uJ…

import { utf8 } from '../base/bytes.ts';

/** What a line says. */
export interface HandIn {
  /** Id of the lesson. */
  readonly lesson: string;
  /** Tasks of it with a right answer. A server has judged each of them itself; without one, the page says so. */
  readonly done: number;
  /** All tasks of it. */
  readonly tasks: number;
  /** Steps that the student made in it. */
  readonly steps: number;
  /** From opening the lesson to its goal. */
  readonly seconds: number;
  /** When it was handed in, UTC to the second: `2026-11-23T17:40:00Z`. By the clock of whoever made the check. */
  readonly at: string;
  readonly name: string;
}

/**
 * What kind of check a line carries: `s` is an HMAC-SHA-256 with the class's key, 128 bits of it in base64url; `c` a
 * checksum that everybody can make.
 */
export type HandInCheck = { readonly kind: 's' | 'c'; readonly value: string };

export interface ParsedHandIn {
  readonly handIn: HandIn;
  readonly check: HandInCheck;
  /** Everything before the check: what is signed. */
  readonly text: string;
}

/** What a check of one line found. */
export type HandInVerdict =
  | { readonly verdict: 'signed' | 'checksum'; readonly handIn: HandIn }
  /** It was changed, or another key signed it. */
  | { readonly verdict: 'wrong'; readonly handIn: HandIn }
  /** It is signed, and there is no key here to check it with. */
  | { readonly verdict: 'no-key'; readonly handIn: HandIn }
  | { readonly verdict: 'unreadable' };

const VERSION = 'TL1';
export const MAX_HAND_IN = 1200;

/** The part of a line that is checked. */
export function handInText({ lesson, done, tasks, steps, seconds, at, name }: HandIn): string {
  return [VERSION, lesson, `${done}/${tasks}`, steps, seconds, at, encodeURIComponent(name)].join(' ');
}

/** A whole line. */
export function handInLine(handIn: HandIn, check: HandInCheck): string {
  return `${handInText(handIn)} ${check.kind}:${check.value}`;
}

/** Reads a line; undefined when it is none. White space around it and between its parts may differ. */
export function parseHandIn(line: string): ParsedHandIn | undefined {
  if (line.length > MAX_HAND_IN) return undefined;
  const parts = line.trim().split(/\s+/);
  const [version, lesson = '', share = '', steps = '', seconds = '', at = '', name = '', check = ''] = parts;
  const [, kind, value = ''] = /^([sc]):([A-Za-z0-9_-]+)$/.exec(check) ?? [];
  const [, done, tasks] = /^(\d{1,3})\/(\d{1,3})$/.exec(share) ?? [];
  if (
    done === undefined ||
    tasks === undefined ||
    parts.length !== 8 ||
    version !== VERSION ||
    (kind !== 's' && kind !== 'c')
  )
    return undefined;
  if (!/^[a-z0-9-]{1,64}$/.test(lesson) || !/^\d{1,9}$/.test(steps) || !/^\d{1,8}$/.test(seconds)) return undefined;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(at)) return undefined;
  let decoded: string;
  try {
    decoded = decodeURIComponent(name);
  } catch {
    return undefined;
  }
  const handIn = {
    lesson,
    done: Number(done),
    tasks: Number(tasks),
    steps: Number(steps),
    seconds: Number(seconds),
    at,
    name: decoded,
  };
  return { handIn, check: { kind, value }, text: parts.slice(0, 7).join(' ') };
}

/** CRC-32 (IEEE 802.3) of the text as eight hex digits: finds typing errors, proves nothing. */
export function handInChecksum(text: string): string {
  let crc = 0xffffffff;
  for (const byte of utf8(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, '0');
}

/** A line without a server: everybody could have made it. */
export function checkedLine(handIn: HandIn): string {
  return handInLine(handIn, { kind: 'c', value: handInChecksum(handInText(handIn)) });
}

/**
 * Checks one line.
 * @param isSigned whether a signature is right; undefined where there is no key
 */
export function checkHandIn(
  line: string,
  isSigned: ((signature: string, text: string) => boolean) | undefined,
): HandInVerdict {
  const parsed = parseHandIn(line);
  if (parsed === undefined) return { verdict: 'unreadable' };
  const { handIn, check, text } = parsed;
  if (check.kind === 'c') return { verdict: check.value === handInChecksum(text) ? 'checksum' : 'wrong', handIn };
  if (isSigned === undefined) return { verdict: 'no-key', handIn };
  return { verdict: isSigned(check.value, text) ? 'signed' : 'wrong', handIn };
}
