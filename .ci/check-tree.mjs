// SPDX-License-Identifier: MIT
//
// Rules of the tree that no ordinary linter knows: which folder may import which, what the runtime-neutral core may
// touch, licence headers, file sizes, layout, pairs of places that must change together. `--divergences` lists
// where Trapline differs from gVisor instead.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bottom up: a folder imports only from itself and from those before it. */
const LAYERS = [
  'base',
  'abi',
  'isa',
  'trace',
  'cpu',
  'mm',
  'loader',
  'usertrap',
  'platform',
  'vfs',
  'net',
  'kernel',
  'sandbox',
  'race',
  'testing',
  'report',
  'gdb',
  'workshop',
  'cli',
];

/** Where Node may be used; everything else in src must also run in a browser. */
const NODE_SIDE = /^src\/(cpu\/unicorn\/|sandbox\/host-node|testing\/|gdb\/|workshop\/|cli\/|cli\.ts$)/;

const TOP_LEVEL = /^(package(-lock)?\.json|tsconfig\.json|src|guests|test|logs|README\.md|LICENSE|\.gitignore|\.ci)$/;

const MAX_LINES = 800;
const CODE = /(\.(tsx?|css|html|mjs|cc|h|c|S|inc|sh)|^\.ci\/run)$/;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '' && existsSync(join(root, name)));
const code = files.filter((name) => CODE.test(name));
const text = new Map(code.map((name) => [name, readFileSync(join(root, name), 'utf8')]));

if (process.argv.includes('--divergences')) {
  listDivergences();
} else {
  const problems = [...layout(), ...code.flatMap((name) => [...checkFile(name, text.get(name))])];
  for (const problem of problems) console.error(problem);
  console.log(`${code.length} files checked, ${problems.length} problems`);
  process.exit(problems.length === 0 ? 0 : 1);
}

function* layout() {
  for (const name of new Set(files.map((file) => file.split('/')[0]))) {
    if (!TOP_LEVEL.test(name)) yield `${name}: does not belong at the top level`;
  }
}

function* checkFile(name, content) {
  const lines = content.split('\n');
  if (!lines.slice(0, 2).some((line) => line.includes('SPDX-License-Identifier: MIT'))) yield `${name}:1: no SPDX line`;
  if (lines.length > MAX_LINES) yield `${name}: ${lines.length} lines; ${MAX_LINES} is the most`;
  if (name.startsWith('src/') && /\.tsx?$/.test(name)) yield* checkImports(name, content);
  if (name.startsWith('test/') && name.endsWith('.ts')) yield* checkTestImports(name, content);
  for (const [index, line] of lines.entries()) {
    const at = `${name}:${index + 1}`;
    if (name !== '.ci/check-tree.mjs') {
      if (/\b(TODO|FIXME|XXX)\b/.test(line) && !line.includes('its FIXME')) yield `${at}: something is left open`;
      const statement = line.replace(/^\s*(\/\/|\*|\/\*).*/, '');
      if (
        /\b(it|test|describe|suite|property)\.(skip|only|todo)\b|\bas any\b|: any\s*([;,)=|&>{[\]]|$)/.test(
          statement,
        ) ||
        /@ts-(ignore|nocheck|expect-error)|oxlint-disable|eslint-disable/.test(line)
      ) {
        yield `${at}: a test or a check is silenced`;
      }
      if (/https?:\/\/[^/ ]*(registry|mirror)[^/ ]*\/|https?:\/\/deb\./.test(line))
        yield `${at}: names a package mirror`;
      if (dirname(root).length > 1 && dirname(root) !== '/tmp' && line.includes(`${dirname(root)}/`)) {
        yield `${at}: names a path of this machine`;
      }
    }
    yield* checkPair(at, line);
    const divergence = /\bDIVERGES\b(.*)$/.exec(line);
    if (
      divergence !== null &&
      /^\s*(\/\/|\*|#)/.test(line.trimStart()) &&
      !/^( \([^)]*\))?: .{8,}/.test(divergence[1])
    ) {
      yield `${at}: DIVERGES needs its reason on the same line, after a colon`;
    }
  }
}

/** `KEEP IN SYNC: path NAME` asks for a place named NAME in the other file; the path is seen from the root. */
function* checkPair(at, line) {
  const pair = /(?:\/\/|#|\*) KEEP IN SYNC: (\S+)(?: ([A-Za-z_]\w*))?/.exec(line);
  if (pair === null) return;
  const [, path, symbol] = pair;
  if (!existsSync(join(root, path))) yield `${at}: KEEP IN SYNC names ${path}, which is not there`;
  else if (symbol !== undefined && !readFileSync(join(root, path), 'utf8').includes(symbol)) {
    yield `${at}: KEEP IN SYNC names ${symbol}, which ${path} does not hold`;
  }
}

function* checkImports(name, content) {
  const own = layerOf(name);
  if (own === -1) yield `${name}: its folder has no place in the order of layers`;
  for (const target of imports(content)) {
    if (target.startsWith('.')) {
      const path = normalize(join(dirname(name), target));
      if (!path.startsWith('src/')) {
        yield `${name}: imports ${target}, outside src`;
        continue;
      }
      if (!/\.(tsx?|json|css)$/.test(target)) yield `${name}: imports ${target} without .ts`;
      yield* checkPageImport(name, path);
      if (layerOf(path) > own) yield `${name}: imports ${path} from a higher layer`;
      if (!NODE_SIDE.test(name) && NODE_SIDE.test(path))
        yield `${name}: the neutral core imports ${path}, which needs Node`;
    } else if (!NODE_SIDE.test(name) && target.startsWith('node:')) {
      yield `${name}: the neutral core imports ${target}`;
    } else if (name.startsWith('src/cpu/unicorn/setup/') && !target.startsWith('node:')) {
      yield `${name}: set-up imports ${target}; it must work without other packages`;
    }
  }
}

/** The viewer of recordings knows recordings and nothing of the machine; the page around it runs in a browser. */
function* checkPageImport(name, path) {
  if (!name.startsWith('src/workshop/page/')) return;
  const allowed = name.startsWith('src/workshop/page/viewer/')
    ? /^src\/(base|trace|workshop\/(texts|page\/viewer))\//
    : /^src\/(base|trace|isa|workshop\/(texts|lessons|lab|page)\/|workshop\/(api|api-requests|hand-in)\.ts)/;
  if (!allowed.test(path)) yield `${name}: imports ${path}, which is not for the page`;
}

function* checkTestImports(name, content) {
  for (const target of imports(content)) {
    if (!target.startsWith('.')) continue;
    const path = normalize(join(dirname(name), target));
    if (!/^(src|test)\//.test(path)) yield `${name}: imports ${path}`;
  }
}

function layerOf(path) {
  if (path === 'src/cli.ts') return LAYERS.indexOf('cli');
  return LAYERS.indexOf(path.split('/')[1]);
}

/** Module names of all static and dynamic imports and re-exports. */
function imports(content) {
  const found = content.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^'";]*?\bfrom\s*'([^']+)'|\bimport\s*\(\s*'([^']+)'|(?:^|\n)import\s+'([^']+)'/g,
  );
  return [...found].map((match) => match[1] ?? match[2] ?? match[3]);
}

function listDivergences() {
  for (const [name, content] of text) {
    if (name === '.ci/check-tree.mjs') continue;
    const lines = content.split('\n');
    for (const [index, line] of lines.entries()) {
      const divergence = /\bDIVERGES(?: \([^)]*\))?: (.*)$/.exec(line);
      if (divergence === null) continue;
      const reason = [divergence[1]];
      // The comment goes on until a line that is none, or an empty one.
      for (const next of lines.slice(index + 1)) {
        const more = /^\s*(?:\/\/|\*(?!\/)|#) +(\S.*)$/.exec(next);
        if (more === null || /[.!]$/.test(reason.at(-1))) break;
        reason.push(more[1]);
      }
      console.log(`${name}:${index + 1}: ${reason.join(' ')}`);
    }
  }
}
