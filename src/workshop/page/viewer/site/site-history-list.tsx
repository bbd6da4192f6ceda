// SPDX-License-Identifier: MIT
//
// The contents that the site goes through, a row each, from the program's own bytes to the jump; a row is a link to
// the moment of its store.

import type { JSX } from 'preact';
import type { RecordingCursor } from '../../../../trace/recording/cursor.ts';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName } from '../actors.ts';
import { byte } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';
import { VirtualList } from '../virtual-list.tsx';
import { siteHistory } from './site-history.ts';

const ROW_PIXELS = 26;

export function SiteHistory({ cursor, site }: { cursor: RecordingCursor; site: number }): JSX.Element {
  const { session } = useViewer();
  const contents = siteHistory(cursor, site);
  const moment = session.moment.value;
  const current = contents.findLastIndex((content) => content.moment <= moment);
  return (
    <section class="history" aria-label={t('site.history')}>
      <h3>{t('site.history')}</h3>
      <VirtualList
        label={t('site.history')}
        count={contents.length}
        rowHeight={ROW_PIXELS}
        current={current}
        row={(i) => {
          const content = contents[i];
          const before = contents[i - 1];
          if (content === undefined) return null;
          return (
            <div key={i} role="listitem">
              <button
                type="button"
                class={`history-row ${i > current ? 'is-later' : ''}`}
                aria-current={i === current ? 'step' : undefined}
                onClick={() => session.goTo(content.moment)}
              >
                <span class="history-moment">{content.moment}</span>
                <span class="mono history-bytes">
                  {[...content.bytes].map((value, k) => (
                    <span key={k} class={before !== undefined && before.bytes[k] !== value ? 'stored' : ''}>
                      {byte(value)}
                    </span>
                  ))}
                </span>
                <span class="wide">{t(`site.phase.${content.phase}`)}</span>
                <span class="narrow">{t(`site.phase.${content.phase}.short`)}</span>
                {content.actor >= 0 && (
                  <span class={`chip ${actorClass(cursor.recording, content.actor)}`}>
                    {actorName(cursor.recording, content.actor)}
                  </span>
                )}
              </button>
            </div>
          );
        }}
      />
    </section>
  );
}
