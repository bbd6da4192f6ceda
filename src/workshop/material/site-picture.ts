// SPDX-License-Identifier: MIT
//
// The key picture as a still: a site's bytes at one moment of a recording, and what a processor finds that begins at each
// of the seven.

import { toHex } from '../../base/bytes.ts';
import type { RecordingCursor } from '../../trace/recording/cursor.ts';
import type { EntryDecode } from '../../trace/recording/format.ts';
import { t } from '../texts/texts.ts';
import { escapeHtml } from './html.ts';

/** The bytes of a site that a patch replaces: `mov $n,%eax; syscall`. */
const SITE_BYTES = 7;
/** Characters of code in a row. */
const ROOM = 44;

/** Moments at which a site's bytes become others; 0 first. */
export function momentsOfChange(cursor: RecordingCursor, site: number): number[] {
  const moments: number[] = [];
  let last = '';
  for (let moment = 0; moment <= cursor.length; moment++) {
    const bytes = siteText(cursor, site, moment);
    if (bytes !== last && bytes !== '') moments.push(moment);
    last = bytes;
  }
  return moments;
}

function siteText(cursor: RecordingCursor, site: number, moment: number): string {
  const bytes = cursor.siteBytes(site, cursor.at(moment));
  return bytes === null ? '' : toHex(bytes.subarray(0, SITE_BYTES));
}

/** The picture as HTML, or '' where the recording has no such site. */
export function sitePicture(cursor: RecordingCursor, site: number, moment: number): string {
  const state = cursor.at(moment);
  const bytes = cursor.siteBytes(site, state);
  const before = cursor.siteBytes(site, cursor.at(Math.max(0, moment - 1)));
  const facts = cursor.recording.sites[site];
  if (bytes === null || facts === undefined) return '';
  const cells = [...bytes.subarray(0, SITE_BYTES)]
    .map((byte, offset) => {
      const isNew = moment > 0 && before?.[offset] !== byte;
      const isLine = offset > 0 && (facts.lineOffset + offset) % 64 === 0;
      return `<td class="byte${isNew ? ' new' : ''}${isLine ? ' line' : ''}">${byte.toString(16).padStart(2, '0')}</td>`;
    })
    .join('');
  const entries = cursor.decode(site, bytes)?.entries ?? [];
  const starts = ownStarts(cursor, site);
  const rows = entries.map((entry) => decodeRow(cursor, entry, starts.includes(entry.offset))).join('\n');
  const head = Array.from({ length: SITE_BYTES }, (_, offset) => `<th scope="col">+${offset}</th>`).join('');
  return `<table class="bytes"><thead><tr>${head}</tr></thead><tbody><tr>${cells}</tr></tbody></table>
<table class="decodes"><caption>${escapeHtml(t('site.decode'))}</caption><tbody>
${rows}
</tbody></table>`;
}

function decodeRow(cursor: RecordingCursor, { offset, meaning, rows }: EntryDecode, isStart: boolean): string {
  const code = rows.map(([, , text]) => cursor.text(text)).join('; ');
  const shown = code.length > ROOM ? `${code.slice(0, ROOM)}…` : code;
  const isInner = !isStart && (meaning === 'other' || meaning === 'no-instruction');
  const words = t(`site.meaning.${meaning}${isInner ? '.inner' : ''}`);
  return `<tr class="decode ${isInner ? 'inner' : meaning}"><th scope="row">+${offset}</th><td><code>${escapeHtml(shown)}</code></td><td>${escapeHtml(words)}</td></tr>`;
}

/** Offsets at which the program's own instructions begin. */
function ownStarts(cursor: RecordingCursor, site: number): readonly number[] {
  const own = cursor.siteBytes(site, cursor.at(0));
  const entry = own === null ? undefined : cursor.decode(site, own)?.entries[0];
  return entry?.rows.map(([offset]) => offset) ?? [0];
}
