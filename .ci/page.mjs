// SPDX-License-Identifier: MIT
//
// Builds the workshop's page with Vite: index.html as files for a server, and as one file each, for use from disk,
// viewer.html (a template that a recording is put into) and static.html (index.html with all that belongs to it);
// check.html, which checks hand-in lines, as both.
//
//   node .ci/page.mjs FOLDER

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, 'src', 'workshop', 'page');

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node .ci/page.mjs FOLDER');
  process.exit(2);
}
const LICENCES = 'LICENSES.md';

const target = resolve(folder);
mkdirSync(target, { recursive: true });

await build(settings('check.html', target));
// Last of the two: its list of licences is the longer one.
await build(settings('index.html', target));
writeFileSync(join(target, LICENCES), licences(target));
await joined('viewer.html', 'viewer.html');
await joined('index.html', 'static.html');
await joined('check.html', 'check-static.html');

/** @param isStatic there is no server behind the page */
function settings(entry, outDir, isStatic = false) {
  return {
    root: page,
    base: './',
    configFile: false,
    plugins: [icedForBrowsers()],
    logLevel: 'warn',
    define: { TRAPLINE_STATIC: JSON.stringify(isStatic) },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: false,
      // What Firefox ESR 128 and Safari 17 have.
      target: ['firefox128', 'safari17', 'chrome120'],
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 20_000,
      // Licences of the libraries go with them.
      license: { fileName: LICENCES },
      rolldownOptions: {
        input: join(page, entry),
        checks: { pluginTimings: false, bundlerTimings: false },
        ...(isStatic && { output: { codeSplitting: false } }),
      },
    },
  };
}

/** One of the pages as one file: its script and its style inside, and only those may run. */
async function joined(entry, name) {
  const scratch = mkdtempSync(join(root, 'node_modules', '.trapline-page-'));
  try {
    await build(settings(entry, scratch, true));
    const assets = join(scratch, 'assets');
    let html = readFileSync(join(scratch, entry), 'utf8');
    for (const file of readdirSync(assets)) {
      const content = readFileSync(join(assets, file), 'utf8');
      if (file.endsWith('.css')) {
        html = html.replace(new RegExp(`<link[^>]*${escaped(file)}"[^>]*>`), () => `<style>${content}</style>`);
      } else if (file.endsWith('.js')) {
        const script = content.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
        const sum = createHash('sha256').update(script).digest('base64');
        html = html
          .replace(new RegExp(`<script[^>]*${escaped(file)}"[^>]*></script>`), '')
          .replace('</body>', () => `<script type="module">${script}</script>\n</body>`)
          .replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, () => policy(sum, entry));
      } else throw new Error(`${name}: do not know how to put ${file} into one file`);
    }
    html = html.replace(
      '</body>',
      () =>
        `<script type="text/plain" id="licences">\n${licences(scratch).replaceAll('</script', '<\\/script')}</script>\n</body>`,
    );
    if (/\b(src|href)="\.\/assets/.test(html) || html.includes("'self'")) {
      throw new Error(`${name}: something is left outside`);
    }
    writeFileSync(join(target, name), html);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What Vite found, and the package that comes as a module of our own; viewers have it too, for one text for all. */
function licences(built) {
  const found = existsSync(join(built, LICENCES)) ? readFileSync(join(built, LICENCES), 'utf8') : '# Licenses\n';
  const own = readFileSync(join(root, 'node_modules', 'iced-x86', 'LICENSE.txt'), 'utf8');
  return `${found.trimEnd()}\n\n## iced-x86 (MIT)\n\n${own.trim()}\n`;
}

/**
 * `virtual:iced-x86`: the package is published for Node alone, so its glue becomes a module of its own, with the wasm in
 * it, compressed. One chunk that is loaded when somebody edits bytes, and that works from disk.
 */
function icedForBrowsers() {
  const name = 'virtual:iced-x86';
  return {
    name: 'iced-for-browsers',
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load(id) {
      if (id !== `\0${name}`) return undefined;
      const glueFile = createRequire(import.meta.url).resolve('iced-x86');
      const glue = readFileSync(glueFile, 'utf8');
      const end = glue.indexOf("const path = require('path')");
      const head = 'const { TextDecoder, TextEncoder } = require(`util`);';
      if (end < 0 || !glue.includes(head)) throw new Error('iced-x86 is not as it was: look at its glue');
      const wasm = gzipSync(readFileSync(join(dirname(glueFile), 'iced_x86_bg.wasm')), { level: 9 }).toString('base64');
      return `const module = { exports: {} };
${glue.slice(0, end).replace(head, '')}
export async function loadIced() {
  const packed = Uint8Array.from(atob('${wasm}'), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const { instance } = await WebAssembly.instantiate(await new Response(stream).arrayBuffer(), imports);
  wasm = instance.exports;
  module.exports.__wasm = wasm;
  return module.exports;
}
`;
    },
  };
}

/** No network at all, and no script but the one with this sum. Style elements are xterm's. */
function policy(sum, entry) {
  // The disassembler of the lessons is wasm; the viewer has none.
  const wasm = entry === 'index.html' ? " 'wasm-unsafe-eval'" : '';
  const rules = [
    `default-src 'none'`,
    `script-src 'sha256-${sum}'${wasm}`,
    `style-src 'unsafe-inline'`,
    'img-src data:',
  ];
  return `<meta http-equiv="Content-Security-Policy" content="${rules.join('; ')}" />`;
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
