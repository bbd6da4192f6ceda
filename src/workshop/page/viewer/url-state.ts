// SPDX-License-Identifier: MIT
//
// The page's state as the fragment of its address, `#s=v1;m=37;…`, so that a link opens the same moment.

import { PANES, type PaneName } from './pane-names.ts';

/** What a link carries; absent parts are as the page chooses. */
export interface UrlState {
  /** Name of a built-in recording. */
  readonly recording?: string;
  readonly lesson?: string;
  /** `race`, `program`: this laboratory is open. */
  readonly column?: string;
  /** A race that the laboratory is asked for again: page/race/race-link.ts. */
  readonly race?: string;
  /** Which recording of its file. */
  readonly index?: number;
  readonly moment?: number;
  readonly site?: number;
  readonly panes?: readonly PaneName[];
  /** Open tabs. */
  readonly tasks?: string;
  readonly machine?: string;
}

const PREFIX = '#s=v1';

/** The fragment of a state, with its `#`. */
export function formatUrlState(state: UrlState): string {
  const parts: readonly (readonly [string, string | number | undefined])[] = [
    ['lesson', state.lesson],
    ['rec', state.recording],
    ['col', state.column],
    ['race', state.race],
    ['i', state.index === 0 ? undefined : state.index],
    ['m', state.moment],
    ['site', state.site === 0 ? undefined : state.site],
    ['panes', state.panes?.join(',')],
    ['tasks', state.tasks],
    ['machine', state.machine],
  ];
  const said = parts.flatMap(([key, value]) => (value === undefined ? [] : [`;${key}=${encode(String(value))}`]));
  return PREFIX + said.join('');
}

/** The state of a fragment; what cannot be read is left out, so an old or damaged link still opens the page. */
export function parseUrlState(fragment: string): UrlState {
  const [prefix, ...parts] = fragment.split(';');
  if (prefix !== PREFIX) return {};
  const found = new Map(
    parts.map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, at), decode(part.slice(at + 1))] as const;
    }),
  );
  const text = (key: string): string | undefined => found.get(key) || undefined;
  const number = (key: string): number | undefined => {
    const value = found.get(key);
    return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
  };
  const panes = text('panes')
    ?.split(',')
    .filter((name): name is PaneName => (PANES as readonly string[]).includes(name));
  const state = {
    recording: text('rec'),
    lesson: text('lesson'),
    column: text('col'),
    race: text('race'),
    index: number('i'),
    moment: number('m'),
    site: number('site'),
    panes: panes === undefined || panes.length === 0 ? undefined : [...new Set(panes)],
    tasks: text('tasks'),
    machine: text('machine'),
  };
  return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined));
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll('%2C', ',');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
