// SPDX-License-Identifier: MIT

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

function doctor(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { status: number | null; output: string; errors: string } {
  const run = spawnSync(process.execPath, [cli, 'doctor', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status: run.status, output: run.stdout, errors: run.stderr };
}

describe('trapline doctor', () => {
  it('names what it consists of and finds the engine well', () => {
    const { status, output, errors } = doctor([]);
    expect(errors).toBe('');
    expect(status).toBe(0);
    for (const part of ['trapline', 'node', 'compiler', 'library', 'binding', 'engine']) {
      expect(output).toMatch(new RegExp(`^${part} +\\S`, 'm'));
    }
    expect(output.match(/^ {2}ok /gm)?.length).toBeGreaterThanOrEqual(7);
    expect(output).not.toContain('FAILED');
  });

  it('says nothing when all is ready and it is to be quiet', () => {
    expect(doctor(['--setup', '--quiet'])).toEqual({ status: 0, output: '', errors: '' });
  });

  it('explains a library that is missing in one line', () => {
    const { status, errors } = doctor([], { TRAPLINE_LIBUNICORN: '/no/such/libunicorn.so' });
    expect(status).toBe(125);
    expect(errors).toBe(
      'trapline: TRAPLINE_LIBUNICORN=/no/such/libunicorn.so: there is no such file; correct or unset it\n',
    );
  });

  it('explains a library that is something else in one line', () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapline-doctor-'));
    try {
      const path = join(folder, 'libunicorn.so');
      writeFileSync(path, 'no library');
      const { status, errors } = doctor([], { TRAPLINE_LIBUNICORN: path });
      expect(status).toBe(125);
      expect(errors).toMatch(
        /^trapline: TRAPLINE_LIBUNICORN=\S+: this is no libunicorn that loads here \([^\n]+\); correct or unset it\n$/,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('explains a cache that cannot be made', () => {
    const { status, errors } = doctor([], { XDG_CACHE_HOME: '/dev/null' });
    expect(status).toBe(125);
    expect(errors).toMatch(
      /^trapline: cannot make the cache folder [^\n]+; set XDG_CACHE_HOME to a writable folder\n$/,
    );
  });
});
