// SPDX-License-Identifier: MIT
//
// The command as a person types it: this machine's own shell, interpreter and compiler, with no option but the root.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { trapline } from './trapline.ts';

const isLinux = process.platform === 'linux' && process.arch === 'x64';

function has(...programs: readonly string[]): boolean {
  return isLinux && programs.every((program) => existsSync(program));
}

function run(...command: readonly string[]): ReturnType<typeof trapline> {
  return trapline(['run', '--root', '/', '--', ...command]);
}

describe("programs of this machine's own root", () => {
  it.runIf(has('/bin/bash', '/usr/bin/sort'))('loops, sorts and cuts in bash', () => {
    const line = 'for i in $(seq 20); do echo $i; done | sort -r | head -3';
    expect(run('bash', '-c', line)).toEqual({ status: 0, stdout: '9\n8\n7\n', stderr: '' });
  });

  it.runIf(has('/bin/sh'))(
    'leaves a text without an interpreter to the shell, and says why a foreign program fails',
    () => {
      const text = 'printf "echo a text\\n" >/tmp/x; chmod 755 /tmp/x; /tmp/x';
      expect(run('sh', '-c', text)).toEqual({ status: 0, stdout: 'a text\n', stderr: '' });
      const cut = 'head -c 40 /bin/sh >/tmp/x; chmod 755 /tmp/x; /tmp/x 2>/dev/null';
      const warning = /^trapline: \/tmp\/x cannot be executed: truncated: .*\n$/;
      expect(run('sh', '-c', cut)).toEqual({ status: 126, stdout: '', stderr: expect.stringMatching(warning) });
    },
  );

  it.runIf(has('/usr/bin/python3'))('starts commands from python', () => {
    const script =
      'import subprocess; print(subprocess.run(["sh", "-c", "echo $((6 * 7)); exit 3"], capture_output=True))';
    expect(run('/usr/bin/python3', '-c', script)).toEqual({
      status: 0,
      stdout:
        "CompletedProcess(args=['sh', '-c', 'echo $((6 * 7)); exit 3'], returncode=3, stdout=b'42\\n', stderr=b'')\n",
      stderr: '',
    });
  });

  it.runIf(has('/bin/bash', '/usr/bin/gcc'))('compiles a program and runs it, and leaves nothing behind', () => {
    const made = '/tmp/trapline-made-by-a-guest';
    const source = '#include <stdio.h>\nint main(void) { puts("made inside"); return 5; }';
    expect(run('bash', '-c', `gcc -x c -o ${made} - <<< '${source}' && ${made}`)).toEqual({
      status: 5,
      stdout: 'made inside\n',
      stderr: '',
    });
    expect(existsSync(made)).toBe(false);
  });
});
