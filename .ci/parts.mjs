// SPDX-License-Identifier: MIT
//
// The parts of the test suite, and how one is run and counted.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folders of test/ that are parts of their own; everything else there are unit tests, which mirror src/. */
const OWN_PARTS = ['conformance', 'golden', 'race', 'page', 'programs', 'e2e', 'differential', 'examples'];

/** CI's own machine has all that a test can ask for: there no reason to skip one holds. */
const EVERYTHING_IS_THERE = process.env.CI === 'true' && process.platform === 'linux' && process.arch === 'x64';

/** A part that takes longer hangs. */
const PATIENCE_MS = 60 * 60_000;

/** Which test files belong to a part. */
function filters(part) {
  if (part !== 'unit') return [`test/${part}/`];
  return readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !OWN_PARTS.includes(entry.name))
    .map((entry) => `test/${entry.name}/`);
}

/** The parts whose folders hold tests. */
export function existingParts() {
  return ['unit', ...OWN_PARTS].filter((part) =>
    filters(part).some((folder) => {
      try {
        return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).some((name) =>
          name.endsWith('.test.ts'),
        );
      } catch {
        return false;
      }
    }),
  );
}

/**
 * Runs parts of the suite in one vitest run and counts. A skipped test that skips.json does not allow counts as
 * failed, and so does a file that could not be loaded. Its notes name each failure and the longest test.
 *
 * @param options.node Node binary to run the tests on, if not this one
 */
export function runParts(parts, options = {}) {
  const scratch = mkdtempSync(join(tmpdir(), 'trapline-tests-'));
  try {
    const report = join(scratch, 'report.json');
    const args = [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--config',
      join('.ci', 'vitest.config.mjs'),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...parts.flatMap(filters),
      ...(options.args ?? []),
    ];
    const run = spawnSync(options.node ?? process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }), ...options.env },
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
    });
    return count(report, run);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function count(report, run) {
  let results;
  try {
    results = JSON.parse(readFileSync(report, 'utf8')).testResults;
  } catch {
    console.error(
      run.error === undefined ? 'the test run left no report' : `the test run did not finish: ${run.error.message}`,
    );
    return { passed: 0, failed: 1, skipped: 0, notes: [] };
  }
  const allowed = JSON.parse(readFileSync(join(root, '.ci', 'skips.json'), 'utf8'));
  const total = { passed: 0, failed: 0, skipped: 0, notes: [] };
  const fail = (what) => {
    total.notes.push(noteOf('failed', what));
    total.failed++;
  };
  let longest = { ms: 0, name: '' };
  for (const file of results) {
    const name = relative(root, file.name);
    const excused = !EVERYTHING_IS_THERE && allowed.some((skip) => skip.file === name);
    for (const test of file.assertionResults) {
      if ((test.duration ?? 0) > longest.ms) longest = { ms: test.duration, name: `${name}: ${test.fullName}` };
      if (test.status === 'passed') total.passed++;
      else if (test.status === 'failed') fail(`${name}: ${test.fullName}: ${test.failureMessages.join(' ')}`);
      else if (excused) total.skipped++;
      else fail(`${name}: ${test.fullName}: skipped without a reason in .ci/skips.json`);
    }
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'))
      fail(`${name} could not be run: ${file.message}`);
  }
  if (run.status !== 0 && total.failed === 0)
    fail('beside the tests, such as an error that nobody caught or a worker that died');
  if (longest.ms > 0) total.notes.push(noteOf('longest', `${Math.round(longest.ms / 1000)} s, ${longest.name}`));
  return total;
}

/** One line, which CI prints again at its end: notes are found by how they begin. */
function noteOf(kind, text) {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return `${kind}: ${line.length > 700 ? `${line.slice(0, 700)} ...` : line}`;
}

/** The notes in what a test command printed. */
export function notesIn(output) {
  return output.split('\n').filter((line) => /^(failed|longest): /.test(line));
}
