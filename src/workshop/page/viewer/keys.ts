// SPDX-License-Identifier: MIT
//
// Keys that work wherever the focus is, but not where it would take them away from a control.

import { signal } from '@preact/signals';
import { PANES } from './pane-names.ts';
import { jumpToEvent } from './time-bar.tsx';
import type { Viewer } from './viewer-context.ts';

/** Keys without a modifier work; a user of a screen reader may switch them off (WCAG 2.1.4). */
export const areSingleKeysOn = signal(true);

/** Controls that use arrows, letters or the space key themselves. */
const OWN_KEYS =
  'input, textarea, select, [contenteditable], [role=tab], [role=slider], [role=menu], [role=menuitem], .cm-editor, .xterm, dialog';
const OWN_SPACE = 'button, a, summary, [role=button]';

const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };

/** Listens until the returned function is called. */
export function listenForKeys({ session, view }: Viewer): () => void {
  const onKeyDown = (event: KeyboardEvent): void => {
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest(OWN_KEYS) !== null || session.length.peek() === 0) return;
    if (!areSingleKeysOn.peek()) return;
    const step = STEPS[event.key];
    if (step !== undefined) session.move(event.shiftKey ? 10 * step : step);
    else if (event.key === 'Home') session.goTo(0);
    else if (event.key === 'End') session.goTo(session.length.peek());
    else if (event.key === ' ' && target.closest(OWN_SPACE) === null) {
      if (session.isPlaying.peek()) session.pause();
      else session.play();
    } else if (event.key === 'n' || event.key === 'p') {
      const direction = event.key === 'n' ? 1 : -1;
      jumpToEvent(session.cursor.peek(), session.moment.peek(), direction, (at) => session.goTo(at));
    } else if (/^[123]$/.test(event.key)) {
      const pane = PANES[Number(event.key) - 1];
      if (pane !== undefined) view.toggle(pane);
    } else if (event.key === '?') view.isHelpOpen.value = true;
    else return;
    event.preventDefault();
  };
  addEventListener('keydown', onKeyDown);
  return () => removeEventListener('keydown', onKeyDown);
}
