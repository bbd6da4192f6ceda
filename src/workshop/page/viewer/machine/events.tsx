// SPDX-License-Identifier: MIT
//
// Everything that one may want to jump to, as one list.

import type { JSX } from 'preact';
import type { RecordingCursor } from '../../../../trace/recording/cursor.ts';
import type { Event } from '../../../../trace/recording/format.ts';
import { hasText, t } from '../../../texts/texts.ts';
import { actorClass, actorName } from '../actors.ts';
import { siteTitle } from '../site/site-title.ts';
import { factsOf } from '../step-label.ts';
import { useViewer } from '../viewer-context.ts';
import { VirtualList } from '../virtual-list.tsx';

const ROW_PIXELS = 30;

export function Events(): JSX.Element | null {
  const { session } = useViewer();
  const cursor = session.cursor.value;
  if (cursor === undefined) return null;
  const { events } = cursor.recording;
  const moment = session.moment.value;
  const current = cursor.countUntil(events, moment) - 1;
  if (events.length === 0) return <p class="empty">{t('events.none')}</p>;
  return (
    <VirtualList
      class="events"
      label={t('machine.events')}
      count={events.length}
      rowHeight={ROW_PIXELS}
      current={current}
      row={(i) => {
        const event = events[i];
        if (event === undefined) return null;
        return (
          <div key={i} role="listitem" class={`event ${event.at === moment ? 'is-current' : ''}`}>
            <button type="button" onClick={() => session.goTo(event.at)}>
              <span class="history-moment">{event.at}</span>
              <span class={`chip ${actorClass(cursor.recording, event.actor)}`}>
                {actorName(cursor.recording, event.actor)}
              </span>
              <span class="event-text">
                {t(`event.${event.kind}`)} <span class="mono muted">{eventDetail(cursor, event)}</span>
              </span>
            </button>
          </div>
        );
      }}
    />
  );
}

/** What an event is about, in a few words. */
function eventDetail(cursor: RecordingCursor, event: Event): string {
  const { calls, sites } = cursor.recording;
  if (event.kind === 'call') {
    const call = calls[event.index ?? -1];
    return call === undefined ? '' : call.enter + call.exit;
  }
  const site = event.kind === 'patched' || event.kind === 'refused' ? sites[event.index ?? -1] : undefined;
  if (site !== undefined) return siteTitle(site);
  const key = `event.${event.kind}.detail`;
  return hasText(key) ? t(key, factsOf(event)) : '';
}
