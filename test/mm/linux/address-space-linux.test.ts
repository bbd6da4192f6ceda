// SPDX-License-Identifier: MIT
//
// The mmap family against what Linux 6.18 answered to the same calls (transcripts.txt, see memory-calls.c).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { play, scriptOf } from './transcript.ts';

const text = readFileSync(new URL('./transcripts.txt', import.meta.url), 'utf8');
const transcripts = text
  .trimEnd()
  .split(/^new\n/m)
  .slice(1)
  .map((part) => part.trimEnd().split('\n'));

describe('AddressSpace against Linux', () => {
  it('has transcripts to compare with', () => {
    expect(transcripts.length).toBeGreaterThan(50);
  });

  it.each(transcripts.map((transcript, i) => [i, transcript] as const))(
    'answers script %i as Linux did',
    (_i, transcript) => {
      expect(play(scriptOf(transcript))).toEqual(transcript);
    },
  );
});
