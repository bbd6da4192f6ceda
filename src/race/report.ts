// SPDX-License-Identifier: MIT
//
// The report of an exploration as text (races.md 5.3): verdict, model in words, the first witness with one column an
// actor, the wrong decode explained, what would make it pass, the tokens. Under 30 lines for a minimal witness.

import { LINE_BYTES, SITE_BYTES } from '../isa/syscall-site.ts';
import { toHex } from '../base/bytes.ts';
import { firstCertainStep } from './analysis/certainty.ts';
import type { RaceResult, ResultFailure, ResultStep } from './result.ts';
import { compactToken, formatToken } from './token.ts';
import { describeModel, fetchName } from './world/model.ts';

export interface ReportOptions {
  /** Colours each actor's steps, for a terminal. Default false. */
  readonly colour?: boolean;
}

/** What a table of steps needs to know besides the steps. */
export interface TableContext {
  readonly actors: readonly string[];
  /** Address of the site whose bytes are shown. */
  readonly site: number;
  readonly initialSite: Uint8Array;
  readonly granules: RaceResult['granules'];
}

/** SGR colours, one an actor. */
const COLOURS = [36, 33, 35, 32, 34, 31, 96, 93];
const OTHER_FAILURES = 3;
const SHARES = 5;

/** The site's bytes, with `|` where a line ends inside it. */
export function siteText(bytes: Uint8Array, site: number): string {
  const inLine = LINE_BYTES - (site % LINE_BYTES);
  if (inLine >= SITE_BYTES) return toHex(bytes, ' ');
  return `${toHex(bytes.subarray(0, inLine), ' ')} | ${toHex(bytes.subarray(inLine), ' ')}`;
}

/** A, B, C …: how a report calls a hot granule. */
function letter(granule: number): string {
  return (granule + 10).toString(36).toUpperCase();
}

function stepText(step: ResultStep, granules: TableContext['granules']): string {
  const granule = /^F(\d+)$/.exec(step.name)?.[1];
  if (granule === undefined) return step.text;
  return granules.length === 1 ? step.text : `fetch ${letter(Number(granule))}: ${step.text.replace('fetch ', '')}`;
}

/** `A:[b8 27 ..] B:[05]`, and whether memory has something else by now. */
function holdsText(step: ResultStep, { site, granules }: TableContext): string {
  let isStale = false;
  const parts = step.holds.flatMap((bytes, g) => {
    const granule = granules[g];
    if (bytes === null || granule === undefined) return [];
    for (const [i, b] of bytes.entries()) {
      const at = granule.address + i - site;
      if (at >= 0 && at < step.site.length && step.site[at] !== b) isStale = true;
    }
    return [`${letter(g)}:[${toHex(bytes, ' ')}]`];
  });
  return `${parts.join(' ')}${isStale ? '  <- stale' : ''}`;
}

/** Steps as a table: one column an actor, the site's bytes where they change, what the last actor's processor holds. */
export function stepTable(steps: readonly ResultStep[], context: TableContext, options: ReportOptions = {}): string[] {
  const { actors, site, initialSite, granules } = context;
  const watched = steps.at(-1)?.actor ?? '';
  const showsHolds = steps.some((step) => step.holds.some((bytes) => bytes !== null));
  const titles = actors.map((name) => (name === 'P' ? 'P (patcher)' : name));
  const widths = actors.map((actor, a) =>
    Math.max(
      (titles[a] ?? '').length,
      ...steps.flatMap((step) => (step.actor === actor ? [stepText(step, granules).length] : [])),
    ),
  );
  const siteWidth = Math.max('site in memory'.length, siteText(initialSite, site).length);
  const row = (number: string, cells: readonly string[], bytes: string, holds: string): string =>
    `${number.padStart(2)}  ${cells.join('  ')}  ${bytes.padEnd(siteWidth)}  ${holds}`.trimEnd();
  const cell = (text: string, a: number): string => {
    const padding = ' '.repeat((widths[a] ?? 0) - text.length);
    const colour = options.colour === true && text !== '' ? COLOURS[a % COLOURS.length] : undefined;
    return colour === undefined ? text + padding : `\u001b[${colour}m${text}\u001b[39m${padding}`;
  };
  const lines = [row('#', titles.map(cell), 'site in memory', showsHolds ? `${watched} holds` : '')];
  let memory = siteText(initialSite, site);
  lines.push(
    row(
      '',
      actors.map((_, a) => cell('', a)),
      memory,
      '',
    ),
  );
  let last = '';
  let held = '';
  for (const [i, step] of steps.entries()) {
    if (last !== '' && step.actor !== last) lines.push(`    ${'-'.repeat(20)} switch ${'-'.repeat(20)}`);
    last = step.actor;
    const now = siteText(step.site, site);
    const holds = holdsText(step, context);
    const cells = actors.map((actor, a) => cell(actor === step.actor ? stepText(step, granules) : '', a));
    const mark = step.fails ? 'x' : holds !== held ? (holds === '' ? '-' : holds) : '';
    lines.push(row(String(i + 1), cells, now === memory ? '' : now, mark));
    memory = now;
    held = holds;
  }
  return lines;
}

function plural(n: number, what: string): string {
  return `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : what.endsWith('ch') ? 'es' : 's'}`;
}

function percent(share: number): string {
  if (share > 0 && share < 0.001) return 'less than 0.1 %';
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** Where the share of failing continuations grows, the largest leaps. */
function sharesText(shares: readonly number[]): string {
  const certain = firstCertainStep(shares);
  const leaps = shares
    .map((share, i) => ({ share, i, by: share - (shares[i - 1] ?? 0) }))
    .filter(({ i, by }) => i > 0 && by > 0.005 && (certain < 0 || i < certain))
    .sort((a, b) => b.by - a.by)
    .slice(0, SHARES)
    .sort((a, b) => a.i - b.i);
  const steps = leaps.map(({ share, i }) => `${percent(share)} after step ${i}`);
  const start = `${percent(shares[0] ?? 0)} at the start`;
  const end = certain < 0 ? [] : [certain === 0 ? 'certain from the start' : `certain after step ${certain}`];
  return `interleavings that fail from here on: ${[start, ...steps, ...end].join(', ')}`;
}

function flipText(failure: ResultFailure): string {
  const name = (index: number): string => {
    const step = failure.steps[index];
    return step === undefined ? '' : `step ${index + 1} (${step.actor} ${step.name})`;
  };
  const at = failure.flipAt;
  return at === null ? '' : `flips to PASS if ${name(at)} comes before ${name(at - 1)}`;
}

function remedyText(result: RaceResult): string {
  const { passesWith } = result;
  if (passesWith === null) return '';
  if (passesWith.length === 0) return 'passes with: none of the changes that were tried';
  return `passes with: ${passesWith.map((remedy) => remedy.text).join('; or ')}`;
}

function witnessLines(result: RaceResult, failure: ResultFailure, options: ReportOptions): string[] {
  const context = {
    actors: result.actors,
    site: result.scenario.site(result.parameters),
    initialSite: result.initialSite,
    granules: result.granules,
  };
  const words = [
    failure.explanation ?? '',
    flipText(failure),
    remedyText(result),
    failure.shares === null ? '' : sharesText(failure.shares),
  ];
  const others = result.failures.slice(1);
  if (others.length > 0) {
    const shown = others.slice(0, OTHER_FAILURES).map((f) => `${f.signature} (${plural(f.switches, 'switch')})`);
    const more = others.length > OTHER_FAILURES ? [`${others.length - OTHER_FAILURES} more`] : [];
    words.push(
      `fails in ${others.length} other ways: ${[...shown, ...more].join('; ')}`.replace('1 other ways', '1 other way'),
    );
  }
  const table = stepTable(failure.steps, context, options);
  return ['', ...table, '', ...words.filter((line) => line !== '').map((line) => ` ${line}`)];
}

/** Which bytes of the site each granule holds, where there are several. */
function granuleText(result: RaceResult): string {
  if (result.granules.length < 2 || result.parameters.model.fetch === 'coherent') return '';
  const site = result.scenario.site(result.parameters);
  const place = (address: number): string =>
    address >= site && address < site + SITE_BYTES ? `+${address - site}` : `0x${address.toString(16)}`;
  const parts = result.granules.map(({ address, length }, g) =>
    length === 1
      ? `${letter(g)} = ${place(address)}`
      : `${letter(g)} = ${place(address)}..${place(address + length - 1)}`,
  );
  return `, ${parts.join(', ')}`;
}

function headline(result: RaceResult): string {
  const { scenario, parameters: p, witness } = result;
  const name = `${scenario.name}, ${p.patch}, order ${p.protocol.text}`;
  if (witness !== null) return `FAIL  ${name}: ${witness.text}`;
  if (result.verdict === 'holds') return `HOLDS ${name}: ${scenario.promise}`;
  const bound =
    result.switchesCovered >= 0
      ? `within ${plural(result.switchesCovered, 'context switch')}`
      : 'in what was looked at';
  return `INCOMPLETE ${name}: nothing wrong ${bound}`;
}

/** How a search that ended early goes on. */
function goOnText({ stoppedBy, trouble, stats }: RaceResult): string[] {
  const why =
    stoppedBy === 'budget'
      ? `the budget of ${stats.budget.toLocaleString('en-US')} is used up`
      : stoppedBy === 'time'
        ? 'its time is over'
        : (trouble ?? 'it was interrupted');
  if (stoppedBy === null) return [];
  if (stoppedBy === 'lost')
    return [`${why}, so not everything was looked at; if memory is short, a smaller --budget helps`];
  if (stats.seed !== null) return [`${why}; to go on: the same command with --seed ${stats.seed + 1}`];
  if (stoppedBy === 'interrupted') return [`${why}; to go on: the same command, which explores from the start`];
  return [`${why}; to go on: the same command with a larger --budget or --time, which explores from the start`];
}

/** What a result under a fetch weaker than that of known processors means. */
const WEAK = ' (architecturally unsynchronised, not a bug seen in the field)';
/** Ways to end well that the report of a failure names. */
const OTHER_ENDS = 3;

/** The whole report. */
export function raceReport(result: RaceResult, options: ReportOptions = {}): string {
  const { parameters: p, stats, witness, coverage } = result;
  const isWeak = witness !== null && p.model.fetch !== 'coherent';
  const seen = stats.schedules > 0 ? plural(stats.schedules, 'schedule') : plural(stats.states, 'state');
  const estimate =
    stats.estimate === null || result.complete ? '' : ` of about ${stats.estimate.states.toLocaleString('en-US')}`;
  const minimal = witness?.isMinimal === true ? ' (minimal)' : '';
  const size =
    witness === null
      ? ''
      : `${plural(witness.switches, 'context switch')}, ${plural(witness.steps.length, 'step')}${minimal}.   `;
  const all = `${seen}${estimate}, ${plural(stats.transitions, 'transition')}, ${result.complete ? 'complete' : 'not complete'}`;
  const lines = [
    headline(result),
    `model ${fetchName(p.model)}: ${describeModel(p.model)}. Stores: ${p.model.grain}.${isWeak ? WEAK : ''}`,
    `${size}${all}.   site at line offset ${p.offset}${granuleText(result)}`,
    ...goOnText(result),
  ];
  if (witness !== null) lines.push(...witnessLines(result, witness, options));
  if (coverage !== null) {
    const { pairs, mixes } = coverage;
    lines.push(
      `${witness === null ? '' : ' '}coverage: ${pairs.seen} of ${pairs.possible} pairs of a store and a fetch that sees it; ${mixes.decoded} byte mixes decoded, ${mixes.wrong} wrong`,
    );
  }
  const wrong = new Set(result.failures.map((failure) => failure.signature));
  const ends = [...result.outcomes].filter(([outcome]) => !wrong.has(outcome)).sort((a, b) => b[1] - a[1]);
  if (witness === null) {
    lines.push('', `outcomes (${stats.schedules > 0 ? 'schedules' : 'states'} that end so):`);
    for (const [outcome, count] of ends) lines.push(`  ${String(count).padStart(5)}  ${outcome}`);
    return `${lines.join('\n')}\n`;
  }
  if (ends.length > 0) {
    const more = ends.length > OTHER_ENDS ? [`${ends.length - OTHER_ENDS} more`] : [];
    lines.push(` ends well, too: ${[...ends.slice(0, OTHER_ENDS).map(([outcome]) => outcome), ...more].join('; ')}`);
  }
  const token = formatToken(witness.token).split('\n');
  lines.push('replay:', ...token.map((line) => `  ${line}`), `  ${compactToken(witness.token)}`);
  return `${lines.join('\n')}\n`;
}
