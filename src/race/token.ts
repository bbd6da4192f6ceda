// SPDX-License-Identifier: MIT
//
// Replay tokens: what was explored (scenario, hashes of its content, parameters), the failure that is expected, and a
// schedule of named steps. As text on two lines, or in one word (compact-token.ts); both say the same.

import { PROT_EXEC } from '../abi/mman.ts';
import { utf8 } from '../base/bytes.ts';
import { TraplineError } from '../base/errors.ts';
import { Reg } from '../cpu/regs.ts';
import { hash16, pack, unpack } from './compact-token.ts';
import { NO_MUTANTS, parseProtocol } from './protocols.ts';
import { DEFAULT_PARAMETERS } from './scenarios/scenario.ts';
import type { ScenarioParameters } from './scenarios/scenario.ts';
import { formatSchedule, formatTurns, scheduleTurns } from './search/schedule.ts';
import type { ScheduledStep } from './search/schedule.ts';
import { fetchName, fetchNamed } from './world/model.ts';
import type { Model } from './world/model.ts';
import type { World } from './world/world.ts';

const VERSION = 'xr1';

/** A token as data. */
export interface Token {
  readonly scenario: string;
  /** As {@link contentHash} makes it; empty in a token without one. */
  readonly content: string;
  readonly parameters: ScenarioParameters;
  /** Signature of the failure that its schedule leads to; empty where it leads to none. */
  readonly signature: string;
  /** As `formatSchedule` writes it. */
  readonly schedule: string;
}

/** Fields of the first line, in order; their place is their number in the compact form: new ones go to the end. */
const FIELDS = [
  'scn',
  'model',
  'patch',
  'protocol',
  'g',
  'atom',
  'grain',
  'return',
  'off',
  'page',
  'start',
  'nr',
  'tbl',
  'threads',
  'steps',
  'sig',
] as const;

type Field = (typeof FIELDS)[number];
type Fields = Readonly<Record<Field, string>>;

function bad(message: string): TraplineError {
  return new TraplineError('RACE_TOKEN', message);
}

function fieldsOf(scenario: string, p: ScenarioParameters, steps: number, signature: string): Fields {
  const { model } = p;
  return {
    scn: scenario,
    model: fetchName(model),
    patch: p.patch,
    protocol: p.protocol.text,
    g: String(model.granule),
    atom: String(model.atom),
    grain: model.grain,
    return: model.returnBy,
    off: String(p.offset),
    page: p.atPageEnd ? '1' : '0',
    start: String(p.startAt),
    nr: String(p.sysno),
    tbl: p.table.toString(16),
    threads: String(p.threads),
    steps: String(steps),
    sig: signature,
  };
}

const USUAL = fieldsOf('', DEFAULT_PARAMETERS, 0, '');

const CONTENT_PARTS = ['the code', 'the actors and where they start', 'what the protocol stores'] as const;

/**
 * What a scenario is made of, as three hashes: its code and which pages there are, its actors, the protocol's stores.
 * Independent of anything that is numbered in the order in which a search meets it.
 */
export function contentHash(world: World, parameters: ScenarioParameters): string {
  const code: number[] = [];
  for (const space of world.shared(world.initial).spaces) {
    for (const [address, page] of [...space.pages].sort((a, b) => a[0] - b[0])) {
      const bytes = (page.prot & PROT_EXEC) === 0 ? 0 : hash16(page.content.bytes);
      code.push(...utf8(`${address}:${page.prot}:${page.isCow ? 1 : 0}:${bytes};`));
    }
  }
  const actors = world.locals(world.initial).map((local, i) => {
    const rip = local.phase === 'user' ? (local.regs[Reg.rip] as bigint) : 0n;
    return `${world.actors[i] ?? ''}:${local.role}:${local.space}:${rip}:${local.work?.kind ?? ''}`;
  });
  const { patch, mutants } = parameters.protocol;
  const steps = patch.steps.map((s) => [s.name, s.offset, s.length, s.bytes === undefined ? '' : [...s.bytes].join()]);
  const usual: Readonly<Record<string, unknown>> = NO_MUTANTS as object as Record<string, unknown>;
  const mutated = Object.entries(mutants).filter(([name, value]) => String(value) !== String(usual[name]));
  const protocol = JSON.stringify([steps, patch.split, patch.syncAfter, patch.stopsOthers ?? false, mutated]);
  return [Uint8Array.from(code), utf8(actors.join(';')), utf8(protocol)]
    .map((bytes) => hash16(bytes).toString(16).padStart(4, '0'))
    .join('.');
}

/** What of a scenario is not as it was when the token was made; null when nothing, or when the token does not say. */
export function contentDifference(token: Token, now: string): string | null {
  if (token.content === '' || token.content === now) return null;
  const [was, is] = [token.content.split('.'), now.split('.')];
  const parts = CONTENT_PARTS.filter((_, i) => was[i] !== is[i]);
  return `${parts.join(' and ')} of "${token.scenario}" ${parts.length === 1 && parts[0] === 'the code' ? 'is' : 'are'} not what it was made for (${token.content} then, ${now} now)`;
}

/** The token of a schedule. */
export function tokenOf(
  scenario: string,
  parameters: ScenarioParameters,
  world: World,
  steps: readonly ScheduledStep[],
  signature = '',
): Token {
  const content = contentHash(world, parameters);
  return { scenario, content, parameters, signature, schedule: formatSchedule(world.actors, steps) };
}

function countSteps(schedule: string): number {
  return scheduleTurns(schedule).reduce((sum, [, steps]) => sum + steps.length, 0);
}

function allFields(token: Token): Fields {
  const name = token.content === '' ? token.scenario : `${token.scenario}@${token.content}`;
  return fieldsOf(name, token.parameters, countSteps(token.schedule), token.signature);
}

/** `xr1;scn=patch-vs-exec@…;…` and the schedule on the next line. */
export function formatToken(token: Token): string {
  const fields = allFields(token);
  const escaped = (value: string): string =>
    value.replace(/[%;\n]/g, (c) => `%${(c.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`);
  const head = FIELDS.filter((name) => fields[name] !== '').map((name) => `${name}=${escaped(fields[name])}`);
  return `${[VERSION, ...head].join(';')}\n${token.schedule}`;
}

/** The same in one word: `xr1.…` */
export function compactToken(token: Token): string {
  const fields = allFields(token);
  const unusual = FIELDS.flatMap((name, i) => (fields[name] === USUAL[name] ? [] : [[i, fields[name]] as const]));
  return `${VERSION}.${pack(unusual, scheduleTurns(token.schedule))}`;
}

function readText(token: string): { fields: Map<string, string>; schedule: string } {
  const [head = '', ...rest] = token.split(/\s*\n\s*/);
  const fields = new Map(
    head
      .split(';')
      .slice(1)
      .map((part) => {
        const [name = '', value = ''] = part.split(/=(.*)/s);
        return [name, value.replace(/%([0-9a-f]{2})/g, (_, code: string) => String.fromCodePoint(parseInt(code, 16)))];
      }),
  );
  if (rest.length === 0) throw bad('the token is cut off: its steps, on the next line, are missing');
  return { fields, schedule: rest.join(' ') };
}

function readCompact(token: string): { fields: Map<string, string>; schedule: string } {
  const { fields: unusual, schedule } = unpack(token.slice(VERSION.length + 1));
  const fields = new Map<string, string>(Object.entries(USUAL));
  for (const [index, value] of unusual) fields.set(FIELDS[index] ?? '?', value);
  return { fields, schedule: formatTurns(schedule) };
}

/**
 * Reads a token in either form.
 * @throws TraplineError `RACE_TOKEN` when it is none, of another version, or cut off
 */
export function parseToken(text: string): Token {
  const token = text.trim();
  const version = /^xr(\d+)[;.]/.exec(token)?.[1];
  if (version === undefined) {
    throw bad('a token starts with "xr1;scn=…" and has its steps on the next line, or is one word "xr1.…"');
  }
  if (`xr${version}` !== VERSION) throw bad(`the token is of version ${version}; this Trapline reads version 1`);
  const { fields, schedule } = token[VERSION.length] === '.' ? readCompact(token) : readText(token);
  const unknown = [...fields.keys()].find((name) => !FIELDS.some((known) => known === name));
  if (unknown !== undefined) throw bad(`the token has a field "${unknown}" that this Trapline does not know`);
  const said = fields.get('steps');
  const has = countSteps(schedule);
  if (said !== undefined && Number(said) !== has) {
    throw bad(`the token is cut off or changed: it says ${said} steps and has ${has}`);
  }
  const [, scenario = '', content = ''] = /^(.*?)(?:@([0-9a-f.]*))?$/.exec(fields.get('scn') ?? '') ?? [];
  if (scenario === '') throw bad('the token names no scenario ("scn=")');
  return { scenario, content, parameters: parametersOf(fields), signature: fields.get('sig') ?? '', schedule };
}

function parametersOf(fields: ReadonlyMap<string, string>): ScenarioParameters {
  const text = (name: Field): string => {
    const value = fields.get(name);
    if (value === undefined) throw bad(`the token has no "${name}="`);
    return value;
  };
  const number = (name: Field, most: number, radix = 10): number => {
    const value = Number.parseInt(text(name), radix);
    if (Number.isNaN(value) || value < 0 || value > most)
      throw bad(`"${name}=${text(name)}" is no number from 0 to ${most.toString(radix)}`);
    return value;
  };
  const oneOf = <T extends string | number>(name: Field, values: readonly T[]): T => {
    const found = values.find((value) => String(value) === text(name));
    if (found === undefined) throw bad(`"${name}=${text(name)}" is not known; there are ${values.join(', ')}`);
    return found;
  };
  const model: Model = {
    ...fetchNamed(text('model')),
    granule: oneOf('g', [64, 32, 16, 8, 1]),
    atom: oneOf('atom', [64, 8, 1]),
    grain: oneOf('grain', ['isa', 'step', 'byte']),
    returnBy: oneOf('return', ['iret', 'sysret']),
  };
  return {
    model,
    patch: oneOf('patch', ['upstream', 'hardened']),
    protocol: parseProtocol(text('protocol')),
    offset: number('off', 63),
    atPageEnd: text('page') === '1',
    startAt: oneOf('start', [0, 5]),
    sysno: number('nr', 2 ** 32 - 1),
    table: number('tbl', 2 ** 32, 16),
    threads: number('threads', 6),
  };
}
