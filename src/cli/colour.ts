// SPDX-License-Identifier: MIT
//
// Whether to colour what is written: on a terminal that shows colours, unless NO_COLOR says not to (no-color.org).

export function isColourful(stream: { readonly isTTY?: boolean }): boolean {
  const { NO_COLOR: no, TERM: terminal } = process.env;
  return stream.isTTY === true && (no === undefined || no === '') && terminal !== 'dumb';
}
