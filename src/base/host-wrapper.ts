// SPDX-License-Identifier: MIT
//
// A host, or a stream of one, that differs in a part and is the wrapped one in everything else. Hosts are interfaces, and
// some are instances of classes: a spread would lose their methods.

import type { Host, HostStream } from './host.ts';

type Streams = Pick<Host, 'stdin' | 'stdout' | 'stderr'>;

/** `host` with other streams. */
export function wrapHost(host: Host, streams: Streams): Host {
  return {
    ...streams,
    wallClockNs: () => host.wallClockNs(),
    monotonicMs: () => host.monotonicMs(),
    entropy: (into) => host.entropy(into),
    breathe: () => host.breathe(),
    sleep: (ms) => host.sleep(ms),
  };
}

/** `stream` with other methods; what it does not have, the wrapped one has not either. */
export function wrapStream(stream: HostStream, changes: Partial<HostStream>): HostStream {
  const { setRaw, onResize, flush } = stream;
  return {
    isTerminal: stream.isTerminal,
    windowSize: () => stream.windowSize(),
    read: (into) => stream.read(into),
    onReadable: (callback) => stream.onReadable(callback),
    write: (from) => stream.write(from),
    ...(setRaw === undefined ? {} : { setRaw: (isRaw) => setRaw.call(stream, isRaw) }),
    ...(onResize === undefined ? {} : { onResize: (callback) => onResize.call(stream, callback) }),
    ...(flush === undefined ? {} : { flush: () => flush.call(stream) }),
    ...changes,
  };
}
