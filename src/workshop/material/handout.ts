// SPDX-License-Identifier: MIT
//
// A lesson on paper: what a student works with, and what the teacher keeps (solutions, notes).

import type { LessonView } from '../lessons/lesson-set.ts';
import { document, escapeHtml, LICENCE_LINE, paragraphs, prose } from './html.ts';

/** Names of a lesson's two files, without `.html`. */
export function handoutName({ number, id }: LessonView): string {
  return `${String(number).padStart(2, '0')}-${id}`;
}

/** For students: texts, tasks, room to write. */
export function studentHandout(lesson: LessonView): string {
  const tasks = lesson.tasks.map((task, index) => {
    const options = Object.values(task.texts.options).map((option) => `<li>${prose(option)}</li>`);
    return `<section class="task"><h2>${index + 1}. ${prose(task.texts.title)}</h2>
${paragraphs(task.texts.text)}
<p class="ask">${prose(task.texts.ask)}</p>
${options.length > 0 ? `<ul class="options">${options.join('')}</ul>` : '<div class="room"></div>'}</section>`;
  });
  return page(lesson, '', `${paragraphs(lesson.texts.text)}\n${tasks.join('\n')}\n${NAME_LINE}`);
}

/** For the teacher: hints, solutions, notes. */
export function teacherHandout(lesson: LessonView): string {
  const notes = lesson.texts.teacher.map((note) => `<li>${prose(note)}</li>`).join('');
  const tasks = lesson.tasks.map((task, index) => {
    const hints = task.texts.hints.map((hint) => `<li>${prose(hint)}</li>`).join('');
    return `<section class="task"><h2>${index + 1}. ${prose(task.texts.title)}</h2>
<p class="ask">${prose(task.texts.ask)}</p>
<p>Hints:</p><ol>${hints}</ol>
<p>Solution: ${prose(task.texts.solution)}</p>
<p>Said afterwards: ${prose(task.texts.done)}</p></section>`;
  });
  const summary = `<h2>What stays</h2><p>${prose(lesson.texts.summary)}</p>`;
  return page(lesson, ', for the teacher', `<h2>Notes</h2><ul>${notes}</ul>\n${tasks.join('\n')}\n${summary}`);
}

function page(lesson: LessonView, kind: string, body: string): string {
  const { number, minutes, texts } = lesson;
  const title = `Lesson ${number}: ${texts.title}`;
  const top = `<header><h1>${prose(title)}</h1><p class="concept">${prose(texts.concept)}</p><p class="minutes">${minutes} minutes${kind}</p></header>`;
  const foot = `<footer>${escapeHtml(LICENCE_LINE)}</footer>`;
  return document(`${title}${kind}`, STYLE, `${top}\n${body}\n${foot}`);
}

const NAME_LINE = '<p class="name">Name: <span></span> Hand-in line: <span></span></p>';

const STYLE = `
body { max-width: 46rem; margin: 0 auto; padding: 1rem 1.25rem; font: 1rem/1.45 system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif; color: #17212b; background: #fff; }
h1 { font-size: 1.7rem; margin: 0.5rem 0 0.25rem; }
h2 { font-size: 1.15rem; margin: 1.25rem 0 0.25rem; }
.concept { font-size: 1.1rem; margin: 0; }
.minutes, footer { color: #4d5a68; font-size: 0.85rem; }
.ask { font-weight: 600; border-left: 4px solid #0a58a8; padding-left: 0.75rem; }
code { font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 0.9em; background: #f0f3f7; padding: 0 0.2em; }
.options { list-style: none; padding-left: 0.75rem; }
.options li::before { content: '\\2610\\00a0\\00a0'; }
.room { height: 5.5rem; border: 1px solid #7d8a98; }
.name { margin-top: 2rem; }
.name span { display: inline-block; width: 12rem; border-bottom: 1px solid #17212b; }
footer { margin-top: 2rem; }
@media print {
  @page { size: A4; margin: 16mm; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .task { break-inside: avoid; }
  code { background: none; }
}
`;
