// SPDX-License-Identifier: MIT
//
// Writes a folder whole or not at all: beside its place first, then it is renamed. A folder that is there already is
// replaced only when an export made it and nothing else lies in it.

import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { TraplineError, reason } from '../../base/errors.ts';

/** Lists what an export made; its presence says that one did. */
export const MARKER = 'trapline-export.json';

interface Marker {
  readonly format: 'trapline-export';
  readonly version: 1;
  readonly files: Readonly<Record<string, string>>;
}

export class ExportFolder {
  readonly #target: string;
  readonly #staging: string;
  readonly #files: Record<string, string> = {};

  /** @throws TraplineError `WORKSHOP_EXPORT` when the folder cannot be made or is somebody else's */
  constructor(path: string) {
    this.#target = resolve(path);
    const parent = dirname(this.#target);
    if (!existsSync(parent)) throw exportError(`${parent} is not there; make it first`);
    refuseForeign(this.#target);
    this.#staging = join(parent, `.${basename(this.#target)}.${process.pid}.tmp`);
    try {
      mkdirSync(this.#staging);
    } catch (error) {
      throw exportError(`nothing can be written to ${parent}: ${reason(error)}`);
    }
  }

  /** Where files lie until it is finished. */
  get staging(): string {
    return this.#staging;
  }

  /** @param name slash-separated */
  add(name: string, content: string | Uint8Array): void {
    const path = join(this.#staging, ...name.split('/'));
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    } catch (error) {
      throw exportError(`${name} cannot be written: ${reason(error)}`);
    }
    this.#files[name] = hash(content);
  }

  get count(): number {
    return Object.keys(this.#files).length;
  }

  /** Puts the folder in its place. */
  finish(): void {
    const marker: Marker = { format: 'trapline-export', version: 1, files: this.#files };
    writeFileSync(join(this.#staging, MARKER), `${JSON.stringify(marker, null, 2)}\n`);
    const old = `${this.#staging}.old`;
    try {
      // Somebody may have put something there meanwhile.
      refuseForeign(this.#target);
      const isThere = existsSync(this.#target);
      if (isThere) renameSync(this.#target, old);
      renameSync(this.#staging, this.#target);
      rmSync(old, { recursive: true, force: true });
    } catch (error) {
      if (existsSync(old) && !existsSync(this.#target)) renameSync(old, this.#target);
      throw error instanceof TraplineError ? error : exportError(reason(error));
    }
  }

  /** Leaves nothing behind. */
  discard(): void {
    rmSync(this.#staging, { recursive: true, force: true });
  }
}

/** @throws TraplineError `WORKSHOP_EXPORT` for a folder that no export has made, or that holds more */
function refuseForeign(target: string): void {
  if (!existsSync(target)) return;
  if (!lstatSync(target).isDirectory()) throw exportError(`${target} is there and is no folder`);
  const names = readdirSync(target, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(target, join(entry.parentPath, entry.name)).split(sep).join('/'));
  if (names.length === 0) return;
  const files = readMarker(join(target, MARKER));
  if (files === undefined) {
    throw exportError(`${target} is there already, and trapline did not make it; choose another folder`);
  }
  for (const name of names) {
    if (name === MARKER) continue;
    if (!Object.hasOwn(files, name))
      throw exportError(`${target} holds ${name}, which is not trapline's; move it away`);
    if (files[name] !== hash(readFileSync(join(target, name)))) {
      throw exportError(`${target}: ${name} was changed since trapline made it; move it away or choose another folder`);
    }
  }
}

function readMarker(path: string): Marker['files'] | undefined {
  try {
    const marker = JSON.parse(readFileSync(path, 'utf8')) as Partial<Marker>;
    return marker.format === 'trapline-export' && typeof marker.files === 'object' ? marker.files : undefined;
  } catch {
    return undefined;
  }
}

function hash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function exportError(why: string): TraplineError {
  return new TraplineError('WORKSHOP_EXPORT', `nothing was exported: ${why}`);
}
