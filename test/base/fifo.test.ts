// SPDX-License-Identifier: MIT

import { fc, it } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { Fifo } from '../../src/base/fifo.ts';

describe('a queue', () => {
  it.prop([fc.array(fc.option(fc.integer({ min: 0, max: 3000 }), { nil: null }), { maxLength: 60 })])(
    'gives back what an array would',
    (steps) => {
      const queue = new Fifo<number>();
      const model: number[] = [];
      let next = 0;
      for (const step of steps) {
        // A number puts so many in, null takes two thirds out.
        if (step !== null) {
          for (let i = 0; i < step; i++) {
            queue.push(next);
            model.push(next++);
          }
        } else for (let i = Math.ceil((model.length * 2) / 3); i > 0; i--) expect(queue.shift()).toBe(model.shift());
        expect(queue.length).toBe(model.length);
        expect(queue.at(0)).toBe(model[0]);
        expect(queue.at(model.length - 1)).toBe(model.at(-1));
      }
      expect([...queue]).toEqual(model);
    },
  );

  it('has nothing when it is empty', () => {
    const queue = new Fifo<string>();
    expect(queue.shift()).toBeUndefined();
    expect(queue.at(0)).toBeUndefined();
    queue.push('a');
    expect([queue.shift(), queue.shift(), queue.length]).toEqual(['a', undefined, 0]);
  });
});
