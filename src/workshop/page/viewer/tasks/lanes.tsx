// SPDX-License-Identifier: MIT
//
// The steps in their order, each in the lane of who makes it. In a race the two steps whose exchange makes it pass
// are marked, and a step can be moved by pointer or keyboard where somebody can run the new schedule.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { RecordingCursor, State } from '../../../../trace/recording/cursor.ts';
import type { Recording, Step, StepKind } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName } from '../actors.ts';
import { stepLabel } from '../step-label.ts';
import { useViewer } from '../viewer-context.ts';
import { VirtualList } from '../virtual-list.tsx';
import { StepChanges } from './step-changes.tsx';

const ROW_PIXELS = 28;
const HEAD_PIXELS = 46;

/** How much a step stands out: what changes the site, who may run, and what a task does; looks of the patcher do not. */
const STRESS: Readonly<Partial<Record<StepKind, string>>> = {
  instruction: 'lane-plain',
  fetch: 'lane-plain',
  store: 'lane-store',
  patched: 'lane-good',
  served: 'lane-good',
  call: 'lane-good',
  trap: 'lane-bad',
  fault: 'lane-bad',
  refused: 'lane-bad',
  recover: 'lane-turn',
  rewind: 'lane-turn',
  signal: 'lane-turn',
  lock: 'lane-turn',
  unlock: 'lane-turn',
  stop: 'lane-turn',
  resume: 'lane-turn',
  sync: 'lane-turn',
};

/** The step that is being moved and where it is now; by pointer or by keyboard. */
const moving = signal<{ readonly from: number; readonly to: number } | undefined>(undefined);

export function Lanes(): JSX.Element {
  const { session, view } = useViewer();
  const cursor = session.cursor.value;
  const state = session.state.value;
  // Actors that never do anything have no lane.
  const lanes = useMemo(() => (cursor === undefined ? [] : lanesOf(cursor.recording)), [cursor]);
  if (cursor === undefined || state === undefined) return <p class="empty">{t('site.nothing')}</p>;
  const { recording } = cursor;
  const canMove = recording.kind === 'race' && view.moveStep.value !== undefined;
  const flip = recording.kind === 'race' ? (recording.race.failure?.flip ?? null) : null;
  const grid = { '--lanes': String(lanes.length) };
  return (
    <div class="lanes" style={grid}>
      <VirtualList
        class="lane-list"
        label={t('lanes.label')}
        count={recording.steps.length}
        rowHeight={ROW_PIXELS}
        headHeight={HEAD_PIXELS}
        current={session.moment.value - 1}
        head={<LaneHeads recording={recording} state={state} lanes={lanes} />}
        row={(i) => <LaneRow key={i} cursor={cursor} index={i} lanes={lanes} flip={flip} canMove={canMove} />}
      />
      {canMove && <p class="hint">{t(moving.value === undefined ? 'lanes.move-hint' : 'lanes.moving-hint')}</p>}
      <StepChanges />
    </div>
  );
}

function lanesOf(recording: Recording): number[] {
  const active = new Set(recording.steps.map(({ actor }) => actor));
  return recording.actors.flatMap(({ role }, i) => (active.has(i) || role === 'task' ? [i] : []));
}

function LaneHeads(props: { recording: Recording; state: State; lanes: readonly number[] }): JSX.Element {
  const { recording, state, lanes } = props;
  return (
    <div class="lane-heads lane-grid" data-layer="heads">
      <span class="lane-number">{t('lanes.step')}</span>
      {lanes.map((actor) => {
        const now = state.actors[actor]?.state ?? 'unborn';
        return (
          <span key={actor} class={`lane-head ${actorClass(recording, actor)}`} title={recording.actors[actor]?.name}>
            <strong class="chip">{actorName(recording, actor)}</strong>
            <span class={`state state-${now}`}>{t(`state.${now}`)}</span>
          </span>
        );
      })}
    </div>
  );
}

interface RowProps {
  readonly cursor: RecordingCursor;
  readonly index: number;
  readonly lanes: readonly number[];
  readonly flip: readonly [number, number] | null;
  readonly canMove: boolean;
}

function LaneRow({ cursor, index, lanes, flip, canMove }: RowProps): JSX.Element | null {
  const { session, view } = useViewer();
  const { recording } = cursor;
  const shown = orderOf(moving.value, index);
  const step = recording.steps[shown];
  if (step === undefined) return null;
  const moment = session.moment.value;
  const lane = lanes.indexOf(step.actor);
  const isFlip = flip !== null && flip.includes(shown);
  const isMoving = moving.value?.from === shown;
  const classes = [
    'lane-row lane-grid',
    index === moment - 1 ? 'is-current' : '',
    index >= moment ? 'is-later' : '',
    step.fails === true ? 'is-failing' : '',
    isFlip ? 'is-flip' : '',
    isMoving ? 'is-moving' : '',
  ];
  const finish = (): void => {
    const move = moving.value;
    moving.value = undefined;
    if (move !== undefined && move.from !== move.to) view.moveStep.value?.(move.from, move.to);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!canMove) return;
    const by = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0;
    if (event.altKey && by !== 0) {
      event.preventDefault();
      event.stopPropagation();
      const now = moving.value ?? { from: shown, to: index };
      const to = Math.min(recording.steps.length - 1, Math.max(0, now.to + by));
      moving.value = { from: now.from, to };
      focusRow(event.currentTarget as HTMLElement, to);
    } else if (moving.value !== undefined && (event.key === 'Enter' || event.key === 'Escape')) {
      event.preventDefault();
      event.stopPropagation();
      if (event.key === 'Escape') {
        focusRow(event.currentTarget as HTMLElement, moving.value.from);
        moving.value = undefined;
      } else finish();
    }
  };
  return (
    <div class={classes.join(' ')} role="listitem" data-index={index}>
      <span class="lane-number">{index + 1}</span>
      <button
        type="button"
        class={`lane-step ${actorClass(recording, step.actor)} ${STRESS[step.kind] ?? 'lane-quiet'}`}
        style={{ gridColumn: `${lane + 2}` }}
        aria-current={index === moment - 1 ? 'step' : undefined}
        title={stepLabel(cursor, step)}
        aria-label={rowLabel(recording, step, cursor, index, isFlip)}
        onClick={() => session.goTo(index + 1)}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          if (canMove && event.button === 0) startDrag(event, shown, recording.steps.length, finish);
        }}
      >
        {isFlip && <span class="flip-mark">⇅</span>}
        {step.fails === true && <span class="fail-mark">✖</span>}
        <span class="lane-text">{stepLabel(cursor, step)}</span>
      </button>
    </div>
  );
}

/** Which step of the recording stands at a place while one is being moved. */
function orderOf(move: { from: number; to: number } | undefined, place: number): number {
  if (move === undefined) return place;
  const { from, to } = move;
  if (place === to) return from;
  if (from < to && place >= from && place < to) return place + 1;
  if (to < from && place > to && place <= from) return place - 1;
  return place;
}

function rowLabel(recording: Recording, step: Step, cursor: RecordingCursor, index: number, isFlip: boolean): string {
  const what = { number: index + 1, actor: actorName(recording, step.actor), step: stepLabel(cursor, step) };
  const key = step.fails === true ? 'lanes.row.fails' : isFlip ? 'lanes.row.flip' : 'lanes.row';
  return t(key, what);
}

/** After the rows were drawn again, the focus stays with the step that moves. */
function focusRow(button: HTMLElement, to: number): void {
  const list = button.closest('.lane-list');
  requestAnimationFrame(() => list?.querySelector<HTMLElement>(`[data-index="${to}"] button`)?.focus());
}

/** Follows a pointer until it is lifted; a step that has not left its place was only clicked. */
function startDrag(event: PointerEvent, from: number, count: number, finish: () => void): void {
  const list = (event.currentTarget as HTMLElement).closest<HTMLElement>('.virtual-rows');
  if (list === null) return;
  const start = event.clientY;
  const move = (at: PointerEvent): void => {
    if (moving.value === undefined && Math.abs(at.clientY - start) < ROW_PIXELS / 2) return;
    const row = Math.floor((at.clientY - list.getBoundingClientRect().top) / ROW_PIXELS);
    moving.value = { from, to: Math.min(count - 1, Math.max(0, row)) };
  };
  const end = (last: PointerEvent): void => {
    removeEventListener('pointermove', move);
    removeEventListener('pointerup', end);
    removeEventListener('pointercancel', end);
    if (last.type === 'pointercancel') moving.value = undefined;
    else if (moving.value !== undefined) finish();
  };
  addEventListener('pointermove', move);
  addEventListener('pointerup', end);
  addEventListener('pointercancel', end);
}
