// SPDX-License-Identifier: MIT
//
// Slides, handouts and the teacher's page by their names, for the server and for an export: made from the lessons and
// their recordings.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLessons } from '../lessons/lesson-set.ts';
import type { LessonView } from '../lessons/lesson-set.ts';
import { handoutName, studentHandout, teacherHandout } from '../material/handout.ts';
import { escapeHtml } from '../material/html.ts';
import { markdownPage } from '../material/markdown.ts';
import { makeSlides, slideDeck } from '../material/slide-deck.ts';
import type { Slide } from '../material/slide-deck.ts';
import { lessonRecordings, readLessonFiles } from './lesson-files.ts';

export interface Material {
  /** Pages of HTML by name, such as `handouts/01-see-a-trap.html`. */
  readonly pages: ReadonlyMap<string, string>;
  readonly slides: readonly Slide[];
}

/**
 * @param buildFolder `dist/workshop`
 * @throws TraplineError `WORKSHOP_PAGE`, `LESSON_FILE`
 */
export function makeMaterial(buildFolder: string): Material {
  const files = readLessonFiles(join(buildFolder, 'lessons'));
  const set = readLessons(files);
  const slides = makeSlides(set.lessons, lessonRecordings(files, set));
  const teaching = readFileSync(join(buildFolder, 'TEACHING.md'), 'utf8');
  const pages = new Map<string, string>([
    ['slides.html', slideDeck(slides)],
    ['teaching.html', markdownPage('Teaching with the workshop', teaching, contents(set.lessons))],
  ]);
  for (const lesson of set.lessons) {
    pages.set(`handouts/${handoutName(lesson)}.html`, studentHandout(lesson));
    pages.set(`handouts/${handoutName(lesson)}-teacher.html`, teacherHandout(lesson));
  }
  return { pages, slides };
}

/** Links to everything that is there for a teacher. */
function contents(lessons: readonly LessonView[]): string {
  const handouts = lessons.map((lesson) => {
    const path = `handouts/${handoutName(lesson)}`;
    const title = escapeHtml(`${lesson.number}. ${lesson.texts.title}`);
    return `<li>${title}: <a href="${path}.html">handout</a>, <a href="${path}-teacher.html">for the teacher</a></li>`;
  });
  return `<nav><ul>
<li><a href="index.html">The workshop</a></li>
<li><a href="slides.html">Slides</a></li>
<li><a href="check.html">Check what was handed in</a></li>
${handouts.join('\n')}
</ul></nav>`;
}
