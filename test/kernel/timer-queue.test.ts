// SPDX-License-Identifier: MIT

import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { Timer, TimerQueue } from '../../src/kernel/timer-queue.ts';

describe('TimerQueue', () => {
  it('fires in the order of deadlines, and equal ones in the order in which they were set', () => {
    const queue = new TimerQueue();
    const fired: string[] = [];
    const timer = (name: string): Timer => new Timer({ expired: () => fired.push(name) });
    queue.set(timer('late'), 30);
    queue.set(timer('first'), 10);
    queue.set(timer('second'), 10);
    queue.set(timer('never'), 31);
    queue.fireDue(30);
    expect(fired).toEqual(['first', 'second', 'late']);
    expect(queue.next()).toBe(31);
  });

  it('fires a timer that another one sets when it is due already', () => {
    const queue = new TimerQueue();
    const fired: number[] = [];
    const second = new Timer({ expired: () => fired.push(2) });
    queue.set(
      new Timer({
        expired: () => {
          fired.push(1);
          queue.set(second, 5);
        },
      }),
      10,
    );
    queue.fireDue(10);
    expect(fired).toEqual([1, 2]);
    expect(queue.next()).toBe(Infinity);
  });

  it.each([10, 2 ** 40, 2 ** 60, 2 ** 63])('fires a timer that sets itself once, at %d', (now) => {
    const queue = new TimerQueue();
    let fired = 0;
    const timer = new Timer({
      expired: () => {
        fired++;
        queue.set(timer, timer.deadline + 1 / 4096);
      },
    });
    queue.set(timer, now);
    queue.fireDue(now);
    expect(fired).toBe(1);
    expect(queue.next()).toBeGreaterThan(now);
  });

  const step = fc.record({ timer: fc.nat(9), deadline: fc.option(fc.nat(50), { nil: undefined }) });
  test.prop([fc.array(step, { maxLength: 60 })])(
    'agrees with a sorted list, whatever is set and cancelled',
    (steps) => {
      const queue = new TimerQueue();
      const fired: number[] = [];
      const timers = Array.from({ length: 10 }, (_, i) => new Timer({ expired: () => fired.push(i) }));
      let model: { id: number; deadline: number }[] = [];
      for (const { timer: id, deadline } of steps) {
        const timer = timers[id] as Timer;
        model = model.filter((entry) => entry.id !== id);
        if (deadline === undefined) queue.cancel(timer);
        else {
          queue.set(timer, deadline);
          model.push({ id, deadline });
        }
        expect(queue.size).toBe(model.length);
      }
      // Array.sort is stable: equal deadlines keep the order of setting.
      model.sort((a, b) => a.deadline - b.deadline);
      queue.fireDue(25);
      expect(fired).toEqual(model.filter((entry) => entry.deadline <= 25).map((entry) => entry.id));
      queue.fireDue(Infinity);
      expect(fired).toEqual(model.map((entry) => entry.id));
    },
  );
});
