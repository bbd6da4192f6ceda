// SPDX-License-Identifier: MIT
//
// The workshop: menus of lessons and recordings, the race laboratory, and the viewer that all of them use.

import { batch, signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Recording } from '../../../trace/recording/format.ts';
import { t } from '../../texts/texts.ts';
import { movedSchedule } from '../race/race-request.ts';
import { RaceColumn } from '../race/race-column.tsx';
import { ask } from '../race/race-state.ts';
import { problem } from '../viewer/file-drop.tsx';
import { applyState, keepLink, viewerState } from '../viewer/link-state.ts';
import type { SideColumn } from '../viewer/panes.tsx';
import { Shell } from '../viewer/shell.tsx';
import { parseUrlState, type UrlState } from '../viewer/url-state.ts';
import { createViewer } from '../viewer/viewer-context.ts';
import { pageLab } from './labs.ts';
import { Menu } from './menu.tsx';
import { loadRecordings, RECORDING_NAMES } from './recordings.ts';

const viewer = createViewer();

/** Name of the built-in recording that is open; undefined for what came from elsewhere. */
const recordingName = signal<string | undefined>(undefined);

/** What stands beside the panes. */
const column = signal<'race' | undefined>(undefined);

/** Shows recordings that are no built-in ones. */
function show(recordings: readonly Recording[], moment = 0): void {
  batch(() => {
    problem.value = undefined;
    recordingName.value = undefined;
    viewer.session.open(recordings, moment);
  });
}

async function openRecording(name: string): Promise<void> {
  const recordings = await loadRecordings(name);
  if (recordings === undefined) {
    problem.value = t('app.recording.unknown', { name });
    return;
  }
  batch(() => {
    show(recordings);
    recordingName.value = name;
  });
}

/** Opens what a link names. */
async function follow(state: UrlState): Promise<void> {
  if (state.recording !== undefined && state.recording !== recordingName.value) await openRecording(state.recording);
  batch(() => {
    column.value = state.column === 'race' ? 'race' : undefined;
    applyState(viewer, state);
  });
}

/** What a link to the page as it is says. */
function linkState(): UrlState | undefined {
  const recording = recordingName.value;
  const beside = column.value;
  if (viewer.session.recording.value === undefined && beside === undefined) return undefined;
  return {
    ...(recording !== undefined && { recording }),
    ...(beside !== undefined && { column: beside }),
    ...viewerState(viewer),
  };
}

/** Opens what the address says, and keeps it and the page together from then on. */
export async function start(): Promise<void> {
  void pageLab.connect();
  viewer.view.moveStep.value = (from, to) => {
    const recording = viewer.session.recording.peek();
    if (recording?.kind !== 'race') return;
    openColumn('race');
    void ask(pageLab, movedSchedule(recording, from, to), show);
  };
  await follow(parseUrlState(location.hash));
  keepLink(linkState, (state) => void follow(state));
}

/** Two panes and the column are what a projector has room for. */
function openColumn(name: 'race'): void {
  const { view } = viewer;
  batch(() => {
    column.value = name;
    view.front.value = 'column';
    if (view.panes.value.length > 2) view.panes.value = ['site', 'tasks'];
  });
}

function sideColumn(): SideColumn | undefined {
  if (column.value === undefined) return undefined;
  return {
    label: t('pane.race'),
    content: (
      <RaceColumn
        lab={pageLab}
        status={pageLab.status.value}
        recording={viewer.session.recording.value}
        show={show}
        onClose={() => {
          column.value = undefined;
        }}
      />
    ),
  };
}

export function App(): JSX.Element {
  return (
    <Shell
      viewer={viewer}
      column={sideColumn()}
      empty={<p>{t('app.nothing')}</p>}
      onOpen={(recordings) => show(recordings)}
      menus={
        <>
          <Menu
            label={t('app.recordings')}
            items={RECORDING_NAMES.map((id) => ({ id, title: id }))}
            current={recordingName.value}
            onChoose={(name) => void openRecording(name)}
          />
          <button
            type="button"
            class="menu-button"
            aria-pressed={column.value === 'race'}
            onClick={() => {
              if (column.value === 'race') column.value = undefined;
              else openColumn('race');
            }}
          >
            {t('app.race')}
          </button>
        </>
      }
    />
  );
}
