// SPDX-License-Identifier: MIT
//
// What is open and the one point in time that every pane follows. Panes read these signals and nothing else; whoever
// moves calls `goTo`.

import { batch, computed, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { RecordingCursor, type State } from '../../../trace/recording/cursor.ts';
import type { Recording, Step } from '../../../trace/recording/format.ts';

/** Steps a second while playing. */
export const SPEEDS = [1, 2, 5, 20] as const;

/** The recordings of one file or answer, of which one is shown. */
export class Session {
  readonly #recordings: Signal<readonly Recording[]> = signal([]);
  readonly #index = signal(0);
  readonly #moment = signal(0);
  readonly #playing = signal(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** All of the file: the ways in which a race fails. */
  readonly recordings: ReadonlySignal<readonly Recording[]> = this.#recordings;
  /** Which of them is shown. */
  readonly index: ReadonlySignal<number> = this.#index;
  readonly moment: ReadonlySignal<number> = this.#moment;
  readonly isPlaying: ReadonlySignal<boolean> = this.#playing;
  /** Steps a second. */
  readonly speed: Signal<number> = signal(2);
  /** Index of the site that the panes show. */
  readonly site: Signal<number> = signal(0);

  readonly cursor: ReadonlySignal<RecordingCursor | undefined> = computed(() => {
    const recording = this.#recordings.value[this.#index.value];
    return recording === undefined ? undefined : new RecordingCursor(recording);
  });
  readonly recording: ReadonlySignal<Recording | undefined> = computed(() => this.cursor.value?.recording);
  readonly state: ReadonlySignal<State | undefined> = computed(() => this.cursor.value?.goTo(this.#moment.value));
  /** The step that led to this moment; none at the start. */
  readonly step: ReadonlySignal<Step | undefined> = computed(
    () => this.cursor.value?.recording.steps[this.#moment.value - 1],
  );
  /** The state before that step. */
  readonly before: ReadonlySignal<State | undefined> = computed(() =>
    this.cursor.value?.at(Math.max(0, this.#moment.value - 1)),
  );
  readonly length: ReadonlySignal<number> = computed(() => this.cursor.value?.length ?? 0);

  /** Shows recordings from a moment on. */
  open(recordings: readonly Recording[], moment = 0, index = 0): void {
    this.pause();
    batch(() => {
      this.#recordings.value = recordings;
      this.#index.value = Math.min(Math.max(0, index), Math.max(0, recordings.length - 1));
      this.site.value = 0;
      this.#moment.value = this.#clamped(moment);
    });
  }

  /** Shows another recording of the same file. */
  choose(index: number): void {
    this.open(this.#recordings.value, 0, index);
  }

  /** Goes to a moment; one outside is taken for the nearest. */
  goTo(moment: number): void {
    const to = this.#clamped(moment);
    if (to === this.#moment.value) return;
    batch(() => {
      this.#moment.value = to;
      this.#follow();
    });
  }

  /** Forward, or back where negative. */
  move(steps: number): void {
    this.pause();
    this.goTo(this.#moment.value + steps);
  }

  play(): void {
    if (this.#playing.value || this.length.value === 0) return;
    if (this.#moment.value >= this.length.value) this.goTo(0);
    this.#playing.value = true;
    const tick = (): void => {
      this.goTo(this.#moment.value + 1);
      if (this.#moment.value >= this.length.value) return this.pause();
      this.#timer = setTimeout(tick, 1000 / this.speed.value);
    };
    this.#timer = setTimeout(tick, 1000 / this.speed.value);
  }

  pause(): void {
    clearTimeout(this.#timer);
    this.#playing.value = false;
  }

  #clamped(moment: number): number {
    const length = this.#recordings.value[this.#index.value]?.steps.length ?? 0;
    return Number.isFinite(moment) ? Math.min(length, Math.max(0, Math.trunc(moment))) : 0;
  }

  /** The site that a step is about comes into view by itself. */
  #follow(): void {
    const recording = this.#recordings.value[this.#index.value];
    const step = recording?.steps[this.#moment.value - 1];
    const site = step?.data?.['site'];
    if (recording === undefined || step === undefined) return;
    const at = typeof site === 'number' ? site : step.rip;
    const found = recording.sites.findIndex(({ address }) => at !== undefined && at >= address && at < address + 7);
    if (found !== -1) this.site.value = found;
  }
}
