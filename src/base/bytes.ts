// SPDX-License-Identifier: MIT
//
// Little-endian access and hex text for byte arrays.

const encoder = new TextEncoder();
const utf16 = new TextDecoder('utf-16le');

/** Bytes of a string in UTF-8, without a terminator. */
export function utf8(s: string): Uint8Array {
  return encoder.encode(s);
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Two hex digits per byte, joined by `separator`. */
export function toHex(bytes: Uint8Array, separator = ''): string {
  let out = '';
  for (let i = 0; i < bytes.length; i++) {
    if (i > 0) out += separator;
    out += HEX[bytes[i] ?? 0] ?? '';
  }
  return out;
}

/**
 * Bytes from hex digits; white space is ignored.
 * @throws RangeError if what is left is not an even number of hex digits.
 */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) {
    throw new RangeError(`not an even number of hex digits: "${text}"`);
  }
  const out = new Uint8Array(digits.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** Text of bytes as Latin-1, one character a byte: keeps guest strings that are not UTF-8 intact. */
export function fromLatin1(bytes: Uint8Array): string {
  if (bytes.length < 32) {
    let out = '';
    for (const b of bytes) out += String.fromCharCode(b);
    return out;
  }
  // Not TextDecoder('latin1'): that is windows-1252, which maps 0x80 to 0x9f elsewhere.
  return utf16.decode(new Uint16Array(bytes));
}

/** Bytes of a Latin-1 string: the inverse of fromLatin1. */
export function latin1Bytes(s: string): Uint8Array {
  const out = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) out[i] = s.charCodeAt(i);
  return out;
}

/** A DataView over exactly the bytes of `a`. */
export function viewOf(a: Uint8Array): DataView {
  return new DataView(a.buffer, a.byteOffset, a.byteLength);
}
