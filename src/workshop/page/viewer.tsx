// SPDX-License-Identifier: MIT
//
// The viewer as a page of its own: shows the recording that `--html FILE` put into it, or one that is dropped onto it.

import { render, type JSX } from 'preact';
import { t } from '../texts/texts.ts';
import './styles/styles.ts';
import { problem } from './viewer/file-drop.tsx';
import { applyState, keepLink, viewerState } from './viewer/link-state.ts';
import { openEmbedded } from './viewer/open-recording.ts';
import { Shell } from './viewer/shell.tsx';
import { parseUrlState } from './viewer/url-state.ts';
import { createViewer } from './viewer/viewer-context.ts';

const viewer = createViewer();

function ViewerPage(): JSX.Element {
  return (
    <Shell
      viewer={viewer}
      empty={<p>{t('app.nothing.viewer')}</p>}
      onOpen={(recordings) => {
        viewer.session.open(recordings);
      }}
    />
  );
}

const opened = await openEmbedded();
if (opened?.ok === true) {
  viewer.session.open(opened.recordings);
  applyState(viewer, parseUrlState(location.hash));
  document.title = `${opened.recordings[0]?.title ?? ''} · ${t('app.title')}`;
} else if (opened !== undefined) problem.value = t('app.file.failed', { sentence: opened.sentence });
keepLink(
  () => (viewer.session.recording.value === undefined ? undefined : viewerState(viewer)),
  (state) => applyState(viewer, state),
);
render(<ViewerPage />, document.getElementById('app') as HTMLElement);
