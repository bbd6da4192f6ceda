// SPDX-License-Identifier: MIT
//
// What every machine has, under names that a checkpoint can use: the parts that `Sandbox` puts together, what they are
// made of, the rows of the table of calls, and the nodes of procfs by their paths.

import { allConstants, savedClassOf } from '../../base/savable.ts';
import { BLOCKED, REGS_SET, TASK_ENDED } from '../../kernel/syscalls/table.ts';

/** The machine's own parts: those in whose fields other parts are looked for, and those that are only named. */
export interface MachineParts {
  readonly searched: Readonly<Record<string, object>>;
  readonly named: Readonly<Record<string, object>>;
}

/** Lists of parts that are made at set-up, always in the same order. */
const PART_LISTS: readonly string[] = ['binds', 'setUp'];

/** Whether a name stands for something that there is or is not, depending on the caller's tree. */
export function isPartOfTree(name: string): boolean {
  return PART_LISTS.some((list) => name.includes(`.${list}[`));
}

/** Every object that is there in a machine that has been set up as this one was, by name. */
export function nameParts({ searched, named }: MachineParts): Map<string, object> {
  const names = new Map<string, object>();
  const known = new Set<object>();
  const add = (name: string, object: object): boolean => {
    if (known.has(object)) return false;
    known.add(object);
    names.set(name, object);
    return true;
  };
  const waiting: (readonly [string, object])[] = [];
  const found = (name: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null || savedClassOf(value)?.isPlace !== true) return;
    if (add(name, value)) waiting.push([name, value]);
  };
  for (const [name, object] of Object.entries(named)) add(name, object);
  for (const [object, name] of allConstants()) add(name, object);
  for (const [name, object] of Object.entries(searched)) found(name, object);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [name, object] = next;
    for (const [key, value] of Object.entries(object as Record<string, unknown>)) {
      if (PART_LISTS.includes(key) && Array.isArray(value)) {
        for (const [i, part] of (value as unknown[]).entries()) found(`${name}.${key}[${i}]`, part);
      } else found(`${name}.${key}`, value);
    }
  }
  return names;
}

/** The objects of the kernel that are the same in every process. */
export function fixedParts(table: readonly (object | undefined)[]): Record<string, object> {
  const parts: Record<string, object> = { BLOCKED, REGS_SET, TASK_ENDED };
  for (const [nr, row] of table.entries()) if (row !== undefined) parts[`call ${nr}`] = row;
  return parts;
}
