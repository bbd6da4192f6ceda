// SPDX-License-Identifier: MIT
//
// The page's verdict book is the one of VERDICTS.md.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { verdictData } from './verdict-data.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe("The page's verdict book", () => {
  it('is made of the book as it stands; npm run docs makes it anew', () => {
    expect(readFileSync(join(root, 'src/workshop/page/race/verdicts.json'), 'utf8')).toBe(verdictData(root));
  });

  it('fails in exactly the cells that fail in the book', () => {
    const book = readFileSync(join(root, 'src/race/VERDICTS.md'), 'utf8');
    const { tables } = JSON.parse(verdictData(root)) as {
      tables: { patch: string; protocol: string; cells: (number | null)[][] }[];
    };
    for (const { patch, protocol, cells } of tables) {
      const section = book.split(`### ${patch}, ${protocol}\n`)[1]?.trimStart().split('\n\n')[0] ?? '';
      const rows = section.split('\n').slice(2);
      expect(rows).toHaveLength(cells.length);
      const verdicts = rows.map((row) =>
        row
          .split('|')
          .slice(2, -1)
          .map((cell) => cell.trim()),
      );
      expect(cells.map((row) => row.map((cell) => (cell === null ? 'holds' : 'fails')))).toEqual(verdicts);
    }
  });
});
