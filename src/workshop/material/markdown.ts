// SPDX-License-Identifier: MIT
//
// The part of Markdown that our own pages for teachers use: headings, paragraphs, lists, tables, fenced code, emphasis,
// code, links. Not for text of others.

import { document, escapeHtml, LICENCE_LINE } from './html.ts';

/**
 * A page made of Markdown. Links in it stay words: they lead to files of the source.
 * @param top HTML that comes first
 */
export function markdownPage(title: string, text: string, top: string): string {
  return document(title, STYLE, `${top}\n${blocks(text)}\n<footer>${escapeHtml(LICENCE_LINE)}</footer>`);
}

function blocks(text: string): string {
  const lines = text.split('\n');
  const out: string[] = [];
  const take = (fits: (line: string) => boolean): string[] => {
    const taken: string[] = [];
    while (lines[0] !== undefined && fits(lines[0])) taken.push(lines.shift() ?? '');
    return taken;
  };
  while (lines[0] !== undefined) {
    const [line] = lines;
    if (line.trim() === '') lines.shift();
    else if (line.startsWith('```')) {
      lines.shift();
      out.push(`<pre tabindex="0"><code>${escapeHtml(take((l) => !l.startsWith('```')).join('\n'))}</code></pre>`);
      lines.shift();
    } else if (/^#{1,4} /.test(line)) {
      const level = line.indexOf(' ');
      out.push(`<h${level}>${inline(line.slice(level + 1))}</h${level}>`);
      lines.shift();
    } else if (line.startsWith('|')) out.push(table(take((l) => l.startsWith('|'))));
    else if (/^[-*] /.test(line)) out.push(list(take((l) => /^([-*] | {2})/.test(l))));
    else out.push(`<p>${inline(take((l) => l.trim() !== '' && !/^(#|\||```|[-*] )/.test(l)).join(' '))}</p>`);
  }
  return out.join('\n');
}

function list(lines: readonly string[]): string {
  const items: string[] = [];
  for (const line of lines) {
    if (/^[-*] /.test(line)) items.push(line.slice(2));
    else items[items.length - 1] = `${items.at(-1) ?? ''} ${line.trim()}`;
  }
  return `<ul>${items.map((item) => `<li>${inline(item)}</li>`).join('')}</ul>`;
}

function table(lines: readonly string[]): string {
  const [head = [], , ...rows] = lines.map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => inline(cell.trim())),
  );
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table><thead>${row(head, 'th')}</thead><tbody>${rows.map((cells) => row(cells, 'td')).join('')}</tbody></table>`;
}

function inline(text: string): string {
  return text
    .split('`')
    .map((part, index) => {
      if (index % 2 === 1) return `<code>${escapeHtml(part)}</code>`;
      return escapeHtml(part)
        .replace(/\*\*(.+?)\*\*/g, '<strong>$1</strong>')
        .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1');
    })
    .join('');
}

const STYLE = `
body { max-width: 50rem; margin: 0 auto; padding: 1rem 1.25rem; font: 1rem/1.5 system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif; color: #17212b; background: #fff; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #ccd4dd; }
code { font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 0.9em; background: #f0f3f7; padding: 0 0.2em; }
pre { background: #f0f3f7; padding: 0.5rem 0.75rem; overflow-x: auto; }
pre code { padding: 0; }
footer { margin-top: 2rem; color: #4d5a68; font-size: 0.85rem; }
@media print { @page { size: A4; margin: 16mm; } body { max-width: none; padding: 0; font-size: 10.5pt; } }
`;
