// SPDX-License-Identifier: MIT
//
// The workshop: menus of lessons and recordings, the race laboratory, and the viewer that all of them use.

import { batch, signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Recording } from '../../../trace/recording/format.ts';
import type { LessonView } from '../../lessons/lesson-set.ts';
import { t } from '../../texts/texts.ts';
import type { LessonHost } from '../lessons/host.ts';
import { LessonColumn } from '../lessons/lesson-column.tsx';
import { loadLessons } from '../lessons/lesson-data.ts';
import { isLessonDone } from '../lessons/progress.ts';
import { ProgramColumn } from '../program/program-column.tsx';
import { RaceColumn } from '../race/race-column.tsx';
import { linkedRace, raceLink } from '../race/race-link.ts';
import { movedSchedule, requestOf } from '../race/race-request.ts';
import { ask, asking, form } from '../race/race-state.ts';
import { problem } from '../viewer/file-drop.tsx';
import { applyState, keepLink, viewerState } from '../viewer/link-state.ts';
import { PANES } from '../viewer/pane-names.ts';
import type { SideColumn } from '../viewer/panes.tsx';
import { Shell } from '../viewer/shell.tsx';
import { parseUrlState, type UrlState } from '../viewer/url-state.ts';
import { createViewer } from '../viewer/viewer-context.ts';
import { pageLab } from './labs.ts';
import { Menu } from './menu.tsx';
import { loadRecordings, nameOf, SHOWN_RECORDINGS } from './recordings.ts';
import { Welcome } from './welcome.tsx';

const viewer = createViewer();

/** Name of the built-in recording that is open; undefined for what came from elsewhere. */
const recordingName = signal<string | undefined>(undefined);

/** From this width on three panes stand beside a column. */
const ROOMY_PIXELS = 1700;

type Column =
  { readonly kind: 'race' } | { readonly kind: 'program' } | { readonly kind: 'lesson'; readonly id: string };

/** What stands beside the panes. */
const column = signal<Column | undefined>(undefined);

const lessons = signal<readonly LessonView[]>([]);

/** Shows recordings, from wherever they come. */
function show(recordings: readonly Recording[], moment = 0): void {
  batch(() => {
    problem.value = undefined;
    recordingName.value = recordings[0] === undefined ? undefined : nameOf(recordings[0]);
    viewer.session.open(recordings, moment);
  });
}

/** Counts what was asked for: of two that load at the same time, the later one is meant. */
let asked = 0;

/** Ends when it is known whether there is a server. */
let connected: Promise<void> = Promise.resolve();

async function openRecording(name: string, mine = ++asked): Promise<void> {
  const recordings = await loadRecordings(name);
  if (mine !== asked) return;
  if (recordings === undefined) problem.value = t('app.recording.unknown', { name });
  else show(recordings);
}

/** Asks the laboratory for the race of a link, once it is known which laboratory there is. */
async function openRace(text: string, mine: number): Promise<void> {
  const request = linkedRace(text);
  if (typeof request === 'string') {
    problem.value = request;
    return;
  }
  await connected;
  if (mine !== asked) return;
  await ask(pageLab, request, (recordings) => {
    if (mine === asked) show(recordings);
  });
  const recording = viewer.session.recording.peek();
  if (recording?.kind === 'race') form.value = requestOf(recording.race);
}

/** Brings panes into view. */
function showPanes(names: readonly string[]): void {
  const panes = PANES.filter((name) => names.includes(name));
  if (panes.length === 0) return;
  // Beside a lesson there is room for two; a phone stays with the lesson, which says what to look at.
  viewer.view.panes.value = panes.slice(0, innerWidth < ROOMY_PIXELS ? 2 : 3);
}

/** What the link that was followed last names itself: a lesson that opens does not change it by itself. */
let linked: UrlState = {};

const lessonHost: LessonHost = {
  recording: viewer.session.recording,
  step: viewer.session.moment,
  open(recordings, moment) {
    if (linked.recording === undefined && linked.race === undefined) show(recordings, moment);
  },
  goTo: (moment) => viewer.session.goTo(moment),
  showPanes(names) {
    if (linked.panes === undefined) showPanes(names);
  },
  lab: signal(pageLab),
  signHandIn: (request) => pageLab.signHandIn(request),
};

/** Two panes and the column are what a projector has room for. */
function openColumn(opened: Column): void {
  const { view } = viewer;
  batch(() => {
    column.value = opened;
    view.front.value = 'column';
    if (innerWidth < ROOMY_PIXELS && view.panes.value.length > 2) view.panes.value = ['site', 'tasks'];
  });
}

function openLesson(id: string): void {
  openColumn({ kind: 'lesson', id });
}

function closeColumn(): void {
  column.value = undefined;
}

/** Opens what a link names. */
async function follow(state: UrlState): Promise<void> {
  linked = state;
  const mine = ++asked;
  if (state.race !== undefined) {
    if (state.race !== raceLink(viewer.session.recording.peek())) {
      openColumn({ kind: 'race' });
      await openRace(state.race, mine);
    }
  } else if (state.recording !== undefined && state.recording !== recordingName.value)
    await openRecording(state.recording, mine);
  if (mine !== asked) return;
  batch(() => {
    if (state.lesson !== undefined) openLesson(state.lesson);
    else if (state.column === 'race' || state.column === 'program') openColumn({ kind: state.column });
    // What the laboratory says of the link's race stands in its column.
    else if (state.race === undefined || asking.value.kind !== 'refused') closeColumn();
    applyState(viewer, state);
  });
}

/** What a link to the page as it is says. */
function linkState(): UrlState | undefined {
  const recording = recordingName.value;
  const race = recording === undefined ? raceLink(viewer.session.recording.value) : undefined;
  const beside = column.value;
  if (viewer.session.recording.value === undefined && beside === undefined) return undefined;
  return {
    ...(recording !== undefined && { recording }),
    ...(race !== undefined && { race }),
    ...(beside?.kind === 'lesson' && { lesson: beside.id }),
    ...(beside !== undefined && beside.kind !== 'lesson' && { column: beside.kind }),
    ...viewerState(viewer),
  };
}

/** Opens what the address says, and keeps it and the page together from then on. */
export async function start(): Promise<void> {
  connected = pageLab.connect();
  void loadLessons().then((set) => {
    lessons.value = set.lessons;
  });
  viewer.view.moveStep.value = (from, to) => {
    const recording = viewer.session.recording.peek();
    if (recording?.kind !== 'race') return;
    openColumn({ kind: 'race' });
    void ask(pageLab, movedSchedule(recording, from, to), show);
  };
  // From the first touch on, what a lesson does is what somebody asked for.
  for (const event of ['pointerdown', 'keydown']) {
    addEventListener(event, () => (linked = {}), { capture: true });
  }
  await follow(parseUrlState(location.hash));
  keepLink(linkState, (state) => void follow(state));
}

function sideColumn(): SideColumn | undefined {
  const opened = column.value;
  if (opened === undefined) return undefined;
  if (opened.kind === 'lesson') {
    return {
      label: t('pane.lesson'),
      content: <LessonColumn host={lessonHost} id={opened.id} onOpenLesson={openLesson} />,
    };
  }
  if (opened.kind === 'program') {
    return {
      label: t('pane.program'),
      content: (
        <ProgramColumn
          lab={pageLab}
          status={pageLab.status.value}
          show={(recordings) => show(recordings)}
          onClose={closeColumn}
        />
      ),
    };
  }
  const { recording } = viewer.session;
  return {
    label: t('pane.race'),
    content: (
      <RaceColumn
        lab={pageLab}
        status={pageLab.status.value}
        recording={recording.value}
        show={(recordings) => show(recordings)}
        onClose={closeColumn}
      />
    ),
  };
}

export function App(): JSX.Element {
  const opened = column.value;
  const items = lessons.value.map(({ id, number, texts, tasks }) => ({
    id,
    title: `${number}. ${texts.title}${isLessonDone(id, tasks.length) ? ' ✓' : ''}`,
    detail: texts.concept,
  }));
  const openLaboratory = (kind: 'race' | 'program'): void => {
    if (opened?.kind === kind) closeColumn();
    else openColumn({ kind });
  };
  return (
    <Shell
      viewer={viewer}
      column={sideColumn()}
      empty={
        <Welcome
          lessons={items}
          onLesson={openLesson}
          onRecording={(name) => void openRecording(name)}
          onLaboratory={openLaboratory}
        />
      }
      onOpen={(recordings) => show(recordings)}
      menus={
        <>
          <Menu
            label={t('app.lessons')}
            items={items}
            current={opened?.kind === 'lesson' ? opened.id : undefined}
            onChoose={openLesson}
          />
          <Menu
            label={t('app.recordings')}
            items={SHOWN_RECORDINGS.map((id) => ({ id, title: t(`recording.${id}`) }))}
            current={recordingName.value}
            onChoose={(name) => void openRecording(name)}
          />
          {(['race', 'program'] as const).map((kind) => (
            <button
              key={kind}
              type="button"
              class="menu-button"
              aria-pressed={opened?.kind === kind}
              onClick={() => openLaboratory(kind)}
            >
              {t(`app.${kind}`)}
            </button>
          ))}
        </>
      }
    />
  );
}
