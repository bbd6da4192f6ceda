// SPDX-License-Identifier: MIT
//
// A performer of usertrap's steps over a few byte ranges: what an address space is to the protocol, without
// page tables. Records the steps.

import type { Step, StepPerformer, StepResult } from '../../src/usertrap/steps.ts';
import { TABLE_BYTES } from '../../src/usertrap/layout.ts';

interface Area {
  start: number;
  bytes: Uint8Array;
  readable: boolean;
  writable: boolean;
  shared: boolean;
  isTable: boolean;
}

export class FlatSpace implements StepPerformer {
  readonly areas: Area[] = [];
  readonly steps: Step[] = [];
  next = 0;
  base = 0;
  tracees = 0;
  readonly freed: number[] = [];
  /** What `random` gives. */
  random = 0;
  locked: 'no' | 'shared' | 'exclusive' = 'no';

  map(start: number, length: number, options: Partial<Omit<Area, 'start' | 'bytes'>> = {}): Area {
    const area: Area = {
      start,
      bytes: new Uint8Array(length),
      readable: true,
      writable: true,
      shared: false,
      isTable: false,
      ...options,
    };
    this.areas.unshift(area);
    return area;
  }

  at(address: number): Area | undefined {
    return this.areas.find((a) => address >= a.start && address < a.start + a.bytes.length);
  }

  read(address: number, length: number): Uint8Array | null {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      const area = this.at(address + i);
      if (area === undefined || !area.readable) return null;
      out[i] = area.bytes[address + i - area.start] ?? 0;
    }
    return out;
  }

  write(address: number, bytes: Uint8Array | readonly number[]): boolean {
    for (const [i, b] of bytes.entries()) {
      const area = this.at(address + i);
      if (area === undefined || !area.writable) return false;
      area.bytes[address + i - area.start] = b;
    }
    return true;
  }

  perform(step: Step): StepResult {
    this.steps.push(step);
    switch (step.op) {
      case 'lock':
        if (this.locked !== 'no') throw new Error('the lock is not free');
        this.locked = step.exclusive ? 'exclusive' : 'shared';
        return 1;
      case 'unlock':
        if (this.locked !== (step.exclusive ? 'exclusive' : 'shared')) throw new Error('unlocked without the lock');
        this.locked = 'no';
        return 1;
      case 'sync':
      case 'stop':
      case 'resume':
        return 1;
      case 'load':
        return this.read(step.addr, step.length);
      case 'store':
        return this.write(step.addr, step.bytes) ? 1 : 0;
      case 'freed':
        return this.freed.at(-1) ?? 0;
      case 'free':
        this.freed.push(step.slot);
        return 1;
      case 'take':
        this.freed.splice(this.freed.indexOf(step.slot), 1);
        return 1;
      case 'get':
        return this[step.field];
      case 'set':
        this[step.field] = step.value;
        return 1;
      case 'find-table':
        return this.areas.find((a) => a.isTable)?.start ?? 0;
      case 'map-table':
        this.map(step.addr, TABLE_BYTES, { isTable: true });
        return 0;
      case 'is-free':
        return this.areas.some((a) => a.start < step.addr + step.length && a.start + a.bytes.length > step.addr)
          ? 0
          : 1;
      case 'is-shared':
        return this.at(step.addr)?.shared === true ? 1 : 0;
      case 'is-executable':
        return this.at(step.addr) === undefined ? 0 : 1;
      case 'random':
        return this.random % step.below;
    }
  }
}
