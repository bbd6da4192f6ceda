// SPDX-License-Identifier: MIT
//
// Where a text stops being JSON (RFC 8259). JSON.parse says so only in some engines and for some mistakes.

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const STRING = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const WORD = /true|false|null/y;
const BLANK = /[ \t\n\r]*/y;
const MOST_DEPTH = 200;

/** Offset of the first character that is wrong; undefined for JSON. */
export function jsonErrorAt(text: string): number | undefined {
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at += found[0].length;
    return found !== null;
  };
  const next = (): string | undefined => {
    take(BLANK);
    return text[at];
  };
  const list = (end: string, item: () => boolean): boolean => {
    at++;
    if (next() === end) {
      at++;
      return true;
    }
    for (;;) {
      if (!item()) return false;
      const c = next();
      if (c !== ',' && c !== end) return false;
      at++;
      if (c === end) return true;
    }
  };
  const value = (depth: number): boolean => {
    const c = next();
    if (depth > MOST_DEPTH) return false;
    if (c === '[') return list(']', () => value(depth + 1));
    if (c !== '{') return take(STRING) || take(WORD) || take(NUMBER);
    return list('}', () => {
      next();
      if (!take(STRING) || next() !== ':') return false;
      at++;
      return value(depth + 1);
    });
  };
  if (value(0) && next() === undefined) return undefined;
  return at;
}
