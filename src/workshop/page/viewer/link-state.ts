// SPDX-License-Identifier: MIT
//
// Keeps the address and the page together: moving writes the fragment, following a link moves.

import { effect } from '@preact/signals';
import { MACHINE_TABS, TASK_TABS } from './pane-names.ts';
import { formatUrlState, parseUrlState, type UrlState } from './url-state.ts';
import type { Viewer } from './viewer-context.ts';

/** Browsers take about 100 changes of the address in 30 s; a key that is held down makes more. */
const PAUSE_MS = 400;

/** What a link says of the viewer. */
export function viewerState({ session, view }: Viewer): UrlState {
  return {
    index: session.index.value,
    moment: session.moment.value,
    site: session.site.value,
    panes: view.panes.value,
    tasks: view.tasks.value,
    machine: view.machine.value,
  };
}

/** Panes, tabs and the moment as a link says; a recording must be open already. */
export function applyState({ session, view }: Viewer, state: UrlState): void {
  if (state.panes !== undefined) view.panes.value = state.panes;
  const tasks = TASK_TABS.find((name) => name === state.tasks);
  const machine = MACHINE_TABS.find((name) => name === state.machine);
  if (tasks !== undefined) view.tasks.value = tasks;
  if (machine !== undefined) view.machine.value = machine;
  const recordings = session.recordings.value;
  if (recordings.length === 0) return;
  if (state.index !== undefined && state.index !== session.index.value) session.choose(state.index);
  session.goTo(state.moment ?? 0);
  if (state.site !== undefined && session.recording.value?.sites[state.site] !== undefined) {
    session.site.value = state.site;
  }
}

/**
 * Writes the fragment whenever `state` gives another one, and calls `onLink` when somebody follows a link.
 * @returns ends both
 */
export function keepLink(state: () => UrlState | undefined, onLink: (state: UrlState) => void): () => void {
  let written = location.hash;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let next = '';
  const write = (): void => {
    timer = undefined;
    // Somebody has just followed a link: what it says comes before what the page was.
    if (next === written || location.hash !== written) return;
    history.replaceState(null, '', next);
    written = location.hash;
    next = written;
  };
  const end = effect(() => {
    const now = state();
    if (now === undefined) return;
    next = formatUrlState(now);
    timer ??= setTimeout(write, PAUSE_MS);
  });
  const onHash = (): void => {
    if (location.hash === written) return;
    written = location.hash;
    next = written;
    onLink(parseUrlState(location.hash));
  };
  addEventListener('hashchange', onHash);
  return () => {
    end();
    clearTimeout(timer);
    removeEventListener('hashchange', onHash);
  };
}
