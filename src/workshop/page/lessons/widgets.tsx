// SPDX-License-Identifier: MIT
//
// How an answer is given: one control for each kind of goal, all of them for the keyboard and with labels. Each calls
// `onAttempt`; judging is the task's.

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import type { TaskView } from '../../lessons/lesson-set.ts';
import type { Attempt, Goal } from '../../lessons/lesson.ts';
import { Prose } from './prose.tsx';
import type { Say } from './say.ts';

export interface WidgetProps<K extends Goal['kind']> {
  readonly task: TaskView;
  readonly goal: Extract<Goal, { kind: K }>;
  readonly say: Say;
  readonly isBusy: boolean;
  readonly onAttempt: (attempt: Attempt) => void;
}

export function MomentAnswer({
  say,
  isBusy,
  moment,
  onAttempt,
}: WidgetProps<'moment'> & { readonly moment: number }): JSX.Element {
  return (
    <div class="task-answer">
      <button
        type="button"
        class="check-button"
        disabled={isBusy}
        onClick={() => onAttempt({ kind: 'moment', step: moment - 1 })}
      >
        {say('check.moment', { step: moment })}
      </button>
      <p class="muted small">{say('check.moment.keys')}</p>
    </div>
  );
}

export function NumberAnswer({ goal, say, isBusy, onAttempt }: WidgetProps<'answer'>): JSX.Element {
  const text = useSignal('');
  const id = useId();
  return (
    <form
      class="task-answer"
      onSubmit={(event) => {
        event.preventDefault();
        onAttempt({ kind: 'answer', text: text.value });
      }}
    >
      <label for={id}>{say(goal.base === 16 ? 'answer.label.hex' : 'answer.label')}</label>
      <div class="answer-row">
        <input
          id={id}
          class="mono"
          value={text.value}
          placeholder={goal.base === 16 ? '0x…' : ''}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit" class="check-button" disabled={isBusy}>
          {say('check')}
        </button>
      </div>
    </form>
  );
}

export function ChoiceAnswer({ task, goal, say, isBusy, onAttempt }: WidgetProps<'choice'>): JSX.Element {
  const chosen = useSignal<string | undefined>(undefined);
  const name = useId();
  return (
    <form
      class="task-answer"
      onSubmit={(event) => {
        event.preventDefault();
        onAttempt({ kind: 'choice', option: chosen.value ?? '' });
      }}
    >
      <fieldset>
        <legend>{say('choice.label')}</legend>
        {goal.options.map(({ id }) => (
          <label key={id} class="option">
            <input
              type="radio"
              name={name}
              value={id}
              checked={chosen.value === id}
              onChange={() => {
                chosen.value = id;
              }}
            />
            <span>
              <Prose text={task.texts.options[id] ?? id} />
            </span>
          </label>
        ))}
      </fieldset>
      <button type="submit" class="check-button" disabled={isBusy}>
        {say('check')}
      </button>
    </form>
  );
}
