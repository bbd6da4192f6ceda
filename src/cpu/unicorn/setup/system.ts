// SPDX-License-Identifier: MIT
//
// What kind of system this is, and how a person installs something on it.

import { existsSync, readFileSync, writeSync } from 'node:fs';
import { delimiter, join } from 'node:path';

let showsSteps = false;
let announced = false;

/** From now on each step of a set-up says its line. */
export function showSteps(): void {
  showsSteps = true;
}

/**
 * Says on stderr what takes time, at once, whatever state the event loop is in. Where somebody asked for a set-up
 * each step has its line; a program that only wants to run gets one for all of them.
 */
export function say(line: string): void {
  if (announced && !showsSteps) return;
  announced = true;
  try {
    writeSync(2, `trapline: ${showsSteps ? '' : 'setting up the engine, once: '}${line}\n`);
  } catch {
    // A closed stderr must not end the set-up.
  }
}

/** Ids of this distribution and of those that it derives from (os-release(5)), such as `['ubuntu', 'debian']`. */
export function distributionIds(text = readOsRelease()): string[] {
  const ids: string[] = [];
  for (const key of ['ID', 'ID_LIKE']) {
    const value = new RegExp(`^${key}=["']?([^"'\\n]*)["']?$`, 'm').exec(text)?.[1] ?? '';
    ids.push(...value.split(/\s+/).filter((word) => word !== ''));
  }
  return ids;
}

/** The full path of a command on PATH. */
export function findCommand(name: string): string | undefined {
  if (name.includes('/')) return existsSync(name) ? name : undefined;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && existsSync(path)) return path;
  }
  return undefined;
}

const INSTALL: Readonly<Record<string, { readonly library: string; readonly compiler: string }>> = {
  darwin: { library: 'brew install unicorn', compiler: 'xcode-select --install' },
  arch: { library: 'sudo pacman -S unicorn', compiler: 'sudo pacman -S gcc' },
  alpine: { library: 'sudo apk add unicorn', compiler: 'sudo apk add g++' },
  fedora: { library: 'sudo dnf install unicorn', compiler: 'sudo dnf install gcc-c++' },
  debian: { library: 'sudo apt-get install libunicorn2t64', compiler: 'sudo apt-get install g++' },
};

/** The command that installs libunicorn or a C++ compiler here; undefined on a system that is not known. */
export function installCommand(what: 'library' | 'compiler', ids = systemIds()): string | undefined {
  for (const id of ids) {
    const commands = INSTALL[id];
    if (commands !== undefined) return commands[what];
  }
  return undefined;
}

function systemIds(): string[] {
  return process.platform === 'linux' ? distributionIds() : [process.platform];
}

function readOsRelease(): string {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // The next place, or an unknown system.
    }
  }
  return '';
}
