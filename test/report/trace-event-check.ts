// SPDX-License-Identifier: MIT
//
// Reads a file in the Trace Event Format as strictly as Perfetto's importer could: records sorted by whole nanoseconds,
// slices nested lane by lane, flows bound to the innermost open slice, nothing left open.

/** A slice as a reader shows it. */
export interface Slice {
  readonly name: string;
  readonly cat: string;
  readonly pid: number;
  readonly tid: number;
  readonly ns: number;
  readonly depth: number;
  /** Name of the slice around it. */
  readonly parent: string | undefined;
  end: number;
  readonly args: Record<string, unknown>;
}

export interface ReadTrace {
  readonly slices: readonly Slice[];
  readonly instants: readonly Slice[];
  readonly flows: readonly { readonly name: string; readonly from: Slice; readonly to: Slice }[];
  /** Names of lanes by tid, of processes by pid: the last ones. */
  readonly threadNames: ReadonlyMap<number, string>;
  readonly processNames: ReadonlyMap<number, string>;
  readonly counters: readonly { readonly name: string; readonly pid: number; readonly value: number }[];
}

interface Json {
  readonly [key: string]: unknown;
}

function fail(what: string, about: unknown): never {
  throw new Error(`not in the Trace Event Format: ${what}: ${JSON.stringify(about)}`);
}

function number(record: Json, key: string): number {
  const value = record[key];
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? value
    : fail(`${key} is no number`, record);
}

function text(record: Json, key: string): string {
  const value = record[key];
  return typeof value === 'string' && value !== '' ? value : fail(`${key} is no text`, record);
}

function object(record: Json, key: string): Json {
  const value = record[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : fail(`${key} is no object`, record);
}

function integer(record: Json, key: string): number {
  const value = number(record, key);
  return Number.isInteger(value) && value > 0 ? value : fail(`${key} is no positive integer`, record);
}

/** Microseconds as Perfetto takes them: times 1000, the rest cut off. */
function nanoseconds(record: Json, key: string): number {
  return Math.floor(number(record, key) * 1000);
}

/** @throws Error that names the record that no reader could use */
export function readTraceEvents(file: string): ReadTrace {
  const whole = JSON.parse(file) as Json;
  if (whole['displayTimeUnit'] !== 'ns') fail('displayTimeUnit', whole['displayTimeUnit']);
  if (number(object(whole, 'otherData'), 'traplineTrace') !== 1) fail('version', whole['otherData']);
  const records = whole['traceEvents'];
  if (!Array.isArray(records)) return fail('traceEvents is no array', typeof records);
  const lanes = new Map<number, Slice[]>();
  const slices: Slice[] = [];
  const instants: Slice[] = [];
  const counters: { name: string; pid: number; value: number }[] = [];
  const threadNames = new Map<number, string>();
  const processNames = new Map<number, string>();
  const processes = new Set<number>();
  const begun = new Map<number, { name: string; ns: number; slice: Slice }>();
  const ended = new Set<number>();
  const flows: { name: string; from: Slice; to: Slice }[] = [];

  const timed: { ns: number; record: Json }[] = [];
  for (const record of records as Json[]) {
    integer(record, 'pid');
    integer(record, 'tid');
    if (record['ph'] !== 'M') {
      timed.push({ ns: nanoseconds(record, 'ts'), record });
      continue;
    }
    const name = text(object(record, 'args'), 'name');
    if (record['name'] === 'thread_name') threadNames.set(integer(record, 'tid'), name);
    else if (record['name'] === 'process_name') processNames.set(integer(record, 'pid'), name);
    else fail('metadata', record);
  }
  timed.sort((a, b) => a.ns - b.ns);

  for (const { ns, record } of timed) {
    const pid = integer(record, 'pid');
    const tid = integer(record, 'tid');
    processes.add(pid);
    let stack = lanes.get(tid);
    if (stack === undefined) lanes.set(tid, (stack = []));
    // What lasted for a given time has ended by itself.
    while ((stack.at(-1)?.end ?? Infinity) <= ns) stack.pop();
    const top = stack.at(-1);
    const begin = (end: number): Slice => {
      const { name: parent, end: parentEnd } = top ?? {};
      if (parentEnd !== undefined && end > parentEnd && end !== Infinity)
        fail('a slice outlasts the one around it', record);
      const cat = text(record, 'cat');
      const args = object(record, 'args');
      return { name: text(record, 'name'), cat, pid, tid, ns, end, depth: stack.length, parent, args: { ...args } };
    };
    switch (record['ph']) {
      case 'B': {
        const slice = begin(Infinity);
        stack.push(slice);
        slices.push(slice);
        break;
      }
      case 'E': {
        if (top === undefined || top.end !== Infinity) return fail('an end without its begin', record);
        if (ns <= top.ns) fail('a slice without length', record);
        top.end = ns;
        if (record['args'] !== undefined) Object.assign(top.args, object(record, 'args'));
        stack.pop();
        break;
      }
      case 'X': {
        const length = nanoseconds(record, 'dur');
        if (length <= 0) fail('a slice without length', record);
        const slice = begin(ns + length);
        stack.push(slice);
        slices.push(slice);
        break;
      }
      case 'i':
        if (!['t', 'p', 'g'].includes(text(record, 's'))) fail('scope', record);
        instants.push(begin(ns));
        break;
      case 'C':
        for (const name of Object.keys(object(record, 'args'))) {
          counters.push({ name: text(record, 'name'), pid, value: number(object(record, 'args'), name) });
        }
        break;
      case 's': {
        const id = integer(record, 'id');
        if (begun.has(id)) fail('a flow begins twice', record);
        begun.set(id, { name: text(record, 'name'), ns, slice: top ?? fail('a flow begins in no slice', record) });
        break;
      }
      case 'f': {
        const id = integer(record, 'id');
        const start = begun.get(id) ?? fail('a flow ends before it begins', record);
        if (record['bp'] !== 'e' || record['name'] !== start.name || record['cat'] !== 'flow') fail('flow', record);
        if (ended.has(id)) fail('a flow ends twice', record);
        ended.add(id);
        flows.push({ name: start.name, from: start.slice, to: top ?? fail('a flow ends in no slice', record) });
        break;
      }
      default:
        fail('phase', record);
    }
  }
  for (const [tid, stack] of lanes) {
    if (stack.some((slice) => slice.end === Infinity)) fail('a slice never ends', stack);
    if (!threadNames.has(tid)) fail('a lane without a name', tid);
  }
  for (const pid of processes) if (!processNames.has(pid)) fail('a process without a name', pid);
  for (const id of begun.keys()) if (!ended.has(id)) fail('a flow never ends', id);
  return { slices, instants, flows, threadNames, processNames, counters };
}
