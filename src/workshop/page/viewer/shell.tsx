// SPDX-License-Identifier: MIT
//
// The frame around everything: header, time, sentence, panes. What stands in the header and beside the panes is the
// caller's.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Recording } from '../../../trace/recording/format.ts';
import { t } from '../../texts/texts.ts';
import { FileButton, FileDrop, ProblemLine, type OnRecordings } from './file-drop.tsx';
import { KeyHelp } from './key-help.tsx';
import { listenForKeys } from './keys.ts';
import { Panes, PaneSwitches, type SideColumn } from './panes.tsx';
import { SentenceLine } from './sentence-line.tsx';
import { ThemeSwitch } from './theme-switch.tsx';
import { TimeBar } from './time-bar.tsx';
import { ViewerContext, useViewer, type Viewer } from './viewer-context.ts';

interface ShellProps {
  readonly viewer: Viewer;
  /** Menus, behind the name. */
  readonly menus?: ComponentChildren;
  readonly column?: SideColumn | undefined;
  /** In place of the panes while nothing is open. */
  readonly empty: ComponentChildren;
  readonly onOpen: OnRecordings;
}

export function Shell({ viewer, menus, column, empty, onOpen }: ShellProps): JSX.Element {
  const { session, view } = viewer;
  useEffect(() => listenForKeys(viewer), [viewer]);
  const isEmpty = session.recording.value === undefined;
  return (
    <ViewerContext.Provider value={viewer}>
      <a class="skip" href="#panes" onClick={(event) => skipTo(event, 'panes')}>
        {t('app.skip')}
      </a>
      <header class="top">
        <h1>{t('app.title')}</h1>
        {menus}
        <RecordingChoice />
        <FileButton onOpen={onOpen} />
        <span class="space" />
        {!isEmpty && <PaneSwitches />}
        <button
          type="button"
          class="icon-button"
          aria-label={t('app.help')}
          title={t('app.help')}
          onClick={() => {
            view.isHelpOpen.value = true;
          }}
        >
          ?
        </button>
        <ThemeSwitch />
      </header>
      <ProblemLine />
      {isEmpty && column === undefined ? (
        <main class="nothing" id="panes" tabIndex={-1}>
          {empty}
        </main>
      ) : (
        <>
          <TimeBar />
          <SentenceLine />
          <Panes column={column} />
        </>
      )}
      <KeyHelp />
      <FileDrop onOpen={onOpen} />
    </ViewerContext.Provider>
  );
}

/** The fragment of the address is the page's state, so a link inside the page only moves the focus. */
function skipTo(event: MouseEvent, id: string): void {
  event.preventDefault();
  document.getElementById(id)?.focus();
}

/** Which recording of a file with several: the ways in which a race fails. */
function RecordingChoice(): JSX.Element | null {
  const { session } = useViewer();
  const recordings = session.recordings.value;
  if (recordings.length < 2) return null;
  return (
    <select
      aria-label={t('app.recording.which')}
      value={session.index.value}
      onChange={(event) => session.choose(Number(event.currentTarget.value))}
    >
      {recordings.map((recording, i) => (
        <option key={i} value={i}>
          {t('app.recording.title', { number: i + 1, count: recordings.length, title: titleOf(recording) })}
        </option>
      ))}
    </select>
  );
}

function titleOf(recording: Recording): string {
  return recording.kind === 'race' ? (recording.race.failure?.signature ?? recording.title) : recording.title;
}
