// SPDX-License-Identifier: MIT
//
// The key picture: the seven bytes before and now, with what the last step stored; what each processor has fetched;
// and how the bytes decode from every entry offset. All of it stands on one grid of seven columns.

import type { JSX } from 'preact';
import { fromHex } from '../../../../base/bytes.ts';
import type { RecordingCursor, State } from '../../../../trace/recording/cursor.ts';
import type { Site, Step } from '../../../../trace/recording/format.ts';
import { t } from '../../../texts/texts.ts';
import { actorClass, actorName, fetchersOf, hasFetches } from '../actors.ts';
import { byte } from '../numbers.ts';
import { useViewer } from '../viewer-context.ts';
import { COLUMNS, edge, SITE_BYTES } from './columns.ts';
import { DecodeRows } from './decode-rows.tsx';
import { SiteHistory } from './site-history-list.tsx';
import { phaseOf } from './site-history.ts';
import { siteTitle } from './site-title.ts';

export function SitePane(): JSX.Element {
  const { session } = useViewer();
  const cursor = session.cursor.value;
  const state = session.state.value;
  if (cursor === undefined || state === undefined) return <p class="empty">{t('site.nothing')}</p>;
  const { sites } = cursor.recording;
  const site = sites[session.site.value];
  if (site === undefined) return <p class="empty">{t('site.none')}</p>;
  return (
    <div class="site">
      <SiteHead cursor={cursor} site={site} />
      <SiteSheet cursor={cursor} state={state} site={site} index={session.site.value} />
      <SiteHistory cursor={cursor} site={session.site.value} />
    </div>
  );
}

/** The key picture alone, of the first site. */
export function SitePicture(): JSX.Element | null {
  const { session } = useViewer();
  const cursor = session.cursor.value;
  const state = session.state.value;
  const site = cursor?.recording.sites[0];
  if (cursor === undefined || state === undefined || site === undefined) return null;
  return <SiteSheet cursor={cursor} state={state} site={site} index={0} />;
}

function SiteHead({ cursor, site }: { cursor: RecordingCursor; site: Site }): JSX.Element {
  const { session } = useViewer();
  const { sites } = cursor.recording;
  return (
    <div class="site-head">
      {sites.length > 1 ? (
        <select
          aria-label={t('site.choose')}
          value={session.site.value}
          onChange={(event) => {
            session.site.value = Number(event.currentTarget.value);
          }}
        >
          {sites.map((each, i) => (
            <option key={i} value={i}>
              {siteTitle(each)}
            </option>
          ))}
        </select>
      ) : (
        <strong class="mono">{siteTitle(site)}</strong>
      )}
      <span class="muted" title={t('site.place', { line: site.lineOffset, page: site.pageOffset })}>
        {t('site.place.short', { line: site.lineOffset, page: site.pageOffset })}
      </span>
    </div>
  );
}

interface SheetProps {
  readonly cursor: RecordingCursor;
  readonly state: State;
  readonly site: Site;
  readonly index: number;
}

function SiteSheet({ cursor, state, site, index }: SheetProps): JSX.Element {
  const { session, view } = useViewer();
  const { recording } = cursor;
  const step = session.step.value;
  const original = fromHex(site.before).subarray(1, 1 + SITE_BYTES);
  const now = cursor.siteBytes(index, state);
  const stored = storedBytes(step, site);
  const phase = now === null ? undefined : phaseOf(now.subarray(0, SITE_BYTES), original);
  const fetchers = fetchersOf(recording, state, site);
  const maker = step === undefined || !fetchers.includes(step.actor) ? undefined : step.actor;
  const chosen = view.eyes.value;
  const asked = chosen === 'auto' ? maker : chosen === 'memory' || !fetchers.includes(chosen) ? undefined : chosen;
  const seen = asked === undefined ? now : cursor.siteBytes(index, state, asked);
  return (
    <table class="sheet">
      <caption class="visually-hidden">{t('site.caption')}</caption>
      <colgroup>
        <col class="sheet-label" />
        {COLUMNS.map((i) => (
          <col key={i} class="sheet-byte" />
        ))}
        <col />
      </colgroup>
      <thead>
        <tr class="offsets">
          <th scope="col">
            <span class="visually-hidden">{t('site.row')}</span>
          </th>
          {COLUMNS.map((i) => (
            <th key={i} scope="col" class={edge(site, i)}>
              +{i}
            </th>
          ))}
          <td class="edges">{edgeText(site)}</td>
        </tr>
      </thead>
      <tbody>
        <tr class="bytes-before">
          <th scope="row">{t('site.before')}</th>
          {COLUMNS.map((i) => (
            <td key={i} class={edge(site, i)}>
              {original[i] === undefined ? '' : byte(original[i])}
            </td>
          ))}
          <td class="note">{site.sysno === null ? '' : t('site.original', { sysno: site.sysno })}</td>
        </tr>
        <tr class={`bytes-now ${phase === 'patched' ? 'is-patched' : ''}`}>
          <th scope="row">{t('site.now')}</th>
          {COLUMNS.map((i) => {
            const value = now?.[i];
            const isStored = stored.has(i);
            const isChanged = value !== original[i];
            const name = isStored ? 'stored' : isChanged ? 'changed' : '';
            return (
              <td key={i} class={`${name} ${edge(site, i)}`}>
                {value === undefined ? '··' : byte(value)}
                {isStored && <span class="visually-hidden"> {t('site.just-stored')}</span>}
              </td>
            );
          })}
          <td class="note">{now === null ? t('site.unmapped') : t(`site.phase.${phase}.short`)}</td>
        </tr>
        {recording.actors.map((actor, i) =>
          actor.role === 'task' && hasFetches(recording) ? (
            <FetchRow key={i} cursor={cursor} state={state} site={site} index={index} actor={i} />
          ) : null,
        )}
      </tbody>
      <DecodeRows
        cursor={cursor}
        site={site}
        index={index}
        state={state}
        bytes={seen}
        eyes={asked}
        fetchers={fetchers}
      />
    </table>
  );
}

/** What a processor has fetched of the site: it executes these bytes, whatever memory has by now. */
function FetchRow({ cursor, state, site, index, actor }: SheetProps & { actor: number }): JSX.Element {
  const { recording } = cursor;
  const memory = cursor.siteBytes(index, state);
  const has = fetchedBytes(cursor, state, site, actor);
  const differs = COLUMNS.some((i) => has[i] !== undefined && has[i] !== memory?.[i]);
  const isEmpty = has.every((value) => value === undefined);
  return (
    <tr class={`fetched ${actorClass(recording, actor)}`}>
      <th scope="row">
        <span class="chip">{actorName(recording, actor)}</span>
      </th>
      {COLUMNS.map((i) => {
        const value = has[i];
        return (
          <td key={i} class={`${value !== undefined && value !== memory?.[i] ? 'older' : ''} ${edge(site, i)}`}>
            {value === undefined ? '·' : byte(value)}
          </td>
        );
      })}
      <td class="note">{t(isEmpty ? 'site.fetched.nothing' : differs ? 'site.fetched.older' : 'site.fetched.same')}</td>
    </tr>
  );
}

/** By offset in the site; undefined where the actor's processor holds nothing. */
function fetchedBytes(cursor: RecordingCursor, state: State, site: Site, actor: number): (number | undefined)[] {
  const out = COLUMNS.map((): number | undefined => undefined);
  for (const [i, have] of (state.actors[actor]?.fetched ?? []).entries()) {
    const granule = cursor.recording.granules[i];
    if (have === null || granule === undefined) continue;
    for (const offset of COLUMNS) {
      const value = have[site.address + offset - granule.address];
      if (value !== undefined) out[offset] = value;
    }
  }
  return out;
}

/** Offsets in the site that a step stored to. */
function storedBytes(step: Step | undefined, site: Site): ReadonlySet<number> {
  const out = new Set<number>();
  if (step?.fails === true) return out;
  for (const { space, address: at, bytes } of step?.stores ?? []) {
    if (space !== site.space) continue;
    for (let i = 0; i < bytes.length / 2; i++) out.add(at + i - site.address);
  }
  return out;
}

function edgeText(site: Site): string {
  const page = COLUMNS.find((i) => edge(site, i) === 'page-edge');
  if (page !== undefined) return t('site.edge.page', { offset: page });
  const line = COLUMNS.find((i) => edge(site, i) === 'line-edge');
  return line === undefined ? t('site.edge.none') : t('site.edge.line', { offset: line });
}
