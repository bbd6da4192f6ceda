// SPDX-License-Identifier: MIT
//
// What the components of the viewer share: the session, and which panes and tabs are open.

import { signal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { PANES, type MachineTab, type PaneName, type TaskTab } from './pane-names.ts';
import { Session } from './session.ts';

/** A step of a race's schedule was put elsewhere: index of the step, and where it is now. */
export type MoveStep = (from: number, to: number) => void;

/** An actor, or memory; `auto`: whoever made the last step, where its processor holds older bytes than memory. */
export type Eyes = number | 'memory' | 'auto';

/** Open panes and tabs. */
export class View {
  /** Those that are shown side by side, in their order. */
  readonly panes: Signal<readonly PaneName[]> = signal(PANES);
  /** The one that a phone shows. */
  readonly front: Signal<PaneName | 'column'> = signal('site');
  readonly tasks: Signal<TaskTab> = signal('lanes');
  readonly machine: Signal<MachineTab> = signal('table');
  /** Whose eyes the site is seen with. */
  readonly eyes: Signal<Eyes> = signal('auto');
  readonly isHelpOpen: Signal<boolean> = signal(false);
  /** Takes a moved step; undefined where nobody could run the new schedule. */
  readonly moveStep: Signal<MoveStep | undefined> = signal(undefined);

  /** Shows or hides a pane; the last one stays. */
  toggle(pane: PaneName): void {
    const now = this.panes.value;
    if (!now.includes(pane)) this.panes.value = PANES.filter((name) => name === pane || now.includes(name));
    else if (now.length > 1) this.panes.value = now.filter((name) => name !== pane);
  }

  /** Brings a pane into view, on a phone too. */
  show(pane: PaneName): void {
    if (!this.panes.value.includes(pane)) this.toggle(pane);
    this.front.value = pane;
  }
}

export interface Viewer {
  readonly session: Session;
  readonly view: View;
}

/** A viewer with nothing open. */
export function createViewer(): Viewer {
  return { session: new Session(), view: new View() };
}

export const ViewerContext = createContext<Viewer>(createViewer());

export function useViewer(): Viewer {
  return useContext(ViewerContext);
}
