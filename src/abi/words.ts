// SPDX-License-Identifier: MIT
//
// 64-bit words of ABI structures as JavaScript numbers, without bigint where the value is below 2^53.

const TWO_32 = 2 ** 32;

/** The unsigned word at `at`; rounded when 2^53 or more. */
export function getU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

/** The signed word at `at`; rounded beyond 2^53 either way. */
export function getI64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

/** Writes an integer between -2^53 and 2^53 (or any below 2^64 that a double holds exactly) as 64 bits. */
export function putU64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  view.setUint32(at, value - high * TWO_32, true);
  view.setUint32(at + 4, high, true);
}

/** Writes seconds and nanoseconds as a struct timespec. */
export function putTimespec(view: DataView, at: number, ns: number): void {
  const sec = Math.floor(ns / 1e9);
  putU64(view, at, sec);
  putU64(view, at + 8, ns - sec * 1e9);
}

/** Writes nanoseconds as a struct timeval. */
export function putTimeval(view: DataView, at: number, ns: number): void {
  const sec = Math.floor(ns / 1e9);
  putU64(view, at, sec);
  putU64(view, at + 8, Math.floor((ns - sec * 1e9) / 1000));
}

/** Nanoseconds of a struct timespec, or undefined where Linux says EINVAL. */
export function getTimespec(view: DataView, at: number): number | undefined {
  const sec = getI64(view, at);
  const nsec = getI64(view, at + 8);
  if (sec < 0 || nsec < 0 || nsec > 999_999_999) return undefined;
  return sec * 1e9 + nsec;
}
