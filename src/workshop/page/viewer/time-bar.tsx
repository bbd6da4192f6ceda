// SPDX-License-Identifier: MIT
//
// Moves the one point in time: by step, by event, by slider, by number, by itself.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { RecordingCursor } from '../../../trace/recording/cursor.ts';
import { EVENT_KINDS, type EventKindName } from '../../../trace/recording/format.ts';
import { t } from '../../texts/texts.ts';
import { SPEEDS } from './session.ts';
import { useViewer } from './viewer-context.ts';

/** Which events the two buttons go to. */
export const wantedEvents = signal<EventKindName | 'any'>('any');

/** Goes to the next event, or the one before. */
export function useEventJump(): (direction: 1 | -1) => void {
  const { session } = useViewer();
  return (direction) => jumpToEvent(session.cursor.peek(), session.moment.peek(), direction, (at) => session.goTo(at));
}

export function jumpToEvent(
  cursor: RecordingCursor | undefined,
  moment: number,
  direction: 1 | -1,
  goTo: (moment: number) => void,
): void {
  const wanted = wantedEvents.peek();
  const event = cursor?.eventFrom(moment, direction, wanted === 'any' ? undefined : [wanted]);
  if (event !== undefined) goTo(event.at);
}

export function TimeBar(): JSX.Element {
  const { session } = useViewer();
  const moment = session.moment.value;
  const length = session.length.value;
  const cursor = session.cursor.value;
  const isPlaying = session.isPlaying.value;
  const jump = useEventJump();
  const isIdle = length === 0;
  return (
    <div class="time-bar" role="group" aria-label={t('time.bar')}>
      <div class="time-buttons">
        <IconButton
          icon="first"
          label={t('time.first')}
          isOff={isIdle || moment === 0}
          onClick={() => session.goTo(0)}
        />
        <IconButton icon="previous" label={t('time.previous')} isOff={moment === 0} onClick={() => session.move(-1)} />
        <IconButton
          icon={isPlaying ? 'pause' : 'play'}
          label={t(isPlaying ? 'time.pause' : 'time.play')}
          isOff={isIdle}
          onClick={() => (isPlaying ? session.pause() : session.play())}
        />
        <IconButton
          icon="next"
          class="primary"
          label={t('time.next')}
          isOff={moment >= length}
          onClick={() => session.move(1)}
        />
        <IconButton icon="last" label={t('time.last')} isOff={moment >= length} onClick={() => session.goTo(length)} />
        <select
          class="speed"
          aria-label={t('time.speed')}
          value={session.speed.value}
          onChange={(event) => {
            session.speed.value = Number(event.currentTarget.value);
          }}
        >
          {SPEEDS.map((speed) => (
            <option key={speed} value={speed}>
              {t('time.speed.value', { speed })}
            </option>
          ))}
        </select>
      </div>
      <div class="slider">
        {cursor !== undefined && <Ticks cursor={cursor} />}
        <input
          type="range"
          min={0}
          max={length}
          step={1}
          value={moment}
          disabled={isIdle}
          aria-label={t('time.slider')}
          aria-valuetext={t('time.slider.value', { moment, length })}
          onInput={(event) => {
            session.pause();
            session.goTo(Number(event.currentTarget.value));
          }}
        />
      </div>
      <label class="moment">
        <span class="visually-hidden">{t('time.moment')}</span>
        <input
          type="number"
          min={0}
          max={length}
          value={moment}
          disabled={isIdle}
          onChange={(event) => {
            session.pause();
            session.goTo(Number(event.currentTarget.value));
            event.currentTarget.value = String(session.moment.peek());
          }}
        />
        <span class="muted">{t('time.of', { length })}</span>
      </label>
      <div class="time-events">
        <IconButton icon="event-previous" label={t('time.event.previous')} isOff={isIdle} onClick={() => jump(-1)} />
        {cursor === undefined ? null : <EventKinds cursor={cursor} />}
        <IconButton icon="event-next" label={t('time.event.next')} isOff={isIdle} onClick={() => jump(1)} />
      </div>
    </div>
  );
}

function EventKinds({ cursor }: { cursor: RecordingCursor }): JSX.Element {
  const there = useMemo(() => new Set(cursor.recording.events.map(({ kind }) => kind)), [cursor]);
  return (
    <select
      aria-label={t('time.event.kind')}
      value={wantedEvents.value}
      onChange={(event) => {
        wantedEvents.value = event.currentTarget.value as EventKindName | 'any';
      }}
    >
      <option value="any">{t('time.event.any')}</option>
      {EVENT_KINDS.filter((kind) => there.has(kind)).map((kind) => (
        <option key={kind} value={kind}>
          {t(`event.${kind}`)}
        </option>
      ))}
    </select>
  );
}

/** Pieces into which the slider is divided for its ticks. */
const PIECES = 300;

/** What matters most of several events in one piece. */
const WEIGHT: readonly EventKindName[] = [
  'failure',
  'certain',
  'flip',
  'fault',
  'refused',
  'patched',
  'restarted',
  'store',
];

/** Where events are, above the slider; a picture only. */
function Ticks({ cursor }: { cursor: RecordingCursor }): JSX.Element {
  const marks = useMemo(() => {
    const out = new Map<number, EventKindName>();
    const rank = (kind: EventKindName): number => (WEIGHT.includes(kind) ? WEIGHT.indexOf(kind) : WEIGHT.length);
    for (const { at, kind } of cursor.recording.events) {
      const piece = Math.round((at / Math.max(1, cursor.length)) * PIECES);
      const there = out.get(piece);
      if (there === undefined || rank(kind) < rank(there)) out.set(piece, kind);
    }
    return [...out];
  }, [cursor]);
  return (
    <svg class="ticks" viewBox={`0 0 ${PIECES} 8`} preserveAspectRatio="none" aria-hidden="true">
      {marks.map(([piece, kind]) => (
        <rect key={piece} x={piece - 0.5} width={1} y={0} height={8} class={`tick-${kind}`} />
      ))}
    </svg>
  );
}

const ICONS = {
  first: 'M5 4h2v16H5zM20 4v16L8 12z',
  previous: 'M20 10.7H9.4l4.3-4.3-1.8-1.8L4.5 12l7.4 7.4 1.8-1.8-4.3-4.3H20z',
  play: 'M6 4l14 8-14 8z',
  pause: 'M6 4h4v16H6zM14 4h4v16h-4z',
  next: 'M4 10.7h10.6l-4.3-4.3 1.8-1.8 7.4 7.4-7.4 7.4-1.8-1.8 4.3-4.3H4z',
  last: 'M17 4h2v16h-2zM4 4l12 8-12 8z',
  'event-previous': 'M15 5l-7 7 7 7M19 4v16',
  'event-next': 'M9 5l7 7-7 7M5 4v16',
} as const;

interface IconButtonProps {
  readonly icon: keyof typeof ICONS;
  readonly label: string;
  readonly isOff: boolean;
  readonly class?: string;
  readonly onClick: () => void;
}

/** A button that stays focusable when there is nothing to do, so that the focus is not lost at either end. */
function IconButton({ icon, label, isOff, onClick, ...rest }: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class={`icon-button ${rest.class ?? ''}`}
      aria-label={label}
      aria-disabled={isOff}
      title={label}
      onClick={() => {
        if (!isOff) onClick();
      }}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true" class={icon.startsWith('event') ? 'stroked' : ''}>
        <path d={ICONS[icon]} />
      </svg>
    </button>
  );
}
