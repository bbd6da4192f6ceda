// SPDX-License-Identifier: MIT
//
// The question of the whole workshop, at its start: the live decode of a site half-way through a patch, from a race that
// fails. It can be stepped through here, or opened.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../texts/texts.ts';
import { SitePicture } from '../viewer/site/site-pane.tsx';
import { createViewer, ViewerContext } from '../viewer/viewer-context.ts';
import { loadRecordings } from './recordings.ts';

const RECORDING = 'sample-race';
/** The opcode has been written, its address has not. */
const MOMENT = 3;

export function Picture({ onOpen }: { readonly onOpen: (name: string) => void }): JSX.Element {
  const [viewer] = useState(createViewer);
  useEffect(() => {
    void loadRecordings(RECORDING).then((recordings) => viewer.session.open(recordings ?? [], MOMENT));
  }, [viewer]);
  const { session } = viewer;
  const isBusy = session.recording.value === undefined;
  const isOver = session.moment.value >= session.length.value;
  return (
    <section class="picture" aria-busy={isBusy}>
      <h3>{t('welcome.picture')}</h3>
      <p>{t('welcome.picture.text')}</p>
      <div class="picture-sheet pane-site">
        <ViewerContext.Provider value={viewer}>
          <SitePicture />
        </ViewerContext.Provider>
      </div>
      <div class="picture-buttons">
        <button type="button" onClick={() => (isOver ? session.goTo(0) : session.move(1))}>
          {t(isOver ? 'welcome.picture.again' : 'welcome.picture.next')}
        </button>
        <button type="button" onClick={() => onOpen(RECORDING)}>
          {t('welcome.picture.open')}
        </button>
      </div>
    </section>
  );
}
