// SPDX-License-Identifier: MIT
//
// The outside world as the runtime-neutral core sees it. Implemented for Node in src/sandbox/host-node.

/** What stat tells of a host file; times in nanoseconds since 1970. */
export interface HostStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  /** Permission bits, set-id and sticky bits. */
  readonly mode: number;
  readonly size: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly atimeNs: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
  readonly rdev: bigint;
  readonly blocks: number;
}

/**
 * Files of the host below one directory that the caller opened. Paths are relative to it, slash-separated, with
 * no `.`, `..` or empty parts; no operation follows a symbolic link in its last part. Names are Latin-1
 * strings, one character a byte. Results below zero are negative errnos.
 */
export interface HostDirectory {
  stat(path: string): HostStat | number;
  /** The same for entries of the directory `path`, in one go: cheaper than one by one. */
  statAll?(path: string, names: readonly string[]): readonly (HostStat | number)[] | number;
  /** Names in byte order, without `.` and `..`. */
  list(path: string): readonly string[] | number;
  readlink(path: string): string | number;
  /** Extended attributes, where what is opened keeps them and can tell. */
  xattrs?(path: string): ReadonlyMap<string, Uint8Array> | null;
  /** Opens a regular file. */
  open(path: string, write: boolean): HostFile | number;
  /** The rest only on a directory bound `rw`. */
  readonly writable: boolean;
  /** Who owns what is made here, by the host's numbers. */
  readonly maker?: { readonly uid: number; readonly gid: number };
  create(path: string, mode: number): HostFile | number;
  mkdir(path: string, mode: number): number;
  unlink(path: string): number;
  rmdir(path: string): number;
  rename(from: string, to: string): number;
  symlink(target: string, path: string): number;
  link(from: string, to: string): number;
  chmod(path: string, mode: number): number;
  utimes(path: string, atimeNs: bigint, mtimeNs: bigint): number;
}

/** An open regular host file. */
export interface HostFile {
  /** Bytes read, 0 at the end, or a negative errno. */
  pread(into: Uint8Array, position: number): number;
  pwrite(from: Uint8Array, position: number): number;
  size(): number;
  /** What the file is now, whatever has become of its name. */
  stat(): HostStat | number;
  truncate(size: number): number;
  sync(): number;
  close(): void;
}

/** A byte stream of the host (the tool's stdin, stdout, stderr). */
export interface HostStream {
  readonly isTerminal: boolean;
  /** Rows and columns when it is a terminal. */
  windowSize(): { rows: number; columns: number };
  /** Takes what is there: bytes, 0 at the end, -EAGAIN (-11) when nothing is there yet. */
  read(into: Uint8Array): number;
  /** Calls back once when `read` would no longer give -EAGAIN. */
  onReadable(callback: () => void): void;
  /** Bytes written or a negative errno (-EPIPE: -32). Takes everything: what the reader is slow for waits here. */
  write(from: Uint8Array): number;
  /** On a terminal: passes keys and output as they are, or puts everything back. True when the terminal obeyed. */
  setRaw?(isRaw: boolean): boolean;
  /** On a terminal: calls back whenever its size has changed. */
  onResize?(callback: () => void): void;
  /** Tries to write what waits; true when nothing is left. Without it, `write` leaves nothing behind. */
  flush?(): boolean;
}

/** Everything that the core may ask of the world. */
export interface Host {
  readonly stdin: HostStream;
  readonly stdout: HostStream;
  readonly stderr: HostStream;
  /** Wall-clock nanoseconds since 1970; only used with `--wall-clock`, for limits, and for figures. */
  wallClockNs(): bigint;
  /** Monotonic milliseconds. */
  monotonicMs(): number;
  /** Entropy of the host; only used with `--entropy`. */
  entropy(into: Uint8Array): void;
  /** Lets pending host events (signals, input) be handled. */
  breathe(): Promise<void>;
  /** Resolves when `ms` have passed; host events are handled meanwhile. */
  sleep(ms: number): Promise<void>;
}
