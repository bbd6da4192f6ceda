// SPDX-License-Identifier: MIT
//
// Builds the workshop's page with Vite: index.html as files for a server, and as one file each, for use from disk,
// viewer.html (a template that a recording is put into) and static.html (index.html with all that belongs to it).
//
//   node .ci/page.mjs FOLDER

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, 'src', 'workshop', 'page');

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node .ci/page.mjs FOLDER');
  process.exit(2);
}
const target = resolve(folder);
mkdirSync(target, { recursive: true });

await build(settings('index.html', target));
await joined('viewer.html', 'viewer.html');
await joined('index.html', 'static.html');

function settings(entry, outDir, more = {}) {
  return {
    root: page,
    base: './',
    configFile: false,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: false,
      // What Firefox ESR 128 and Safari 17 have.
      target: ['firefox128', 'safari17', 'chrome120'],
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 2000,
      // Licences of the libraries stay in.
      license: { fileName: 'LICENSES.md' },
      rolldownOptions: { input: join(page, entry), ...more },
    },
  };
}

/** One of the pages as one file: its script and its style inside, and only those may run. */
async function joined(entry, name) {
  const scratch = mkdtempSync(join(root, 'node_modules', '.trapline-page-'));
  try {
    await build(settings(entry, scratch, { output: { codeSplitting: false } }));
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
          .replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, () => policy(sum));
      } else throw new Error(`${name}: do not know how to put ${file} into one file`);
    }
    if (/\b(src|href)="\.\/assets/.test(html) || html.includes("'self'")) {
      throw new Error(`${name}: something is left outside`);
    }
    writeFileSync(join(target, name), html);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** No network at all, and no script but the one with this sum. Style elements are xterm's. */
function policy(sum) {
  const rules = [`default-src 'none'`, `script-src 'sha256-${sum}'`, `style-src 'unsafe-inline'`, 'img-src data:'];
  return `<meta http-equiv="Content-Security-Policy" content="${rules.join('; ')}" />`;
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
