// SPDX-License-Identifier: MIT
//
// Numbers and bytes as the panes show them.

/** `0x401000`. */
export function address(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Two hex digits. */
export function byte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/** Hex digits as bytes: `b8 27 00`. */
export function spaced(hex: string): string {
  return hex.replace(/../g, '$& ').trimEnd();
}

/** An integer in groups of three. */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** A range of nanoseconds, as one figure where both ends are equal. */
export function range([low, high]: readonly [number, number]): string {
  return low === high ? grouped(low) : `${grouped(low)} – ${grouped(high)}`;
}

/** A share as percent with as many digits as say something. */
export function percent(share: number): string {
  if (share === 0 || share === 1) return `${share * 100} %`;
  const value = share * 100;
  return `${value < 1 ? value.toPrecision(2) : value.toFixed(1)} %`;
}
