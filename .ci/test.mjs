// SPDX-License-Identifier: MIT
//
// `npm test`: the whole suite, or the parts that are named, such as `npm test -- unit race`. Further arguments
// that begin with a dash go to vitest.

import { existingParts, runParts } from './parts.mjs';

const args = process.argv.slice(2);
const named = args.filter((arg) => !arg.startsWith('-'));
const existing = existingParts();
for (const part of named.filter((name) => !existing.includes(name))) {
  console.error(`there is no part ${part}; there are ${existing.join(', ')}`);
  process.exit(2);
}

const total = runParts(named.length > 0 ? named : existing, {
  args: args.filter((arg) => arg.startsWith('-')),
  // CI compares 100,000 sequences with the real CPU; a person waits for fewer.
  env: { TRAPLINE_DIFF_COUNT: process.env.TRAPLINE_DIFF_COUNT ?? '10000' },
});
for (const note of total.notes) console.log(note);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
