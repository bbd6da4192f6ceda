// SPDX-License-Identifier: MIT
//
// `npm run docs`: writes the tables of READMEs, and data of the page, that are made of the sources. Tests fail when one is stale.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** README, name of the section, module that makes it, its function. */
const SECTIONS = [
  ['src/trace/README.md', 'events', 'test/trace/schema-docs.ts', 'schemaTable'],
  ['src/kernel/syscalls/README.md', 'calls', 'test/kernel/syscall-docs.ts', 'syscallTable'],
  ['test/conformance/usertrap/README.md', 'scenarios', 'test/conformance/usertrap/tables.ts', 'scenarioTable'],
  ['test/conformance/usertrap/README.md', 'invariants', 'test/conformance/usertrap/tables.ts', 'invariantTable'],
  ['test/conformance/usertrap/README.md', 'facts', 'test/conformance/usertrap/tables.ts', 'factTable'],
  ['test/conformance/usertrap/README.md', 'rules', 'test/conformance/usertrap/tables.ts', 'ruleTable'],
  ['src/race/VERDICTS.md', 'placements', 'test/race/verdict-book.ts', 'placementTable'],
  ['src/race/VERDICTS.md', 'scenarios', 'test/race/verdict-book.ts', 'scenarioTable'],
  ['src/race/VERDICTS.md', 'hardware', 'test/race/verdict-book.ts', 'hardwareTable'],
  ['src/race/VERDICTS.md', 'mutants', 'test/race/verdict-book.ts', 'mutationTable'],
  ['src/race/VERDICTS.md', 'guards', 'test/race/guard-sweep.ts', 'guardTable'],
];

/** Files that are made as a whole, after the sections: file, module that makes it, its function, what it is made of. */
const FILES = [
  ['src/workshop/page/race/verdicts.json', 'test/race/verdict-data.ts', 'verdictData', 'src/race/VERDICTS.md'],
];

/** Folders with files that are made, by a function that gives their contents by name. */
const FOLDERS = [
  ['src/workshop/lessons', 'test/workshop/lesson-recordings.ts', 'lessonRecordings'],
  ['src/workshop/lessons/recordings', 'test/sandbox/recording/samples.ts', 'sampleRecordings'],
];

/** Names of files to be made; all where none is named. */
const only = process.argv.slice(2);

// Where the engine's packages are found.
const scratch = mkdtempSync(join(root, 'node_modules', '.docs-'));
try {
  for (const [readme, section, module, make] of SECTIONS) {
    if (only.length > 0 && !only.includes(readme)) continue;
    const path = join(root, readme);
    const before = readFileSync(path, 'utf8');
    const made = (await load(module))[make](root);
    const [head, rest] = before.split(`<!-- ${section} -->\n`);
    const tail = rest?.slice(rest.indexOf('<!-- end -->'));
    if (tail === undefined) throw new Error(`${readme} has no section ${section}`);
    const after = `${head}<!-- ${section} -->\n\n${made}\n${tail}`;
    if (after !== before) writeFileSync(path, after);
    console.log(`${readme}: ${after === before ? 'up to date' : 'written'}`);
  }
  for (const [file, module, make, source] of FILES) {
    if (only.length > 0 && !only.includes(file) && !only.includes(source)) continue;
    const path = join(root, file);
    const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const after = (await load(module))[make](root);
    if (after !== before) writeFileSync(path, after);
    console.log(`${file}: ${after === before ? 'up to date' : 'written'}`);
  }
  for (const [folder, module, make] of FOLDERS) {
    if (only.length > 0 && !only.includes(folder)) continue;
    for (const [name, after] of await (await load(module))[make](root)) {
      const path = join(root, folder, name);
      const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
      if (after !== before) writeFileSync(path, after);
      console.log(`${folder}/${name}: ${after === before ? 'up to date' : 'written'}`);
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** A TypeScript module of the tests, with what it imports, as one that Node takes. */
async function load(module) {
  const bundle = await rolldown({ cwd: root, input: module, platform: 'node', external: [/^node:/] });
  const { output } = await bundle.generate({ format: 'esm' });
  await bundle.close();
  const file = join(scratch, `${module.replaceAll('/', '-')}.mjs`);
  writeFileSync(file, output[0].code);
  return import(pathToFileURL(file).href);
}
