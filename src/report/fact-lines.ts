// SPDX-License-Identifier: MIT
//
// Lines of the `facts` guest: `fact NUMBER KEY=VALUE...`. Read from any output that holds them, and held against each
// other.

/** Keys and values of each fact by its number, in the order of the lines. */
export type Facts = ReadonlyMap<number, ReadonlyMap<string, string>>;

const LINE = /^fact (\d{1,4})((?: [^\s=]+=\S*)*)\s*$/;

/** Reads what is there; other lines are passed over, so that a log of a container may be given as it is. */
export function parseFacts(text: string): Facts {
  const facts = new Map<number, Map<string, string>>();
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, number = '', rest = ''] = match;
    const values = new Map<string, string>();
    for (const pair of rest.split(' ')) {
      const equals = pair.indexOf('=');
      if (equals > 0) values.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
    facts.set(Number(number), values);
  }
  return facts;
}

/** One line for each value that differs, and for each fact that only one side has; none when all are equal. */
export function compareFacts(ours: Facts, theirs: Facts): string[] {
  const lines: string[] = [];
  const numbers = [...new Set([...ours.keys(), ...theirs.keys()])].sort((a, b) => a - b);
  for (const number of numbers) {
    const a = ours.get(number);
    const b = theirs.get(number);
    if (a === undefined || b === undefined) {
      lines.push(`fact ${number}: only ${a === undefined ? 'theirs' : 'ours'} has it`);
      continue;
    }
    for (const key of new Set([...a.keys(), ...b.keys()])) {
      const [own = 'nothing', other = 'nothing'] = [a.get(key), b.get(key)];
      if (own !== other) lines.push(`fact ${number}: ${key}: ours ${own}, theirs ${other}`);
    }
  }
  return lines;
}
