// SPDX-License-Identifier: MIT
//
// Packs Trapline, installs the tarball in an empty project with an empty cache, and uses it as a stranger would.

import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'trapline-package-'));
const project = join(scratch, 'project');
const cache = join(scratch, 'cache');
const guest = join(scratch, 'hello.elf');
const env = { ...process.env, XDG_CACHE_HOME: cache };
delete env.TRAPLINE_LIBUNICORN;

/** KEEP IN SYNC: README.md Sandbox */
const EMBEDDED = `
import { Sandbox } from 'trapline';
import { nodeHost, openHostPath } from 'trapline/node';
import { openUnicorn } from 'trapline/unicorn';

const sandbox = Sandbox.create({
  host: nodeHost(),
  openCpu: openUnicorn,
  program: '/hello',
  programFile: openHostPath(process.argv[2], { writable: false }),
  patch: 'hardened',
});
try {
  const { exit, metrics } = await sandbox.run();
  console.log('ended with', exit.code, 'after', metrics.syscalls, 'calls');
} finally {
  sandbox.dispose();
}
`;

let passed = 0;
let failed = 0;

try {
  copyFileSync(join(root, 'guests', 'bin', 'hello.elf'), guest);
  mkdirSync(project);
  mkdirSync(cache);
  await tryThePackage();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function tryThePackage() {
  const pack = run('npm', ['pack', '--pack-destination', scratch, '--loglevel=error'], { cwd: root });
  const tarball = readdirSync(scratch).find((name) => name.endsWith('.tgz'));
  check('npm pack makes a tarball', pack.status === 0 && tarball !== undefined, pack);
  if (tarball === undefined) return;
  const listing = run('tar', ['-tzf', join(scratch, tarball)]);
  const names = listing.stdout.trim().split('\n');
  check(
    'it holds the program and the native sources',
    ['package/dist/cli.js', 'package/src/cpu/unicorn/native/addon.cc'].every((name) => names.includes(name)),
    listing,
  );
  check(
    'it holds nothing else',
    names.every((name) =>
      /^package\/(dist\/|guests\/bin\/|(.*\/)?README\.md|src\/cpu\/unicorn\/native\/|package\.json|LICENSE)/.test(name),
    ),
    listing,
  );
  check(
    'it is smaller than 5 MiB, the page in its three forms included',
    statSync(join(scratch, tarball)).size < 5 << 20,
    listing,
  );

  writeFileSync(join(project, 'package.json'), '{ "name": "stranger", "private": true }\n');
  const install = run('npm', ['install', join(scratch, tarball), '--no-audit', '--no-fund', '--loglevel=error']);
  check('npm install takes it', install.status === 0, install);

  const noCompiler = run('npx', ['trapline', 'run', '--', guest], {
    env: { ...env, CXX: join(scratch, 'no-such-compiler') },
  });
  check(
    'without a compiler it says so in one line, status 125',
    noCompiler.status === 125 && isOneLine(noCompiler.stderr) && noCompiler.stderr.includes('C++ compiler'),
    noCompiler,
  );

  const [one, other] = await Promise.all([start(['doctor', '--setup']), start(['doctor', '--setup'])]);
  check('two set-ups at once both succeed', one.status === 0 && other.status === 0, one, other);
  const compilations = `${one.stderr}${other.stderr}`.split('\n').filter((line) => line.includes('compiling'));
  check('and compile once', compilations.length === 1, one, other);

  const hello = run('npx', ['trapline', 'run', '--', guest]);
  check(
    'then a guest runs and nothing else is said',
    hello.status === 0 && hello.stdout === 'hello from a guest\n' && hello.stderr === '',
    hello,
  );

  writeFileSync(join(project, 'embed.mjs'), EMBEDDED);
  const embedded = run(process.execPath, ['embed.mjs', guest]);
  const embedding = embedded.status === 0 && embedded.stdout === 'hello from a guest\nended with 0 after 2 calls\n';
  check('a program embeds it', embedding, embedded);

  const example = join(scratch, 'example');
  cpSync(join(root, 'test', 'examples'), example, { recursive: true });
  const add = run('npm', ['install', join(scratch, tarball), '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: example,
  });
  check('a copy of the example takes it, too', add.status === 0, add);
  const races = run('npx', ['vitest', 'run', '--reporter=json'], { cwd: example });
  const counts = /"numPassedTests":(\d+)/.exec(races.stdout)?.[1];
  check('and its tests pass', races.status === 0 && Number(counts) >= 5, races);
  const text = readFileSync(join(example, 'patcher.test.ts'), 'utf8');
  writeFileSync(join(example, 'patcher.test.ts'), text.replace(".with({ protocol: 'abc:sync=ab' })", ''));
  const failing = run('npx', ['vitest', 'run'], { cwd: example });
  const token = /^ *(xr1\.[\w-]+)$/m.exec(failing.stdout + failing.stderr)?.[1] ?? '';
  check('a test that fails prints a token', failing.status === 1 && token !== '', failing);
  const again = run('npx', ['vitest', 'run', '-t', 'two cache lines'], {
    cwd: example,
    env: { ...env, RACE_REPLAY: token },
  });
  check(
    'which replays',
    again.status === 1 && `${again.stdout}${again.stderr}`.includes('1 schedule, 9 transitions'),
    again,
  );

  rmSync(join(cache, 'trapline'), { recursive: true });
  const first = run('npx', ['trapline', 'run', '--', guest]);
  check(
    'the first use sets everything up by itself',
    first.status === 0 && first.stdout === 'hello from a guest\n',
    first,
  );
  check('and says so in one line', isOneLine(first.stderr) && first.stderr.includes('setting up the engine'), first);
  check(
    'the cache holds finished entries only',
    readdirSync(join(cache, 'trapline')).every((name) => /^(addon|debian)-/.test(name) && !name.endsWith('.lock')),
    first,
  );

  const noLibrary = run('npx', ['trapline', 'run', '--', guest], {
    env: { ...env, TRAPLINE_LIBUNICORN: join(scratch, 'none.so') },
  });
  check(
    'a wrong TRAPLINE_LIBUNICORN is explained in one line, status 125',
    noLibrary.status === 125 && isOneLine(noLibrary.stderr) && noLibrary.stderr.includes('TRAPLINE_LIBUNICORN'),
    noLibrary,
  );
}

function run(program, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: project,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  return { status, stdout, stderr: withoutNpm(stderr) };
}

function start(args) {
  return new Promise((resolve) => {
    const child = spawn('npx', ['trapline', ...args], { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    child.on('close', (status) => resolve({ status, stdout, stderr: withoutNpm(stderr) }));
  });
}

/** npx passes on warnings of npm about the machine's configuration. */
function withoutNpm(text) {
  return text.replace(/^npm .*\n/gm, '');
}

function isOneLine(text) {
  return /^trapline: [^\n]+\n$/.test(text);
}

function check(what, holds, ...evidence) {
  console.log(holds ? `ok  ${what}` : `failed: ${what}`);
  if (holds) passed++;
  else {
    failed++;
    for (const result of evidence) console.log(`status ${result.status}\n${result.stdout}\n${result.stderr}`);
  }
}
