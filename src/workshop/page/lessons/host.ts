// SPDX-License-Identifier: MIT
//
// What a lesson needs of the page around it.

import type { ReadonlySignal } from '@preact/signals';
import type { Recording } from '../../../trace/recording/format.ts';
import type { HandInRequest, Lab } from '../../api.ts';

export interface LessonHost {
  /** What the panes show. */
  readonly recording: ReadonlySignal<Recording | undefined>;
  /** The one point in time: how many steps have been made. */
  readonly step: ReadonlySignal<number>;
  /** Shows recordings, of which the first is in front, from a moment on. */
  open(recordings: readonly Recording[], moment?: number): void;
  goTo(moment: number): void;
  /** Brings panes into view, the first of them in front where there is room for one. */
  showPanes(panes: readonly string[]): void;
  /** Of a server, or of recorded answers. */
  readonly lab: ReadonlySignal<Lab>;
  /** A line that a server signs; undefined where none answers. */
  signHandIn(request: HandInRequest): Promise<string | undefined>;
}
