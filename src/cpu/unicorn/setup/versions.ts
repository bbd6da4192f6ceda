// SPDX-License-Identifier: MIT
//
// Version numbers: the library's own (dotted) and Debian's (deb-version(7)), as far as telling old from new needs.

/** The oldest libunicorn whose paging, NX and fault addresses Trapline can rely on. */
export const MINIMUM_UNICORN = '2.1.4';

/** Negative, zero or positive as dotted version `a` is older than, equal to or newer than `b`. Missing parts count as 0. */
export function compareVersions(a: string, b: string): number {
  const left = numbers(a);
  const right = numbers(b);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The upstream part of a Debian version: `1:2.1.4+dfsg-4+b1` is 2.1.4. */
export function upstreamVersion(debianVersion: string): string {
  const afterEpoch = debianVersion.slice(debianVersion.indexOf(':') + 1);
  return /^\d+(?:\.\d+)*/.exec(afterEpoch)?.[0] ?? '0';
}

function numbers(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10) || 0);
}
