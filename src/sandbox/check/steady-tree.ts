// SPDX-License-Identifier: MIT
//
// The caller's trees as all runs of a check see them: what the first run was told of a path is told again, whatever other
// programs do to the host's files meanwhile. Contents are not kept but recognised, block by block.

import { EROFS, ESTALE } from '../../abi/errno.ts';
import type { HostDirectory, HostFile, HostStat } from '../../base/host.ts';
import { readFully } from '../../vfs/host-contents.ts';
import { checksum } from '../checkpoint/sections.ts';
import type { SandboxOptions } from '../sandbox.ts';

const BLOCK_BYTES = 65_536;
/** Attributes and names that are kept, over all trees of a check; what lies beyond is asked for anew by each run. */
const MAX_KEPT = 2 ** 20;

type Trees = Pick<SandboxOptions, 'program' | 'root' | 'binds' | 'programFile'>;

/** The trees of one check. */
export class SteadyTrees {
  /** Guest path of the first file found whose contents are not what an earlier run has read. */
  changed: string | undefined;
  /** One block of a file. */
  readonly block = new Uint8Array(BLOCK_BYTES);
  private kept = 0;

  /** `program` with its trees as every run is to see them. */
  over<T extends Trees>(program: T): T {
    const { root, binds, programFile } = program;
    return {
      ...program,
      ...(root === undefined ? {} : { root: this.steady(root, (path) => `/${path}`) }),
      ...(binds === undefined
        ? {}
        : {
            binds: binds.map((bind) => ({
              ...bind,
              directory: this.steady(bind.directory, (path) =>
                path === bind.entry ? bind.guestPath : `${bind.guestPath}/${path}`,
              ),
            })),
          }),
      ...(programFile === undefined
        ? {}
        : { programFile: { ...programFile, directory: this.steady(programFile.directory, () => program.program) } }),
    };
  }

  private steady(directory: HostDirectory, guestPath: (path: string) => string): HostDirectory {
    return directory.writable ? directory : new SteadyDirectory(this, directory, guestPath);
  }

  /** Whether there is room for so many more things to keep. @internal */
  keeps(count: number): boolean {
    if (this.kept + count > MAX_KEPT) return false;
    this.kept += count;
    return true;
  }
}

/** What is known of a file's contents. */
interface Contents {
  /** Checksums of blocks that were read, by number. */
  readonly sums: Map<number, number>;
  /** It could not be opened when it was first asked for: 0 or an -errno. */
  readonly failed: number;
}

class SteadyDirectory implements HostDirectory {
  readonly writable = false;
  readonly maker: HostDirectory['maker'];
  readonly trees: SteadyTrees;
  readonly guestPath: (path: string) => string;
  private readonly inner: HostDirectory;
  private readonly stats = new Map<string, HostStat | number>();
  private readonly lists = new Map<string, readonly string[] | number>();
  private readonly links = new Map<string, string | number>();
  private readonly contents = new Map<string, Contents>();

  constructor(trees: SteadyTrees, inner: HostDirectory, guestPath: (path: string) => string) {
    this.trees = trees;
    this.inner = inner;
    this.guestPath = guestPath;
    this.maker = inner.maker;
  }

  stat(path: string): HostStat | number {
    return this.stats.get(path) ?? this.keep(this.stats, path, this.inner.stat(path));
  }

  statAll(path: string, names: readonly string[]): readonly (HostStat | number)[] | number {
    const paths = names.map((name) => (path === '' ? name : `${path}/${name}`));
    const isNew = (at: number): boolean => !this.stats.has(paths[at] ?? '');
    const fresh = names.filter((_, at) => isNew(at));
    const found = fresh.length === 0 ? [] : (this.inner.statAll?.(path, fresh) ?? []);
    if (typeof found === 'number') return found;
    let next = 0;
    return paths.map((each, at) => {
      const stat = isNew(at) ? found[next++] : undefined;
      return stat === undefined ? this.stat(each) : this.keep(this.stats, each, stat);
    });
  }

  list(path: string): readonly string[] | number {
    const known = this.lists.get(path);
    if (known !== undefined) return known;
    const names = this.inner.list(path);
    return this.keep(this.lists, path, names, typeof names === 'number' ? 1 : names.length + 1);
  }

  readlink(path: string): string | number {
    return this.links.get(path) ?? this.keep(this.links, path, this.inner.readlink(path));
  }

  private keep<T>(known: Map<string, T>, path: string, value: T, count = 1): T {
    if (this.trees.keeps(count)) known.set(path, value);
    return value;
  }

  xattrs(path: string): ReadonlyMap<string, Uint8Array> | null {
    return this.inner.xattrs?.(path) ?? null;
  }

  open(path: string, write: boolean): HostFile | number {
    if (write) return -EROFS;
    const stat = this.stat(path);
    if (typeof stat === 'number') return stat;
    const known = this.contents.get(path);
    if (known !== undefined && known.failed < 0) return known.failed;
    const file = this.inner.open(path, false);
    if (known !== undefined) {
      if (typeof file !== 'number') return new SteadyFile(this, path, file, stat, known.sums);
      this.noteChange(path);
      return file;
    }
    const failed = typeof file === 'number' ? file : identityError(file, stat);
    const sums = new Map<number, number>();
    this.keep(this.contents, path, { sums, failed });
    if (typeof file === 'number') return file;
    if (failed === 0) return new SteadyFile(this, path, file, stat, sums);
    file.close();
    return failed;
  }

  /** What an earlier run has read of this file is not there any more. @internal */
  noteChange(path: string): void {
    this.trees.changed ??= this.guestPath(path);
  }

  create(): number {
    return -EROFS;
  }

  mkdir(): number {
    return -EROFS;
  }

  unlink(): number {
    return -EROFS;
  }

  rmdir(): number {
    return -EROFS;
  }

  rename(): number {
    return -EROFS;
  }

  symlink(): number {
    return -EROFS;
  }

  link(): number {
    return -EROFS;
  }

  chmod(): number {
    return -EROFS;
  }

  utimes(): number {
    return -EROFS;
  }
}

/** Whoever has taken the file's place before it was first read is not what the guest has been told of. */
function identityError(file: HostFile, stat: HostStat): number {
  const now = file.stat();
  if (typeof now === 'number') return now;
  return now.ino === stat.ino && now.dev === stat.dev ? 0 : -ESTALE;
}

/** An open file, as long as it was when it was first looked at: what is appended does not show. */
class SteadyFile implements HostFile {
  private readonly directory: SteadyDirectory;
  private readonly path: string;
  private readonly inner: HostFile;
  private readonly first: HostStat;
  private readonly sums: Map<number, number>;

  constructor(directory: SteadyDirectory, path: string, inner: HostFile, first: HostStat, sums: Map<number, number>) {
    this.directory = directory;
    this.path = path;
    this.inner = inner;
    this.first = first;
    this.sums = sums;
  }

  /** Reads within one block: whoever wants more asks again. */
  pread(into: Uint8Array, position: number): number {
    const { block } = this.directory.trees;
    const number = Math.floor(position / BLOCK_BYTES);
    const start = number * BLOCK_BYTES;
    const length = Math.max(0, Math.min(BLOCK_BYTES, this.first.size - start));
    const got = readFully(this.inner, block.subarray(0, length), start);
    if (got < 0) return got;
    const sum = checksum(block.subarray(0, got));
    const known = this.sums.get(number);
    if (known === undefined) this.sums.set(number, sum);
    else if (known !== sum) this.directory.noteChange(this.path);
    const part = block.subarray(Math.min(got, position - start), Math.min(got, position - start + into.length));
    into.set(part);
    return part.length;
  }

  pwrite(): number {
    return -EROFS;
  }

  size(): number {
    return this.first.size;
  }

  stat(): HostStat {
    return this.first;
  }

  truncate(): number {
    return -EROFS;
  }

  sync(): number {
    return 0;
  }

  close(): void {
    this.inner.close();
  }
}
