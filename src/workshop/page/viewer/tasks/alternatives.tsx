// SPDX-License-Identifier: MIT
//
// What could have been done in a race instead of the step that was made: what the explorer had to choose from. Where a
// laboratory can run the new schedule and the step comes later, a button puts it here.

import type { JSX } from 'preact';
import type { Step } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName } from '../actors.ts';
import { useViewer } from '../viewer-context.ts';

export function Alternatives(): JSX.Element | null {
  const { session, view } = useViewer();
  const recording = session.recording.value;
  const index = session.moment.value - 1;
  const others = recording?.steps[index]?.others ?? [];
  if (recording === undefined || others.length === 0) return null;
  const move = recording.kind === 'race' ? view.moveStep.value : undefined;
  return (
    <div class="alternatives">
      <h3>{t('others.title')}</h3>
      <ul>
        {others.map(([actor, name]) => {
          const later = nextOf(recording.steps, index, actor, name);
          const what = (
            <>
              <span class={`chip ${actorClass(recording, actor)}`}>{actorName(recording, actor)}</span> {stepText(name)}
            </>
          );
          return (
            <li key={`${actor} ${name}`}>
              {move === undefined || later === undefined ? (
                <span class="alternative">{what}</span>
              ) : (
                <button type="button" class="alternative" title={t('others.try')} onClick={() => move(later, index)}>
                  {what}
                </button>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Where the actor makes this step later; undefined where it never does, or does something else first. */
function nextOf(steps: readonly Step[], index: number, actor: number, name: string): number | undefined {
  const later = steps.findIndex((step, i) => i > index && step.actor === actor);
  return steps[later]?.name === name ? later : undefined;
}

/** Steps have short names in schedules: `X`, `F0`, `+5`, `+1.4`, `lock`. */
function stepText(name: string): string {
  const store = /^\+(\d+)(?:\.\d+)?$/.exec(name);
  if (store !== null) return t('others.store', { offset: store[1] });
  if (name === 'X') return t('others.instruction');
  return /^F\d+$/.test(name) ? t('others.fetch') : name;
}
