// SPDX-License-Identifier: MIT
//
// `npm run lint`: every static check, one after the other; all are run even when one fails.

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules', '.bin', name);

const checks = [
  ['tree', process.execPath, ['.ci/check-tree.mjs']],
  ['types', bin('tsc'), ['--noEmit', '-p', '.ci/tsconfig.test.json']],
  ['types of the neutral core', bin('tsc'), ['-p', '.ci/tsconfig.core.json']],
  ['types of the page', bin('tsc'), ['-p', 'src/workshop/page/tsconfig.json']],
  ["types of the page's tests", bin('tsc'), ['--noEmit', '-p', 'test/page/tsconfig.json']],
  ['oxlint', bin('oxlint'), ['-c', '.ci/oxlint.json', 'src', 'test', '.ci']],
  [
    'format',
    bin('prettier'),
    ['--config', '.ci/prettier.json', '--check', '--log-level', 'warn', 'src', 'test', '.ci', '!**/*.json'],
  ],
  ['dead code', bin('knip'), ['--config', '.ci/knip.json', '--no-progress']],
];

const only = process.argv.slice(2);
let passed = 0;
let failed = 0;
for (const [name, command, args] of checks) {
  if (only.length > 0 && !only.includes(name)) continue;
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const good = result.status === 0;
  if (good) passed++;
  else failed++;
  console.log(good ? `lint: ${name}: ok` : `failed: lint: ${name}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
