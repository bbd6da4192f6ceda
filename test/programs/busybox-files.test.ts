// SPDX-License-Identifier: MIT
//
// Shell scripts of Debian's busybox that make, move, read and remove files: the same output, errors and status as on
// Linux, starting from the same small tree.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHostDirectory } from '../../src/sandbox/host-node/index.ts';
import { isLinux, runGuest } from './guest-run.ts';

const BUSYBOX = '/bin/busybox';
const isRoot = process.getuid?.() === 0;

/** Output that must be equal line by line. */
const SCRIPTS: readonly string[] = [
  'ls -lanR . | sort',
  'find . -type f | sort; find . -perm 600',
  "stat -c '%n %F %a %s %h %u %g %Y' script link hard d dangling; stat -L -c '%n %s' link",
  'cat script link hard; cat dangling; echo $?; cat d; echo $?',
  "cp script copy && cat copy && stat -c '%a %s' copy; cp -a d dcopy && find dcopy | sort; cp -r d d2 && find d2 | sort",
  'mv script moved && ls && cat moved && cat link; mv d e && mv e/x e/sub && find e | sort',
  'ln numbers n2 && stat -c %h numbers n2 && rm numbers && stat -c %h n2; ln -s n2 lnk && readlink lnk && head -n 1 lnk',
  'rm d; echo $?; rmdir d; echo $?; mkdir d; echo $?; rm -r d && ls; mkdir -p a/b/c && rmdir -p a/b/c && ls',
  'tar cf t.tar d numbers && rm -r d && tar xf t.tar && find d | sort && md5sum d/sub/y && tar tf t.tar | sort',
  'dd if=random of=out bs=1000 count=7 skip=3 seek=2 2>/dev/null; md5sum out; stat -c %s out',
  'dd if=/dev/zero of=sparse bs=1 count=1 seek=1000000 2>/dev/null; stat -c %s sparse; md5sum sparse',
  'head -n 5 numbers; tail -n 5 numbers; tail -c 20 numbers; head -c 10 numbers',
  'sort -rn numbers | head -n 3; sort numbers | uniq -c | head -n 3; wc numbers random',
  'md5sum random; sha1sum random; sha256sum random; sha512sum random; cksum random',
  'gzip -c numbers | gunzip -c | md5sum; gzip numbers && ls && gunzip numbers.gz && md5sum numbers',
  'bzip2 -c numbers | bunzip2 -c | md5sum; cat random | cat | cat | md5sum',
  'mkfifo p; (cat p & echo hi > p; wait); (sleep 0.1; echo late > p) & cat p',
  'echo a > f; echo b >> f; cat f; : > f; stat -c %s f; umask 077; touch priv; mkdir pd; stat -c %a priv pd',
  'chmod 4755 script; stat -c %a script; chmod u-s,g+w script; stat -c %a script',
  "touch -d '2020-02-03 04:05:06' script; stat -c %Y script hard; truncate -s 100 script; truncate -s +50 script; md5sum script",
  'yes | head -n 1000 | wc; seq 1 100000 | tail -n 1; seq 1 20000 | sort -r | sort -n | md5sum',
  'cd d/sub; rm -r ../../d; ls; pwd > /dev/null; ls ..; echo $?',
  'cd d; mv ../d ../dd; ls; cd ..; ls',
  'echo test > "sp ace"; cat "sp ace"; printf x > "$(printf \'n\\351w\')"; ls | od -c | tail -n 3',
  'diff script numbers | head -n 5; cmp script random; echo $?; od -A x -t x1 random | head -n 3',
  'split -l 500 numbers part; ls; cat part* | md5sum; tee t1 t2 < script; cat t1 t2',
  'exec 3< numbers; read a <&3; read b <&3; echo $a $b; exec 3<&-; exec 3<> rw; echo hello >&3; cat rw',
  'head -c 5 /dev/zero | od -c; echo x > /dev/full; echo $?; echo y > /dev/null; cat /dev/null; head -c 9 /dev/urandom | wc -c',
  'test -r script && test -w script && test ! -x script && test -L link && test -d d && test ! -e dangling && echo ok',
  'cp none x; echo $?; mv none x; echo $?; rm none; echo $?; rm -f none; echo $?; cp script none/x; echo $?; mkdir none/y; echo $?',
  'ln -s loop2 loop1; ln -s loop1 loop2; cat loop1; echo $?; ls loop1/x; echo $?',
  'cat <<X\nline $((1+2))\nX\nfor i in 1 2 3; do echo $i; done > out; cat < out; echo * | wc -w',
  'sh -c "kill -9 \\$\\$"; echo $?; sh -c "exit 3" | cat; sleep 0.01; seq 3 | while read x; do echo "[$x]"; done',
  'cat /proc/self/comm; test -e /proc/self/exe && cut -d " " -f 2,3 /proc/self/stat; grep -c . /proc/self/limits',
  "grep -E '^(Name|State|Uid|Gid|Threads|SigBlk)' /proc/self/status; tr '\\0' '|' < /proc/self/cmdline; echo",
  'ls /proc/self/fd | head -n 3; cat /proc/sys/kernel/ostype; ls -d /proc/1 /proc/self/task',
];

interface Outcome {
  readonly out: string;
  readonly errors: string;
  readonly status: unknown;
}

describe.runIf(isLinux && existsSync(BUSYBOX))("busybox's file tools", () => {
  let folder = '';
  let base = '';
  let counter = 0;

  /** Old, equal times for everything, so that listings do not depend on when the test runs. */
  const age = (path: string): void => {
    lutimesSync(path, 1_600_000_000, 1_600_000_000);
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-busybox-'));
    base = join(folder, 'base', 'work');
    mkdirSync(join(base, 'd', 'sub'), { recursive: true });
    writeFileSync(join(base, 'script'), 'b\na\nc\n');
    writeFileSync(join(base, 'numbers'), Array.from({ length: 2000 }, (_, i) => `${i + 1}\n`).join(''));
    const random = new Uint8Array(300_000);
    for (let i = 0, x = 1; i < random.length; i++) {
      x = (Math.imul(x, 1103515245) + 12345) >>> 0;
      random[i] = x >>> 16;
    }
    writeFileSync(join(base, 'random'), random);
    writeFileSync(join(base, 'd', 'x'), 'x\n');
    writeFileSync(join(base, 'd', 'sub', 'y'), 'y\n');
    chmodSync(join(base, 'd', 'x'), 0o600);
    symlinkSync('script', join(base, 'link'));
    symlinkSync('/nowhere', join(base, 'dangling'));
    linkSync(join(base, 'script'), join(base, 'hard'));
    for (const name of readdirSync(base, { recursive: true, encoding: 'utf8' }).reverse()) age(join(base, name));
    age(base);
    age(join(folder, 'base'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const natively = (script: string): Outcome => {
    const copy = join(folder, `native-${counter++}`, 'work');
    cpSync(base, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    rmSync(join(copy, 'hard'));
    linkSync(join(copy, 'script'), join(copy, 'hard'));
    for (const name of readdirSync(copy, { recursive: true, encoding: 'utf8' }).reverse()) age(join(copy, name));
    age(copy);
    age(join(copy, '..'));
    const ended = spawnSync(BUSYBOX, ['sh', '-c', script], {
      cwd: copy,
      env: { PATH: '/none' },
      encoding: 'latin1',
      input: '',
      timeout: 600_000,
    });
    return { out: ended.stdout, errors: ended.stderr, status: { code: ended.status } };
  };

  const inSandbox = async (script: string): Promise<Outcome> => {
    const root = openHostDirectory(join(folder, 'base'), { writable: false });
    const { output, errors, exit } = await runGuest(BUSYBOX, {
      root,
      cwd: '/work',
      argv: [BUSYBOX, 'sh', '-c', script],
      env: ['PATH=/none'],
    });
    return { out: output, errors, status: exit };
  };

  it.each(SCRIPTS)('do the same as on Linux: %s', async (script) => {
    expect(await inSandbox(script)).toEqual(natively(script));
  });

  it('leave the host tree as it was', async () => {
    const before = readdirSync(base, { recursive: true }).sort();
    await inSandbox('rm -r *; mkdir new; echo changed > script; ls');
    expect(readdirSync(base, { recursive: true }).sort()).toEqual(before);
  });

  it.runIf(isRoot)('let root give files away', async () => {
    const script = "chown 5:6 script; stat -c '%u %g' script hard; chown -R 7 d; stat -c %u d/sub/y";
    expect(await inSandbox(script)).toEqual(natively(script));
  });
});
