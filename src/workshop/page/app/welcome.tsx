// SPDX-License-Identifier: MIT
//
// What the page shows before anything is open: where one can begin.

import type { JSX } from 'preact';
import { t } from '../../texts/texts.ts';
import type { MenuItem } from './menu.tsx';
import { Picture } from './picture.tsx';
import { SHOWN_RECORDINGS } from './recordings.ts';

interface WelcomeProps {
  readonly lessons: readonly MenuItem[];
  readonly onLesson: (id: string) => void;
  readonly onRecording: (name: string) => void;
  readonly onLaboratory: (kind: 'race' | 'program') => void;
}

export function Welcome({ lessons, onLesson, onRecording, onLaboratory }: WelcomeProps): JSX.Element {
  return (
    <div class="welcome">
      <h2>{t('welcome.title')}</h2>
      <p>{t('welcome.text')}</p>
      <section>
        <h3>{t('app.lessons')}</h3>
        <ol>
          {lessons.map(({ id, title, detail }) => (
            <li key={id}>
              <button type="button" onClick={() => onLesson(id)}>
                <strong>{title}</strong>
                <span>{detail}</span>
              </button>
            </li>
          ))}
        </ol>
      </section>
      <div>
        <Picture onOpen={onRecording} />
        <h3>{t('welcome.labs')}</h3>
        <ul>
          {(['race', 'program'] as const).map((kind) => (
            <li key={kind}>
              <button type="button" onClick={() => onLaboratory(kind)}>
                <strong>{t(`app.${kind}`)}</strong>
                <span>{t(`welcome.${kind}`)}</span>
              </button>
            </li>
          ))}
        </ul>
        <h3>{t('welcome.look')}</h3>
        <ul class="welcome-recordings">
          {SHOWN_RECORDINGS.map((name) => (
            <li key={name}>
              <button type="button" onClick={() => onRecording(name)}>
                {t(`recording.${name}`)}
              </button>
            </li>
          ))}
        </ul>
        <p class="muted">{t('welcome.drop')}</p>
        <p>
          <a href="./teaching.html">{t('welcome.teachers')}</a>
        </p>
      </div>
    </div>
  );
}
