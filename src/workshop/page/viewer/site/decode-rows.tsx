// SPDX-License-Identifier: MIT
//
// What a processor finds that begins at each of the seven bytes, as boxes over the bytes and as text, with whoever
// stands there. An instruction that the program does not have at that place is marked.

import type { JSX } from 'preact';
import type { RecordingCursor, State } from '../../../../trace/recording/cursor.ts';
import type { EntryDecode, Meaning, Recording, Site } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName, hasFetches, offsetInSite } from '../actors.ts';
import { byte } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';
import { COLUMNS, edge } from './columns.ts';

/** Characters of instructions in a row. */
const ROOM = 24;

interface DecodeProps {
  readonly cursor: RecordingCursor;
  readonly site: Site;
  readonly index: number;
  readonly state: State;
  /** What is decoded: memory, or memory as somebody's processor sees it. */
  readonly bytes: Uint8Array | null;
  /** Whose; undefined: memory's own. */
  readonly eyes: number | undefined;
  /** Who could be chosen instead. */
  readonly fetchers: readonly number[];
}

export function DecodeRows(props: DecodeProps): JSX.Element {
  const { cursor, bytes, index } = props;
  const decode = bytes === null ? undefined : cursor.decode(index, bytes);
  const starts = ownStarts(cursor, index);
  return (
    <tbody class="decodes">
      <tr class="decode-head">
        <th scope="rowgroup" colSpan={COLUMNS.length + 2}>
          <span>{t('site.decode')}</span>
          <Eyes {...props} />
        </th>
      </tr>
      {COLUMNS.map((offset) => (
        <DecodeRow
          key={offset}
          {...props}
          offset={offset}
          entry={decode?.entries[offset]}
          isStart={starts.includes(offset)}
        />
      ))}
    </tbody>
  );
}

/** Chooses between memory and what the processors hold. */
function Eyes({ cursor, eyes, fetchers }: DecodeProps): JSX.Element | null {
  const { view } = useViewer();
  if (!hasFetches(cursor.recording)) return null;
  return (
    <select
      aria-label={t('site.eyes')}
      value={String(view.eyes.value)}
      onChange={(event) => {
        const { value } = event.currentTarget;
        view.eyes.value = value === 'auto' || value === 'memory' ? value : Number(value);
      }}
    >
      <option value="auto">
        {eyes === undefined
          ? t('site.eyes.memory')
          : t('site.eyes.actor', { actor: actorName(cursor.recording, eyes) })}
      </option>
      <option value="memory">{t('site.eyes.always-memory')}</option>
      {fetchers.map((actor) => (
        <option key={actor} value={String(actor)}>
          {t('site.eyes.always-actor', { actor: actorName(cursor.recording, actor) })}
        </option>
      ))}
    </select>
  );
}

interface RowProps extends DecodeProps {
  readonly offset: number;
  readonly entry: EntryDecode | undefined;
  /** One of the program's own instructions begins here. */
  readonly isStart: boolean;
}

function DecodeRow(props: RowProps): JSX.Element {
  const { cursor, site, state, offset, entry, isStart } = props;
  const { recording } = cursor;
  const here = state.actors.flatMap((actor, i) => (offsetInSite(actor, site) === offset ? [i] : []));
  const texts = entry?.rows.map(([, , text]) => cursor.text(text)) ?? [];
  return (
    <tr
      class={`decode decode-${entry?.meaning ?? 'unknown'} ${here.length > 0 ? 'is-here' : ''} ${isStart || here.length > 0 ? 'is-start' : ''}`}
    >
      <th scope="row">
        <span class="entry">+{offset}</span>
        <Here recording={recording} actors={here} />
      </th>
      <Boxes {...props} />
      <td class="decode-text">
        <span class="mono" title={texts.join('; ')}>
          {texts.length === 0 ? t('site.decode.unknown') : brief(texts)}
        </span>
        {entry !== undefined && (
          <span class={`meaning meaning-${entry.meaning}`}>
            {t(meaningKey(entry.meaning, isStart || here.length > 0))}
          </span>
        )}
      </td>
    </tr>
  );
}

/** Who stands there, as one name: a row has no room for more. */
function Here({ recording, actors }: { recording: Recording; actors: readonly number[] }): JSX.Element | null {
  const [first, ...others] = actors;
  if (first === undefined) return null;
  const names = actors.map((actor) => actorName(recording, actor)).join(', ');
  return (
    <span class={`chip ${actorClass(recording, first)}`} title={names}>
      <span aria-hidden="true">
        {actorName(recording, first)}
        {others.length > 0 && `+${others.length}`}
      </span>
      <span class="visually-hidden">{names}</span>
    </span>
  );
}

/** What is found where nobody begins is less of a matter than where the program does. */
function meaningKey(meaning: Meaning, isStart: boolean): string {
  return (meaning === 'other' || meaning === 'no-instruction' || meaning === 'as-before') && !isStart
    ? `site.meaning.${meaning}.inner`
    : `site.meaning.${meaning}`;
}

/** As many instructions as a row has room for. */
function brief(texts: readonly string[]): string {
  let out = texts[0] ?? '';
  for (const text of texts.slice(1)) {
    if (out.length + text.length + 2 > ROOM) return out.length < ROOM - 2 ? `${out}; …` : `${out} …`;
    out += `; ${text}`;
  }
  return out;
}

/** Offsets at which the program's own instructions begin. */
function ownStarts(cursor: RecordingCursor, site: number): readonly number[] {
  const own = cursor.siteBytes(site, cursor.at(0));
  const entry = own === null ? undefined : cursor.decode(site, own)?.entries[0];
  return entry?.rows.map(([offset]) => offset) ?? [0];
}

/** One cell for each instruction, as wide as its bytes; what reaches beyond the seventh ends with an arrow. */
function Boxes({
  site,
  bytes,
  offset,
  entry,
}: DecodeProps & { offset: number; entry: EntryDecode | undefined }): JSX.Element {
  const cells: JSX.Element[] = [];
  if (offset > 0) cells.push(<td key="gap" colSpan={offset} class="gap" />);
  let at = offset;
  for (const [i, [start, length]] of (entry?.rows ?? []).entries()) {
    const end = Math.min(start + length, COLUMNS.length);
    if (start >= COLUMNS.length || start !== at) break;
    const inside = [...(bytes?.subarray(start, end) ?? [])].map(byte);
    cells.push(
      <td key={start} colSpan={end - start} class={`box ${i === 0 ? 'box-first' : ''} ${edge(site, start)}`}>
        <span class="box-bytes" style={{ gridTemplateColumns: `repeat(${end - start}, 1fr)` }}>
          {inside.map((value, k) => (
            <span key={k}>{value}</span>
          ))}
        </span>
        {start + length > COLUMNS.length && (
          <span class="box-more" title={t('site.beyond', { bytes: start + length - COLUMNS.length })}>
            →
          </span>
        )}
      </td>,
    );
    at = end;
  }
  if (at < COLUMNS.length) cells.push(<td key="rest" colSpan={COLUMNS.length - at} class="gap" />);
  return <>{cells}</>;
}
