// SPDX-License-Identifier: MIT
//
// The page that checks hand-in lines: by the class's server where there is one, which has the key; without one, only the
// checksums of lines that carry one. No secret is here.

import './styles/base.css';
import './check.css';
import './viewer/theme.ts';
import { checkHandIn } from '../hand-in.ts';
import type { HandInVerdict } from '../hand-in.ts';
import { t } from '../texts/texts.ts';
import { ServerLab } from './server-lab.ts';

/** Set by the build: the page in one file, which knows of no server. */
declare const TRAPLINE_STATIC: boolean;

const lab = !TRAPLINE_STATIC && location.protocol.startsWith('http') ? new ServerLab() : undefined;

const heading = element('h1', t('check.title'));
const explanation = element('p', t('check.about'));
const scope = element('p', '');
scope.setAttribute('role', 'status');
const label = element('label', t('check.lines'));
label.htmlFor = 'lines';
const input = document.createElement('textarea');
input.id = 'lines';
input.rows = 8;
input.spellcheck = false;
const button = element('button', t('check.button'));
button.type = 'submit';
const form = document.createElement('form');
form.append(label, input, button);
const results = document.createElement('div');
results.setAttribute('aria-live', 'polite');
document.querySelector('#app')?.append(heading, explanation, scope, form, results);

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void check(input.value.split('\n').filter((line) => line.trim() !== ''));
});
void lab?.connect();
if (lab === undefined) scope.textContent = t('check.no-server');
else {
  lab.status.subscribe((status) => {
    if (status.kind === 'server') scope.textContent = t(status.status.signs ? 'check.signs' : 'check.no-key');
    else if (status.kind === 'lost') scope.textContent = t('check.no-server');
  });
}

async function check(lines: readonly string[]): Promise<void> {
  const here = (): HandInVerdict[] => lines.map((line) => checkHandIn(line, undefined));
  const answer = lab?.status.value.kind === 'server' ? await lab.checkHandIn(lines) : here();
  if ('reason' in answer) results.replaceChildren(element('p', answer.sentence));
  else results.replaceChildren(table(lines, answer));
}

function table(lines: readonly string[], verdicts: readonly HandInVerdict[]): HTMLElement {
  const out = document.createElement('table');
  const head = out.createTHead().insertRow();
  for (const name of ['verdict', 'name', 'lesson', 'tasks', 'steps', 'time', 'at']) {
    const cell = element('th', t(`check.column.${name}`));
    cell.scope = 'col';
    head.append(cell);
  }
  const body = out.createTBody();
  for (const [index, result] of verdicts.entries()) {
    const row = body.insertRow();
    row.className = `verdict-${result.verdict}`;
    row.append(element('td', t(`check.verdict.${result.verdict}`)));
    if (result.verdict === 'unreadable') {
      const cell = element('td', (lines[index] ?? '').slice(0, 80));
      cell.colSpan = 6;
      row.append(cell);
      continue;
    }
    const { name, lesson, done, tasks, steps, seconds, at } = result.handIn;
    const minutes = t('check.minutes', { minutes: Math.floor(seconds / 60), seconds: seconds % 60 });
    row.append(...[name, lesson, `${done}/${tasks}`, String(steps), minutes, at].map((text) => element('td', text)));
  }
  const frame = element('div', '');
  frame.className = 'table-frame';
  frame.append(out);
  return frame;
}

function element<K extends keyof HTMLElementTagNameMap>(name: K, text: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
