// SPDX-License-Identifier: MIT
//
// Values of options as people write them: sizes, counts, seconds.

import { UsageError } from './usage-error.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `512M`, `2G`, `65536`. */
export function parseSize(option: string, text: string): number {
  const match = /^(\d+)([KMG]?)(?:i?B)?$/i.exec(text);
  const size = Number(match?.[1]) * (UNITS[(match?.[2] ?? '').toUpperCase()] ?? Number.NaN);
  if (match === null || !Number.isSafeInteger(size)) {
    throw new UsageError(`${option}: "${text}" is not a size; write bytes, or a number with K, M or G, such as 512M`);
  }
  return size;
}

/** A whole number from `min` to `max`; decimal, or hex with 0x. */
export function parseCount(option: string, text: string, min: number, max: number): number {
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new UsageError(`${option}: "${text}" is not a whole number from ${min} to ${max}`);
  }
  return value;
}

/** Seconds above zero, with or without decimals. */
export function parseSeconds(option: string, text: string): number {
  const value = /^\d*\.?\d+$|^\d+\.$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0 && value <= 1e6)) throw new UsageError(`${option}: "${text}" is not a number of seconds above 0`);
  return value;
}

/** One of a list of names. */
export function parseChoice<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new UsageError(`${option}: "${text}" is not one of ${choices.join(', ')}`);
  return found;
}
