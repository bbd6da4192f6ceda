// SPDX-License-Identifier: MIT
//
// Guest bytes as strace quotes them: C escapes, octal for the rest, `...` after the limit.

/** Characters shown of buffers and strings that are no paths. */
export const STRING_LIMIT = 32;

const ESCAPES: Readonly<Record<number, string>> = {
  0x22: '\\"',
  0x5c: '\\\\',
  0x0a: '\\n',
  0x09: '\\t',
  0x0d: '\\r',
  0x0c: '\\f',
  0x0b: '\\v',
};

/** The bytes between quotes. */
export function quote(bytes: Uint8Array): string {
  let out = '"';
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i] as number;
    const escape = ESCAPES[c];
    if (escape !== undefined) {
      out += escape;
    } else if (c >= 0x20 && c < 0x7f) {
      out += String.fromCharCode(c);
    } else {
      const next = bytes[i + 1];
      const digitFollows = next !== undefined && next >= 0x30 && next <= 0x37;
      out += '\\' + (digitFollows ? c.toString(8).padStart(3, '0') : c.toString(8));
    }
  }
  return out + '"';
}

/** Every byte as `\x41`: how random bytes are shown. */
export function quoteHex(bytes: Uint8Array): string {
  let out = '"';
  for (const c of bytes) out += '\\x' + c.toString(16).padStart(2, '0');
  return out + '"';
}
