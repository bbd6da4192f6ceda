// SPDX-License-Identifier: MIT
//
// Joins the modules of the command into few files, so that Node does not open two hundred at every start. The
// modules stay beside them for programs that import the package.
//
//   node .ci/bundle.mjs FOLDER        FOLDER holds what tsc made

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

const [folder] = process.argv.slice(2);
const bundle = await rolldown({
  cwd: folder,
  input: { cli: 'cli.js' },
  platform: 'node',
  external: [/^node:/, 'commander', 'fzstd', 'iced-x86', 'pino'],
});
// The depth of the folder is that of the modules, which find package.json from where they are.
const { output } = await bundle.generate({ format: 'esm', chunkFileNames: 'chunks/[name]-[hash].js' });
await bundle.close();
for (const file of output) {
  const path = join(folder, file.fileName);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, file.code);
}
