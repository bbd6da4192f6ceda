// SPDX-License-Identifier: MIT
//
// The tool's own terminal as the other end of a guest's: keys come from the host, output goes there. With the host's
// terminal in raw mode the line discipline is ours alone; otherwise the host edits lines, and ours only passes them on.

import { savable } from '../../base/savable.ts';
import { EAGAIN } from '../../abi/errno.ts';
import { Winsize } from '../../abi/ioctl.ts';
import { viewOf } from '../../base/bytes.ts';
import type { HostStream } from '../../base/host.ts';
import type { OutputLimit } from '../output-limit.ts';
import type { Tty, TtyDriver } from './tty.ts';

/** Keys that wait in front of the line discipline. */
export const KEYS_BYTES = 65536;
/** Keys that are taken from the host at a time. */
const PIECE = 4096;
/** Bytes of output that are taken at once. */
const ROOM = 65536;
/** Ctrl-]: this many in a row end the run, whatever the guest makes of its keys. */
const ESCAPE_KEY = 0x1d;
const ESCAPE_COUNT = 3;

export interface HostTerminalOptions {
  /** The guest's side. */
  readonly tty: Tty;
  /** Null when only output goes to a terminal. */
  readonly keyboard: HostStream | null;
  readonly screen: HostStream;
  /** The host's terminal may be put into raw mode. */
  readonly mayBeRaw: boolean;
  readonly limit: OutputLimit;
  /** The user wants the run to end. */
  readonly onEscape: () => void;
}

/** The host's terminal. */
export class HostTerminal implements TtyDriver {
  private readonly tty: Tty;
  private readonly keyboard: HostStream | null;
  private readonly screen: HostStream;
  private readonly limit: OutputLimit;
  private readonly mayBeRaw: boolean;
  private readonly onEscape: () => void;
  /** The host passes keys and output as they are. */
  private isRaw = false;
  private isRunning = false;
  private isArmed = false;
  private escapes = 0;
  private keys: Uint8Array | null = null;

  constructor(options: HostTerminalOptions) {
    this.tty = options.tty;
    this.keyboard = options.keyboard;
    this.screen = options.screen;
    this.limit = options.limit;
    this.mayBeRaw = options.mayBeRaw;
    this.onEscape = options.onEscape;
    this.tty.driver = this;
    this.tty.windowSize = this.size();
    if (this.keyboard === null) this.tty.hasEnded = true;
  }

  get isCooked(): boolean {
    return !this.isRaw;
  }

  /** The run begins, or goes on in another process: keys are for the guest from now on. */
  start(): void {
    this.isRunning = true;
    // Of a restored machine the terminal may be another one: whoever is in front draws anew.
    this.adoptSize();
    this.isRaw = this.mayBeRaw && this.keyboard?.setRaw?.(true) === true;
    this.screen.onResize?.(() => this.adoptSize());
    this.arm();
  }

  /** The run is over: the host's terminal is as it was. */
  stop(): void {
    if (!this.isRunning) return;
    this.isRunning = false;
    if (this.isRaw) this.keyboard?.setRaw?.(false);
    this.isRaw = false;
  }

  private adoptSize(): void {
    if (this.isRunning) this.tty.resize(this.size());
  }

  private size(): Uint8Array {
    const size = new Uint8Array(Winsize.size);
    const { rows, columns } = this.screen.windowSize();
    viewOf(size).setUint16(Winsize.rows, rows, true);
    viewOf(size).setUint16(Winsize.columns, columns, true);
    return size;
  }

  /** Waits for keys: all the time, because some of them are signals. */
  private arm(): void {
    if (this.isArmed || !this.isRunning || this.keyboard === null) return;
    if (this.tty.hasEnded || this.tty.inputRoom === 0) return;
    this.isArmed = true;
    this.keyboard.onReadable(() => {
      this.isArmed = false;
      this.take();
      this.arm();
    });
  }

  /** Takes all keys that are there and find room. */
  private take(): void {
    this.keys ??= new Uint8Array(PIECE);
    while (this.isRunning && this.tty.inputRoom > 0) {
      const n = this.keyboard?.read(this.keys.subarray(0, this.tty.inputRoom)) ?? 0;
      if (n === -EAGAIN) return;
      if (n <= 0) {
        // In the host's line mode this was an end-of-file key; else the host's terminal is gone.
        if (this.isRaw) this.tty.hangUp();
        this.tty.endInput();
        return;
      }
      // Programs that read these keys find the size that the terminal had when they were pressed.
      this.adoptSize();
      const keys = this.keys.subarray(0, n);
      if (this.isRaw) this.lookForEscape(keys);
      this.tty.receive(keys);
    }
  }

  private lookForEscape(keys: Uint8Array): void {
    for (const key of keys) {
      this.escapes = key === ESCAPE_KEY ? this.escapes + 1 : 0;
      if (this.escapes === ESCAPE_COUNT) this.onEscape();
    }
  }

  room(): number {
    return ROOM;
  }

  put(bytes: Uint8Array): void {
    const allowed = this.limit.take(bytes.length);
    if (allowed > 0 && this.screen.write(bytes.subarray(0, allowed)) < 0) this.tty.hangUp();
  }

  flush(): void {}

  inputTaken(): void {
    this.arm();
  }
}

savable(
  'vfs/tty/host-terminal',
  { HostTerminal },
  {
    transient: { isRaw: () => false, isRunning: () => false, isArmed: () => false, escapes: () => 0, keys: () => null },
  },
);
