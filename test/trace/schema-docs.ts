// SPDX-License-Identifier: MIT
//
// The table of events in src/trace/README.md, made of the schema.

import { EventKind, TRACE_VERSION } from '../../src/trace/events.ts';
import { SCHEMA } from '../../src/trace/schema.ts';
import type { Field } from '../../src/trace/schema.ts';

function cell(field: Field | undefined): string {
  if (field === undefined) return '';
  const { name, unit, values } = field;
  if (values !== undefined) return `${name}: ${values.map((value, i) => `${i} ${value}`).join(', ')}`;
  return name === unit ? name : `${name} (${unit})`;
}

/** Markdown: one row a kind, in the order of the numbers. */
export function schemaTable(): string {
  const names = (Object.keys(EventKind) as (keyof typeof EventKind)[]).sort((x, y) => EventKind[x] - EventKind[y]);
  const rows = names.map((name) => {
    const { when, a, b, c, text, alwaysText } = SCHEMA[name];
    const shown = text === undefined ? '' : alwaysText === true ? `${text} (always)` : text;
    return `| ${[EventKind[name], `\`${name}\``, when, cell(a), cell(b), cell(c), shown].join(' | ')} |`;
  });
  return [
    `Version ${TRACE_VERSION}.`,
    '',
    '| kind | name | recorded when | a | b | c | text |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
