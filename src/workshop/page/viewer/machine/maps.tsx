// SPDX-License-Identifier: MIT
//
// `/proc/self/maps` as the guest would read it now.

import type { JSX } from 'preact';
import { t } from '../../../texts/texts.ts';
import { useViewer } from '../viewer-context.ts';

export function Maps(): JSX.Element | null {
  const { session } = useViewer();
  const cursor = session.cursor.value;
  const state = session.state.value;
  if (cursor === undefined || state === undefined) return null;
  const space = cursor.recording.sites[session.site.value]?.space ?? 0;
  const maps = cursor.maps(space, session.moment.value);
  if (maps === undefined) return <p class="empty">{t('maps.none')}</p>;
  const lines = maps.text.split('\n').filter((line) => line !== '');
  return (
    <div class="maps" tabIndex={0} role="group" aria-label={t('machine.maps')}>
      <p class="muted">{t('maps.since', { moment: maps.at })}</p>
      <table class="mono">
        <thead>
          <tr>
            <th scope="col">{t('maps.range')}</th>
            <th scope="col">{t('maps.access')}</th>
            <th scope="col">{t('maps.name')}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => {
            const [range = '', access = '', , , , ...name] = line.split(/ +/);
            const title = name.join(' ');
            return (
              <tr key={range} class={title === '[usertrap]' ? 'changed' : ''}>
                <td>{range}</td>
                <td>{access}</td>
                <td>{title}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
