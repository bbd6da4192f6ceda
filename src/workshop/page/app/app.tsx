// SPDX-License-Identifier: MIT
//
// The workshop: menus of lessons and recordings, the race laboratory, and the viewer that all of them use.

import { batch, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { t } from '../../texts/texts.ts';
import { problem } from '../viewer/file-drop.tsx';
import { applyState, keepLink, viewerState } from '../viewer/link-state.ts';
import type { SideColumn } from '../viewer/panes.tsx';
import { Shell } from '../viewer/shell.tsx';
import { parseUrlState, type UrlState } from '../viewer/url-state.ts';
import { createViewer } from '../viewer/viewer-context.ts';
import { Menu } from './menu.tsx';
import { loadRecordings, RECORDING_NAMES } from './recordings.ts';

export const viewer = createViewer();

/** Name of the built-in recording that is open; undefined for what came from elsewhere. */
const recordingName = signal<string | undefined>(undefined);

async function openRecording(name: string): Promise<void> {
  const recordings = await loadRecordings(name);
  if (recordings === undefined) {
    problem.value = t('app.recording.unknown', { name });
    return;
  }
  batch(() => {
    problem.value = undefined;
    recordingName.value = name;
    viewer.session.open(recordings);
  });
}

/** Opens what a link names. */
async function follow(state: UrlState): Promise<void> {
  if (state.recording !== undefined && state.recording !== recordingName.value) await openRecording(state.recording);
  applyState(viewer, state);
}

/** What a link to the page as it is says. */
function linkState(): UrlState | undefined {
  if (viewer.session.recording.value === undefined) return undefined;
  const recording = recordingName.value;
  return { ...(recording !== undefined && { recording }), ...viewerState(viewer) };
}

/** Opens what the address says, and keeps it and the page together from then on. */
export async function start(): Promise<void> {
  await follow(parseUrlState(location.hash));
  keepLink(linkState, (state) => void follow(state));
}

export function App(): JSX.Element {
  const column: SideColumn | undefined = undefined;
  return (
    <Shell
      viewer={viewer}
      column={column}
      empty={<p>{t('app.nothing')}</p>}
      onOpen={(recordings) => {
        recordingName.value = undefined;
        viewer.session.open(recordings);
      }}
      menus={
        <Menu
          label={t('app.recordings')}
          items={RECORDING_NAMES.map((id) => ({ id, title: id }))}
          current={recordingName.value}
          onChoose={(name) => void openRecording(name)}
        />
      }
    />
  );
}
