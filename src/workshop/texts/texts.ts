// SPDX-License-Identifier: MIT
//
// Every sentence of the workshop comes from one file per language through `t`. Recordings carry kinds and data;
// what is said about them is said here, so that another language is another JSON file.

import english from './en.json' with { type: 'json' };

/** What a sentence is filled with. */
export type TextData = Readonly<Record<string, string | number | undefined>>;

const TEXTS: Readonly<Record<string, string>> = english;

/** Whether there is a text of this name. */
export function hasText(key: string): boolean {
  return Object.hasOwn(TEXTS, key);
}

/**
 * The text named `key`, with `{name}` replaced by `data.name`. `{n|one|many}` chooses by the number `n`, and
 * `[a {name} b]` is left out when `name` is not there. A key that nobody wrote is shown as it is.
 */
export function t(key: string, data: TextData = {}): string {
  const text = TEXTS[key];
  if (text === undefined) return key;
  return text
    .replace(/\[([^[\]]*)\]/g, (whole, inner: string) => {
      const names = [...inner.matchAll(/\{(\w+)(?:\|[^{}]*)?\}/g)].map((match) => match[1] ?? '');
      if (names.length === 0) return whole;
      return names.every((name) => data[name] !== undefined) ? inner : '';
    })
    .replace(/\{(\w+)(?:\|([^{}|]*)\|([^{}|]*))?\}/g, (_whole, name: string, one?: string, many?: string) => {
      const value = data[name];
      if (one === undefined) return String(value ?? '');
      return Number(value) === 1 ? one : (many ?? '');
    });
}
