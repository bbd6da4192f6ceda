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
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const INSTALL_STAMP = join(root, 'node_modules', '.trapline-lock');
const TSC = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const BUILD_STAMP = join(root, 'dist', '.build-stamp');

checkNode();
const only = process.argv[2];
install();
if (only !== '--install') build();
if (only === undefined) setUpEngine();

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`Node 20.19 or later is needed, and this is ${process.versions.node}`, 125);
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
  const sources = files(join(root, 'src'), /\.(ts|json)$/);
  const inputs = hash([...sources, join(root, 'tsconfig.json'), join(root, 'package-lock.json')]);
  if (read(BUILD_STAMP) === inputs) return;
  say('building dist/ (tsc)');
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run(process.execPath, [TSC, '-p', 'tsconfig.json'], 'the build failed');
  chmodSync(join(root, 'dist', 'cli.js'), 0o755);
  writeFileSync(BUILD_STAMP, inputs);
}

function setUpEngine() {
  run(process.execPath, [join(root, 'dist', 'cli.js'), 'doctor', '--setup', '--quiet'], undefined);
}

/** Runs a command with its output on stderr, so that stdout stays what the caller asked for. */
function run(command, args, failure) {
  const shell = process.platform === 'win32' && command === 'npm';
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell });
  if (result.error) fail(`${command}: ${result.error.message}`, 125);
  if (result.status === 0) return;
  if (failure !== undefined) say(failure);
  process.exit(result.status ?? 1);
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

function fail(text, status) {
  say(text);
  process.exit(status);
}
