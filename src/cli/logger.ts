// SPDX-License-Identifier: MIT
//
// The only place that builds a pino logger. It is loaded when the first message passes the level, so that a quiet
// run starts quickly. Goes to stderr or a file, never to stdout; the shape is stable for tests.

import { createRequire } from 'node:module';
import type { Logger as PinoLogger, LoggerOptions } from 'pino';
import type { Logger } from '../base/logger.ts';
import { StreamFile, writeToStderr } from './output-file.ts';

const ORDER = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export interface LogSettings {
  readonly level: string;
  /** JSON lines into this file; plain lines to stderr when left out. */
  readonly file: string | undefined;
}

/** Addresses and registers as hex strings: pino would print a bigint as a number and lose bits. */
function hexadecimal(value: unknown): unknown {
  return typeof value === 'bigint' || typeof value === 'number' ? `0x${value.toString(16)}` : value;
}

/** How every logger of the tool is built. */
export const PINO_OPTIONS: LoggerOptions = {
  // No pid and host name: the same run gives the same log.
  base: null,
  timestamp: false,
  messageKey: 'msg',
  formatters: { level: (label) => ({ level: label }) },
  serializers: { rip: hexadecimal, site: hexadecimal, address: hexadecimal, trap: hexadecimal },
  redact: { paths: ['data', '*.data', 'regs.*'], censor: '[guest-data]' },
};

/** A Logger of the core on top of pino; messages below the level cost one comparison. */
export function makeLogger(settings: LogSettings): Logger & { close(): void } {
  const threshold = ORDER.indexOf(settings.level);
  const file = settings.file === undefined ? undefined : new StreamFile('--log-file', settings.file);
  let logger: PinoLogger | undefined;
  const pino = (): PinoLogger => {
    if (logger === undefined) {
      const load = createRequire(import.meta.url)('pino') as typeof import('pino');
      const write = file === undefined ? plainLine : (line: string): void => file.write(line);
      logger = load.pino({ ...PINO_OPTIONS, level: settings.level }, { write });
    }
    return logger;
  };
  return {
    warn(message) {
      if (threshold <= ORDER.indexOf('warn')) pino().warn(message);
    },
    debug(message) {
      if (threshold <= ORDER.indexOf('debug')) pino().debug(message);
    },
    close() {
      file?.close();
    },
  };
}

/** `trapline: message` instead of JSON, for people at a terminal. */
function plainLine(line: string): void {
  const { msg, level } = JSON.parse(line) as { msg: string; level: string };
  writeToStderr(level === 'warn' ? `trapline: ${msg}\n` : `trapline: ${level}: ${msg}\n`);
}
