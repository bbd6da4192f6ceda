// SPDX-License-Identifier: MIT
//
// The system calls up to now, as strace prints them, with how each came: by a trap or through a slot.

import type { JSX } from 'preact';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName } from '../actors.ts';
import { useViewer } from '../viewer-context.ts';
import { VirtualList } from '../virtual-list.tsx';

const ROW_PIXELS = 42;

export function Calls(): JSX.Element | null {
  const { session } = useViewer();
  const cursor = session.cursor.value;
  if (cursor === undefined) return null;
  const { recording } = cursor;
  const moment = session.moment.value;
  const count = cursor.countUntil(recording.calls, moment);
  if (count === 0) return <p class="empty">{t('calls.none')}</p>;
  return (
    <VirtualList
      class="calls"
      label={t('machine.calls')}
      count={count}
      rowHeight={ROW_PIXELS}
      current={count - 1}
      row={(i) => {
        const call = recording.calls[i];
        if (call === undefined) return null;
        return (
          <div key={i} role="listitem" class={`call ${i === count - 1 ? 'is-current' : ''}`}>
            <button type="button" onClick={() => session.goTo(call.at)}>
              <span class="mono call-text">{cursor.callText(call, moment)}</span>
              <span class="call-how">
                <span class="history-moment">{call.at}</span>
                <span class={`chip ${actorClass(recording, call.actor)}`}>{actorName(recording, call.actor)}</span>
                <span class={`badge badge-${call.via === 'trampoline' ? 'good' : 'warn'}`}>
                  {t(`calls.via.${call.via}`)}
                </span>
              </span>
            </button>
          </div>
        );
      }}
    />
  );
}
