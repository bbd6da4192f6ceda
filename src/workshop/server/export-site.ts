// SPDX-License-Identifier: MIT
//
// `trapline workshop --export`: the workshop as files that need no server: page, check of hand-in lines, slides, pictures
// of them, handouts, the teacher's page, licences.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TraplineError } from '../../base/errors.ts';
import type { Slide } from '../material/slide-deck.ts';
import { findChromium, PictureBrowser } from './chromium.ts';
import { ExportFolder } from './export-folder.ts';
import { makeMaterial } from './material-files.ts';

export interface ExportOptions {
  readonly target: string;
  /** `dist/workshop` of the build. */
  readonly buildFolder: string;
  /** `none`: no pictures are wanted; a path: this browser and no other; undefined: one that is found. */
  readonly browser: 'none' | { readonly path: string } | undefined;
}

export interface ExportResult {
  readonly files: number;
  readonly slides: number;
  readonly pictures: number;
  /** Why there are no pictures, although they were wanted. */
  readonly leftOut: string | undefined;
}

const WIDTH = 1280;
const HEIGHT = 720;
/** What ends an export on the way. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Writes the folder, whole or not at all.
 * @throws TraplineError `WORKSHOP_…`, `LESSON_FILE`; `WORKSHOP_BROWSER` only for a browser that was asked for
 */
export async function exportSite(options: ExportOptions): Promise<ExportResult> {
  const { buildFolder } = options;
  const { pages, slides } = makeMaterial(buildFolder);
  const folder = new ExportFolder(options.target);
  const interrupt = (_: NodeJS.Signals, signo: number): void => {
    folder.discard();
    process.exit(128 + signo);
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    folder.add('index.html', built(buildFolder, 'static.html'));
    folder.add('check.html', built(buildFolder, 'check-static.html'));
    folder.add('viewer.html', built(buildFolder, 'viewer.html'));
    folder.add('LICENSES.md', built(buildFolder, 'LICENSES.md'));
    folder.add('LICENSE-CC-BY-4.0.txt', LICENCE);
    for (const [name, html] of pages) folder.add(name, html);
    const { pictures, leftOut } = await addPictures(folder, slides, options.browser);
    folder.finish();
    return { files: folder.count, slides: slides.length, pictures, leftOut };
  } catch (error) {
    folder.discard();
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

function built(buildFolder: string, name: string): Uint8Array {
  const path = join(buildFolder, 'page', name);
  if (!existsSync(path))
    throw new TraplineError('WORKSHOP_PAGE', `${name} of the workshop is not built: run npm run build`);
  return readFileSync(path);
}

async function addPictures(
  folder: ExportFolder,
  slides: readonly Slide[],
  wanted: ExportOptions['browser'],
): Promise<{ pictures: number; leftOut: string | undefined }> {
  if (wanted === 'none') return { pictures: 0, leftOut: undefined };
  const path = wanted?.path ?? findChromium();
  if (path === undefined) return { pictures: 0, leftOut: 'no Chromium was found; name one with --browser PATH' };
  let taken: readonly (readonly [string, Uint8Array])[];
  try {
    taken = await takePictures(path, pathToFileURL(join(folder.staging, 'slides.html')).href, slides);
  } catch (error) {
    if (wanted !== undefined || !(error instanceof TraplineError)) throw error;
    return { pictures: 0, leftOut: error.message };
  }
  for (const [name, png] of taken) folder.add(`pictures/${name}.png`, png);
  return { pictures: taken.length, leftOut: undefined };
}

async function takePictures(
  browserPath: string,
  deck: string,
  slides: readonly Slide[],
): Promise<readonly (readonly [string, Uint8Array])[]> {
  const browser = await PictureBrowser.start(browserPath, WIDTH, HEIGHT);
  try {
    await browser.open(deck);
    const pictures: (readonly [string, Uint8Array])[] = [];
    for (const [index, { name }] of slides.entries()) {
      await browser.evaluate(`show(${index}); new Promise((done) => requestAnimationFrame(() => done()))`);
      pictures.push([name, await browser.picture()]);
    }
    return pictures;
  } finally {
    await browser.close();
  }
}

const LICENCE = `Texts, lessons, slides, pictures and handouts of the Trapline workshop

Licence: Creative Commons Attribution 4.0 International (CC BY 4.0)
https://creativecommons.org/licenses/by/4.0/

You may copy, share, change and use them, also for money, as long as you name Trapline as their source, link to the
licence, and say whether you changed something. They come without any warranty.

The program in index.html, check.html and viewer.html is under the MIT licence; LICENSES.md names the libraries in it.
`;
