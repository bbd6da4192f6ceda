// SPDX-License-Identifier: MIT
//
// Brings a checkout to where it can be used, from nothing: locked dependencies, the build, the engine's set-up.
// Needs Node and npm only. What is done already is recognised by hashes of its inputs and skipped.
//
//   node .ci/prepare.mjs              everything
//   node .ci/prepare.mjs --build      dependencies and dist/
//   node .ci/prepare.mjs --install    dependencies

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const INSTALL_STAMP = join(root, 'node_modules', '.trapline-lock');
const TSC = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const BUNDLE = join(root, '.ci', 'bundle.mjs');
const PAGE = join(root, '.ci', 'page.mjs');
const BUILD_STAMP = join(root, 'dist', '.build-stamp');

/** Ends the preparation with a line, if there is anything left to say, and a status. */
class Failure extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

const only = process.argv[2];
try {
  checkNode();
  install();
  if (only !== '--install') build();
  if (only === undefined) setUpEngine();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  if (error.message !== '') say(error.message);
  process.exitCode = error.status;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Failure(125, `Node 20.19 or later is needed, and this is ${process.versions.node}`);
}

function install() {
  const lock = hash([join(root, 'package-lock.json')]);
  if (read(INSTALL_STAMP) === lock) return;
  // As npm's `prepare` this runs at the end of an install, with the dependencies just put there.
  if (process.env.npm_lifecycle_event !== 'prepare' || !existsSync(TSC)) {
    say('installing the locked dependencies (npm ci)');
    // No dependency has an install script, and our own would start this again.
    run(
      'npm',
      ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--no-update-notifier', '--ignore-scripts'],
      'npm ci failed',
    );
  }
  writeFileSync(INSTALL_STAMP, lock);
}

function build() {
  const sources = files(join(root, 'src'), /\.(tsx?|json|css|html)$|TEACHING\.md$/);
  const inputs = hash([...sources, join(root, 'tsconfig.json'), join(root, 'package-lock.json'), BUNDLE, PAGE]);
  if (read(BUILD_STAMP) === inputs) return;
  say('building dist/ (tsc, vite)');
  // Built aside and swapped in, so that a build that fails leaves the last one, and no file of a former one stays.
  const aside = join(root, 'node_modules', `.trapline-dist-${process.pid}`);
  try {
    run(process.execPath, [TSC, '-p', 'tsconfig.json', '--outDir', aside, '--noEmitOnError'], 'the build failed');
    run(process.execPath, [BUNDLE, aside], 'the bundle failed');
    run(process.execPath, [PAGE, join(aside, 'workshop', 'page')], 'the page could not be built');
    copyLessons(aside);
    chmodSync(join(aside, 'cli.js'), 0o755);
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    renameSync(aside, join(root, 'dist'));
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  writeFileSync(BUILD_STAMP, inputs);
}

/** Lessons and the teacher's page are read while the command runs: in the terminal, for handouts and slides. */
function copyLessons(aside) {
  const from = join(root, 'src', 'workshop');
  const to = join(aside, 'workshop');
  cpSync(join(from, 'lessons'), join(to, 'lessons'), {
    recursive: true,
    filter: (path) => statSync(path).isDirectory() || path.endsWith('.json'),
  });
  cpSync(join(from, 'TEACHING.md'), join(to, 'TEACHING.md'));
}

function setUpEngine() {
  run(process.execPath, [join(root, 'dist', 'cli.js'), 'doctor', '--setup', '--quiet']);
}

/** Runs a command with its output on stderr, so that stdout stays what the caller asked for. */
function run(command, args, failure = '') {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error) throw new Failure(125, `${command}: ${result.error.message}`);
  if (result.status !== 0) throw new Failure(result.status ?? 1, failure);
}

function hash(paths) {
  const digest = createHash('sha256');
  for (const path of paths) {
    digest.update(`\0${path.slice(root.length)}\0`);
    digest.update(readFileSync(path));
  }
  return digest.digest('hex');
}

function files(folder, pattern) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function say(text) {
  process.stderr.write(`trapline: ${text}\n`);
}
