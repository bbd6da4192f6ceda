// SPDX-License-Identifier: MIT
//
// The line that a student hands in when every task of a lesson is done: signed by the class's server, or with a
// checksum where there is none.

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import { checkedLine } from '../../hand-in.ts';
import type { LessonHost } from './host.ts';
import type { LessonProgress } from './progress.ts';
import type { Say } from './say.ts';

interface HandInProps {
  readonly lesson: string;
  /** How many it has. */
  readonly tasks: number;
  readonly progress: LessonProgress;
  readonly host: LessonHost;
  readonly say: Say;
}

export function HandInForm({ lesson, tasks, progress, host, say }: HandInProps): JSX.Element {
  const name = useSignal('');
  const line = useSignal('');
  const id = useId();
  const make = async (): Promise<void> => {
    const { steps, seconds, answers, done } = progress;
    const request = { lesson, steps, seconds: Math.round(seconds), name: name.value.trim() };
    const at = `${new Date().toISOString().slice(0, 19)}Z`;
    line.value =
      (await host.signHandIn({ ...request, answers })) ?? checkedLine({ ...request, done: done.length, tasks, at });
  };
  return (
    <form
      class="hand-in"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.value.trim() !== '') void make();
      }}
    >
      <label for={id}>{say('hand-in.name')}</label>
      <div class="answer-row">
        <input
          id={id}
          value={name.value}
          maxLength={80}
          autocomplete="name"
          onInput={(event) => {
            name.value = event.currentTarget.value;
          }}
        />
        <button type="submit" disabled={name.value.trim() === ''}>
          {say('hand-in')}
        </button>
      </div>
      {line.value !== '' && (
        <output>
          {say('hand-in.line')} <code class="hand-in-line">{line.value}</code>
        </output>
      )}
    </form>
  );
}
