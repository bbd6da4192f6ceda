// SPDX-License-Identifier: MIT
//
// One task of a lesson: question, control, what came of the last attempt, hints, solution.

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { findStep } from '../../lessons/recorded-steps.ts';
import { cursorSteps } from '../../lessons/cursor-steps.ts';
import { decodeWith, judgeAttempt, taskRecording } from '../../lessons/judge.ts';
import type { Answers, Judgement, JudgeTools } from '../../lessons/judge.ts';
import { reasonText } from '../../lessons/lesson-set.ts';
import type { TaskView } from '../../lessons/lesson-set.ts';
import type { Texts } from '../../lessons/lesson-texts.ts';
import type { Attempt } from '../../lessons/lesson.ts';
import { RecordingCursor } from '../../../trace/recording/cursor.ts';
import { BytesEditor } from './bytes-editor.tsx';
import { CodeEditor } from './code-editor.tsx';
import type { LessonHost } from './host.ts';
import { loadDisassembler } from './decoder.ts';
import { loadRecording, recordedLab } from './lesson-data.ts';
import { OrderChooser } from './order-chooser.tsx';
import { Prose } from './prose.tsx';
import type { Say } from './say.ts';
import { ChoiceAnswer, MomentAnswer, NumberAnswer } from './widgets.tsx';

interface TaskProps {
  readonly task: TaskView;
  readonly number: number;
  readonly texts: Texts;
  readonly say: Say;
  readonly host: LessonHost;
  readonly isDone: boolean;
  /** The first that is not done: its recording is open. */
  readonly isCurrent: boolean;
  /** What was right of the lesson's tasks. */
  readonly answers: Answers;
  readonly onAttempt: () => void;
  readonly onReached: (attempt: Attempt) => void;
}

export function TaskSection(props: TaskProps): JSX.Element {
  const { task, number, say, host, isDone, isCurrent, texts, answers } = props;
  const judgement = useSignal<Judgement | undefined>(undefined);
  const isBusy = useSignal(false);
  const isOpen = useSignal(false);

  useEffect(() => {
    if (!isCurrent) return;
    let isGone = false;
    void openRecording(task, answers, host, () => isGone).finally(() => {
      isOpen.value = true;
    });
    return () => {
      isGone = true;
    };
    // Answers of tasks before this one do not change while it is the current one.
  }, [isCurrent, task, host, isOpen]);

  const attempt = async (given: Attempt): Promise<void> => {
    props.onAttempt();
    isBusy.value = true;
    try {
      if (given.kind === 'moment' && (await ownRecording(task, answers, host)) !== host.recording.value) {
        judgement.value = { outcome: { reached: false, reason: 'moment.elsewhere', data: {} } };
        return;
      }
      const decoder = async (): ReturnType<JudgeTools['decoder']> => decodeWith(await loadDisassembler());
      const found = await judgeAttempt(task, given, { ...labTools(host), decoder }, answers);
      const { outcome, recordings } = found;
      if (recordings !== undefined && recordings.length > 0)
        host.open(recordings, outcome.reached ? 0 : (recordings[0]?.steps.length ?? 0));
      judgement.value = found;
      if (outcome.reached) props.onReached(given);
    } catch (error) {
      judgement.value = {
        outcome: { reached: false, reason: 'failed', data: { message: error instanceof Error ? error.message : '' } },
      };
    } finally {
      isBusy.value = false;
    }
  };

  const { goal } = task;
  const shared = { task, say, isBusy: isBusy.value, onAttempt: (given: Attempt) => void attempt(given) };
  return (
    <section
      class={`task ${isDone ? 'is-done' : ''}`}
      data-task={task.id}
      aria-labelledby={`task-${task.id}`}
      aria-busy={isCurrent && !isOpen.value}
    >
      <h3 id={`task-${task.id}`}>
        {say('task.title', { number, title: task.texts.title })}
        {isDone && <span class="badge badge-good">{say('task.done')}</span>}
      </h3>
      {task.texts.text.map((paragraph) => (
        <p key={paragraph}>
          <Prose text={paragraph} />
        </p>
      ))}
      <p class="ask">
        <Prose text={task.texts.ask} />
      </p>
      {task.needsServer && host.lab.value.status.value.kind !== 'server' && (
        <p class="small muted">{say('needs-server')}</p>
      )}
      {task.recording !== undefined && (
        <p>
          <button type="button" class="small" onClick={() => void openRecording(task, answers, host)}>
            {say('open-recording')}
          </button>
        </p>
      )}
      {goal.kind === 'moment' && <MomentAnswer {...shared} goal={goal} moment={host.step.value} />}
      {goal.kind === 'answer' && <NumberAnswer {...shared} goal={goal} />}
      {goal.kind === 'bytes' && <BytesEditor {...shared} goal={goal} />}
      {goal.kind === 'choice' && <ChoiceAnswer {...shared} goal={goal} />}
      {goal.kind === 'order' && <OrderChooser {...shared} goal={goal} />}
      {goal.kind === 'code' && <CodeEditor {...shared} goal={goal} />}
      <Verdict judgement={judgement.value} isDone={isDone} isBusy={isBusy.value} task={task} texts={texts} say={say} />
      <Help task={task} answers={answers} say={say} host={host} />
    </section>
  );
}

/** The laboratory that is there; where it has no answer, what was recorded. */
async function askLab(
  host: LessonHost,
  request: Parameters<typeof recordedLab.submit>[0],
): ReturnType<typeof recordedLab.submit> {
  const recorded = await recordedLab.submit(request);
  return recorded.ok ? recorded : host.lab.value.submit(request);
}

function labTools(host: LessonHost): Pick<JudgeTools, 'ask' | 'recording'> {
  return { ask: (request) => askLab(host, request), recording: loadRecording };
}

function ownRecording(task: TaskView, answers: Answers, host: LessonHost): ReturnType<typeof taskRecording> {
  return taskRecording(task, answers, labTools(host));
}

/** Shows a task's recording, unless somebody has gone on meanwhile. */
async function openRecording(
  task: TaskView,
  answers: Answers,
  host: LessonHost,
  isGone = (): boolean => false,
): Promise<void> {
  const recording = await ownRecording(task, answers, host);
  if (recording === undefined || isGone()) return;
  const cursor = new RecordingCursor(recording);
  const from = task.from === undefined ? undefined : findStep(cursorSteps(cursor), task.from);
  host.showPanes(task.panes ?? []);
  if (host.recording.value !== recording) host.open([recording], from === undefined ? 0 : from + 1);
}

interface VerdictProps {
  readonly judgement: Judgement | undefined;
  readonly isDone: boolean;
  readonly isBusy: boolean;
  readonly task: TaskView;
  readonly texts: Texts;
  readonly say: Say;
}

/** What came of the last attempt; a screen reader hears of it. */
function Verdict({ judgement, isDone, isBusy, task, texts, say }: VerdictProps): JSX.Element {
  const outcome = judgement?.outcome;
  const isReached = outcome?.reached ?? isDone;
  return (
    <div class="verdict" aria-live="polite">
      {isBusy && <p class="muted">{say('busy')}</p>}
      {!isBusy && outcome?.reached === false && (
        <p class="refused">
          <Prose text={reasonText(outcome, task, texts)} />
          {judgement?.refusal !== undefined && ` ${judgement.refusal}`}
        </p>
      )}
      {!isBusy && isReached && (
        <p class="reached">
          <strong>{say('reached')}</strong> <Prose text={task.texts.done} />
        </p>
      )}
      {judgement?.report !== undefined && (
        <details>
          <summary>{say('report')}</summary>
          <pre tabIndex={0}>{judgement.report}</pre>
        </details>
      )}
    </div>
  );
}

/** Hints one after the other, and then the solution. */
function Help(props: { task: TaskView; answers: Answers; say: Say; host: LessonHost }): JSX.Element {
  const { task, answers, say, host } = props;
  const shown = useSignal(0);
  const { hints, solution } = task.texts;
  const isSolved = shown.value > hints.length;
  const { goal } = task;
  return (
    <div class="help">
      <ol class="hints" aria-live="polite">
        {hints.slice(0, shown.value).map((hint) => (
          <li key={hint}>
            <Prose text={hint} />
          </li>
        ))}
      </ol>
      {isSolved && (
        <p class="solution">
          <strong>{say('solution')}</strong> <Prose text={solution} />
        </p>
      )}
      {isSolved && typeof task.solution !== 'string' && task.solution.kind === 'code' && (
        <pre tabIndex={0}>{task.solution.source}</pre>
      )}
      {!isSolved && (
        <button
          type="button"
          class="small"
          onClick={() => {
            shown.value++;
          }}
        >
          {shown.value < hints.length
            ? say('hint', { number: shown.value + 1, count: hints.length })
            : say('show-solution')}
        </button>
      )}
      {isSolved && goal.kind === 'moment' && (
        <button
          type="button"
          class="small"
          onClick={() => {
            void ownRecording(task, answers, host).then((recording) => {
              if (recording === undefined) return;
              const at = findStep(cursorSteps(new RecordingCursor(recording)), goal.where);
              if (host.recording.value !== recording) host.open([recording]);
              if (at !== undefined) host.goTo(at + 1);
            });
          }}
        >
          {say('go-there')}
        </button>
      )}
    </div>
  );
}
