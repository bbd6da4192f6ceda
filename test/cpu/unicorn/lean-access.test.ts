// SPDX-License-Identifier: MIT
//
// Which function libunicorn calls after a load or store that it has translated, as the dynamic loader tells it.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureUnicorn } from '../../../src/cpu/unicorn/setup/index.ts';

const NAME = 'check_exit_request_x86_64';

/** Lines of glibc's loader on where `NAME` was bound while the addon opened libunicorn; empty with other loaders. */
function bindings(): string[] {
  const { addonPath, libraryPath } = ensureUnicorn();
  const folder = mkdtempSync(join(tmpdir(), 'trapline-bindings-'));
  try {
    const script = `require(${JSON.stringify(addonPath)}).libraryVersion(${JSON.stringify(libraryPath)})`;
    const env = { ...process.env, LD_DEBUG: 'bindings', LD_DEBUG_OUTPUT: join(folder, 'log') };
    expect(spawnSync(process.execPath, ['-e', script], { env }).status).toBe(0);
    const text = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
    return text
      .flatMap((log) => log.split('\n'))
      .filter((line) => /binding file \S*libunicorn/.test(line) && line.includes(`\`${NAME}'`));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('the question after each access to memory', () => {
  it('is not translated where the library lets its function be replaced', () => {
    const lines = bindings();
    for (const line of lines) expect(line).toMatch(/ to \S*trapline\.node /);
    // A library of another make may hide the symbol, and only glibc's loader tells; Debian's shows it.
    if (ensureUnicorn().libraryOrigin === 'debian') expect(lines).toHaveLength(1);
  });
});
