// SPDX-License-Identifier: MIT
//
// What the last step did and why, read aloud by screen readers when it changes.

import type { JSX } from 'preact';
import { stepSentence } from '../../texts/step-sentence.ts';
import { t } from '../../texts/texts.ts';
import { actorClass, actorName } from './actors.ts';
import { useViewer } from './viewer-context.ts';

export function SentenceLine(): JSX.Element {
  const { session } = useViewer();
  const cursor = session.cursor.value;
  const moment = session.moment.value;
  const step = session.step.value;
  const isPlaying = session.isPlaying.value;
  if (cursor === undefined) return <div class="sentence" />;
  const { what, why } = stepSentence(cursor, moment);
  return (
    <div
      class={`sentence ${step?.fails === true ? 'is-failing' : ''}`}
      tabIndex={0}
      role="group"
      aria-label={t('sentence')}
    >
      <p aria-live={isPlaying ? 'off' : 'polite'} aria-atomic="true">
        {step !== undefined && (
          <span class={`chip ${actorClass(cursor.recording, step.actor)}`}>
            {actorName(cursor.recording, step.actor)}
          </span>
        )}{' '}
        <strong>{what}</strong> {why}
      </p>
    </div>
  );
}
