// SPDX-License-Identifier: MIT
//
// What a step of a recording did, and why it matters: two texts in plain language. The page and the terminal lessons
// show the same ones.

import type { RecordingCursor } from '../../trace/recording/cursor.ts';
import type { Region, Site, Step } from '../../trace/recording/format.ts';
import { siteOfStep, storeKind } from './store-kind.ts';
import { hasText, t, type TextData } from './texts.ts';

/** A sentence about a moment. */
export interface StepSentence {
  /** What happened. */
  readonly what: string;
  /** Why, and what follows from it; '' where there is nothing to say. */
  readonly why: string;
}

/** Where the instructions of a slot begin, and which of them it is. */
const SLOT_PARTS: Readonly<Record<number, string>> = {
  8: 'state',
  20: 'save-stack',
  29: 'load-stack',
  38: 'return',
  48: 'save-return',
  57: 'number',
  62: 'jump',
};

/** The sentence about the step that led to a moment; at moment 0 about what is going to happen. */
export function stepSentence(cursor: RecordingCursor, moment: number): StepSentence {
  const { recording } = cursor;
  const step = recording.steps[moment - 1];
  if (step === undefined) return opening(cursor);
  const data = dataOf(cursor, step, moment);
  if (step.fails === true) return failing(cursor, step, data);
  for (const key of keysOf(cursor, step, moment)) {
    const name = `step.${key}`;
    if (hasText(name)) return sentence(name, data);
  }
  return sentence('step.other', data);
}

function sentence(key: string, data: TextData): StepSentence {
  return { what: begun(t(key, data)), why: hasText(`${key}.why`) ? begun(t(`${key}.why`, data)).trim() : '' };
}

/** A sentence begins with a capital letter, unless with a name or an instruction. */
function begun(text: string): string {
  return text.replace(
    /(^|[.?] )(?=(?:the|task) )(.)/g,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  );
}

function opening({ recording }: RecordingCursor): StepSentence {
  const { origin, title } = recording;
  if (recording.kind === 'run') {
    return sentence(`step.opening.${origin.mode === 'off' ? 'off' : 'run'}`, { title, program: recording.run.program });
  }
  const { race } = recording;
  const share = race.failure?.share ?? undefined;
  return sentence(race.failure === null ? 'step.opening.pass' : 'step.opening.fail', {
    title,
    protocol: origin.protocol,
    model: race.model.words,
    share: share === undefined ? undefined : `${(share * 100).toFixed(1)} %`,
  });
}

function failing({ recording }: RecordingCursor, step: Step, data: TextData): StepSentence {
  const failure = recording.kind === 'race' ? recording.race.failure : null;
  const explanation = failure?.explanation ?? undefined;
  return {
    what: t(step.kind === 'instruction' ? 'step.fails.instruction' : 'step.fails', { ...data, failure: failure?.text }),
    why: t('step.fails.why', { ...data, explanation }).trim(),
  };
}

/** Names of texts that fit, the most special first. */
function keysOf(cursor: RecordingCursor, step: Step, moment: number): string[] {
  const { kind, data = {} } = step;
  switch (kind) {
    case 'store':
      return [`store.${storeKind(cursor, step, moment)}`, 'store'];
    case 'instruction':
      return [...instructionKeys(cursor, step, moment), 'instruction'];
    case 'lock':
      if (data['work'] === 'fault') return [`lock.${recovers(step) ? 'recover' : 'fault'}`];
      return [data['exclusive'] === false ? 'lock.shared' : fillsSlot(cursor, step) ? 'lock.fills' : 'lock', 'lock'];
    case 'unlock':
      return ['via' in data ? 'unlock.served' : 'unlock'];
    case 'served':
      if (!('result' in data)) return ['served.never'];
      return ['via' in data ? `served.${String(data['via'])}` : 'served', 'served'];
    case 'fault':
      return [atGuard(cursor, step, moment) ? 'fault.guard' : `fault.${String(data['fault'])}`, 'fault'];
    case 'trap':
      return [cursor.recording.origin.mode === 'off' ? 'trap.off' : 'trap'];
    case 'recover':
      return [isWrongCall(cursor, step) ? 'recover.restart.wrong' : `recover.${String(data['outcome'])}`, 'recover'];
    case 'signal':
      return [`signal.${String(data['how'])}`, 'signal'];
    case 'table':
    case 'load':
    case 'other':
      return [`${kind}.${String(data['what'])}`, kind];
    case 'refused':
      return ['written' in data && data['written'] !== 0 ? 'refused.half' : 'refused', 'refused'];
    case 'fetch':
      return [splitsSite(cursor, step) ? 'fetch.part' : 'fetch', 'fetch'];
    case 'record':
      return [`record.${String(data['field'])}${data['isWrite'] === true ? '.write' : ''}`, 'record'];
    default:
      return [kind];
  }
}

function instructionKeys(cursor: RecordingCursor, step: Step, moment: number): string[] {
  const { rip = 0, place = 'program', data = {} } = step;
  const text = cursor.text(step.text);
  if (place === 'slot') {
    const slot = regionAt(cursor, 'slot', rip);
    return [`instruction.slot.${SLOT_PARTS[rip - (slot?.address ?? 0)] ?? ''}`, 'instruction.slot'];
  }
  const site = siteOfStep(cursor, step);
  const word = text.split(' ')[0] ?? '';
  if (place === 'site' || (place === 'program' && site !== undefined && site.sysno !== null)) {
    const offset = site === undefined ? -1 : rip - site.address;
    if (site !== undefined && offset === 0 && word === 'mov' && text !== ownMov(cursor, site)) {
      return [isGuarded(cursor, site, moment) ? 'instruction.torn.guarded' : 'instruction.torn'];
    }
    if (data['leadsTo'] === 'fault') return [`instruction.${offset === 5 ? 'guard' : 'fault'}`];
    if (data['via'] === 'trampoline') return ['instruction.site.through'];
    return [`instruction.site.${offset}.${word}`, `instruction.site.${word}`, 'instruction.site'];
  }
  return [word === 'syscall' && place === 'program' ? 'instruction.site.syscall' : `instruction.${place}`];
}

function regionAt(cursor: RecordingCursor, kind: Region['kind'], address: number): Region | undefined {
  return cursor.recording.regions.find(
    (region) => region.kind === kind && address >= region.address && address < region.address + region.length,
  );
}

/** The step brings a slot into being. */
function fillsSlot({ recording }: RecordingCursor, step: Step): boolean {
  return (
    step.memory?.some(([region, bytes]) => bytes !== null && recording.regions[region]?.kind === 'slot') === true ||
    step.stores?.some(({ bytes }) => bytes.length > 100) === true
  );
}

/** The program's own instruction at the first byte of a site. */
function ownMov(cursor: RecordingCursor, site: Site): string {
  const index = cursor.recording.sites.indexOf(site);
  const bytes = cursor.siteBytes(index, cursor.at(0));
  return bytes === null ? '' : cursor.text(cursor.decode(index, bytes)?.entries[0]?.rows[0]?.[2]);
}

/** The guard was in the way when a step was made. */
function isGuarded(cursor: RecordingCursor, site: Site, moment: number): boolean {
  return cursor.siteBytes(cursor.recording.sites.indexOf(site), cursor.at(moment - 1))?.[5] === 0x06;
}

/** A task is sent back to a site whose number is not the one that it asks for. */
function isWrongCall(cursor: RecordingCursor, step: Step): boolean {
  const { outcome, rax } = step.data ?? {};
  const sysno = siteOfStep(cursor, step)?.sysno;
  return (
    outcome === 'restart' && typeof rax === 'string' && typeof sysno === 'number' && Number.parseInt(rax, 16) !== sysno
  );
}

/** The task that a step of the kernel is for: the one that it changes, or that came to the kernel last. */
function taskOf({ recording }: RecordingCursor, step: Step, moment: number): number {
  const isTask = (actor: number | undefined): actor is number => recording.actors[actor ?? -1]?.role === 'task';
  if (isTask(step.actor)) return step.actor;
  const changed = step.changes?.map(({ actor }) => actor).find(isTask);
  if (changed !== undefined) return changed;
  for (let i = moment - 2; i >= 0 && i > moment - 200; i--) {
    const actor = recording.steps[i]?.actor;
    if (isTask(actor)) return actor;
  }
  return step.actor;
}

/** The fault is at the guard byte of a site. */
function atGuard(cursor: RecordingCursor, step: Step, moment: number): boolean {
  const site = siteOfStep(cursor, step);
  if (site === undefined || step.rip === undefined) return false;
  const bytes = cursor.siteBytes(cursor.recording.sites.indexOf(site), cursor.at(moment - 1));
  return step.rip - site.address === 5 && bytes?.[5] === 0x06;
}

/** The fault handler sends the task on: its next instruction is another one. */
function recovers(step: Step): boolean {
  return step.changes?.some(({ rip, actor }) => rip !== undefined && (actor ?? step.actor) === step.actor) === true;
}

/** The granule that is fetched holds only a part of the site. */
function splitsSite({ recording }: RecordingCursor, step: Step): boolean {
  const granule = recording.granules[Number(step.data?.['granule'] ?? -1)];
  const site = recording.sites[0];
  if (granule === undefined || site === undefined) return false;
  return granule.address > site.address || granule.address + granule.length < site.address + 7;
}

/** Everything that a text may name. */
function dataOf(cursor: RecordingCursor, step: Step, moment: number): TextData {
  const { recording } = cursor;
  const site = siteOfStep(cursor, step);
  const actor = recording.actors[step.actor];
  const store = step.stores?.[0];
  const granule = recording.granules[Number(step.data?.['granule'] ?? -1)];
  const others = recording.actors.filter((_, i) => i !== step.actor).map(({ name }) => shortName(name));
  const facts = Object.fromEntries(
    Object.entries(step.data ?? {}).map(([name, value]) => [name, typeof value === 'boolean' ? String(value) : value]),
  );
  return {
    ...facts,
    actor: nameInSentence(actor?.name ?? '?'),
    task: nameInSentence(recording.actors[taskOf(cursor, step, moment)]?.name ?? '?'),
    others: others.join(', '),
    sitenumber: site?.sysno ?? undefined,
    raxnumber: typeof facts['rax'] === 'string' ? Number.parseInt(facts['rax'], 16) : undefined,
    text: cursor.text(step.text),
    address: step.rip === undefined ? undefined : `0x${step.rip.toString(16)}`,
    at: siteName(site),
    call: text(facts['call']) ?? site?.callName ?? text(facts['name']),
    returned: site === undefined ? undefined : `0x${(site.address + 7).toString(16)}`,
    offset: store === undefined || site === undefined ? facts['offset'] : store.address - site.address,
    count: store === undefined ? undefined : store.bytes.length / 2,
    bytes: store === undefined ? undefined : store.bytes.replace(/../g, '$& ').trimEnd(),
    decoded: site === undefined ? undefined : decoded(cursor, site, moment),
    torn: site === undefined ? undefined : tornNumber(cursor, site, moment),
    rule: typeof facts['rule'] === 'string' ? t(`rule.${facts['rule']}`) : undefined,
    slotaddress: address(facts['slot']),
    tablebase: address(facts['base']),
    first: granule === undefined || site === undefined ? undefined : Math.max(0, granule.address - site.address),
    last:
      granule === undefined || site === undefined
        ? undefined
        : Math.min(6, granule.address + granule.length - 1 - site.address),
    private: facts['private'] === 0 ? undefined : facts['private'],
    switched: recording.actors[Number(facts['to'] ?? -1)]?.name,
    childname: recording.actors[Number(facts['child'] ?? -1)]?.name,
  };
}

/** An actor's name in a list: `task 1` of `tid 1 hello`, as the program's name says little where all have the same. */
export function shortName(name: string): string {
  const tid = /^tid (\d+)/.exec(name)?.[1];
  return tid === undefined ? name : t('actor.task', { tid });
}

/** An actor's name inside a sentence. */
function nameInSentence(name: string): string {
  return name === 'sentry' ? t('actor.sentry') : shortName(name);
}

function siteName(site: Site | undefined): string | undefined {
  return site === undefined ? undefined : `0x${site.address.toString(16)}`;
}

function text(value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function address(value: string | number | undefined): string | undefined {
  return typeof value === 'number' ? `0x${value.toString(16)}` : text(value);
}

/** What stands at +0 after the step. */
function decoded(cursor: RecordingCursor, site: Site, moment: number): string | undefined {
  const index = cursor.recording.sites.indexOf(site);
  const bytes = cursor.siteBytes(index, cursor.at(moment));
  const entry = bytes === null ? undefined : cursor.decode(index, bytes)?.entries[0];
  return entry === undefined ? undefined : cursor.text(entry.rows[0]?.[2]);
}

/** The number that the `mov` at +0 would put into eax now. */
function tornNumber(cursor: RecordingCursor, site: Site, moment: number): string | undefined {
  const bytes = cursor.siteBytes(cursor.recording.sites.indexOf(site), cursor.at(moment));
  if (bytes === null || bytes.length < 5) return undefined;
  return `0x${new DataView(bytes.buffer, bytes.byteOffset).getUint32(1, true).toString(16)}`;
}
