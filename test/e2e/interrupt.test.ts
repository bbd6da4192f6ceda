// SPDX-License-Identifier: MIT
//
// What happens to the tool itself while a guest runs: signals, closed pipes, input that ends.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ended, guest, start } from './trapline.ts';

const BUSYBOX = '/bin/busybox';

/** Resolves when the child has printed `text`. */
function printed(child: ReturnType<typeof start>, text: string): Promise<void> {
  return new Promise((done) => {
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1');
      if (seen.includes(text)) done();
    });
  });
}

describe('A running guest', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('dies of %s to the tool while it spins', async (signal, status) => {
    const child = start(['run', '--strace', guest('loop-forever')]);
    // The guest itself says nothing; strace's first line comes just before it runs.
    await new Promise((done) => child.stderr.once('data', done));
    child.kill(signal);
    expect(await ended(child)).toBe(status);
  });

  describe.runIf(existsSync(BUSYBOX))('with a busybox', () => {
    it('dies of SIGINT while it sleeps in real time', async () => {
      const child = start(['run', '--wall-clock', BUSYBOX, 'sh', '-c', 'echo ready; sleep 100']);
      await printed(child, 'ready');
      child.kill('SIGINT');
      expect(await ended(child)).toBe(130);
    });

    it('may handle the first SIGINT; the second ends the run', async () => {
      const script = "trap 'echo caught' INT; echo ready; while :; do :; done";
      const child = start(['run', BUSYBOX, 'sh', '-c', script]);
      await printed(child, 'ready');
      const caught = printed(child, 'caught');
      child.kill('SIGINT');
      await caught;
      child.kill('SIGINT');
      expect(await ended(child)).toBe(130);
    });

    it('leaves no unfinished result behind, however its command ends', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'trapline-interrupt-'));
      try {
        const file = (name: string): string => join(folder, name);
        const guest = ['--', BUSYBOX, 'sh', '-c', 'echo ready; while :; do :; done'];
        const commands = [
          ['check', '--json', file('json'), '--sarif', file('sarif'), ...guest],
          ['run', '--metrics', file('metrics'), '--html', file('html'), ...guest],
        ];
        for (const command of commands) {
          const child = start(command);
          await printed(child, 'ready');
          child.kill('SIGKILL');
          expect(await ended(child)).toBe('SIGKILL');
        }
        expect(readdirSync(folder)).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    it('gets SIGPIPE when nobody reads the output', async () => {
      const child = start(['run', BUSYBOX, 'yes']);
      await printed(child, 'y\ny\n');
      child.stdout.destroy();
      expect(await ended(child)).toBe(128 + 13);
    });

    it('sees the end of its input', async () => {
      const child = start(['run', BUSYBOX, 'cat']);
      child.stdin.write('one\n');
      await printed(child, 'one');
      child.stdin.end('two\n');
      expect(await ended(child)).toBe(0);
    });

    it('waits for input that comes late', async () => {
      const child = start(['run', BUSYBOX, 'sh', '-c', 'echo ready; read line; echo "got $line"']);
      await printed(child, 'ready');
      const got = printed(child, 'got it');
      child.stdin.end('it\n');
      await got;
      expect(await ended(child)).toBe(0);
    });
  });
});
