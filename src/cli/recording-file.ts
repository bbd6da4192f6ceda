// SPDX-License-Identifier: MIT
//
// What `--html FILE` writes: a page of its own with the recordings in it, or the bare recordings where FILE ends in
// `.json`. Whole or not at all.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { packageFolder } from '../cpu/unicorn/setup/index.ts';
import { recordingPage, recordingsJson } from '../report/recording-page.ts';
import type { Recording } from '../trace/recording/format.ts';
import { ResultFile } from './output-file.ts';
import { UsageError } from './usage-error.ts';

export class RecordingFile {
  readonly #file: ResultFile;
  /** Null for the bare form. */
  readonly #template: string | null;

  /** @throws UsageError when the file cannot be written, or there is no viewer to put into it */
  constructor(path: string) {
    this.#template = path.endsWith('.json') ? null : viewerTemplate();
    this.#file = new ResultFile('--html', path);
  }

  /** @throws UsageError when it could not be written */
  finish(recordings: readonly Recording[], title: string): void {
    const json = recordingsJson(recordings, title);
    this.#file.finish(this.#template === null ? `${json}\n` : recordingPage(this.#template, json, deflateSync));
  }

  /** Leaves nothing behind. */
  discard(): void {
    this.#file.discard();
  }
}

function viewerTemplate(): string {
  const path = join(packageFolder(), 'dist', 'workshop', 'page', 'viewer.html');
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new UsageError(
      '--html: the viewer is not built; run npm run build, or name a file that ends in .json for the bare recording',
    );
  }
}
