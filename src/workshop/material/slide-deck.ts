// SPDX-License-Identifier: MIT
//
// Slides for a projector, made of the lessons' sentences and of their recordings: one page of HTML, arrow keys, and one
// slide a sheet when it is printed.

import { RecordingCursor } from '../../trace/recording/cursor.ts';
import type { Recording } from '../../trace/recording/format.ts';
import type { LessonView } from '../lessons/lesson-set.ts';
import { stepSentence } from '../texts/step-sentence.ts';
import { document, escapeHtml, LICENCE_LINE, paragraphs, prose } from './html.ts';
import { momentsOfChange, sitePicture } from './site-picture.ts';

/** One slide. */
export interface Slide {
  /** For a file: `04-break-it-02`. */
  readonly name: string;
  readonly html: string;
}

/** Stills of one recording at most: a deck is looked at, a recording is played. */
const MOST_STILLS = 7;

/** @param recordings by the names that lessons call them */
export function makeSlides(
  lessons: readonly LessonView[],
  recordings: ReadonlyMap<string, Recording>,
): readonly Slide[] {
  const shown = new Set<string>();
  const slides = lessons.flatMap((lesson) => {
    const stem = `${String(lesson.number).padStart(2, '0')}-${lesson.id}`;
    const parts = [opening(lesson)];
    for (const { recording } of lesson.tasks) {
      if (recording === undefined || shown.has(recording)) continue;
      shown.add(recording);
      const found = recordings.get(recording);
      if (found !== undefined) parts.push(...stills(lesson, found));
    }
    parts.push(...lesson.tasks.map((task) => question(lesson, task)), ending(lesson));
    return parts.map((html, index) => ({ name: `${stem}-${String(index + 1).padStart(2, '0')}`, html }));
  });
  return [{ name: '00-title', html: titleSlide(lessons) }, ...slides];
}

/** All slides in one page. */
export function slideDeck(slides: readonly Slide[]): string {
  const body = slides
    .map(
      ({ name, html }, index) =>
        `<section class="slide" id="${escapeHtml(name)}" aria-label="Slide ${index + 1} of ${slides.length}">
${html}
<footer>${index + 1} / ${slides.length}</footer>
</section>`,
    )
    .join('\n');
  return document('Trapline: slides of the workshop', STYLE, body, SCRIPT);
}

function titleSlide(lessons: readonly LessonView[]): string {
  const list = lessons.map(({ texts }) => `<li>${prose(texts.title)}</li>`).join('');
  return `<h1>See a syscall being trapped, patched and raced</h1>
<ol class="contents">${list}</ol>
<p class="small">Made from recordings of the real engine. ${escapeHtml(LICENCE_LINE)}</p>`;
}

function heading({ number, texts }: LessonView): string {
  return `<p class="lesson">Lesson ${number}: ${prose(texts.title)}</p>`;
}

function opening(lesson: LessonView): string {
  return `${heading(lesson)}<h2>${prose(lesson.texts.concept)}</h2>${paragraphs(lesson.texts.text.slice(0, 2))}`;
}

function question(lesson: LessonView, { texts }: LessonView['tasks'][number]): string {
  return `${heading(lesson)}<h2>${prose(texts.title)}</h2>${paragraphs(texts.text)}<p class="ask">${prose(texts.ask)}</p>`;
}

function ending(lesson: LessonView): string {
  return `${heading(lesson)}<h2>What stays</h2>${paragraphs([lesson.texts.summary])}`;
}

/** The moments of a recording that are worth a still: each new content of its first site, and the failure. */
function stills(lesson: LessonView, recording: Recording): string[] {
  const cursor = new RecordingCursor(recording);
  const moments = recording.sites.length === 0 ? [] : momentsOfChange(cursor, 0).slice(0, MOST_STILLS);
  const fails = recording.steps.findIndex((step) => step.fails === true) + 1;
  if (fails > 0 && !moments.includes(fails)) moments.push(fails);
  return moments.map((moment) => {
    const { what, why } = stepSentence(cursor, moment);
    const place = moment === 0 ? 'at the start' : `after step ${moment} of ${cursor.length}`;
    const failing = moment === fails && fails > 0 ? ' failing' : '';
    return `${heading(lesson)}<p class="origin"><code>${escapeHtml(recording.origin.command)}</code>, ${place}</p>
<div class="still${failing}">${sitePicture(cursor, 0, moment)}</div>
<p class="what">${escapeHtml(what)}</p><p class="why">${escapeHtml(why)}</p>`;
  });
}

const STYLE = `
* { box-sizing: border-box; }
body { margin: 0; background: #2b333b; font-family: system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif; color: #17212b; }
.slide { position: relative; width: 1280px; height: 720px; margin: 16px auto; padding: 36px 56px; background: #fff; overflow: hidden; font-size: 25px; line-height: 1.35; }
.slide footer { position: absolute; right: 32px; bottom: 14px; font-size: 17px; color: #4d5a68; }
h1 { font-size: 52px; margin: 48px 0 24px; }
h2 { font-size: 38px; margin: 8px 0 24px; line-height: 1.2; }
p { margin: 0 0 16px; max-width: 1120px; }
.lesson { color: #0a58a8; font-size: 20px; margin-bottom: 12px; }
.small, .origin { font-size: 18px; color: #4d5a68; margin-bottom: 8px; }
.contents { font-size: 27px; columns: 2; }
.ask { border-left: 8px solid #0a58a8; padding: 8px 20px; background: #dcebfb; font-weight: 600; }
code { font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; background: #f0f3f7; padding: 0 4px; font-size: 0.9em; }
.origin code { background: none; padding: 0; }
table { border-collapse: collapse; }
.bytes { margin-bottom: 10px; font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
.bytes th { font-size: 16px; color: #4d5a68; font-weight: 400; }
.byte { width: 76px; padding: 5px 0; text-align: center; font-size: 30px; border: 2px solid #7d8a98; }
.byte.new { background: #fdecc8; font-weight: 700; }
.byte.line { border-left: 7px double #a51d16; }
.decodes { width: 100%; font-size: 20px; }
.decodes caption { text-align: left; color: #4d5a68; font-size: 17px; }
.decodes th { width: 60px; text-align: left; }
.decodes td { padding: 3px 12px 3px 0; border-bottom: 1px solid #ccd4dd; }
.decodes td:last-child { width: 340px; }
.as-before td:last-child, .jump td:last-child { color: #116534; }
.guard td:last-child { color: #7a4a00; }
.other td, .no-instruction td, .other th, .no-instruction th { color: #a51d16; font-weight: 600; }
.inner td, .inner th, .cut td, .cut th { color: #5d6976; }
.failing { outline: 4px solid #a51d16; outline-offset: 6px; }
.what { margin-top: 18px; font-weight: 600; }
.why { color: #33414e; }
body.one .slide { display: none; margin: 0 auto; }
body.one .slide.shown { display: block; }
@page { size: 1280px 720px; margin: 0; }
@media print { body { background: #fff; } .slide, body.one .slide { display: block; margin: 0; break-after: page; } }
`;

/** Arrow keys, page keys, space; f for the whole screen. A picture or a link names a slide by #its-name. */
const SCRIPT = `
'use strict';
const slides = [...document.querySelectorAll('.slide')];
let at = -1;
function show(next) {
  const to = Math.max(0, Math.min(slides.length - 1, next));
  if (to === at) return;
  slides[at]?.classList.remove('shown');
  at = to;
  slides[at].classList.add('shown');
  history.replaceState(null, '', '#' + slides[at].id);
}
function named() { return slides.findIndex((slide) => '#' + slide.id === location.hash); }
document.body.classList.add('one');
show(Math.max(0, named()));
addEventListener('hashchange', () => { if (named() >= 0) show(named()); });
addEventListener('keydown', (event) => {
  const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, ' ': 1, Enter: 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1, Home: -1e6, End: 1e6 };
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === 'f') void document.documentElement.requestFullscreen?.();
  if (event.key in steps) { event.preventDefault(); show(at + steps[event.key]); }
});
`;
