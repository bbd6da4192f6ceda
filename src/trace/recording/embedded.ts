// SPDX-License-Identifier: MIT
//
// How a recording lies in a page of its own: as the content of one script element. Small ones as JSON that cannot end
// the element, large ones deflated (RFC 1950) in base64.

/** The element in the viewer's template, empty. */
export const PLACEHOLDER = '<script type="application/json" id="trapline-recording"></script>';

/** Id of the element. */
export const ELEMENT_ID = 'trapline-recording';

/** Name and value of the attribute that says that the content is deflated. */
export const ENCODING_ATTRIBUTE = 'data-encoding';
export const DEFLATED = 'deflate';

/** Characters of JSON up to which it is readable as it is. */
const PLAIN_CHARACTERS = 200_000;

/** Compresses bytes as zlib does (RFC 1950). */
export type Deflate = (bytes: Uint8Array) => Uint8Array;

/**
 * JSON that may stand in a script element and in JavaScript: without `<`, which could end the element or open a comment, and
 * without line separators. It is the same JSON.
 */
export function scriptJson(json: string): string {
  return json.replace(/[<>\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The element with a recording in it. @param json of one recording or of a set */
export function embeddedElement(json: string, deflate: Deflate): string {
  if (json.length <= PLAIN_CHARACTERS) return PLACEHOLDER.replace('></', () => `>${scriptJson(json)}</`);
  const bytes = deflate(new TextEncoder().encode(json));
  return PLACEHOLDER.replace('></', () => ` ${ENCODING_ATTRIBUTE}="${DEFLATED}">${toBase64(bytes)}</`);
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648, with padding. */
export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3);
    const word = (a << 16) | (b << 8) | c;
    const digit = (shift: number): string => DIGITS[(word >> shift) & 63] ?? '';
    const left = bytes.length - i;
    parts.push(digit(18), digit(12), left > 1 ? digit(6) : '=', left > 2 ? digit(0) : '=');
  }
  return parts.join('');
}

/**
 * Bytes of base64 text.
 * @throws RangeError where it is none
 */
export function fromBase64(text: string): Uint8Array {
  const digits = text.trim();
  if (digits.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) throw new RangeError('this is no base64');
  const padding = digits.endsWith('==') ? 2 : digits.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((digits.length / 4) * 3 - padding);
  const values = new Uint8Array(128);
  for (let i = 0; i < DIGITS.length; i++) values[DIGITS.charCodeAt(i)] = i;
  for (let i = 0, out = 0; i < digits.length; i += 4) {
    let word = 0;
    for (let k = 0; k < 4; k++) word = (word << 6) | (values[digits.charCodeAt(i + k)] ?? 0);
    for (let shift = 16; shift >= 0 && out < bytes.length; shift -= 8) bytes[out++] = (word >> shift) & 0xff;
  }
  return bytes;
}
