// SPDX-License-Identifier: MIT
//
// Host files below one directory, on any system. Every part of a path is looked at before it is used, and a link is
// never followed; where the system has /proc/self/fd, parents are held open, so that nothing that happens to names on
// the host meanwhile can lead outside. Models openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS.

import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EPERM, EROFS, ESTALE } from '../../abi/errno.ts';
import { errnoText } from '../../abi/errno-text.ts';
import { TraplineError } from '../../base/errors.ts';
import type { HostDirectory, HostFile, HostStat } from '../../base/host.ts';
import { attempt, toErrno } from './errors.ts';
import { NodeFile, toHostStat } from './file.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY, O_NONBLOCK } = constants;
/** Not among Node's constants; Linux only. */
const O_PATH = 0o10000000;
const O_NOATIME = 0o1000000;

/** Descriptors can be used as paths: Linux with /proc. */
const HAS_FD_PATHS = existsSync('/proc/self/fd');

/** Directories that are held open at the same time. */
const MAX_HELD = 128;
const NAME_MAX = 255;

/** Finds the place to work on: a path that the system resolves without meeting a link that we have not checked. */
interface Place {
  /** Absolute path of the file, to be used without following its last part. */
  readonly path: Buffer;
}

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

/** Splits and checks a path of the core: no empty, `.` or `..` parts. */
function partsOf(path: string): string[] | number {
  if (path === '') return [];
  const parts = path.split('/');
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..' || part.includes('\0')) return -ENOENT;
    if (part.length > NAME_MAX) return -ENAMETOOLONG;
  }
  return parts;
}

/** Resolves paths below one directory. */
interface Resolver {
  /** The directory itself, for looks at it. */
  root(): Buffer | number;
  place(parts: readonly string[]): Place | number;
  dispose(): void;
}

function below(root: string, key: string): string {
  return root === '/' ? `/${key}` : `${root}/${key}`;
}

interface Descriptors {
  readonly rootFd: number;
  readonly held: Map<string, number>;
}

function closeAll({ rootFd, held }: Descriptors): void {
  for (const fd of held.values()) closeSync(fd);
  held.clear();
  closeSync(rootFd);
}

/** Closes what a caller has dropped without disposing of it. */
const forgotten = new FinalizationRegistry<Descriptors>(closeAll);

/** With /proc/self/fd: the parent is an open descriptor, reached part by part with O_NOFOLLOW. */
class HeldResolver implements Resolver {
  readonly #rootFd: number;
  /** Where that was when it was last looked at. */
  #rootPath: string;
  /** Open directories by path, in the order of last use. */
  readonly #held = new Map<string, number>();

  constructor(path: string) {
    this.#rootFd = openSync(path, O_PATH | O_DIRECTORY | O_RDONLY);
    forgotten.register(this, { rootFd: this.#rootFd, held: this.#held }, this);
    this.#rootPath = readlinkSync(`/proc/self/fd/${this.#rootFd}`, 'latin1');
  }

  root(): Buffer {
    return bytes(`/proc/self/fd/${this.#rootFd}/.`);
  }

  place(parts: readonly string[]): Place | number {
    const parent = this.#parent(parts.slice(0, -1));
    if (parent < 0) return parent;
    return { path: bytes(`/proc/self/fd/${parent}/${parts.at(-1) ?? '.'}`) };
  }

  /** A descriptor of the directory, or -errno. */
  #parent(parts: readonly string[]): number {
    if (parts.length === 0) return this.#rootFd;
    const key = parts.join('/');
    const held = this.#held.get(key);
    if (held !== undefined) {
      this.#held.delete(key);
      if (this.#isStill(held, key)) {
        this.#held.set(key, held);
        return held;
      }
      closeSync(held);
    }
    const above = this.#parent(parts.slice(0, -1));
    if (above < 0) return above;
    const name = parts.at(-1) ?? '.';
    const fd = attempt(() => openSync(bytes(`/proc/self/fd/${above}/${name}`), O_PATH | O_DIRECTORY | O_NOFOLLOW));
    if (fd < 0) return fd;
    // The oldest that is not on the way to this one.
    if (this.#held.size >= MAX_HELD) {
      for (const [oldKey, oldFd] of this.#held) {
        if (key.startsWith(oldKey + '/')) continue;
        this.#held.delete(oldKey);
        closeSync(oldFd);
        break;
      }
    }
    this.#held.set(key, fd);
    return fd;
  }

  /** A held directory that the host has moved or removed since is not where its path says any more. */
  #isStill(fd: number, key: string): boolean {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`, 'latin1');
      if (path === below(this.#rootPath, key)) return true;
      // Or the directory that holds everything was moved, which changes nothing for us.
      this.#rootPath = readlinkSync(`/proc/self/fd/${this.#rootFd}`, 'latin1');
      return path === below(this.#rootPath, key);
    } catch {
      return false;
    }
  }

  dispose(): void {
    forgotten.unregister(this);
    closeAll({ rootFd: this.#rootFd, held: this.#held });
  }
}

/**
 * Elsewhere: each part is looked at with lstat. A host process that swaps a directory for a link in between can win a
 * race here; the identity checks after opening make that visible for files.
 */
class CheckedResolver implements Resolver {
  readonly #root: string;

  constructor(path: string) {
    this.#root = Buffer.from(resolve(path), 'utf8').toString('latin1');
  }

  root(): Buffer {
    return bytes(this.#root);
  }

  place(parts: readonly string[]): Place | number {
    let at = this.#root;
    for (const part of parts.slice(0, -1)) {
      at = `${at}/${part}`;
      const path = bytes(at);
      const stat = attempt(() => lstatSync(path));
      if (typeof stat === 'number') return stat;
      if (stat.isSymbolicLink()) return -ELOOP;
      if (!stat.isDirectory()) return -ENOTDIR;
    }
    return { path: bytes(`${at}/${parts.at(-1) ?? '.'}`) };
  }

  dispose(): void {}
}

/** A directory of the host, opened by the caller of Trapline. */
export class NodeDirectory implements HostDirectory {
  readonly writable: boolean;
  readonly maker = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  readonly #resolver: Resolver;

  /** @param hold use descriptors of parents; by default where the system can */
  constructor(path: string, writable: boolean, hold = HAS_FD_PATHS) {
    this.writable = writable;
    this.#resolver = hold ? new HeldResolver(path) : new CheckedResolver(path);
  }

  #place(path: string): Place | number {
    const parts = partsOf(path);
    if (typeof parts === 'number') return parts;
    if (parts.length === 0) {
      const root = this.#resolver.root();
      return typeof root === 'number' ? root : { path: root };
    }
    return this.#resolver.place(parts);
  }

  /** Runs `action` on a checked path; exceptions as -errno. */
  #at<T>(path: string, action: (place: Buffer) => T | number): T | number {
    try {
      const place = this.#place(path);
      return typeof place === 'number' ? place : action(place.path);
    } catch (error) {
      return toErrno(error);
    }
  }

  /** The same for changes. */
  #change(path: string, action: (place: Buffer) => void): number {
    if (!this.writable) return -EROFS;
    if (path === '') return -EPERM;
    return this.#at<number>(path, (place) => {
      action(place);
      return 0;
    });
  }

  stat(path: string): HostStat | number {
    return this.#at<HostStat>(path, statAt);
  }

  statAll(path: string, names: readonly string[]): readonly (HostStat | number)[] | number {
    // The directory is found and checked once, as the parent of a name in it.
    return this.#at(path === '' ? 'x' : `${path}/x`, (place) => {
      const directory = place.subarray(0, place.length - 1);
      return names.map((name) => {
        const parts = partsOf(name);
        if (typeof parts === 'number' || parts.length !== 1) return typeof parts === 'number' ? parts : -ENOENT;
        return attempt(() => statAt(Buffer.concat([directory, bytes(name)])));
      });
    });
  }

  list(path: string): readonly string[] | number {
    return this.#at(path, (place) => {
      const fd = openSync(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
      try {
        const from = HAS_FD_PATHS ? bytes(`/proc/self/fd/${fd}`) : place;
        // Latin-1 names sort by bytes.
        return readdirSync(from, { encoding: 'latin1' }).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      } finally {
        closeSync(fd);
      }
    });
  }

  readlink(path: string): string | number {
    return this.#at<string>(path, (place) => readlinkSync(place, 'latin1'));
  }

  open(path: string, write: boolean): HostFile | number {
    if (write && !this.writable) return -EROFS;
    return this.#at<HostFile>(path, (place) => {
      // Opening a FIFO or a device can block or do things: only regular files are opened at all.
      const before = lstatSync(place, { bigint: true });
      if (before.isSymbolicLink()) return -ELOOP;
      if (!before.isFile()) return -ENXIO;
      const fd = openQuietly(place, (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK);
      const after = fstatSync(fd, { bigint: true });
      if (!after.isFile() || after.ino !== before.ino || after.dev !== before.dev) {
        closeSync(fd);
        return -ESTALE;
      }
      return new NodeFile(fd);
    });
  }

  create(path: string, mode: number): HostFile | number {
    if (!this.writable) return -EROFS;
    return this.#at<HostFile>(path, (place) => {
      const fd = openSync(place, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
      // The guest's umask has been applied; the tool's own must not take away more.
      fchmodSync(fd, mode);
      return new NodeFile(fd);
    });
  }

  mkdir(path: string, mode: number): number {
    return this.#change(path, (place) => {
      mkdirSync(place, mode);
      chmodNoFollow(place, mode);
    });
  }

  unlink(path: string): number {
    return this.#change(path, (place) => unlinkSync(place));
  }

  rmdir(path: string): number {
    return this.#change(path, (place) => rmdirSync(place));
  }

  rename(from: string, to: string): number {
    if (to === '') return -EPERM;
    return this.#change(from, (place) => {
      const target = this.#place(to);
      if (typeof target === 'number') throw Object.assign(new Error('target'), { code: codeOf(target) });
      renameSync(place, target.path);
    });
  }

  symlink(target: string, path: string): number {
    return this.#change(path, (place) => symlinkSync(bytes(target), place));
  }

  link(from: string, to: string): number {
    if (to === '') return -EPERM;
    return this.#change(from, (place) => {
      const target = this.#place(to);
      if (typeof target === 'number') throw Object.assign(new Error('target'), { code: codeOf(target) });
      linkSync(place, target.path);
    });
  }

  chmod(path: string, mode: number): number {
    return this.#change(path, (place) => chmodNoFollow(place, mode));
  }

  utimes(path: string, atimeNs: bigint, mtimeNs: bigint): number {
    // Node takes what lies before 1970 for "now"; file systems that cannot keep such times keep the nearest.
    const seconds = (ns: bigint): number => Math.max(0, Number(ns) / 1e9);
    return this.#change(path, (place) => lutimesSync(place, seconds(atimeNs), seconds(mtimeNs)));
  }

  /** Lets go of the descriptors. */
  dispose(): void {
    this.#resolver.dispose();
  }
}

/** Node takes a parent that is no directory for "no entry" as well. */
function statAt(place: Buffer): HostStat | number {
  const stat = lstatSync(place, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? -ENOENT : toHostStat(stat);
}

/** Reading must not change the host's access times, where we may say so. */
function openQuietly(place: Buffer, flags: number): number {
  if (process.platform === 'linux') {
    try {
      return openSync(place, flags | O_NOATIME);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EPERM') throw error;
    }
  }
  return openSync(place, flags);
}

/** chmod that a link put in the file's place at the last moment cannot redirect. */
function chmodNoFollow(place: Buffer, mode: number): void {
  if (process.platform !== 'linux') {
    if (!lstatSync(place).isSymbolicLink()) chmodSync(place, mode);
    return;
  }
  const fd = openSync(place, O_PATH | O_NOFOLLOW);
  try {
    if (fstatSync(fd).isSymbolicLink()) throw Object.assign(new Error('a link'), { code: 'EOPNOTSUPP' });
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

const CODES = new Map<number, string>([
  [-ENOENT, 'ENOENT'],
  [-ENOTDIR, 'ENOTDIR'],
  [-ELOOP, 'ELOOP'],
  [-ENAMETOOLONG, 'ENAMETOOLONG'],
]);

function codeOf(error: number): string {
  return CODES.get(error) ?? 'EACCES';
}

/**
 * Opens a directory of the host for guests.
 * @throws TraplineError `HOST_DIRECTORY` when it cannot be opened
 */
export function openHostDirectory(path: string, options: { readonly writable: boolean }): NodeDirectory {
  try {
    if (!statSync(path).isDirectory()) {
      throw new TraplineError('HOST_DIRECTORY', `${path}: not a directory`);
    }
    const directory = new NodeDirectory(path, options.writable);
    const names = directory.list('');
    if (typeof names === 'number')
      throw new TraplineError('HOST_DIRECTORY', `${path}: cannot be read: ${errorText(names)}`);
    return directory;
  } catch (error) {
    if (error instanceof TraplineError) throw error;
    const code = (error as { code?: unknown }).code;
    const reason = code === 'ENOENT' ? 'no such directory' : code === 'EACCES' ? 'permission denied' : String(code);
    throw new TraplineError('HOST_DIRECTORY', `${path}: ${reason}`, { cause: error });
  }
}

/**
 * Opens a file or a directory of the host: the directory that holds it and its name there, or the directory itself
 * and ''. Links that the caller's own path goes through are followed here, once.
 * @throws TraplineError `HOST_DIRECTORY` when it is not there or may not be read
 */
export function openHostPath(
  path: string,
  options: { readonly writable: boolean },
): { directory: NodeDirectory; entry: string } {
  const real = attempt(() => realpathSync(path));
  if (typeof real === 'number') {
    throw new TraplineError('HOST_DIRECTORY', `${path}: ${errorText(real)}`);
  }
  if (statSync(real).isDirectory()) return { directory: openHostDirectory(real, options), entry: '' };
  const cut = real.lastIndexOf('/');
  // The directory may not be listable: only the one entry is used.
  const directory = new NodeDirectory(cut === 0 ? '/' : real.slice(0, cut), options.writable);
  const entry = Buffer.from(real.slice(cut + 1), 'utf8').toString('latin1');
  const stat = directory.stat(entry);
  if (typeof stat === 'number')
    throw new TraplineError('HOST_DIRECTORY', `${path}: cannot be opened: ${errorText(stat)}`);
  return { directory, entry };
}

/** `no such file or directory` for -ENOENT. */
function errorText(result: number): string {
  const text = errnoText(-result);
  return text.charAt(0).toLowerCase() + text.slice(1);
}
