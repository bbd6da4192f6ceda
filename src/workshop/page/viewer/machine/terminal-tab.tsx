// SPDX-License-Identifier: MIT
//
// The guest's terminal: what it has written by now. xterm comes when it is looked at.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { fromHex } from '../../../../base/bytes.ts';
import type { RecordingCursor } from '../../../../trace/recording/cursor.ts';
import { t } from '../../../texts/texts.ts';
import { useViewer } from '../viewer-context.ts';
import type { GuestTerminal } from './guest-terminal.ts';

export function TerminalTab(): JSX.Element | null {
  const { session } = useViewer();
  const frame = useRef<HTMLDivElement>(null);
  const [terminal, setTerminal] = useState<GuestTerminal | undefined>(undefined);
  const cursor = session.cursor.value;
  const count = cursor?.countUntil(cursor.recording.output, session.moment.value) ?? 0;

  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    let made: GuestTerminal | undefined;
    let isGone = false;
    void import('./guest-terminal.ts').then(({ openTerminal }) => {
      if (isGone) return;
      made = openTerminal(element, t('machine.terminal'));
      setTerminal(made);
    });
    return () => {
      isGone = true;
      made?.dispose();
    };
  }, []);

  useEffect(() => {
    if (terminal !== undefined && cursor !== undefined) terminal.show(bytesOf(cursor, count));
  }, [terminal, cursor, count]);

  return (
    <div class="terminal-tab">
      {count === 0 && <p class="empty">{t('terminal.nothing')}</p>}
      <div class="terminal-frame" ref={frame} aria-busy={terminal === undefined} />
    </div>
  );
}

/** The first pieces of the guest's output, each as it was written. */
function bytesOf(cursor: RecordingCursor, count: number): Uint8Array[] {
  return cursor.recording.output.slice(0, count).map(({ bytes }) => fromHex(bytes));
}
