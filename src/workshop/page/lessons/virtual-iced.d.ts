// SPDX-License-Identifier: MIT

declare module 'virtual:iced-x86' {
  /** Compiles the wasm; .ci/page.mjs makes this module of the package for Node. */
  export function loadIced(): Promise<unknown>;
}
