// SPDX-License-Identifier: MIT
//
// Contents of pages, each kept once: equal pages are the same object, so states that differ in one page share the
// others and are compared by number. Never written to.

import { PAGE_SIZE } from '../../base/addr.ts';

/** A page as a state has it. */
export interface PageContent {
  readonly id: number;
  readonly bytes: Uint8Array;
}

function hashPage(words: Uint32Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < words.length; i++) h = Math.imul(h ^ (words[i] as number), 0x01000193) ^ (h >>> 15);
  return h;
}

function sameWords(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, PAGE_SIZE / 4);
}

/** All contents met so far. */
export class PageContents {
  readonly #byHash = new Map<number, PageContent[]>();
  #count = 0;

  /** The content equal to `bytes`, 4 KiB at a multiple of four. They are copied when they are new. */
  of(bytes: Uint8Array): PageContent {
    const words = wordsOf(bytes);
    const hash = hashPage(words);
    let same = this.#byHash.get(hash);
    if (same === undefined) {
      same = [];
      this.#byHash.set(hash, same);
    }
    const known = same.find((content) => sameWords(wordsOf(content.bytes), words));
    if (known !== undefined) return known;
    const content = { id: this.#count++, bytes: bytes.slice() };
    same.push(content);
    return content;
  }

  /** `page` with some bytes replaced. */
  with(page: PageContent, offset: number, bytes: Uint8Array): PageContent {
    const copy = page.bytes.slice();
    copy.set(bytes, offset);
    return this.of(copy);
  }

  /** The same for the same bytes wherever they were met. */
  fingerprint(page: PageContent): string {
    return hashPage(wordsOf(page.bytes)).toString(16);
  }

  isSame(page: PageContent, bytes: Uint8Array): boolean {
    return sameWords(wordsOf(page.bytes), wordsOf(bytes));
  }
}
