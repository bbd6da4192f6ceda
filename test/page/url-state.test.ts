// SPDX-License-Identifier: MIT
//
// Links: what the fragment of the address carries.

import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { PANES } from '../../src/workshop/page/viewer/pane-names.ts';
import { formatUrlState, parseUrlState } from '../../src/workshop/page/viewer/url-state.ts';

const name = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' });
const number = fc.integer({ min: 1, max: 999_999_999 });

describe('A link', () => {
  test.prop([
    fc.record(
      {
        recording: name,
        lesson: name,
        column: name,
        race: name,
        index: number,
        moment: number,
        site: number,
        panes: fc.subarray([...PANES], { minLength: 1 }),
        tasks: name,
        machine: name,
      },
      { requiredKeys: [] },
    ),
  ])('carries every state there and back', (state) => {
    expect(parseUrlState(formatUrlState(state))).toEqual(state);
  });

  test.prop([fc.string()])('that is damaged is read as far as it can be, and never throws', (text) => {
    expect(parseUrlState(`#s=v1;${text}`)).toBeTypeOf('object');
    expect(parseUrlState(text)).toBeTypeOf('object');
  });

  it('of another version opens the page as it is', () => {
    expect(parseUrlState('#s=v2;rec=trap;m=3')).toEqual({});
  });

  it('names panes that there are, and no pane twice', () => {
    expect(parseUrlState('#s=v1;panes=tasks,nonsense,tasks,site').panes).toEqual(['tasks', 'site']);
    expect(parseUrlState('#s=v1;panes=nonsense').panes).toBeUndefined();
  });
});
