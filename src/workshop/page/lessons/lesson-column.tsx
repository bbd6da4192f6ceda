// SPDX-License-Identifier: MIT
//
// A lesson beside the panes: its text, its tasks, how far one has come, and where it goes on.

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Attempt } from '../../lessons/lesson.ts';
import type { LessonSet, LessonView } from '../../lessons/lesson-set.ts';
import { HandInForm } from './hand-in-form.tsx';
import type { LessonHost } from './host.ts';
import { loadLessons } from './lesson-data.ts';
import { lessonProgress, NOTHING, updateProgress } from './progress.ts';
import { Prose } from './prose.tsx';
import { sayer } from './say.ts';
import { TaskSection } from './task-section.tsx';
import './lessons.css';

/** Time is counted in pieces of this length, while the page is in view. */
const TICK_S = 5;

interface ColumnProps {
  readonly host: LessonHost;
  /** Id of the lesson. */
  readonly id: string;
  readonly onOpenLesson: (id: string) => void;
}

export function LessonColumn({ host, id, onOpenLesson }: ColumnProps): JSX.Element {
  const set = useSignal<LessonSet | undefined>(undefined);
  const problem = useSignal('');
  useEffect(() => {
    loadLessons().then(
      (found) => {
        set.value = found;
      },
      (error: unknown) => {
        problem.value = error instanceof Error ? error.message : String(error);
      },
    );
  }, [set, problem]);
  if (problem.value !== '') return <p class="refused">{problem.value}</p>;
  const lesson = set.value?.lessons.find((l) => l.id === id);
  if (set.value === undefined) return <p class="empty" aria-busy="true" />;
  if (lesson === undefined) {
    const known = set.value.lessons.map((l) => l.id).join(', ');
    return <p class="refused">{sayer(set.value.texts)('unknown-lesson', { id, known })}</p>;
  }
  return <LessonBody key={id} set={set.value} lesson={lesson} host={host} onOpenLesson={onOpenLesson} />;
}

interface BodyProps extends Omit<ColumnProps, 'id'> {
  readonly set: LessonSet;
  readonly lesson: LessonView;
}

function LessonBody({ set, lesson, host, onOpenLesson }: BodyProps): JSX.Element {
  const { texts } = set;
  const say = sayer(texts);
  const progress = lessonProgress(lesson.id);
  const body = useRef<HTMLDivElement>(null);
  const isDone = (task: string): boolean => progress.done.includes(task);
  const current = lesson.tasks.find((task) => !isDone(task.id));
  const next = set.lessons[set.lessons.findIndex((l) => l.id === lesson.id) + 1];

  useEffect(() => {
    body.current?.querySelector<HTMLElement>('h2')?.focus();
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible')
        updateProgress(lesson.id, (now) => ({ ...now, seconds: now.seconds + TICK_S }));
    }, TICK_S * 1000);
    return () => clearInterval(timer);
  }, [lesson.id]);

  const reached = (task: string, attempt: Attempt): void => {
    updateProgress(lesson.id, (now) => ({
      ...now,
      done: [...new Set([...now.done, task])],
      answers: { ...now.answers, [task]: attempt },
    }));
  };

  return (
    <div class="lesson" ref={body} lang={texts.language}>
      <p class="muted small">
        {say('lesson.number', { number: lesson.number, count: set.lessons.length, minutes: lesson.minutes })}
      </p>
      <h2 tabIndex={-1}>{lesson.texts.title}</h2>
      <p class="concept">
        <Prose text={lesson.texts.concept} />
      </p>
      <details class="lesson-text" open>
        <summary>{say('lesson.text')}</summary>
        {lesson.texts.text.map((paragraph) => (
          <p key={paragraph}>
            <Prose text={paragraph} />
          </p>
        ))}
      </details>
      <p class="progress">
        <progress value={progress.done.length} max={lesson.tasks.length} aria-label={say('progress.label')} />{' '}
        {say('progress', { done: progress.done.length, count: lesson.tasks.length })}
      </p>
      {lesson.tasks.map((task, i) => (
        <TaskSection
          key={task.id}
          task={task}
          number={i + 1}
          texts={texts}
          say={say}
          host={host}
          isDone={isDone(task.id)}
          isCurrent={task === current}
          answers={progress.answers}
          onAttempt={() => updateProgress(lesson.id, (now) => ({ ...now, steps: now.steps + 1 }))}
          onReached={(attempt) => reached(task.id, attempt)}
        />
      ))}
      {current === undefined && (
        <section class="lesson-end" aria-labelledby="lesson-end">
          <h3 id="lesson-end">{say('lesson.done')}</h3>
          <p>
            <Prose text={lesson.texts.summary} />
          </p>
          {next !== undefined && (
            <button type="button" class="check-button" onClick={() => onOpenLesson(next.id)}>
              {say('lesson.next', { number: next.number, title: next.texts.title })}
            </button>
          )}
          <HandInForm lesson={lesson.id} tasks={lesson.tasks.length} progress={progress} host={host} say={say} />
        </section>
      )}
      <details class="teacher">
        <summary>{say('lesson.teacher')}</summary>
        <ul>
          {lesson.texts.teacher.map((note) => (
            <li key={note}>
              <Prose text={note} />
            </li>
          ))}
        </ul>
      </details>
      {progress.done.length > 0 && (
        <p>
          <button type="button" class="small" onClick={() => updateProgress(lesson.id, () => NOTHING)}>
            {say('lesson.again')}
          </button>
        </p>
      )}
    </div>
  );
}
