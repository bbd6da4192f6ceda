// SPDX-License-Identifier: MIT
//
// What `trapline sites` prints: a table for people, JSON of a fixed schema (README.md) and SARIF for programs.

import { syscallName } from '../abi/sysno.ts';
import { hex as unsignedHex } from '../base/addr.ts';
import { toHex } from '../base/bytes.ts';
import { isWorse, type SiteChange, type SiteDiff } from '../usertrap/site-diff.ts';
import { countSites, type ProgramSites, type SiteInstruction, type SiteReport } from '../usertrap/site-report.ts';

/** Version of the JSON. Fields may be added under one version, never change. */
export const SITES_JSON_VERSION = 1;

/** Text of one instruction, as a disassembler gives it. */
export type DescribeInstruction = (instruction: SiteInstruction) => string;

/** The table, with a line of counts below. */
export function sitesText({ sites, embedded }: ProgramSites, describe: DescribeInstruction): string {
  const heading = ['SITE', 'BYTES (S-1 .. S+6)', 'CALL', 'UPSTREAM', 'HARDENED', 'RULE', 'HAZARDS', 'IN'];
  const rows = sites.map((s) => [
    hex(s.address),
    toHex(s.bytes, ' '),
    callName(s),
    s.upstream.patched ? 'patched' : 'refused',
    s.hardened.patched ? 'patched' : 'refused',
    s.hardened.rule,
    hazardsText(s, describe) || '-',
    functionText(s) ?? '-',
  ]);
  const c = countSites(sites);
  const others = c.sysenter + c.int80 === 0 ? '' : `, ${c.sysenter} sysenter, ${c.int80} int 0x80`;
  return `${alignColumns([heading, ...rows])}
${c.syscall} syscall instructions${others}; ${c.matching} follow mov $number,%eax; patched: upstream ${c.patchedUpstream}, hardened ${c.patchedHardened}
of those ${c.matching}: ${c.lineSplit} cross a line, ${c.pageSplit} a page, ${c.inOneWord} lie in one aligned word; the syscall itself crosses a line ${times(c.opcodeLineSplit)}, a page ${times(c.opcodePageSplit)}
0f 05 within other instructions or data: ${embedded}
`;
}

/** What would be the site of a call at the very start of memory lies before it. */
function hex(address: number): string {
  return address < 0 ? `-${unsignedHex(-address)}` : unsignedHex(address);
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, c) => rows.reduce((w, row) => Math.max(w, row[c]?.length ?? 0), 0));
  const line = (row: readonly string[]): string => row.map((cell, c) => cell.padEnd(widths[c] ?? 0)).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}

function times(n: number): string {
  return n === 1 ? 'once' : `${n} times`;
}

function hazardsText(site: SiteReport, describe: DescribeInstruction): string {
  return site.hazards
    .map((h) => {
      if (h === 'false-match' && site.preceding !== undefined)
        return `false-match (\`${describe(site.preceding)}\` at ${hex(site.preceding.address)})`;
      const into = site.branches.filter((b) => (b.to === site.callAddress) === (h === 'shared-tail'));
      if ((h === 'shared-tail' || h === 'branch-into-middle') && into.length > 0)
        return `${h} (from ${into.map((b) => hex(b.from)).join(', ')})`;
      return h;
    })
    .join(' ');
}

/** `39 getpid`; numbers of 32-bit calls have other names. */
function callName(site: SiteReport): string {
  const kind = site.instruction === 'int80' ? 'int 0x80' : site.instruction;
  if (site.instruction !== 'syscall') return site.sysno === undefined ? kind : `${site.sysno} ${kind}`;
  return site.sysno === undefined ? '-' : `${site.sysno} ${syscallName(site.sysno)}`;
}

/** `read+0x12`, or `0x1080+0x12` for a function without a name. */
function functionText({ function: f, callAddress }: SiteReport): string | undefined {
  return f && `${f.name ?? hex(f.start)}+${hex(callAddress - f.start)}`;
}

/** The object of `sites --json`. */
export function sitesJson(path: string, program: ProgramSites, describe: DescribeInstruction): object {
  return {
    version: SITES_JSON_VERSION,
    program: path,
    summary: { ...countSites(program.sites), embedded: program.embedded, executableBytes: program.executableBytes },
    sites: program.sites.map((s) => siteJson(s, describe)),
  };
}

function siteJson(s: SiteReport, describe: DescribeInstruction): object {
  return {
    address: hex(s.address),
    callAddress: hex(s.callAddress),
    instruction: s.instruction,
    bytes: toHex(s.bytes, ' '),
    preceding: s.preceding
      ? { address: hex(s.preceding.address), bytes: toHex(s.preceding.bytes, ' '), text: describe(s.preceding) }
      : null,
    sysno: s.sysno ?? null,
    matches: s.matches,
    upstream: s.upstream,
    hardened: s.hardened,
    hazards: s.hazards,
    branches: s.branches.map((b) => ({ from: hex(b.from), to: hex(b.to) })),
    function: s.function
      ? { name: s.function.name ?? null, start: hex(s.function.start), offset: s.callAddress - s.function.start }
      : null,
  };
}

/** `sites --diff`: a line for each change, then how much was compared. */
export function diffText(diff: SiteDiff): string {
  const lines = diff.changes.map((c) => {
    const where = `${c.function} call ${c.ordinal} (${callName(c.after)}): ${hex(c.before.address)} -> ${hex(c.after.address)}`;
    return `${c.kind.padEnd(6)}  ${where}: ${changeText(c)}`;
  });
  lines.push(
    `${diff.matched} calls in both, ${diff.removed.length} only before, ${diff.added.length} only now; ${isWorse(diff) ? 'worse' : 'not worse'}`,
  );
  return `${lines.join('\n')}\n`;
}

function changeText(change: SiteChange): string {
  if (change.kind === 'danger') return change.hazards.join(' ');
  return change.modes.map((m) => `${m} ${change.before[m].rule} -> ${change.after[m].rule}`).join(', ');
}

/** The object of `sites --diff --json`. */
export function diffJson(
  paths: readonly [before: string, after: string],
  diff: SiteDiff,
  describe: DescribeInstruction,
): object {
  return {
    version: SITES_JSON_VERSION,
    before: paths[0],
    after: paths[1],
    worse: isWorse(diff),
    matched: diff.matched,
    changes: diff.changes.map((c) => ({
      kind: c.kind,
      modes: c.modes,
      hazards: c.hazards,
      function: c.function,
      ordinal: c.ordinal,
      before: siteJson(c.before, describe),
      after: siteJson(c.after, describe),
    })),
    removed: diff.removed.map((s) => siteJson(s, describe)),
    added: diff.added.map((s) => siteJson(s, describe)),
  };
}
