// SPDX-License-Identifier: MIT
//
// The version of this package, as the tool tells it.

import { readFileSync } from 'node:fs';

/** From package.json, which lies two folders above this file in the sources and in the build. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
